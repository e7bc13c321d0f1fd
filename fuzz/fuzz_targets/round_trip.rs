//! Whatever goes in comes out, in whatever pieces, and hardly grows.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::fuzz_target;
use statesmix::{AnyLevel, Heap, compress_into, compress_message, decompress_message};
use statesmix::{decompress, max_frame_len};

fuzz_target!(|input: (Setup, &[u8])| {
    let (setup, content) = input;
    let frame = setup.encode(content);
    let back = setup.decode(&frame, setup.level(), content.len());
    assert_eq!(back.as_deref(), Ok(content));

    let mut whole = vec![0; max_frame_len(content.len())];
    let len = compress_into(setup.options(content), Heap::new(), content, &mut whole).unwrap();
    assert_eq!(decompress(&whole[..len], setup.level()).as_deref(), Ok(content));

    let mut packet = vec![0; content.len() + 1];
    let level = setup.level();
    let len = compress_message::<AnyLevel>(level, Heap::new(), content, &mut packet).unwrap();
    let mut back = vec![0; content.len()];
    let n = decompress_message::<AnyLevel>(level, Heap::new(), &packet[..len], &mut back).unwrap();
    assert_eq!(&back[..n], content);
});
