//! Unpacked content that was made up: refused, or packed to what both sides agree
//! on, which can be unpacked and packed again.
#![no_main]

mod common;

use common::encode_rewritten;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use statesmix::{Error, Level, Options, decompress_limited, unpack};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// A part with this note, its content repeated with faults, before the rest.
    note: Option<(u8, u8, u8, [u8; 2])>,
    times: u8,
    faults: u8,
    text: &'a [u8],
    rest: &'a [u8],
}

impl Input<'_> {
    fn unpacked(&self) -> Vec<u8> {
        let mut unpacked = Vec::new();
        if let Some((first, second, wrap, zlib)) = self.note {
            let mut text = self.text.repeat(usize::from(self.times) + 1);
            for (i, byte) in text.iter_mut().enumerate() {
                if self.faults > 0 && i % (7 * usize::from(self.faults)) == 0 {
                    *byte ^= (i >> 8) as u8;
                }
            }
            let len = text.len();
            unpacked.extend([0, first, second, wrap]);
            if wrap > 0 {
                unpacked.extend(zlib);
            }
            unpacked.extend([len as u8 | 128, (len >> 7) as u8 | 128, (len >> 14) as u8]);
            unpacked.extend(text);
        }
        unpacked.extend(self.rest);
        unpacked
    }
}

fn encode(unpacked: &[u8]) -> Result<(Vec<u8>, u64), Error> {
    encode_rewritten(Options::new(Level::DEFAULT).unpacked(), unpacked)
}

fuzz_target!(|input: Input| {
    let unpacked = input.unpacked();
    if unpacked.len() > 30_000 {
        return;
    }
    let _ = unpack(&unpacked, 1 << 20);
    let (frame, len) = match encode(&unpacked) {
        Ok(made) => made,
        Err(error) => return assert_eq!(error, Error::Corrupt),
    };
    // What is around the chunks of a PNG is little.
    assert!(len <= 2 * unpacked.len() as u64);
    let content = decompress_limited(&frame, Level::DEFAULT, len).unwrap();
    assert_eq!(content.len() as u64, len);
    if let Some(unpacked) = unpack(&content, 1 << 20) {
        let (frame, _) = encode(&unpacked).unwrap();
        assert_eq!(decompress_limited(&frame, Level::DEFAULT, len).as_ref(), Ok(&content));
    }
});
