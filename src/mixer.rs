//! Online logistic mixing: `p = squash(sum of w_i * stretch(p_i))`.
//!
//! The weights are trained after every bit along the gradient of the coding
//! cost, `w_i += rate * (bit - p) * stretch(p_i)` (Mahoney, "Data Compression
//! Explained", 4.3.2: the gradient is error times input). Several weight
//! sets, each with a row picked by its own context, see the same inputs; the
//! final mixer combines what they say.
//!
//! Inputs are Q8, weights Q14 in 16 bits, errors Q16.

use crate::kernels;
use crate::logistic::{STRETCH_MAX, squash};
use core::ops::Range;
use wide::{i16x8, i32x4};

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

/// Sum of weight times input, Q22 scaled down to Q12. More than [`FEW`] inputs
/// may exceed 32 bits: their lanes lose four digits before they are added up.
#[inline]
pub(crate) fn dot(weights: &[u8], inputs: &[i16], used: usize) -> i32 {
    if !LANED {
        return dot_by_pairs(weights, inputs, used);
    }
    let (weights, _) = weights.as_chunks::<{ 2 * LANES }>();
    let (inputs, _) = inputs.as_chunks::<LANES>();
    let sum = |weights: &[[u8; 2 * LANES]], inputs: &[[i16; LANES]]| {
        let products = weights.iter().zip(inputs).map(|(w, x)| load(w).dot(i16x8::new(*x)));
        products.fold(i32x4::ZERO, |sum, product| sum + product)
    };
    if used <= FEW {
        return sum(weights, &inputs[..used.div_ceil(LANES)]).reduce_add() >> 10;
    }
    let mut total = 0;
    for (weights, inputs) in weights.chunks(NARROW).zip(inputs.chunks(NARROW)) {
        let lanes: i32x4 = sum(weights, inputs) >> 4;
        total += lanes.reduce_add();
    }
    total >> 6
}

/// Inputs up to 9 in Q8, or 16 of which all go up to 12, that are less than
/// 2^16 together: the sum is less than 2^31.
const FEW: usize = 24;

/// The same without lanes.
#[inline]
fn dot_by_pairs(weights: &[u8], inputs: &[i16], used: usize) -> i32 {
    let (weights, inputs) = (weights.as_chunks::<4>().0, inputs.as_chunks::<2>().0);
    let product = |(&w, &x): (&[u8; 4], &[i16; 2])| {
        let ([w0, w1], [x0, x1]) = (halves(u32::from_le_bytes(w)), halves(pair(x)));
        w0 * x0 + w1 * x1
    };
    if used <= FEW {
        let products = weights.iter().zip(inputs).take(used.div_ceil(2)).map(product);
        return products.sum::<i32>() >> 10;
    }
    const PAIRS: usize = LANES / 2;
    let mut total = 0;
    for (weights, inputs) in weights.chunks(NARROW * PAIRS).zip(inputs.chunks(NARROW * PAIRS)) {
        let mut lanes = [0i32; PAIRS];
        for (weights, inputs) in weights.chunks(PAIRS).zip(inputs.chunks(PAIRS)) {
            for (lane, pair) in lanes.iter_mut().zip(weights.iter().zip(inputs)) {
                *lane += product(pair);
            }
        }
        total += lanes.iter().map(|lane| lane >> 4).sum::<i32>();
    }
    total >> 6
}

/// Moves the weights by `step * input`; `step` is Q16 of a weight unit.
#[inline]
pub(crate) fn train(weights: &mut [u8], inputs: &[i16], used: usize, step: i16) {
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

/// [`dot`] for each of these rows, of many inputs.
#[cfg(feature = "std")]
pub(crate) fn dot_rows(weights: &[u8], places: &[usize], inputs: &[i16], sums: &mut [i32]) {
    for (sum, &place) in sums.iter_mut().zip(places) {
        *sum = dot(&weights[place..][..2 * inputs.len()], inputs, inputs.len());
    }
}

/// [`train`] for each of these rows.
#[cfg(feature = "std")]
pub(crate) fn train_rows(weights: &mut [u8], places: &[usize], steps: &[i16], inputs: &[i16]) {
    for (&place, &step) in places.iter().zip(steps) {
        train(&mut weights[place..][..2 * inputs.len()], inputs, inputs.len(), step);
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
    let step = next_step(uses, error);
    if step != 0 {
        train(weights, inputs, used, step);
    }
}

/// Trains a row of each weight set for its error (Q16).
#[inline]
pub(crate) fn learn_all<const M: usize, const W: usize>(
    weights: &mut [u8],
    rows: &[u16; W],
    inputs: &[i16; M],
    used: usize,
    errors: [i32; W],
) {
    let rows = rows.iter().zip(errors);
    match kernels::installed() {
        Some(kernels) if M >= MANY => {
            let (mut places, mut steps, mut count) = ([0; W], [0; W], 0);
            for (&row, error) in rows {
                let place = usize::from(row) * row_bytes(M);
                let step = next_step(&mut weights[place + 2 * M..][..2], error);
                if step != 0 {
                    (places[count], steps[count]) = (place, step);
                    count += 1;
                }
            }
            (kernels.train)(weights, &places[..count], &steps[..count], inputs);
        }
        _ => {
            for (&row, error) in rows {
                let row = &mut weights[usize::from(row) * row_bytes(M)..][..row_bytes(M)];
                learn(row, inputs, used, error);
            }
        }
    }
}

/// What a row of each weight set makes of the inputs, Q12.
#[inline]
pub(crate) fn mix_all<const M: usize, const W: usize>(
    weights: &[u8],
    rows: &[u16; W],
    inputs: &[i16; M],
    used: usize,
) -> [i32; W] {
    let places = rows.map(|row| usize::from(row) * row_bytes(M));
    match kernels::installed() {
        Some(kernels) if M >= MANY => {
            let mut sums = [0; W];
            (kernels.dot)(weights, &places, inputs, &mut sums);
            sums
        }
        _ => places.map(|place| dot(&weights[place..][..2 * M], inputs, used)),
    }
}

/// Inputs from which on the calls of [`Kernels`] cost less than they save.
const MANY: usize = 64;

/// Counts a use of a row and gives its step; 0 is for none.
#[inline]
fn next_step(uses: &mut [u8], error: i32) -> i16 {
    let n = u16::from_le_bytes([uses[0], uses[1]]);
    let i = if n < 1024 { n >> 5 } else { 31 + (n >> 10) };
    let step = (error * i32::from(RATE[usize::from(i)])) >> 13;
    // A context's largest input, 9 in Q8, times a smaller step rounds to
    // nothing. (The few inputs that go up to 12 lose a last digit.)
    const LEAST: i32 = 0x7FFF / (9 << 8);
    uses.copy_from_slice(&n.saturating_add(1).to_le_bytes());
    if (-LEAST..=LEAST).contains(&step) { 0 } else { step.clamp(-32767, 32767) as i16 }
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

/// The absolute value of what the inputs of `part` add to the stretch (Q8), summed up
/// over the `rows`.
#[inline(never)] // for each level again it takes 20 KB
pub(crate) fn evidence(weights: &[u8], rows: &[u16], inputs: &[i16], part: Range<usize>) -> u32 {
    let said = rows.iter().map(|&row| {
        let row = &weights[usize::from(row) * row_bytes(inputs.len())..][..2 * inputs.len()];
        let weights = &row.as_chunks::<2>().0[part.clone()];
        let products = weights
            .iter()
            .zip(&inputs[part.clone()])
            .map(|(&w, &x)| i64::from(i16::from_le_bytes(w)) * i64::from(x));
        (products.sum::<i64>() >> 14).unsigned_abs() as u32
    });
    said.sum()
}

/// Sets the weights of all rows to `first` (Q14), uses to 0.
#[inline(never)]
pub(crate) fn reset(rows: &mut [u8], first: &[i16]) {
    for row in rows.chunks_exact_mut(row_bytes(first.len())) {
        let (weights, uses) = row.split_at_mut(2 * first.len());
        for (bytes, w) in weights.as_chunks_mut::<2>().0.iter_mut().zip(first) {
            *bytes = w.to_le_bytes();
        }
        uses.fill(0);
    }
}

/// Makes all rows of so many `inputs` learn quickly again: as after 300 bits at most.
pub(crate) fn settle(rows: &mut [u8], inputs: usize) {
    for row in rows.chunks_exact_mut(row_bytes(inputs)) {
        let uses = &mut row[2 * inputs..];
        let n = u16::from_le_bytes([uses[0], uses[1]]).min(300);
        uses.copy_from_slice(&n.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn lanes_and_pairs_agree() {
        let mut seed = 1u32;
        let mut random = |limit: i32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((i64::from(seed >> 16) * i64::from(2 * limit + 1)) >> 16) as i32 - limit
        };
        for used in [1, 8, 17, 24, 25, 41, 96, 112, 119] {
            let inputs: Vec<i16> = (0..usize::next_multiple_of(used, LANES))
                .map(|i| if i < used { random(9 << 8) as i16 } else { 0 })
                .collect();
            let weights: Vec<i16> = inputs.iter().map(|_| random(32767) as i16).collect();
            let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
            let x = dot_by_pairs(&bytes, &inputs, used);
            assert_eq!(dot(&bytes, &inputs, used), x);
            let exact: i64 =
                inputs.iter().zip(&weights).map(|(&x, &w)| i64::from(x) * i64::from(w)).sum();
            assert!((i64::from(x) - (exact >> 10)).abs() <= 1, "{used}");

            let (mut lanes, step) = (bytes.clone(), random(32767) as i16);
            train(&mut lanes, &inputs, used, step);
            for ((bytes, w), x) in lanes.chunks_exact(2).zip(&weights).zip(&inputs) {
                let change = (i32::from(*x) * i32::from(step) + 0x8000) >> 16;
                let expected = (i32::from(*w) + change).clamp(-32768, 32767) as i16;
                assert_eq!(i16::from_le_bytes([bytes[0], bytes[1]]), expected);
            }
        }
    }
}
