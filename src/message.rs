//! The bare form, for messages whose borders something else keeps: no header,
//! no checksum, one-shot.
//!
//! A message never grows by more than a byte, and the end mark and the
//! rounding to whole bytes cost about two together.
#![warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::coder::{BitDecoder, BitEncoder};
use crate::error::Error;
use crate::fallback::Fallback;
use crate::level::{Level, Model};
use crate::stream::{Memory, encode_byte};

/// First byte of a message that is stored as it is.
const STORED: u8 = 255;

/// Probability (Q16) that the message ends before the byte of this index:
/// about one in the usual size of messages.
pub(crate) fn end_p(index: usize) -> u32 {
    match index {
        0..1024 => 256,
        1024..16384 => 16,
        _ => 1,
    }
}

/// Compresses `message` into `output`; returns the length. Level and model
/// have to be agreed upon with the receiver.
///
/// `output` needs at most `message.len() + 1` bytes. An empty message is
/// empty.
///
/// # Errors
/// [`Error::Memory`], [`Error::NoSuchLevel`], [`Error::OutputFull`].
///
/// ```
/// use statesmix::{Level, Level0, compress_message, decompress_message};
/// let mut workspace = [0; Level::MIN.workspace()];
/// let mut packet = [0; 32];
/// let len = compress_message::<Level0>(Level::MIN, &mut workspace, b"21.5C 21.5C 21.6C", &mut packet)?;
/// let mut text = [0; 32];
/// let n = decompress_message::<Level0>(Level::MIN, &mut workspace, &packet[..len], &mut text)?;
/// assert_eq!(&text[..n], b"21.5C 21.5C 21.6C");
/// # Ok::<(), statesmix::Error>(())
/// ```
pub fn compress_message<M: Model>(
    level: Level,
    mut memory: impl Memory,
    message: &[u8],
    output: &mut [u8],
) -> Result<usize, Error> {
    if !M::supports(level) {
        return Err(Error::NoSuchLevel);
    }
    if message.is_empty() {
        return Ok(0);
    }
    memory.prepare(level.workspace())?;
    let memory = memory.bytes(level.workspace());
    let mut model = M::BLANK;
    model.start(level, memory);
    let mut coder = BitEncoder::new(true);
    let mut fallback = Fallback::new();
    let mut len = 0;
    let mut emit = |byte| {
        if let Some(place) = output.get_mut(len) {
            *place = byte;
        }
        len += 1;
    };
    for (i, &byte) in message.iter().enumerate() {
        encode_byte(byte, Some(end_p(i)), &mut coder, &mut model, memory, &mut fallback, &mut emit);
    }
    coder.encode(true, end_p(message.len()), &mut emit);
    let (value, tail) = coder.finish_before_zeros();
    value.to_be_bytes().iter().take(tail).for_each(|&byte| emit(byte));
    if len > message.len() {
        let (first, rest) = output.split_first_mut().ok_or(Error::OutputFull)?;
        *first = STORED;
        rest.get_mut(..message.len()).ok_or(Error::OutputFull)?.copy_from_slice(message);
        return Ok(1 + message.len());
    }
    if len > output.len() { Err(Error::OutputFull) } else { Ok(len) }
}

/// Decompresses what [`compress_message`] made at the same level; returns the
/// length of the message.
///
/// # Errors
/// [`Error::Memory`], [`Error::NoSuchLevel`], [`Error::OutputFull`], and
/// [`Error::Truncated`] where the code goes on after the input's end. Other
/// damage goes unnoticed: the bare form has no checksum.
pub fn decompress_message<M: Model>(
    level: Level,
    mut memory: impl Memory,
    input: &[u8],
    output: &mut [u8],
) -> Result<usize, Error> {
    if !M::supports(level) {
        return Err(Error::NoSuchLevel);
    }
    match input {
        [] => return Ok(0),
        [STORED, message @ ..] => {
            let output = output.get_mut(..message.len()).ok_or(Error::OutputFull)?;
            output.copy_from_slice(message);
            return Ok(message.len());
        }
        _ => {}
    }
    memory.prepare(level.workspace())?;
    let memory = memory.bytes(level.workspace());
    let mut model = M::BLANK;
    model.start(level, memory);
    let mut fallback = Fallback::new();
    let mut read = 0;
    // Zeros follow the end, but no more than the decoder reads ahead.
    let mut next = || {
        let byte = input.get(read).copied().unwrap_or(0);
        read += 1;
        if read > input.len() + 4 { Err(Error::Truncated) } else { Ok(byte) }
    };
    let first = u32::from_be_bytes([next()?, next()?, next()?, next()?]);
    let mut coder = BitDecoder::new(first, true);
    let mut decode = |p| {
        let bit = coder.decode(p);
        let mut fed = 0;
        while coder.hungry() {
            coder.feed(next()?);
            fed += 1;
        }
        Ok((bit, fed))
    };
    for len in 0.. {
        let (end, mut coded) = decode(end_p(len))?;
        if end {
            return Ok(len);
        }
        let raw = fallback.is_raw();
        let mut partial = 1;
        while partial < 256 {
            let p = if raw { crate::fallback::RAW_P } else { model.p() };
            let (bit, fed) = decode(p)?;
            coded += fed;
            if !raw {
                model.update(bit, memory);
            }
            partial = partial << 1 | u32::from(bit);
        }
        let byte = partial as u8;
        if raw {
            model.skip(byte, memory);
        }
        fallback.byte_done(coded);
        *output.get_mut(len).ok_or(Error::OutputFull)? = byte;
    }
    Err(Error::Corrupt)
}
