//! A valid frame with some bytes changed, left out or repeated: the checksum does
//! not let wrong content pass.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use statesmix::{Header, Level};

#[derive(Arbitrary, Debug)]
enum Mutation {
    Xor(u16, u8),
    Cut(u16),
    Repeat(u16, u8),
}

fuzz_target!(|input: (Setup, Vec<Mutation>, &[u8])| {
    let (mut setup, mutations, content) = input;
    // Without a checksum nothing is promised, not even if the damaged header
    // claims one: zeros are the checksum of no content.
    setup.checksum = true;
    let mut frame = setup.encode(content);
    // Four are not enough to change the content and to mend the checksum.
    for mutation in mutations.iter().take(4) {
        if frame.is_empty() {
            break;
        }
        match *mutation {
            Mutation::Xor(at, mask) => {
                let at = usize::from(at) % frame.len();
                frame[at] ^= mask;
            }
            Mutation::Cut(at) => {
                frame.remove(usize::from(at) % frame.len());
            }
            Mutation::Repeat(at, len) => {
                let at = usize::from(at) % frame.len();
                // Too short to make up another frame, one without a checksum.
                let end = (at + usize::from(len % 8)).min(frame.len());
                let repeated = frame[at..end].to_vec();
                frame.splice(at..at, repeated);
            }
        }
    }
    // The frame as it now stands must still claim a checksum.
    let claims = matches!(Header::parse(&frame), Ok(Some((header, _))) if header.checksum);
    let most = 2 * content.len() + (1 << 14);
    if let Ok(back) = setup.decode(&frame, Level::new(3).unwrap(), most)
        && claims
    {
        assert_eq!(back, content);
    }
});
