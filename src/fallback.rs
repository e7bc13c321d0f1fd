//! The stored fallback: where the model fails, bytes pass at a probability of
//! one half.
//!
//! Encoder and decoder see the same number of code bytes go by, so both know
//! when the model has cost more than it saved, and nothing needs to be
//! signalled or buffered. A byte of content earns 1/1024 byte of credit,
//! savings earn more, up to a ceiling; code bytes are paid from it. Without
//! credit bytes go raw until some has been earned. So no input whatever grows
//! by more than 1/1024, the initial credit and the byte that overdrew it.

/// Probability of a raw bit, Q16.
pub(crate) const RAW_P: u32 = 1 << 15;

/// Credit of one byte.
const BYTE: i32 = 1024;

/// Credit at the start.
const START: i32 = 3 * BYTE;

/// The most that savings can earn. Ample, because the model itself loses only
/// 0.03 % on random bytes and gains on data that is random in part.
const CEILING: i32 = 1024 * BYTE;

/// Credit at which the model gets another chance: after 2 KiB of raw bytes.
const RESUME: i32 = 2 * BYTE;

#[derive(Clone, Debug)]
pub(crate) struct Fallback {
    credit: i32,
    raw: bool,
}

impl Fallback {
    pub(crate) const fn new() -> Self {
        Self { credit: START, raw: false }
    }

    /// Whether the next byte passes raw.
    #[inline]
    pub(crate) fn is_raw(&self) -> bool {
        self.raw
    }

    /// Accounts for a byte of content that took `coded` bytes of code.
    #[inline]
    pub(crate) fn byte_done(&mut self, coded: u32) {
        self.credit = (self.credit + 1 + BYTE - BYTE * coded as i32).min(CEILING);
        if self.credit < 0 {
            self.raw = true;
        } else if self.credit >= RESUME {
            self.raw = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_model_costs_a_thousandth() {
        let mut fallback = Fallback::new();
        let (mut content, mut code) = (0u32, 0u32);
        for _ in 0..1_000_000 {
            let coded = if fallback.is_raw() { 1 } else { 16 };
            fallback.byte_done(coded);
            content += 1;
            code += coded;
        }
        assert!(code > content && code - content <= content / 1024 + 3 + 16);
    }

    #[test]
    fn the_model_comes_back() {
        let mut fallback = Fallback::new();
        fallback.byte_done(5);
        assert!(fallback.is_raw());
        (0..5000).for_each(|_| fallback.byte_done(1));
        assert!(!fallback.is_raw());
    }
}
