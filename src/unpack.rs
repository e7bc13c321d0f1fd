//! Finds what is packed with DEFLATE in a content, and unpacks it so that it
//! can be packed again to the bit.

mod inflate;

use alloc::vec::Vec;

use crate::deflate::Method;
use crate::frame::Crc32;
use crate::repack::{self, IDAT, Repacker, Wrap};
use inflate::inflate;

/// Streams of fewer bytes than this stay packed.
const LEAST: usize = 32;

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
    let mut unpacked = Vec::new();
    let mut maker = Maker { memory: Vec::new(), last: None, work: 16 * content.len() + (64 << 20) };
    let (mut begin, mut at) = (0, 0);
    while at + LEAST < content.len() {
        let room = most.saturating_sub(unpacked.len());
        let found = find(content, at, room);
        let Some((stream, note)) = found.and_then(|stream| {
            let note = maker.note(&stream, &content[stream.begin..stream.end])?;
            Some((stream, note))
        }) else {
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
    Some(unpacked)
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

/// The stream that begins at `at`, or behind the header there, whose content has
/// `room` bytes at most.
fn find(content: &[u8], at: usize, room: usize) -> Option<Stream> {
    let rest = &content[at..];
    let plain = |skip: usize| {
        let begin = at + skip;
        let (content, len) = inflate(content.get(begin..)?, room)?;
        Some(Stream { begin, end: begin + len, wrap: Wrap::None, content })
    };
    match *rest {
        [0x1F, 0x8B, 8, flags @ 0..32, ..] => plain(gzip_header(rest, flags)?),
        [b'P', b'K', 3, 4, _, _, _, _, 8, 0, ..] => {
            let half = |i: usize| usize::from(u16::from_le_bytes([rest[i], rest[i + 1]]));
            plain(30 + half(26) + half(28))
        }
        // A window of 32 KiB, and whatever level: others are rare, and two bytes
        // are little to go by.
        [0x78, second @ (0x01 | 0x5E | 0x9C | 0xDA), ..] => {
            let (content, len) = inflate(&rest[2..], room)?;
            let wrap = Wrap::Zlib([0x78, second]);
            let end = at + 2 + len + 4;
            (2 + len + 4 <= rest.len()).then_some(Stream { begin: at, end, wrap, content })
        }
        [_, _, _, _, b'I', b'D', b'A', b'T', ..] => find_png(content, at, room),
        _ => None,
    }
}

/// Length of a header of gzip (RFC 1952) with these flags.
fn gzip_header(header: &[u8], flags: u8) -> Option<usize> {
    let mut len = 10;
    if flags & 4 != 0 {
        len += 2 + usize::from(u16::from_le_bytes([*header.get(10)?, *header.get(11)?]));
    }
    // A name and a comment, each with a 0 behind it.
    for _ in 0..(flags >> 3 & 1) + (flags >> 4 & 1) {
        len += header.get(len..)?.iter().position(|&byte| byte == 0)? + 1;
    }
    Some(len + 2 * usize::from(flags >> 1 & 1))
}

/// The chunks of a PNG that begin at `begin`.
fn find_png(content: &[u8], begin: usize, room: usize) -> Option<Stream> {
    let (mut packed, mut end, mut chunk) = (Vec::new(), begin, 0);
    while let Some((&[a, b, c, d, ref kind @ ..], rest)) = content[end..].split_first_chunk::<8>()
        && *kind == IDAT
    {
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        let (Some(data), Some(sum)) = (rest.get(..len), rest.get(len..len + 4)) else {
            break;
        };
        let mut crc = Crc32::new();
        IDAT.iter().chain(data).for_each(|&byte| crc.update(byte));
        if sum != crc.value().to_be_bytes() {
            return None;
        }
        if end == begin {
            chunk = len;
        } else if len > chunk || packed.len() % chunk.max(1) != 0 {
            return None;
        }
        packed.extend_from_slice(data);
        end += 12 + len;
    }
    let (&[first, second], rest) = packed.split_first_chunk()?;
    let (content, len) = inflate(rest, room)?;
    let wrap = Wrap::Png {
        zlib: [first, second],
        chunk: chunk as u64,
        total: packed.len() as u64,
    };
    (packed.len() == len + 6).then_some(Stream { begin, end, wrap, content })
}

/// Finds out how streams were made.
struct Maker {
    memory: Vec<u8>,
    /// How the last one was made.
    last: Option<Method>,
    /// Bytes that may still be packed in trying.
    work: usize,
}

impl Maker {
    /// The note that, with its content behind it, makes the stream `packed`.
    fn note(&mut self, stream: &Stream, packed: &[u8]) -> Option<Vec<u8>> {
        if packed.len() < LEAST {
            return None;
        }
        self.memory.resize(repack::MEMORY, 0);
        let methods = self.last.into_iter().chain(methods(stream.wrap));
        for method in methods {
            let note = note(method, stream);
            if self.makes(&note, &stream.content, packed) {
                self.last = Some(method);
                return Some(note);
            }
            if self.work == 0 {
                return None;
            }
        }
        None
    }

    fn makes(&mut self, note: &[u8], content: &[u8], packed: &[u8]) -> bool {
        let mut repacker = Repacker::NEW;
        let mut rest = packed.iter();
        // No plain bytes before it.
        for &byte in [0].iter().chain(note).chain(content) {
            self.work = self.work.saturating_sub(1);
            if repacker.push(byte, &mut self.memory).is_err() {
                return false;
            }
            loop {
                match repacker.peek(&mut self.memory) {
                    Ok(Some(byte)) if rest.next() == Some(&byte) => repacker.take(),
                    Ok(None) => break,
                    _ => return false,
                }
            }
        }
        rest.next().is_none() && repacker.is_complete()
    }
}

/// What a stream begins with that is made by this method.
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
