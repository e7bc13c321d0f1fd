//! The device: decodes an update in a window of one page straight into flash.
//! It takes the bytes as they come, and survives the loss of any of them and
//! of the power at any moment.
//!
//! An update is a series of frames, each of some whole pages of the image. A
//! record in the journal says which frames are done; after a power loss the
//! transfer goes on behind them. Pages of the frame after these are decoded
//! again, but those that are right already are left as they are.

use statesmix::{Decoder, Error, Filtered, Level, Level1, Status};

use super::flash::{Fault, Flash, PAGE, ROW};

pub const LEVEL: Level = Level::new(1).unwrap();

/// Where things are, in pages.
const BOOT: usize = 0;
const JOURNAL: usize = 1;
pub const SLOT: usize = 2;

/// What is sent ahead of the update. (A real one is signed, too: a CRC tells of
/// accidents, not of attackers.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub size: u32,
    pub crc: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The update is damaged: [`Updater::start`] anew, and ask for it again
    /// from [`Updater::offset`] on.
    Update(Error),
    /// There has to come more of it.
    Incomplete,
    /// It is complete, and still not what the manifest says.
    Image,
    Flash(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Flash(fault)
    }
}

pub struct Updater<'a> {
    flash: &'a mut Flash,
    manifest: Manifest,
    decoder: Decoder<&'a mut [u8], Filtered<Level1>>,
    page: [u8; PAGE],
    /// Bytes of the page that are there.
    filled: usize,
    /// Bytes of the image in flash, and of the update read.
    written: u32,
    offset: u32,
    /// The next free record of the journal.
    record: usize,
}

impl<'a> Updater<'a> {
    /// Begins or, where the journal knows of it, resumes an update.
    /// `workspace` is of [`Level::workspace`] bytes.
    pub fn start(
        flash: &'a mut Flash,
        manifest: Manifest,
        workspace: &'a mut [u8],
    ) -> Result<Self, Failure> {
        let mut updater = Self {
            flash,
            manifest,
            decoder: Decoder::new(LEVEL, workspace),
            page: [0; PAGE],
            filled: 0,
            written: 0,
            offset: 0,
            record: 0,
        };
        let records = updater.flash.read(JOURNAL * PAGE, PAGE).as_chunks().0;
        let free = records.iter().position(|record| *record == [0xFF; Record::BYTES]);
        let used = &records[..free.unwrap_or(0)];
        let known = used.iter().filter_map(Record::read).rfind(|record| record.crc == manifest.crc);
        match known {
            Some(Record { offset, written, .. }) => {
                (updater.offset, updater.written, updater.record) = (offset, written, used.len());
            }
            None => updater.flash.erase(JOURNAL)?,
        }
        Ok(updater)
    }

    /// From where on the update is to be sent.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Takes the next bytes of the update, as many as have come.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while self.written < self.manifest.size {
            let room = &mut self.page[self.filled..];
            let progress = self.decoder.decode(bytes, room).map_err(Failure::Update)?;
            bytes = &bytes[progress.consumed..];
            self.offset += progress.consumed as u32;
            self.filled += progress.produced;
            let left = (self.manifest.size - self.written) as usize;
            if self.filled == PAGE || (progress.status == Status::Done && self.filled == left) {
                self.write_page()?;
            }
            match progress.status {
                Status::NeedsInput => break,
                Status::OutputFull => {}
                Status::Done if self.filled == 0 => self.write_record()?,
                Status::Done => return Err(Failure::Update(Error::Corrupt)), // no whole pages
            }
        }
        Ok(())
    }

    /// Verifies the image as it is in flash, and makes the boot loader use it.
    pub fn switch_over(self) -> Result<(), Failure> {
        let Manifest { size, crc } = self.manifest;
        if self.written != size {
            return Err(Failure::Incomplete);
        }
        if crc32(self.flash.read(SLOT * PAGE, size as usize)) != crc {
            self.flash.erase(JOURNAL)?; // not to be resumed
            return Err(Failure::Image);
        }
        self.flash.erase(BOOT)?;
        Ok(self.flash.program(BOOT * PAGE, &Record { crc, offset: size, written: 0 }.write())?)
    }

    fn write_page(&mut self) -> Result<(), Failure> {
        let page = &self.page[..self.filled];
        let at = SLOT * PAGE + self.written as usize;
        if self.flash.read(at, page.len()) != page {
            self.flash.erase(at / PAGE)?;
            for (i, row) in page.chunks(ROW).enumerate() {
                self.flash.program(at + i * ROW, row)?;
            }
        }
        self.written += self.filled as u32;
        self.filled = 0;
        Ok(())
    }

    fn write_record(&mut self) -> Result<(), Failure> {
        let record = Record { crc: self.manifest.crc, offset: self.offset, written: self.written };
        let at = JOURNAL * PAGE + self.record * Record::BYTES;
        // A full journal costs only a longer way back.
        if self.record < PAGE / Record::BYTES - 1 {
            self.flash.program(at, &record.write())?;
            self.record += 1;
        }
        Ok(())
    }
}

/// What the boot loader does: the size of the image to start, if there is one.
pub fn boots(flash: &Flash) -> Option<Manifest> {
    let record = Record::read(flash.read(BOOT * PAGE, Record::BYTES).try_into().unwrap())?;
    Some(Manifest { size: record.offset, crc: record.crc })
}

/// How far an update has come. Written in one go, and void if that went wrong.
struct Record {
    crc: u32,
    offset: u32,
    written: u32,
}

impl Record {
    const BYTES: usize = 16;

    fn write(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.crc.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.written.to_le_bytes());
        let check = crc32(&bytes[..12]);
        bytes[12..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let word = |at| u32::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));
        let valid = crc32(&bytes[..12]) == word(12);
        valid.then(|| Self { crc: word(0), offset: word(4), written: word(8) })
    }
}

/// CRC-32 as in zlib, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
