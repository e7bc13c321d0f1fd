//! Dictionaries: a model that has learned from samples, kept to begin with.
//!
//! A model is its workspace and a few numbers beside it; a dictionary is an
//! image of both. Starting from one is copying, so it may lie in flash, and a
//! microcontroller needs no time to learn. `docs/format.md`, section 9, has the
//! bytes.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::error::Error;
use crate::frame::{Crc32, FORMAT_VERSION};
use crate::level::{AnyLevel, Level, Model};
use crate::pretraining::pretrain;
use crate::stream::Memory;

/// The first bytes of every dictionary.
const MAGIC: [u8; 3] = [0xF5, b'S', b'D'];

/// Bytes before the image of the workspace: magic, kind, id, chance of the
/// end, and from [`STATE`] on the numbers beside the workspace.
pub(crate) const HEADER: usize = 256;
const STATE: usize = 12;

/// A model primed with samples, in the bytes of a dictionary: a file read, or
/// a `static` in flash.
///
/// Frames and packets begin with it through `with_dictionary` of
/// [`Encoder`](crate::Encoder), [`Decoder`](crate::Decoder),
/// [`PacketEncoder`](crate::PacketEncoder) and
/// [`PacketDecoder`](crate::PacketDecoder). Small messages, each of which
/// decodes alone, are its own business:
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use statesmix::{Dictionary, Level, Level0, train};
/// let file = train(Level::MIN, [&b"21.5C 48% ok"[..], b"21.6C 47% ok", b"21.6C 48% low"])?;
///
/// let dictionary = Dictionary::new(&file)?; // or include_bytes!("node.smxd")
/// let mut workspace = [0; Level::MIN.workspace()];
/// let mut packet = [0; 32];
/// let len = dictionary.compress::<Level0>(&mut workspace, b"21.7C 47% ok", &mut packet)?;
/// assert!(len < 10);
/// let mut text = [0; 32];
/// let n = dictionary.decompress::<Level0>(&mut workspace, &packet[..len], &mut text)?;
/// assert_eq!(&text[..n], b"21.7C 47% ok");
/// # }
/// # Ok::<(), statesmix::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Dictionary<'a> {
    header: &'a [u8; HEADER],
    image: &'a [u8],
    level: Level,
    pub(crate) checksum: bool,
}

impl<'a> Dictionary<'a> {
    /// The dictionary in `bytes`, of [`Level::dictionary`] bytes.
    ///
    /// This reads them once, for their checksum, which tells of accidents. It
    /// does not tell who made them; but whatever they hold, decoding with them
    /// gives content or an error. (With overflow checks, as in debug builds, a
    /// forged one of level 3 or more may set these off.)
    ///
    /// # Errors
    /// [`Error::NotDictionary`], [`Error::Version`], and
    /// [`Error::DamagedDictionary`] if the length or the checksum is wrong.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.iter().zip(MAGIC).any(|(&byte, magic)| byte != magic) {
            return Err(Error::NotDictionary);
        }
        let first = bytes.first_chunk().ok_or(Error::DamagedDictionary)?;
        let level = Self::level_of(first)?;
        let (header, image) = bytes.split_first_chunk().ok_or(Error::DamagedDictionary)?;
        let dictionary = Self { header, image, level, checksum: true };
        if image.len() != level.workspace() || checksum(header, image) != dictionary.id() {
            return Err(Error::DamagedDictionary);
        }
        Ok(dictionary)
    }

    /// The level of the dictionary that begins with these four bytes: its size,
    /// before the rest is read.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn level_of(first: &[u8; 4]) -> Result<Level, Error> {
        let [magic @ .., kind] = *first;
        if magic != MAGIC {
            return Err(Error::NotDictionary);
        }
        if kind >> 4 != FORMAT_VERSION {
            return Err(Error::Version(kind >> 4));
        }
        Level::new(kind & 15).ok_or(Error::DamagedDictionary)
    }

    /// Whether messages have a byte that tells their dictionary and one that
    /// checks their content. On from the start; sender and receiver have to
    /// agree. Frames have an id and a checksum of their own.
    #[must_use]
    pub const fn checksum(mut self, on: bool) -> Self {
        self.checksum = on;
        self
    }

    /// The level, for which it was made and to which it is bound.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Its CRC-32, by which a frame names it.
    pub const fn id(&self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.header;
        u32::from_le_bytes([a, b, c, d])
    }

    /// The byte by which a message names it: the lowest of the id.
    pub const fn tag(&self) -> u8 {
        self.id() as u8
    }

    /// Chance (Q16) that a newline ends the message.
    pub(crate) fn end_p(&self) -> u32 {
        u32::from(u16::from_le_bytes([self.header[8], self.header[9]])).max(1)
    }

    /// Makes `model` the primed one, in `memory` of the size of its workspace.
    pub(crate) fn prime<M: Model>(&self, model: &mut M, memory: &mut [u8]) {
        memory.copy_from_slice(self.image);
        let mut words = self.header[STATE..].as_chunks().0.iter();
        let mut next = |_| words.next().map_or(0, |word| u32::from_le_bytes(*word));
        model.resume(self.level, memory, &mut next);
    }
}

impl core::fmt::Debug for Dictionary<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Dictionary({:08x}, level {})", self.id(), self.level)
    }
}

/// CRC-32 of a dictionary without the id.
fn checksum(header: &[u8; HEADER], image: &[u8]) -> u32 {
    let mut crc = Crc32::new();
    header[..4].iter().chain(&header[8..]).chain(image).for_each(|&byte| crc.update(byte));
    crc.value()
}

/// What a model begins with: nothing, which is `()`, or a [`Dictionary`], or
/// an option of one. Cannot be implemented outside this crate.
#[allow(private_bounds)]
pub trait Primer: PrimerCore {}

pub(crate) trait PrimerCore {
    fn dictionary(&self) -> Option<Dictionary<'_>>;
}

impl Primer for () {}
impl Primer for Dictionary<'_> {}
impl Primer for Option<Dictionary<'_>> {}

impl PrimerCore for () {
    fn dictionary(&self) -> Option<Dictionary<'_>> {
        None
    }
}

impl PrimerCore for Dictionary<'_> {
    fn dictionary(&self) -> Option<Dictionary<'_>> {
        Some(*self)
    }
}

impl PrimerCore for Option<Dictionary<'_>> {
    fn dictionary(&self) -> Option<Dictionary<'_>> {
        *self
    }
}

/// Refuses a level that is not that of the model or of the dictionary.
pub(crate) fn check<M: Model>(level: Level, dictionary: Option<Dictionary>) -> Result<(), Error> {
    if !M::supports(level) {
        return Err(Error::NoSuchLevel);
    }
    match dictionary {
        Some(dictionary) if dictionary.level != level => {
            Err(Error::DictionaryLevel(dictionary.level))
        }
        _ => Ok(()),
    }
}

/// What a model without a dictionary begins with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Start {
    /// Whether it has read a text.
    pub(crate) pretrained: bool,
    /// Whether it is for text with numbered words.
    pub(crate) numbered: bool,
}

/// Makes `model` what it begins with, in `memory` that has been prepared.
#[inline]
pub(crate) fn begin<M: Model>(
    level: Level,
    dictionary: Option<Dictionary>,
    start: Start,
    model: &mut M,
    memory: &mut [u8],
) {
    match dictionary {
        Some(dictionary) => dictionary.prime(model, memory),
        None if M::PRETRAINS && start.pretrained => {
            pretrain(model, level, start.numbered, memory);
        }
        None => model.start(level, start.numbered, memory),
    }
}

/// Makes a dictionary from samples, in the memory that becomes the dictionary.
///
/// Samples are whole messages like those to come, without what separates them
/// (a newline at the end is part of the message if the messages to come have
/// one). A hundred do much of the good.
///
/// A model learns from their order too. A message that is to decode alone knows
/// nothing of the one before it, so mix the samples up: in the order of time
/// they would teach it to rely on that, which cost up to twice the bytes where
/// neighbours are alike. But what goes on as a stream, in a frame or in
/// packets, is best learned as it was, as one sample.
///
/// ```
/// use statesmix::{Dictionary, Level, Level0, Trainer};
/// let mut memory = [0; Level::MIN.dictionary()];
/// let mut trainer = Trainer::<_, Level0>::new(Level::MIN, &mut memory)?;
/// trainer.learn(b"21.5C 48% ok");
/// trainer.learn(b"21.6C 47% ok");
/// let dictionary = Dictionary::new(trainer.finish())?;
/// assert_eq!(dictionary.level(), Level::MIN);
/// # Ok::<(), statesmix::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer<W, M = AnyLevel> {
    memory: W,
    level: Level,
    model: M,
    /// Newlines within the samples, and those that ended one.
    inner: u32,
    ends: u32,
}

impl<W: Memory, M: Model> Trainer<W, M> {
    /// A trainer that works in `memory`, of [`Level::dictionary`] bytes.
    ///
    /// # Errors
    /// [`Error::Memory`] if that is too small, [`Error::NoSuchLevel`] if the
    /// model `M` is of another level.
    pub fn new(level: Level, mut memory: W) -> Result<Self, Error> {
        if !M::supports(level) {
            return Err(Error::NoSuchLevel);
        }
        memory.prepare(level.dictionary())?;
        let mut result = Ok(Self { memory, level, model: M::BLANK, inner: 0, ends: 0 });
        if let Ok(trainer) = &mut result {
            let image = &mut trainer.memory.bytes(level.dictionary())[HEADER..];
            trainer.model.start(level, false, image);
            trainer.byte(b'\n'); // the first message begins where the others do
        }
        result
    }

    /// Learns from a message.
    pub fn learn(&mut self, message: &[u8]) {
        for &byte in message {
            self.byte(byte);
            self.inner = self.inner.saturating_add(u32::from(byte == b'\n'));
        }
        self.byte(b'\n');
        self.ends = self.ends.saturating_add(1);
    }

    fn byte(&mut self, byte: u8) {
        let image = &mut self.memory.bytes(self.level.dictionary())[HEADER..];
        (0..8).rev().for_each(|i| self.model.update(byte >> i & 1 == 1, image));
    }

    /// The dictionary, of [`Level::dictionary`] bytes.
    pub fn finish(&mut self) -> &[u8] {
        let bytes = self.memory.bytes(self.level.dictionary());
        let Some((header, image)) = bytes.split_first_chunk_mut::<HEADER>() else {
            return &[]; // not reached: it was prepared
        };
        header[..MAGIC.len()].copy_from_slice(&MAGIC);
        header[MAGIC.len()] = FORMAT_VERSION << 4 | self.level.number();
        let (ends, inner) = (u64::from(self.ends), u64::from(self.inner));
        let end_p = (65536 * (2 * ends + 1) / (2 * (ends + inner) + 2)).min(65535);
        header[8..10].copy_from_slice(&(end_p as u16).to_le_bytes());
        let mut words = header[STATE..].as_chunks_mut().0.iter_mut();
        self.model.carry(&mut |number| {
            if let Some(word) = words.next() {
                *word = number.to_le_bytes();
            }
            number
        });
        let id = checksum(header, image).to_le_bytes();
        header[4..8].copy_from_slice(&id);
        bytes
    }
}

/// A dictionary of `level` from samples, which it mixes up; see [`Trainer`].
///
/// # Errors
/// [`Error::Memory`] if the system has not enough of it.
#[cfg(feature = "alloc")]
pub fn train<'a>(
    level: Level,
    samples: impl IntoIterator<Item = &'a [u8]>,
) -> Result<alloc::vec::Vec<u8>, Error> {
    let mut trainer = Trainer::<_>::new(level, crate::slice::Heap::new())?;
    let mut samples: alloc::vec::Vec<_> = samples.into_iter().collect();
    let mut random = 0x2545_F491u32;
    for last in (1..samples.len()).rev() {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let other = (u64::from(random) * (last as u64 + 1)) >> 32;
        samples.swap(last, other as usize);
    }
    samples.iter().for_each(|sample| trainer.learn(sample));
    Ok(trainer.finish().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::{Level0, Level1, Level2, ModelCore};
    use std::vec;

    const SAMPLE: &[u8] = b"the cat sat on the mat, the dog sat on the log, ";

    /// Without a state space model, which begins a new span, a primed model is
    /// to the bit the one that was left.
    #[test]
    fn a_primed_model_goes_on() {
        fn goes_on<M: Model>(number: u8) {
            let level = Level::new(number).unwrap();
            let mut trainer = Trainer::<_, M>::new(level, vec![0; level.dictionary()]).unwrap();
            (0..30).for_each(|i| trainer.learn(&SAMPLE[i % 5..]));
            let bytes = trainer.finish().to_vec();
            let mut memory = vec![0; level.workspace()];
            let mut model = M::BLANK;
            Dictionary::new(&bytes).unwrap().prime(&mut model, &mut memory);
            for byte in b"the cat sat on the dog, \n and then " {
                for i in (0..8).rev() {
                    assert_eq!(model.p(), trainer.model.p(), "level {level}");
                    model.update(byte >> i & 1 == 1, &mut memory);
                    let theirs = &mut trainer.memory[HEADER..];
                    trainer.model.update(byte >> i & 1 == 1, theirs);
                }
            }
        }
        goes_on::<Level0>(0);
        goes_on::<Level1>(1);
        goes_on::<Level2>(2);
    }

    /// What is beside the workspace fits into the header at every level.
    #[test]
    fn the_state_has_room() {
        for number in 0..=6 {
            let level = Level::new(number).unwrap();
            let mut memory = vec![0; level.workspace()];
            let mut model = AnyLevel::BLANK;
            model.start(level, false, &mut memory);
            let mut words = 0;
            model.carry(&mut |number| {
                words += 1;
                number
            });
            assert!(words * 4 <= HEADER - STATE, "level {level}: {words} words");
        }
    }
}
