//! The stream: [`Encoder`] and [`Decoder`], which take input and output in
//! pieces of any size. The pieces do not influence the bytes.

use crate::coder::{BitDecoder, BitEncoder};
use crate::error::Error;
use crate::fallback::{Fallback, RAW_P};
use crate::filter::{Filter, Stage, Way};
use crate::frame::{Crc32, Header, MAX_CONTENT_SIZE, MAX_HEADER};
use crate::level::{AnyLevel, Level, Model};

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
    filter: Option<Filter>,
}

impl Options {
    /// This level, a checksum, no content size and no filter.
    pub const fn new(level: Level) -> Self {
        Self { level, content_size: None, checksum: true, filter: None }
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

    /// Passes the content through a filter for the machine code in it, which
    /// decoders undo. [`Filter::detect`] tells of one that may help.
    #[must_use]
    pub const fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EncoderState {
    Body,
    /// What the filter has held back.
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
    /// size is 2^63 or more, [`Error::Filter`] if a filter is wanted and the
    /// model has none (see [`Filtered`](crate::Filtered)).
    #[inline(always)] // or its result would be on the stack twice
    pub fn new(options: Options, mut memory: W) -> Result<Self, Error> {
        if !M::supports(options.level) {
            return Err(Error::NoSuchLevel);
        }
        if options.content_size.is_some_and(|size| size > MAX_CONTENT_SIZE) {
            return Err(Error::ContentSize);
        }
        let size = options.level.workspace();
        memory.prepare(size)?;
        let header = Header {
            level: options.level,
            content_size: options.content_size,
            checksum: options.checksum,
            dictionary: None,
            filter: options.filter.map(Filter::id),
        };
        let mut bytes = [0; MAX_HEADER];
        let len = header.write(&mut bytes);
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
            encoder.model.start(options.level, encoder.memory.bytes(size));
            start_filter(&mut encoder.model, header.filter, Way::Forth)?;
            for &byte in &bytes[..len] {
                encoder.pending.push(byte);
                encoder.crc.update(byte);
            }
        }
        result
    }

    /// Takes what it can from `input` and writes what it can to `output`.
    /// Never returns [`Status::Done`].
    ///
    /// # Errors
    /// [`Error::ContentSize`] if there is more input than was declared,
    /// [`Error::Finished`] after [`Self::finish`].
    pub fn encode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Error> {
        match self.state {
            EncoderState::Body => {}
            EncoderState::Failed(error) => return Err(error),
            _ => return Err(Error::Finished),
        }
        let memory = self.memory.bytes(self.options.level.workspace());
        let mut produced = 0;
        let mut consumed = 0;
        let status = loop {
            if !self.pending.drain(output, &mut produced) {
                break Status::OutputFull;
            }
            let Some(&byte) = input.get(consumed) else {
                break Status::NeedsInput;
            };
            match self.options.content_size {
                Some(size) if size == self.taken => {
                    self.state = EncoderState::Failed(Error::ContentSize);
                    return Err(Error::ContentSize);
                }
                _ => {}
            }
            if let Some(byte) = pass(&mut self.model, byte) {
                let end_p = self.options.content_size.is_none().then_some(END_P);
                let (coder, model) = (&mut self.coder, &mut self.model);
                let emit = |b| self.pending.push(b);
                encode_byte(byte, end_p, coder, model, memory, &mut self.fallback, emit);
            }
            self.crc.update(byte);
            self.taken += 1;
            consumed += 1;
        };
        Ok(Progress { consumed, produced, status })
    }

    /// Ends the frame; to be called until it returns [`Status::Done`].
    ///
    /// # Errors
    /// [`Error::ContentSize`] if there was less input than declared.
    pub fn finish(&mut self, output: &mut [u8]) -> Result<Progress, Error> {
        let mut produced = 0;
        while self.pending.drain(output, &mut produced) {
            match self.state {
                EncoderState::Failed(error) => return Err(error),
                EncoderState::Body => {
                    self.state = match self.options.content_size {
                        Some(size) if size != self.taken => {
                            EncoderState::Failed(Error::ContentSize)
                        }
                        _ => EncoderState::Rest,
                    };
                }
                EncoderState::Rest => {
                    if let Some(byte) = self.model.stage().and_then(Stage::rest) {
                        let memory = self.memory.bytes(self.options.level.workspace());
                        let end_p = self.options.content_size.is_none().then_some(END_P);
                        let (coder, model) = (&mut self.coder, &mut self.model);
                        let emit = |b| self.pending.push(b);
                        encode_byte(byte, end_p, coder, model, memory, &mut self.fallback, emit);
                        continue;
                    }
                    if self.options.content_size.is_none() {
                        self.coder.encode(true, END_P, |b| self.pending.push(b));
                    }
                    self.state = EncoderState::Tail;
                }
                EncoderState::Tail => {
                    let (value, len) = self.coder.finish();
                    // The decoder reads four bytes ahead; a checksum feeds it.
                    let len = if self.options.checksum { len } else { 4 };
                    value.to_be_bytes()[..len].iter().for_each(|&b| self.pending.push(b));
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
}

/// Begins the filter of a frame, if it has one.
fn start_filter<M: Model>(model: &mut M, id: Option<u8>, way: Way) -> Result<(), Error> {
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
pub struct Decoder<W, M = AnyLevel> {
    memory: W,
    limit: Level,
    header: Option<Header>,
    state: DecoderState,
    body: Body<M>,
}

#[derive(Clone, Copy, Debug)]
enum DecoderState {
    Header { bytes: [u8; MAX_HEADER], len: usize },
    Start { code: u32, len: u32 },
    Body,
    Checksum { bytes: u32, len: usize },
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
    /// Whether the end flag has come, where the size is not known.
    ended: bool,
    /// Bits of the current byte with a leading 1; 0 before the end flag.
    partial: u32,
    /// Code bytes fed since the current byte began.
    fed: u32,
}

const AT_HEADER: (usize, [u8; MAX_HEADER]) = (0, [0; MAX_HEADER]);

impl<W: Memory, M: Model> Decoder<W, M> {
    /// A decoder that accepts levels up to `limit` and works in `memory`, of
    /// [`Level::workspace`] bytes for the highest level that comes.
    pub const fn new(limit: Level, memory: W) -> Self {
        let (len, bytes) = AT_HEADER;
        Self {
            memory,
            limit,
            header: None,
            state: DecoderState::Header { bytes, len },
            body: Body {
                model: M::BLANK,
                coder: BitDecoder::new(0, false),
                fallback: Fallback::new(),
                crc: Crc32::new(),
                decoded: 0,
                ended: false,
                partial: 0,
                fed: 0,
            },
        }
    }

    /// Takes what it can from `input` and writes what it can to `output`.
    /// [`Status::Done`] tells that a frame is complete and its checksum right;
    /// more input then begins another frame.
    ///
    /// # Errors
    /// Those of [`Header::parse`], [`Error::LevelLimit`], [`Error::Memory`],
    /// [`Error::Dictionary`], [`Error::Filter`] at the header;
    /// [`Error::Corrupt`] and [`Error::Checksum`] later. Output given before an
    /// error is not to be trusted.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Error> {
        let mut io = Io { input, consumed: 0, output, produced: 0 };
        let result = self.run(&mut io);
        match result {
            Ok(status) => Ok(Progress { consumed: io.consumed, produced: io.produced, status }),
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
                DecoderState::Header { bytes, len } => {
                    let Some(byte) = io.next() else {
                        return Ok(Status::NeedsInput);
                    };
                    bytes[*len] = byte;
                    *len += 1;
                    if let Some((header, _)) = Header::parse(&bytes[..*len])? {
                        let mut crc = Crc32::new();
                        bytes[..*len].iter().for_each(|&byte| crc.update(byte));
                        self.body.crc = crc;
                        self.header = Some(header);
                        self.accept(&header)?;
                        self.state = DecoderState::Start { code: 0, len: 0 };
                    }
                }
                DecoderState::Start { code, len } => {
                    let Some(byte) = io.next() else {
                        return Ok(Status::NeedsInput);
                    };
                    *code = *code << 8 | u32::from(byte);
                    *len += 1;
                    if *len == 4
                        && let Some(header) = self.header
                    {
                        let size = header.level.workspace();
                        self.memory.prepare(size)?;
                        self.body.start(header.level, *code, self.memory.bytes(size));
                        self.state = DecoderState::Body;
                    }
                }
                DecoderState::Body => {
                    let (body, header) = (&mut self.body, self.header.as_ref());
                    let header = header.ok_or(Error::Corrupt)?; // there is one in a body
                    let memory = self.memory.bytes(header.level.workspace());
                    if let Some(status) = body.run(header.content_size, memory, io) {
                        return Ok(status);
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
                        let (len, bytes) = AT_HEADER;
                        self.state = DecoderState::Header { bytes, len };
                        return Ok(Status::Done);
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
                        let (len, bytes) = AT_HEADER;
                        self.state = DecoderState::Header { bytes, len };
                        return Ok(Status::Done);
                    } else {
                        return Err(Error::Checksum);
                    }
                }
                DecoderState::Failed(error) => return Err(*error),
            }
        }
    }

    /// Refuses what it cannot or must not decode.
    fn accept(&mut self, header: &Header) -> Result<(), Error> {
        if header.level > self.limit || !M::supports(header.level) {
            return Err(Error::LevelLimit(header.level));
        }
        if let Some(id) = header.dictionary {
            return Err(Error::Dictionary(id));
        }
        start_filter(&mut self.body.model, header.filter, Way::Back)
    }
}

impl<M: Model> Body<M> {
    /// Begins the content of a frame whose code begins with `code`.
    fn start(&mut self, level: Level, code: u32, memory: &mut [u8]) {
        self.model.start(level, memory);
        self.coder = BitDecoder::new(code, false);
        self.fallback = Fallback::new();
        (self.decoded, self.ended, self.partial, self.fed) = (0, false, 0, 0);
    }

    /// Decodes until something runs out (the status) or the content, of `size`
    /// bytes if that is known, ends.
    fn run(&mut self, size: Option<u64>, memory: &mut [u8], io: &mut Io) -> Option<Status> {
        loop {
            while self.coder.hungry() {
                let Some(byte) = io.next() else {
                    return Some(Status::NeedsInput);
                };
                self.coder.feed(byte);
                self.fed += 1;
            }
            if self.partial == 0 {
                // Between two bytes.
                match size {
                    Some(size) if self.decoded == size => return self.rest(io),
                    None if self.ended => return self.rest(io),
                    None if self.coder.decode(END_P) => self.ended = true,
                    _ => self.partial = 1,
                }
                continue;
            }
            if self.partial >= 256 {
                if io.produced == io.output.len() {
                    return Some(Status::OutputFull);
                }
                let byte = self.partial as u8;
                if let Some(byte) = pass(&mut self.model, byte) {
                    self.crc.update(byte);
                    io.give(byte);
                }
                self.decoded += 1;
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

    /// Gives what the filter has held back; the status if there is no room.
    fn rest(&mut self, io: &mut Io) -> Option<Status> {
        let stage = self.model.stage()?;
        while stage.holds() {
            if io.produced == io.output.len() {
                return Some(Status::OutputFull);
            }
            if let Some(byte) = stage.rest() {
                self.crc.update(byte);
                io.give(byte);
            }
        }
        None
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

    /// Writes a byte, for which there must be room.
    #[inline]
    fn give(&mut self, byte: u8) {
        self.output[self.produced] = byte;
        self.produced += 1;
    }
}
