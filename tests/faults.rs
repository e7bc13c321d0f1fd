//! The command where things go wrong around it: full and read-only disks, failing
//! system calls, signals, lost power. Whatever happens, the source is there or the
//! complete output is, nothing half done has the name of an output, and a message
//! says what has happened.
//!
//! Some of it needs Linux with strace(1), unshare(1) or setpriv(1); without them
//! those tests say so and test nothing.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

mod common;
#[path = "common/place.rs"]
mod place;
use common::random;
use place::{Place, STATESMIX, sample, text};

fn temporary(place: &Place) -> Option<String> {
    place.names().into_iter().find(|name| name.starts_with(".statesmix-"))
}

/// Waits until the child has begun its output; gives its name.
fn wait_for_temporary(place: &Place) -> String {
    for _ in 0..5000 {
        if let Some(name) = temporary(place) {
            return name;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("no temporary file");
}

/// Whether a program can be used, which it shows by doing nothing with success.
fn usable(line: &[&str]) -> bool {
    let status = Command::new(line[0]).args(&line[1..]).stderr(Stdio::null()).status();
    let usable = status.is_ok_and(|status| status.success());
    if !usable {
        eprintln!("no {}, nothing tested", line.join(" "));
    }
    usable
}

/// Runs a shell script with mounts of its own; the command is `$smx`. Nothing if
/// that is not allowed.
fn with_mounts(place: &Place, script: &str) -> Option<Output> {
    let line = ["unshare", "--mount", "--map-root-user", "sh", "-ec"];
    let mount = "mount -t tmpfs none .";
    if !usable(&[&line[..], &[mount]].concat()) {
        return None;
    }
    let mut command = Command::new(line[0]);
    command.args(&line[1..]).arg(script).env("smx", STATESMIX).current_dir(place.path(""));
    Some(command.output().unwrap())
}

/// The command as a user whom permissions hold: root without its power over them.
/// Nothing if it cannot be taken away.
fn unprivileged(place: &Place, args: &[&str]) -> Option<Command> {
    let probe = place.path("probe");
    fs::write(&probe, "").unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o000)).unwrap();
    let powerful = fs::File::open(&probe).is_ok();
    fs::remove_file(&probe).unwrap();
    if !powerful {
        return Some(place.command(args));
    }
    let line = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    if !usable(&[&line[..], &["true"]].concat()) {
        return None;
    }
    let mut command = Command::new(line[0]);
    command.args(&line[1..]).arg(STATESMIX).args(args).current_dir(place.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

fn set_mode(place: &Place, name: &str, mode: u32) {
    fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn assert_fails(output: &Output, words: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    words.iter().for_each(|word| assert!(message.contains(word), "{word:?} in {message:?}"));
}

#[test]
fn a_disk_that_gets_full() {
    let place = Place::new();
    let noise = random(80, 90_000);
    place.put("a", &noise);
    place.ok(&["-0", "-k", "a"]);
    fs::create_dir(place.path("disk")).unwrap();
    for (args, words) in [
        ("-0 --rm a -o disk/a.smx", ["a: cannot write", "No space left", "make room"]),
        ("-d --rm a.smx -o disk/a", ["a.smx: cannot write", "No space left", "make room"]),
    ] {
        let script = format!(
            "mount -t tmpfs -o size=64k none disk; code=0; $smx {args} || code=$?
             ls -A disk; exit $code"
        );
        let Some(output) = with_mounts(&place, &script) else {
            return;
        };
        assert_fails(&output, &words);
        assert_eq!(text(&output.stdout), "", "something is left on the disk");
        assert_eq!(place.get("a"), noise);
    }
    // Beside the source, which hardly leaves room.
    let script = "mount -t tmpfs -o size=128k none disk; cp a disk; code=0
                  $smx -0 --rm disk/a || code=$?; ls -A disk; cmp a disk/a; exit $code";
    let output = with_mounts(&place, script).unwrap();
    assert_fails(&output, &["disk/a: cannot write", "No space left"]);
    assert_eq!(text(&output.stdout), "a\n");
}

#[test]
#[cfg(target_os = "linux")]
fn standard_output_that_is_full() {
    let place = Place::new();
    place.put("a", sample(20_000));
    place.ok(&["-0", "a"]);
    for args in [
        &["-0c", "a"][..],
        &["-dc", "a.smx"],
        &["-l", "a.smx"],
        &["-lv", "a.smx"],
        &["--help"],
        &["--version"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = place.command(args).stdout(full).output().unwrap();
        assert_fails(&output, &["statesmix: ", "cannot write", "No space left"]);
    }
}

#[test]
fn media_that_are_read_only() {
    let place = Place::new();
    fs::create_dir(place.path("disk")).unwrap();
    let content = sample(5000);
    place.put("disk/a", &content);
    place.ok(&["-0k", "disk/a", "-o", "disk/b.smx"]);
    let run = |line: &str| {
        let script = format!(
            "mount --bind disk disk; mount -o remount,bind,ro disk; $smx {line} || exit $?"
        );
        with_mounts(&place, &script)
    };
    let Some(output) = run("-0 --rm disk/a") else {
        return;
    };
    assert_fails(&output, &["disk/a: cannot create disk/a.smx: read-only", "elsewhere with -o"]);
    assert_fails(&run("-d disk/b.smx").unwrap(), &["cannot create disk/b: read-only", "-c"]);
    // Reading from them is no trouble, but --rm is.
    assert_eq!(run("-dc disk/b.smx").unwrap().stdout, content);
    let output = run("-0 --rm disk/a -o a.smx").unwrap();
    assert_fails(&output, &["disk/a: done, but cannot be removed"]);
    assert_eq!(place.get("disk/a"), content);
    assert_eq!(place.ok(&["-dc", "a.smx"]), content);
}

#[test]
fn permissions() {
    let place = Place::new();
    fs::create_dir(place.path("dir")).unwrap();
    let content = sample(5000);
    place.put("dir/a", &content);
    let run = |args: &[&str]| Some(unprivileged(&place, args)?.output().unwrap());

    // A source that may not be read.
    set_mode(&place, "dir/a", 0o200);
    let Some(output) = run(&["-0", "--rm", "dir/a"]) else {
        return;
    };
    assert_fails(&output, &["dir/a: cannot open: Permission denied"]);
    set_mode(&place, "dir/a", 0o400);

    // A directory that may not be written to.
    set_mode(&place, "dir", 0o500);
    let output = run(&["-0", "--rm", "dir/a"]).unwrap();
    assert_fails(&output, &["cannot create dir/a.smx: permission denied", "elsewhere with -o"]);
    let output = run(&["-0", "--rm", "dir/a", "-o", "a.smx"]).unwrap();
    assert_fails(&output, &["dir/a: done, but cannot be removed: Permission denied"]);
    assert_eq!(place.ok(&["-dc", "a.smx"]), content);
    fs::remove_file(place.path("a.smx")).unwrap();

    // One that may be written to and not be read: names cannot be listed, and all
    // goes well.
    set_mode(&place, "dir", 0o300);
    let output = run(&["-0", "--rm", "dir/a"]).unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    set_mode(&place, "dir", 0o700);
    assert_eq!(place.ok(&["-dc", "dir/a.smx"]), content);
    assert_eq!(fs::metadata(place.path("dir/a.smx")).unwrap().mode() & 0o777, 0o400);

    // An output that exists and may not be written to is replaced all the same by
    // -f, which needs the directory alone, as mv does.
    place.put("dir/b", &content);
    set_mode(&place, "dir/b", 0o400);
    place.put("dir/b.smx", "old");
    set_mode(&place, "dir/b.smx", 0o400);
    assert_fails(&run(&["-0", "dir/b"]).unwrap(), &["exists already"]);
    assert_eq!(place.get("dir/b.smx"), b"old");
    assert_eq!(run(&["-0f", "dir/b"]).unwrap().status.code(), Some(0));
    assert_eq!(place.ok(&["-dc", "dir/b.smx"]), content);
}

#[test]
fn nobody_reads_along() {
    let place = Place::new();
    place.put("a", sample(300_000));
    set_mode(&place, "a", 0o644);
    let child = place.command(&["-2", "a"]).spawn().unwrap();
    let name = wait_for_temporary(&place);
    // Unless it is done by now.
    if let Ok(metadata) = fs::metadata(place.path(name)) {
        assert_eq!(metadata.mode() & 0o077, 0);
    }
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(fs::metadata(place.path("a.smx")).unwrap().mode() & 0o777, 0o644);
}

#[test]
fn links_and_directories_in_the_way() {
    let place = Place::new();
    let content = sample(100);
    place.put("a", &content);
    symlink("nothing", place.path("dangling")).unwrap();
    symlink("loop", place.path("loop")).unwrap();
    place.fails(1, &["-0f", "dangling"], &["dangling: cannot open"]);
    place.fails(1, &["-0f", "loop"], &["loop: cannot open"]);
    // An output name that is taken by a link to nothing is taken.
    place.fails(1, &["-0", "--rm", "a", "-o", "dangling"], &["dangling exists already"]);
    place.fails(1, &["-0", "--rm", "a", "-o", "a/b"], &["cannot create a/b"]);
    fs::create_dir(place.path("dir")).unwrap();
    place.fails(1, &["-0f", "--rm", "a", "-o", "dir"], &["dir is a directory"]);
    place.fails(1, &["-0f", "--rm", "a", "-o", "."], &["is a directory"]);
    assert_eq!(place.get("a"), content);
    assert_eq!(place.names(), ["a", "dangling", "dir", "loop"]);
    // Two names of one file: the output replaces one of them.
    fs::hard_link(place.path("a"), place.path("b")).unwrap();
    place.ok(&["-0f", "a", "-o", "b"]);
    assert_eq!(place.get("a"), content);
    assert_eq!(place.ok(&["-dc", "b"]), content);
}

#[test]
fn compressed_sources_that_change() {
    let content = sample(200_000);
    for damage in ["shrinks", "grows", "is replaced"] {
        let place = Place::new();
        place.put("a", &content);
        place.ok(&["-2", "--rm", "a"]);
        let frame = place.get("a.smx");
        let child = place.command(&["-d", "--rm", "a.smx"]).spawn().unwrap();
        wait_for_temporary(&place);
        let file = fs::File::options().write(true).open(place.path("a.smx")).unwrap();
        match damage {
            "shrinks" => file.set_len(frame.len() as u64 / 2).unwrap(),
            "grows" => file.set_len(frame.len() as u64 + 1).unwrap(),
            _ => {
                fs::rename(place.path("a.smx"), place.path("old.smx")).unwrap();
                place.put("a.smx", &frame);
            }
        }
        let output = child.wait_with_output().unwrap();
        // Whether it had been read before or not: nothing is removed.
        assert_fails(&output, &["a.smx: "]);
        assert!(place.names().contains(&"a.smx".into()), "{damage}");
        assert!(temporary(&place).is_none(), "{damage}");
        if let Ok(back) = fs::read(place.path("a")) {
            assert!(back == content, "{damage}");
            assert_fails(&output, &["has changed since it was read, not removed"]);
        }
    }
}

#[test]
fn signals_in_the_middle() {
    // Even if whoever runs the tests has them ignored.
    if !usable(&["env", "--default-signal=INT,HUP,TERM", "true"]) {
        return;
    }
    let content = sample(400_000);
    let place = Place::new();
    place.put("a", &content);
    place.ok(&["-1", "a", "-o", "b.smx"]);
    let compressed = place.get("b.smx");
    for (signal, number) in [("INT", 2), ("HUP", 1), ("TERM", 15)] {
        for args in [["-2", "--rm", "a"], ["-d", "--rm", "b.smx"]] {
            let mut command = Command::new("env");
            command.args(["--default-signal=INT,HUP,TERM", STATESMIX]).args(args);
            command.current_dir(place.path("")).stdin(Stdio::null()).stderr(Stdio::piped());
            let child = command.spawn().unwrap();
            wait_for_temporary(&place);
            let id = child.id().to_string();
            assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
            assert_eq!(child.wait_with_output().unwrap().status.signal(), Some(number));
            assert_eq!(place.names(), ["a", "b.smx"], "{signal}");
            assert!(place.get("a") == content && place.get("b.smx") == compressed);
        }
    }
}

#[test]
fn limits_of_the_shell() {
    let place = Place::new();
    let noise = random(81, 90_000);
    place.put("a", &noise);
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("smx", STATESMIX).current_dir(place.path(""));
        command.output().unwrap()
    };
    // The signal for too large a file, unless the error is told before a thread has
    // taken the signal; and the error where the signal is ignored.
    let output = shell("ulimit -f 64; exec $smx -0 --rm a");
    if output.status.signal() != Some(25) {
        assert_fails(&output, &["a: cannot write", "File too large", "elsewhere"]);
    }
    assert_eq!(place.names(), ["a"]);
    let output = shell("trap '' XFSZ; ulimit -f 64; exec $smx -0 --rm a");
    assert_fails(&output, &["a: cannot write", "File too large", "elsewhere"]);
    assert_eq!(place.names(), ["a"]);
    // Too little memory for the level.
    if cfg!(target_os = "linux") {
        let output = shell("ulimit -v 300000; exec $smx -9 --rm a");
        assert_fails(&output, &["a: not enough memory, the level needs", "use a lower one"]);
        assert_eq!(place.names(), ["a"]);
    }
    assert_eq!(place.get("a"), noise);
}

#[test]
fn pipes_that_close() {
    let place = Place::new();
    place.put("a", random(82, 200_000));
    place.ok(&["-0", "a"]);
    for args in [&["-0c", "a"][..], &["-dc", "a.smx"], &["-0c", "a", "a", "a"]] {
        let mut child = place.command(args).spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
    }
    // One that ends early on the side of the input.
    let frame = place.get("a.smx");
    let mut child = place.command(&["-d", "-o", "b"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&frame[..frame.len() / 2]).unwrap();
    assert_fails(&child.wait_with_output().unwrap(), &["(stdin): ends in the middle of a frame"]);
    assert_eq!(place.names(), ["a", "a.smx"]);
}

/// Runs under strace(1), which makes system calls fail. Their names are those of
/// this machine.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod traced {
    use super::*;

    /// A source and what becomes of it.
    struct Task {
        args: [&'static str; 3],
        source: (&'static str, Vec<u8>),
        output: (&'static str, Vec<u8>),
    }

    impl Task {
        /// A directory with nothing but the source.
        fn place(&self) -> Place {
            let place = Place::new();
            place.put(self.source.0, &self.source.1);
            place
        }

        /// Nothing is lost, and no output is there in part.
        fn check(&self, place: &Place, what: &str) {
            let source = fs::read(place.path(self.source.0)).ok();
            let output = fs::read(place.path(self.output.0)).ok();
            let complete = output.as_ref() == Some(&self.output.1);
            assert!(output.is_none() || complete, "{what}: output in part");
            assert!(source.is_some() || complete, "{what}: source lost");
            assert!(source.is_none_or(|there| there == self.source.1), "{what}: source changed");
        }
    }

    fn tasks() -> [Task; 2] {
        let content = sample(20_000);
        let place = Place::new();
        place.put("a", &content);
        place.ok(&["-0", "a"]);
        let frame = place.get("a.smx");
        [
            Task {
                args: ["-0", "--rm", "a"],
                source: ("a", content.clone()),
                output: ("a.smx", frame.clone()),
            },
            Task {
                args: ["-d", "--rm", "a.smx"],
                source: ("a.smx", frame),
                output: ("a", content),
            },
        ]
    }

    /// Runs the task; gives the trace of its system calls too.
    fn trace(task: &Task, place: &Place, options: &[&str]) -> (Output, String) {
        let log = Place::new();
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-o"]).arg(log.path("trace")).args(options);
        command.arg(STATESMIX).args(task.args).current_dir(place.path(""));
        let output = command.stdin(Stdio::null()).output().unwrap();
        (output, String::from_utf8_lossy(&log.get("trace")).into_owned())
    }

    fn strace_works() -> bool {
        usable(&["strace", "-f", "-o", "/dev/null", "true"])
    }

    /// What does damage in the order of the calls is done in the order that
    /// survives a power cut: all of the file, its name, the name's being on the
    /// disk, and only then the removal of the source.
    #[test]
    fn order_of_a_power_cut() {
        if !strace_works() {
            return;
        }
        for task in tasks() {
            let place = task.place();
            let calls = "trace=write,fchown,fchmod,utimensat,fsync,fdatasync,rename,renameat,\
                         renameat2,link,linkat,unlink,unlinkat";
            let (output, trace) = trace(&task, &place, &["-e", calls]);
            assert!(output.status.success());
            let steps: Vec<_> = trace
                .lines()
                .filter_map(|line| {
                    let call = line.split_whitespace().nth(1)?;
                    let name = call.split('(').next()?;
                    Some(match name {
                        "write" if call.contains(".statesmix-") => "write",
                        "fsync" if call.contains(".statesmix-") => "fsync file",
                        "fsync" => "fsync directory",
                        "rename" | "renameat" | "renameat2" => "rename",
                        "unlink" | "unlinkat" => "remove",
                        "fchown" | "fchmod" | "utimensat" => "metadata",
                        _ => return None,
                    })
                })
                .collect();
            let mut order = steps.clone();
            order.dedup();
            let expected =
                ["write", "metadata", "fsync file", "rename", "fsync directory", "remove"];
            assert_eq!(order, expected, "{steps:?}");
            task.check(&place, "undisturbed");
            assert_eq!(place.names(), [task.output.0]);
        }
    }

    /// The calls by which files are read, written, and named.
    const CALLS: [(&str, &[&str]); 12] = [
        ("openat", &["EACCES", "EMFILE"]),
        ("statx", &["EIO"]),
        ("newfstatat", &["EIO"]),
        ("read", &["EIO", "EINTR"]),
        ("write", &["ENOSPC", "EIO", "EDQUOT", "EINTR"]),
        ("fchown", &["EPERM"]),
        ("fchmod", &["EPERM"]),
        ("utimensat", &["EPERM"]),
        ("fsync", &["EIO", "ENOSPC"]),
        ("renameat2", &["EIO", "EACCES", "ENOSYS"]),
        ("unlink", &["EACCES"]),
        ("mmap", &["ENOMEM"]),
    ];

    /// Runs the task once for each time a call is made, with a fault in that one;
    /// returns how many times.
    fn inject(
        task: &Task,
        call: &str,
        fault: &str,
        mut check: impl FnMut(&Place, &Output, &str),
    ) -> usize {
        for n in 1.. {
            let what = format!("{:?}, {call} {n}: {fault}", task.args);
            let place = task.place();
            let options = format!("inject={call}:{fault}:when={n}");
            let (output, trace) = trace(task, &place, &["-e", &options]);
            let happened = ["(INJECTED)", "--- SIGTERM", "killed by SIGKILL"];
            if !happened.iter().any(|words| trace.contains(words)) {
                return n - 1;
            }
            task.check(&place, &what);
            check(&place, &output, &what);
        }
        unreachable!()
    }

    /// What is left after a call has failed: success without a trace, or a message
    /// and nothing else.
    fn check_failure(task: &Task, call: &str, place: &Place, output: &Output, what: &str) {
        // What cannot be removed stays, and that is an error.
        if call != "unlink" {
            assert!(temporary(place).is_none(), "{what}: something is left");
        }
        let message = String::from_utf8_lossy(&output.stderr);
        // Without memory for its stack the standard library ends a thread so.
        let panics = message.contains("panicked") && call != "mmap";
        assert!(!panics, "{what}: {message}");
        match output.status.code() {
            Some(0) => assert_eq!(place.names(), [task.output.0], "{what}"),
            Some(1 | 2) => assert!(!message.is_empty(), "{what}: not a word"),
            _ => {} // before the program has begun
        }
    }

    /// Every such call fails once.
    #[test]
    fn every_call_fails_once() {
        if !strace_works() {
            return;
        }
        let mut faults = 0;
        for task in tasks() {
            for (call, errors) in CALLS {
                for error in errors {
                    let fault = format!("error={error}");
                    faults += inject(&task, call, &fault, |place, output, what| {
                        check_failure(&task, call, place, output, what);
                    });
                }
            }
        }
        println!("{faults} calls have failed");
        assert!(faults > 100);
    }

    /// The process is killed at every such call, as a power cut does it.
    #[test]
    fn killed_at_every_call() {
        if !strace_works() {
            return;
        }
        let mut kills = 0;
        for task in tasks() {
            for (call, _) in CALLS {
                kills += inject(&task, call, "signal=KILL", |_, _, _| {});
                // One that can be caught leaves nothing behind.
                kills += inject(&task, call, "signal=TERM", |place, _, what| {
                    assert!(temporary(place).is_none(), "{what}: something is left");
                });
            }
        }
        println!("{kills} times killed");
        assert!(kills > 100);
    }
}
