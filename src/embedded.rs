//! Adapters for the `Read` and `Write` of `embedded-io`, without an allocator.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::fmt;

use embedded_io::{ErrorKind, ErrorType, Read, Write};

use crate::dictionary::Primer;
use crate::level::{AnyLevel, Model};
use crate::stream::{Decoder, Encoder, Memory, Status, Unread};

/// What goes wrong on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// In coding.
    Codec(crate::Error),
    /// In the inner reader or writer.
    Inner(E),
    /// The inner writer takes nothing.
    WriteZero,
}

impl<E> From<crate::Error> for Error<E> {
    fn from(error: crate::Error) -> Self {
        Self::Codec(error)
    }
}

impl<E: embedded_io::Error> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(error) => error.fmt(f),
            Self::Inner(error) => write!(f, "{:?}", error.kind()),
            Self::WriteZero => f.write_str("the inner writer takes nothing"),
        }
    }
}

impl<E: embedded_io::Error> core::error::Error for Error<E> {}

impl<E: embedded_io::Error> embedded_io::Error for Error<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Inner(error) => error.kind(),
            Self::WriteZero => ErrorKind::WriteZero,
            Self::Codec(crate::Error::Memory { .. } | crate::Error::LevelLimit(_)) => {
                ErrorKind::OutOfMemory
            }
            Self::Codec(
                crate::Error::ContentSize | crate::Error::NoSyncPoints | crate::Error::Finished,
            ) => ErrorKind::InvalidInput,
            Self::Codec(_) => ErrorKind::InvalidData,
        }
    }
}

/// Compresses what is written to it into one frame, which goes to `inner` in
/// pieces of at most `N` bytes. [`Self::finish`] ends the frame.
///
/// ```
/// use embedded_io::{Read, Write};
/// use statesmix::{Decoder, Encoder, Level, Level0, Options};
/// use statesmix::embedded::{Reader, Writer};
///
/// let mut workspace = [0; Level::MIN.workspace()];
/// let mut frame = [0; 64];
/// let encoder = Encoder::<_, Level0>::new(Options::new(Level::MIN), &mut workspace)?;
/// let mut writer = Writer::<_, _, _, 16>::new(&mut frame[..], encoder);
/// writer.write_all(b"a rose is a rose is a rose").unwrap();
/// let unused = writer.finish().unwrap().len();
///
/// let decoder = Decoder::<_, Level0>::new(Level::MIN, &mut workspace);
/// let mut reader = Reader::<_, _, _, 16>::new(&frame[..64 - unused], decoder);
/// let mut text = [0; 26];
/// reader.read_exact(&mut text).unwrap();
/// assert_eq!(&text, b"a rose is a rose is a rose");
/// # Ok::<(), statesmix::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<T, W, M = AnyLevel, const N: usize = 64> {
    encoder: Encoder<W, M>,
    inner: T,
    piece: [u8; N],
    /// Start and end of what waits in `piece`.
    start: usize,
    end: usize,
}

impl<T: Write, W: Memory, M: Model, const N: usize> Writer<T, W, M, N> {
    /// A writer that writes the frame of `encoder` to `inner`.
    pub fn new(inner: T, encoder: Encoder<W, M>) -> Self {
        const { assert!(N > 0) };
        Self { encoder, inner, piece: [0; N], start: 0, end: 0 }
    }

    /// Ends the frame and returns the inner writer, flushed.
    ///
    /// # Errors
    /// Those of the inner writer, or if the content is shorter than declared.
    pub fn finish(mut self) -> Result<T, Error<T::Error>> {
        loop {
            self.pass_on()?;
            let progress = self.encoder.finish(&mut self.piece)?;
            self.end = progress.produced;
            if progress.status == Status::Done {
                self.pass_on()?;
                self.inner.flush().map_err(Error::Inner)?;
                return Ok(self.inner);
            }
        }
    }

    /// Like `write_all`, but after an error it goes on where it was.
    fn pass_on(&mut self) -> Result<(), Error<T::Error>> {
        while self.start < self.end {
            match self.inner.write(&self.piece[self.start..self.end]) {
                Ok(0) => return Err(Error::WriteZero),
                Ok(n) => self.start += n,
                Err(error) => return Err(Error::Inner(error)),
            }
        }
        (self.start, self.end) = (0, 0);
        Ok(())
    }
}

impl<T: Write, W, M, const N: usize> ErrorType for Writer<T, W, M, N> {
    type Error = Error<T::Error>;
}

impl<T: Write, W: Memory, M: Model, const N: usize> Write for Writer<T, W, M, N> {
    fn write(&mut self, content: &[u8]) -> Result<usize, Self::Error> {
        loop {
            self.pass_on()?;
            let progress = self.encoder.encode(content, &mut self.piece)?;
            self.end = progress.produced;
            // Content taken is never followed by an error in the same call.
            if progress.consumed > 0 || progress.status == Status::NeedsInput {
                return Ok(progress.consumed);
            }
        }
    }

    /// Makes a sync point if the options of the encoder provide for them; see
    /// [`Encoder::flush`].
    fn flush(&mut self) -> Result<(), Self::Error> {
        loop {
            self.pass_on()?;
            match self.encoder.flush(&mut self.piece) {
                Ok(progress) => self.end = progress.produced,
                Err(crate::Error::NoSyncPoints) => {}
                Err(error) => return Err(error.into()),
            }
            if self.end == 0 {
                return self.inner.flush().map_err(Error::Inner);
            }
        }
    }
}

/// Decompresses the frames that it reads, `N` bytes at a time.
#[derive(Debug)]
pub struct Reader<T, W, M = AnyLevel, const N: usize = 64, D = ()> {
    decoder: Decoder<W, M, D>,
    inner: T,
    piece: [u8; N],
    unread: Unread,
}

impl<T: Read, W: Memory, M: Model, D: Primer, const N: usize> Reader<T, W, M, N, D> {
    /// A reader of the content of the frames in `inner`.
    pub fn new(inner: T, decoder: Decoder<W, M, D>) -> Self {
        const { assert!(N > 0) };
        Self { decoder, inner, piece: [0; N], unread: Unread::default() }
    }

    /// The inner reader.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: Read, W, M, D, const N: usize> ErrorType for Reader<T, W, M, N, D> {
    type Error = Error<T::Error>;
}

impl<T: Read, W: Memory, M: Model, D: Primer, const N: usize> Read for Reader<T, W, M, N, D> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let inner = &mut self.inner;
        self.unread.decode(&mut self.decoder, &mut self.piece, buffer, |piece| {
            inner.read(piece).map_err(Error::Inner)
        })
    }
}
