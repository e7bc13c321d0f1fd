//! The frame: header and checksum around a coded body. `docs/format.md` is the
//! specification.
#![warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::error::Error;
use crate::level::Level;

/// The first bytes of every frame. The first of them is no ASCII, nor does it
/// begin a UTF-8 sequence that goes on with the second.
pub(crate) const MAGIC: [u8; 3] = [0xF5, b'S', b'M'];

/// The version of the format, which includes every detail of the model.
pub const FORMAT_VERSION: u8 = 0;

/// The largest content size a header can state.
pub(crate) const MAX_CONTENT_SIZE: u64 = (1 << 63) - 1;

/// Header of at most 3 + 1 + 1 + 9 + 4 + 1 + 9 bytes.
pub(crate) const MAX_HEADER: usize = 28;

const HAS_SIZE: u8 = 1;
const HAS_CHECKSUM: u8 = 2;
const HAS_DICTIONARY: u8 = 4;
const HAS_FILTER: u8 = 8;
const HAS_CODE_SIZE: u8 = 16;
const HAS_SYNC_POINTS: u8 = 32;
const PRETRAINED: u8 = 64;

/// What a frame says of itself before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The level, hence the memory needed to decode.
    pub level: Level,
    /// Bytes of content, if they were known when the frame was begun. Below
    /// 2^63.
    pub content_size: Option<u64>,
    /// Whether a CRC-32 of header and content follows the body.
    pub checksum: bool,
    /// The dictionary needed to decode.
    pub dictionary: Option<u32>,
    /// The filter the content was passed through, or [`Self::UNPACKED`] or
    /// [`Self::NUMBERED`].
    pub filter: Option<u8>,
    /// Bytes of the frame after its header, if they are stated: then the next
    /// frame can be found without decoding this one. Below 2^63. An
    /// [`Encoder`](crate::Encoder) cannot know it; whoever holds a complete
    /// frame can put it in with [`Self::write`].
    pub code_size: Option<u64>,
    /// Whether there may be sync points in it, which is not so where the content
    /// size is stated.
    pub sync_points: bool,
    /// Whether the model was [pretrained](crate::Options::pretrained). Not below
    /// level 6, nor with a dictionary.
    pub pretrained: bool,
}

impl Header {
    /// What stands in [`Self::filter`] where the content was unpacked
    /// ([`Options::unpacked`](crate::Options::unpacked)).
    pub const UNPACKED: u8 = 7;

    /// Likewise where its words are numbered
    /// ([`Options::numbered`](crate::Options::numbered)).
    pub const NUMBERED: u8 = 8;

    /// The most bytes that a header has.
    pub const MAX_LEN: usize = MAX_HEADER;

    /// Writes the header; returns its length. Sizes have to be below 2^63.
    ///
    /// ```
    /// # use statesmix::{Header, Level, compress, decompress};
    /// let frame = compress(b"so much depends upon", Level::MIN)?;
    /// let (mut header, len) = Header::parse(&frame)?.unwrap();
    /// header.code_size = Some((frame.len() - len) as u64);
    /// let mut bytes = [0; Header::MAX_LEN];
    /// let written = header.write(&mut bytes);
    /// let sized = [&bytes[..written], &frame[len..]].concat();
    /// assert_eq!(decompress(&sized, Level::MIN)?, b"so much depends upon");
    /// # Ok::<(), statesmix::Error>(())
    /// ```
    #[allow(clippy::indexing_slicing)] // no header is longer than `out`
    pub fn write(&self, out: &mut [u8; Self::MAX_LEN]) -> usize {
        out[..3].copy_from_slice(&MAGIC);
        out[3] = FORMAT_VERSION << 4 | self.level.number();
        let flag = |on: bool, flag| if on { flag } else { 0 };
        out[4] = flag(self.content_size.is_some(), HAS_SIZE)
            | flag(self.checksum, HAS_CHECKSUM)
            | flag(self.dictionary.is_some(), HAS_DICTIONARY)
            | flag(self.filter.is_some(), HAS_FILTER)
            | flag(self.code_size.is_some(), HAS_CODE_SIZE)
            | flag(self.sync_points, HAS_SYNC_POINTS)
            | flag(self.pretrained, PRETRAINED);
        let mut len = 5;
        if let Some(size) = self.content_size {
            len += write_size(size, &mut out[len..]);
        }
        if let Some(id) = self.dictionary {
            out[len..len + 4].copy_from_slice(&id.to_le_bytes());
            len += 4;
        }
        if let Some(id) = self.filter {
            out[len] = id;
            len += 1;
        }
        if let Some(size) = self.code_size {
            len += write_size(size, &mut out[len..]);
        }
        len
    }

    /// Reads a header from the start of `bytes`; returns it with its length,
    /// or `Ok(None)` if more bytes are needed.
    ///
    /// # Errors
    /// [`Error::NotStatesmix`], [`Error::Version`] or [`Error::Corrupt`].
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Error> {
        if bytes.iter().zip(MAGIC).any(|(&byte, magic)| byte != magic) {
            return Err(Error::NotStatesmix);
        }
        let &[_, _, _, kind, flags, ref rest @ ..] = bytes else {
            return match bytes.get(3) {
                Some(kind) if kind >> 4 != FORMAT_VERSION => Err(Error::Version(kind >> 4)),
                _ => Ok(None),
            };
        };
        if kind >> 4 != FORMAT_VERSION {
            return Err(Error::Version(kind >> 4));
        }
        let level = Level::new(kind & 15).ok_or(Error::Corrupt)?;
        let both = |a, b| flags & a != 0 && flags & b != 0;
        if flags >= 128
            || both(HAS_SIZE, HAS_SYNC_POINTS)
            || both(HAS_DICTIONARY, PRETRAINED)
            || flags & PRETRAINED != 0 && !level.pretrains()
        {
            return Err(Error::Corrupt);
        }
        let mut rest = rest.iter().copied();
        let mut header = Self {
            level,
            content_size: None,
            checksum: flags & HAS_CHECKSUM != 0,
            dictionary: None,
            filter: None,
            code_size: None,
            sync_points: flags & HAS_SYNC_POINTS != 0,
            pretrained: flags & PRETRAINED != 0,
        };
        if flags & HAS_SIZE != 0 {
            let Some(size) = read_size(&mut rest)? else {
                return Ok(None);
            };
            header.content_size = Some(size);
        }
        if flags & HAS_DICTIONARY != 0 {
            let mut id = [0; 4];
            for byte in &mut id {
                let Some(next) = rest.next() else {
                    return Ok(None);
                };
                *byte = next;
            }
            header.dictionary = Some(u32::from_le_bytes(id));
        }
        if flags & HAS_FILTER != 0 {
            let Some(id) = rest.next() else {
                return Ok(None);
            };
            header.filter = Some(id);
        }
        if flags & HAS_CODE_SIZE != 0 {
            let Some(size) = read_size(&mut rest)? else {
                return Ok(None);
            };
            header.code_size = Some(size);
        }
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// The checksum begun: of this header as it is in `bytes`, but without the
    /// code size, which is not known when the checksum is made.
    pub(crate) fn checksum(&self, bytes: &[u8]) -> Crc32 {
        let mut crc = Crc32::new();
        let end = bytes.len() - self.code_size.map_or(0, size_len);
        for (i, &byte) in bytes.iter().take(end).enumerate() {
            crc.update(if i == 4 { byte & !HAS_CODE_SIZE } else { byte });
        }
        crc
    }
}

/// Bytes of a size in LEB128: seven bits a byte, lowest first, the top bit for
/// more.
fn size_len(size: u64) -> usize {
    (64 - size.leading_zeros()).div_ceil(7).max(1) as usize
}

/// Writes a size; returns its length.
fn write_size(size: u64, out: &mut [u8]) -> usize {
    let len = size_len(size);
    for (i, byte) in out.iter_mut().take(len).enumerate() {
        let more = if i + 1 < len { 128 } else { 0 };
        *byte = (size >> (7 * i)) as u8 & 127 | more;
    }
    len
}

/// Reads a size; `Ok(None)` if more bytes are needed.
fn read_size(bytes: &mut impl Iterator<Item = u8>) -> Result<Option<u64>, Error> {
    let mut size = 0;
    for i in 0..9 {
        let Some(byte) = bytes.next() else {
            return Ok(None);
        };
        size |= u64::from(byte & 127) << (7 * i);
        if byte < 128 {
            // The last byte is zero only in a form that is not the shortest.
            return if byte == 0 && i > 0 { Err(Error::Corrupt) } else { Ok(Some(size)) };
        }
    }
    Err(Error::Corrupt)
}

/// CRC-32 (IEEE 802.3, reflected), a nibble at a time: 64 bytes of flash, and
/// its time does not show beside the model's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc32(u32);

impl Crc32 {
    pub(crate) const fn new() -> Self {
        Self(!0)
    }

    #[inline]
    #[allow(clippy::indexing_slicing)] // by four bits
    pub(crate) fn update(&mut self, byte: u8) {
        const TABLE: [u32; 16] = {
            let mut table = [0; 16];
            let mut i = 0;
            while i < 16 {
                let mut crc = i as u32;
                let mut bit = 0;
                while bit < 4 {
                    crc = (crc >> 1) ^ (if crc & 1 == 1 { 0xEDB8_8320 } else { 0 });
                    bit += 1;
                }
                table[i] = crc;
                i += 1;
            }
            table
        };
        let crc = self.0 ^ u32::from(byte);
        let crc = (crc >> 4) ^ TABLE[(crc & 15) as usize];
        self.0 = (crc >> 4) ^ TABLE[(crc & 15) as usize];
    }

    pub(crate) const fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_check_string() {
        let mut crc = Crc32::new();
        b"123456789".iter().for_each(|&b| crc.update(b));
        assert_eq!(crc.value(), 0xCBF4_3926);
    }

    const SIZES: [Option<u64>; 7] =
        [None, Some(0), Some(127), Some(128), Some(16383), Some(1 << 35), Some((1 << 63) - 1)];

    /// Headers of all shapes.
    fn headers() -> impl Iterator<Item = Header> {
        let some_or_none = [(None, None), (Some(0xDEAD_BEEF), None), (None, Some(7))];
        let kinds =
            some_or_none.into_iter().flat_map(|kind| (0..=9).map(move |level| (kind, level)));
        kinds.flat_map(|((dictionary, filter), level)| {
            SIZES.into_iter().flat_map(move |content_size| {
                SIZES.into_iter().map(move |code_size| Header {
                    level: Level::new(level).unwrap(),
                    content_size,
                    checksum: content_size.is_some(),
                    dictionary,
                    filter,
                    code_size,
                    sync_points: content_size.is_none() && level > 4,
                    pretrained: dictionary.is_none() && level > 6,
                })
            })
        })
    }

    #[test]
    fn headers_come_back() {
        for header in headers() {
            let mut out = [0xAA; MAX_HEADER];
            let len = header.write(&mut out);
            assert_eq!(Header::parse(&out), Ok(Some((header, len))));
            for cut in 0..len {
                assert_eq!(Header::parse(&out[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn the_checksum_does_not_see_the_code_size() {
        for header in headers() {
            let (mut sized, mut plain) = ([0; MAX_HEADER], [0; MAX_HEADER]);
            let len = header.write(&mut sized);
            let without = Header { code_size: None, ..header };
            let plain_len = without.write(&mut plain);
            let crc = without.checksum(&plain[..plain_len]).value();
            assert_eq!(header.checksum(&sized[..len]).value(), crc);
        }
    }

    #[test]
    fn bad_headers_are_refused() {
        assert_eq!(Header::parse(b"hello"), Err(Error::NotStatesmix));
        assert_eq!(Header::parse(&[0xF5, b'S', b'M', 0xF6]), Err(Error::Version(15)));
        assert_eq!(Header::parse(&[0xF5, b'S', b'M', 0x0A, 0]), Err(Error::Corrupt));
        assert_eq!(Header::parse(&[0xF5, b'S', b'M', 6, 128]), Err(Error::Corrupt));
        assert_eq!(Header::parse(&[0xF5, b'S', b'M', 5, 64]), Err(Error::Corrupt));
        assert_eq!(Header::parse(&[0xF5, b'S', b'M', 6, 68]), Err(Error::Corrupt));
        assert_eq!(Header::parse(&[0xF5, b'S', b'M', 6, 33, 5]), Err(Error::Corrupt));
        assert_eq!(Header::parse(&[0xF5, b'S', b'M', 6, 1, 0x80, 0]), Err(Error::Corrupt));
        let long = [0xF5, b'S', b'M', 6, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(Header::parse(&long), Err(Error::Corrupt));
    }
}
