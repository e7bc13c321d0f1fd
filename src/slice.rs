//! One-shot functions from slice to slice, and into a `Vec`.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::error::Error;
use crate::level::{AnyLevel, Level};
use crate::stream::{Decoder, Encoder, Memory, Options, Status};

/// Bytes that a frame of `len` bytes of content takes at most.
#[must_use]
pub const fn max_frame_len(len: usize) -> usize {
    len.saturating_add(len / 1000).saturating_add(40)
}

/// Compresses `content` into one frame in `output`; returns its length. The
/// header states the size of the content, whatever the options say.
///
/// [`max_frame_len`] bytes of output are always enough.
///
/// # Errors
/// [`Error::Memory`] and [`Error::OutputFull`].
pub fn compress_into(
    options: Options,
    memory: impl Memory,
    content: &[u8],
    output: &mut [u8],
) -> Result<usize, Error> {
    let options = options.content_size(content.len() as u64);
    let mut encoder = Encoder::<_, AnyLevel>::new(options, memory)?;
    let body = encoder.encode(content, output)?;
    if body.status == Status::OutputFull {
        return Err(Error::OutputFull);
    }
    let end = encoder.finish(&mut output[body.produced..])?;
    match end.status {
        Status::Done => Ok(body.produced + end.produced),
        _ => Err(Error::OutputFull),
    }
}

/// Decompresses all frames of `input` into `output`, up to level `limit`;
/// returns the length of the content.
///
/// # Errors
/// Those of [`Decoder::decode`], [`Error::Truncated`], and
/// [`Error::OutputFull`].
pub fn decompress_into(
    limit: Level,
    memory: impl Memory,
    input: &[u8],
    output: &mut [u8],
) -> Result<usize, Error> {
    let mut decoder = Decoder::<_, AnyLevel>::new(limit, memory);
    let (mut read, mut written) = (0, 0);
    loop {
        let progress = decoder.decode(&input[read..], &mut output[written..])?;
        read += progress.consumed;
        written += progress.produced;
        match progress.status {
            Status::Done if read < input.len() => {}
            Status::Done | Status::NeedsInput => break,
            Status::OutputFull => return Err(Error::OutputFull),
        }
    }
    if input.is_empty() {
        return Err(Error::Truncated);
    }
    decoder.end()?;
    Ok(written)
}

/// Memory that provides itself: from the heap, at the moment a level is known.
///
/// A fresh piece comes from the system untouched, so a big level costs a small
/// content only the pages it uses.
#[cfg(feature = "alloc")]
#[derive(Debug, Default)]
pub struct Heap {
    memory: alloc::vec::Vec<u8>,
    start: usize,
}

#[cfg(feature = "alloc")]
impl Heap {
    /// No memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { memory: alloc::vec::Vec::new(), start: 0 }
    }
}

#[cfg(feature = "alloc")]
impl Memory for Heap {
    fn prepare(&mut self, size: usize) -> Result<(), Error> {
        /// Slots keep to cache lines if the memory does.
        const ALIGN: usize = 64;
        self.memory = alloc::vec::Vec::new();
        let room = size + ALIGN;
        // `vec!` asks for zeroed pages but aborts without memory; find out. A probe
        // that nothing looks at is one that the compiler leaves out.
        let mut probe = alloc::vec::Vec::<u8>::new();
        probe.try_reserve_exact(room).map_err(|_| Error::Memory { needed: size })?;
        drop(core::hint::black_box(probe));
        self.memory = alloc::vec![0; room];
        self.start = self.memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        Ok(())
    }

    fn bytes(&mut self, size: usize) -> &mut [u8] {
        &mut self.memory[self.start..self.start + size]
    }
}

/// Compresses `content` into one frame, with [pretraining](Options::pretrained_for) if it
/// looks like text.
///
/// ```
/// use statesmix::{Level, compress, decompress};
/// let frame = compress(b"so much depends upon", Level::MIN)?;
/// assert_eq!(decompress(&frame, Level::MIN)?, b"so much depends upon");
/// # Ok::<(), statesmix::Error>(())
/// ```
///
/// # Errors
/// [`Error::Memory`] if the system has not enough of it.
#[cfg(feature = "alloc")]
pub fn compress(content: &[u8], level: Level) -> Result<alloc::vec::Vec<u8>, Error> {
    let options = Options::new(level).content_size(content.len() as u64).pretrained_for(content);
    let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new())?;
    let mut frame = alloc::vec::Vec::new();
    let mut piece = [0; 4096];
    let mut read = 0;
    loop {
        let progress = encoder.encode(&content[read..], &mut piece)?;
        read += progress.consumed;
        frame.extend_from_slice(&piece[..progress.produced]);
        if progress.status == Status::NeedsInput {
            break;
        }
    }
    loop {
        let progress = encoder.finish(&mut piece)?;
        frame.extend_from_slice(&piece[..progress.produced]);
        if progress.status == Status::Done {
            return Ok(frame);
        }
    }
}

/// Decompresses all frames of `input`, up to level `limit`. However much that
/// is: what others made is better given to [`decompress_limited`].
///
/// # Errors
/// Those of [`Decoder::decode`], and [`Error::Truncated`].
#[cfg(feature = "alloc")]
pub fn decompress(input: &[u8], limit: Level) -> Result<alloc::vec::Vec<u8>, Error> {
    decompress_limited(input, limit, u64::MAX)
}

/// Decompresses all frames of `input`, up to level `limit` and to `bytes` of
/// content in all.
///
/// ```
/// use statesmix::{Error, Level, compress, decompress_limited};
/// let frame = compress(&[0; 100_000], Level::MIN)?;
/// assert!(frame.len() < 200);
/// assert_eq!(decompress_limited(&frame, Level::MIN, 99_999), Err(Error::OutputLimit));
/// assert_eq!(decompress_limited(&frame, Level::MIN, 100_000)?.len(), 100_000);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// Those of [`Decoder::decode`], and [`Error::Truncated`].
#[cfg(feature = "alloc")]
pub fn decompress_limited(
    input: &[u8],
    limit: Level,
    bytes: u64,
) -> Result<alloc::vec::Vec<u8>, Error> {
    let mut decoder = Decoder::<_, AnyLevel>::new(limit, Heap::new()).output_limit(bytes);
    let mut content = alloc::vec::Vec::new();
    let mut piece = [0; 4096];
    let mut read = 0;
    loop {
        let progress = decoder.decode(&input[read..], &mut piece)?;
        read += progress.consumed;
        content.extend_from_slice(&piece[..progress.produced]);
        let ended = progress.status == Status::NeedsInput || progress.status == Status::Done;
        if ended && read == input.len() {
            break;
        }
    }
    if input.is_empty() {
        return Err(Error::Truncated);
    }
    decoder.end()?;
    Ok(content)
}
