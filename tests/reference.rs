//! A second decoder, in `tests/reference`, written from `docs/format.md` and
//! `docs/model.md` alone, has to agree with this one.
//!
//! It is slow, so the contents are short and the levels 0 to 3, but for one. Without
//! `python3` the tests pass, with a message.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{code, level, picture, random, records, text};
use statesmix::{
    AnyLevel, Dictionary, Encoder, Filter, Heap, Level, Options, Status, compress, train,
};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Runs the decoder, if there is a `python3`.
fn run(arguments: &[&str]) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/decode.py");
    match Command::new("python3").arg("-B").arg(script).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped, python3 does not run: {error}");
            None
        }
    }
}

fn check(arguments: &[&str], content: &[u8]) {
    let Some(output) = run(arguments) else { return };
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {message}");
    assert!(output.stdout == content, "{arguments:?}: other content");
}

fn golden_content(name: &str) -> Vec<u8> {
    fs::read(golden().join(format!("{name}.content"))).unwrap()
}

/// Four frames each: with and without content size and checksum.
fn check_frames(names: &[&str], number: u8) {
    for name in names {
        let path = golden().join(format!("{name}-{number}.smx"));
        check(&[path.to_str().unwrap()], &golden_content(name).repeat(4));
    }
}

fn check_messages(names: &[&str], number: u8) {
    check_bare("--message", "msg", names, number);
}

fn check_packets(names: &[&str], number: u8) {
    check_bare("--packets", "pkt", names, number);
}

fn check_bare(form: &str, extension: &str, names: &[&str], number: u8) {
    for name in names {
        let path = golden().join(format!("{name}-{number}.{extension}"));
        check(&[form, &number.to_string(), path.to_str().unwrap()], &golden_content(name));
    }
}

const ALL: [&str; 6] = ["empty", "text", "records", "runs", "code", "noise"];

#[test]
fn golden_frames_of_level_0() {
    check_frames(&ALL, 0);
}

#[test]
fn golden_frames_of_level_1() {
    check_frames(&ALL, 1);
}

#[test]
fn golden_frames_of_level_2() {
    check_frames(&ALL, 2);
}

// The content is the same four times over: here one kind of it is enough.
#[test]
fn golden_frames_of_level_3() {
    check_frames(&["empty", "noise"], 3);
}

#[test]
fn numbered_words() {
    let content = fs::read(golden().join("numbered.text")).unwrap();
    for number in 3..=6 {
        let path = golden().join(format!("numbered-{number}.smx"));
        check(&[path.to_str().unwrap()], &content);
    }
}

#[test]
fn golden_messages() {
    check_messages(&ALL, 0);
    check_messages(&["records", "noise"], 1);
    check_messages(&["records", "noise"], 2);
    check_messages(&ALL, 3);
}

#[test]
fn golden_packets() {
    check_packets(&ALL, 0);
    check_packets(&["records", "noise"], 1);
    check_packets(&["records", "noise"], 2);
    check_packets(&["noise"], 3);
}

#[test]
fn pictures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.smx");
    let content = picture(34, 1500);
    for number in [2, 4] {
        fs::write(&path, compress(&content, level(number)).unwrap()).unwrap();
        check(&[path.to_str().unwrap()], &content);
    }
}

#[test]
fn golden_filters() {
    for filter in Filter::ALL {
        let path = golden().join(format!("filter-{}.smx", filter.name()));
        check(&[path.to_str().unwrap()], &code(filter, 24, 1500));
    }
}

/// At level 6, the lowest: it takes a quarter of a minute.
#[test]
fn golden_unpacked_content() {
    let path = golden().join("unpacked-6.smx");
    check(&[path.to_str().unwrap()], &fs::read(golden().join("unpacked.packed")).unwrap());
}

/// Which has to read the text of pretraining first.
#[test]
fn golden_pretrained_text() {
    let path = golden().join("pretrained-6.smx");
    check(&[path.to_str().unwrap()], &text(20, 2000));
}

/// A frame with a sync point after each piece.
fn synced(options: Options, pieces: &[&[u8]]) -> Vec<u8> {
    let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new()).unwrap();
    let (mut room, mut frame) = (vec![0; 1 << 16], Vec::new());
    for piece in pieces {
        let progress = encoder.encode(piece, &mut room).unwrap();
        assert_eq!(progress.status, Status::NeedsInput);
        frame.extend_from_slice(&room[..progress.produced]);
        let progress = encoder.flush(&mut room).unwrap();
        assert_eq!(progress.status, Status::NeedsInput);
        frame.extend_from_slice(&room[..progress.produced]);
    }
    let progress = encoder.finish(&mut room).unwrap();
    assert_eq!(progress.status, Status::Done);
    frame.extend_from_slice(&room[..progress.produced]);
    frame
}

#[test]
fn sync_points() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("synced.smx");
    let content = [text(31, 300), random(32, 400), records(33, 300)].concat();
    for number in [0, 2, 3] {
        let options = Options::new(level(number)).sync_points(true);
        let frame = synced(options, &[&content[..5], &content[5..450], &content[450..]]);
        fs::write(&path, frame).unwrap();
        check(&[path.to_str().unwrap()], &content);
    }
    let content = code(Filter::RiscV, 34, 600);
    let options = Options::new(level(1)).sync_points(true).filter(Filter::RiscV);
    fs::write(&path, synced(options, &[&content[..203], &content[203..]])).unwrap();
    check(&[path.to_str().unwrap()], &content);
}

#[test]
fn dictionaries() {
    let folder = tempfile::tempdir().unwrap();
    let [file, packet] = ["dictionary", "message"].map(|name| folder.path().join(name));
    let samples: Vec<Vec<u8>> = (0..40).map(|seed| text(seed, 60)).collect();
    for number in 0..=3 {
        let level = level(number);
        let trained = train(level, samples.iter().map(|sample| &sample[..])).unwrap();
        fs::write(&file, &trained).unwrap();
        let dictionary = Dictionary::new(&trained).unwrap();
        let mut workspace = vec![0; level.workspace()];
        for message in [&b""[..], &text(3, 80), b"two\nlines", &random(35, 70)] {
            let mut room = [0; 100];
            let len = dictionary.compress::<AnyLevel>(&mut workspace, message, &mut room).unwrap();
            fs::write(&packet, &room[..len]).unwrap();
            let [file, packet] = [&file, &packet].map(|path| path.to_str().unwrap());
            check(&["--message-of", file, packet], message);
        }
    }
}

#[test]
fn bad_frames_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.smx");
    let frame = statesmix::compress(b"a few bytes", Level::MIN).unwrap();
    let mut flipped = frame.clone();
    flipped[7] ^= 16;
    for bad in [&frame[..frame.len() - 1], &flipped, b"", b"\xF5SM\x10", b"\xF5SM\x00\x40"] {
        fs::write(&path, bad).unwrap();
        let Some(output) = run(&[path.to_str().unwrap()]) else { return };
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}
