//! Sync points: what was flushed decodes, whatever follows.

mod common;

use common::{Random, code, level, random, records, text};
use statesmix::{
    AnyLevel, Decoder, Encoder, Error, Filter, Heap, Level, Options, Status, compress_into,
    decompress,
};

/// Encodes pieces with a sync point after each, `room` bytes of output at a
/// time; returns the code of each piece, and that of the end.
fn encode(options: Options, pieces: &[&[u8]], room: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new()).unwrap();
    let mut output = vec![0; room];
    let mut codes = Vec::new();
    for mut piece in pieces.iter().copied() {
        let mut code = Vec::new();
        loop {
            let progress = encoder.encode(piece, &mut output).unwrap();
            piece = &piece[progress.consumed..];
            code.extend_from_slice(&output[..progress.produced]);
            if progress.status == Status::NeedsInput {
                break;
            }
        }
        loop {
            let progress = encoder.flush(&mut output).unwrap();
            code.extend_from_slice(&output[..progress.produced]);
            if progress.status == Status::NeedsInput {
                break;
            }
        }
        // A second one in the same place is none.
        let again = encoder.flush(&mut output).unwrap();
        assert_eq!((again.produced, again.status), (0, Status::NeedsInput));
        codes.push(code);
    }
    let mut code = Vec::new();
    loop {
        let progress = encoder.finish(&mut output).unwrap();
        code.extend_from_slice(&output[..progress.produced]);
        if progress.status == Status::Done {
            codes.push(code);
            return codes;
        }
    }
}

#[test]
fn what_was_flushed_decodes() {
    let mut lengths = Random::new(7);
    for (content, n) in [(text(1, 9000), 2), (records(2, 5000), 0), (random(3, 9000), 1)] {
        let mut pieces = Vec::new();
        let mut rest = &content[..];
        while !rest.is_empty() {
            let len = (lengths.next() as usize % 700).min(rest.len());
            let (piece, after) = rest.split_at(len.max(1));
            pieces.push(piece);
            rest = after;
        }
        for checksum in [true, false] {
            let options = Options::new(level(n)).checksum(checksum).sync_points(true);
            let codes = encode(options, &pieces, 1000);
            assert_eq!(encode(options, &pieces, 1), codes);
            let mut decoder = Decoder::<_, AnyLevel>::new(level(n), Heap::new());
            for (piece, code) in pieces.iter().zip(&codes) {
                let mut back = vec![0; piece.len() + 1];
                let progress = decoder.decode(code, &mut back).unwrap();
                assert_eq!((progress.consumed, progress.status), (code.len(), Status::NeedsInput));
                assert_eq!(&back[..progress.produced], *piece);
                assert_eq!(decoder.end(), Err(Error::Truncated));
            }
            let end = decoder.decode(&codes[pieces.len()], &mut []).unwrap();
            assert_eq!(end.status, Status::Done);
            let frame = codes.concat();
            assert_eq!(decompress(&frame, Level::MAX).unwrap(), content);
            let again = common::decode::<AnyLevel>(level(n), Heap::new(), &frame, 1, 1);
            assert_eq!(again.unwrap(), content);

            let plain = encode(options, &[&content], 1000).concat();
            let cost = (frame.len() - plain.len()) as f64 / (pieces.len() - 1) as f64;
            assert!((4.0..6.5).contains(&cost), "{cost}");
        }
    }
}

/// What a filter holds back is given at a sync point, and it goes on behind it.
#[test]
fn filters_let_go() {
    for filter in Filter::ALL {
        let content = code(filter, 8, 3000);
        let options = Options::new(Level::MIN).filter(filter).sync_points(true);
        for len in [1, 3, 7, 8, 9, 100] {
            let pieces: Vec<_> = content.chunks(len).collect();
            let codes = encode(options, &pieces, 1000);
            assert_eq!(encode(options, &pieces, 1), codes);
            let mut decoder = Decoder::<_, AnyLevel>::new(Level::MIN, Heap::new());
            let mut back = [0; 101];
            for (piece, code) in pieces.iter().zip(&codes) {
                let progress = decoder.decode(code, &mut back).unwrap();
                assert_eq!(&back[..progress.produced], *piece, "{filter:?} {len}");
            }
            let frame = codes.concat();
            for (input, output) in [(1, 1), (1000, 1), (7, 13)] {
                let back =
                    common::decode::<AnyLevel>(Level::MIN, Heap::new(), &frame, input, output);
                assert_eq!(back.as_ref(), Ok(&content), "{filter:?} {len}");
            }
        }
    }
}

/// A sync point that had no room is made before what comes next, and so is the
/// end.
#[test]
fn a_sync_point_begun_is_ended() {
    let content = code(Filter::X86, 9, 500);
    let options = Options::new(Level::MIN).filter(Filter::X86).sync_points(true);
    for room in 0..30 {
        let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new()).unwrap();
        let (mut frame, mut output) = (Vec::new(), [0; 1000]);
        for piece in content.chunks(50) {
            let progress = encoder.encode(piece, &mut output).unwrap();
            assert_eq!((progress.consumed, progress.status), (piece.len(), Status::NeedsInput));
            frame.extend_from_slice(&output[..progress.produced]);
            let progress = encoder.flush(&mut output[..room]).unwrap();
            frame.extend_from_slice(&output[..progress.produced]);
        }
        let progress = encoder.finish(&mut output).unwrap();
        assert_eq!(progress.status, Status::Done);
        frame.extend_from_slice(&output[..progress.produced]);
        let whole: Vec<_> = content.chunks(50).collect();
        assert_eq!(frame, encode(options, &whole, 1000).concat());
        assert_eq!(decompress(&frame, Level::MIN).as_ref(), Ok(&content));
    }
}

#[test]
fn damage_at_sync_points() {
    let content = text(5, 300);
    let options = Options::new(Level::MIN).sync_points(true);
    let frame = encode(options, &content.chunks(100).collect::<Vec<_>>(), 1000).concat();
    for cut in 0..frame.len() {
        assert_eq!(decompress(&frame[..cut], Level::MIN), Err(Error::Truncated), "{cut}");
    }
    for i in 0..frame.len() {
        for bit in 0..8 {
            let mut bad = frame.clone();
            bad[i] ^= 1 << bit;
            // Of a tail not all bits mean something.
            let back = decompress(&bad, Level::MIN);
            assert!(back.is_err() || back.is_ok_and(|back| back == content), "{i} {bit}");
        }
    }
}

#[test]
fn only_on_demand() {
    let options = Options::new(Level::MIN);
    let mut output = [0; 100];
    let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new()).unwrap();
    assert_eq!(encoder.flush(&mut output), Err(Error::NoSyncPoints));
    let options = options.sync_points(true);
    let both = Encoder::<_, AnyLevel>::new(options.content_size(5), Heap::new());
    assert_eq!(both.err(), Some(Error::ContentSize));
    let one_shot = compress_into(options, Heap::new(), b"hello", &mut output);
    assert_eq!(one_shot, Err(Error::ContentSize));
    let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new()).unwrap();
    assert_eq!(encoder.finish(&mut output).unwrap().status, Status::Done);
    assert_eq!(encoder.flush(&mut output), Err(Error::Finished));
}

#[cfg(feature = "std")]
#[test]
fn writers_flush() {
    use std::io::Write;
    let options = Options::new(Level::MIN).sync_points(true);
    let mut writer = statesmix::io::Writer::new(Vec::new(), options).unwrap();
    let mut flushed = 0;
    for _ in 0..3 {
        writer.write_all(&random(9, 50_000)).unwrap();
        writer.flush().unwrap();
        flushed += 1;
    }
    let frame = writer.finish().unwrap();
    assert_eq!(decompress(&frame, Level::MIN).unwrap(), random(9, 50_000).repeat(flushed));
}
