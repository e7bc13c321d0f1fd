//! A valid frame with parts of it changed, left out or repeated: the checksum
//! does not let wrong content pass.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use statesmix::{Decoder, Header, Heap, Level, Status};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Mutation {
    /// Of the header: kind and flags, and the size as LEB128 of so many bytes.
    Level(u8),
    Version(u8),
    Flags(u8),
    Size(u64, u8),
    /// Of the four last bytes.
    Checksum(u32),
    /// Anywhere, most often in the body.
    Xor(u16, u8),
    Cut(u16, u8),
    Repeat(u16, u8),
    Swap(u16, u16),
    Truncate(u16),
}

impl Mutation {
    fn apply(self, frame: &mut Vec<u8>) {
        let len = frame.len();
        let at = |n: u16| usize::from(n) % len;
        match self {
            _ if len < 9 => {}
            Self::Level(number) => frame[3] = frame[3] & 0xF0 | number & 15,
            Self::Version(version) => frame[3] = frame[3] & 15 | version << 4,
            Self::Flags(flags) => frame[4] ^= 1 << (flags % 8),
            Self::Size(size, bytes) => {
                let Ok(Some((header, end))) = Header::parse(frame) else {
                    return;
                };
                let bytes = usize::from(bytes % 10) + 1;
                let mut leb: Vec<_> = (0..bytes).map(|i| (size >> (7 * i)) as u8 | 128).collect();
                leb[bytes - 1] &= 127;
                let start = if header.content_size.is_some() { 5 } else { end };
                frame[4] |= 1;
                frame.splice(start..end, leb);
            }
            Self::Checksum(mask) => {
                let (_, last) = frame.split_at_mut(len - 4);
                last.iter_mut().zip(mask.to_le_bytes()).for_each(|(byte, mask)| *byte ^= mask);
            }
            Self::Xor(n, mask) => frame[at(n)] ^= mask,
            Self::Cut(n, count) => {
                let start = at(n);
                frame.drain(start..(start + usize::from(count % 8)).min(len));
            }
            Self::Repeat(n, count) => {
                let start = at(n);
                let repeated = frame[start..(start + usize::from(count % 8)).min(len)].to_vec();
                frame.splice(start..start, repeated);
            }
            Self::Swap(a, b) => frame.swap(at(a), at(b)),
            Self::Truncate(n) => frame.truncate(at(n)),
        }
    }
}

fuzz_target!(|input: (Setup, Vec<Mutation>, &[u8])| {
    let (mut setup, mutations, content) = input;
    // Without a checksum nothing is promised, not even if the damaged header
    // claims one: zeros are the checksum of no content.
    setup.checksum = true;
    let mut frame = setup.encode(content);
    // So few, each of a byte or two, cannot change the content and mend the
    // checksum too; one of the checksum itself could.
    let mutations = &mutations[..mutations.len().min(2)];
    let mends = mutations.len() > 1
        && mutations.iter().any(|mutation| matches!(mutation, Mutation::Checksum(_)));
    mutations.iter().for_each(|mutation| mutation.apply(&mut frame));

    let (limit, most) = (Level::new(3).unwrap(), 2 * content.len() + (1 << 12));
    let _ = setup.decode(&frame, limit, most);
    // The first frame only: what follows it need not have a checksum.
    let claims = matches!(Header::parse(&frame), Ok(Some((header, _))) if header.checksum);
    let decoder: Decoder<_> = Decoder::new(limit, Heap::new());
    let mut back = vec![0; most];
    let end = decoder.output_limit(most as u64).decode(&frame, &mut back);
    if let Ok(progress) = end
        && progress.status == Status::Done
        && claims
        && !mends
    {
        assert_eq!(&back[..progress.produced], content);
    }
});
