//! The stored fallback: where the model fails, bytes pass at a probability of
//! one half.
//!
//! Encoder and decoder see the same number of code bytes go by, so both know
//! when the model has cost more than it saved, and nothing needs to be
//! signalled or buffered. A byte of content earns 1/1024 byte of credit,
//! savings earn more, up to a ceiling; code bytes are paid from it. Without
//! credit the next bytes go raw. So no input whatever grows by more than
//! 1/1024, the initial credit and the byte that overdrew it.

/// Probability of a raw bit, Q16.
pub(crate) const RAW_P: u32 = 1 << 15;

/// Credit of one byte.
const BYTE: i32 = 1024;

/// Credit at the start.
const START: i32 = 3 * BYTE;

/// The most that savings can earn. Ample, because the model itself loses only
/// 0.03 % on random bytes and gains on data that is random in part.
const CEILING: i32 = 1024 * BYTE;

/// Raw bytes after the first failure; they double with each one that follows.
/// That many earn the credit for the next attempt.
const RAW_BYTES: u32 = 1024;

/// Doublings of [`RAW_BYTES`] at most: 64 KiB.
const DOUBLINGS: u32 = 6;

#[derive(Clone, Debug)]
pub(crate) struct Fallback {
    credit: i32,
    /// Raw bytes still to come.
    raw: u32,
    failures: u32,
}

impl Fallback {
    pub(crate) const fn new() -> Self {
        Self { credit: START, raw: 0, failures: 0 }
    }

    /// Whether the next byte passes raw.
    #[inline]
    pub(crate) fn is_raw(&self) -> bool {
        self.raw > 0
    }

    /// Accounts for a byte of content that took `coded` bytes of code.
    #[inline]
    pub(crate) fn byte_done(&mut self, coded: u32) {
        self.credit += 1 + BYTE - BYTE * coded as i32;
        if self.raw > 0 {
            self.raw -= 1;
        } else if self.credit < 0 {
            self.raw = RAW_BYTES << self.failures;
            self.failures = (self.failures + 1).min(DOUBLINGS);
        } else if self.credit >= START {
            self.credit = self.credit.min(CEILING);
            self.failures = 0;
        }
    }
}
