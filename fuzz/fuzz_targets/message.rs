//! Bare messages: they come back and grow by a byte at most; arbitrary ones end
//! in an error or in nonsense, no worse.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::fuzz_target;
use statesmix::{AnyLevel, Error, Heap, compress_message, decompress_message};

/// Content to be had from one input.
const MOST: usize = 1 << 11;

fuzz_target!(|input: (Setup, u16, &[u8])| {
    let (setup, cut, bytes) = input;
    let level = setup.level();
    let compress =
        |output: &mut [u8]| compress_message::<AnyLevel>(level, Heap::new(), bytes, output);
    let decompress = |message: &[u8], output: &mut [u8]| {
        decompress_message::<AnyLevel>(level, Heap::new(), message, output)
    };
    let mut message = vec![0; bytes.len() + 1];
    let len = compress(&mut message).unwrap();
    message.truncate(len);
    let mut back = vec![0; bytes.len()];
    assert_eq!(decompress(&message, &mut back), Ok(bytes.len()));
    assert_eq!(back, bytes);
    // Without room to spare, and with a byte less.
    assert_eq!(compress(&mut vec![0; len]), Ok(len));
    if let (Some(less), Some(room)) = (len.checked_sub(1), bytes.len().checked_sub(1)) {
        assert_eq!(compress(&mut vec![0; less]), Err(Error::OutputFull));
        assert_eq!(decompress(&message, &mut vec![0; room]), Err(Error::OutputFull));
    }

    let mut content = vec![0; MOST];
    for made_up in [bytes, &message[..usize::from(cut) % (len + 1)]] {
        match decompress(made_up, &mut content) {
            Ok(len) => assert!(len <= MOST),
            Err(error) => assert!(matches!(error, Error::Truncated | Error::OutputFull)),
        }
    }
});
