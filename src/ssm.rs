//! The selective state space model: a small recurrent network, trained on the
//! stream while it is coded.
//!
//! A diagonal state is decayed and fed under the control of the input: the
//! selection mechanism of Mamba (Gu and Dao, 2023) in the case of its Theorem
//! 1, one state a channel and A = -1. What projects the input onto the gates
//! is sparse: rows of hashed context embeddings are added up, so there is no
//! dense product anywhere.
//!
//! ```text
//! u = bias + sum over contexts of row[hash]     three vectors u_a, u_c, u_o
//! a = sigmoid(u_a)   c = tanh(u_c)   g = u_o sigmoid(u_o)
//! h = a h + (1 - a) c                           the state
//! y = h g     f = y / rms(y)                    the features
//! p(bit) = squash(W[node] . f + b[node])        node: the bits of the byte so far
//! ```
//!
//! The head `W` learns after each byte, the rows after each span of bytes by
//! truncated backpropagation through time. All of it is integer arithmetic
//! that cannot overflow; formats are named where a value is made.

use crate::logistic::{STRETCH_MAX, squash};
use wide::{i16x8, i32x4};

/// Lanes of a vector; widths are multiples of it.
const LANES: usize = 8;
/// Bytes of so many lanes.
const CHUNK: usize = 2 * LANES;

/// Inputs for the mixer.
pub(crate) const INPUTS: usize = 2;

/// Most contexts beside the last byte.
pub(crate) const MAX_CONTEXTS: usize = 16;

/// Rows of the last byte's own table.
const BYTE_ROWS: usize = 256;

/// Binary nodes of a byte.
const NODES: usize = 256;

/// Vectors of a step kept for the backward pass.
const KEPT: usize = 6;

/// Size of a model.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Channels: 8, 16, 32, 64 or 128.
    pub(crate) width: usize,
    /// Rows that all contexts but the last byte share.
    pub(crate) rows: usize,
    /// Contexts beside the last byte.
    pub(crate) contexts: usize,
    /// Bytes between two updates of the rows.
    pub(crate) span: usize,
}

impl Shape {
    /// Bytes of a row: three vectors, then visits and mean square.
    const fn row(&self) -> usize {
        self.width * 6 + 4
    }

    /// Bytes of a step: the vectors kept, the exponent of the first, the rows.
    const fn step(&self) -> usize {
        self.width * 2 * KEPT + 4 + (self.contexts + 1) * 4
    }

    /// Bytes of a node of the head: weights, bias, visits.
    const fn node(&self) -> usize {
        self.width * 2 + 4
    }

    /// Bytes of the whole model.
    pub(crate) const fn bytes(&self) -> usize {
        NODES * self.node()
            + self.width * 4
            + self.span * self.step()
            + (BYTE_ROWS + self.rows) * self.row()
    }
}

/// The memory of a model, cut into its tables.
struct Parts<'a> {
    head: &'a mut [u8],
    /// The state h, Q15.
    state: &'a mut [u8],
    /// The features f, Q10.
    features: &'a mut [u8],
    steps: &'a mut [u8],
    rows: &'a mut [u8],
}

fn parts<'a>(shape: &Shape, memory: &'a mut [u8]) -> Parts<'a> {
    let (head, rest) = memory.split_at_mut(NODES * shape.node());
    let (state, rest) = rest.split_at_mut(shape.width * 2);
    let (features, rest) = rest.split_at_mut(shape.width * 2);
    let (steps, rows) = rest.split_at_mut(shape.span * shape.step());
    Parts { head, state, features, steps, rows }
}

/// What the model knows beside its tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ssm {
    /// Probability of a 1 at the node asked for last, Q16.
    p: u32,
    /// Errors of the current byte, Q16.
    errors: [i32; 8],
    /// Bits of the current byte learned.
    bits: usize,
    /// Step within the span.
    step: usize,
    /// Bytes learned, up to the end of the warm-up.
    age: u32,
    /// Source of the stochastic rounding.
    noise: u32,
}

/// Calls the function for the width of the shape.
macro_rules! for_width {
    ($shape:expr, $owner:ident . $method:ident $args:tt) => {
        match $shape.width {
            8 => $owner.$method::<8> $args,
            16 => $owner.$method::<16> $args,
            32 => $owner.$method::<32> $args,
            64 => $owner.$method::<64> $args,
            128 => $owner.$method::<128> $args,
            _ => unreachable!("no such width"),
        }
    };
}

#[inline(always)]
fn load(bytes: &[u8; CHUNK]) -> i16x8 {
    i16x8::new(core::array::from_fn(|i| i16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])))
}

#[inline(always)]
fn store(bytes: &mut [u8; CHUNK], lanes: [i16; LANES]) {
    for (bytes, lane) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(lanes) {
        *bytes = lane.to_le_bytes();
    }
}

/// A vector of `bytes`.
#[inline(always)]
fn read<const E: usize>(bytes: &[u8]) -> [i16; E] {
    let mut out = [0; E];
    for (out, bytes) in out.as_chunks_mut().0.iter_mut().zip(bytes.as_chunks().0) {
        *out = load(bytes).to_array();
    }
    out
}

#[inline(always)]
fn write<const E: usize>(bytes: &mut [u8], vector: &[i16; E]) {
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
fn dot<const E: usize>(a: &[i16; E], b: &[i16; E], shift: i32) -> i64 {
    let mut sum = i32x4::ZERO;
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        sum += i16x8::new(*a).dot(i16x8::new(*b)) >> shift;
    }
    sum.to_array().map(i64::from).iter().sum()
}

/// Bits of the largest magnitude, given the disjunction of all [`magnitude`]s.
#[inline(always)]
fn bits(or: i32) -> u32 {
    32 - or.leading_zeros()
}

/// A number of as many bits as `x`, never negative.
#[inline(always)]
fn magnitude(x: i32) -> i32 {
    x ^ (x >> 31)
}

impl Ssm {
    pub(crate) const NONE: Self = Self { p: 0, errors: [0; 8], bits: 0, step: 0, age: 0, noise: 0 };

    /// A fresh model in zeroed `memory`.
    pub(crate) fn new(shape: &Shape, memory: &mut [u8]) -> Self {
        let row = shape.row();
        let mut noise = 0x2545_F491u32;
        for row in parts(shape, memory).rows.chunks_exact_mut(row).take(BYTE_ROWS) {
            for bytes in row[..shape.width * 6].as_chunks_mut::<2>().0 {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Uniform within +-0.3, Q12.
                let x = (((noise >> 16) as i32 * (2 * INITIAL + 1)) >> 16) - INITIAL;
                *bytes = (x as i16).to_le_bytes();
            }
        }
        Self { p: 32768, ..Self::default() }
    }

    /// Moves the state on. `byte` is the last one, `hashes` are the contexts.
    #[inline]
    pub(crate) fn start_byte(
        &mut self,
        shape: &Shape,
        byte: u8,
        hashes: &[u32],
        memory: &mut [u8],
    ) {
        for_width!(shape, self.forward(shape, byte, hashes, memory));
    }

    /// Predicts the bit after the bits `partial` (with a leading 1).
    #[inline]
    pub(crate) fn predict(
        &mut self,
        shape: &Shape,
        partial: u32,
        memory: &mut [u8],
    ) -> [i16; INPUTS] {
        for_width!(shape, self.ask(shape, partial, memory))
    }

    /// Takes note of the bit predicted last; `p` is what all models together
    /// made of it. Half of the error is that of the whole, so that the model
    /// attends to what the others miss.
    #[inline]
    pub(crate) fn learn(&mut self, bit: bool, p: u32) {
        self.errors[self.bits] = (i32::from(bit) << 16) - ((self.p + p) >> 1) as i32;
        self.bits += 1;
    }

    /// Learns from the byte whose bits are known.
    #[inline]
    pub(crate) fn end_byte(&mut self, shape: &Shape, byte: u8, memory: &mut [u8]) {
        for_width!(shape, self.train(shape, byte, memory));
    }

    fn forward<const E: usize>(
        &mut self,
        shape: &Shape,
        byte: u8,
        hashes: &[u32],
        memory: &mut [u8],
    ) {
        let parts = parts(shape, memory);
        let size = shape.step();
        let step = &mut parts.steps[self.step * size..][..size];
        let (kept, rest) = step.split_at_mut(E * 2 * KEPT);
        let indices = rest[4..].as_chunks_mut::<4>().0;
        indices[0] = u32::from(byte).to_le_bytes();
        for (index, &hash) in indices[1..].iter_mut().zip(hashes) {
            let hash = hash.wrapping_mul(0x9E37_79B1);
            let row = (u64::from(hash) * shape.rows as u64) >> 32;
            *index = (BYTE_ROWS as u32 + row as u32).to_le_bytes();
        }

        // Pre-activations, Q12; saturation is part of the model.
        let mut u = [[0; E], [0; E], [BIAS_O; E]];
        for (i, u) in u[0].iter_mut().enumerate() {
            *u = (BIAS_A.0 + BIAS_A.1 * i as i32 / E as i32) as i16;
        }
        for index in &*indices {
            let at = u32::from_le_bytes(*index) as usize * shape.row();
            let row = parts.rows[at..at + E * 6].as_chunks().0;
            for (u, row) in u.as_flattened_mut().as_chunks_mut::<LANES>().0.iter_mut().zip(row) {
                *u = i16x8::new(*u).saturating_add(load(row)).to_array();
            }
        }

        let mut h = read::<E>(parts.state);
        let mut vectors = [[0i16; E]; KEPT];
        let [_, gates, decays, by_a, by_c, by_o] = &mut vectors;
        let mut y = [0; E];
        let mut or = FLOOR;
        for i in 0..E {
            let a = sigmoid(u[0][i].into()); // Q15
            let c = 2 * sigmoid(2 * i32::from(u[1][i])) - ONE; // Q15
            let s = sigmoid(u[2][i].into());
            let g = (i32::from(u[2][i]) * s + ONE / 2) >> 15; // Q12
            let (old, b) = (i32::from(h[i]), ONE - a);
            let new = (old * a + c * b + ONE / 2) >> 15; // Q15
            h[i] = new as i16;
            y[i] = new * g; // Q27
            or |= magnitude(y[i]);
            gates[i] = g as i16;
            decays[i] = a as i16;
            // How h depends on u_a and u_c, and y on u_o, Q15.
            by_a[i] = (((old - c) * ((a * b) >> 15)) >> 15) as i16;
            by_c[i] = ((b * (ONE - ((c * c) >> 15))) >> 15) as i16;
            let slope = s + ((g * (ONE - s)) >> 12);
            by_o[i] = ((new * slope) >> 15).clamp(-32767, 32767) as i16;
        }

        // RMS norm on 13 bits a channel; the floor is added in squares.
        let shift = bits(or) - 13;
        let y = y.map(|y| (y >> shift) as i16);
        let floor = FLOOR >> shift;
        let mean = (dot(&y, &y, 1) / (E as i64 / 2)) as u32 + (floor * floor) as u32;
        // 2^27 / rms, with the rms in sixteenths of the shifted y: 15 bits.
        let inverse = (1 << 27) / ((mean << 4).isqrt() as i32 * 4);
        let f = y.map(|y| ((i32::from(y) * inverse) >> 13) as i16); // Q10
        write(parts.state, &h);
        write(parts.features, &f);
        for (bytes, vector) in kept.chunks_exact_mut(E * 2).zip(&vectors).skip(1) {
            write(bytes, vector);
        }
        // What the backward pass needs of the norm.
        rest[..2].copy_from_slice(&(inverse as u16).to_le_bytes());
        rest[2] = shift as u8;
        self.bits = 0;
    }

    fn ask<const E: usize>(
        &mut self,
        shape: &Shape,
        partial: u32,
        memory: &mut [u8],
    ) -> [i16; INPUTS] {
        let parts = parts(shape, memory);
        let size = shape.node();
        let node = &parts.head[partial as usize * size..][..size];
        let (weights, rest) = node.split_at(E * 2);
        let x = dot(&read::<E>(weights), &read::<E>(parts.features), 1) >> 9;
        let bias = i16::from_le_bytes([rest[0], rest[1]]);
        let limit = STRETCH_MAX << 4;
        let x = (x + i64::from(bias)).clamp(i64::from(1 - limit), i64::from(limit - 1)) as i32;
        self.p = squash(x);
        [(x >> 4) as i16, ((self.p as i32 - 32768) >> 6) as i16]
    }

    fn train<const E: usize>(&mut self, shape: &Shape, byte: u8, memory: &mut [u8]) {
        let mut parts = parts(shape, memory);
        let f = read::<E>(parts.features);
        let size = shape.node();
        let mut df = [0i32; E]; // Q24
        let mut partial = 1;
        for (i, &error) in self.errors.iter().enumerate() {
            let node = &mut parts.head[partial * size..][..size];
            partial = (2 * partial) | usize::from(byte >> (7 - i) & 1);
            let (weights, rest) = node.split_at_mut(E * 2);
            let visits = u16::from_le_bytes([rest[2], rest[3]]);
            rest[2..4].copy_from_slice(&(visits + 1).min(33_000).to_le_bytes());
            // 0.128 / E, twelve times as much at first.
            let rate = HEAD_RATE / E as i32 * 36_000 / (3000 + i32::from(visits));
            let step = (((error >> 2) * rate) >> 14).clamp(-32767, 32767) as i16;
            let half = error >> 1;
            self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut noise = DITHER.map(|d| d.wrapping_add((self.noise >> 16) as u16));
            let weights = weights.as_chunks_mut::<CHUNK>().0;
            let df = df.as_chunks_mut::<LANES>().0;
            for ((w, f), df) in weights.iter_mut().zip(f.as_chunks::<LANES>().0).zip(df) {
                let mut lanes = load(w).to_array();
                for (i, lane) in lanes.iter_mut().enumerate() {
                    df[i] += (i32::from(*lane) * half) >> 3;
                    let change = i32::from(f[i]) * i32::from(step) + i32::from(noise[i]);
                    *lane = lane.saturating_add((change >> 16) as i16);
                    noise[i] = noise[i].wrapping_add(0x6A3D);
                }
                store(w, lanes);
            }
            let bias = i32::from(i16::from_le_bytes([rest[0], rest[1]]));
            let bias = bias + ((i32::from(step) * 1024 + 32768) >> 16);
            rest[..2].copy_from_slice(&(bias.clamp(-32768, 32767) as i16).to_le_bytes());
        }
        let missed: i32 = self.errors.iter().map(|e| e.abs()).sum();

        // Through the norm: dy = (df - f mean(df f)) / rms.
        let step_size = shape.step();
        let step = &mut parts.steps[self.step * step_size..][..step_size];
        let (kept, rest) = step.split_at_mut(E * 2 * KEPT);
        let or = df.iter().fold(0, |or, &df| or | magnitude(df));
        let down = bits(or).saturating_sub(13);
        let df = df.map(|df| (df >> down) as i16);
        let mean = ((dot(&df, &f, 0) / E as i64) >> 10) as i32;
        let inverse = i32::from(u16::from_le_bytes([rest[0], rest[1]]));
        let up = down as i32 - 2 - i32::from(rest[2]); // to Q18
        let mut or = 0;
        let dy: [i32; E] = core::array::from_fn(|i| {
            let z = i32::from(df[i]) - ((i32::from(f[i]) * mean + 512) >> 10);
            let z = z.clamp(-32767, 32767) * inverse;
            let limit = LIMIT_Y >> up.max(0);
            let dy = if up >= 0 { z.clamp(-limit, limit) << up } else { z >> -up.max(-31) };
            let dy = dy.clamp(-LIMIT_Y, LIMIT_Y);
            or |= magnitude(dy);
            dy
        });
        let down = bits(or).saturating_sub(14);
        write(kept, &dy.map(|dy| (dy >> down) as i16));
        rest[0] = down as u8;
        rest[1] = u8::from(missed < SKIP);

        self.age = (self.age + 1).min(WARM_UP);
        self.step += 1;
        if self.step == shape.span {
            self.step = 0;
            backward::<E>(shape, self.age, &mut parts);
        }
    }
}

/// Backpropagation through the steps of the span, and the update of the rows.
fn backward<const E: usize>(shape: &Shape, age: u32, parts: &mut Parts) {
    let mut carry = [0i32; E]; // Q18
    for step in parts.steps.chunks_exact(shape.step()).rev() {
        let (kept, rest) = step.split_at(E * 2 * KEPT);
        let kept = kept.as_chunks::<CHUNK>().0;
        let vector = |i: usize| &kept[i * (E / LANES)..][..E / LANES];
        let (dy, gates, decays) = (vector(0), vector(1), vector(2));
        let down = u32::from(rest[0]);
        let mut or = 0;
        for ((carry, dy), g) in carry.as_chunks_mut::<LANES>().0.iter_mut().zip(dy).zip(gates) {
            let (dy, g) = (load(dy).to_array(), load(g).to_array());
            for i in 0..LANES {
                let dh = carry[i] + ((i32::from(dy[i]) * i32::from(g[i])) >> (12 - down));
                carry[i] = dh.clamp(-LIMIT_H, LIMIT_H);
                or |= magnitude(carry[i]);
            }
        }
        let common = bits(or).saturating_sub(14).max(down);
        let mut dh = [0i16; E];
        for ((carry, dh), a) in carry
            .as_chunks_mut::<LANES>()
            .0
            .iter_mut()
            .zip(dh.as_chunks_mut::<LANES>().0)
            .zip(decays)
        {
            let a = load(a).to_array();
            for i in 0..LANES {
                dh[i] = (carry[i] >> common) as i16;
                carry[i] = (i32::from(dh[i]) * i32::from(a[i])) >> (15 - common);
            }
        }
        if rest[1] != 0 {
            continue;
        }
        let mut du = [[0i32; E]; 3];
        let mut or = 0;
        for i in 0..E / LANES {
            let by = [3, 4, 5].map(|k| load(&vector(k)[i]).to_array());
            let dy = load(&dy[i]).to_array();
            for j in 0..LANES {
                let at = i * LANES + j;
                let h = i32::from(dh[at]);
                du[0][at] = h * i32::from(by[0][j]);
                du[1][at] = h * i32::from(by[1][j]);
                du[2][at] = i32::from(dy[j] >> (common - down)) * i32::from(by[2][j]);
                or |= magnitude(du[0][at]) | magnitude(du[1][at]) | magnitude(du[2][at]);
            }
        }
        let narrow = bits(or).saturating_sub(15);
        // -32768 is kept out: two of its squares overflow the dot product.
        let du = du.map(|du| du.map(|du| (du >> narrow).max(-32767) as i16));
        let sum: i64 = du.iter().map(|du| dot(du, du, 7)).sum();
        let mean = sum as u32 / (3 * E as u32);
        if mean == 0 {
            continue;
        }
        let exponent = common + narrow;
        let square = Square::new(2 * mean, exponent + 3);
        for index in rest[4..].as_chunks::<4>().0 {
            let at = u32::from_le_bytes(*index) as usize * shape.row();
            let (row, meta) = parts.rows[at..at + shape.row()].split_at_mut(E * 6);
            let meta = meta.first_chunk_mut::<4>().expect("four bytes");
            let k = i16x8::splat(rate(meta, square, exponent, age));
            let du = du.as_flattened().as_chunks::<LANES>().0;
            for (row, du) in row.as_chunks_mut::<CHUNK>().0.iter_mut().zip(du) {
                let twice = i16x8::new(*du).mul_keep_high(k);
                let change = (twice + i16x8::splat(1)) >> 1;
                store(row, load(row).saturating_add(change).to_array());
            }
        }
    }
}

/// A mean square, `mantissa * 4^exponent`, mantissa below 2^14.
#[derive(Clone, Copy)]
struct Square {
    mantissa: u32,
    exponent: u32,
}

impl Square {
    /// The nearest below.
    fn new(mantissa: u32, exponent: u32) -> Self {
        let over = (32 - mantissa.leading_zeros()).saturating_sub(14).div_ceil(2);
        Self { mantissa: mantissa >> (2 * over), exponent: exponent + over }
    }

    /// Moves towards `other` by `rate` (Q14, at most one half).
    fn towards(self, other: Self, rate: u32) -> Self {
        let exponent = self.exponent.max(other.exponent);
        let mantissa = |s: Self| (s.mantissa << 3) >> (2 * (exponent - s.exponent)).min(31);
        let (a, b) = (mantissa(self) as i32, mantissa(other) as i32);
        let mixed = (a + (((b - a) * rate as i32) >> 14)) as u32;
        // Three bits below the point, then as many digits as fit.
        let up = ((mixed.leading_zeros() - 15) / 2).min(exponent);
        Self::new((mixed << (2 * up)) >> 3, exponent - up)
    }
}

/// Notes a visit to a row and gives the factor for its update.
fn rate(meta: &mut [u8; 4], square: Square, exponent: u32, age: u32) -> i16 {
    let packed = u32::from_le_bytes(*meta);
    let visits = packed & 0xFFF;
    let mean = if visits == 0 {
        square
    } else {
        let old = Square { mantissa: packed >> 12 & 0x3FFF, exponent: packed >> 26 };
        old.towards(square, (16384 / (visits + 1)).max(164))
    };
    let next = (visits + 1).min(MAX_VISITS);
    *meta = (mean.exponent << 26 | mean.mantissa << 12 | next).to_le_bytes();
    // 0.034 / sqrt(mean (1 + visits / 10)).
    let root = (mean.mantissa * (10 + visits) * 16).isqrt().max(1);
    let k = ROW_RATE / WARM_UP * age / root;
    let k = if exponent >= mean.exponent {
        k.min(32767) << (exponent - mean.exponent).min(8)
    } else {
        k >> (mean.exponent - exponent).min(31)
    };
    k.min(32767) as i16
}

/// Bytes over which the learning rate of the rows rises to its full value.
const WARM_UP: u32 = 640;
/// 0.034 in Q12, times sqrt(10) * 4 * 2^17.
const ROW_RATE: u32 = 231_000_000;
const MAX_VISITS: u32 = 3990;
/// 0.128 in Q18.
const HEAD_RATE: i32 = 33_554;
/// A byte whose errors sum up to less than this (Q16) trains no rows.
const SKIP: i32 = 100;
/// 0.3 in Q12.
const INITIAL: i32 = 1229;
/// Bias of u_o, 0.5 in Q12.
const BIAS_O: i16 = 2048;
/// Bias of u_a in Q12, first and last: ln(tau - 1) for time constants tau from 1.5 to 16 bytes.
const BIAS_A: (i32, i32) = (-2839, 13931);
/// One in Q15.
const ONE: i32 = 1 << 15;
/// The rms of y is never below this, Q27.
const FLOOR: i32 = 1 << 19;
/// Largest gradients in y and h, Q18.
const LIMIT_Y: i32 = (1 << 26) - 1;
const LIMIT_H: i32 = 1 << 28;
/// Spreads the noise over the lanes, multiples of 2^16 / golden ratio.
const DITHER: [u16; LANES] = [0, 40503, 15470, 55973, 30940, 5907, 46410, 21377];

/// exp(-1/128) in Q60.
const EXP_STEP: u128 = 1_143_949_398_276_903_549;

/// Sigmoid at steps of 1/128 from -8 to 8, Q15.
static SIGMOID: [u16; 2049] = {
    let mut table = [0; 2049];
    let mut exp = 1u128 << 60; // exp(-i/128)
    let mut i = 0;
    while i <= 1024 {
        let s = ((1u128 << 75) + ((1 << 60) + exp) / 2) / ((1 << 60) + exp);
        table[1024 + i] = s as u16;
        table[1024 - i] = (1 << 15) - s as u16;
        exp = (exp * EXP_STEP) >> 60;
        i += 1;
    }
    table
};

/// Sigmoid of `u` in Q12, Q15 within `11..=32757`.
#[inline(always)]
fn sigmoid(u: i32) -> i32 {
    i32::from(SIGMOID[((u.clamp(-32768, 32767) + 32768 + 16) >> 5) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const SHAPE: Shape = Shape { width: 16, rows: 4096, contexts: 3, span: 32 };
    const E: usize = 16;

    /// Random numbers from a fixed seed.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u32) -> u32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (((self.0 >> 32) * u64::from(n)) >> 32) as u32
        }
    }

    /// Words of a small vocabulary, the earlier ones more often.
    fn text(len: usize) -> Vec<u8> {
        let mut random = Random(1);
        let words: Vec<Vec<u8>> = (0..300)
            .map(|_| (0..2 + random.below(7)).map(|_| b'a' + random.below(26) as u8).collect())
            .collect();
        let mut out = Vec::new();
        while out.len() < len {
            let bound = 1 + random.below(300);
            out.extend(&words[random.below(bound) as usize]);
            out.push(b' ');
        }
        out.truncate(len);
        out
    }

    fn i16s(bytes: &[u8]) -> Vec<i16> {
        bytes.as_chunks().0.iter().map(|b| i16::from_le_bytes(*b)).collect()
    }

    fn floats(bytes: &[u8], one: f64) -> Vec<f64> {
        i16s(bytes).iter().map(|&x| f64::from(x) / one).collect()
    }

    /// Codes `byte`; returns its cost in bits.
    fn code(ssm: &mut Ssm, shape: &Shape, byte: u8, memory: &mut [u8]) -> f64 {
        let mut partial = 1;
        let mut cost = 0.0;
        for i in (0..8).rev() {
            ssm.predict(shape, partial, memory);
            let bit = byte >> i & 1 == 1;
            let p = f64::from(ssm.p) / 65536.0;
            cost -= libm::log2(if bit { p } else { 1.0 - p });
            ssm.learn(bit, ssm.p);
            partial = partial << 1 | u32::from(bit);
        }
        cost
    }

    /// Trains on `data`; returns the model, its memory and bits per byte over
    /// the second half.
    fn train(shape: &Shape, data: &[u8]) -> (Ssm, Vec<u8>, f64) {
        let mut memory = vec![0; shape.bytes()];
        let mut ssm = Ssm::new(shape, &mut memory);
        let mut cost = 0.0;
        let mut last = 0u32;
        for (i, &byte) in data.iter().enumerate() {
            let hashes = [last & 0xFFFF, last & 0xFF_FFFF | 1 << 24, last ^ 0x5555_5555];
            ssm.start_byte(shape, last as u8, &hashes, &mut memory);
            let bits = code(&mut ssm, shape, byte, &mut memory);
            cost += if i >= data.len() / 2 { bits } else { 0.0 };
            ssm.end_byte(shape, byte, &mut memory);
            last = last << 8 | u32::from(byte);
        }
        (ssm, memory, cost / (data.len() - data.len() / 2) as f64)
    }

    /// Pre-activations of the step begun last, read back from the tables.
    fn pre_activations(ssm: &Ssm, memory: &mut [u8]) -> [Vec<f64>; 3] {
        let parts = parts(&SHAPE, memory);
        let step = &parts.steps[ssm.step * SHAPE.step()..][..SHAPE.step()];
        let bias_a = (0..E).map(|i| (BIAS_A.0 + BIAS_A.1 * i as i32 / E as i32) as f64 / 4096.0);
        let mut u = [bias_a.collect(), vec![0.0; E], vec![0.5; E]];
        for index in step[E * 2 * KEPT + 4..].as_chunks().0 {
            let row = &parts.rows[u32::from_le_bytes(*index) as usize * SHAPE.row()..];
            for (k, u) in u.iter_mut().enumerate() {
                for (u, x) in u.iter_mut().zip(floats(&row[k * E * 2..][..E * 2], 4096.0)) {
                    *u += x;
                }
            }
        }
        u
    }

    /// The block in floating point: moves `h` on and returns the features.
    fn reference(u: &[Vec<f64>; 3], h: &mut [f64]) -> Vec<f64> {
        let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
        let mut y = [0.0; E];
        for i in 0..E {
            let a = sigmoid(u[0][i]);
            h[i] = a * h[i] + (1.0 - a) * libm::tanh(u[1][i]);
            y[i] = h[i] * u[2][i] * sigmoid(u[2][i]);
        }
        let floor = f64::from(FLOOR) / f64::from(1 << 27);
        let mean = y.iter().map(|y| y * y).sum::<f64>() / E as f64;
        let rms = libm::sqrt(mean + floor * floor);
        y.iter().map(|y| y / rms).collect()
    }

    /// Weights and bias of the eight nodes of `byte`.
    fn nodes(byte: u8, memory: &mut [u8]) -> Vec<(Vec<f64>, f64)> {
        let parts = parts(&SHAPE, memory);
        (0..8)
            .map(|i| {
                let node = (1usize << i) | usize::from(byte) >> (8 - i);
                let mut row = floats(&parts.head[node * SHAPE.node()..][..E * 2 + 2], 4096.0);
                let bias = row.pop().unwrap();
                (row, bias)
            })
            .collect()
    }

    fn logit(node: &(Vec<f64>, f64), f: &[f64]) -> f64 {
        node.0.iter().zip(f).map(|(w, f)| w * f).sum::<f64>() + node.1
    }

    /// Cost in nats of `byte`.
    fn loss(byte: u8, nodes: &[(Vec<f64>, f64)], f: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (i, node) in nodes.iter().enumerate() {
            let x = logit(node, f);
            let x = if byte >> (7 - i) & 1 == 1 { x } else { -x };
            sum += libm::log(1.0 + libm::exp(-x));
        }
        sum
    }

    #[test]
    fn sigmoid_is_the_logistic_function() {
        for u in -32768..=32767 {
            let knot = f64::from((u + 16) >> 5) / 128.0;
            let exact = 32768.0 / (1.0 + libm::exp(-knot));
            assert!((f64::from(sigmoid(u)) - exact).abs() <= 0.51, "{u}");
        }
        assert_eq!(sigmoid(0), ONE / 2);
        assert_eq!((sigmoid(i32::MIN), sigmoid(i32::MAX)), (11, 32757));
    }

    #[test]
    fn forward_follows_the_floating_point_reference() {
        let data = text(6000);
        let mut memory = vec![0; SHAPE.bytes()];
        let mut ssm = Ssm::new(&SHAPE, &mut memory);
        let mut h = vec![0.0; E];
        let mut last = 0u32;
        let (mut worst_h, mut worst_f, mut worst_x) = (0.0f64, 0.0f64, 0.0f64);
        for &byte in &data {
            let hashes = [last & 0xFFFF, last & 0xFF_FFFF | 1 << 24, last ^ 0x5555_5555];
            ssm.start_byte(&SHAPE, last as u8, &hashes, &mut memory);
            let u = pre_activations(&ssm, &mut memory);
            let f = reference(&u, &mut h);
            let nodes = nodes(byte, &mut memory);
            let parts = parts(&SHAPE, &mut memory);
            for (a, b) in h.iter().zip(floats(parts.state, 32768.0)) {
                worst_h = worst_h.max((a - b).abs());
            }
            for (a, b) in f.iter().zip(floats(parts.features, 1024.0)) {
                worst_f = worst_f.max((a - b).abs());
            }
            let x = ssm.predict(&SHAPE, 1, &mut memory)[0];
            let exact = logit(&nodes[0], &f).clamp(-12.0, 12.0);
            worst_x = worst_x.max((f64::from(x) / 256.0 - exact).abs());
            code(&mut ssm, &SHAPE, byte, &mut memory);
            ssm.end_byte(&SHAPE, byte, &mut memory);
            last = last << 8 | u32::from(byte);
        }
        assert!(worst_h < 0.01 && worst_f < 0.1 && worst_x < 0.1, "{worst_h} {worst_f} {worst_x}");
    }

    #[test]
    fn rows_move_along_the_gradient() {
        let (mut ssm, mut memory, _) = train(&SHAPE, &text(3200));
        assert_eq!(ssm.step, 0);
        let fresh = |index: usize, memory: &mut [u8]| {
            let row = &parts(&SHAPE, memory).rows[index * SHAPE.row()..][..SHAPE.row()];
            row.iter().all(|&b| b == 0)
        };
        // A span in which each step has a row that nothing else has used.
        let start = floats(parts(&SHAPE, &mut memory).state, 32768.0);
        let mut random = Random(7);
        let (mut us, mut heads, mut indices) = (Vec::new(), Vec::new(), Vec::new());
        let data = &text(3300)[3200..3232];
        for &byte in data {
            let last = random.below(256) as u8;
            let index = loop {
                let hashes = [random.below(u32::MAX), 0, 1];
                ssm.start_byte(&SHAPE, last, &hashes, &mut memory.clone());
                let mut copy = memory.clone();
                ssm.start_byte(&SHAPE, last, &hashes, &mut copy);
                let at = ssm.step * SHAPE.step() + E * 2 * KEPT + 8;
                let at = parts(&SHAPE, &mut copy).steps[at..][..4].try_into().unwrap();
                let index = u32::from_le_bytes(at) as usize;
                if fresh(index, &mut memory) && !indices.contains(&index) {
                    memory = copy;
                    break index;
                }
            };
            us.push(pre_activations(&ssm, &mut memory));
            heads.push(nodes(byte, &mut memory));
            indices.push(index);
            code(&mut ssm, &SHAPE, byte, &mut memory);
            ssm.end_byte(&SHAPE, byte, &mut memory);
        }
        let total = |us: &[[Vec<f64>; 3]]| {
            let mut h = start.clone();
            let steps = us.iter().zip(&heads).zip(data);
            steps.map(|((u, head), &byte)| loss(byte, head, &reference(u, &mut h))).sum::<f64>()
        };
        for t in 0..data.len() {
            let row = &parts(&SHAPE, &mut memory).rows[indices[t] * SHAPE.row()..][..E * 6];
            let moved = floats(row, 4096.0);
            let (mut product, mut squares) = (0.0, [0.0, 0.0]);
            for i in 0..3 * E {
                let mut slope = 0.0;
                for step in [1e-4, -1e-4] {
                    let mut us = us.clone();
                    us[t][i / E][i % E] += step;
                    slope -= total(&us) / (2.0 * step);
                }
                product += slope * moved[i];
                squares[0] += slope * slope;
                squares[1] += moved[i] * moved[i];
            }
            let cosine = product / libm::sqrt(squares[0] * squares[1]);
            assert!(cosine > 0.99, "step {t}: {cosine}");
            // The first visit moves a row by 0.034 rms.
            let rms = libm::sqrt(squares[1] / (3 * E) as f64);
            assert!((rms - 0.034).abs() < 0.002, "step {t}: {rms}");
        }
    }

    #[test]
    fn text_is_learned_without_saturation() {
        for width in [8, 16, 32, 64, 128] {
            let shape = Shape { width, ..SHAPE };
            let (_, mut memory, bits) = train(&shape, &text(20_000));
            assert!(bits < 3.0, "width {width}: {bits} bits a byte");
            let parts = parts(&shape, &mut memory);
            let (mut high, mut all) = (0, 0);
            for row in parts.rows.chunks_exact(shape.row()) {
                let row = i16s(&row[..width * 6]);
                high += row.iter().filter(|x| x.unsigned_abs() > 1 << 14).count();
                all += row.len();
            }
            // Half of the range is not reached by one in ten thousand.
            assert!(high * 10_000 <= all, "width {width}: {high} of {all}");
        }
    }

    #[test]
    fn hostile_input_keeps_the_state_bounded() {
        let mut random = Random(3);
        let random: Vec<u8> = (0..6000).map(|_| random.below(256) as u8).collect();
        let extremes: Vec<u8> = (0..6000).map(|i| if i & 1 == 1 { 255 } else { 0 }).collect();
        let turns: Vec<u8> = (0..6000).map(|i| if (i / 500) & 1 == 1 { 255 } else { 0 }).collect();
        // What can be predicted is, and noise does not throw the model off.
        for (data, most) in [(vec![0; 6000], 0.1), (extremes, 0.1), (turns, 0.3), (random, 10.5)] {
            for width in [8, 64, 128] {
                let shape = Shape { width, rows: 64, contexts: 3, span: 32 };
                let (_, mut memory, bits) = train(&shape, &data);
                assert!(bits < most, "width {width}: {bits} bits a byte");
                for row in parts(&shape, &mut memory).rows.chunks_exact(shape.row()) {
                    let meta = row[width * 6..].try_into().unwrap();
                    assert!(u32::from_le_bytes(meta) & 0xFFF <= MAX_VISITS);
                }
            }
        }
    }

    #[test]
    fn mean_squares_follow_their_input() {
        let value = |s: Square| libm::ldexp(f64::from(s.mantissa), 2 * s.exponent as i32);
        let mut random = Random(5);
        let mut mean = Square::new(1 << 20, 3);
        let mut exact = value(mean);
        for i in 0..10_000 {
            let new = Square::new(1 + random.below(1 << 24), 3 + random.below(8) + i / 1000);
            exact += (value(new) - exact) * 164.0 / 16384.0;
            mean = mean.towards(new, 164);
            assert!(mean.mantissa < 1 << 14 && mean.exponent < 64);
        }
        assert!((value(mean) / exact - 1.0).abs() < 0.1, "{} {exact}", value(mean));
    }
}
