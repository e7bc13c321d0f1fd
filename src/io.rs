//! `Read` and `Write` adapters.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod seek;

pub use seek::SeekReader;

use std::boxed::Box;
use std::io::{self, Read, Write};

use crate::dictionary::Primer;
use crate::error::Error;
use crate::level::{AnyLevel, Level};
use crate::slice::Heap;
use crate::stream::{Decoder, Encoder, Options, Status, Unread};

/// Size of the buffer between the codec and the other side.
const PIECE: usize = 16 << 10;

/// Compresses what is written to it into one frame. [`Self::finish`] ends the
/// frame; without it the frame is truncated.
///
/// ```
/// use std::io::{Read, Write};
/// use statesmix::{Level, Options};
/// let mut writer = statesmix::io::Writer::new(Vec::new(), Options::new(Level::MIN))?;
/// writer.write_all(b"a rose is a rose is a rose")?;
/// let frame = writer.finish()?;
/// let mut text = String::new();
/// statesmix::io::Reader::new(&frame[..], Level::MIN).read_to_string(&mut text)?;
/// assert_eq!(text, "a rose is a rose is a rose");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<T> {
    encoder: Encoder<Heap, AnyLevel>,
    inner: T,
    piece: Box<[u8; PIECE]>,
    /// Start and end of what waits in `piece`.
    start: usize,
    end: usize,
}

impl<T: Write> Writer<T> {
    /// A writer that writes the frame to `inner`.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn new(inner: T, options: Options) -> io::Result<Self> {
        Self::with_dictionary(inner, options, ())
    }

    /// A writer of a frame that begins with `dictionary`.
    ///
    /// # Errors
    /// If there is not enough memory, or the level is not the dictionary's.
    pub fn with_dictionary(
        inner: T,
        options: Options,
        dictionary: impl Primer,
    ) -> io::Result<Self> {
        let encoder = Encoder::with_dictionary(options, dictionary, Heap::new())?;
        Ok(Self { encoder, inner, piece: Box::new([0; PIECE]), start: 0, end: 0 })
    }

    /// Ends the frame and returns the inner writer, flushed.
    ///
    /// # Errors
    /// Those of the inner writer, or if the content is shorter than declared.
    pub fn finish(mut self) -> io::Result<T> {
        loop {
            let progress = self.encoder.finish(&mut self.piece[self.end..])?;
            self.end += progress.produced;
            self.pass_on()?;
            if progress.status == Status::Done {
                self.inner.flush()?;
                return Ok(self.inner);
            }
        }
    }

    /// Like `write_all`, but after an error it goes on where it was.
    fn pass_on(&mut self) -> io::Result<()> {
        while self.start < self.end {
            match self.inner.write(&self.piece[self.start..self.end]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.start += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.start, self.end) = (0, 0);
        Ok(())
    }
}

impl<T: Write> Write for Writer<T> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        loop {
            let progress = self.encoder.encode(content, &mut self.piece[self.end..])?;
            self.end += progress.produced;
            // Content taken is never followed by an error in the same call.
            if progress.consumed > 0 || progress.status == Status::NeedsInput {
                return Ok(progress.consumed);
            }
            self.pass_on()?;
        }
    }

    /// If the options provide for sync points, makes one, so that all of the
    /// content so far can be decoded from what the inner writer has got; see
    /// [`Encoder::flush`] for its cost. Otherwise the coder keeps a few bytes
    /// until the frame ends.
    fn flush(&mut self) -> io::Result<()> {
        loop {
            self.pass_on()?;
            match self.encoder.flush(&mut self.piece[..]) {
                Ok(progress) => self.end = progress.produced,
                Err(Error::NoSyncPoints) => {}
                Err(error) => return Err(error.into()),
            }
            if self.end == 0 {
                return self.inner.flush();
            }
        }
    }
}

/// Decompresses the frames that it reads.
#[derive(Debug)]
pub struct Reader<T, D = ()> {
    decoder: Decoder<Heap, AnyLevel, D>,
    inner: T,
    piece: Box<[u8; PIECE]>,
    unread: Unread,
}

impl<T: Read> Reader<T> {
    /// A reader of the content of the frames in `inner`, up to level `limit`.
    pub fn new(inner: T, limit: Level) -> Self {
        Self::with_dictionary(inner, limit, ())
    }

    /// A reader that knows `dictionary`, for the frames that need it.
    pub fn with_dictionary<D: Primer>(inner: T, limit: Level, dictionary: D) -> Reader<T, D> {
        let decoder = Decoder::with_dictionary(limit, dictionary, Heap::new());
        Reader { decoder, inner, piece: Box::new([0; PIECE]), unread: Unread::default() }
    }
}

impl<T: Read, D: Primer> Reader<T, D> {
    /// Allows no more than `bytes` of content, of all frames together; see
    /// [`Decoder::output_limit`].
    #[must_use]
    pub fn output_limit(mut self, bytes: u64) -> Self {
        self.decoder = self.decoder.output_limit(bytes);
        self
    }

    /// The inner reader.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: Read, D: Primer> Read for Reader<T, D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (inner, piece) = (&mut self.inner, &mut self.piece[..]);
        self.unread.decode(&mut self.decoder, piece, buffer, |piece| inner.read(piece))
    }
}
