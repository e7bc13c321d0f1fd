//! Streams in pieces of given sizes.
#![allow(dead_code)] // each target uses a part of it

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use statesmix::{Decoder, Encoder, Error, Filter, Heap, Level, Options, Status};

/// How to encode, and in what pieces.
#[derive(Arbitrary, Debug)]
pub struct Setup {
    level: u8,
    sized: bool,
    pub checksum: bool,
    filter: u8,
    input: u8,
    output: u8,
}

impl Setup {
    pub fn level(&self) -> Level {
        Level::new(self.level % 4).unwrap()
    }

    pub fn options(&self, content: &[u8]) -> Options {
        let mut options = Options::new(self.level()).checksum(self.checksum);
        // None at all for most numbers.
        if let Some(filter) = Filter::from_id(self.filter % 16) {
            options = options.filter(filter);
        }
        if self.sized { options.content_size(content.len() as u64) } else { options }
    }

    pub fn encode(&self, content: &[u8]) -> Vec<u8> {
        let options = self.options(content);
        let mut encoder: Encoder<_> = Encoder::new(options, Heap::new()).unwrap();
        let mut frame = Vec::new();
        let mut room = vec![0; self.output()];
        for mut piece in content.chunks(self.input()) {
            loop {
                let progress = encoder.encode(piece, &mut room).unwrap();
                piece = &piece[progress.consumed..];
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

    /// Decodes frames, but no more than `most` bytes of content.
    pub fn decode(&self, frames: &[u8], limit: Level, most: usize) -> Result<Vec<u8>, Error> {
        let mut decoder: Decoder<_> = Decoder::new(limit, Heap::new());
        let mut content = Vec::new();
        let mut room = vec![0; self.output()];
        for mut piece in frames.chunks(self.input()) {
            loop {
                let progress = decoder.decode(piece, &mut room)?;
                piece = &piece[progress.consumed..];
                content.extend_from_slice(&room[..progress.produced]);
                if content.len() > most {
                    return Err(Error::OutputFull);
                }
                if progress.status == Status::NeedsInput {
                    break;
                }
            }
        }
        decoder.end()?;
        Ok(content)
    }

    fn input(&self) -> usize {
        usize::from(self.input) + 1
    }

    fn output(&self) -> usize {
        usize::from(self.output) + 1
    }
}
