//! Online logistic mixing: `p = squash(sum of w_i * stretch(p_i))`.
//!
//! The weights are trained after every bit along the gradient of the coding
//! cost, `w_i += rate * (bit - p) * stretch(p_i)` (Mahoney, "Data Compression
//! Explained", 4.3.2: the gradient is error times input). Several weight
//! sets, each with a row picked by its own context, see the same inputs; the
//! final mixer combines what they say.
//!
//! Inputs are Q8, weights Q14 in 16 bits, errors Q16.

use crate::logistic::{STRETCH_MAX, squash};
use wide::i16x8;

/// Inputs are padded to a multiple of this.
pub(crate) const LANES: usize = 8;

/// Vectors that [`dot`] adds up before it widens: a lane of the sum takes two
/// products of each, of a weight below 2^15 and an input of hardly more than 9
/// in Q8.
const NARROW: usize = (1 << 31) / ((1 << 15) * (9 << 8)) / 2 - 1;

/// Bytes of a row of `inputs` weights: the weights, then how often it was used.
pub(crate) const fn row_bytes(inputs: usize) -> usize {
    inputs * 2 + 2
}

/// Whether there are lanes; without them the padding is not worth its time.
const LANED: bool =
    !cfg!(any(target_arch = "riscv32", all(target_arch = "arm", not(target_feature = "neon"))));

/// Two numbers in a word, and out of it: processors without lanes have
/// instructions that take either half.
#[inline]
fn pair([a, b]: [i16; 2]) -> u32 {
    u32::from(a as u16) | u32::from(b as u16) << 16
}

#[inline]
fn halves(word: u32) -> [i32; 2] {
    [i32::from(word as i16), word as i32 >> 16]
}

#[inline]
fn load(weights: &[u8; 2 * LANES]) -> i16x8 {
    let w = weights;
    i16x8::new(core::array::from_fn(|i| i16::from_le_bytes([w[2 * i], w[2 * i + 1]])))
}

/// Sum of weight times input, Q22 scaled down to Q12.
#[inline]
pub(crate) fn dot(weights: &[u8], inputs: &[i16], used: usize) -> i32 {
    if !LANED {
        let products = weights.as_chunks::<4>().0.iter().zip(inputs.as_chunks::<2>().0);
        let products = products.take(used.div_ceil(2)).map(|(&w, &x)| {
            let ([w0, w1], [x0, x1]) = (halves(u32::from_le_bytes(w)), halves(pair(x)));
            (w0 * x0, w1 * x1)
        });
        // 24 inputs up to 9, or 16 of which all go up to 12, are less than 2^16
        // in Q8 together, and the sum is less than 2^31. Wider, it is exact
        // as well, like that of the lanes.
        return if used <= 24 {
            products.fold(0, |sum, (a, b)| sum + a + b) >> 10
        } else {
            (products.fold(0, |sum, (a, b)| sum + i64::from(a) + i64::from(b)) >> 10) as i32
        };
    }
    let (weights, _) = weights.as_chunks::<{ 2 * LANES }>();
    let (inputs, _) = inputs.as_chunks::<LANES>();
    let mut total = 0;
    for (weights, inputs) in weights.chunks(NARROW).zip(inputs.chunks(NARROW)) {
        let mut sum = wide::i32x4::ZERO;
        for (w, x) in weights.iter().zip(inputs) {
            sum += load(w).dot(i16x8::new(*x));
        }
        total += sum.to_array().map(i64::from).iter().sum::<i64>();
    }
    (total >> 10) as i32
}

/// Moves the weights by `step * input`; `step` is Q16 of a weight unit.
#[inline]
fn train(weights: &mut [u8], inputs: &[i16], used: usize, step: i16) {
    if !LANED {
        let pairs = weights.as_chunks_mut::<4>().0.iter_mut().zip(inputs.as_chunks::<2>().0);
        for (bytes, &x) in pairs.take(used.div_ceil(2)) {
            let (w, [x0, x1]) = (u32::from_le_bytes(*bytes), halves(pair(x)));
            // A weight in the upper half saturates as it would alone.
            let step = i32::from(step);
            let w0 = ((w << 16) as i32).saturating_add(x0 * step + 0x8000) as u32;
            let w1 = ((w & 0xFFFF_0000) as i32).saturating_add(x1 * step + 0x8000) as u32;
            *bytes = (w0 >> 16 | w1 & 0xFFFF_0000).to_le_bytes();
        }
        return;
    }
    let (weights, _) = weights.as_chunks_mut::<{ 2 * LANES }>();
    let (inputs, _) = inputs.as_chunks::<LANES>();
    let step = i16x8::splat(step);
    for (w, x) in weights.iter_mut().zip(inputs) {
        // (x * step + 0x8000) >> 16: the low half's sign bit is the rounding.
        let x = i16x8::new(*x);
        let low: i16x8 = x * step;
        let change = x.mul_keep_high(step) - (low >> 15);
        let moved = load(w).saturating_add(change).to_array();
        for (bytes, m) in w.as_chunks_mut::<2>().0.iter_mut().zip(moved) {
            *bytes = m.to_le_bytes();
        }
    }
}

/// How fast a row learns after `uses` bits, in units of 2^-19 for each unit of
/// error and input: `BASE + 8000 * 300 / (300 + uses)`, in steps of 32 uses,
/// later of 1024.
const fn rate(step: usize) -> u16 {
    let uses = if step < 32 { 32 * step + 16 } else { (step - 31) * 1024 + 512 };
    (BASE + 8000 * 300 / (300 + uses)) as u16
}

const BASE: usize = 500;

const RATE: [u16; 31 + 64] = {
    let mut rates = [0; 31 + 64];
    let mut i = 0;
    while i < rates.len() {
        rates[i] = rate(i);
        i += 1;
    }
    rates
};

/// Trains the row for an error of `error` (Q16).
#[inline]
pub(crate) fn learn(row: &mut [u8], inputs: &[i16], used: usize, error: i32) {
    let (weights, uses) = row.split_at_mut(inputs.len() * 2);
    let n = u16::from_le_bytes([uses[0], uses[1]]);
    let i = if n < 1024 { n >> 5 } else { 31 + (n >> 10) };
    let step = (error * i32::from(RATE[usize::from(i)])) >> 13;
    // A context's largest input, 9 in Q8, times a smaller step rounds to
    // nothing. (The few inputs that go up to 12 lose a last digit.)
    const LEAST: i32 = 0x7FFF / (9 << 8);
    if !(-LEAST..=LEAST).contains(&step) {
        train(weights, inputs, used, step.clamp(-32767, 32767) as i16);
    }
    uses.copy_from_slice(&n.saturating_add(1).to_le_bytes());
}

/// Stretch and probability that a row gives for `inputs`.
#[inline]
pub(crate) fn mix(row: &[u8], inputs: &[i16], used: usize) -> (i32, u32) {
    clip(dot(&row[..inputs.len() * 2], inputs, used))
}

/// The stretch within its range, and the probability.
#[inline]
pub(crate) fn clip(x: i32) -> (i32, u32) {
    let limit = STRETCH_MAX << 4;
    let x = x.clamp(1 - limit, limit - 1);
    (x, squash(x))
}

/// Sets all weights of all rows to those of `weight` (Q14), uses to 0.
pub(crate) fn reset(rows: &mut [u8], inputs: usize, weight: impl Fn(usize) -> i16) {
    for row in rows.chunks_exact_mut(row_bytes(inputs)) {
        for (i, bytes) in row.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let w = if i < inputs { weight(i) } else { 0 };
            *bytes = w.to_le_bytes();
        }
    }
}
