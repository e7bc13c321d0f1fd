//! Finds what is packed with DEFLATE in a content, and unpacks it so that it
//! can be packed again to the bit.

mod inflate;

use alloc::vec::Vec;

use crate::deflate::Method;
use crate::frame::Crc32;
use crate::repack::{self, IDAT, Repacker, SHORTEST_CHUNK, Wrap};
pub(crate) use inflate::inflate;

/// Bytes of a stream at least: what a smaller one saves is not worth its note.
const LEAST: usize = 32;

/// How many times as long what a stream holds may be, and bytes beyond: the model
/// needs its time for each byte of that, and little more is saved.
const FULLEST: usize = 64;
const FULL: usize = 64 << 10;

/// Bytes of a name in a header that are looked at.
const LONGEST_NAME: usize = 1024;

/// Unpacks the streams of DEFLATE in `content`, as they are in gzip, zip, PNG and
/// zlib, that zlib or gzip has made: what becomes of them can be packed again to
/// the bit. None if there are none. For an [`Encoder`](crate::Encoder) with
/// [`Options::unpacked`](crate::Options::unpacked).
///
/// What would take the result, as far as it is made by then, beyond `most` bytes
/// stays packed.
///
/// ```
/// # use statesmix::unpack;
/// assert_eq!(unpack(b"nothing is packed here", 1 << 20), None);
/// ```
#[must_use]
pub fn unpack(content: &[u8], most: usize) -> Option<Vec<u8>> {
    // Whatever the content: it is not gone over again and again.
    let work = content.len().saturating_mul(4).saturating_add(64 << 20);
    let mut search = Search { content, work, memory: Vec::new(), last: None };
    let mut unpacked = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while at + LEAST <= content.len() && search.work > 0 {
        let Some((stream, note)) = search.at(at, most.saturating_sub(unpacked.len())) else {
            at += 1;
            continue;
        };
        put_number(stream.begin - begin, &mut unpacked);
        unpacked.extend_from_slice(&content[begin..stream.begin]);
        unpacked.extend_from_slice(&note);
        unpacked.extend_from_slice(&stream.content);
        (begin, at) = (stream.end, stream.end);
    }
    if begin == 0 {
        return None;
    }
    if begin < content.len() {
        put_number(content.len() - begin, &mut unpacked);
        unpacked.extend_from_slice(&content[begin..]);
    }
    // Each stream has come back, but nothing is worse than a content that does not.
    repacks(&unpacked, content, &mut search.memory).then_some(unpacked)
}

/// A number in LEB128.
fn put_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 128 {
        out.push(number as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A stream that was found.
struct Stream {
    begin: usize,
    end: usize,
    wrap: Wrap,
    content: Vec<u8>,
}

struct Search<'a> {
    content: &'a [u8],
    /// Bytes that may still be looked at closely, unpacked or packed.
    work: usize,
    /// That of a [`Repacker`].
    memory: Vec<u8>,
    /// How the last stream was made.
    last: Option<Method>,
}

impl Search<'_> {
    /// The stream that begins at `at`, or behind the header there, whose content
    /// has `room` bytes at most, and its note.
    fn at(&mut self, at: usize, room: usize) -> Option<(Stream, Vec<u8>)> {
        let stream = self.find(at, room)?;
        let len = stream.end - stream.begin;
        if len < LEAST || stream.content.len() > FULLEST * len + FULL {
            return None;
        }
        let note = self.note(&stream)?;
        Some((stream, note))
    }

    fn find(&mut self, at: usize, room: usize) -> Option<Stream> {
        let rest = &self.content[at..];
        match *rest {
            [0x1F, 0x8B, 8, flags @ 0..32, ..] => self.plain(at + gzip_header(rest, flags)?, room),
            [b'P', b'K', 3, 4, _, _, _, _, 8, 0, ..] => {
                let half = |i: usize| usize::from(u16::from_le_bytes([rest[i], rest[i + 1]]));
                self.plain(at + 30 + half(26) + half(28), room)
            }
            // A window of 32 KiB, whatever the level: others are rare, and two bytes
            // are little to go by.
            [0x78, second @ (0x01 | 0x5E | 0x9C | 0xDA), ..] => {
                let Stream { end, content, .. } = self.plain(at + 2, room)?;
                let (end, wrap) = (end + 4, Wrap::Zlib([0x78, second]));
                (end <= self.content.len()).then_some(Stream { begin: at, end, wrap, content })
            }
            [_, _, _, _, b'I', b'D', b'A', b'T', ..] => self.png(at, room),
            _ => None,
        }
    }

    /// The stream without wrap at `begin`.
    fn plain(&mut self, begin: usize, room: usize) -> Option<Stream> {
        let packed = self.content.get(begin..)?;
        let (content, len) = self.inflate(packed, room)?;
        Some(Stream { begin, end: begin + len, wrap: Wrap::None, content })
    }

    fn inflate(&mut self, packed: &[u8], room: usize) -> Option<(Vec<u8>, usize)> {
        let mut content = Vec::new();
        let len = inflate(packed, room.min(self.work), &mut content);
        self.work = self.work.saturating_sub(content.len());
        Some((content, len?))
    }

    /// The chunks of a PNG at `begin`.
    fn png(&mut self, begin: usize, room: usize) -> Option<Stream> {
        let (mut packed, mut end, mut chunk) = (Vec::new(), begin, 0);
        while let Some((&[a, b, c, d, ref kind @ ..], rest)) =
            self.content[end..].split_first_chunk::<8>()
            && *kind == IDAT
        {
            let len = u32::from_be_bytes([a, b, c, d]) as usize;
            let (Some(data), Some(sum)) = (rest.get(..len), rest.get(len..len + 4)) else {
                break;
            };
            self.work = self.work.saturating_sub(len);
            let mut crc = Crc32::new();
            IDAT.iter().chain(data).for_each(|&byte| crc.update(byte));
            if sum != crc.value().to_be_bytes() || self.work == 0 {
                return None;
            }
            if end == begin {
                chunk = len;
            } else if len > chunk || packed.len() % chunk != 0 {
                return None;
            }
            packed.extend_from_slice(data);
            end += 12 + len;
        }
        let (&zlib, rest) = packed.split_first_chunk()?;
        let (content, len) = self.inflate(rest, room)?;
        let total = packed.len() as u64;
        let chunk = if packed.len() > chunk { chunk as u64 } else { total.max(SHORTEST_CHUNK) };
        let wrap = Wrap::Png { zlib, chunk, total };
        (packed.len() == len + 6).then_some(Stream { begin, end, wrap, content })
    }

    /// What, with its content behind it, makes the stream.
    fn note(&mut self, stream: &Stream) -> Option<Vec<u8>> {
        self.memory.resize(repack::MEMORY, 0);
        for method in self.last.into_iter().chain(methods(stream.wrap)) {
            let note = note(method, stream);
            if self.makes(&note, stream) {
                self.last = Some(method);
                return Some(note);
            }
        }
        None
    }

    fn makes(&mut self, note: &[u8], stream: &Stream) -> bool {
        let packed = &self.content[stream.begin..stream.end];
        // No plain bytes before it.
        let unpacked = [0].iter().chain(note).chain(&stream.content);
        let unpacked = unpacked.take_while(|_| {
            self.work = self.work.saturating_sub(1);
            self.work > 0
        });
        repacks(unpacked, packed, &mut self.memory)
    }
}

/// Whether unpacked content stands for `content`.
fn repacks<'a>(
    unpacked: impl IntoIterator<Item = &'a u8>,
    content: &[u8],
    memory: &mut [u8],
) -> bool {
    let mut repacker = Repacker::NEW;
    let mut rest = content.iter();
    for &byte in unpacked {
        if repacker.push(byte, memory).is_err() {
            return false;
        }
        loop {
            match repacker.peek(memory) {
                Ok(Some(byte)) if rest.next() == Some(&byte) => repacker.take(),
                Ok(None) => break,
                _ => return false,
            }
        }
    }
    rest.next().is_none() && repacker.is_complete()
}

/// Length of a header of gzip (RFC 1952) with these flags.
fn gzip_header(header: &[u8], flags: u8) -> Option<usize> {
    let mut len = 10;
    if flags & 4 != 0 {
        len += 2 + usize::from(u16::from_le_bytes([*header.get(10)?, *header.get(11)?]));
    }
    // A name and a comment, each with a 0 behind it.
    for _ in 0..(flags >> 3 & 1) + (flags >> 4 & 1) {
        let mut name = header.get(len..)?.iter().take(LONGEST_NAME);
        len += name.position(|&byte| byte == 0)? + 1;
    }
    Some(len + 2 * usize::from(flags >> 1 & 1))
}

/// What a stream made by this method begins with.
fn note(method: Method, stream: &Stream) -> Vec<u8> {
    let mut note = method.to_bytes().to_vec();
    match stream.wrap {
        Wrap::None => note.push(0),
        Wrap::Zlib(zlib) => {
            note.push(1);
            note.extend(zlib);
        }
        Wrap::Png { zlib, chunk, total } => {
            note.push(2);
            note.extend(zlib);
            put_number(chunk as usize, &mut note);
            put_number(total as usize, &mut note);
        }
    }
    put_number(stream.content.len(), &mut note);
    note
}

/// How a stream may have been made, the most likely first.
fn methods(wrap: Wrap) -> Vec<Method> {
    let (levels, memories, windows): (&[u8], &[u8], _) = match wrap {
        Wrap::None => (&[6, 9, 1, 8, 7, 5, 4, 3, 2], &[8, 0, 9], [15, 0]),
        Wrap::Zlib([first, second]) | Wrap::Png { zlib: [first, second], .. } => {
            let levels: &[u8] = match second >> 6 {
                0 => &[1],
                1 => &[5, 4, 3, 2],
                2 => &[6],
                _ => &[9, 8, 7],
            };
            // Encoders of PNG may state less than the window that they had.
            (levels, &[8, 9], [(first >> 4) + 8, 15])
        }
    };
    let filters: &[bool] = if wrap == Wrap::None { &[false] } else { &[false, true] };
    let mut methods = Vec::new();
    for window in windows {
        for &level in levels {
            for &memory in memories {
                for &filtered in filters {
                    let method = Method { level, filtered, window, memory };
                    if (9..=15).contains(&window) && !methods.contains(&method) {
                        methods.push(method);
                    }
                }
            }
        }
    }
    methods
}
