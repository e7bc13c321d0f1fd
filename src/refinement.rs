//! Refinement (APM, also called SSE): maps a probability, in a small context,
//! to the frequency with which it came true.
//!
//! 33 bins spread evenly over the stretched probability; the value between
//! two bins is interpolated, and the nearer one learns (Mahoney, "Data Compression
//! Explained", 4.3.3).

use crate::logistic::squash;

const BINS: usize = 33;

/// Bytes of a stage with 2^`log2` contexts.
pub(crate) const fn bytes(log2: u32) -> usize {
    (BINS * 2) << log2
}

/// Stretched probabilities beyond +-8 share the outermost bin.
const LIMIT: i32 = 8 << 12;

/// One prediction of a stage: where its two bins stand and which is nearer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    bin: u32,
    far: bool,
}

/// Fills a stage with the identity.
#[inline(never)]
pub(crate) fn reset(table: &mut [u8]) {
    for (i, bin) in table.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let x = (i % BINS) as i32 * (1 << 11) - LIMIT;
        *bin = (squash(x) as u16).to_le_bytes();
    }
}

/// Touches the bins of a context.
#[inline]
pub(crate) fn touch(table: &[u8], context: u32) -> u8 {
    let bins = &table[context as usize * BINS * 2..][..BINS * 2];
    bins[0] ^ bins[BINS * 2 - 1]
}

impl Stage {
    pub(crate) const NONE: Self = Self { bin: 0, far: false };

    /// The refined probability (Q16) of stretched `x` (Q12) in `context`.
    #[inline]
    pub(crate) fn refine(&mut self, table: &[u8], context: u32, x: i32) -> u32 {
        let x = (x.clamp(1 - LIMIT, LIMIT - 1) + LIMIT) as u32;
        let (i, f) = (x >> 11, x & 2047);
        self.bin = context * BINS as u32 + i;
        self.far = f >= 1024;
        let bins = &table[self.bin as usize * 2..][..4];
        let a = u32::from(u16::from_le_bytes([bins[0], bins[1]]));
        let b = u32::from(u16::from_le_bytes([bins[2], bins[3]]));
        (a * (2048 - f) + b * f) >> 11
    }

    /// Moves the nearer bin towards `bit` by 2^-`rate` of the way.
    #[inline]
    pub(crate) fn update(&self, table: &mut [u8], bit: bool, rate: u32) {
        let bin = &mut table[(self.bin as usize + usize::from(self.far)) * 2..][..2];
        let p = i32::from(u16::from_le_bytes([bin[0], bin[1]]));
        // Both steps round away from zero, so that certainty can be reached.
        let step = if bit { (65535 - p + (1 << rate) - 1) >> rate } else { -p >> rate };
        let p = p + step;
        bin.copy_from_slice(&(p as u16).to_le_bytes());
    }
}
