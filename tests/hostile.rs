//! Hostile input: the golden streams cut and damaged in every way there is, and
//! streams made up to do harm. A decoder answers with a typed error, never with
//! wrong content that a checksum covers, and never exceeds the limits of memory
//! and output. `tests/errors.rs` has the errors one by one.
//!
//! `cargo test --test hostile -- --nocapture` tells how much was tried.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Random, encode, level, options, text};
use statesmix::io::Reader;
use statesmix::{
    AnyLevel, Decoder, Error, FORMAT_VERSION, Filter, Header, Heap, Level, Memory, Options, Status,
    decompress, decompress_limited, decompress_message,
};

const NAMES: [&str; 5] = ["empty", "text", "records", "runs", "noise"];

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A frame with its content.
struct Sample {
    what: String,
    frame: Vec<u8>,
    content: Vec<u8>,
}

impl Sample {
    fn header(&self) -> (Header, usize) {
        Header::parse(&self.frame).unwrap().unwrap()
    }
}

/// The golden frames of a level: each content, with each set of options.
fn samples(number: u8) -> Vec<Sample> {
    let mut samples = Vec::new();
    for name in NAMES {
        let content = golden(&format!("{name}.content"));
        let file = golden(&format!("{name}-{number}.smx"));
        let mut frames = &file[..];
        while !frames.is_empty() {
            let mut decoder: Decoder<_> = Decoder::new(level(number), Heap::new());
            let progress = decoder.decode(frames, &mut vec![0; content.len()]).unwrap();
            assert_eq!(progress.status, Status::Done);
            let (frame, rest) = frames.split_at(progress.consumed);
            let what = format!("{name}-{number}, options {}", frame[4]);
            samples.push(Sample { what, frame: frame.into(), content: content.clone() });
            frames = rest;
        }
    }
    assert_eq!(samples.len(), 4 * NAMES.len());
    samples
}

/// Memory that is not asked for more than `most`.
struct Guarded {
    memory: Vec<u8>,
    most: usize,
}

impl Memory for Guarded {
    fn prepare(&mut self, size: usize) -> Result<(), Error> {
        assert!(size <= self.most, "{size} bytes of memory, {} allowed", self.most);
        self.memory.resize(size, 0);
        self.memory.fill(0);
        Ok(())
    }

    fn bytes(&mut self, size: usize) -> &mut [u8] {
        &mut self.memory[..size]
    }
}

/// What comes out of `input`, in calls of odd sizes each of which gets on, within
/// the memory of `limit` and `most` bytes of content.
fn decode_guarded(input: &[u8], limit: Level, most: usize) -> Result<Vec<u8>, Error> {
    let memory = Guarded { memory: Vec::new(), most: limit.workspace() };
    let mut decoder = Decoder::<_, AnyLevel>::new(limit, memory).output_limit(most as u64);
    let (mut read, mut content, mut room) = (0, Vec::new(), [0; 97]);
    loop {
        let piece = &input[read..input.len().min(read + 61)];
        let progress = decoder.decode(piece, &mut room)?;
        read += progress.consumed;
        content.extend_from_slice(&room[..progress.produced]);
        assert!(content.len() <= most, "{} bytes of content, {most} allowed", content.len());
        let idle = progress.consumed == 0 && progress.produced == 0;
        assert!(!idle || progress.status == Status::Done || piece.is_empty(), "stands still");
        if read == input.len() && progress.status != Status::OutputFull {
            decoder.end()?;
            return Ok(content);
        }
    }
}

/// Whether damage was noticed, which it must be where it changed the content.
fn caught(damaged: &[u8], sample: &Sample) -> bool {
    let limit = sample.header().0.level;
    match decode_guarded(damaged, limit, sample.content.len() + 500) {
        Err(_) => true,
        Ok(content) => {
            assert!(content == sample.content, "{}: wrong content, no error", sample.what);
            false
        }
    }
}

#[test]
fn every_truncation() {
    let mut cuts = 0;
    for number in 0..=6 {
        for Sample { what, frame, content } in samples(number) {
            // A decoder does not know what is still to come, so at each byte it
            // stands where it would if that were the last.
            let mut decoder: Decoder<_> = Decoder::new(level(number), Heap::new());
            let mut room = vec![0; content.len()];
            let mut given = 0;
            let (last, bytes) = frame.split_last().unwrap();
            for (i, byte) in bytes.iter().enumerate() {
                let progress = decoder.decode(&[*byte], &mut room[given..]).unwrap();
                given += progress.produced;
                assert_eq!(progress.status, Status::NeedsInput, "{what}, byte {i}");
                assert_eq!(decoder.end(), Err(Error::Truncated), "{what}, byte {i}");
                cuts += 1;
            }
            let progress = decoder.decode(&[*last], &mut room[given..]).unwrap();
            assert_eq!((progress.status, decoder.end()), (Status::Done, Ok(())), "{what}");
            assert!(room == content, "{what}");
        }
    }
    println!("{cuts} truncations");
}

#[test]
fn every_bit_of_header_and_trailer() {
    let (mut flips, mut unnoticed) = (0, 0);
    for number in 0..=3 {
        for sample in samples(number) {
            // From level 3 on it takes too long for all of them.
            if number == 3 && sample.content.len() > 1500 {
                continue;
            }
            let (header, header_len) = sample.header();
            let trailer = sample.frame.len() - 4..sample.frame.len();
            for byte in (0..header_len).chain(trailer.clone()) {
                for bit in 0..8 {
                    let mut damaged = sample.frame.clone();
                    damaged[byte] ^= 1 << bit;
                    flips += 1;
                    if header.checksum {
                        assert!(caught(&damaged, &sample), "{}, byte {byte}", sample.what);
                    } else {
                        // Anything within the limits.
                        let result = decode_guarded(&damaged, level(number), 5000);
                        unnoticed += usize::from(result.is_ok());
                    }
                }
            }
        }
    }
    println!("{flips} flips in headers and trailers, {unnoticed} without a checksum unnoticed");
}

/// Damages a body as storage and radio links do.
fn damage(frame: &[u8], body: std::ops::Range<usize>, random: &mut Random) -> Vec<u8> {
    let mut damaged = frame.to_vec();
    let mut below = |n: usize| random.next() as usize % n.max(1);
    let at = body.start + below(body.len());
    let len = (1 + below(16)).min(body.end - at);
    match below(7) {
        0 => damaged[at] ^= 1 << below(8),
        1 => damaged[at..at + len].iter_mut().for_each(|byte| *byte ^= below(256) as u8),
        2 => damaged[at..at + len].fill([0, 255][below(2)]),
        3 => damaged[at..].fill(0),
        4 => drop(damaged.drain(at..at + len)),
        5 => {
            let again = damaged[at..at + len].to_vec();
            damaged.splice(at..at, again);
        }
        _ => {
            // Out of order.
            damaged[body.start..at].rotate_left(len.min(at - body.start));
        }
    }
    damaged
}

#[test]
fn thousands_of_damaged_bodies() {
    let mut random = Random::new(70);
    let (mut damages, mut noticed) = (0, 0);
    for (number, times) in [(0, 250), (1, 100), (2, 50), (3, 6), (4, 3), (5, 3)] {
        for sample in samples(number) {
            let (header, header_len) = sample.header();
            if !header.checksum {
                continue;
            }
            let body = header_len..sample.frame.len() - 4;
            for _ in 0..times {
                let damaged = damage(&sample.frame, body.clone(), &mut random);
                if damaged != sample.frame {
                    damages += 1;
                    noticed += usize::from(caught(&damaged, &sample));
                }
            }
        }
    }
    // What went unnoticed has changed nothing: bits at the end that have no meaning.
    assert!(noticed > damages * 9 / 10, "{noticed} noticed of {damages}");
    println!("{damages} damaged bodies, {noticed} noticed, the others decode to the content");
}

#[test]
fn damaged_messages_stay_in_their_room() {
    let mut random = Random::new(71);
    for number in [0, 1, 2] {
        for name in NAMES {
            let message = golden(&format!("{name}-{number}.msg"));
            for _ in 0..100 {
                let damaged = match message.len() {
                    0 => vec![random.next() as u8; 3],
                    len => damage(&message, 0..len, &mut random),
                };
                let mut room = [0; 2500];
                let level = level(number);
                match decompress_message::<AnyLevel>(level, Heap::new(), &damaged, &mut room) {
                    Ok(len) => assert!(len <= room.len()),
                    Err(error) => assert!(matches!(error, Error::Truncated | Error::OutputFull)),
                }
            }
        }
    }
}

#[test]
fn every_kind_and_every_flag() {
    let mut refused = 0;
    for kind in 0..=255 {
        for flags in 0..=255 {
            let mut frame = vec![0xF5, b'S', b'M', kind, flags];
            frame.extend_from_slice(&[0x41; 40]);
            let result = decode_guarded(&frame, level(1), 1000);
            let (version, number) = (kind >> 4, kind & 15);
            let error = match Level::new(number) {
                _ if version != FORMAT_VERSION => Error::Version(version),
                None => Error::Corrupt,
                Some(_) if flags >= 128 || flags & 33 == 33 || flags & 68 == 68 => Error::Corrupt,
                Some(_) if flags & 64 != 0 && number < 6 => Error::Corrupt,
                Some(level) if number > 1 => Error::LevelLimit(level),
                _ if flags & 4 != 0 => Error::Dictionary(0x4141_4141),
                _ if flags & 8 != 0 => Error::Filter(0x41),
                _ => continue,
            };
            refused += 1;
            assert_eq!(result, Err(error), "kind {kind:#x}, flags {flags:#x}");
        }
    }
    assert_eq!(refused, 65536 - 2 * 12);
}

/// Code of one byte again and again: some of it decodes to content for as long as
/// one likes, all of it ends at the limit or with the input.
#[test]
fn endless_code() {
    const MOST: usize = 3000;
    for number in [0, 2] {
        let mut bombs = 0;
        for byte in 0..=255 {
            // The size is not stated, or is as much as is allowed.
            for size in [&[][..], &[0xB8, 0x17]] {
                let flags = u8::from(!size.is_empty());
                let mut frame = vec![0xF5, b'S', b'M', FORMAT_VERSION << 4 | number, flags];
                frame.extend_from_slice(size);
                frame.resize(300, byte);
                let result = decode_guarded(&frame, level(number), MOST);
                bombs += usize::from(result == Err(Error::OutputLimit));
            }
        }
        assert!(bombs > 0, "level {number}");
    }
}

#[test]
fn a_bomb_is_limited() {
    let content = vec![0; 600_000];
    for options in options(Level::MIN, content.len()) {
        let bomb = encode::<AnyLevel>(options, Heap::new(), &content, 1 << 16, 1 << 16).unwrap();
        assert!(bomb.len() < 2000);
        let error = Err(Error::OutputLimit);
        assert_eq!(decode_guarded(&bomb, Level::MIN, 100_000), error);
        assert_eq!(decompress_limited(&bomb, Level::MIN, 100_000), error);
        let mut reader = Reader::new(&bomb[..], Level::MIN).output_limit(100_000);
        let error = std::io::copy(&mut reader, &mut std::io::sink()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    }
}

#[test]
fn the_limit_of_output_is_exact() {
    let content = text(72, 1000);
    let plain = options(Level::MIN, content.len());
    let filtered = plain.map(|options| options.filter(Filter::X86));
    for options in plain.into_iter().chain(filtered) {
        let frame = encode::<AnyLevel>(options, Heap::new(), &content, 4096, 4096).unwrap();
        let sized = Header::parse(&frame).unwrap().unwrap().0.content_size.is_some();
        let decoder =
            |limit| Decoder::<_, AnyLevel>::new(Level::MIN, Heap::new()).output_limit(limit);
        for room in [1, 7, 999, 1000, 2000] {
            for limit in [0, 1, 500, 999, 1000, 1001] {
                let mut decoder = decoder(limit);
                let (mut read, mut given, mut room) = (0, Vec::new(), vec![0; room]);
                let error = loop {
                    match decoder.decode(&frame[read..], &mut room) {
                        Ok(progress) => {
                            read += progress.consumed;
                            given.extend_from_slice(&room[..progress.produced]);
                            if progress.status == Status::Done {
                                break None;
                            }
                        }
                        Err(error) => break Some(error),
                    }
                };
                if limit >= 1000 {
                    assert_eq!((error, given == content), (None, true));
                    continue;
                }
                // All that is allowed is given, unless the header says enough.
                assert_eq!(error, Some(Error::OutputLimit));
                let len = if sized { 0 } else { limit as usize };
                assert!(given == content[..len]);
                assert_eq!(decoder.decode(&[], &mut room), Err(Error::OutputLimit));
                assert_eq!(decoder.end(), Err(Error::OutputLimit));
                assert!(decoder.header().is_some());
            }
        }
        // Frames count together; empty ones are always allowed.
        let empty = Options::new(Level::MIN);
        let empty = encode::<AnyLevel>(empty, Heap::new(), &[], 99, 99).unwrap();
        let frames = [&empty[..], &frame, &empty, &frame, &empty].concat();
        assert_eq!(decompress_limited(&empty, Level::MIN, 0), Ok(vec![]));
        assert_eq!(decompress_limited(&frames, Level::MIN, 1999), Err(Error::OutputLimit));
        let both = decompress_limited(&frames, Level::MIN, 2000);
        assert_eq!(both, Ok(content.repeat(2)));
        assert_eq!(both, decompress(&frames, Level::MIN));
    }
}
