//! The logistic domain: `stretch(p) = ln(p / (1 - p))` and its inverse
//! `squash`, as `const` integer tables.
//!
//! Probabilities of a 1 bit are Q16 (`0..65536`), stretched probabilities are
//! Q8 and clipped to +-12. Mixing adds evidence in this domain (Mahoney, "Data
//! Compression Explained", 4.3.2), where a sure prediction weighs more than an
//! unsure one. The tables are made by integer arithmetic at compile time and
//! checked against `libm` in the tests.

/// Largest stretched probability, Q8: 12, beyond `ln(65535)`.
pub(crate) const STRETCH_MAX: i32 = 12 << 8;

/// Knots of [`squash`], 16 to the unit, for x in -12..=12.
const KNOTS: usize = 12 * 2 * 16 + 1;

/// exp(-1/16) in Q60.
const EXP_STEP: u128 = 1_083_069_521_826_238_951;

/// One as Q60.
const ONE: u128 = 1 << 60;

const SQUASH: [u16; KNOTS] = {
    let mut table = [0u16; KNOTS];
    let mut exp = ONE; // exp(-i/16)
    let mut i = 0;
    while i <= KNOTS / 2 {
        // squash(x) = 1 / (1 + exp(-x)), in Q16 and never quite 0 or 1.
        let p = ((ONE << 16) + (ONE + exp) / 2) / (ONE + exp);
        let p = if p > 65535 { 65535 } else { p } as u16;
        table[KNOTS / 2 + i] = p;
        table[KNOTS / 2 - i] = (65536 - p as u32) as u16;
        exp = (exp * EXP_STEP) >> 60;
        i += 1;
    }
    table
};

/// `p = 1 / (1 + exp(-x))` for `x` in Q12, as Q16 within `1..=65535`.
#[inline]
pub(crate) fn squash(x: i32) -> u32 {
    const LIMIT: i32 = (12 << 12) - 1;
    // Knots stand 2^8 apart in Q12; linear interpolation between two of them
    // is within 0.05 % of the smaller probability.
    let x = (x.clamp(-LIMIT, LIMIT) + (12 << 12)) as u32;
    let (i, f) = ((x >> 8) as usize, x & 255);
    let (a, b) = (SQUASH[i] as u32, SQUASH[i + 1] as u32);
    (a * (256 - f) + b * f + 128) >> 8
}

/// Natural logarithm of `n / 65536` in Q16, for `n` from 1 to below 2^17.
const fn ln_q16(n: u32) -> i32 {
    // log2 bit by bit: square the mantissa, a carry out is the next bit.
    let z = n.leading_zeros();
    let mut m = (n as u64) << z; // 1.31
    let mut log2 = (15 - z as i64) << 24;
    let mut bit = 1i64 << 23;
    while bit > 0 {
        m = (m * m) >> 31;
        if m >= 1 << 32 {
            m >>= 1;
            log2 += bit;
        }
        bit >>= 1;
    }
    // ln 2 in Q32.
    ((log2 * 2_977_044_472) >> 40) as i32
}

/// Stretch, Q8, of a probability in Q17, rounded.
const fn stretch_of(p_q17: u32) -> i16 {
    // Two Q16 logarithms of Q17 arguments: the common factor cancels.
    let x = ln_q16(p_q17) - ln_q16((1 << 17) - p_q17);
    (if x >= 0 { (x + 128) >> 8 } else { -((128 - x) >> 8) }) as i16
}

/// Stretch at the middle of each 1/4096 of the unit interval.
const COARSE: [i16; 4096] = {
    let mut table = [0; 4096];
    let mut i = 0;
    while i < 4096 {
        table[i] = stretch_of(i as u32 * 32 + 16);
        i += 1;
    }
    table
};

/// `ln(p / (1 - p))` in Q8 for `p` in Q16, within +-9. A finer table near 0 and
/// 1 was worse: what one context calls certain deserves no more trust.
#[inline]
pub(crate) fn stretch(p: u16) -> i16 {
    COARSE[usize::from(p >> 4)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_is_the_logistic_function() {
        for x in -(12 << 12)..=(12 << 12) {
            let exact = 65536.0 / (1.0 + libm::exp(-f64::from(x) / 4096.0));
            let error = (f64::from(squash(x)) - exact).abs();
            let small = exact.min(65536.0 - exact);
            assert!(error <= 1.01 + small * 0.0006, "squash({x}): {error}");
        }
        assert!(squash(i32::MIN) >= 1 && squash(i32::MAX) <= 65535);
    }

    #[test]
    fn squash_is_monotonic() {
        for x in -(13 << 12)..(13 << 12) {
            assert!(squash(x) <= squash(x + 1));
        }
    }

    #[test]
    fn stretch_is_the_inverse() {
        for p in 0..=65535u16 {
            let middle = f64::from(p >> 4) * 16.0 + 8.0;
            let q = middle / 65536.0;
            let exact = libm::log(q / (1.0 - q)) * 256.0;
            let error = (f64::from(stretch(p)) - exact).abs();
            assert!(error <= 0.52, "stretch({p}): {error}");
            assert!(i32::from(stretch(p)).abs() < STRETCH_MAX);
        }
    }
}
