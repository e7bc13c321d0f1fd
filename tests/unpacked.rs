//! Unpacked content through the public interface: what zlib and gzip have packed
//! comes back to the bit, whatever was packed, how, and in whatever pieces.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{decode, encode_of, level, random, records, text};
use statesmix::{
    AnyLevel, Encoder, Error, Filtered, Header, Heap, Level, Level6, Options, decompress,
    decompress_limited, unpack,
};

const MOST: usize = 1 << 24;

fn golden() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/unpacked.packed");
    fs::read(path).unwrap()
}

fn options(len: usize) -> Options {
    Options::new(level(6)).content_size(len as u64).unpacked()
}

fn frame(options: Options, unpacked: &[u8], len: usize) -> Vec<u8> {
    encode_of::<AnyLevel>(options, Heap::new(), unpacked, len, 4096, 4096).unwrap()
}

/// Texts that take some windows of zlib, with repeats near and far.
fn texts() -> Vec<Vec<u8>> {
    let mixed = [random(1, 9000), text(2, 40_000), vec![7; 30_000], random(1, 9000)].concat();
    vec![
        text(3, 90_000),
        records(4, 70_000),
        mixed,
        random(5, 40_000),
        vec![0; 60_000],
        // Around a window, and the end of two less what is known ahead.
        text(6, 32_768),
        records(7, 65_274),
        text(8, 65_536),
    ]
}

/// What `program` makes of `input`; none if there is no such program.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("skipped, {program} does not run: {error}");
            return None;
        }
    };
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    Some(output.stdout)
}

/// That all of these are unpacked; no model here, which would take its time.
fn check(packed: &[u8], what: &str) {
    let unpacked = unpack(packed, MOST).unwrap_or_else(|| panic!("{what} stays packed"));
    // The plain bytes, a note of at most 20, and all that is in it.
    assert!(unpacked.len() > packed.len() / 2, "{what}");
}

#[test]
fn streams_of_zlib() {
    // Packs standard input in all ways, each behind its length.
    const SCRIPT: &str = "
import sys, zlib
text = sys.stdin.buffer.read()
for level in range(1, 10):
    for memory in (8, 9):
        for strategy in (0, 1):
            packer = zlib.compressobj(level, 8, 15, memory, strategy)
            packed = packer.compress(text) + packer.flush()
            sys.stdout.buffer.write(len(packed).to_bytes(4, 'little') + packed)
";
    for (i, text) in texts().iter().enumerate() {
        let Some(all) = run("python3", &["-c", SCRIPT], text) else { return };
        let (mut rest, mut count) = (&all[..], 0);
        while let Some((len, after)) = rest.split_first_chunk() {
            let (packed, after) = after.split_at(u32::from_le_bytes(*len) as usize);
            check(packed, &format!("text {i}, packed by zlib in way {count}"));
            (rest, count) = (after, count + 1);
        }
        assert_eq!(count, 36);
    }
}

#[test]
fn streams_of_gzip() {
    for (i, text) in texts().iter().enumerate() {
        for option in ["-1n", "-2n", "-3n", "-4n", "-5n", "-6n", "-7n", "-8n", "-9n"] {
            let Some(packed) = run("gzip", &[option], text) else { return };
            check(&packed, &format!("text {i}, packed by gzip {option}"));
        }
    }
}

#[test]
fn comes_back_in_any_pieces() {
    let content = golden();
    let unpacked = unpack(&content, MOST).unwrap();
    let whole = frame(options(content.len()), &unpacked, content.len());
    assert!(whole.len() < content.len() * 2 / 3);
    assert_eq!(Header::parse(&whole).unwrap().unwrap().0.filter, Some(Header::UNPACKED));
    for (input, output) in [(1, 1), (7, 300), (6000, 5)] {
        let options = options(content.len());
        let len = content.len();
        let made =
            encode_of::<AnyLevel>(options, Heap::new(), &unpacked, len, input, output).unwrap();
        assert!(made == whole);
        let back = decode::<AnyLevel>(level(6), Heap::new(), &made, input, output).unwrap();
        assert!(back == content);
    }
    // The size not stated, and no checksum.
    let options = Options::new(level(7)).checksum(false).unpacked();
    let frame = frame(options, &unpacked, content.len());
    assert!(decompress(&frame, level(7)).as_ref() == Ok(&content));
    assert_eq!(decompress_limited(&frame, level(7), 2000), Err(Error::OutputLimit));
    assert!(decompress_limited(&frame, level(7), content.len() as u64).as_ref() == Ok(&content));
}

#[test]
fn plain_parts_and_nothing() {
    for (unpacked, content) in [(&b""[..], &b""[..]), (b"\x05plain", b"plain")] {
        let frame = frame(options(content.len()), unpacked, content.len());
        assert_eq!(decompress(&frame, level(6)).as_deref(), Ok(content));
    }
}

#[test]
fn what_stays_packed() {
    let content = golden();
    // No room for any of it, for the first of four.
    assert_eq!(unpack(&content, 0), None);
    let some = unpack(&content, 2000).unwrap();
    let all = unpack(&content, MOST).unwrap();
    assert!(content.len() < some.len() && some.len() < all.len());
    // Damaged, cut, and too short.
    let begin = content.windows(2).position(|pair| pair == [0x1F, 0x8B]).unwrap();
    let gzip = &content[begin..begin + 464];
    check(gzip, "gzip");
    assert_eq!(unpack(&gzip[..400], MOST), None);
    let mut damaged = gzip.to_vec();
    damaged[200] ^= 4;
    assert_eq!(unpack(&damaged, MOST), None);
    assert_eq!(unpack(b"\x78\x9C\x4B\x04\0\0\x62\0\x62", MOST), None);
    assert_eq!(unpack(&random(9, 300_000), MOST), None);
}

/// Beginnings of streams again and again, which lead nowhere.
#[test]
fn traps_do_not_take_for_ever() {
    let mut png = b"\0\x0F\0\0IDAT".repeat(200_000);
    png.resize(png.len() + (1 << 20), 0);
    assert_eq!(unpack(&png, MOST), None);
    let gzip = b"\x1F\x8B\x08\x08".repeat(200_000);
    assert_eq!(unpack(&gzip, MOST), None);
    let zlib = b"\x78\x9C\xED\xFD".repeat(200_000);
    assert_eq!(unpack(&zlib, MOST), None);
    // Stored, and each within the one before it.
    let stored = b"\x78\x01\0\xFF\xFF\0\0".repeat(100_000);
    assert_eq!(unpack(&stored, MOST), None);
}

#[test]
fn refused() {
    let new = |options| Encoder::<_, AnyLevel>::new(options, Heap::new()).err();
    for number in 0..=9 {
        let level = level(number);
        assert_eq!(level.unpacks(), number >= 6);
        if !level.unpacks() {
            let error = Some(Error::Filter(Header::UNPACKED));
            assert_eq!(new(Options::new(level).unpacked()), error);
        }
    }
    let error = Some(Error::Filter(Header::UNPACKED));
    assert_eq!(new(Options::new(level(6)).unpacked().sync_points(true)), error);
    let fixed = Encoder::<_, Level6>::new(options(0), Heap::new());
    assert_eq!(fixed.err(), error);
    let filtered = Encoder::<_, Filtered<Level6>>::new(options(0), Heap::new());
    assert_eq!(filtered.err(), error);

    let encode = |options, unpacked: &[u8]| {
        let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new()).unwrap();
        encoder.encode(unpacked, &mut [0; 4096])?;
        encoder.finish(&mut [0; 4096]).map(|_| ())
    };
    // No unpacked content; one that ends within a part; one of another size.
    let plain = Options::new(level(6)).unpacked();
    assert_eq!(encode(plain, b"\0\0\0\0\0\0\0"), Err(Error::Corrupt));
    assert_eq!(encode(plain, b"\x05plai"), Err(Error::Corrupt));
    assert_eq!(encode(plain, b"\x05plain"), Ok(()));
    assert_eq!(encode(options(4), b"\x05plain"), Err(Error::ContentSize));
    assert_eq!(encode(options(6), b"\x05plain"), Err(Error::ContentSize));
}

/// Frames whose header says something else of their content.
#[test]
fn forged_headers() {
    let content = golden();
    let unpacked = unpack(&content, MOST).unwrap();
    let good =
        frame(Options::new(Level::DEFAULT).checksum(false).unpacked(), &unpacked, content.len());
    let (header, len) = Header::parse(&good).unwrap().unwrap();
    let forged = |header: Header| {
        let mut bytes = [0; Header::MAX_LEN];
        let written = header.write(&mut bytes);
        decompress(&[&bytes[..written], &good[len..]].concat(), Level::MAX)
    };
    assert!(forged(header).as_ref() == Ok(&content));
    let size = |size| Header { content_size: Some(size), ..header };
    assert!(forged(size(content.len() as u64)).as_ref() == Ok(&content));
    for wrong in [0, content.len() as u64 - 1, content.len() as u64 + 1] {
        assert_eq!(forged(size(wrong)), Err(Error::Corrupt));
    }
    assert_eq!(forged(Header { sync_points: true, ..header }), Err(Error::Corrupt));
    let level = Header { level: level(5), ..header };
    assert_eq!(forged(level), Err(Error::Filter(Header::UNPACKED)));
    // As content of its own it is what was given.
    assert!(forged(Header { filter: None, ..header }).as_ref() == Ok(&unpacked));
}
