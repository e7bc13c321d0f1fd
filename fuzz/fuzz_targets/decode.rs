//! Arbitrary bytes: an error or some content, but no panic and no hang, and
//! the same in whatever pieces.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::fuzz_target;
use statesmix::{
    AnyLevel, FORMAT_VERSION, Header, Heap, Level, decompress_into, decompress_message,
};

/// Content to be had from one input.
const MOST: usize = 1 << 13;

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
    let mut content = vec![0; MOST];
    let whole = decompress_into(limit, Heap::new(), &frame, &mut content);
    match (pieces, whole) {
        (Ok(pieces), Ok(len)) => assert_eq!(pieces, content[..len]),
        // Nothing at all is no frame for the one and no damage for the other.
        (Ok(pieces), Err(_)) => assert!(frame.is_empty() && pieces.is_empty()),
        (Err(a), Err(b)) => assert_eq!(a, b),
        (Err(error), Ok(_)) => panic!("only in pieces: {error}"),
    }
    let _ = decompress_message::<AnyLevel>(setup.level(), Heap::new(), bytes, &mut content);
});
