//! A simulated NOR flash, as strict as a real one: pages are erased as a whole,
//! rows are programmed once, and the power may fail in the middle of either.

pub const PAGE: usize = 4096;
/// What is programmed at a time.
pub const ROW: usize = 256;

pub struct Flash {
    bytes: Vec<u8>,
    /// Operations left until the power fails.
    pub power: u32,
    /// Erasures so far, of all pages.
    pub erased: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    PowerLost,
    /// A bit would have to go from 0 to 1.
    NotErased,
}

impl Flash {
    pub fn new(pages: usize) -> Self {
        Self { bytes: vec![0; pages * PAGE], power: u32::MAX, erased: 0 }
    }

    pub fn read(&self, at: usize, len: usize) -> &[u8] {
        &self.bytes[at..at + len]
    }

    pub fn erase(&mut self, page: usize) -> Result<(), Fault> {
        let len = self.part_before_failure(PAGE)?;
        self.erased += 1;
        self.bytes[page * PAGE..][..len].fill(0xFF);
        if len < PAGE { Err(Fault::PowerLost) } else { Ok(()) }
    }

    pub fn program(&mut self, at: usize, bytes: &[u8]) -> Result<(), Fault> {
        assert!(at / ROW == (at + bytes.len() - 1) / ROW, "crosses a row");
        let len = self.part_before_failure(bytes.len())?;
        let old = &mut self.bytes[at..at + len];
        if old.iter().zip(bytes).any(|(old, new)| !old & new != 0) {
            return Err(Fault::NotErased);
        }
        old.copy_from_slice(&bytes[..len]);
        if len < bytes.len() { Err(Fault::PowerLost) } else { Ok(()) }
    }

    /// How much of an operation gets done: half of the one that it fails in.
    fn part_before_failure(&mut self, len: usize) -> Result<usize, Fault> {
        if self.power == 0 {
            return Err(Fault::PowerLost);
        }
        self.power -= 1;
        Ok(if self.power == 0 { len / 2 } else { len })
    }
}
