//! Arbitrary bytes: an error or some content, within the limits of memory and
//! output, and the same in whatever pieces.
#![no_main]

mod common;

use std::io::Read;

use common::Setup;
use libfuzzer_sys::fuzz_target;
use statesmix::io::Reader;
use statesmix::{
    Decoder, Error, FORMAT_VERSION, Header, Heap, Level, decompress_into, decompress_limited,
};

/// Content to be had from one input.
const MOST: usize = 1 << 11;

fuzz_target!(|input: (Setup, bool, &[u8])| {
    let (setup, body_only, bytes) = input;
    let limit = Level::new(3).unwrap();
    let mut frame = Vec::new();
    if body_only {
        // Get past the header, which random bytes seldom do.
        frame.extend_from_slice(&[0xF5, b'S', b'M', FORMAT_VERSION << 4 | setup.level().number()]);
    }
    frame.extend_from_slice(bytes);
    let _ = Header::parse(&frame);

    let pieces = setup.decode(&frame, limit, MOST);
    // All ways agree; only that nothing at all is no frame for the one and no
    // damage for the others.
    if !frame.is_empty() {
        assert_eq!(decompress_limited(&frame, limit, MOST as u64), pieces);
        let mut content = Vec::new();
        let mut reader = Reader::new(setup.slow(&frame), limit).output_limit(MOST as u64);
        match (reader.read_to_end(&mut content), &pieces) {
            (Ok(_), Ok(pieces)) => assert_eq!(content, *pieces),
            (Err(error), Err(pieces)) => assert_eq!(error.to_string(), pieces.to_string()),
            (reader, pieces) => panic!("{reader:?} in one way, {pieces:?} in another"),
        }
        let mut content = vec![0; MOST];
        match (decompress_into(limit, Heap::new(), &frame, &mut content), &pieces) {
            (Ok(len), Ok(pieces)) => assert_eq!(content[..len], *pieces),
            // A slice counts what is written, not what a header states.
            (_, Err(Error::OutputLimit)) => {}
            (Err(error), Err(pieces)) => assert_eq!(error, *pieces),
            (whole, pieces) => panic!("{whole:?} at once, {pieces:?} in pieces"),
        }
    }

    // Memory for fewer levels than are allowed is noticed, not exceeded.
    let mut memory = vec![0; Level::MIN.workspace()];
    let mut decoder: Decoder<_> = Decoder::new(limit, &mut memory[..]);
    match decoder.decode(&frame, &mut [0; 64]) {
        Ok(_) => {}
        Err(Error::Memory { needed }) => assert!(needed > Level::MIN.workspace()),
        Err(error) => assert_eq!(decoder.end(), Err(error)),
    }
});
