//! Content that was unpacked: what stands in it packed with DEFLATE is coded as
//! the bytes it holds, with a note of how to pack them again. Section 11 of
//! `docs/format.md`; [`unpack`](crate::unpack()) makes it.

use crate::deflate::{self, Deflate, Method};
use crate::error::Error;
use crate::frame::Crc32;

/// Bytes of memory for a [`Repacker`].
pub(crate) const MEMORY: usize = deflate::MEMORY;

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
        /// Bytes of a chunk, not 0.
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
            if self.chunk == 0 || self.chunk > u64::from(u32::MAX) {
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
