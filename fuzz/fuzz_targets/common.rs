//! Streams in pieces of given sizes, and what every target expects of them.
#![allow(dead_code)] // each target uses a part of it

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use statesmix::{Decoder, Encoder, Error, Filter, Heap, Level, Options, Status};

/// How to encode and to decode, and in what pieces.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Setup {
    level: u8,
    pub sized: bool,
    pub checksum: bool,
    filter: u8,
    pub flush: bool,
    content_in: u8,
    frame_out: u8,
    frame_in: u8,
    content_out: u8,
}

impl Setup {
    /// 0 to 5, mostly 0: executions count, and higher levels are the same code.
    /// Level 5 is the lowest that looks for machine code.
    pub fn level(&self) -> Level {
        let number = match self.level {
            0..160 => 0,
            160..224 => 1,
            224..248 => 2,
            248..253 => 3,
            253..255 => 4,
            255 => 5,
        };
        Level::new(number).unwrap()
    }

    pub fn options(&self, content: &[u8]) -> Options {
        let mut options = Options::new(self.level()).checksum(self.checksum);
        if let Some(filter) = self.filter() {
            options = options.filter(filter);
        }
        if self.sized {
            options.content_size(content.len() as u64)
        } else {
            options.sync_points(self.syncs())
        }
    }

    /// None at all for most numbers.
    pub fn filter(&self) -> Option<Filter> {
        Filter::from_id(self.filter % 16)
    }

    /// Whether there is a sync point after each piece.
    pub fn syncs(&self) -> bool {
        self.flush && !self.sized
    }

    /// One frame.
    pub fn encode(&self, content: &[u8]) -> Vec<u8> {
        let mut encoder: Encoder<_> = Encoder::new(self.options(content), Heap::new()).unwrap();
        let mut frame = Vec::new();
        let mut room = vec![0; size(self.frame_out)];
        for mut piece in content.chunks(size(self.content_in)) {
            loop {
                let progress = encoder.encode(piece, &mut room).unwrap();
                piece = &piece[progress.consumed..];
                frame.extend_from_slice(&room[..progress.produced]);
                if progress.status == Status::NeedsInput {
                    break;
                }
            }
            while self.syncs() {
                let progress = encoder.flush(&mut room).unwrap();
                frame.extend_from_slice(&room[..progress.produced]);
                if progress.status == Status::NeedsInput {
                    break;
                }
            }
        }
        loop {
            let progress = encoder.finish(&mut room).unwrap();
            frame.extend_from_slice(&room[..progress.produced]);
            if progress.status == Status::Done {
                return frame;
            }
        }
    }

    /// The content of all frames, up to level `limit` and to `most` bytes.
    pub fn decode(&self, frames: &[u8], limit: Level, most: usize) -> Result<Vec<u8>, Error> {
        let decoder: Decoder<_> = Decoder::new(limit, Heap::new());
        let mut decoder = decoder.output_limit(most as u64);
        let mut content = Vec::new();
        let mut room = vec![0; size(self.content_out)];
        for mut piece in frames.chunks(size(self.frame_in)) {
            loop {
                let progress = decoder.decode(piece, &mut room)?;
                piece = &piece[progress.consumed..];
                content.extend_from_slice(&room[..progress.produced]);
                assert!(content.len() <= most, "more than allowed");
                if progress.status == Status::NeedsInput {
                    break;
                }
            }
        }
        decoder.end()?;
        Ok(content)
    }

    /// A reader of `bytes` that gives a few at a time.
    pub fn slow<'a>(&self, bytes: &'a [u8]) -> Slow<&'a [u8]> {
        Slow { inner: bytes, most: size(self.frame_in) }
    }
}

/// Of a piece: 1 to 64 bytes, or a few thousand.
fn size(byte: u8) -> usize {
    match usize::from(byte) {
        n @ 0..64 => n + 1,
        n => 64 * n,
    }
}

/// Reads or writes no more than so many bytes at once.
pub struct Slow<T> {
    pub inner: T,
    pub most: usize,
}

impl<T: std::io::Read> std::io::Read for Slow<T> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(self.most);
        self.inner.read(&mut buffer[..n])
    }
}

impl<T: std::io::Write> std::io::Write for Slow<T> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.inner.write(&buffer[..buffer.len().min(self.most)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// A frame of what is given to the encoder as rewritten content, and the bytes of content
/// that it stands for.
pub fn encode_rewritten(options: Options, given: &[u8]) -> Result<(Vec<u8>, u64), Error> {
    let mut encoder = Encoder::<_>::new(options, Heap::new())?;
    let (mut frame, mut room, mut rest) = (Vec::new(), [0; 4096], given);
    while !rest.is_empty() {
        let progress = encoder.encode(rest, &mut room)?;
        rest = &rest[progress.consumed..];
        frame.extend_from_slice(&room[..progress.produced]);
    }
    loop {
        let progress = encoder.finish(&mut room)?;
        frame.extend_from_slice(&room[..progress.produced]);
        if progress.status == Status::Done {
            return Ok((frame, encoder.content_bytes()));
        }
    }
}
