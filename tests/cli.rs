//! The command as its users see it: files, pipes, messages, exit codes.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

#[path = "common/place.rs"]
mod place;
use place::{Place, STATESMIX, sample, text};

#[test]
fn files_come_back() {
    let place = Place::new();
    for (i, len) in [0, 1, 5, 8191, 8192, 8193, 30_000].into_iter().enumerate() {
        for check in [true, false] {
            let content = sample(len);
            place.put("a", &content);
            let level = ["-0", "-1", "-2"][i % 3];
            let check = if check { "-q" } else { "--no-check" };
            assert_eq!(place.ok(&[level, check, "a"]), b"");
            assert_eq!(place.names(), ["a", "a.smx"]);
            place.ok(&["-t", "a.smx"]);
            fs::remove_file(place.path("a")).unwrap();
            assert_eq!(place.ok(&["-d", "a.smx"]), b"");
            assert_eq!(place.get("a"), content);
            fs::remove_file(place.path("a.smx")).unwrap();
        }
    }
}

#[test]
fn pipes_both_ways() {
    let place = Place::new();
    let content = sample(20_000);
    for args in [&["-0"][..], &["-0", "-"], &["-0c"], &["-0c", "-"], &["-0", "-o", "-"]] {
        let frame = place.pipe(args, &content);
        assert!(frame.len() < content.len());
        assert_eq!(place.pipe(&["-d"], &frame), content);
        assert_eq!(place.pipe(&["-dc", "-"], &frame), content);
        assert_eq!(place.pipe(&["-t"], &frame), b"");
    }
    assert_eq!(place.pipe(&["-d"], &place.pipe(&["-0"], b"")), b"");
    assert_eq!(place.names(), [""; 0]);

    place.pipe(&["-0", "-o", "x"], &content);
    assert_eq!(place.ok(&["-dc", "x"]), content);
}

#[test]
fn stdout_and_named_outputs() {
    let place = Place::new();
    let content = sample(1000);
    place.put("a", &content);
    let frame = place.ok(&["-0c", "a"]);
    assert_eq!(place.names(), ["a"]);
    place.ok(&["-0", "a", "--output=b"]);
    place.ok(&["-0", "a", "-oc"]);
    assert!(place.get("b") == frame && place.get("c") == frame);
    place.ok(&["-d", "b", "-o", "d"]);
    assert_eq!(place.get("d"), content);
    assert_eq!(place.names(), ["a", "b", "c", "d"]);
    place.put("-d", &content);
    place.ok(&["-0", "--", "-d"]);
    assert_eq!(place.ok(&["-dc", "--", "-d.smx"]), content);

    place.fails(1, &["-0", "a", "b", "-o", "e"], &["-o takes one input"]);
    place.fails(1, &["-0", "a", "-o", "a", "-f"], &["is input and output"]);
    place.fails(1, &["-0", "a", "-o", "no/such"], &["cannot create", "no/such"]);
    assert_eq!(place.get("a"), content);
}

#[test]
fn frames_in_a_row() {
    let place = Place::new();
    place.put("a", sample(900));
    place.put("b", "");
    place.put("c", "short");
    let mut all = place.ok(&["-1c", "a", "b", "c"]);
    all.extend(place.pipe(&["-0"], &sample(700)));
    all.extend(place.ok(&["-0c", "--no-check", "a"]));
    let content = [sample(900), b"short".to_vec(), sample(700), sample(900)].concat();
    assert_eq!(place.pipe(&["-d"], &all), content);
    place.put("all.smx", &all);
    assert_eq!(place.ok(&["-dc", "all.smx"]), content);

    let list = place.ok(&["-l", "all.smx"]);
    let (len, size) = (all.len().to_string(), content.len().to_string());
    let ratio = format!("{:.3}", all.len() as f64 / content.len() as f64);
    let line = ["5", "1", "32", "KiB", &len, &size, &ratio, "some", "no", "no", "all.smx"];
    assert_eq!(words(&list, 1), line);
    let list = place.ok(&["-lv", "all.smx"]);
    let column = |i: usize| -> Vec<_> { (1..=6).map(|line| words(&list, line)[i]).collect() };
    assert_eq!(column(0), ["#1", "#2", "#3", "#4", "#5", "5"]);
    assert_eq!(column(1), ["1", "1", "1", "0", "0", "1"]);
    assert_eq!(column(5), ["900", "0", "5", "700", "900", &size]);
    assert_eq!(column(7), ["yes", "yes", "yes", "yes", "no", "some"]);
    let sizes: Vec<u64> = column(4).iter().map(|size| size.parse().unwrap()).collect();
    assert_eq!(sizes[..5].iter().sum::<u64>(), sizes[5]);

    // What is no frame in between is an error; -c gives what comes before.
    let end = all.len();
    all.extend(b"garbage");
    let output = place.pipe_any(&["-d"], &all);
    assert_eq!((output.status.code(), output.stdout), (Some(1), content));
    assert!(text(&output.stderr).contains(&format!("what follows byte {end}")));
}

/// The words of a line, of which there is one with the headings.
fn words(list: &[u8], line: usize) -> Vec<&str> {
    text(list).lines().nth(line).unwrap().split_whitespace().collect()
}

#[test]
fn filters() {
    let place = Place::new();
    // Calls of one function.
    let code: Vec<u8> = (1..=2000_i32)
        .flat_map(|i| [&[i as u8, 0x4A, 0xE8][..], &(4096 - 8 * i).to_le_bytes(), b"J"].concat())
        .collect();
    place.put("code", &code);
    place.put("text", sample(20_000));
    place.ok(&["-1", "code", "text"]);
    let list = place.ok(&["-l", "code.smx", "text.smx"]);
    assert_eq!([1, 2, 3].map(|line| words(&list, line)[8]), ["x86", "no", "some"]);
    assert_eq!(place.ok(&["-dc", "code.smx"]), code);
    let plain = place.ok(&["-1c", "--filter=none", "code"]);
    assert!(plain.len() > place.get("code.smx").len());
    for name in ["none", "x86", "x86-64", "arm", "thumb", "arm64", "riscv"] {
        let filter = format!("--filter={name}");
        assert_eq!(place.pipe(&["-d"], &place.pipe(&["-0", &filter], &code)), code, "{name}");
    }
    let output = place.run(&["--filter=mips", "code"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--filter takes one of auto, none, x86,"));
}

/// What zlib and gzip have packed is unpacked from level 6 on, unless the user
/// does not want it.
#[test]
fn packed_files() {
    let place = Place::new();
    let packed = include_bytes!("golden/unpacked.packed");
    place.put("packed", packed);
    let filter = |frame: &[u8]| statesmix::Header::parse(frame).unwrap().unwrap().0.filter;
    let unpacked = Some(statesmix::Header::UNPACKED);
    let frame = place.ok(&["-c", "packed"]);
    assert_eq!(filter(&frame), unpacked);
    // The size of a pipe is not known at first, but it is short.
    assert_eq!(filter(&place.pipe(&["-6c"], packed)), unpacked);
    assert_eq!(place.pipe(&["-d"], &frame), packed);
    for options in [["-5c", "--filter=auto"], ["-6c", "--filter=none"], ["-6c", "-T2"]] {
        let other = place.ok(&[options[0], options[1], "packed"]);
        assert_eq!(filter(&other), None, "{options:?}");
        assert!(other.len() > frame.len() * 3 / 2, "{options:?}");
        assert_eq!(place.pipe(&["-d"], &other), packed);
    }
    place.put("packed.smx", &frame);
    assert_eq!(words(&place.ok(&["-l", "packed.smx"]), 1)[8], "deflate");
    // What cannot be unpacked is no error.
    assert_eq!(place.pipe(&["-d"], &place.pipe(&["--filter=deflate"], b"plain")), b"plain");
    let output = place.run(&["-5", "--filter=deflate", "packed"]);
    assert!(text(&output.stderr).contains("needs a level from 6 on"));
}

/// English words stand as numbers from level 3 on where it helps, unless the user does not
/// want it.
#[test]
fn numbered_words() {
    let place = Place::new();
    let content = include_str!("../README.md").as_bytes();
    place.put("text", content);
    let filter = |frame: &[u8]| statesmix::Header::parse(frame).unwrap().unwrap().0.filter;
    let numbered = Some(statesmix::Header::NUMBERED);
    for level in ["-3", "-4", "-6"] {
        let frame = place.ok(&["-c", level, "text"]);
        assert_eq!(filter(&frame), numbered, "{level}");
        assert_eq!(place.pipe(&["-d"], &frame), content);
        assert_eq!(filter(&place.pipe(&["-c", level], content)), numbered);
        let other = place.ok(&["-c", level, "--filter=none", "text"]);
        assert_eq!(filter(&other), None);
        assert!(other.len() > frame.len(), "{level}");
    }
    assert_eq!(filter(&place.ok(&["-2c", "text"])), None);
    assert_eq!(filter(&place.ok(&["-4c", "--frame-size=64KiB", "text"])), None);
    place.put("text.smx", place.ok(&["-3c", "text"]));
    assert_eq!(words(&place.ok(&["-l", "text.smx"]), 1)[8], "words");
    // What is long is not tried; its beginning tells.
    let long = content.repeat(70_000 / content.len() + 1);
    assert_eq!(filter(&place.pipe(&["-3c"], &long)), numbered);
    let noise: Vec<u8> =
        (0..70_000u32).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 23) as u8).collect();
    assert_eq!(filter(&place.pipe(&["-3c"], &noise)), None);
    // Nor is what has no words, and numbers where they do harm are no error.
    assert_eq!(filter(&place.pipe(&["-3c"], &noise[..1000])), None);
    let forced = place.pipe(&["-3c", "--filter=words"], &noise[..1000]);
    assert_eq!((filter(&forced), place.pipe(&["-d"], &forced)), (numbered, noise[..1000].to_vec()));
    assert!(text(&place.run(&["-2", "--filter=words", "text"]).stderr).contains("from 3 on"));
    assert!(!place.run(&["-3", "-T2", "--filter=words", "text"]).status.success());
}

/// Text begins with a pretrained model from level 6 on, unless the user does not want it.
#[test]
fn pretrained_text() {
    let place = Place::new();
    let content = include_str!("../README.md").as_bytes();
    place.put("text", content);
    let pretrained = |frame: &[u8]| statesmix::Header::parse(frame).unwrap().unwrap().0.pretrained;
    let frame = place.ok(&["-c", "text"]);
    assert!(pretrained(&frame));
    assert_eq!(place.pipe(&["-d"], &frame), content);
    assert!(pretrained(&place.pipe(&["-6c"], content)));
    for options in [["-5c", "--filter=none"], ["-6c", "--no-pretraining"]] {
        let other = place.ok(&[options[0], options[1], "text"]);
        assert!(!pretrained(&other) && other.len() > frame.len(), "{options:?}");
        assert_eq!(place.pipe(&["-d"], &other), content);
    }
    // Each frame begins so, unless it is too small for the time it takes.
    place.put("text", content.repeat(70_000 / content.len() + 1));
    for (size, expected) in [("64KiB", 3), ("60KiB", 0)] {
        place.ok(&["-fT2", &format!("--frame-size={size}"), "text"]);
        let list = place.ok(&["-lv", "text.smx"]);
        // Of two frames and their sum.
        assert_eq!(text(&list).matches("built-in").count(), expected, "{}", text(&list));
        assert!(place.ok(&["-dc", "text.smx"]) == place.get("text"));
    }
    // What is no text does without, unless it is short and there is text in it.
    let program = [&[0, 1, 2, 3].repeat(100), &content[..1000], &[4, 5, 6, 7].repeat(100)].concat();
    let frame = place.pipe(&["-6c"], &program);
    assert!(pretrained(&frame));
    assert_eq!(place.pipe(&["-d"], &frame), program);
    assert!(frame.len() < place.pipe(&["-6c", "--no-pretraining"], &program).len());
    let long = [&[0; 64 << 10][..], &program].concat();
    assert!(!pretrained(&place.pipe(&["-6c"], &long)));
}

#[test]
fn list() {
    let place = Place::new();
    place.put("a", sample(5000));
    place.put("b", sample(50));
    place.ok(&["-2", "a"]);
    place.ok(&["-0", "--no-check", "b"]);
    let list = place.ok(&["-l", "a.smx", "b.smx"]);
    assert_eq!(text(&list).lines().count(), 4);
    assert_eq!(words(&list, 0)[..2], ["Frames", "Level"]);
    assert_eq!(words(&list, 1)[..4], ["1", "2", "128", "KiB"]);
    assert_eq!(words(&list, 1)[5..6], ["5000"]);
    assert_eq!(words(&list, 1)[7..], ["yes", "no", "no", "a.smx"]);
    assert_eq!(words(&list, 2)[7..], ["no", "no", "no", "b.smx"]);
    assert_eq!(words(&list, 3)[..2], ["2", "2"]);
    assert_eq!(words(&list, 3)[5], "5050");
    assert_eq!(words(&list, 3)[7..], ["some", "no", "no", "2", "files"]);

    // A frame above the limit tells what it needs.
    let output = place.run(&["-l", "--memlimit-decompress=64KiB", "a.smx", "b.smx"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--memlimit-decompress"));
    let len = place.get("a.smx").len().to_string();
    let unknown = ["-", "2", "128", "KiB", &len, "-", "-", "-", "-", "-", "a.smx"];
    assert_eq!(words(&output.stdout, 1), unknown);
    assert_eq!(words(&output.stdout, 2)[..2], ["1", "0"]);

    place.fails(1, &["-l", "a"], &["a: ", "not in statesmix format"]);
}

#[test]
fn nothing_is_overwritten_without_force() {
    let place = Place::new();
    place.put("a", sample(100));
    place.put("a.smx", "precious");
    place.put("b", "precious");
    for args in [&["-0", "a"][..], &["-0", "a", "-o", "b"]] {
        place.fails(1, args, &["a: ", "exists already (-f overwrites it)"]);
    }
    assert!(place.get("a.smx") == b"precious" && place.get("b") == b"precious");
    place.ok(&["-0f", "a"]);
    place.fails(1, &["-d", "a.smx"], &["a.smx: a exists already (-f overwrites it)"]);
    place.put("a", "");
    place.ok(&["-df", "a.smx"]);
    assert_eq!(place.get("a"), sample(100));

    fs::create_dir(place.path("dir.smx")).unwrap();
    place.put("dir", "");
    place.fails(1, &["-0f", "dir"], &["dir.smx is a directory"]);
    assert_eq!(place.names(), ["a", "a.smx", "b", "dir", "dir.smx"]);
}

#[test]
fn source_is_removed_on_demand_and_after_success() {
    let place = Place::new();
    place.put("a", sample(100));
    place.ok(&["-0", "--rm", "a"]);
    assert_eq!(place.names(), ["a.smx"]);
    place.ok(&["-d", "--rm", "a.smx"]);
    assert_eq!(place.names(), ["a"]);
    place.ok(&["-0", "--rm", "-k", "a"]);
    assert_eq!(place.names(), ["a", "a.smx"]);

    place.fails(1, &["-0", "--rm", "a"], &["exists already"]);
    place.fails(1, &["-0", "--rm", "-c", "a"], &["--rm"]);
    place.fails(1, &["--rm", "-t", "a.smx"], &["--rm"]);
    let mut frame = place.get("a.smx");
    *frame.last_mut().unwrap() ^= 1;
    place.put("a.smx", frame);
    place.fails(1, &["-df", "--rm", "a.smx"], &["damaged"]);
    assert_eq!(place.names(), ["a", "a.smx"]);
}

#[test]
fn suffixes() {
    let place = Place::new();
    let content = sample(100);
    place.put("a", &content);
    place.ok(&["-0", "a"]);
    place.fails(2, &["-0", "a.smx"], &["a.smx: has the suffix .smx already, skipping"]);
    fs::rename(place.path("a.smx"), place.path("b")).unwrap();
    place.fails(1, &["-d", "b"], &["b: does not end in .smx", "-o", "-c"]);
    assert_eq!(place.names(), ["a", "b"]);
    assert_eq!(place.ok(&["-dc", "b"]), content);
    place.ok(&["-t", "b"]);
    place.ok(&["-d", "b", "-o", "c"]);
    assert_eq!(place.get("c"), content);
}

#[test]
fn bad_input_leaves_nothing_behind() {
    let place = Place::new();
    place.put("a", sample(20_000));
    place.ok(&["-1", "a"]);
    fs::remove_file(place.path("a")).unwrap();
    let frame = place.get("a.smx");
    let flipped = |i: usize| {
        let mut frame = frame.clone();
        frame[i] ^= 0x10;
        frame
    };
    let cases: [(Vec<u8>, &str); 7] = [
        (flipped(frame.len() - 1), "damaged"),
        // Which error that becomes depends on what it is decoded to.
        (flipped(frame.len() / 2), "get it again"),
        (frame[..frame.len() - 1].into(), "truncated"),
        (frame[..frame.len() / 2].into(), "truncated"),
        (frame[..2].into(), "truncated"),
        (flipped(0), "not in statesmix format"),
        (Vec::new(), "is empty"),
    ];
    for (bad, word) in cases {
        place.put("a.smx", &bad);
        place.fails(1, &["-d", "--rm", "a.smx"], &["a.smx: ", word]);
        place.fails(1, &["-t", "a.smx"], &["a.smx: ", word]);
        place.fails(1, &["-l", "a.smx"], &["a.smx: ", word]);
        assert_eq!(place.names(), ["a.smx"]);
        assert_eq!(place.get("a.smx"), bad);
    }
}

#[test]
fn memory_limit() {
    let place = Place::new();
    place.put("a", sample(100));
    place.ok(&["-2", "a"]);
    let words = ["a.smx: level 2 needs 128 KiB", "limit is 127 KiB", "--memlimit-decompress"];
    place.fails(1, &["-dc", "--memlimit-decompress=127KiB", "a.smx"], &words);
    place.fails(1, &["-t", "--memlimit-decompress", "127k", "a.smx"], &words);
    place.fails(1, &["-df", "--memlimit-decompress=127K", "a.smx"], &words);
    assert_eq!(place.names(), ["a", "a.smx"]);
    for limit in ["128KiB", "131072", "1GiB", "0", "max"] {
        place.ok(&["-t", &format!("--memlimit-decompress={limit}"), "a.smx"]);
    }
    place.fails(1, &["-t", "--memlimit-decompress=much", "a.smx"], &["'much'"]);
}

#[test]
fn output_limit() {
    let place = Place::new();
    place.put("a", vec![0; 100_000]);
    place.ok(&["-0", "a"]);
    let sized = place.get("a.smx");
    let unsized_frame = place.pipe(&["-0"], &place.get("a"));
    fs::remove_file(place.path("a")).unwrap();
    for frame in [sized, unsized_frame] {
        place.put("a.smx", frame);
        let words = ["a.smx: decompresses to more than 97 KiB", "--max-output"];
        for args in [&["-d", "--rm"][..], &["-t"], &["-l"]] {
            place.fails(1, &[args, &["--max-output=97k", "a.smx"]].concat(), &words);
        }
        assert_eq!(place.names(), ["a.smx"]);
        let limit = |limit: &str| place.ok(&["-dc", &format!("--max-output={limit}"), "a.smx"]);
        for allowed in ["100000", "98KiB", "max", "0"] {
            assert_eq!(limit(allowed).len(), 100_000);
        }
        // The limit is for each input by itself.
        place.ok(&["-t", "--max-output=100000", "a.smx", "a.smx"]);
    }
    // Frames count together.
    place.put("b.smx", place.get("a.smx").repeat(2));
    place.fails(1, &["-t", "--max-output=199999", "b.smx"], &["more than 195.3 KiB"]);
    place.ok(&["-t", "--max-output=200000", "b.smx"]);
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let place = Place::new();
    place.put("a", sample(100));
    place.put("b", sample(200));
    fs::create_dir(place.path("dir")).unwrap();
    let output = place.run(&["-0", "a", "none", "dir", "b"]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert_eq!(message.lines().count(), 2);
    assert!(message.contains("statesmix: none: cannot open"));
    assert!(message.contains("statesmix: dir: is a directory, skipping"));
    assert_eq!(place.names(), ["a", "a.smx", "b", "b.smx", "dir"]);

    place.fails(2, &["-0f", "dir", "a"], &["dir: is a directory"]);
    let quiet = |args: &[&str]| {
        let output = place.run(args);
        assert_eq!(text(&output.stderr), "");
        output.status.code()
    };
    assert_eq!(quiet(&["-0q", "dir"]), Some(2));
    assert_eq!(quiet(&["-0qq", "none"]), Some(1));
    place.fails(1, &["-0q", "none"], &["none: cannot open"]);
}

#[test]
fn verbose_and_information() {
    let place = Place::new();
    place.put("a", sample(100));
    let output = place.run(&["-0v", "a"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).starts_with("statesmix: a: 100 -> "));
    let help = place.ok(&["--help"]);
    assert_eq!(help, place.ok(&["-h"]));
    assert!(text(&help).lines().all(|line| line.len() <= 80));
    assert_eq!(place.ok(&["-V"]), format!("statesmix {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
    place.fails(1, &["--nonsense"], &["--nonsense", "statesmix --help"]);
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::process::ExitStatusExt;
    use std::time::{Duration, SystemTime};

    #[test]
    fn program_names() {
        let place = Place::new();
        let content = sample(100);
        place.put("a", &content);
        place.ok(&["-0", "--rm", "a"]);
        for (name, output) in [("smxcat", &content[..]), ("unsmx", b"")] {
            symlink(STATESMIX, place.path(name)).unwrap();
            let mut command = Command::new(place.path(name));
            let result = command.arg("a.smx").current_dir(place.path("")).output().unwrap();
            assert_eq!((result.status.code(), &result.stdout[..]), (Some(0), output));
        }
        assert_eq!(place.get("a"), content);
    }

    #[test]
    fn names_that_are_no_text() {
        let place = Place::new();
        let name = OsString::from_vec(b"\xff\xfe\n".into());
        place.put(&name, sample(100));
        place.ok(&[OsStr::new("-0"), OsStr::new("--rm"), &name]);
        let compressed = OsString::from_vec(b"\xff\xfe\n.smx".into());
        place.ok(&[OsStr::new("-d"), &compressed]);
        assert_eq!(place.get(&name), sample(100));
        let long = "n".repeat(251);
        place.put(&long, "");
        place.ok(&["-0", &long]);
        place.fails(1, &["-d", "esc\x1b[1m"], &["esc?[1m"]);
    }

    #[test]
    fn mode_and_times_are_kept() {
        let place = Place::new();
        place.put("a", sample(100));
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let file = fs::File::options().write(true).open(place.path("a")).unwrap();
        file.set_modified(then).unwrap();
        file.set_permissions(PermissionsExt::from_mode(0o4640)).unwrap();
        place.ok(&["-0", "--rm", "a"]);
        place.ok(&["-d", "a.smx"]);
        for name in ["a", "a.smx"] {
            let metadata = fs::metadata(place.path(name)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
            assert_eq!(metadata.modified().unwrap(), then);
        }
        // What comes out of a pipe is as new files are.
        place.pipe(&["-0", "-o", "b"], b"");
        place.put("c", "");
        let mode = |name| fs::metadata(place.path(name)).unwrap().permissions().mode();
        assert_eq!(mode("b"), mode("c"));
    }

    #[test]
    fn links_and_devices() {
        let place = Place::new();
        place.put("a", sample(100));
        symlink("a", place.path("link")).unwrap();
        place.fails(2, &["-0", "link"], &["link: is a symbolic link, skipping (-f"]);
        place.ok(&["-0c", "link"]);
        place.ok(&["-0f", "--rm", "link"]);
        assert_eq!(place.names(), ["a", "link.smx"]);

        // An output name that is a link is replaced, not followed.
        symlink("a", place.path("a.smx")).unwrap();
        place.fails(1, &["-0", "a"], &["exists already"]);
        place.ok(&["-0f", "a"]);
        assert_eq!(place.get("a"), sample(100));
        // The name given to -o is followed.
        symlink("target", place.path("to")).unwrap();
        place.put("target", "");
        place.ok(&["-0f", "a", "-o", "to"]);
        assert_eq!(place.ok(&["-dc", "target"]), sample(100));

        place.fails(2, &["-0", "/dev/null"], &["is not a regular file, skipping"]);
        assert_eq!(place.pipe(&["-d"], &place.ok(&["-0c", "/dev/null"])), b"");
        place.ok(&["-0", "a", "-o", "/dev/null"]);
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        place.fails(1, &["-0", "--rm", "a", "-o", "/dev/null"], &["--rm"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn full_disk() {
        let place = Place::new();
        place.put("a", sample(100));
        place.fails(1, &["-0", "a", "-o", "/dev/full"], &["a: cannot write", "No space left"]);
        // Says 0 bytes, and has some.
        let frame = place.ok(&["-0c", "/proc/version"]);
        assert_eq!(place.pipe(&["-d"], &frame), fs::read("/proc/version").unwrap());
    }

    #[test]
    fn closed_pipe() {
        let place = Place::new();
        let frame = place.pipe(&["-0"], &sample(100_000));
        place.put("a.smx", frame);
        let mut child = place.command(&["-dc", "a.smx"]).spawn().unwrap();
        let mut some = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut some).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
    }

    /// Waits until the child has begun its output.
    fn wait_for_temporary(place: &Place) {
        for _ in 0..5000 {
            if place.names().iter().any(|name| name.starts_with(".statesmix-")) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("no temporary file");
    }

    #[test]
    fn sources_that_change() {
        for len in [0, 300_001] {
            let place = Place::new();
            place.put("a", sample(300_000));
            let child = place.command(&["-2", "--rm", "a"]).spawn().unwrap();
            wait_for_temporary(&place);
            fs::File::options().write(true).open(place.path("a")).unwrap().set_len(len).unwrap();
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert!(text(&output.stderr).contains("a: changed its size while being read"));
            assert_eq!(place.names(), ["a"]);
        }
    }

    #[test]
    fn a_source_that_is_replaced_is_not_removed() {
        let place = Place::new();
        place.put("a", sample(300_000));
        let child = place.command(&["-2", "--rm", "a"]).spawn().unwrap();
        wait_for_temporary(&place);
        fs::rename(place.path("a"), place.path("a.1")).unwrap();
        place.put("a", "new");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("a: has changed"));
        assert_eq!(place.names(), ["a", "a.1", "a.smx"]);
    }

    #[test]
    fn output_that_appears_meanwhile() {
        let place = Place::new();
        let mut child = place.command(&["-0", "-o", "b"]).stdin(Stdio::piped()).spawn().unwrap();
        wait_for_temporary(&place);
        place.put("b", "precious");
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("b exists already"));
        assert_eq!(place.get("b"), b"precious");
        assert_eq!(place.names(), ["b"]);
    }

    #[test]
    fn a_signal_removes_the_temporary_file() {
        let place = Place::new();
        let mut child = place.command(&["-0", "-o", "b"]).stdin(Stdio::piped()).spawn().unwrap();
        // Held open: at the end of its input the command would be done.
        let stdin = child.stdin.take();
        wait_for_temporary(&place);
        // Not SIGINT or SIGHUP, which whoever runs the tests may have ignored.
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        drop(stdin);
        assert_eq!(place.names(), [""; 0]);
    }

    /// With a terminal from script(1) of util-linux; without that it tests
    /// nothing.
    #[test]
    #[cfg(target_os = "linux")]
    fn terminals() {
        let place = Place::new();
        place.put("a", sample(100));
        let on_terminal = |line: &str| {
            let mut script = Command::new("script");
            script.args(["-qec", &format!("{STATESMIX} {line}"), "/dev/null"]);
            let output = script.current_dir(place.path("")).stdin(Stdio::null()).output().ok()?;
            Some((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
        };
        for (line, code, word) in [
            ("-0c a", 1, "not written to a terminal"),
            ("-0", 1, "not written to a terminal"),
            ("-d", 1, "not read from a terminal"),
            ("-t -", 1, "not read from a terminal"),
            ("-0cf a", 0, "SM"),
            ("-0 a", 0, ""),
            ("-dc a.smx", 0, "line 0"),
        ] {
            let Some((status, output)) = on_terminal(line) else {
                eprintln!("no script(1)");
                return;
            };
            assert_eq!(status, Some(code), "{line}: {output}");
            assert!(output.contains(word), "{line}: {output}");
        }
    }
}
