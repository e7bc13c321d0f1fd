//! Reading from any place of the content of many frames.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{self, Read, Seek, SeekFrom};
use std::vec::Vec;

use super::Reader;
use crate::error::Error;
use crate::frame::Header;
use crate::level::Level;
use crate::slice::Heap;
use crate::stream::Decoder;

/// Decompresses from any place of frames that state their sizes, as those do
/// that the command makes with `-T` or `--frame-size`. A seek costs decoding from
/// the begin of a frame up to the place, so the frames should not be long.
///
/// ```
/// use std::io::{Cursor, Read, Seek, SeekFrom};
/// use statesmix::{Header, Level, compress, io::SeekReader};
///
/// let mut file = Vec::new();
/// for part in ["so much ", "depends ", "upon"] {
///     let frame = compress(part.as_bytes(), Level::MIN)?;
///     let (mut header, len) = Header::parse(&frame)?.unwrap();
///     header.code_size = Some((frame.len() - len) as u64);
///     let mut bytes = [0; Header::MAX_LEN];
///     let written = header.write(&mut bytes);
///     file.extend([&bytes[..written], &frame[len..]].concat());
/// }
/// let mut reader = SeekReader::new(Cursor::new(file), Level::MIN)?;
/// reader.seek(SeekFrom::Start(11))?;
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "ends upon");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SeekReader<T> {
    reader: Reader<T>,
    limit: Level,
    frames: Vec<Place>,
    len: u64,
    /// Where in the content the reader is, and where it should be.
    at: u64,
    wanted: u64,
}

/// Where a frame begins.
#[derive(Clone, Copy, Debug)]
struct Place {
    content: u64,
    code: u64,
}

impl<T: Read + Seek> SeekReader<T> {
    /// Reads the headers of all frames in `inner`, from its begin.
    ///
    /// # Errors
    /// Those of `inner` and of [`Header::parse`], [`Error::Truncated`], and
    /// [`Error::ContentSize`] if a frame does not state both of its sizes.
    pub fn new(mut inner: T, limit: Level) -> io::Result<Self> {
        let end = inner.seek(SeekFrom::End(0))?;
        let mut frames = Vec::new();
        let (mut content, mut code) = (0u64, 0u64);
        while code < end || frames.is_empty() {
            frames.push(Place { content, code });
            inner.seek(SeekFrom::Start(code))?;
            let mut bytes = Vec::new();
            (&mut inner).take(Header::MAX_LEN as u64).read_to_end(&mut bytes)?;
            let (header, len) = Header::parse(&bytes)?.ok_or(Error::Truncated)?;
            let sizes = header.content_size.zip(header.code_size);
            let (content_size, code_size) = sizes.ok_or(Error::ContentSize)?;
            // Neither the header nor a size can overflow beside the other.
            content = content.checked_add(content_size).ok_or(Error::Corrupt)?;
            code = code.checked_add(len as u64 + code_size).ok_or(Error::Corrupt)?;
        }
        if code > end {
            return Err(Error::Truncated.into());
        }
        inner.rewind()?;
        let reader = Reader::new(inner, limit);
        Ok(Self { reader, limit, frames, len: content, at: 0, wanted: 0 })
    }

    /// Bytes of content in all.
    pub fn content_size(&self) -> u64 {
        self.len
    }

    /// The frame with a place of the content.
    fn frame(&self, content: u64) -> usize {
        self.frames.partition_point(|frame| frame.content <= content).saturating_sub(1)
    }

    /// Brings the reader to the place that is wanted.
    fn go(&mut self) -> io::Result<()> {
        let frame = self.frame(self.wanted);
        if self.wanted < self.at || frame != self.frame(self.at) {
            let Place { content, code } = self.frames[frame];
            // First what cannot fail: after an error the reader is nowhere.
            self.at = u64::MAX;
            self.reader.decoder = Decoder::new(self.limit, Heap::new());
            self.reader.unread.forget();
            self.reader.inner.seek(SeekFrom::Start(code))?;
            self.at = content;
        }
        let mut passed = [0; 1024];
        while self.at < self.wanted {
            let room = passed.len().min((self.wanted - self.at) as usize);
            match self.reader.read(&mut passed[..room])? {
                0 => return Err(Error::Truncated.into()), // it was longer once
                read => self.at += read as u64,
            }
        }
        Ok(())
    }
}

impl<T: Read + Seek> Read for SeekReader<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wanted >= self.len {
            return Ok(0);
        }
        self.go()?;
        let read = self.reader.read(buffer)?;
        self.at += read as u64;
        self.wanted = self.at;
        Ok(read)
    }
}

impl<T: Read + Seek> Seek for SeekReader<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.wanted.checked_add_signed(offset),
        };
        self.wanted = wanted.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.wanted)
    }
}
