//! Numbered words that were made up: refused, or spelled out to what both sides agree on,
//! which can be numbered and spelled out again.
#![no_main]

mod common;

use common::encode_rewritten;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use statesmix::{Error, Level, Options, decompress_limited, number_words};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// What is a word's number, a mark, or else the byte.
    pieces: Vec<(u8, u8)>,
    text: &'a [u8],
}

impl Input<'_> {
    fn numbered(&self) -> Vec<u8> {
        let piece = |&(kind, byte): &(u8, u8)| match kind % 6 {
            0 => vec![1 + byte % 8],
            1 => vec![19 + byte % 13, 128 | byte],
            2 => vec![0x7F, 1 + byte % 8],
            3 => vec![b' '],
            4 => vec![0, byte],
            _ => vec![byte],
        };
        self.pieces.iter().flat_map(piece).chain(self.text.iter().copied()).collect()
    }
}

fn encode(numbered: &[u8]) -> Result<(Vec<u8>, u64), Error> {
    encode_rewritten(Options::new(LEVEL).numbered(), numbered)
}

const LEVEL: Level = Level::new(3).unwrap();

fuzz_target!(|input: Input| {
    let numbered = input.numbered();
    if numbered.len() > 20_000 {
        return;
    }
    let (frame, len) = match encode(&numbered) {
        Ok(made) => made,
        Err(error) => return assert_eq!(error, Error::Corrupt),
    };
    let content = decompress_limited(&frame, LEVEL, len).unwrap();
    assert_eq!(content.len() as u64, len);
    let numbered = number_words(&content);
    assert!(numbered.len() <= 2 * content.len());
    let (frame, len) = encode(&numbered).unwrap();
    assert_eq!(decompress_limited(&frame, LEVEL, len).as_ref(), Ok(&content));
});
