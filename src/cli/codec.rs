//! Between a reader and a writer: the loops around the library's encoder and
//! decoder.

use std::io::{self, Read, Write};

use statesmix::{
    AnyLevel, Decoder, Dictionary, Encoder, Error, Header, Heap, Level, Options, Status,
};

use super::report::{Meter, Trouble};

/// Bytes moved at once. Small, since the progress bar moves as often, and high
/// levels are slow.
pub(crate) const PIECE: usize = 8 << 10;

/// What went wrong, and on which side.
#[derive(Debug)]
pub(crate) enum Fault {
    Read(io::Error),
    Write(io::Error),
    Codec(Error),
    /// No thread can be had.
    Thread(io::Error),
    /// On the side of who was told of a frame.
    Told(Trouble),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Codec(error)
    }
}

/// The level (the highest one, for decoding), the dictionary to begin with, and
/// the bytes of content that decoding gives at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) level: Level,
    pub(crate) dictionary: Option<Dictionary<'a>>,
    pub(crate) output: u64,
}

impl<'a> Setting<'a> {
    /// Bytes of memory of level and dictionary.
    pub(crate) fn memory(self) -> u64 {
        let dictionary = self.dictionary.map_or(0, |dictionary| dictionary.level().dictionary());
        (self.level.memory() + dictionary) as u64
    }

    pub(crate) fn decoder(self) -> Decoder<Heap, AnyLevel, Option<Dictionary<'a>>> {
        Decoder::<_, AnyLevel>::with_dictionary(self.level, self.dictionary, Heap::new())
            .output_limit(self.output)
    }
}

/// Who is told of each frame when it is done.
pub(crate) type Done<'a> = &'a mut dyn FnMut(Frame) -> Result<(), Trouble>;

/// A frame that was decoded to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) compressed: u64,
    pub(crate) content: u64,
}

/// Compresses all of `input` into one frame. `done` tells how many bytes of the
/// content so many bytes of the input stand for.
pub(crate) fn encode(
    input: &mut dyn Read,
    output: &mut dyn Write,
    options: Options,
    dictionary: Option<Dictionary>,
    meter: &mut Meter,
    done: &dyn Fn(u64) -> u64,
) -> Result<(), Fault> {
    let mut encoder: Encoder<_> = Encoder::with_dictionary(options, dictionary, Heap::new())?;
    let (mut content, mut code) = (vec![0; PIECE], vec![0; PIECE]);
    let mut read = 0;
    loop {
        let len = fill(input, &mut content)?;
        read += len as u64;
        meter.read = done(read);
        let mut taken = 0;
        loop {
            let progress = match len {
                0 => encoder.finish(&mut code)?,
                _ => encoder.encode(&content[taken..len], &mut code)?,
            };
            taken += progress.consumed;
            output.write_all(&code[..progress.produced]).map_err(Fault::Write)?;
            meter.written += progress.produced as u64;
            match progress.status {
                Status::OutputFull => {}
                Status::NeedsInput => break,
                Status::Done => return Ok(()),
            }
        }
        meter.tick(meter.read, meter.read);
    }
}

/// Decompresses all frames of `input`, which must not be empty, and tells of each
/// when it is done.
pub(crate) fn decode(
    input: &mut dyn Read,
    output: &mut dyn Write,
    limit: Setting,
    meter: &mut Meter,
    done: Done,
) -> Result<(), Fault> {
    let mut decoder = limit.decoder();
    let (mut code, mut content) = (vec![0; PIECE], vec![0; PIECE]);
    let (mut start, mut end) = (0, 0);
    // Of what was read and written: up to where it is decoded, up to where
    // frames are done.
    let (mut decoded, mut complete) = (0, 0);
    let mut given = meter.written;
    loop {
        let progress = decoder.decode(&code[start..end], &mut content)?;
        start += progress.consumed;
        decoded += progress.consumed as u64;
        output.write_all(&content[..progress.produced]).map_err(Fault::Write)?;
        meter.written += progress.produced as u64;
        if progress.status == Status::Done {
            let header = *decoder.header().expect("a frame has a header");
            let (compressed, content) = (decoded - complete, meter.written - given);
            (complete, given) = (decoded, meter.written);
            done(Frame { header, compressed, content }).map_err(Fault::Told)?;
        }
        let drained = progress.status != Status::OutputFull;
        if !drained || start == end {
            meter.tick(meter.read, meter.written);
        }
        if drained && start == end {
            (start, end) = (0, fill(input, &mut code)?);
            meter.read += end as u64;
            if end == 0 {
                decoder.end()?;
                return if complete == 0 { Err(Error::Truncated.into()) } else { Ok(()) };
            }
        }
    }
}

/// Reads a piece; of length 0 at the end only.
fn fill(input: &mut dyn Read, piece: &mut [u8]) -> Result<usize, Fault> {
    loop {
        match input.read(piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(Fault::Read),
        }
    }
}
