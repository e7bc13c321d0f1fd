//! The bare form, for messages whose borders something else keeps: no header,
//! no checksum, one-shot.
//!
//! A message never grows by more than a byte, and the end mark and the
//! rounding to whole bytes cost about two together. With a dictionary the end
//! is what comes after the last byte of a sample, a newline that the model has
//! learned to expect, and costs next to nothing; two bytes of checks come on
//! top unless the caller does without.
#![warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::coder::{BitDecoder, BitEncoder};
use crate::dictionary::{Dictionary, Start, begin, check};
use crate::error::Error;
use crate::fallback::{Fallback, RAW_P};
use crate::frame::Crc32;
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

/// How a message says where it ends.
#[derive(Clone, Copy)]
enum End {
    /// By a flag before each byte.
    Flags,
    /// By a newline. Behind each there is a flag, for there may be others;
    /// probability (Q16) that it is 1.
    Newline(u32),
}

impl End {
    /// How messages that begin with this dictionary do.
    fn of(dictionary: Option<Dictionary>) -> Self {
        dictionary.map_or(Self::Flags, |dictionary| Self::Newline(dictionary.end_p()))
    }

    /// Probability of the end flag after `len` bytes, the last of them `last`;
    /// `None` where there is no flag.
    #[inline]
    fn flag(self, len: usize, last: u8) -> Option<u32> {
        match self {
            Self::Flags => Some(end_p(len)),
            Self::Newline(p) => (len > 0 && last == b'\n').then_some(p),
        }
    }

    /// Bytes that are coded beyond the message.
    fn mark(self) -> usize {
        match self {
            Self::Flags => 0,
            Self::Newline(_) => 1,
        }
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
    memory: impl Memory,
    message: &[u8],
    output: &mut [u8],
) -> Result<usize, Error> {
    check::<M>(level, None)?;
    encode::<M>(level, None, memory, message, output)
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
    memory: impl Memory,
    input: &[u8],
    output: &mut [u8],
) -> Result<usize, Error> {
    check::<M>(level, None)?;
    decode::<M>(level, None, memory, input, output)
}

/// Messages that begin with the dictionary, each decodable alone.
impl Dictionary<'_> {
    /// Compresses `message` into `output`; returns the length, at most that of
    /// the message and 3, or 1 without checks.
    ///
    /// # Errors
    /// [`Error::Memory`], [`Error::NoSuchLevel`] if the model `M` is not of the
    /// dictionary's level, [`Error::OutputFull`].
    pub fn compress<M: Model>(
        &self,
        memory: impl Memory,
        message: &[u8],
        output: &mut [u8],
    ) -> Result<usize, Error> {
        check::<M>(self.level(), None)?;
        let (tag, output) = match output {
            output if !self.checksum => (None, output),
            [tag, rest @ ..] => (Some(tag), rest),
            [] => return Err(Error::OutputFull),
        };
        let len = encode::<M>(self.level(), Some(*self), memory, message, output)?;
        let Some(tag) = tag else {
            return Ok(len);
        };
        *tag = self.tag();
        *output.get_mut(len).ok_or(Error::OutputFull)? = self.check_of(message);
        Ok(len + 2)
    }

    /// Decompresses what [`Self::compress`] made; returns the length of the
    /// message.
    ///
    /// # Errors
    /// [`Error::Memory`], [`Error::NoSuchLevel`], [`Error::OutputFull`],
    /// [`Error::Truncated`]; with checks, [`Error::OtherDictionary`] and
    /// [`Error::Checksum`]. One wrong dictionary of 65,536, and as much of the
    /// damage behind the first byte as one in 256, pass the checks; without
    /// them nearly all does.
    pub fn decompress<M: Model>(
        &self,
        memory: impl Memory,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, Error> {
        check::<M>(self.level(), None)?;
        let (code, sum) = match input {
            _ if !self.checksum => (input, None),
            [tag, ..] if *tag != self.tag() => return Err(Error::OtherDictionary),
            [_, code @ .., sum] => (code, Some(*sum)),
            _ => return Err(Error::Truncated),
        };
        let len = decode::<M>(self.level(), Some(*self), memory, code, output)?;
        let message = output.get(..len).unwrap_or_default();
        match sum {
            Some(sum) if sum != self.check_of(message) => Err(Error::Checksum),
            _ => Ok(len),
        }
    }

    /// The byte that checks a message: of a CRC-32 of the id and the message.
    fn check_of(&self, message: &[u8]) -> u8 {
        let mut crc = Crc32::new();
        self.id().to_le_bytes().iter().chain(message).for_each(|&byte| crc.update(byte));
        crc.value() as u8
    }
}

/// Codes a message, or stores it where that is shorter.
fn encode<M: Model>(
    level: Level,
    dictionary: Option<Dictionary>,
    mut memory: impl Memory,
    message: &[u8],
    output: &mut [u8],
) -> Result<usize, Error> {
    if message.is_empty() {
        return Ok(0);
    }
    memory.prepare(level.workspace())?;
    let memory = memory.bytes(level.workspace());
    let mut model = M::BLANK;
    begin(level, dictionary, Start::default(), &mut model, memory);
    let end = End::of(dictionary);
    let mut coder = BitEncoder::new(true);
    let mut fallback = Fallback::new();
    let mut len = 0;
    let mut emit = |byte| {
        if let Some(place) = output.get_mut(len) {
            *place = byte;
        }
        len += 1;
    };
    let mut last = 0;
    let mark = [b'\n'];
    for (i, &byte) in message.iter().chain(mark.iter().take(end.mark())).enumerate() {
        let flag = end.flag(i, last);
        encode_byte(byte, flag, &mut coder, &mut model, memory, &mut fallback, &mut emit);
        last = byte;
    }
    if let Some(p) = end.flag(message.len() + end.mark(), last) {
        coder.encode(true, p, &mut emit);
    }
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

/// Decodes a message, or copies one that is stored; returns its length.
fn decode<M: Model>(
    level: Level,
    dictionary: Option<Dictionary>,
    mut memory: impl Memory,
    input: &[u8],
    output: &mut [u8],
) -> Result<usize, Error> {
    match input {
        [] => return Ok(0),
        [STORED, message @ ..] => {
            output.get_mut(..message.len()).ok_or(Error::OutputFull)?.copy_from_slice(message);
            return Ok(message.len());
        }
        _ => {}
    }
    memory.prepare(level.workspace())?;
    let memory = memory.bytes(level.workspace());
    let mut model = M::BLANK;
    begin(level, dictionary, Start::default(), &mut model, memory);
    let end = End::of(dictionary);
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
    let mut last = 0;
    for len in 0.. {
        let mut coded = 0;
        if let Some(p) = end.flag(len, last) {
            let (ends, fed) = decode(p)?;
            if ends {
                return Ok(len - end.mark());
            }
            coded = fed;
        }
        if len > output.len() {
            return Err(Error::OutputFull);
        }
        let raw = fallback.is_raw();
        let mut partial = 1;
        while partial < 256 {
            let p = if raw { RAW_P } else { model.p() };
            let (bit, fed) = decode(p)?;
            coded += fed;
            if !raw {
                model.update(bit, memory);
            }
            partial = partial << 1 | u32::from(bit);
        }
        last = partial as u8;
        if raw {
            model.skip(last, memory);
        }
        fallback.byte_done(coded);
        match output.get_mut(len) {
            Some(place) => *place = last,
            None if end.flag(len + 1, last).is_some() && end.mark() == 1 => {} // may be the end
            None => return Err(Error::OutputFull),
        }
    }
    Err(Error::Corrupt)
}
