//! The arithmetic of the state space model: vectors of i16 in bytes, numbers
//! with an exponent, the logistic function.

use super::{CHUNK, LANES, finer};
use wide::{i16x8, i32x4, i32x8, u16x8};

#[inline(always)]
pub(super) fn load(bytes: &[u8; CHUNK]) -> i16x8 {
    i16x8::new(core::array::from_fn(|i| i16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])))
}

#[inline(always)]
pub(super) fn store(bytes: &mut [u8; CHUNK], lanes: [i16; LANES]) {
    for (bytes, lane) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(lanes) {
        *bytes = lane.to_le_bytes();
    }
}

/// Pairs of i16 as lanes of i32, the first of each pair lowest.
#[inline(always)]
pub(super) fn load_pairs(bytes: &[u8; 2 * CHUNK]) -> i32x8 {
    i32x8::new(core::array::from_fn(|i| {
        i32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
    }))
}

#[inline(always)]
pub(super) fn store_pairs(bytes: &mut [u8; 2 * CHUNK], pairs: i32x8) {
    for (bytes, pair) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(pairs.to_array()) {
        *bytes = pair.to_le_bytes();
    }
}

/// A vector of `bytes`.
#[inline(always)]
pub(crate) fn read<const E: usize>(bytes: &[u8]) -> [i16; E] {
    let mut out = [0; E];
    for (out, bytes) in out.as_chunks_mut().0.iter_mut().zip(bytes.as_chunks().0) {
        *out = load(bytes).to_array();
    }
    out
}

#[inline(always)]
pub(super) fn write<const E: usize>(bytes: &mut [u8], vector: &[i16; E]) {
    for (bytes, lanes) in bytes.as_chunks_mut().0.iter_mut().zip(vector.as_chunks().0) {
        store(bytes, *lanes);
    }
}

/// Sum of the products, those of each pair shifted right by `shift`.
///
/// A lane adds up a quarter of the channels; by Cauchy-Schwarz that stays
/// below 2^31 for all uses here: |f|^2 is E in Q20, a weight below 2^15, and
/// what is not normalised is shifted far enough.
#[inline(always)]
pub(crate) fn dot<const E: usize>(a: &[i16; E], b: &[i16; E], shift: i32) -> i64 {
    let mut sum = i32x4::ZERO;
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        sum += i16x8::new(*a).dot(i16x8::new(*b)) >> shift;
    }
    sum.to_array().map(i64::from).iter().sum()
}

/// Bits of the largest magnitude, given the disjunction of all [`magnitude`]s.
#[inline(always)]
pub(super) fn bits(or: i32) -> u32 {
    32 - or.leading_zeros()
}

/// A number of as many bits as `x`, never negative.
#[inline(always)]
pub(super) fn magnitude(x: i32) -> i32 {
    x ^ (x >> 31)
}

/// The same of lanes.
#[inline(always)]
pub(super) fn magnitudes(x: i32x8) -> i32x8 {
    x ^ (x >> 31)
}

/// The bits of the largest magnitude.
#[inline(always)]
pub(super) fn bits_of(or: i32x8) -> u32 {
    bits(or.to_array().iter().fold(0, |or, x| or | x))
}

/// A mean square, `mantissa * 4^exponent`, mantissa below 2^14.
#[derive(Clone, Copy)]
pub(super) struct Square {
    pub(super) mantissa: u32,
    pub(super) exponent: u32,
}

impl Square {
    /// The nearest below.
    pub(super) fn new(mantissa: u32, exponent: u32) -> Self {
        let over = (32 - mantissa.leading_zeros()).saturating_sub(14).div_ceil(2);
        Self { mantissa: mantissa >> (2 * over), exponent: exponent + over }
    }

    /// Moves towards `other` by `rate` (Q14, at most one half).
    pub(super) fn towards(self, other: Self, rate: u32) -> Self {
        let exponent = self.exponent.max(other.exponent);
        let mantissa = |s: Self| (s.mantissa << 3) >> (2 * (exponent - s.exponent)).min(31);
        let (a, b) = (mantissa(self) as i32, mantissa(other) as i32);
        let mixed = (a + (((b - a) * rate as i32) >> 14)) as u32;
        // Three bits below the point, then as many digits as fit.
        let up = ((mixed.leading_zeros() - 15) / 2).min(exponent);
        Self::new((mixed << (2 * up)) >> 3, exponent - up)
    }
}

/// `2^18 / sqrt(m + 1/2)` for m from 64 to 255.
static ROOTS: [u16; 192] = {
    let mut table = [0; 192];
    let mut i = 0;
    while i < 192 {
        table[i] = ((1u64 << 37) / (2 * (i as u64 + 64) + 1)).isqrt() as u16;
        i += 1;
    }
    table
};

/// `1 / sqrt(x)` for `0 < x < 2^27`, within 0.4 %: a number of 15 bits and
/// how far its point stands to the left.
#[inline(always)]
pub(super) fn inverse_root(x: u32) -> (u32, u32) {
    // x = m 4^s with m from 64 to 255.
    let s = bits(x as i32).div_ceil(2);
    let m = (u64::from(x) << 8) >> (2 * s);
    (ROOTS[m as usize - 64].into(), 14 + s)
}

/// exp(-1/128) in Q60.
const EXP_STEP: u128 = 1_143_949_398_276_903_549;

/// Sigmoid at steps of 1/128 from -8 to 8, Q15.
static SIGMOID: [i16; 2048] = {
    let mut table = [0; 2048];
    let mut exp = 1u128 << 60; // exp(-i/128)
    let mut i = 0;
    while i <= 1024 {
        let s = ((1u128 << 75) + ((1 << 60) + exp) / 2) / ((1 << 60) + exp);
        if i < 1024 {
            table[1024 + i] = s as i16;
        }
        table[1024 - i] = ((1 << 15) - s) as i16;
        exp = (exp * EXP_STEP) >> 60;
        i += 1;
    }
    table
};

/// Sigmoid of each `u` in Q12, Q15 within `11..=32757`.
#[inline(always)]
pub(super) fn sigmoid<const E: usize>(u: [i16; E]) -> [i16; E] {
    // The places first, so that these have lanes.
    let places = u.map(|u| (u.saturating_add(16) >> 5) + 1024);
    places.map(|place| SIGMOID[place as usize & 2047])
}

/// `w + (f * step + noise) / 2^16`, rounded down: stochastic rounding.
#[inline(always)]
pub(super) fn moved(w: i16x8, f: i16x8, step: i16, noise: u16x8) -> i16x8 {
    let step = i16x8::splat(step);
    // The carry of the low halves: where their sum is less than a part.
    let sign = i16x8::splat(i16::MIN);
    let low: i16x8 = f * step;
    let noise = i16x8::new(noise.to_array().map(|x| x as i16));
    let carry = ((low + noise) ^ sign).simd_lt(low ^ sign);
    w.saturating_add(f.mul_keep_high(step) - carry)
}

/// Noise from a congruential generator.
#[inline(always)]
pub(super) fn next_noise(noise: &mut u32) -> u16 {
    *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*noise >> 16) as u16
}

/// The noise of each lane of a vector.
#[inline(always)]
fn dithered(noise: u16) -> u16x8 {
    u16x8::new(DITHER) + u16x8::splat(noise)
}

/// Spreads the noise over the lanes, multiples of 2^16 / golden ratio.
pub const DITHER: [u16; LANES] = [0, 40503, 15470, 55973, 30940, 5907, 46410, 21377];
/// To be added to the noise of a vector for that of the next one.
pub const LATER: u16 = 0x6A3D;

/// The lanes of both, in turn.
#[inline(always)]
fn pairs(a: i16x8, b: i16x8) -> [i16x8; 2] {
    let (a, b) = (a.to_array(), b.to_array());
    [0, 4].map(|at| {
        i16x8::new(core::array::from_fn(|i| if i % 2 == 0 { a[at + i / 2] } else { b[at + i / 2] }))
    })
}

/// Moves the weights of two nodes of a head along `f`, each by its step of it over 2^16 with
/// stochastic rounding, and adds what their errors (Q15) make of the weights before to `df`.
#[inline(always)]
pub(crate) fn learn_nodes<const E: usize>(
    nodes: [&mut [u8]; 2],
    f: &[i16; E],
    errors: [i16; 2],
    steps: [i16; 2],
    noise: u16,
    df: &mut [i32; E],
) {
    let errors = i16x8::new(core::array::from_fn(|i| errors[i % 2]));
    let mut dither = dithered(noise);
    let later = u16x8::splat(LATER);
    let [first, second] = nodes.map(|node| node.as_chunks_mut().0);
    let (f, df) = (f.as_chunks().0, df.as_chunks_mut::<LANES>().0);
    for (((w0, w1), f), df) in first.iter_mut().zip(second).zip(f).zip(df) {
        let (a, b) = (load(w0), load(w1));
        let [low, high] = pairs(a, b).map(|pairs| {
            let sums: i32x4 = pairs.dot(errors) >> (3 + finer(E) as i32);
            sums.to_array()
        });
        for (df, x) in df.iter_mut().zip(low.iter().chain(&high)) {
            *df += x;
        }
        let f = i16x8::new(*f);
        store(w0, moved(a, f, steps[0], dither).to_array());
        dither += later;
        store(w1, moved(b, f, steps[1], dither).to_array());
        dither += later;
    }
}

/// Moves the weights of a row along `f` by `step`, with stochastic rounding.
#[inline(always)]
pub(crate) fn move_row<const E: usize>(row: &mut [u8], f: &[i16; E], step: i16, noise: &mut u32) {
    let mut dither = dithered(next_noise(noise));
    for (w, f) in row.as_chunks_mut().0.iter_mut().zip(f.as_chunks::<LANES>().0) {
        store(w, moved(load(w), i16x8::new(*f), step, dither).to_array());
        dither += u16x8::splat(LATER);
    }
}

/// Sum of the products of the vectors of 16 bits in `a` and those of 13 in
/// `b`, over 2^`SHIFT`.
///
/// A lane of 32 bits takes the products of [`NARROW`] vectors; the shift makes
/// room for the sum of all of them.
#[inline(always)]
pub(super) fn narrow_dot<const SHIFT: i32>(a: &[u8], b: &[i16]) -> i32 {
    let (a, b) = (a.as_chunks::<CHUNK>().0, b.as_chunks::<LANES>().0);
    debug_assert!(a.len().div_ceil(NARROW) * 4 <= 1 << SHIFT);
    let mut total = i32x4::ZERO;
    for (a, b) in a.chunks(NARROW).zip(b.chunks(NARROW)) {
        let mut sum = i32x4::ZERO;
        for (a, b) in a.iter().zip(b) {
            sum += load(a).dot(i16x8::new(*b));
        }
        total += sum >> SHIFT;
    }
    total.reduce_add()
}

/// Vectors that [`narrow_dot`] adds up in 32 bits: 2 * 8 * 2^15 * 2^12 = 2^31,
/// and neither -2^15 nor more than 4096 occurs.
const NARROW: usize = 8;

/// Adds the products of a table and a vector of 13 bits to `sums`, over 2^5. For each two
/// inputs the table has a pair of weights for each output, so that no sum has to go across
/// lanes. `E` is a multiple of [`GROUP`].
#[inline(always)]
pub(crate) fn product<const E: usize>(table: &[u8], input: &[i16; E], sums: &mut [i32; E]) {
    for (table, input) in table.chunks(E * 2 * GROUP).zip(input.chunks(GROUP)) {
        // As many sums at a time as inputs: they stay in registers.
        for (block, sums) in sums.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
            let mut lanes = [i32x4::ZERO; GROUP / 4];
            let rows = table.chunks_exact(E * 4).zip(input.as_chunks::<2>().0);
            for (row, &[a, b]) in rows {
                let row = &row.as_chunks::<CHUNK>().0[block * GROUP / 4..][..GROUP / 4];
                let pair = i16x8::new([a, b, a, b, a, b, a, b]);
                for (lane, weights) in lanes.iter_mut().zip(row) {
                    *lane += load(weights).dot(pair);
                }
            }
            for (sums, lane) in sums.as_chunks_mut::<4>().0.iter_mut().zip(&lanes) {
                let lane: i32x4 = *lane >> 5;
                *sums = (i32x4::new(*sums) + lane).to_array();
            }
        }
    }
}

/// Sums of input times gradient over the pairs of steps of a span, and the disjunction of
/// their magnitudes. Each pair has `stride` bytes of `inputs`, those of `E` channels first, and
/// of `gradients`, that of one output first.
#[inline(always)]
pub(crate) fn outer<const E: usize>(
    inputs: &[u8],
    gradients: &[u8],
    stride: usize,
    sums: &mut [i32; E],
) -> i32 {
    let mut or = i32x4::ZERO;
    // Few enough sums at a time to stay in registers.
    for (block, sums) in sums.chunks_mut(BLOCK).enumerate() {
        let mut lanes = [i32x4::ZERO; BLOCK / 4];
        let lanes = &mut lanes[..sums.len() / 4];
        for (input, gradient) in inputs.chunks(stride).zip(gradients.chunks(stride)) {
            let input = &input[block * BLOCK * 4..][..sums.len() * 4];
            let [a, b, c, d] = *gradient.first_chunk().expect("a pair");
            let (a, b) = (i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d]));
            let gradient = i16x8::new([a, b, a, b, a, b, a, b]);
            for (sum, input) in lanes.iter_mut().zip(input.as_chunks().0) {
                *sum += load(input).dot(gradient);
            }
        }
        for (sums, lanes) in sums.as_chunks_mut::<4>().0.iter_mut().zip(lanes) {
            *sums = lanes.to_array();
            or |= *lanes ^ (*lanes >> 31);
        }
    }
    or.to_array().iter().fold(0, |or, x| or | x)
}

/// Sums of [`outer`] taken at a time.
const BLOCK: usize = 32;

/// Adds two vectors in bytes, each times its weight, to `sums`, over 2^4.
#[inline(always)]
pub(crate) fn embed<const E: usize>(a: &[u8], b: &[u8], weights: [i16; 2], sums: &mut [i32; E]) {
    let weights = weights.map(i16x8::splat);
    let sums = sums.as_chunks_mut::<LANES>().0.iter_mut();
    for ((sums, a), b) in sums.zip(a.as_chunks().0).zip(b.as_chunks().0) {
        let pair = load(a).widening_mul(weights[0]) + load(b).widening_mul(weights[1]);
        let pair: i32x8 = pair >> 4;
        *sums = (i32x8::new(*sums) + pair).to_array();
    }
}

/// The products of a gradient and the rows at these places: the sum of those of each two
/// channels, over 2^7. No number of the gradient is -2^15.
#[inline(always)]
pub(crate) fn along<const E: usize>(
    rows: &[u8],
    places: &[usize],
    gradient: &[i16; E],
    products: &mut [i32],
) {
    for (product, &place) in products.iter_mut().zip(places) {
        let mut sum = i32x4::ZERO;
        let row = rows[place..][..E * 2].as_chunks().0;
        for (row, gradient) in row.iter().zip(gradient.as_chunks().0) {
            sum += load(row).dot(i16x8::new(*gradient)) >> 7;
        }
        *product = sum.reduce_add();
    }
}

/// Moves the rows at these places along a gradient, each by its step of it over 2^17.
#[inline(always)]
pub(crate) fn learn_rows<const E: usize>(
    rows: &mut [u8],
    places: &[usize],
    steps: &[i16],
    gradient: &[i16; E],
) {
    for (&place, &step) in places.iter().zip(steps) {
        move_by(&mut rows[place..][..E * 2], gradient, step);
    }
}

/// Moves a row along a gradient by a step of it over 2^17.
#[inline(always)]
pub(super) fn move_by(row: &mut [u8], gradient: &[i16], step: i16) {
    let gradient = gradient.as_chunks::<LANES>().0;
    for (row, gradient) in row.as_chunks_mut().0.iter_mut().zip(gradient) {
        let twice = i16x8::new(*gradient).mul_keep_high(i16x8::splat(step));
        let change = (twice + i16x8::splat(1)) >> 1;
        store(row, load(row).saturating_add(change).to_array());
    }
}

/// Inputs whose products have room in 32 bits: 16 * 2^15 * 2^12 = 2^31, as for [`NARROW`].
const GROUP: usize = 16;
