//! Contents that are hard on a model: it grows sure of something, and is
//! surprised. They come back, and grow by no more than is promised.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use statesmix::{AnyLevel, Heap, compress_message, max_frame_len};

/// More is not needed for the tables of level 0 to fill up.
const MOST: usize = 1 << 14;

#[derive(Arbitrary, Debug)]
enum Part<'a> {
    Bytes(&'a [u8]),
    Run {
        byte: u8,
        times: u16,
    },
    Period {
        bytes: [u8; 5],
        len: u8,
        times: u8,
    },
    Noise {
        seed: u32,
        len: u16,
    },
    /// Bytes of which only some bits are random.
    Nearly {
        seed: u32,
        mask: u8,
        len: u8,
    },
    /// What was so far back, with a byte changed now and then.
    Again {
        back: u16,
        len: u16,
        every: u8,
        mask: u8,
    },
    /// A context that is followed by the same byte until it is not.
    Trap {
        context: [u8; 3],
        usual: u8,
        times: u8,
        then: u8,
    },
    Counter {
        start: u32,
        step: u8,
        times: u8,
    },
    /// All of it so far once more, so that contexts meet again.
    Twice,
}

impl Part<'_> {
    fn append(&self, content: &mut Vec<u8>) {
        match *self {
            Part::Bytes(bytes) => content.extend_from_slice(bytes),
            Part::Run { byte, times } => {
                content.extend(std::iter::repeat_n(byte, (times % 4096).into()));
            }
            Part::Period { bytes, len, times } => {
                let bytes = &bytes[..usize::from(len % 5) + 1];
                content.extend(bytes.repeat(times.into()));
            }
            Part::Noise { seed, len } => content.extend(noise(seed, 255).take((len % 4096).into())),
            Part::Nearly { seed, mask, len } => content.extend(noise(seed, mask).take(len.into())),
            Part::Again { back, len, every, mask } => {
                let Some(start) = content.len().checked_sub(usize::from(back) + 1) else {
                    return;
                };
                for i in 0..usize::from(len % 2048) {
                    let changed = i % (usize::from(every) + 1) == usize::from(every);
                    content.push(content[start + i] ^ if changed { mask } else { 0 });
                }
            }
            Part::Trap { context, usual, times, then } => {
                for next in std::iter::repeat_n(usual, times.into()).chain([then]) {
                    content.extend_from_slice(&context);
                    content.push(next);
                }
            }
            Part::Counter { start, step, times } => {
                for i in 0..u32::from(times) {
                    let count = start.wrapping_add(i.wrapping_mul(step.into()));
                    content.extend_from_slice(&count.to_le_bytes());
                }
            }
            Part::Twice => content.extend_from_within(..),
        }
        content.truncate(MOST);
    }
}

fn noise(seed: u32, mask: u8) -> impl Iterator<Item = u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state.wrapping_mul(0x9E37_79B9) >> 24) as u8 & mask
    })
}

fuzz_target!(|input: (Setup, Vec<Part>)| {
    let (setup, parts) = input;
    let mut content = Vec::new();
    parts.iter().for_each(|part| part.append(&mut content));
    let frame = setup.encode(&content);
    // Sync points cost bytes of their own.
    assert!(setup.syncs() || frame.len() <= max_frame_len(content.len()));
    let level = setup.level();
    assert_eq!(setup.decode(&frame, level, content.len()).as_ref(), Ok(&content));
    let mut message = vec![0; content.len() + 1];
    assert!(compress_message::<AnyLevel>(level, Heap::new(), &content, &mut message).is_ok());
});
