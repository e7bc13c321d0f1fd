//! Content that was unpacked: what stands in it packed with DEFLATE is coded as
//! the bytes it holds, with a note of how to pack them again. Section 11 of
//! `docs/format.md`; [`unpack`](crate::unpack()) makes it.

use crate::deflate::{self, Deflate, Method};
use crate::error::Error;
use crate::frame::Crc32;

/// Bytes of memory for a [`Repacker`].
pub(crate) const MEMORY: usize = deflate::MEMORY;

/// The part of a workspace that the model leaves for packing.
pub(crate) fn area(memory: &mut [u8]) -> &mut [u8] {
    let begin = memory.len() - MEMORY;
    &mut memory[begin..]
}

/// Bytes of a chunk of a PNG at least, where there are several: what is around it must
/// not make much of little.
pub(crate) const SHORTEST_CHUNK: u64 = 256;

/// The type of the chunks that hold the pixels of a PNG.
pub(crate) const IDAT: [u8; 4] = *b"IDAT";

/// What is around a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrap {
    None,
    /// That of zlib (RFC 1950): two bytes before, which stand here, and Adler-32.
    Zlib([u8; 2]),
    /// The same cut into chunks of a PNG, all of the same length but the last.
    Png {
        zlib: [u8; 2],
        /// Bytes of a chunk, [`SHORTEST_CHUNK`] or more.
        chunk: u64,
        /// Bytes of all of them.
        total: u64,
    },
}

/// Packs again: unpacked content goes in with [`Self::push`], and all that comes
/// out ([`Self::peek`], [`Self::take`]) is to be taken before the next byte goes in.
#[derive(Clone, Debug)]
pub(crate) struct Repacker {
    state: State,
    /// The number being read, and how many of its bits are there.
    number: u64,
    bits: u32,
    /// The fields of a stream: its method, the kind of its wrap, bytes of zlib.
    fields: [u8; 5],
    chunk: u64,
    wrap: Wrap,
    /// Bytes of plain content, or of a stream's, that are to come.
    left: u64,
    deflate: Deflate,
    adler: Adler32,
    /// Whether the stream's end is on its way.
    closed: bool,
    /// The byte to be taken.
    out: Option<u8>,
    /// Bytes that come before anything else: plain ones, or around a chunk.
    ready: Queue,
    /// Bytes around the stream.
    border: Queue,
    /// Bytes of this chunk and of all chunks that are to come.
    chunk_left: u64,
    total_left: u64,
    crc: Crc32,
}

/// What the next byte is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    PlainSize,
    Plain,
    Field(u8),
    Chunk,
    Total,
    Size,
    Content,
}

impl Repacker {
    pub(crate) const NEW: Self = Self {
        state: State::PlainSize,
        number: 0,
        bits: 0,
        fields: [0; 5],
        chunk: 0,
        wrap: Wrap::None,
        left: 0,
        deflate: Deflate::NONE,
        adler: Adler32::NEW,
        closed: false,
        out: None,
        ready: Queue::EMPTY,
        border: Queue::EMPTY,
        chunk_left: 0,
        total_left: 0,
        crc: Crc32::new(),
    };

    /// Takes a byte of unpacked content.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it cannot be one.
    #[inline(never)]
    pub(crate) fn push(&mut self, byte: u8, memory: &mut [u8]) -> Result<(), Error> {
        match self.state {
            State::Plain => {
                self.ready.push(byte);
                self.left -= 1;
                if self.left == 0 {
                    self.state = State::Field(0);
                }
            }
            State::Content => {
                self.deflate.push(byte, memory);
                self.adler.update(byte);
                self.left -= 1;
                if self.left == 0 {
                    self.deflate.finish();
                }
            }
            State::Field(i) => {
                self.fields[usize::from(i)] = byte;
                self.state = match (i, self.fields[2]) {
                    (0 | 1, _) | (2, 1 | 2) | (3, _) => State::Field(i + 1),
                    (2, 0) | (4, 1) => State::Size,
                    (4, _) => State::Chunk,
                    _ => return Err(Error::Corrupt),
                };
            }
            State::PlainSize => {
                if let Some(size) = self.number(byte)? {
                    self.left = size;
                    self.state = if size > 0 { State::Plain } else { State::Field(0) };
                }
            }
            State::Chunk => {
                if let Some(chunk) = self.number(byte)? {
                    self.chunk = chunk;
                    self.state = State::Total;
                }
            }
            State::Total => {
                if let Some(total) = self.number(byte)? {
                    self.total_left = total;
                    self.state = State::Size;
                }
            }
            State::Size => {
                if let Some(size) = self.number(byte)? {
                    self.left = size;
                    self.begin(memory)?;
                }
            }
        }
        Ok(())
    }

    /// Goes on with a number in LEB128; returns it when it is there.
    fn number(&mut self, byte: u8) -> Result<Option<u64>, Error> {
        if self.bits > 56 {
            return Err(Error::Corrupt);
        }
        self.number |= u64::from(byte & 127) << self.bits;
        self.bits += 7;
        if byte >= 128 {
            return Ok(None);
        }
        self.bits = 0;
        Ok(Some(core::mem::take(&mut self.number)))
    }

    /// Begins a stream.
    fn begin(&mut self, memory: &mut [u8]) -> Result<(), Error> {
        let [first, second, wrap, zlib @ ..] = self.fields;
        let method = Method::from_bytes([first, second]).ok_or(Error::Corrupt)?;
        self.wrap = match wrap {
            0 => Wrap::None,
            1 => Wrap::Zlib(zlib),
            _ => Wrap::Png { zlib, chunk: self.chunk, total: self.total_left },
        };
        self.deflate.start(method, memory);
        self.adler = Adler32::NEW;
        self.closed = wrap == 0;
        if wrap > 0 {
            zlib.iter().for_each(|&byte| self.border.push(byte));
        }
        if wrap == 2 {
            if !(SHORTEST_CHUNK..1 << 32).contains(&self.chunk) {
                return Err(Error::Corrupt);
            }
            self.begin_chunk();
        }
        if self.left == 0 {
            self.deflate.finish();
        }
        self.state = State::Content;
        Ok(())
    }

    /// Writes the length and the type of the next chunk.
    fn begin_chunk(&mut self) {
        self.chunk_left = self.chunk.min(self.total_left);
        (self.chunk_left as u32).to_be_bytes().iter().for_each(|&byte| self.ready.push(byte));
        self.crc = Crc32::new();
        for byte in IDAT {
            self.ready.push(byte);
            self.crc.update(byte);
        }
    }

    /// The next byte of content, if what has come suffices: the same one until
    /// [`Self::take`].
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a stream is not as long as its chunks.
    pub(crate) fn peek(&mut self, memory: &mut [u8]) -> Result<Option<u8>, Error> {
        if self.out.is_none() {
            self.out = self.next(memory)?;
        }
        Ok(self.out)
    }

    pub(crate) fn take(&mut self) {
        self.out = None;
    }

    #[inline(never)]
    fn next(&mut self, memory: &mut [u8]) -> Result<Option<u8>, Error> {
        if let Some(byte) = self.ready.pop() {
            return Ok(Some(byte));
        }
        if self.state != State::Content {
            return Ok(None);
        }
        let Some(byte) = self.next_of_stream(memory) else {
            if self.left == 0 {
                if self.total_left > 0 {
                    return Err(Error::Corrupt);
                }
                self.state = State::PlainSize;
            }
            return Ok(None);
        };
        if let Wrap::Png { .. } = self.wrap {
            self.total_left = self.total_left.checked_sub(1).ok_or(Error::Corrupt)?;
            self.chunk_left -= 1;
            self.crc.update(byte);
            if self.chunk_left == 0 {
                self.crc.value().to_be_bytes().iter().for_each(|&byte| self.ready.push(byte));
                if self.total_left > 0 {
                    self.begin_chunk();
                }
            }
        }
        Ok(Some(byte))
    }

    fn next_of_stream(&mut self, memory: &mut [u8]) -> Option<u8> {
        let byte = self.border.pop().or_else(|| self.deflate.next(memory));
        if byte.is_some() || self.left > 0 || self.closed {
            return byte;
        }
        self.closed = true;
        self.adler.value().to_be_bytes().iter().for_each(|&byte| self.border.push(byte));
        self.border.pop()
    }

    /// Whether the content may end here.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::Field(0) | State::PlainSize) && self.bits == 0
    }
}

/// Some bytes, first in, first out.
#[derive(Clone, Debug)]
struct Queue {
    bytes: [u8; 12],
    start: u8,
    end: u8,
}

impl Queue {
    const EMPTY: Self = Self { bytes: [0; 12], start: 0, end: 0 };

    fn push(&mut self, byte: u8) {
        self.bytes[usize::from(self.end)] = byte;
        self.end += 1;
    }

    fn pop(&mut self) -> Option<u8> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            return None;
        }
        self.start += 1;
        Some(self.bytes[usize::from(self.start) - 1])
    }
}

/// The checksum of zlib (RFC 1950, section 8).
#[derive(Clone, Debug)]
struct Adler32 {
    sum: u32,
    sums: u32,
}

impl Adler32 {
    const NEW: Self = Self { sum: 1, sums: 0 };

    fn update(&mut self, byte: u8) {
        self.sum = (self.sum + u32::from(byte)) % 65521;
        self.sums = (self.sums + self.sum) % 65521;
    }

    fn value(&self) -> u32 {
        self.sums << 16 | self.sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// What unpacked content stands for.
    fn repack(unpacked: &[u8]) -> Result<Vec<u8>, Error> {
        let (mut repacker, mut memory) = (Repacker::NEW, vec![0; MEMORY]);
        let mut content = Vec::new();
        for &byte in unpacked {
            repacker.push(byte, &mut memory)?;
            while let Some(byte) = repacker.peek(&mut memory)? {
                repacker.take();
                content.push(byte);
            }
        }
        if repacker.is_complete() { Ok(content) } else { Err(Error::Truncated) }
    }

    /// With a stream of `content` by this method, and then the bytes `more`.
    fn stream(method: [u8; 2], wrap: &[u8], content: &[u8], more: &[u8]) -> Vec<u8> {
        let len = content.len();
        let size = [len as u8 | 128, (len >> 7) as u8 | 128, (len >> 14) as u8];
        [&[0], &method[..], wrap, &size, content, more].concat()
    }

    #[test]
    fn parts_and_their_ends() {
        assert_eq!(repack(b""), Ok(vec![]));
        assert_eq!(repack(b"\x03abc"), Ok(b"abc".to_vec()));
        assert_eq!(repack(b"\x03ab"), Err(Error::Truncated));
        // "a" in fixed codes, after b; with Adler-32.
        let packed = [b'b', 0x78, 0x9C, 0x4B, 4, 0, 0, 0x62, 0, 0x62];
        assert_eq!(repack(b"\x01b\x06\x8F\x01\x78\x9C\x01a"), Ok(packed.to_vec()));
        // Nothing, at the start of all.
        assert_eq!(repack(b"\0\x06\x8F\0\0"), Ok(vec![3, 0]));
        for cut in 3..5 {
            assert_eq!(repack(&b"\0\x06\x8F\0\0"[..cut]), Err(Error::Truncated));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let refused = |method, wrap: &[u8]| {
            assert_eq!(repack(&stream(method, wrap, b"abc", b"")), Err(Error::Corrupt));
        };
        for method in [[0, 0x8F], [10, 0x8F], [0x26, 0x8F], [6, 0x88], [6, 0xAF], [6, 0x0E]] {
            refused(method, &[0]);
        }
        refused([6, 0x8F], &[3]);
        // Chunks of 255 bytes, of 0; not as long as stated.
        refused([6, 0x8F], &[2, 0x78, 0x9C, 0xFF, 1, 11]);
        refused([6, 0x8F], &[2, 0x78, 0x9C, 0, 11]);
        refused([6, 0x8F], &[2, 0x78, 0x9C, 0x80, 2, 10]);
        refused([6, 0x8F], &[2, 0x78, 0x9C, 0x80, 2, 12]);
        assert!(repack(&stream([6, 0x8F], &[2, 0x78, 0x9C, 0x80, 2, 11], b"abc", b"")).is_ok());
        assert_eq!(repack(&[0xFF; 10]), Err(Error::Corrupt));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Any method packs any text in some way, and the next part follows.
        #[test]
        fn any_method(
            level in 1u8..=9,
            filtered in any::<bool>(),
            window in 9u8..=15,
            memory in 0u8..=9,
            seed in prop::collection::vec(any::<u8>(), 1..40),
            len in 0usize..9000,
        ) {
            let window = if memory == 0 { 15 } else { window };
            let method = Method { level, filtered, window, memory }.to_bytes();
            let mix = |i: usize| seed[i % seed.len()] ^ (((i * i) >> 9) as u8 & 7);
            let text: Vec<u8> = (0..len).map(mix).collect();
            let content = repack(&stream(method, &[0], &text, b"\x01z")).unwrap();
            prop_assert_eq!(content.last(), Some(&b'z'));
            #[cfg(feature = "alloc")]
            {
                let mut back = Vec::new();
                let end = crate::unpack::inflate(&content, 1 << 20, &mut back);
                prop_assert!(end == Some(content.len() - 1) && back == text);
            }
        }

        /// Whatever comes, it is content or an error.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = repack(&bytes);
            let _ = repack(&[&b"\0\x19\x1F\x02ab\x80\x02"[..], &bytes].concat());
        }
    }
}
