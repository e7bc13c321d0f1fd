//! Frames and threads of the command.

use std::fs;

use statesmix::Header;

#[path = "common/place.rs"]
mod place;
use place::{Place, sample, text};

/// Frames by what their headers state: length of header and code.
fn frames(mut file: &[u8]) -> Vec<(usize, usize)> {
    let mut frames = Vec::new();
    while !file.is_empty() {
        let (header, len) = Header::parse(file).unwrap().unwrap();
        let code = header.code_size.unwrap() as usize;
        frames.push((len, code));
        file = &file[len + code..];
    }
    frames
}

#[test]
fn the_same_bytes_with_any_threads() {
    let place = Place::new();
    for len in [0, 1, 4095, 4096, 4097, 50_000] {
        let content = sample(len);
        place.put("a", &content);
        let alone = place.ok(&["-1c", "--frame-size=4K", "a"]);
        assert_eq!(frames(&alone).len(), len.div_ceil(4096).max(1));
        for threads in ["-T1", "-T2", "-T5", "-T0"] {
            let args = ["-1c", "--frame-size=4096", threads];
            assert!(place.ok(&[&args[..], &["a"]].concat()) == alone, "{len} {threads}");
            assert!(place.pipe(&args, &content) == alone, "{len} {threads}");
            assert!(place.pipe(&["-d", threads], &alone) == content, "{len} {threads}");
        }
        assert!(place.pipe(&["-d"], &alone) == content);
        place.pipe(&["-t", "-T3"], &alone);
    }
    assert_eq!(place.ok(&["-1c", "-T2", "a"]), place.ok(&["-1c", "-T1", "a"]));
    assert_eq!(frames(&place.ok(&["-1c", "-T2", "a"])).len(), 1);
}

#[test]
fn frames_of_all_kinds_in_a_row() {
    let place = Place::new();
    let (a, b) = (sample(20_000), sample(3000));
    let sized = place.pipe(&["-1", "--frame-size=4K"], &a);
    let other = place.pipe(&["-0", "--no-check"], &b);
    let all = [&sized[..], &other, &sized, &other].concat();
    let content = [&a[..], &b, &a, &b].concat();
    for threads in ["-T1", "-T2"] {
        assert!(place.pipe(&["-d", threads], &all) == content);
        // Not enough for a thread more, or even for a frame in memory.
        for limit in ["-M50K", "-M32K"] {
            assert!(place.pipe(&["-d", threads, limit], &all) == content);
        }
        assert!(!place.pipe_any(&["-d", threads, "-M16K"], &all).status.success());
    }
    place.put("all.smx", &all);
    let list = place.ok(&["-lv", "all.smx"]);
    assert_eq!(text(&list).lines().count(), 1 + 12 + 1);
}

/// The first bytes of a file decide on the filter of all its frames.
#[test]
fn filters() {
    let place = Place::new();
    // Calls of one function, then none.
    let mut content: Vec<u8> = (1..=1000_i32)
        .flat_map(|i| [&[i as u8, 0x4A, 0xE8][..], &(4096 - 8 * i).to_le_bytes(), b"J"].concat())
        .collect();
    content.extend(sample(20_000));
    let filters = |mut file: &[u8]| {
        let mut ids = Vec::new();
        for (head, code) in frames(file) {
            ids.push(Header::parse(file).unwrap().unwrap().0.filter);
            file = &file[head + code..];
        }
        ids
    };
    let alone = place.pipe(&["-1", "--frame-size=4K"], &content);
    assert_eq!(filters(&alone), [Some(1); 7]);
    for threads in ["-T1", "-T2"] {
        assert!(place.pipe(&["-1", "--frame-size=4K", threads], &content) == alone);
        assert!(place.pipe(&["-d", threads], &alone) == content);
    }
    let plain = place.pipe(&["-1", "-T2", "--frame-size=4K", "--filter=none"], &content);
    assert_eq!(filters(&plain), [None; 7]);
    let json = place.pipe(&["-l", "--json"], &alone);
    assert!(text(&json).contains("\"filter\": \"x86\""));
}

/// The limit of output is for all frames together, with any threads.
#[test]
fn output_limit() {
    let place = Place::new();
    let content = sample(20_000);
    place.put("a.smx", place.pipe(&["-1", "--frame-size=4K"], &content));
    for threads in ["-T1", "-T2", "-T8"] {
        let limit = |bytes: u64| format!("--max-output={bytes}");
        assert!(place.ok(&["-dc", threads, &limit(20_000), "a.smx"]) == content);
        for bytes in [1, 4096, 19_999] {
            let output = place.run(&["-dc", threads, &limit(bytes), "a.smx"]);
            assert_eq!(output.status.code(), Some(1));
            assert!(text(&output.stderr).contains("--max-output"));
            // Whole frames are there.
            assert!(output.stdout == content[..bytes as usize / 4096 * 4096]);
        }
    }
}

/// A bad file makes the same content and the same complaint with any threads.
#[test]
fn damage() {
    let place = Place::new();
    let good = place.pipe(&["-1", "--frame-size=4K"], &sample(20_000));
    let list = frames(&good);
    let third = list[..2].iter().map(|(head, code)| head + code).sum::<usize>();
    let flipped = |i: usize| {
        let mut bad = good.clone();
        bad[i] ^= 1;
        bad
    };
    // The size of the code is what the header ends with.
    let stated = third + list[2].0 - 1;
    let mut overlong = good.clone();
    overlong[stated - 1] = overlong[stated - 1].wrapping_add(1);
    let cases = [
        (flipped(third), "what follows byte"),
        (flipped(third + list[2].0 + 100), ""),
        (flipped(third + list[2].0 + list[2].1 - 1), "checksum"),
        (overlong, ""),
        (good[..third + 2].to_vec(), "truncated"),
        (good[..third + 100].to_vec(), "truncated"),
        (good[..good.len() - 1].to_vec(), "truncated"),
        ([&good[..], b"x"].concat(), "what follows byte"),
    ];
    for (i, (bad, word)) in cases.into_iter().enumerate() {
        let [one, two] = ["-T1", "-T2"].map(|threads| place.pipe_any(&["-d", threads], &bad));
        for output in [&one, &two] {
            assert_eq!(output.status.code(), Some(1), "{i}");
            assert!(text(&output.stderr).contains(word), "{i} {}", text(&output.stderr));
        }
        // What is right before it comes out, whatever comes after.
        let right = 2 * 4096;
        assert!(one.stdout.len() >= right && two.stdout.len() >= right, "{i}");
        assert_eq!(one.stdout[..right], two.stdout[..right], "{i}");
        assert_eq!(one.stdout[..right], sample(right), "{i}");
    }
}

#[test]
fn listing_passes_over_frames_that_state_their_sizes() {
    let place = Place::new();
    place.put("a", sample(20_000));
    place.ok(&["-2", "--frame-size=4K", "a"]);
    let mut file = place.get("a.smx");
    let list = place.ok(&["-l", "a.smx"]);
    let words: Vec<_> = text(&list).lines().nth(1).unwrap().split_whitespace().collect();
    let len = file.len().to_string();
    assert_eq!(words[..6], ["5", "2", "128", "KiB", &len, "20000"]);
    // Damage does not show, and the limit does not count.
    let last = file.len() - 1;
    file[last] ^= 1;
    place.put("a.smx", &file);
    assert_eq!(place.ok(&["-l", "-M32K", "a.smx"]), list);
    place.fails(1, &["-t", "a.smx"], &["checksum"]);
    place.put("a.smx", &file[..last]);
    place.fails(1, &["-l", "a.smx"], &["truncated"]);
}

#[test]
fn memory_and_threads() {
    let place = Place::new();
    let content = sample(30_000);
    let args = ["-0", "--frame-size=4K", "-T4"];
    let code = place.pipe(&args, &content);
    // Enough for one frame; for two.
    for limit in ["-M20K", "-M40K"] {
        assert!(place.pipe(&[&args[..], &[limit]].concat(), &content) == code);
    }
    place.put("a", &content);
    let args = [&args[..], &["-M12K", "a"]].concat();
    place.fails(1, &args, &["level 0 with frames of 4 KiB needs", "limit is 12 KiB"]);
    place.fails(1, &["-2", "-M64K", "a"], &["level 2 needs 128 KiB", "--memlimit-compress"]);
    assert_eq!(place.names(), ["a"]);
}

#[test]
fn sources_that_change() {
    let place = Place::new();
    place.put("a", sample(300_000));
    let mut child = place.command(&["-2", "--frame-size=4K", "-T2", "-oout", "a"]).spawn().unwrap();
    while !place.names().iter().any(|name| name.starts_with(".statesmix-")) {
        assert!(child.try_wait().unwrap().is_none(), "over before it could be disturbed");
        std::thread::yield_now();
    }
    fs::File::options().write(true).open(place.path("a")).unwrap().set_len(5000).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("changed its size"));
    assert_eq!(place.names(), ["a"]);
}
