//! Golden streams: what an encoder made once, every encoder has to make again
//! to the bit and every decoder has to decode, on any machine.
//!
//! `tests/golden/NAME-LEVEL.smx` holds four frames of the same content, one
//! for each combination of options in the order of [`common::options`];
//! `NAME-LEVEL.msg` holds it as bare message, `NAME-LEVEL.pkt` in packets, each
//! behind its length in a byte. The content itself is in `NAME.content`, for
//! machines that cannot make it up. `filter-NAME.smx` is a frame of level 1 for
//! each filter, `unpacked-6.smx` one whose content was unpacked. That content was
//! packed by zlib 1.3 and gzip 1.12. `pretrained-LEVEL.smx` is a frame of the text
//! that begins with a pretrained model. (`src/pretraining.smx`, the text that such a
//! model has read, is made anew here too.) `numbered-LEVEL.smx` is a frame of
//! `numbered.text`, whose words are numbered; that of level 7 is pretrained.
//!
//! As long as the model still changes (`FORMAT_VERSION` 0), a change of the
//! stream is made official with
//!
//! ```text
//! STATESMIX_GOLDEN=write cargo test --test golden -- --ignored
//! ```
//!
//! and the new files belong into the same commit as the change.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{code, decode, encode, encode_of, level, options, random, records, text};
use statesmix::{
    AnyLevel, Filter, Heap, Level, Options, PacketDecoder, PacketEncoder, compress_message,
    decompress, decompress_message, number_words, unpack,
};

const LEVELS: std::ops::RangeInclusive<u8> = 0..=7;

fn contents() -> [(&'static str, Vec<u8>); 6] {
    [
        ("empty", vec![]),
        ("text", text(20, 2000)),
        ("records", records(21, 1600)),
        ("runs", [vec![0; 700], b"ab".repeat(200), vec![255; 300], vec![0; 700]].concat()),
        // Contexts of instructions, and slots that hold no state (model.md, 6).
        ("code", code(Filter::X86_64, 26, 2400)),
        // Long enough for the fallback to begin and to end.
        ("noise", [random(22, 1060), text(23, 200)].concat()),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn path(name: &str, number: u8, extension: &str) -> PathBuf {
    folder().join(format!("{name}-{number}.{extension}"))
}

fn frames(level: Level, content: &[u8]) -> Vec<u8> {
    let one = |options| encode::<AnyLevel>(options, Heap::new(), content, 4096, 4096).unwrap();
    options(level, content.len()).into_iter().flat_map(one).collect()
}

fn filtered(filter: Filter) -> (PathBuf, Vec<u8>, Vec<u8>) {
    let content = code(filter, 24, 1500);
    let options = Options::new(level(1)).filter(filter);
    let frame = encode::<AnyLevel>(options, Heap::new(), &content, 4096, 4096).unwrap();
    (folder().join(format!("filter-{}.smx", filter.name())), content, frame)
}

fn unpacked() -> (PathBuf, Vec<u8>, Vec<u8>) {
    let content = fs::read(folder().join("unpacked.packed")).unwrap();
    let unpacked = unpack(&content, 1 << 20).unwrap();
    let options = Options::new(level(6)).content_size(content.len() as u64).unpacked();
    let frame = encode_of::<AnyLevel>(options, Heap::new(), &unpacked, content.len(), 4096, 4096);
    (path("unpacked", 6, "smx"), content, frame.unwrap())
}

/// Levels 6 and 7 read the same part of the text, 8 all of it.
const PRETRAINED: [u8; 2] = [6, 8];

fn pretrained(number: u8) -> Vec<u8> {
    let options = Options::new(level(number)).pretrained(true);
    encode::<AnyLevel>(options, Heap::new(), &text(20, 2000), 4096, 4096).unwrap()
}

/// Levels with the contexts of their own for numbered words, and a pretrained one.
const NUMBERED: std::ops::RangeInclusive<u8> = 3..=7;

fn numbered(number: u8) -> (PathBuf, Vec<u8>, Vec<u8>) {
    let content = fs::read(folder().join("numbered.text")).unwrap();
    let options = Options::new(level(number)).content_size(content.len() as u64).numbered();
    let options = options.pretrained(number == 7);
    let numbered = number_words(&content);
    let frame = encode_of::<AnyLevel>(options, Heap::new(), &numbered, content.len(), 4096, 4096);
    (path("numbered", number, "smx"), content, frame.unwrap())
}

/// The text, and the frame that is part of the library.
fn pretraining() -> (PathBuf, Vec<u8>, Vec<u8>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/pretraining.smx");
    let content = fs::read(path.with_extension("txt")).unwrap();
    let options = Options::new(level(4)).content_size(content.len() as u64).numbered();
    let numbered = number_words(&content);
    let frame = encode_of::<AnyLevel>(options, Heap::new(), &numbered, content.len(), 4096, 4096);
    (path, content, frame.unwrap())
}

fn message(level: Level, content: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; content.len() + 1];
    let len = compress_message::<AnyLevel>(level, Heap::new(), content, &mut packet).unwrap();
    packet.truncate(len);
    packet
}

fn packets(level: Level, content: &[u8]) -> Vec<u8> {
    let mut encoder = PacketEncoder::<_, AnyLevel>::new(level, Heap::new()).unwrap();
    let (mut packets, mut room, mut rest) = (Vec::new(), [0; 200], content);
    loop {
        rest = &rest[encoder.encode(rest, &mut room).unwrap()..];
        let len = encoder.finish(&mut room).unwrap();
        if len == 0 {
            return packets;
        }
        packets.push(len as u8);
        packets.extend_from_slice(&room[..len]);
    }
}

fn read(name: &str, number: u8, extension: &str) -> Vec<u8> {
    let path = path(name, number, extension);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where two streams part, for the message of the failure.
fn difference(a: &[u8], b: &[u8]) -> String {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    format!("{} and {} bytes, the first {same} are the same", a.len(), b.len())
}

#[test]
fn encoders_make_the_golden_streams() {
    for (name, content) in contents() {
        for number in LEVELS {
            let (made, golden) = (frames(level(number), &content), read(name, number, "smx"));
            assert!(made == golden, "{name}-{number}.smx: {}", difference(&made, &golden));
            let (made, golden) = (message(level(number), &content), read(name, number, "msg"));
            assert!(made == golden, "{name}-{number}.msg: {}", difference(&made, &golden));
            let (made, golden) = (packets(level(number), &content), read(name, number, "pkt"));
            assert!(made == golden, "{name}-{number}.pkt: {}", difference(&made, &golden));
        }
    }
}

#[test]
fn contents_are_the_golden_ones() {
    for (name, content) in contents() {
        let golden = fs::read(folder().join(format!("{name}.content"))).unwrap();
        assert!(content == golden, "{name}.content: {}", difference(&content, &golden));
    }
}

#[test]
fn decoders_read_the_golden_streams() {
    for (name, content) in contents() {
        for number in LEVELS {
            let golden = read(name, number, "smx");
            let back = decode::<AnyLevel>(level(number), Heap::new(), &golden, 4096, 4096).unwrap();
            assert!(back == content.repeat(4), "{name}-{number}.smx");
            let golden = read(name, number, "msg");
            let mut back = vec![0; content.len()];
            let level = level(number);
            let n = decompress_message::<AnyLevel>(level, Heap::new(), &golden, &mut back);
            assert!(n == Ok(content.len()) && back == content, "{name}-{number}.msg");
            let golden = read(name, number, "pkt");
            let mut decoder = PacketDecoder::<_, AnyLevel>::new(level, Heap::new()).unwrap();
            let (mut packets, mut given) = (&golden[..], 0);
            while let Some((&len, rest)) = packets.split_first() {
                let (packet, rest) = rest.split_at(len.into());
                given += decoder.decode(packet, &mut back[given..]).unwrap().produced;
                packets = rest;
            }
            assert!(given == content.len() && back == content, "{name}-{number}.pkt");
        }
    }
}

#[test]
fn filters_are_the_golden_ones() {
    for filter in Filter::ALL {
        let (path, content, made) = filtered(filter);
        let golden = fs::read(&path).unwrap();
        assert!(made == golden, "{}: {}", path.display(), difference(&made, &golden));
        assert!(decompress(&golden, level(1)) == Ok(content), "{}", path.display());
    }
}

#[test]
fn unpacked_content_is_the_golden_one() {
    let (path, content, made) = unpacked();
    let golden = fs::read(&path).unwrap();
    assert!(made == golden, "{}: {}", path.display(), difference(&made, &golden));
    assert!(decompress(&golden, level(6)) == Ok(content), "{}", path.display());
}

#[test]
fn numbered_words_are_the_golden_ones() {
    for number in NUMBERED {
        let (path, content, made) = numbered(number);
        let golden = fs::read(&path).unwrap();
        assert!(made == golden, "{}: {}", path.display(), difference(&made, &golden));
        assert!(decompress(&golden, level(number)) == Ok(content), "{}", path.display());
    }
}

#[test]
fn pretrained_frames_are_the_golden_ones() {
    for number in PRETRAINED {
        let (made, golden) = (pretrained(number), read("pretrained", number, "smx"));
        assert!(made == golden, "level {number}: {}", difference(&made, &golden));
        assert!(decompress(&golden, level(number)) == Ok(text(20, 2000)), "level {number}");
    }
}

/// Frames are pretrained with what is in the frame; it has to be the text, and up to date.
#[test]
fn the_text_is_the_one_compressed() {
    let (path, content, made) = pretraining();
    let frame = fs::read(&path).unwrap();
    assert!(made == frame, "{}: {}", path.display(), difference(&made, &frame));
    assert!(decompress(&frame, level(4)) == Ok(content));
}

#[test]
#[ignore = "writes tests/golden if STATESMIX_GOLDEN=write"]
fn write_golden_streams() {
    if std::env::var("STATESMIX_GOLDEN").as_deref() != Ok("write") {
        return;
    }
    fs::create_dir_all(folder()).unwrap();
    for (name, content) in contents() {
        fs::write(folder().join(format!("{name}.content")), &content).unwrap();
        for number in LEVELS {
            fs::write(path(name, number, "smx"), frames(level(number), &content)).unwrap();
            fs::write(path(name, number, "msg"), message(level(number), &content)).unwrap();
            fs::write(path(name, number, "pkt"), packets(level(number), &content)).unwrap();
        }
    }
    for filter in Filter::ALL {
        let (path, _, frame) = filtered(filter);
        fs::write(path, frame).unwrap();
    }
    let (path, _, frame) = unpacked();
    fs::write(path, frame).unwrap();
    for number in NUMBERED {
        let (path, _, frame) = numbered(number);
        fs::write(path, frame).unwrap();
    }
    let (path, _, frame) = pretraining();
    let stale = fs::read(&path).unwrap() != frame;
    fs::write(path, frame).unwrap();
    assert!(!stale, "pretraining.smx was stale: build and write once more");
    for number in PRETRAINED {
        let path = folder().join(format!("pretrained-{number}.smx"));
        fs::write(path, pretrained(number)).unwrap();
    }
}
