//! Training of the state space model after a span of bytes: truncated
//! backpropagation through time, row updates, projections.

use super::numbers::{
    Square, bits, dot, inverse_root, load, magnitude, narrow_dot, read, store,
};
use super::{CHUNK, KEPT, LANES, Parts, SCALES, Shape, WARM_UP, interleave};
use wide::{i16x8, i32x4};

/// Backpropagation through the steps of the span, and the update of the rows.
pub(super) fn backward<const E: usize>(shape: &Shape, age: u32, parts: &mut Parts) {
    let mut carry = [0i32; E]; // of h, Q18
    let mut back = [0i32; E]; // of f, by way of the next step's projections, Q24
    let columns = &parts.projections[E * E * 12..][..E * E * 12];
    for (number, step) in parts.steps.chunks_exact_mut(shape.step()).enumerate().rev() {
        let (kept, rest) = step.split_at_mut(E * 2 * KEPT);
        let kept: [[i16; E]; KEPT] = core::array::from_fn(|i| read(&kept[i * E * 2..][..E * 2]));
        let [df, f, gates, decays, by_a, by_c, by_o] = &kept;

        // Through the norm: dy = (df - f mean(df f)) / rms.
        let mut or = 0;
        let df: [i32; E] = core::array::from_fn(|i| {
            let df = (i32::from(df[i]) << rest[3]) + back[i];
            or |= magnitude(df);
            df
        });
        let down = bits(or).saturating_sub(13);
        let df = df.map(|df| (df >> down) as i16);
        let mean = ((dot(&df, f, 0) / E as i64) >> 10) as i32;
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
        let dy = dy.map(|dy| (dy >> down) as i16);

        // Through the output gate and the recurrence.
        let mut or = 0;
        for i in 0..E {
            let dh = carry[i] + ((i32::from(dy[i]) * i32::from(gates[i])) >> (12 - down));
            carry[i] = dh.clamp(-LIMIT_H, LIMIT_H);
            or |= magnitude(carry[i]);
        }
        let common = bits(or).saturating_sub(14).max(down);
        let mut dh = [0i16; E];
        for i in 0..E {
            dh[i] = (carry[i] >> common) as i16;
            carry[i] = (i32::from(dh[i]) * i32::from(decays[i])) >> (15 - common);
        }
        back = [0; E];
        let gradients = &mut parts.gradients[number / 2 * E * 12..][..E * 12];
        if rest[4] != 0 {
            interleave(gradients, [[0; E]; 3].as_flattened(), number % 2);
            rest[5] = 0;
            continue;
        }
        let mut du = [[0i32; E]; 3];
        let mut or = 0;
        for i in 0..E {
            let h = i32::from(dh[i]);
            du[0][i] = h * i32::from(by_a[i]);
            du[1][i] = h * i32::from(by_c[i]);
            du[2][i] = i32::from(dy[i] >> (common - down)) * i32::from(by_o[i]);
            or |= magnitude(du[0][i]) | magnitude(du[1][i]) | magnitude(du[2][i]);
        }
        // 14 bits, Q33.
        let narrow = bits(or).saturating_sub(14);
        let exponent = common + narrow;
        let du = du.map(|du| du.map(|du| (du >> narrow) as i16));
        interleave(gradients, du.as_flattened(), number % 2);
        rest[5] = exponent as u8;

        // Through the projections, on 12 bits.
        let narrow = du.map(|du| du.map(|du| du >> 2));
        let mut sums =
            columns.chunks_exact(E * 6).map(|c| narrow_dot::<5>(c, narrow.as_flattened()));
        let mut or = 0;
        let dx: [i32; E] = core::array::from_fn(|i| {
            let dx = i32::from(du[1][i]) + (sums.next().unwrap_or(0) >> 7);
            or |= magnitude(dx);
            dx
        });
        for (back, sum) in back.iter_mut().zip(sums) {
            let df = if exponent > 16 {
                i64::from(sum) << (exponent - 16).min(31)
            } else {
                i64::from(sum) >> (16 - exponent)
            };
            *back = df.clamp(-i64::from(LIMIT_F), i64::from(LIMIT_F)) as i32;
        }

        // The rows.
        let (byte, indices) = rest[SCALES..].as_chunks::<4>().0.split_first().expect("a row");
        let at = u32::from_le_bytes(*byte) as usize * shape.byte_row();
        let row = &mut parts.byte_rows[at..at + shape.byte_row()];
        let square = mean_square(du.iter().map(|du| dot(du, du, 7)).sum(), 3 * E, exponent);
        update(row, du.as_flattened(), square, exponent, age);
        let narrow = bits(or).saturating_sub(15);
        // -32768 is kept out: two of its squares overflow the dot product.
        let dx = dx.map(|dx| (dx >> narrow).max(-32767) as i16);
        let square = mean_square(dot(&dx, &dx, 7), E, exponent + narrow);
        for index in indices {
            let at = u32::from_le_bytes(*index) as usize * shape.row();
            let row = &mut parts.rows[at..at + shape.row()];
            update(row, &dx, square, exponent + narrow, age);
        }
    }
}

/// The mean of `n` squares of numbers with an exponent; `sum` is that of
/// squares over 2^7.
#[inline(always)]
fn mean_square(sum: i64, n: usize, exponent: u32) -> Square {
    Square::new(2 * (sum as u32 / n as u32), exponent + 3)
}

/// Moves a row along its gradient.
#[inline(always)]
fn update(row: &mut [u8], du: &[i16], square: Square, exponent: u32, age: u32) {
    if square.mantissa == 0 {
        return;
    }
    let (row, meta) = row.split_at_mut(du.len() * 2);
    let meta = meta.first_chunk_mut::<4>().expect("four bytes");
    let k = i16x8::splat(rate(meta, square, exponent, age));
    let du = du.as_chunks::<LANES>().0;
    for (row, du) in row.as_chunks_mut::<CHUNK>().0.iter_mut().zip(du) {
        let twice = i16x8::new(*du).mul_keep_high(k);
        let change = (twice + i16x8::splat(1)) >> 1;
        store(row, load(row).saturating_add(change).to_array());
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
        old.towards(square, AVERAGE[(visits as usize).min(99)].into())
    };
    let next = (visits + 1).min(MAX_VISITS);
    *meta = (mean.exponent << 26 | mean.mantissa << 12 | next).to_le_bytes();
    // 0.034 / sqrt(mean (1 + visits / 10)).
    let (root, shift) = inverse_root(mean.mantissa.max(1) * (10 + visits));
    let k = ((u64::from(ROW_RATE / WARM_UP * age) * u64::from(root)) >> shift) as u32;
    factor(k, exponent, mean.exponent)
}

/// The factor `k` for a gradient of `exponent`, by a mean of another.
#[inline(always)]
fn factor(k: u32, exponent: u32, mean: u32) -> i16 {
    let k = if exponent >= mean {
        k.min(32767) << (exponent - mean).min(8)
    } else {
        k >> (mean - exponent).min(31)
    };
    k.min(32767) as i16
}

/// Moves the projections along their gradient over the span.
pub(super) fn project<const E: usize>(shape: &Shape, spans: u32, parts: &mut Parts) {
    // All gradients to the largest exponent.
    let exponent = |step: &[u8]| u32::from(step[E * 2 * KEPT + 5]);
    let steps = parts.steps.chunks_exact(shape.step());
    let largest = steps.clone().map(exponent).max().unwrap_or(0);
    for (number, step) in steps.enumerate() {
        let down = (largest - exponent(step)).min(15);
        let half = (1 << down) >> 1; // rounding down would add up over the steps
        let gradients = &mut parts.gradients[number / 2 * E * 12..][..E * 12];
        for places in gradients.as_chunks_mut::<4>().0 {
            let place = places[number % 2 * 2..].first_chunk_mut::<2>().expect("two bytes");
            let gradient = i32::from(i16::from_le_bytes(*place));
            *place = (((gradient + half) >> down) as i16).to_le_bytes();
        }
    }

    let rate = (PROJECTION_RATE / 10 * 300 / (100 + spans.min(1 << 24)).isqrt()).min(PROJECTION_RATE);
    let average = (16384 / (spans.min(1 << 14) + 1)).max(328);
    let (rows, rest) = parts.projections.split_at_mut(E * E * 12);
    let (columns, squares) = rest.split_at_mut(E * E * 12);
    let squares = squares.as_chunks_mut::<4>().0;
    for (i, row) in rows.chunks_exact_mut(E * 2).enumerate() {
        // Row i: output i / 2, from x or from f.
        let (output, part) = (i / 2, i % 2);
        let mut sums = [0i32; E];
        let mut or = 0;
        // Few enough sums at a time to stay in registers.
        for (block, sums) in sums.chunks_mut(BLOCK).enumerate() {
            let mut lanes = [i32x4::ZERO; BLOCK / 4];
            let lanes = &mut lanes[..sums.len() / 4];
            let inputs = parts.inputs.chunks_exact(E * 8);
            for (input, gradient) in inputs.zip(parts.gradients.chunks_exact(E * 12)) {
                let input = &input[(part * E + block * BLOCK) * 4..][..sums.len() * 4];
                let [a, b, c, d] = *gradient[output * 4..].first_chunk().expect("a pair");
                let (a, b) = (i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d]));
                let gradient = i16x8::new([a, b, a, b, a, b, a, b]);
                for (sum, input) in lanes.iter_mut().zip(input.as_chunks().0) {
                    *sum += load(input).dot(gradient);
                }
            }
            for (sums, lanes) in sums.as_chunks_mut::<4>().0.iter_mut().zip(lanes) {
                *sums = lanes.to_array();
                or = sums.iter().fold(or, |or, &sum| or | magnitude(sum));
            }
        }
        let narrow = bits(or).saturating_sub(15);
        let gradient = sums.map(|sum| (sum >> narrow).max(-32767) as i16);
        let exponent = largest + narrow;
        let new = mean_square(dot(&gradient, &gradient, 7), E, exponent);
        if new.mantissa == 0 {
            continue;
        }
        let packed = u32::from_le_bytes(squares[i]);
        let old = Square { mantissa: packed & 0xFFFF, exponent: packed >> 16 };
        let mean = if packed == 0 { new } else { old.towards(new, average) };
        squares[i] = (mean.exponent << 16 | mean.mantissa).to_le_bytes();
        let (root, shift) = inverse_root(mean.mantissa.max(1));
        let k = ((u64::from(rate) * u64::from(root)) >> shift) as u32;
        let k = i16x8::splat(factor(k, exponent, mean.exponent));
        for (row, gradient) in
            row.as_chunks_mut::<CHUNK>().0.iter_mut().zip(gradient.as_chunks::<LANES>().0)
        {
            let twice = i16x8::new(*gradient).mul_keep_high(k);
            let change = (twice + i16x8::splat(1)) >> 1;
            let moved = load(row).saturating_add(change).max(i16x8::splat(-32767));
            store(row, moved.to_array());
        }
        for (j, weight) in row.as_chunks::<2>().0.iter().enumerate() {
            columns[((part * E + j) * 3 * E + output) * 2..][..2].copy_from_slice(weight);
        }
    }
}

/// Sums of the gradient of the projections taken at a time.
const BLOCK: usize = 32;
/// 0.034 in Q12, times sqrt(10) * 2^17.
const ROW_RATE: u32 = 57_750_000;
pub(super) const MAX_VISITS: u32 = 3990;
/// 0.003 in Q14, times 2^17.
const PROJECTION_RATE: u32 = 6_442_451;
/// Largest gradients in y and h, Q18, and in f, Q24.
const LIMIT_Y: i32 = (1 << 26) - 1;
const LIMIT_H: i32 = 1 << 28;
const LIMIT_F: i32 = 1 << 29;

/// Rates of the running mean by visits, 1/(n+1) in Q14.
static AVERAGE: [u16; 100] = {
    let mut table = [0; 100];
    let mut n = 0;
    while n < 99 {
        table[n] = (16384 / (n + 1)) as u16;
        n += 1;
    }
    table[99] = 164;
    table
};

