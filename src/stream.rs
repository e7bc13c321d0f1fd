//! The stream: [`Encoder`] and [`Decoder`], which take input and output in
//! pieces of any size. The pieces do not influence the bytes.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::coder::{BitDecoder, BitEncoder};
use crate::dictionary::{Dictionary, Primer, Start, begin, check};
use crate::error::Error;
use crate::fallback::{Fallback, RAW_P};
use crate::filter::{Filter, Stage, Way};
use crate::frame::{Crc32, Header, MAX_CONTENT_SIZE, MAX_HEADER};
use crate::level::{AnyLevel, Level, Model};
use crate::pretraining;
use crate::repack::{self, Repacker};
use crate::words::Speller;

/// Probability (Q16) that the content ends here, where its size is not stated
/// in the header: coded before each byte, and all but free.
const END_P: u32 = 1;

/// Memory for a model: anything that is a mutable slice of bytes, or, with
/// `alloc`, [`Heap`](crate::Heap), which provides itself.
pub trait Memory {
    /// Makes `size` bytes of zeroed memory ready.
    ///
    /// # Errors
    /// [`Error::Memory`] if there are not as many.
    fn prepare(&mut self, size: usize) -> Result<(), Error>;

    /// The memory made ready: `size` bytes, the same as before.
    fn bytes(&mut self, size: usize) -> &mut [u8];
}

impl<T: AsMut<[u8]>> Memory for T {
    fn prepare(&mut self, size: usize) -> Result<(), Error> {
        let memory = self.as_mut().get_mut(..size).ok_or(Error::Memory { needed: size })?;
        memory.fill(0);
        Ok(())
    }

    fn bytes(&mut self, size: usize) -> &mut [u8] {
        &mut self.as_mut()[..size]
    }
}

/// What a call has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken from the input.
    pub consumed: usize,
    /// Bytes written to the output.
    pub produced: usize,
    /// Why it stopped.
    pub status: Status,
}

/// Why a call stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All input was taken; call again with more, or finish.
    NeedsInput,
    /// The output is full; call again with room.
    OutputFull,
    /// The frame is complete.
    Done,
}

/// How to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    level: Level,
    content_size: Option<u64>,
    checksum: bool,
    sync_points: bool,
    pretrained: bool,
    /// Its id, or [`Header::UNPACKED`] or [`Header::NUMBERED`].
    filter: Option<u8>,
}

impl Options {
    /// This level, a checksum, no content size, no sync points, no filter and no
    /// pretraining.
    pub const fn new(level: Level) -> Self {
        Self {
            level,
            content_size: None,
            checksum: true,
            sync_points: false,
            pretrained: false,
            filter: None,
        }
    }

    /// States the size of the content in the header. The encoder then insists
    /// on it.
    #[must_use]
    pub const fn content_size(mut self, size: u64) -> Self {
        self.content_size = Some(size);
        self
    }

    /// Whether a CRC-32 of header and content ends the frame.
    #[must_use]
    pub const fn checksum(mut self, on: bool) -> Self {
        self.checksum = on;
        self
    }

    /// Whether [`Encoder::flush`] may be used; then the content size cannot be
    /// stated. It costs a bit in all, beside what the sync points do.
    #[must_use]
    pub const fn sync_points(mut self, on: bool) -> Self {
        self.sync_points = on;
        self
    }

    /// Whether the model reads a text before the content: English prose, source code,
    /// mark-up and logs, that is built into this library. What resembles it then takes
    /// fewer bytes: a page of English a quarter, 100 KB of it a twelfth. It takes the time
    /// of 45,832 bytes of content at levels 6 and 7, of 109,373 from level 8 on, on both
    /// sides. Below level 6 and with a dictionary it does nothing.
    #[must_use]
    pub const fn pretrained(mut self, on: bool) -> Self {
        self.pretrained = on;
        self
    }

    /// [Pretrained](Self::pretrained) if the content that begins with `start` seems to be
    /// text, by the first 4,096 bytes or what there is of them.
    #[must_use]
    pub fn pretrained_for(self, start: &[u8]) -> Self {
        self.pretrained(pretraining::suits(start))
    }

    /// Passes the content through a filter for the machine code in it, which
    /// decoders undo. [`Filter::detect`] tells of one that may help.
    #[must_use]
    pub const fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter.id());
        self
    }

    /// Says that the content given to the encoder is what `unpack` made of another
    /// one, which decoders make again of it. That one is the content of the frame:
    /// its size is the one to state, and the checksum is of it. From level 6, with
    /// models that can ([`AnyLevel`] does), and in place of a filter and of sync
    /// points.
    ///
    /// ```
    /// # #[cfg(feature = "std")] {
    /// # use statesmix::{AnyLevel, Encoder, Error, Heap, Level, Options, decompress, unpack};
    /// # let gzipped = include_bytes!("../tests/golden/unpacked.packed");
    /// # let mut frame = vec![0; 100_000];
    /// # let level = Level::DEFAULT;
    /// let unpacked = unpack(gzipped, 1 << 20).unwrap();
    /// let options = Options::new(level).unpacked().content_size(gzipped.len() as u64);
    /// let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new())?;
    /// let len = encoder.encode(&unpacked, &mut frame)?.produced;
    /// let len = len + encoder.finish(&mut frame[len..])?.produced;
    /// assert_eq!(decompress(&frame[..len], level)?, gzipped);
    /// # }
    /// # Ok::<(), statesmix::Error>(())
    /// ```
    #[must_use]
    pub const fn unpacked(mut self) -> Self {
        self.filter = Some(Header::UNPACKED);
        self
    }

    /// Says that the content given to the encoder is what
    /// [`number_words`](crate::number_words) made of a text, which decoders make again of
    /// it. That text is the content of the frame: its size is the one to state, and the
    /// checksum is of it. From level 3, in place of a dictionary, a filter and sync points.
    ///
    /// ```
    /// # #[cfg(feature = "std")] {
    /// # use statesmix::{AnyLevel, Encoder, Error, Heap, Level, Options, decompress};
    /// # use statesmix::number_words;
    /// # let mut frame = vec![0; 100_000];
    /// let text = b"It was the best of times, it was the worst of times.";
    /// let level = Level::new(4).unwrap();
    /// let options = Options::new(level).numbered().content_size(text.len() as u64);
    /// let mut encoder = Encoder::<_, AnyLevel>::new(options, Heap::new())?;
    /// let len = encoder.encode(&number_words(text), &mut frame)?.produced;
    /// let len = len + encoder.finish(&mut frame[len..])?.produced;
    /// assert_eq!(decompress(&frame[..len], level)?, text);
    /// # }
    /// # Ok::<(), statesmix::Error>(())
    /// ```
    #[must_use]
    pub const fn numbered(mut self) -> Self {
        self.filter = Some(Header::NUMBERED);
        self
    }

    /// Whether the encoder is given something else than the content.
    const fn is_rewritten(&self) -> bool {
        matches!(self.filter, Some(Header::UNPACKED | Header::NUMBERED))
    }

    /// The probability of the flag that tells before each byte whether the content
    /// ends, if there is one.
    fn end_p(&self) -> Option<u32> {
        (self.content_size.is_none() || self.is_rewritten()).then_some(END_P)
    }

    /// Begins a frame. Apart from [`Encoder::new`], so that what it needs is not
    /// on the stack while the encoder works.
    #[inline(never)]
    fn write_header(&self, dictionary: Option<u32>, pending: &mut Pending, crc: &mut Crc32) {
        let header = Header {
            level: self.level,
            content_size: self.content_size,
            checksum: self.checksum,
            dictionary,
            filter: self.filter,
            code_size: None,
            sync_points: self.sync_points,
            pretrained: self.pretrained,
        };
        let mut bytes = [0; MAX_HEADER];
        let len = header.write(&mut bytes);
        for &byte in &bytes[..len] {
            pending.push(byte);
            crc.update(byte);
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new(Level::DEFAULT)
    }
}

/// Bytes that wait for room in the output.
#[derive(Clone, Debug)]
struct Pending {
    bytes: [u8; Self::ROOM],
    start: u8,
    end: u8,
}

impl Pending {
    /// Nine bits of at most four bytes each; more than a header, or a tail and
    /// a checksum.
    const ROOM: usize = 36;

    const fn new() -> Self {
        Self { bytes: [0; Self::ROOM], start: 0, end: 0 }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        self.bytes[usize::from(self.end)] = byte;
        self.end += 1;
    }

    /// Moves what fits; whether nothing is left.
    #[inline]
    fn drain(&mut self, output: &mut [u8], produced: &mut usize) -> bool {
        if self.start != self.end {
            let waiting = &self.bytes[usize::from(self.start)..usize::from(self.end)];
            let room = &mut output[*produced..];
            let n = waiting.len().min(room.len());
            room[..n].copy_from_slice(&waiting[..n]);
            *produced += n;
            self.start += n as u8;
            if self.start != self.end {
                return false;
            }
        }
        (self.start, self.end) = (0, 0);
        true
    }
}

/// Compresses a stream into one frame.
///
/// ```
/// # use statesmix::{Encoder, Level, Options, Status};
/// let mut workspace = [0; Level::MIN.workspace()];
/// let mut encoder: Encoder<_> = Encoder::new(Options::new(Level::MIN), &mut workspace)?;
/// let mut output = [0; 64];
/// let a = encoder.encode(b"hello, hello, hello", &mut output)?;
/// assert_eq!((a.consumed, a.status), (19, Status::NeedsInput));
/// let b = encoder.finish(&mut output[a.produced..])?;
/// assert_eq!(b.status, Status::Done);
/// # Ok::<(), statesmix::Error>(())
/// ```
#[derive(Debug)]
pub struct Encoder<W, M = AnyLevel> {
    memory: W,
    model: M,
    coder: BitEncoder,
    fallback: Fallback,
    crc: Crc32,
    options: Options,
    taken: u64,
    pending: Pending,
    state: EncoderState,
}

/// How much each part of a model adds to its prediction of a bit: the absolute
/// value of weights times inputs, in the logistic domain (Q8), summed up over the
/// weight sets. A part that often has the larger number carries the prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Bit histories and byte runs of all contexts.
    pub ngrams: u32,
    /// The match models.
    pub repeats: u32,
    /// The state space model; 0 at levels 0 to 2.
    pub state_space: u32,
    /// Numbers expected from earlier records, and pixels from their neighbours; 0 at
    /// level 0.
    pub residuals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EncoderState {
    Body,
    /// As [`Self::Body`], but no content has come since a sync point.
    Synced,
    /// What the filter has held back, before a sync point.
    Syncing,
    /// The same before the end.
    Rest,
    Tail,
    Done,
    Failed(Error),
}

impl<W: Memory, M: Model> Encoder<W, M> {
    /// An encoder that works in `memory`, of [`Level::workspace`] bytes.
    ///
    /// # Errors
    /// [`Error::Memory`] if that is too small, [`Error::NoSuchLevel`] if the
    /// model `M` is of another level, [`Error::ContentSize`] if the declared
    /// size is 2^63 or more, or is declared together with sync points,
    /// [`Error::Filter`] if a filter is wanted and the model has none (see
    /// [`Filtered`](crate::Filtered)), or unpacked content where there cannot be any.
    #[inline(always)] // or its result would be on the stack twice
    pub fn new(options: Options, memory: W) -> Result<Self, Error> {
        Self::with_dictionary(options, (), memory)
    }

    /// An encoder that begins with `dictionary`, which decoding needs too.
    ///
    /// # Errors
    /// As [`Self::new`], and [`Error::DictionaryLevel`].
    #[inline(always)]
    pub fn with_dictionary(
        options: Options,
        dictionary: impl Primer,
        mut memory: W,
    ) -> Result<Self, Error> {
        let dictionary = dictionary.dictionary();
        check::<M>(options.level, dictionary)?;
        let can = options.level.pretrains() && dictionary.is_none();
        let options = options.pretrained(options.pretrained && can);
        let wrong = |size| size > MAX_CONTENT_SIZE || options.sync_points;
        if options.content_size.is_some_and(wrong) {
            return Err(Error::ContentSize);
        }
        match options.filter {
            Some(id @ (Header::UNPACKED | Header::NUMBERED)) if options.sync_points => {
                return Err(Error::Filter(id));
            }
            Some(id @ Header::NUMBERED) if dictionary.is_some() => return Err(Error::Filter(id)),
            _ => {}
        }
        let size = options.level.workspace();
        memory.prepare(size)?;
        let mut result = Ok(Self {
            memory,
            model: M::BLANK,
            coder: BitEncoder::new(false),
            fallback: Fallback::new(),
            crc: Crc32::new(),
            options,
            taken: 0,
            pending: Pending::new(),
            state: EncoderState::Body,
        });
        // Started where it will stay: the result is large, and moving it would
        // take as much stack again.
        if let Ok(encoder) = &mut result {
            let (model, memory) = (&mut encoder.model, encoder.memory.bytes(size));
            let numbered = options.filter == Some(Header::NUMBERED);
            let start = Start { pretrained: options.pretrained, numbered };
            begin(options.level, dictionary, start, model, memory);
            start_filter(&mut encoder.model, options.level, options.filter, Way::Forth)?;
            let id = dictionary.map(|dictionary| dictionary.id());
            options.write_header(id, &mut encoder.pending, &mut encoder.crc);
        }
        result
    }

    /// Takes what it can from `input` and writes what it can to `output`.
    /// Never returns [`Status::Done`].
    ///
    /// # Errors
    /// [`Error::ContentSize`] if there is more input than was declared,
    /// [`Error::Corrupt`] if it should be unpacked content or numbered words and is not,
    /// [`Error::Finished`] after [`Self::finish`].
    pub fn encode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Error> {
        match self.state {
            EncoderState::Body | EncoderState::Synced | EncoderState::Syncing => {}
            EncoderState::Failed(error) => return Err(error),
            _ => return Err(Error::Finished),
        }
        let mut produced = 0;
        if self.state == EncoderState::Syncing && self.model.stage().is_some() {
            // The sync point was begun, so it comes first.
            let progress = self.flush(output)?;
            if progress.status == Status::OutputFull {
                return Ok(progress);
            }
            produced = progress.produced;
        }
        let memory = self.memory.bytes(self.options.level.workspace());
        let mut consumed = 0;
        let status = loop {
            if !self.pending.drain(output, &mut produced) {
                break Status::OutputFull;
            }
            let Some(&byte) = input.get(consumed) else {
                break Status::NeedsInput;
            };
            match self.options.content_size {
                Some(size) if size == self.taken && !self.options.is_rewritten() => {
                    self.state = EncoderState::Failed(Error::ContentSize);
                    return Err(Error::ContentSize);
                }
                _ => {}
            }
            if let Some(byte) = pass(&mut self.model, byte) {
                let end_p = self.options.end_p();
                let (coder, model) = (&mut self.coder, &mut self.model);
                let emit = |b| self.pending.push(b);
                encode_byte(byte, end_p, coder, model, memory, &mut self.fallback, emit);
            }
            self.state = EncoderState::Body;
            consumed += 1;
            if self.options.is_rewritten() {
                let (crc, taken) = (&mut self.crc, &mut self.taken);
                let give = |byte| {
                    crc.update(byte);
                    *taken += 1;
                };
                let written = match self.options.filter {
                    Some(Header::NUMBERED) => spell(&mut self.model, give),
                    _ => pack_again(&mut self.model, byte, memory, give),
                };
                if let Err(error) = written {
                    self.state = EncoderState::Failed(error);
                    return Err(error);
                }
                continue;
            }
            self.crc.update(byte);
            self.taken += 1;
        };
        Ok(Progress { consumed, produced, status })
    }

    /// Makes a sync point: what is written up to here decodes to all of the
    /// content up to here, without what follows. To be called until it returns
    /// [`Status::NeedsInput`]; if there was no content since the last sync point
    /// it does nothing.
    ///
    /// It costs about six bytes; the model goes on.
    ///
    /// ```
    /// # use statesmix::{Decoder, Encoder, Level, Options};
    /// # let (mut ours, mut theirs) = ([0; Level::MIN.workspace()], [0; Level::MIN.workspace()]);
    /// let options = Options::new(Level::MIN).sync_points(true);
    /// let mut encoder: Encoder<_> = Encoder::new(options, &mut ours)?;
    /// let mut decoder: Decoder<_> = Decoder::new(Level::MIN, &mut theirs);
    /// for line in [b"21.5 48\n", b"21.6 48\n", b"21.6 49\n"] {
    ///     let (mut code, mut text) = ([0; 64], [0; 64]);
    ///     let len = encoder.encode(line, &mut code)?.produced;
    ///     let len = len + encoder.flush(&mut code[len..])?.produced;
    ///     let got = decoder.decode(&code[..len], &mut text)?;
    ///     assert_eq!(&text[..got.produced], line);
    /// }
    /// # Ok::<(), statesmix::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSyncPoints`] if the options do not provide for them,
    /// [`Error::Finished`] after [`Self::finish`].
    pub fn flush(&mut self, output: &mut [u8]) -> Result<Progress, Error> {
        if !self.options.sync_points {
            return Err(Error::NoSyncPoints);
        }
        let mut produced = 0;
        while self.pending.drain(output, &mut produced) {
            match self.state {
                EncoderState::Failed(error) => return Err(error),
                EncoderState::Synced => {
                    return Ok(Progress { consumed: 0, produced, status: Status::NeedsInput });
                }
                EncoderState::Body => self.state = EncoderState::Syncing,
                EncoderState::Syncing => self.sync(),
                _ => return Err(Error::Finished),
            }
        }
        Ok(Progress { consumed: 0, produced, status: Status::OutputFull })
    }

    /// Codes a byte that the filter has held back or, if there is none, the sync
    /// point.
    fn sync(&mut self) {
        if self.code_rest() {
            return;
        }
        self.end_code(false);
        self.push_tail(4);
        self.coder = BitEncoder::new(false);
        self.state = EncoderState::Synced;
    }

    /// Codes a byte that the filter has held back; whether there was one.
    fn code_rest(&mut self) -> bool {
        let Some(byte) = self.model.stage().and_then(Stage::rest) else {
            return false;
        };
        let memory = self.memory.bytes(self.options.level.workspace());
        let end_p = self.options.end_p();
        let (coder, model) = (&mut self.coder, &mut self.model);
        let emit = |b| self.pending.push(b);
        encode_byte(byte, end_p, coder, model, memory, &mut self.fallback, emit);
        true
    }

    /// Codes that here is the end, or a sync point.
    fn end_code(&mut self, end: bool) {
        self.coder.encode(true, END_P, |b| self.pending.push(b));
        if self.options.sync_points {
            self.coder.encode(!end, RAW_P, |b| self.pending.push(b));
        }
    }

    /// Writes the tail of the code, of `least` bytes or more.
    fn push_tail(&mut self, least: usize) {
        let (value, len) = self.coder.finish();
        value.to_be_bytes()[..len.max(least)].iter().for_each(|&b| self.pending.push(b));
    }

    /// Ends the frame; to be called until it returns [`Status::Done`].
    ///
    /// # Errors
    /// [`Error::ContentSize`] if there was less input than declared,
    /// [`Error::Corrupt`] if unpacked content or numbered words cannot end here.
    pub fn finish(&mut self, output: &mut [u8]) -> Result<Progress, Error> {
        let mut produced = 0;
        while self.pending.drain(output, &mut produced) {
            match self.state {
                EncoderState::Failed(error) => return Err(error),
                EncoderState::Syncing => self.sync(),
                EncoderState::Body | EncoderState::Synced => {
                    self.state = match self.options.content_size {
                        Some(size) if size != self.taken => {
                            EncoderState::Failed(Error::ContentSize)
                        }
                        _ if !is_complete(&mut self.model, self.options.filter) => {
                            EncoderState::Failed(Error::Corrupt)
                        }
                        _ => EncoderState::Rest,
                    };
                }
                EncoderState::Rest => {
                    if self.code_rest() {
                        continue;
                    }
                    if self.options.end_p().is_some() {
                        self.end_code(true);
                    }
                    self.state = EncoderState::Tail;
                }
                EncoderState::Tail => {
                    // The decoder reads four bytes ahead; a checksum feeds it.
                    self.push_tail(if self.options.checksum { 0 } else { 4 });
                    if self.options.checksum {
                        let crc = self.crc.value().to_le_bytes();
                        crc.iter().for_each(|&b| self.pending.push(b));
                    }
                    self.state = EncoderState::Done;
                }
                EncoderState::Done => {
                    return Ok(Progress { consumed: 0, produced, status: Status::Done });
                }
            }
        }
        Ok(Progress { consumed: 0, produced, status: Status::OutputFull })
    }

    /// Bytes of content taken so far.
    pub fn content_bytes(&self) -> u64 {
        self.taken
    }

    /// How many of the 2^32 values of the coder are left to the content that
    /// follows. With `n` bytes written, nothing waiting, the frame has come to
    /// exactly `8 n + 32 - log2(range)` bits: what a single byte has cost is the
    /// difference. (A filter passes bytes on seven bytes later.)
    pub fn code_range(&self) -> u64 {
        self.coder.range()
    }

    /// What the parts of the model have to say of the next bit.
    pub fn evidence(&mut self) -> Evidence {
        let memory = self.memory.bytes(self.options.level.workspace());
        let [ngrams, repeats, state_space, residuals] = self.model.evidence(memory);
        Evidence { ngrams, repeats, state_space, residuals }
    }
}

/// Begins the filter of a frame, if it has one.
fn start_filter<M: Model>(
    model: &mut M,
    level: Level,
    id: Option<u8>,
    way: Way,
) -> Result<(), Error> {
    let mut id = id;
    if id == Some(Header::NUMBERED) && level.numbers_words() {
        id = None;
    }
    if id == Some(Header::UNPACKED) && level.unpacks() {
        *model.repacker().ok_or(Error::Filter(Header::UNPACKED))? = Repacker::NEW;
        id = None;
    }
    match (model.stage(), id) {
        (None, None) => {}
        (Some(stage), None) => *stage = Stage::NONE,
        (Some(stage), Some(id)) => {
            *stage = Stage::new(Filter::from_id(id).ok_or(Error::Filter(id))?, way);
        }
        (None, Some(id)) => return Err(Error::Filter(id)),
    }
    Ok(())
}

/// Passes a byte through the filter, if there is one. See [`Stage::pass`].
#[inline]
fn pass<M: Model>(model: &mut M, byte: u8) -> Option<u8> {
    match model.stage() {
        Some(stage) => stage.pass(byte),
        None => Some(byte),
    }
}

/// Packs a byte of unpacked content again, and gives what comes of it.
#[inline(never)]
fn pack_again<M: Model>(
    model: &mut M,
    byte: u8,
    memory: &mut [u8],
    mut give: impl FnMut(u8),
) -> Result<(), Error> {
    let memory = repack::area(memory);
    let repacker = model.repacker().ok_or(Error::Filter(Header::UNPACKED))?;
    repacker.push(byte, memory)?;
    while let Some(byte) = repacker.peek(memory)? {
        give(byte);
        repacker.take();
    }
    Ok(())
}

/// Gives what the last byte of numbered text says.
#[inline(never)]
fn spell<M: Model>(model: &mut M, mut give: impl FnMut(u8)) -> Result<(), Error> {
    let speller = model.speller().ok_or(Error::Filter(Header::NUMBERED))?;
    while let Some(byte) = speller.peek()? {
        give(byte);
        speller.take();
    }
    Ok(())
}

/// Whether content that is rewritten may end here.
fn is_complete<M: Model>(model: &mut M, filter: Option<u8>) -> bool {
    match filter {
        Some(Header::UNPACKED) => model.repacker().is_some_and(|packer| packer.is_complete()),
        Some(Header::NUMBERED) => model.speller().is_some_and(|speller| speller.is_complete()),
        _ => true,
    }
}

/// Codes a byte with the model, or raw where the model has failed. Where the
/// size is unknown, a flag tells first that the end (of probability `end_p`) is
/// not here.
pub(crate) fn encode_byte<M: Model>(
    byte: u8,
    end_p: Option<u32>,
    coder: &mut BitEncoder,
    model: &mut M,
    memory: &mut [u8],
    fallback: &mut Fallback,
    mut emit: impl FnMut(u8),
) {
    let raw = fallback.is_raw();
    let mut coded = 0;
    let mut emit = |b| {
        coded += 1;
        emit(b);
    };
    if let Some(p) = end_p {
        coder.encode(false, p, &mut emit);
    }
    for i in (0..8).rev() {
        let bit = byte >> i & 1 == 1;
        let p = if raw { RAW_P } else { model.p() };
        coder.encode(bit, p, &mut emit);
        if !raw {
            model.update(bit, memory);
        }
    }
    if raw {
        model.skip(byte, memory);
    }
    fallback.byte_done(coded);
}

/// Decompresses a stream of frames.
///
/// ```
/// # use statesmix::{Decoder, Encoder, Level, Options, Status};
/// # let mut workspace = [0; Level::MIN.workspace()];
/// # let mut encoder: Encoder<_> = Encoder::new(Options::new(Level::MIN), &mut workspace)?;
/// # let mut frame = [0; 64];
/// # let a = encoder.encode(b"hello, hello, hello", &mut frame)?.produced;
/// # let len = a + encoder.finish(&mut frame[a..])?.produced;
/// # let frame = &frame[..len];
/// let mut decoder: Decoder<_> = Decoder::new(Level::MIN, &mut workspace);
/// let mut content = [0; 64];
/// let done = decoder.decode(frame, &mut content)?;
/// assert_eq!(done.status, Status::Done);
/// assert_eq!(&content[..done.produced], b"hello, hello, hello");
/// # Ok::<(), statesmix::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder<W, M = AnyLevel, D = ()> {
    memory: W,
    limit: Level,
    primer: D,
    /// Bytes of content that may still be given.
    allowed: u64,
    header: Option<Header>,
    /// Bytes after the header, up to where this call began. (Modulo 2^64: in the
    /// call that read the header that is before it.)
    code: u64,
    state: DecoderState,
    body: Body<M>,
}

#[derive(Clone, Copy, Debug)]
enum DecoderState {
    Header {
        bytes: [u8; MAX_HEADER],
        len: u8,
    },
    /// The first bytes of the code, or of that after a sync point.
    Start {
        code: u32,
        len: u32,
        synced: bool,
    },
    Body,
    Checksum {
        bytes: u32,
        len: usize,
    },
    Failed(Error),
}

/// A frame being decoded, from [`DecoderState::Start`] on. Made once and set up
/// in place for each frame: it is large, and moving it would take as much stack.
#[derive(Debug)]
struct Body<M> {
    model: M,
    coder: BitDecoder,
    fallback: Fallback,
    crc: Crc32,
    decoded: u64,
    /// What the end flag says, where the size is not known.
    end: End,
    /// Bits of the current byte with a leading 1; 0 before the end flag.
    partial: u32,
    /// Code bytes fed since the current byte began.
    fed: u32,
}

/// How far the end of a code has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    No,
    /// The end flag has come: what ends is still to be said if there are sync
    /// points.
    Flag,
    Frame,
    SyncPoint,
}

/// Why decoding a body has stopped.
enum Stop {
    Io(Status),
    End,
    SyncPoint,
    Failed(Error),
}

const AT_HEADER: (u8, [u8; MAX_HEADER]) = (0, [0; MAX_HEADER]);

impl<W: Memory, M: Model> Decoder<W, M> {
    /// A decoder that accepts levels up to `limit` and works in `memory`, of
    /// [`Level::workspace`] bytes for the highest level that comes.
    pub const fn new(limit: Level, memory: W) -> Self {
        Self::with_dictionary(limit, (), memory)
    }

    /// A decoder that knows `dictionary`, for the frames that need it.
    pub const fn with_dictionary<D: Primer>(
        limit: Level,
        dictionary: D,
        memory: W,
    ) -> Decoder<W, M, D> {
        let (len, bytes) = AT_HEADER;
        Decoder {
            memory,
            limit,
            primer: dictionary,
            allowed: u64::MAX,
            header: None,
            code: 0,
            state: DecoderState::Header { bytes, len },
            body: Body {
                model: M::BLANK,
                coder: BitDecoder::new(0, false),
                fallback: Fallback::new(),
                crc: Crc32::new(),
                decoded: 0,
                end: End::No,
                partial: 0,
                fed: 0,
            },
        }
    }
}

#[warn(clippy::indexing_slicing)]
impl<W: Memory, M: Model, D: Primer> Decoder<W, M, D> {
    /// Allows no more than `bytes` of content, of all frames together: a byte of
    /// code can stand for 45,000. Content up to the limit is still given, unless
    /// the header states more.
    #[must_use]
    #[inline(always)] // or it would be on the stack twice
    pub const fn output_limit(mut self, bytes: u64) -> Self {
        self.allowed = bytes;
        self
    }

    /// Takes what it can from `input` and writes what it can to `output`.
    /// [`Status::Done`] tells that a frame is complete and its checksum right;
    /// more input then begins another frame.
    ///
    /// # Errors
    /// Those of [`Header::parse`], [`Error::LevelLimit`], [`Error::Memory`],
    /// [`Error::Dictionary`], [`Error::Filter`] at the header;
    /// [`Error::Corrupt`] and [`Error::Checksum`] later; [`Error::OutputLimit`]
    /// at either. Output given before an error is not to be trusted.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Error> {
        let room = usize::try_from(self.allowed).unwrap_or(usize::MAX).min(output.len());
        let output = output.get_mut(..room).unwrap_or_default();
        let mut io = Io { input, consumed: 0, output, produced: 0 };
        let result = match self.run(&mut io) {
            // A byte is there that must not be given.
            Ok(Status::OutputFull) if self.allowed == 0 => Err(Error::OutputLimit),
            result => result,
        };
        match result {
            Ok(status) => {
                self.code = self.code.wrapping_add(io.consumed as u64);
                self.allowed -= io.produced as u64;
                Ok(Progress { consumed: io.consumed, produced: io.produced, status })
            }
            Err(error) => {
                self.state = DecoderState::Failed(error);
                Err(error)
            }
        }
    }

    /// To be called when the input has ended.
    ///
    /// # Errors
    /// [`Error::Truncated`] if that is in the middle of a frame, or the error
    /// that has occurred before.
    pub fn end(&self) -> Result<(), Error> {
        match self.state {
            DecoderState::Header { len: 0, .. } => Ok(()),
            DecoderState::Failed(error) => Err(error),
            _ => Err(Error::Truncated),
        }
    }

    /// The header of the frame being decoded or, between two frames, of the
    /// last one: also of a frame that was refused for its header.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    fn run(&mut self, io: &mut Io) -> Result<Status, Error> {
        loop {
            match &mut self.state {
                DecoderState::Header { .. } => {
                    if !self.read_header(io)? {
                        return Ok(Status::NeedsInput);
                    }
                    self.state = DecoderState::Start { code: 0, len: 0, synced: false };
                }
                DecoderState::Start { code, len, synced } => {
                    let Some(byte) = io.next() else {
                        return Ok(Status::NeedsInput);
                    };
                    *code = *code << 8 | u32::from(byte);
                    *len += 1;
                    if *len == 4
                        && let Some(header) = self.header
                    {
                        if *synced {
                            self.body.resume(*code);
                        } else {
                            let size = header.level.workspace();
                            self.memory.prepare(size)?;
                            let dictionary =
                                self.primer.dictionary().filter(|_| header.dictionary.is_some());
                            let memory = self.memory.bytes(size);
                            self.body.start(header, dictionary, *code, memory);
                        }
                        self.state = DecoderState::Body;
                    }
                }
                DecoderState::Body => {
                    let (body, header) = (&mut self.body, self.header.as_ref());
                    let header = header.ok_or(Error::Corrupt)?; // there is one in a body
                    let memory = self.memory.bytes(header.level.workspace());
                    match body.run(header, memory, io) {
                        Stop::Io(status) => return Ok(status),
                        Stop::SyncPoint => {
                            self.state = DecoderState::Start { code: 0, len: 0, synced: true };
                            continue;
                        }
                        Stop::Failed(error) => return Err(error),
                        Stop::End => {}
                    }
                    let (kept, rest) = body.coder.finish();
                    self.state = if header.checksum {
                        let len = 4 - kept;
                        let bytes = rest
                            .to_be_bytes()
                            .iter()
                            .take(len)
                            .rev()
                            .fold(0, |n, &b| n << 8 | u32::from(b));
                        DecoderState::Checksum { bytes, len }
                    } else {
                        return self.done(io);
                    };
                }
                DecoderState::Checksum { bytes, len } => {
                    if *len < 4 {
                        let Some(byte) = io.next() else {
                            return Ok(Status::NeedsInput);
                        };
                        *bytes |= u32::from(byte) << (8 * *len);
                        *len += 1;
                    } else if *bytes == self.body.crc.value() {
                        return self.done(io);
                    } else {
                        return Err(Error::Checksum);
                    }
                }
                DecoderState::Failed(error) => return Err(*error),
            }
        }
    }

    /// Whether all of the header was there. Apart from [`Self::run`], so that what
    /// it needs is not on the stack while the model works.
    #[inline(never)]
    fn read_header(&mut self, io: &mut Io) -> Result<bool, Error> {
        let DecoderState::Header { bytes, len } = &mut self.state else {
            return Ok(true);
        };
        while let Some(byte) = io.next() {
            *bytes.get_mut(usize::from(*len)).ok_or(Error::Corrupt)? = byte; // none is longer
            *len += 1;
            let bytes = bytes.get(..usize::from(*len)).unwrap_or_default();
            if let Some((header, _)) = Header::parse(bytes)? {
                self.body.crc = header.checksum(bytes);
                self.header = Some(header);
                self.code = (io.consumed as u64).wrapping_neg();
                self.accept(&header)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ends a frame, which must be as long as its header states.
    fn done(&mut self, io: &Io) -> Result<Status, Error> {
        let code = self.code.wrapping_add(io.consumed as u64);
        if self.header.and_then(|header| header.code_size).is_some_and(|size| size != code) {
            return Err(Error::Corrupt);
        }
        let (len, bytes) = AT_HEADER;
        self.state = DecoderState::Header { bytes, len };
        Ok(Status::Done)
    }

    /// Refuses what it cannot or must not decode.
    fn accept(&mut self, header: &Header) -> Result<(), Error> {
        if header.level > self.limit || !M::supports(header.level) {
            return Err(Error::LevelLimit(header.level));
        }
        if let Some(id) = header.dictionary {
            match self.primer.dictionary() {
                Some(dictionary) if dictionary.id() == id => {
                    if dictionary.level() != header.level {
                        return Err(Error::Corrupt);
                    }
                }
                _ => return Err(Error::Dictionary(id)),
            }
        }
        if header.content_size.is_some_and(|size| size > self.allowed) {
            return Err(Error::OutputLimit);
        }
        let rewritten = matches!(header.filter, Some(Header::UNPACKED | Header::NUMBERED));
        let primed = header.filter == Some(Header::NUMBERED) && header.dictionary.is_some();
        if rewritten && header.sync_points || primed {
            return Err(Error::Corrupt);
        }
        start_filter(&mut self.body.model, header.level, header.filter, Way::Back)
    }
}

#[warn(clippy::indexing_slicing)]
impl<M: Model> Body<M> {
    /// Begins the content of a frame whose code begins with `code`.
    fn start(
        &mut self,
        header: Header,
        dictionary: Option<Dictionary>,
        code: u32,
        memory: &mut [u8],
    ) {
        let numbered = header.filter == Some(Header::NUMBERED);
        let start = Start { pretrained: header.pretrained, numbered };
        begin(header.level, dictionary, start, &mut self.model, memory);
        self.fallback = Fallback::new();
        self.decoded = 0;
        self.resume(code);
    }

    /// Goes on with the code after a sync point, which begins with `code`.
    fn resume(&mut self, code: u32) {
        self.coder = BitDecoder::new(code, false);
        (self.end, self.partial, self.fed) = (End::No, 0, 0);
    }

    /// Decodes until something runs out or ends.
    fn run(&mut self, header: &Header, memory: &mut [u8], io: &mut Io) -> Stop {
        let unpacked = header.filter == Some(Header::UNPACKED);
        let numbered = header.filter == Some(Header::NUMBERED);
        let rewritten = unpacked || numbered;
        let size = header.content_size.filter(|_| !rewritten);
        loop {
            while self.coder.hungry() {
                let Some(byte) = io.next() else {
                    return Stop::Io(Status::NeedsInput);
                };
                self.coder.feed(byte);
                self.fed += 1;
            }
            if self.partial == 0 {
                // Between two bytes.
                if rewritten {
                    match self.give_rewritten(header, memory, io) {
                        Ok(true) => {}
                        Ok(false) => return Stop::Io(Status::OutputFull),
                        Err(error) => return Stop::Failed(error),
                    }
                }
                match (size, self.end) {
                    (Some(size), _) if self.decoded == size => return self.rest(io, Stop::End),
                    (None, End::No) if self.coder.decode(END_P) => self.end = End::Flag,
                    (None, End::Flag) if header.sync_points => {
                        let goes_on = self.coder.decode(RAW_P);
                        self.end = if goes_on { End::SyncPoint } else { End::Frame };
                    }
                    (None, End::Flag | End::Frame) if rewritten => {
                        let whole = header.content_size.is_none_or(|size| size == self.decoded);
                        let right = whole && is_complete(&mut self.model, header.filter);
                        return if right { Stop::End } else { Stop::Failed(Error::Corrupt) };
                    }
                    (None, End::Flag | End::Frame) => return self.rest(io, Stop::End),
                    (None, End::SyncPoint) => return self.rest(io, Stop::SyncPoint),
                    _ => self.partial = 1,
                }
                continue;
            }
            if self.partial >= 256 {
                let byte = self.partial as u8;
                if unpacked {
                    let memory = repack::area(memory);
                    let pushed = self.model.repacker().map(|packer| packer.push(byte, memory));
                    if let Some(Err(error)) = pushed {
                        return Stop::Failed(error);
                    }
                } else if !numbered {
                    let Some(place) = io.output.get_mut(io.produced) else {
                        return Stop::Io(Status::OutputFull);
                    };
                    if let Some(byte) = pass(&mut self.model, byte) {
                        *place = byte;
                        io.produced += 1;
                        self.crc.update(byte);
                    }
                    self.decoded += 1;
                }
                if self.fallback.is_raw() {
                    self.model.skip(byte, memory);
                }
                self.fallback.byte_done(self.fed);
                self.fed = 0;
                self.partial = 0;
                continue;
            }
            let raw = self.fallback.is_raw();
            let p = if raw { RAW_P } else { self.model.p() };
            let bit = self.coder.decode(p);
            if !raw {
                self.model.update(bit, memory);
            }
            self.partial = self.partial << 1 | u32::from(bit);
        }
    }

    /// Gives what has been packed again or spelled out; whether there was room for all of
    /// it.
    #[inline(never)]
    fn give_rewritten(
        &mut self,
        header: &Header,
        memory: &mut [u8],
        io: &mut Io,
    ) -> Result<bool, Error> {
        loop {
            let next = match header.filter {
                Some(Header::NUMBERED) => self.model.speller().map(|speller| speller.peek()),
                _ => {
                    let memory = repack::area(memory);
                    self.model.repacker().map(|packer| packer.peek(memory))
                }
            };
            let Some(byte) = next.transpose()?.flatten() else {
                return Ok(true);
            };
            if header.content_size == Some(self.decoded) {
                return Err(Error::Corrupt);
            }
            let Some(place) = io.output.get_mut(io.produced) else {
                return Ok(false);
            };
            *place = byte;
            match header.filter {
                Some(Header::NUMBERED) => self.model.speller().map(Speller::take),
                _ => self.model.repacker().map(Repacker::take),
            };
            io.produced += 1;
            self.crc.update(byte);
            self.decoded += 1;
        }
    }

    /// Gives what the filter has held back, then stops for the reason `stop`.
    fn rest(&mut self, io: &mut Io, stop: Stop) -> Stop {
        let Some(stage) = self.model.stage() else {
            return stop;
        };
        while stage.holds() {
            let Some(place) = io.output.get_mut(io.produced) else {
                return Stop::Io(Status::OutputFull);
            };
            if let Some(byte) = stage.rest() {
                *place = byte;
                io.produced += 1;
                self.crc.update(byte);
            }
        }
        stop
    }
}

/// Input and output of one call.
struct Io<'a> {
    input: &'a [u8],
    consumed: usize,
    output: &'a mut [u8],
    produced: usize,
}

impl Io<'_> {
    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = *self.input.get(self.consumed)?;
        self.consumed += 1;
        Some(byte)
    }
}

/// Where a reader is in the piece of code that it has read last.
#[cfg(any(feature = "std", feature = "embedded-io"))]
#[derive(Debug, Default)]
pub(crate) struct Unread {
    start: usize,
    end: usize,
    /// Whether anything was ever read.
    any: bool,
}

#[cfg(any(feature = "std", feature = "embedded-io"))]
impl Unread {
    /// Forgets the rest of the piece, for the reader has moved.
    #[cfg(feature = "std")]
    pub(crate) fn forget(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Decodes into `buffer` what `read` gives by way of `piece`; returns how
    /// many bytes, 0 at the end.
    pub(crate) fn decode<W: Memory, M: Model, D: Primer, E: From<Error>>(
        &mut self,
        decoder: &mut Decoder<W, M, D>,
        piece: &mut [u8],
        buffer: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let progress = decoder.decode(&piece[self.start..self.end], buffer)?;
            self.start += progress.consumed;
            if progress.produced > 0 {
                return Ok(progress.produced);
            }
            if self.start == self.end {
                // Empty first: after an error, old bytes must not come again.
                (self.start, self.end) = (0, 0);
                self.end = read(piece)?;
                if self.end == 0 {
                    if !self.any {
                        return Err(Error::Truncated.into());
                    }
                    decoder.end()?;
                    return Ok(0);
                }
                self.any = true;
            }
        }
    }
}
