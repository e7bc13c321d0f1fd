//! A large content as many frames, in several threads.
//!
//! Frames are cut by size alone, so the threads do not influence the bytes.
//! Each states the sizes of its content and of its code, so the frames of a
//! file can be found without decoding them.

use std::io::{self, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use statesmix::{Encoder, Error, Header, Heap, Level, Options, Status, max_frame_len};

use super::codec::{self, Done, Fault, Frame, PIECE, Setting};
use super::pool::{Line, Next, in_order};
use super::report::Meter;

/// Frames of more content than this are not held in memory, hence not decoded in
/// parallel.
pub(crate) const MAX_FRAME: u64 = 256 << 20;

/// Bytes of content of a frame, unless the user wants another size. The higher
/// the level, the longer its model goes on getting better.
pub(crate) fn default_frame_size(level: Level) -> u64 {
    match level.number() {
        0..=2 => 1 << 20,
        3 | 4 => 4 << 20,
        5 | 6 => 16 << 20,
        _ => 64 << 20,
    }
}

/// How many threads, and how much memory for all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threads {
    pub(crate) count: usize,
    pub(crate) memory: u64,
}

/// The memory of jobs that are not yet over.
#[derive(Debug)]
struct Budget {
    limit: u64,
    used: u64,
}

impl Budget {
    /// Whether there is room for a job; for one alone there always is, so that
    /// none waits for ever.
    fn take(&mut self, bytes: u64) -> bool {
        let fits = self.used == 0 || self.limit.saturating_sub(self.used) >= bytes;
        if fits {
            self.used += bytes;
        }
        fits
    }

    fn give_back(&mut self, bytes: u64) {
        self.used -= bytes;
    }
}

/// Memory that a frame takes while it is coded: that of its level, its content
/// and its code.
pub(crate) fn memory(level: Level, content: u64, code: u64) -> u64 {
    (level.memory() as u64).saturating_add(content).saturating_add(code)
}

/// As [`memory`], before there is a code.
pub(crate) fn memory_to_compress(level: Level, frame_size: u64) -> u64 {
    memory(level, frame_size, max_frame_len(frame_size as usize) as u64)
}

/// How to cut a content and compress its frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut<'a> {
    pub(crate) setting: Setting<'a>,
    /// Those of each frame, without its size.
    pub(crate) options: Options,
    /// Bytes of content of each frame but the last one, which may have less.
    pub(crate) frame_size: u64,
    /// Bytes of content in all, if they are known and must not change.
    pub(crate) total: Option<u64>,
    /// The memory has to suffice for one frame.
    pub(crate) threads: Threads,
}

/// Compresses all of `input` into frames.
pub(crate) fn encode(
    input: &mut dyn Read,
    output: &mut dyn Write,
    cut: Cut,
    meter: &mut Meter,
) -> Result<(), Fault> {
    let budget = Budget { limit: cut.threads.memory, used: 0 };
    let worked = AtomicU64::new(0);
    let mut line = Encoding { input, output, cut, budget, worked: &worked, meter, begun: false };
    in_order(&mut line, cut.threads.count, |content: Vec<u8>, stop| {
        encode_frame(&content, &cut, stop, &worked)
    })
}

struct Encoding<'a> {
    input: &'a mut dyn Read,
    output: &'a mut dyn Write,
    cut: Cut<'a>,
    budget: Budget,
    /// Bytes of content that the threads have coded.
    worked: &'a AtomicU64,
    meter: &'a mut Meter,
    begun: bool,
}

impl Encoding<'_> {
    fn need(&self) -> u64 {
        memory_to_compress(self.cut.setting.level, self.cut.frame_size)
    }
}

impl Line for Encoding<'_> {
    type Job = Vec<u8>;
    type Result = Result<Coded, Error>;

    fn next(&mut self) -> Result<Next<Vec<u8>>, Fault> {
        if !self.budget.take(self.need()) {
            return Ok(Next::Later);
        }
        let mut content = Vec::new();
        let mut input = (&mut *self.input).take(self.cut.frame_size);
        input.read_to_end(&mut content).map_err(Fault::Read)?;
        self.meter.read += content.len() as u64;
        // An empty input is an empty frame.
        let first = !std::mem::replace(&mut self.begun, true);
        let ended = content.is_empty() && !first;
        if let Some(total) = self.cut.total
            && (self.meter.read > total || ended && self.meter.read < total)
        {
            return Err(Error::ContentSize.into());
        }
        Ok(if ended { Next::End } else { Next::Job(content) })
    }

    fn take(&mut self, result: Self::Result) -> Result<(), Fault> {
        self.budget.give_back(self.need());
        let Coded { header, code } = result?;
        for part in [&header, &code] {
            self.output.write_all(part).map_err(Fault::Write)?;
            self.meter.written += part.len() as u64;
        }
        self.wait();
        Ok(())
    }

    fn wait(&mut self) {
        let worked = self.worked.load(Ordering::Relaxed);
        self.meter.tick(worked, worked);
    }
}

/// A frame whose header states its size.
struct Coded {
    header: Vec<u8>,
    code: Vec<u8>,
}

fn encode_frame(
    content: &[u8],
    cut: &Cut,
    stop: &AtomicBool,
    worked: &AtomicU64,
) -> Result<Coded, Error> {
    let options = cut.options.content_size(content.len() as u64);
    let mut encoder: Encoder<_> =
        Encoder::with_dictionary(options, cut.setting.dictionary, Heap::new())?;
    let (mut frame, mut room) = (Vec::new(), vec![0; PIECE]);
    for mut piece in content.chunks(PIECE) {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Finished); // which nobody sees
        }
        worked.fetch_add(piece.len() as u64, Ordering::Relaxed);
        while !piece.is_empty() {
            let progress = encoder.encode(piece, &mut room)?;
            piece = &piece[progress.consumed..];
            frame.extend_from_slice(&room[..progress.produced]);
        }
    }
    loop {
        let progress = encoder.finish(&mut room)?;
        frame.extend_from_slice(&room[..progress.produced]);
        if progress.status == Status::Done {
            break;
        }
    }
    let (mut header, len) = Header::parse(&frame)?.ok_or(Error::Truncated)?;
    frame.drain(..len);
    header.code_size = Some(frame.len() as u64);
    let mut bytes = [0; Header::MAX_LEN];
    let len = header.write(&mut bytes);
    Ok(Coded { header: bytes[..len].into(), code: frame })
}

/// Frames that state their sizes, found one after the other.
struct Finder<R> {
    input: BufReader<R>,
    /// The next header, or what there is of it.
    head: Vec<u8>,
    /// Whether there was a frame.
    begun: bool,
}

/// The header of a frame, and the sizes that it states.
struct Sized {
    header: Header,
    content: u64,
    code: u64,
}

impl<R: Read> Finder<R> {
    fn new(input: R) -> Self {
        Self { input: BufReader::new(input), head: Vec::new(), begun: false }
    }

    /// The next frame, as often as one likes; none where it states no sizes, is
    /// no frame, or is not there.
    fn peek(&mut self, meter: &mut Meter) -> Result<Option<Sized>, Fault> {
        loop {
            match Header::parse(&self.head) {
                Ok(Some((header, _))) => {
                    let sizes = header.content_size.zip(header.code_size);
                    return Ok(sizes.map(|(content, code)| Sized { header, content, code }));
                }
                Ok(None) => {}
                Err(_) => return Ok(None),
            }
            let before = self.head.len();
            (&mut self.input).take(1).read_to_end(&mut self.head).map_err(Fault::Read)?;
            if self.head.len() == before {
                return Ok(None);
            }
            meter.read += 1;
        }
    }

    /// The header of the frame that [`Self::peek`] has found; its code follows in
    /// the input.
    fn take_head(&mut self) -> Vec<u8> {
        self.begun = true;
        std::mem::take(&mut self.head)
    }

    /// What follows the frames taken; none if that is nothing. An input without
    /// any frame is left to whoever says so.
    fn rest(self, meter: &mut Meter) -> Option<io::Chain<io::Cursor<Vec<u8>>, BufReader<R>>> {
        if self.begun && self.head.is_empty() {
            return None;
        }
        meter.read -= self.head.len() as u64;
        Some(io::Cursor::new(self.head).chain(self.input))
    }
}

/// Tells of all frames of `input`. Only those that do not state their sizes are
/// decompressed.
pub(crate) fn survey(
    input: &mut dyn Read,
    limit: Setting,
    meter: &mut Meter,
    done: Done,
) -> Result<(), Fault> {
    let mut finder = Finder::new(input);
    while let Some(Sized { header, content, code }) = finder.peek(meter)? {
        let head = finder.take_head().len() as u64;
        let passed = io::copy(&mut (&mut finder.input).take(code), &mut io::sink());
        let passed = passed.map_err(Fault::Read)?;
        meter.read += passed;
        if passed < code {
            return Err(Error::Truncated.into());
        }
        done(Frame { header, compressed: head + code, content }).map_err(Fault::Told)?;
    }
    match finder.rest(meter) {
        Some(mut rest) => codec::decode(&mut rest, &mut io::sink(), limit, meter, done),
        None => Ok(()),
    }
}

/// Decompresses all frames of `input`, as [`codec::decode`] does. From the
/// first on that does not state its sizes, has no room in memory, or exceeds the
/// limit of output, it uses one thread.
pub(crate) fn decode(
    input: &mut dyn Read,
    output: &mut dyn Write,
    limit: Setting,
    threads: Threads,
    meter: &mut Meter,
    done: Done,
) -> Result<(), Fault> {
    let finder = Finder::new(input);
    let budget = Budget { limit: threads.memory, used: 0 };
    let worked = AtomicU64::new(0);
    let mut line = Decoding {
        finder,
        output,
        limit,
        allowed: limit.output,
        budget,
        worked: &worked,
        meter,
        done,
    };
    in_order(&mut line, threads.count, |frame: Found, stop| {
        decode_frame(&frame, limit, stop, &worked)
    })?;
    let Decoding { finder, output, allowed, meter, done, .. } = line;
    let limit = Setting { output: allowed, ..limit };
    match finder.rest(meter) {
        Some(mut rest) => codec::decode(&mut rest, output, limit, meter, done),
        None => Ok(()),
    }
}

struct Decoding<'a, R> {
    finder: Finder<R>,
    output: &'a mut dyn Write,
    limit: Setting<'a>,
    /// Bytes of content that frames not found yet may have.
    allowed: u64,
    budget: Budget,
    /// Bytes of code that the threads have decoded.
    worked: &'a AtomicU64,
    meter: &'a mut Meter,
    done: Done<'a>,
}

/// A frame found in the input; a part of its code where the input ends within.
struct Found {
    header: Header,
    head: Vec<u8>,
    code: Vec<u8>,
    need: u64,
}

/// What became of it. What was decoded before an error is there all the same.
struct Decoded {
    frame: Frame,
    content: Vec<u8>,
    need: u64,
    result: Result<(), Error>,
}

impl<R: Read> Line for Decoding<'_, R> {
    type Job = Found;
    type Result = Decoded;

    /// Ends at the first frame that needs the other decoder, which also tells
    /// what is wrong with a bad one.
    fn next(&mut self) -> Result<Next<Found>, Fault> {
        let Some(Sized { header, content, code }) = self.finder.peek(self.meter)? else {
            return Ok(Next::End);
        };
        let need = memory(header.level, content, code);
        let too_large = content.max(code) > MAX_FRAME || need > self.budget.limit;
        if header.level > self.limit.level || too_large || content > self.allowed {
            return Ok(Next::End);
        }
        if !self.budget.take(need) {
            return Ok(Next::Later);
        }
        self.allowed -= content;
        let head = self.finder.take_head();
        let mut bytes = Vec::new();
        (&mut self.finder.input).take(code).read_to_end(&mut bytes).map_err(Fault::Read)?;
        self.meter.read += bytes.len() as u64;
        Ok(Next::Job(Found { header, head, code: bytes, need }))
    }

    fn take(&mut self, decoded: Decoded) -> Result<(), Fault> {
        self.budget.give_back(decoded.need);
        self.output.write_all(&decoded.content).map_err(Fault::Write)?;
        self.meter.written += decoded.content.len() as u64;
        decoded.result?;
        (self.done)(decoded.frame).map_err(Fault::Told)?;
        self.wait();
        Ok(())
    }

    fn wait(&mut self) {
        self.meter.tick(self.worked.load(Ordering::Relaxed), self.meter.written);
    }
}

fn decode_frame(found: &Found, limit: Setting, stop: &AtomicBool, worked: &AtomicU64) -> Decoded {
    let mut content = Vec::new();
    let result = decode_into(&mut content, found, limit, stop, worked);
    let frame = Frame {
        header: found.header,
        compressed: (found.head.len() + found.code.len()) as u64,
        content: content.len() as u64,
    };
    Decoded { frame, content, need: found.need, result }
}

fn decode_into(
    content: &mut Vec<u8>,
    found: &Found,
    limit: Setting,
    stop: &AtomicBool,
    worked: &AtomicU64,
) -> Result<(), Error> {
    let mut decoder = limit.decoder();
    let mut room = vec![0; PIECE];
    let (head, code) = (std::iter::once(&found.head[..]), found.code.chunks(PIECE));
    for mut piece in head.chain(code) {
        worked.fetch_add(piece.len() as u64, Ordering::Relaxed);
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Finished); // which nobody sees
            }
            let progress = decoder.decode(piece, &mut room)?;
            piece = &piece[progress.consumed..];
            content.extend_from_slice(&room[..progress.produced]);
            match progress.status {
                Status::OutputFull => {}
                Status::Done | Status::NeedsInput => break,
            }
        }
    }
    let whole = found.header.code_size == Some(found.code.len() as u64);
    match decoder.end() {
        // The input goes on, but the header says that the frame does not.
        Err(Error::Truncated) if whole => Err(Error::Corrupt),
        result => result,
    }
}
