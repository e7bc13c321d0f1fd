//! Directories, lists for programs, benchmarks, tar, terminals.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "common/place.rs"]
mod place;
use place::{Place, STATESMIX, sample, text};
use statesmix::Level;

#[test]
fn directories() {
    let place = Place::new();
    fs::create_dir_all(place.path("d/e")).unwrap();
    fs::create_dir(place.path("d/empty.smx")).unwrap();
    for name in ["d/a", "d/e/b", "d/e/c d", "d/old.smx", "d/.statesmix-123"] {
        place.put(name, sample(100));
    }
    place.put("f", sample(100));
    place.ok(&["-0r", "--rm", "d", "f"]);
    for name in ["d/a.smx", "d/e/b.smx", "d/e/c d.smx", "d/old.smx", "d/.statesmix-123", "f.smx"] {
        assert!(place.path(name).is_file(), "{name}");
    }
    for name in ["d/a", "d/e/b", "d/old", "d/old.smx.smx", "d/.statesmix-123.smx"] {
        assert!(!place.path(name).exists(), "{name}");
    }
    // One is bad, the others come back all the same.
    place.fails(1, &["-dr", "d"], &["d/old.smx: not in statesmix format"]);
    for name in ["d/a", "d/e/b", "d/e/c d"] {
        assert_eq!(place.get(name), sample(100), "{name}");
    }
    fs::remove_file(place.path("d/old.smx")).unwrap();
    let list = place.ok(&["-lr", "d"]);
    let names: Vec<_> = text(&list)
        .lines()
        .filter_map(|line| line.split_once("yes   no      no         "))
        .map(|p| p.1)
        .collect();
    assert_eq!(names, ["d/a.smx", "d/e/b.smx", "d/e/c d.smx", "3 files"]);
    place.ok(&["-tr", "."]);
    place.fails(2, &["-0", "d"], &["is a directory, skipping"]);
    place.fails(1, &["-0r", "d", "-o", "x"], &["-o takes one input"]);
}

#[cfg(unix)]
#[test]
fn links_in_directories() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    fs::create_dir(place.path("d")).unwrap();
    place.put("a", sample(100));
    symlink("../a", place.path("d/link")).unwrap();
    symlink("..", place.path("d/up")).unwrap();
    place.ok(&["-0r", "d"]);
    place.ok(&["-0rf", "d"]);
    assert_eq!(place.names(), ["a", "d"]);
    assert_eq!(fs::read_dir(place.path("d")).unwrap().count(), 2);
    symlink("d", place.path("l")).unwrap();
    place.fails(2, &["-0r", "l"], &["is a symbolic link, skipping"]);
    place.put("d/b", sample(100));
    place.ok(&["-0rf", "l"]);
    assert!(place.path("d/b.smx").is_file());
}

#[test]
fn lists_as_json() {
    let place = Place::new();
    assert_eq!(text(&place.ok(&["-lr", "--json", "."])), "[]\n");
    place.put("a\"b", sample(5000));
    place.put("c", "");
    place.ok(&["-2", "a\"b"]);
    place.ok(&["-0", "--no-check", "c"]);
    let (a, c) = (place.get("a\"b.smx").len(), place.get("c.smx").len());
    let list = place.ok(&["-l", "--json", "a\"b.smx", "c.smx"]);
    let ratio = format!("{:.3}", a as f64 / 5000.0);
    let expected = format!(
        r#"[
{{"file": "a\"b.smx", "frames": 1, "level": 2, "memory": 131072, "compressed": {a}, "uncompressed": 5000, "ratio": {ratio}, "check": "yes", "filter": "no", "dictionary": "no"}},
{{"file": "c.smx", "frames": 1, "level": 0, "memory": 8192, "compressed": {c}, "uncompressed": 0, "ratio": null, "check": "no", "filter": "no", "dictionary": "no"}}
]
"#
    );
    assert_eq!(text(&list), expected);
    let list = place.ok(&["-lv", "--json", "c.smx"]);
    assert!(text(&list).contains(r#""frame_list": ["#), "{}", text(&list));
    let output = place.run(&["-l", "--json", "-M64K", "a\"b.smx"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains(r#""frames": null, "level": 2"#));
    place.fails(1, &["--json", "c"], &["--json goes with -l"]);
}

#[test]
fn benchmark() {
    let place = Place::new();
    place.put("a", sample(3000));
    let lines = place.ok(&["-b0", "-e2", "a"]);
    let lines: Vec<Vec<_>> =
        text(&lines).lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0][0], "Level");
    for (level, line) in lines[1..].iter().enumerate() {
        let len = place.ok(&[&format!("-{level}c"), "a"]).len();
        assert_eq!(line[0], level.to_string());
        assert_eq!((line[3], line[4]), ("3000", &*len.to_string()));
        assert_eq!(line.last(), Some(&"a"));
    }
    assert_eq!(place.names(), ["a"]);
}

/// Compresses and extracts through tar, if there is one that can.
#[test]
fn tar() {
    let place = Place::new();
    fs::create_dir(place.path("d")).unwrap();
    place.put("d/a", sample(3000));
    let tar = |program: &str, args: &[&str]| {
        let program = format!("--use-compress-program={program}");
        let mut command = Command::new("tar");
        let path = std::env::var("PATH").unwrap();
        let bin = std::path::Path::new(STATESMIX).parent().unwrap().display();
        command.env("PATH", format!("{bin}:{path}")).current_dir(place.path(""));
        command.arg(program).args(args).stdin(Stdio::null()).output()
    };
    for program in ["statesmix", "statesmix -1 -T2"] {
        let Ok(output) = tar(program, &["-cf", "d.tar.smx", "d"]) else {
            eprintln!("no tar");
            return;
        };
        assert!(output.status.success(), "{}", text(&output.stderr));
        place.ok(&["-t", "d.tar.smx"]);
        fs::remove_file(place.path("d/a")).unwrap();
        let output = tar(program, &["-xf", "d.tar.smx"]).unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(place.get("d/a"), sample(3000));
    }
}

/// With a terminal from script(1) of util-linux; without that it tests nothing.
#[test]
#[cfg(target_os = "linux")]
fn progress_and_bold_type_on_terminals_only() {
    let place = Place::new();
    place.put("a", sample(20_000));
    let on_terminal = |line: &str, terminal: &str| {
        let mut script = Command::new("script");
        script.args(["-qec", line, "/dev/null"]).env("TERM", terminal).env_remove("NO_COLOR");
        let output = script.current_dir(place.path("")).stdin(Stdio::null()).output().ok()?;
        Some((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let run = |line: &str, terminal: &str| on_terminal(&format!("{STATESMIX} {line}"), terminal);
    let Some((_, list)) = run("-b0 a", "xterm") else {
        eprintln!("no script(1)");
        return;
    };
    assert!(list.contains("\x1b[1m"), "{list}");
    // The bar comes after a second.
    let slowly = format!("(cat a; sleep 1.2; cat a) | {STATESMIX} -fo out");
    for options in ["-0", "-0 -T2 --frame-size=8K"] {
        let line = format!("{slowly} {options}");
        let (status, output) = on_terminal(&line, "xterm").unwrap();
        assert_eq!(status, Some(0), "{output}");
        assert!(output.contains(" read") && output.contains("/s"), "{line}: {output:?}");
        for line in [format!("{line} -q"), format!("{line} 2>err")] {
            assert_eq!(on_terminal(&line, "xterm"), Some((Some(0), String::new())));
        }
        assert_eq!(place.get("err"), b"");
    }
    let (status, output) = run("-dc none.smx", "xterm").unwrap();
    assert_eq!(status, Some(1));
    assert!(output.contains("\x1b[1mstatesmix:"), "{output}");
    assert!(!run("-dc none.smx", "dumb").unwrap().1.contains('\x1b'));
}

#[test]
fn explain() {
    let place = Place::new();
    place.put("a", sample(3000));
    place.ok(&["-2", "--explain", "a"]);
    assert_eq!(place.names(), ["a", "a.html"]);
    let page = place.get("a.html");
    assert!(text(&page).starts_with("<!DOCTYPE html>") && text(&page).ends_with("</html>\n"));
    for words in ["<title>a: ", ">level 1<", ">level 2<", ">level 3<", "<svg"] {
        assert!(text(&page).contains(words), "{words}");
    }
    // A curve for each part of the model.
    for part in ["n-grams", "repeats", "state space", "numbers"] {
        assert!(text(&page).contains(&format!(">{part}</text>")), "{part}");
    }
    place.fails(1, &["-2", "--explain", "a"], &["a.html exists already"]);
    place.ok(&["-2", "--explain", "-fo", "b", "a"]);
    assert_eq!(place.get("b"), page);
    assert!(text(&place.pipe(&["-2", "--explain"], b"abc")).contains("3 bytes"));
    place.fails(1, &["--explain", "--rm", "a"], &["--rm"]);
}

/// The command may have inner loops of its own for the processor; the library has not.
#[test]
fn codes_as_the_library_does() {
    let place = Place::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in ["code", "records"] {
        let content = fs::read(golden.join(name).with_extension("content")).unwrap();
        place.put(name, &content);
        for level in [6, 7] {
            let frames = golden.join(format!("{name}-{level}.smx"));
            let decoded = place.ok(&["-dc", frames.to_str().unwrap()]);
            assert!(decoded == content.repeat(4), "{name} {level}");
            let frame = place.ok(&["-c", &format!("-{level}"), name]);
            assert!(
                statesmix::decompress(&frame, Level::MAX).unwrap() == content,
                "{name} {level}"
            );
        }
    }
}
