//! Packets: a stream cut into pieces of a limited size, each of which decodes
//! to the end as it comes, for radios. The model goes on from packet to packet,
//! so packets decode in order and none may be missing.
//!
//! A packet costs about two bytes: the end mark, and the rounding to whole
//! bytes. What is special is how it is filled: nobody knows how long the code
//! of a byte gets until the model has coded it, and then it cannot be undone.
//! So the byte that turns out too long for the packet is *carried*: it begins
//! the next one as it is, and the decoder's model learns it like any other.
#![warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::coder::{BitDecoder, BitEncoder};
use crate::dictionary::{Primer, Start, begin, check};
use crate::error::Error;
use crate::fallback::{Fallback, RAW_P};
use crate::level::{AnyLevel, Level, Model};
use crate::message::end_p;
use crate::stream::{Memory, Progress, Status, encode_byte};

/// Probability (Q16) that a packet begins with a carried byte.
const CARRIED_P: u32 = 1 << 15;

/// The end mark and the tail take no more.
const END: usize = 8;

/// Compresses a stream into packets.
///
/// ```
/// use statesmix::{Level, Level0, PacketDecoder, PacketEncoder};
/// let (mut ours, mut theirs) = ([0; Level::MIN.workspace()], [0; Level::MIN.workspace()]);
/// let mut encoder = PacketEncoder::<_, Level0>::new(Level::MIN, &mut ours)?;
/// let mut decoder = PacketDecoder::<_, Level0>::new(Level::MIN, &mut theirs)?;
/// let mut packet = [0; 51];
/// for record in [b"21.5 48 3.71\n", b"21.5 48 3.70\n", b"21.6 48 3.70\n"] {
///     let taken = encoder.encode(record, &mut packet)?;
///     assert_eq!(taken, record.len()); // and there is room for more,
///     let len = encoder.finish(&mut packet)?; // but we send each at once
///     let mut text = [0; 32];
///     let got = decoder.decode(&packet[..len], &mut text)?;
///     assert_eq!(&text[..got.produced], record);
/// }
/// # Ok::<(), statesmix::Error>(())
/// ```
#[derive(Debug)]
pub struct PacketEncoder<W, M = AnyLevel, D = ()> {
    memory: W,
    level: Level,
    primer: D,
    model: M,
    fallback: Fallback,
    /// The packet begun, if any.
    packet: Option<Begun>,
    /// The byte to begin the next packet with.
    carried: Option<u8>,
}

/// A packet begun: its coder, its bytes so far and those of its content.
#[derive(Clone, Debug)]
struct Begun {
    coder: BitEncoder,
    len: usize,
    content: usize,
}

impl Begun {
    /// Begins a packet.
    fn new(carried: Option<u8>, packet: &mut [u8]) -> Self {
        let mut begun = Self { coder: BitEncoder::new(false), len: 0, content: 0 };
        begun.bit(carried.is_some(), CARRIED_P, packet);
        if let Some(byte) = carried {
            (0..8).rev().for_each(|i| begun.bit(byte >> i & 1 == 1, RAW_P, packet));
            begun.content = 1;
        }
        begun
    }

    fn bit(&mut self, bit: bool, p1: u32, packet: &mut [u8]) {
        let len = &mut self.len;
        self.coder.encode(bit, p1, |byte| emit(byte, packet, len));
    }

    /// Ends the packet; returns its length, which may exceed the room.
    fn end(&mut self, packet: &mut [u8]) -> usize {
        self.bit(true, end_p(self.content), packet);
        let (value, tail) = self.coder.finish_before_zeros();
        value.to_be_bytes().iter().take(tail).for_each(|&b| emit(b, packet, &mut self.len));
        self.len
    }
}

/// Appends to a packet, or only counts what exceeds it.
#[inline]
fn emit(byte: u8, packet: &mut [u8], len: &mut usize) {
    if let Some(place) = packet.get_mut(*len) {
        *place = byte;
    }
    *len += 1;
}

impl<W: Memory, M: Model> PacketEncoder<W, M> {
    /// An encoder that works in `memory`, of [`Level::workspace`] bytes. The
    /// receiver has to know level and model.
    ///
    /// # Errors
    /// [`Error::Memory`] if that is too small, [`Error::NoSuchLevel`] if the
    /// model `M` is of another level.
    pub fn new(level: Level, memory: W) -> Result<Self, Error> {
        Self::with_dictionary(level, (), memory)
    }

    /// An encoder that begins with `dictionary`, at each restart again. The
    /// receiver has to know it: packets do not tell.
    ///
    /// # Errors
    /// As [`Self::new`], and [`Error::DictionaryLevel`].
    pub fn with_dictionary<D: Primer>(
        level: Level,
        dictionary: D,
        memory: W,
    ) -> Result<PacketEncoder<W, M, D>, Error> {
        let (model, fallback) = (M::BLANK, Fallback::new());
        let mut result = Ok(PacketEncoder {
            memory,
            level,
            primer: dictionary,
            model,
            fallback,
            packet: None,
            carried: None,
        });
        // Started where it will stay: the result is large.
        if let Ok(encoder) = &mut result {
            encoder.restart()?;
        }
        result
    }
}

impl<W: Memory, M: Model, D: Primer> PacketEncoder<W, M, D> {
    /// The least room for a packet.
    pub const MIN_PACKET: usize = 16;

    /// Forgets all that was, as a new encoder; the decoder has to do so too.
    /// What is in an unfinished packet is lost.
    ///
    /// # Errors
    /// None, if it could be made.
    pub fn restart(&mut self) -> Result<(), Error> {
        start(self.level, &self.primer, &mut self.model, &mut self.memory)?;
        (self.fallback, self.packet, self.carried) = (Fallback::new(), None, None);
        Ok(())
    }

    /// Takes what fits into the packet, which is to be the same at each call
    /// until [`Self::finish`]; returns how many bytes. If these are fewer than
    /// given, the packet is full.
    ///
    /// # Errors
    /// [`Error::OutputFull`] if the packet has not [`Self::MIN_PACKET`] bytes.
    pub fn encode(&mut self, content: &[u8], packet: &mut [u8]) -> Result<usize, Error> {
        if packet.len() < Self::MIN_PACKET {
            return Err(Error::OutputFull);
        }
        let memory = self.memory.bytes(self.level.workspace());
        let (model, fallback) = (&mut self.model, &mut self.fallback);
        let begun = match &mut self.packet {
            Some(begun) => begun,
            None => self.packet.insert(Begun::new(self.carried.take(), packet)),
        };
        for (taken, &byte) in content.iter().enumerate() {
            if self.carried.is_some() {
                return Ok(taken);
            }
            let before = (begun.clone(), fallback.clone());
            let (p, len) = (Some(end_p(begun.content)), &mut begun.len);
            let write = |byte| emit(byte, packet, len);
            encode_byte(byte, p, &mut begun.coder, model, memory, fallback, write);
            begun.content += 1;
            // Far from the limit there is no doubt; else only the end can tell.
            if begun.len + END > packet.len() && begun.clone().end(&mut []) > packet.len() {
                (*begun, *fallback) = before;
                fallback.byte_done(1);
                self.carried = Some(byte);
            }
        }
        Ok(content.len())
    }

    /// Ends the packet and returns its length. 0 says that there is nothing to
    /// send: no byte was taken that has not been in a packet.
    ///
    /// # Errors
    /// [`Error::OutputFull`] if the packet is not the one given before.
    pub fn finish(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        let mut begun = match self.packet.take() {
            Some(begun) if begun.content > 0 => begun,
            _ if self.carried.is_some() => Begun::new(self.carried.take(), packet),
            _ => return Ok(0),
        };
        let len = begun.end(packet);
        if len > packet.len() { Err(Error::OutputFull) } else { Ok(len) }
    }
}

/// Decompresses the packets of a [`PacketEncoder`].
#[derive(Debug)]
pub struct PacketDecoder<W, M = AnyLevel, D = ()> {
    memory: W,
    level: Level,
    primer: D,
    model: M,
    fallback: Fallback,
    /// The packet begun, if any.
    packet: Option<Opened>,
    failed: Option<Error>,
}

/// A packet that is being decoded: its coder, the bytes read of it and those of
/// its content handed out, and the one that waits for room.
#[derive(Debug)]
struct Opened {
    coder: BitDecoder,
    read: usize,
    content: usize,
    waiting: Option<u8>,
}

impl Opened {
    fn new(packet: &[u8]) -> Self {
        let first = core::array::from_fn(|i| packet.get(i).copied().unwrap_or(0));
        let coder = BitDecoder::new(u32::from_be_bytes(first), false);
        Self { coder, read: 4, content: 0, waiting: None }
    }

    /// Decodes a bit; returns it with the number of code bytes settled.
    fn bit(&mut self, p1: u32, packet: &[u8]) -> Result<(bool, u32), Error> {
        let bit = self.coder.decode(p1);
        let mut settled = 0;
        while self.coder.hungry() {
            // Zeros follow the end, but no more than are read ahead.
            if self.read >= packet.len() + 4 {
                return Err(Error::Truncated);
            }
            self.coder.feed(packet.get(self.read).copied().unwrap_or(0));
            self.read += 1;
            settled += 1;
        }
        Ok((bit, settled))
    }
}

impl<W: Memory, M: Model> PacketDecoder<W, M> {
    /// A decoder that works in `memory`, of [`Level::workspace`] bytes.
    ///
    /// # Errors
    /// As [`PacketEncoder::new`].
    pub fn new(level: Level, memory: W) -> Result<Self, Error> {
        Self::with_dictionary(level, (), memory)
    }

    /// A decoder that begins with `dictionary`, as the encoder did.
    ///
    /// # Errors
    /// As [`PacketEncoder::with_dictionary`].
    pub fn with_dictionary<D: Primer>(
        level: Level,
        dictionary: D,
        memory: W,
    ) -> Result<PacketDecoder<W, M, D>, Error> {
        let (model, fallback) = (M::BLANK, Fallback::new());
        let mut result = Ok(PacketDecoder {
            memory,
            level,
            primer: dictionary,
            model,
            fallback,
            packet: None,
            failed: None,
        });
        if let Ok(decoder) = &mut result {
            decoder.restart()?;
        }
        result
    }
}

impl<W: Memory, M: Model, D: Primer> PacketDecoder<W, M, D> {
    /// Forgets all that was, as a new decoder.
    ///
    /// # Errors
    /// None, if it could be made.
    pub fn restart(&mut self) -> Result<(), Error> {
        start(self.level, &self.primer, &mut self.model, &mut self.memory)?;
        (self.fallback, self.packet, self.failed) = (Fallback::new(), None, None);
        Ok(())
    }

    /// Decodes a packet; to be called with the same one, and more room, until
    /// it returns [`Status::Done`] instead of [`Status::OutputFull`].
    ///
    /// # Errors
    /// [`Error::Truncated`] where the code goes on after the packet's end. Other
    /// damage, and a missing packet, go unnoticed. After an error only
    /// [`Self::restart`] helps.
    pub fn decode(&mut self, packet: &[u8], output: &mut [u8]) -> Result<Progress, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.run(packet, output);
        self.failed = result.err();
        result
    }

    fn run(&mut self, packet: &[u8], output: &mut [u8]) -> Result<Progress, Error> {
        if packet.is_empty() {
            return Ok(Progress { consumed: 0, produced: 0, status: Status::Done });
        }
        let memory = self.memory.bytes(self.level.workspace());
        let mut bits =
            Bits { packet, model: &mut self.model, fallback: &mut self.fallback, memory };
        let opened = match &mut self.packet {
            Some(opened) => opened,
            None => {
                let opened = self.packet.insert(Opened::new(packet));
                if opened.bit(CARRIED_P, packet)?.0 {
                    opened.waiting = Some(bits.byte(opened, 0, true)?);
                }
                opened
            }
        };
        let mut produced = 0;
        loop {
            if let Some(byte) = opened.waiting {
                let Some(place) = output.get_mut(produced) else {
                    return Ok(Progress { consumed: 0, produced, status: Status::OutputFull });
                };
                *place = byte;
                produced += 1;
                opened.content += 1;
            }
            let (end, coded) = opened.bit(end_p(opened.content), packet)?;
            if end {
                self.packet = None;
                return Ok(Progress { consumed: packet.len(), produced, status: Status::Done });
            }
            opened.waiting = Some(bits.byte(opened, coded, false)?);
        }
    }
}

/// What decodes a byte of a packet.
struct Bits<'a, M> {
    packet: &'a [u8],
    model: &'a mut M,
    fallback: &'a mut Fallback,
    memory: &'a mut [u8],
}

impl<M: Model> Bits<'_, M> {
    /// The next byte, of whose code `coded` bytes have been settled already. A
    /// carried one is raw, but the model learns it: the encoder's has.
    fn byte(&mut self, opened: &mut Opened, mut coded: u32, carried: bool) -> Result<u8, Error> {
        let skips = self.fallback.is_raw();
        let mut partial = 1;
        while partial < 256 {
            let p = if skips || carried { RAW_P } else { self.model.p() };
            let (bit, settled) = opened.bit(p, self.packet)?;
            coded += settled;
            if !skips {
                self.model.update(bit, self.memory);
            }
            partial = partial << 1 | u32::from(bit);
        }
        let byte = partial as u8;
        if skips {
            self.model.skip(byte, self.memory);
        }
        self.fallback.byte_done(if carried { 1 } else { coded });
        Ok(byte)
    }
}

/// Makes `model` the one of `level` that begins with `primer`.
fn start<M: Model>(
    level: Level,
    primer: &impl Primer,
    model: &mut M,
    memory: &mut impl Memory,
) -> Result<(), Error> {
    check::<M>(level, primer.dictionary())?;
    memory.prepare(level.workspace())?;
    begin(level, primer.dictionary(), Start::default(), model, memory.bytes(level.workspace()));
    Ok(())
}
