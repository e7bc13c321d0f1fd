//! Help, man page, completions, and defaults from the environment.

use std::process::Command;

#[path = "common/place.rs"]
mod place;
use place::{Place, sample, text};

#[test]
fn the_man_page_is_right() {
    let place = Place::new();
    let page = place.ok(&["--generate=man"]);
    place.put("statesmix.1", &page);
    let shown = Command::new("man")
        .args(["--warnings", "-l", "statesmix.1"])
        .env("MANWIDTH", "80")
        .current_dir(place.path(""))
        .output();
    let Ok(shown) = shown else {
        eprintln!("no man(1)");
        return;
    };
    // A man-db without pages has a man that shows none.
    if text(&shown.stderr).is_empty() && !text(&shown.stdout).contains("has been minimized") {
        for word in ["NAME", "--memlimit-decompress=SIZE", "STATESMIX_OPT", "EXIT STATUS"] {
            assert!(text(&shown.stdout).contains(word), "{word}: {}", text(&shown.stdout));
        }
    }
}

#[test]
fn completions_are_scripts() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.ok(&["--generate", shell]);
        place.put(shell, &script);
        let check = Command::new(shell).arg("-n").arg(place.path(shell)).output();
        match check {
            Ok(check) => assert!(check.status.success(), "{}", text(&check.stderr)),
            Err(_) => eprintln!("no {shell}"),
        }
    }
    place.fails(1, &["--generate=tcsh"], &["man, bash, zsh, fish"]);
}

#[test]
fn bash_completes() {
    let place = Place::new();
    place.put("script", place.ok(&["--generate=bash"]));
    let complete = |words: &str| {
        let line = format!(
            ". ./script; compopt() {{ :; }}; COMP_WORDS=({words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _statesmix; echo \"${{COMPREPLY[*]}}\""
        );
        let output = Command::new("bash").args(["-c", &line]).current_dir(place.path("")).output();
        output.ok().map(|output| text(&output.stdout).trim().to_owned())
    };
    for (words, reply) in [
        ("statesmix --fr", "--frame-size"),
        ("statesmix --generate z", "zsh"),
        ("statesmix --generate = f", "fish"),
        ("statesmix -T ''", ""),
        ("statesmix fi", ""),
    ] {
        let Some(got) = complete(words) else {
            eprintln!("no bash");
            return;
        };
        assert_eq!(got, reply, "{words}");
    }
}

#[test]
fn defaults_from_the_environment() {
    let place = Place::new();
    place.put("a", sample(5000));
    let run = |environment: &str, args: &[&str]| {
        place.command(args).env("STATESMIX_OPT", environment).output().unwrap()
    };
    assert_eq!(run("-1 --no-check", &["-c", "a"]).stdout, place.ok(&["-1c", "--no-check", "a"]));
    assert_eq!(run("-9", &["-2c", "a"]).stdout, place.ok(&["-2c", "a"]));
    for bad in ["-d", "--rm", "-f", "a", "-o b", "--frobnicate"] {
        let output = run(bad, &["-c", "a"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("STATESMIX_OPT"), "{}", text(&output.stderr));
    }
}
