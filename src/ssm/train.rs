//! Training of the state space model after a span of bytes: truncated
//! backpropagation through time, row updates, projections.

use super::numbers::{
    Square, bits, bits_of, dot, inverse_root, load, load_pairs, magnitude, magnitudes, move_by,
    narrow_dot, store, store_pairs,
};
use super::{
    BY_U, CHUNK, CLASSES, DECAYS, DF, EXPONENT_X, EXPONENTS, F, GATES, LANES, MAX_CONTEXTS, N,
    NORM_V, Parts, Shape, TRUST, TURNS, WARM_UP, ends, interleave, is_wide, kept, row_at, scales,
    trust_at,
};
use crate::kernels::{along, learn_rows, outer, product};
use wide::{i16x8, i32x4, i32x8};

/// Backpropagation through the steps of the span, and the update of the rows.
pub(super) fn backward<const E: usize>(shape: &Shape, age: u32, parts: &mut Parts) {
    let mut carry = [0i32; E]; // of h, Q18
    let mut back = [0i32; E]; // of f, by way of the next step's projections, Q24
    let columns = &parts.projections[shape.weights()..][..shape.weights()];
    let block = |i: usize| &columns[i * E * E * 2..][..E * E * 2];
    for (number, step) in parts.steps.chunks_exact_mut(shape.step()).enumerate().rev() {
        let (kept, rest) = step.split_at_mut(E * 2 * kept(E));
        let (scales, rest) = rest.split_at_mut(scales(E));
        let kept = kept.as_chunks::<CHUNK>().0;
        // Lanes of a vector.
        let lanes = |vector: usize, i: usize| load(&kept[vector * (E / LANES) + i]);
        let quiet = scales[4] != 0;
        let pairs = ends(E) * E * 4;
        let gradients = &mut parts.gradients[number / 2 * pairs..][..pairs];

        let mut df = back;
        for (i, df) in df.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let new = (i32x8::from(lanes(DF, i)) << i32::from(scales[3])) + i32x8::new(*df);
            *df = new.to_array();
        }
        if is_wide(E) {
            // Through the norm of v, then v = n (1 + tanh(P_v n)).
            let (dv, or, down) = through_norm(&df, |i| lanes(F, i), &scales[NORM_V..]);
            let narrow = bits_of(or).saturating_sub(14);
            // dv in Q24 has the exponent `narrow + down` - 15.
            let exponent = (narrow + down + 15 + 2).saturating_sub(scales[NORM_V + 2].into());
            let mut dq = [0i32; E];
            let mut or = i32x8::ZERO;
            for i in 0..E / LANES {
                let dv = narrowed(i32x8::new(dv.as_chunks().0[i]), narrow);
                let (n, turn) = (lanes(N, i), lanes(TURNS, i));
                let dn = (i32x8::from(dv) << 15) + dv.widening_mul(turn); // 30 bits
                df.as_chunks_mut().0[i] = shifted(dn, exponent as i32 - 30).to_array();
                let squares = narrowed(turn.widening_mul(turn), 15);
                let by_q = narrowed((i32x8::from(n) << 15) - n.widening_mul(squares), 15); // Q10
                let x = dv.widening_mul(by_q);
                or |= magnitudes(x);
                dq.as_chunks_mut().0[i] = x.to_array();
            }
            let narrow = bits_of(or).saturating_sub(14);
            let dq = if quiet { [0; E] } else { dq.map(|dq| (dq >> narrow) as i16) };
            let exponent = exponent + narrow; // of Q24, and 25 more
            interleave(&mut gradients[E * 8..], &dq, number % 2);
            scales[EXPONENTS[1]] = if quiet { 0 } else { exponent as u8 };
            if !quiet {
                let mut sums = [0; E];
                product(block(3), &dq.map(|dq| dq >> 2), &mut sums);
                let limit = i32x8::splat(LIMIT_F);
                for (df, sums) in df.as_chunks_mut().0.iter_mut().zip(sums.as_chunks().0) {
                    let by_n = shifted(i32x8::new(*sums), exponent as i32 - 32);
                    *df = (i32x8::new(*df) + by_n).min(limit).max(-limit).to_array();
                }
            }
        }

        // Through the norm of y.
        let (dy, or, down) = through_norm(&df, |i| lanes(N, i), scales);
        // To Q18, then to 14 bits; what is beyond 26 bits saturates.
        let up = down as i32 - 2 - i32::from(scales[2]);
        let down = (bits_of(or) as i32 + up - 14).clamp(0, 12) as u32;
        let shift = down as i32 - up;
        let limit = i32x8::splat(32767 >> (-shift).max(0));
        let dy_at = |i: usize| {
            let dy = i32x8::new(dy.as_chunks().0[i]);
            i16x8::from_i32x8_saturate(if shift >= 0 {
                dy >> shift.min(31)
            } else {
                dy.min(limit).max(-limit) << -shift
            })
        };

        // Through the output gate and the recurrence.
        let mut or = i32x8::ZERO;
        let limit = i32x8::splat(LIMIT_H);
        for (i, carry) in carry.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let dh = dy_at(i).widening_mul(lanes(GATES, i)) >> (12 - down as i32);
            let dh = (dh + i32x8::new(*carry)).min(limit).max(-limit);
            or |= magnitudes(dh);
            *carry = dh.to_array();
        }
        let common = bits_of(or).saturating_sub(14).max(down);
        let mut du = [[0i32; E]; 3];
        let mut or = i32x8::ZERO;
        for (i, carry) in carry.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let dh = narrowed(i32x8::new(*carry), common);
            *carry = (dh.widening_mul(lanes(DECAYS, i)) >> (15 - common as i32)).to_array();
            if !quiet {
                let dy = dy_at(i) >> (common - down) as i32;
                let by = [dh, dh, dy];
                for (g, du) in du.iter_mut().enumerate() {
                    let x = by[g].widening_mul(lanes(BY_U + g, i));
                    or |= magnitudes(x);
                    du.as_chunks_mut().0[i] = x.to_array();
                }
            }
        }
        back = [0; E];
        // 14 bits, Q33.
        let narrow = bits_of(or).saturating_sub(14);
        let exponent = common + narrow;
        let du = du.map(|du| {
            let mut out = [0i16; E];
            for (out, du) in out.as_chunks_mut().0.iter_mut().zip(du.as_chunks().0) {
                *out = narrowed(i32x8::new(*du) + ((1 << narrow) >> 1), narrow).to_array();
            }
            out
        });
        let projected = [du[0], du[2]];
        interleave(gradients, projected.as_flattened(), number % 2);
        scales[EXPONENTS[0]] = if quiet { 0 } else { exponent as u8 };
        if quiet {
            continue;
        }

        // Through the projections, on 12 bits.
        let narrow = projected.map(|du| du.map(|du| du >> 2));
        let mut sums = [[0; E]; 2]; // for x, for f'
        if is_wide(E) {
            product(block(0), &narrow[0], &mut sums[1]);
            product(block(1), &narrow[1], &mut sums[0]);
            product(block(2), &narrow[1], &mut sums[1]);
        } else {
            let (columns_x, columns_f) = columns.split_at(E * E * 2);
            for (sum, column) in sums[0].iter_mut().zip(columns_x.chunks_exact(E * 2)) {
                *sum = narrow_dot::<5>(column, &narrow[1]);
            }
            for (sum, column) in sums[1].iter_mut().zip(columns_f.chunks_exact(E * 4)) {
                *sum = narrow_dot::<5>(column, narrow.as_flattened());
            }
        }
        let mut or = 0;
        let mut dx = [0; E];
        for ((dx, &du), sum) in dx.iter_mut().zip(&du[1]).zip(sums[0]) {
            *dx = i32::from(du) + (sum >> 7);
            or |= magnitude(*dx);
        }
        for (back, sums) in back.as_chunks_mut().0.iter_mut().zip(sums[1].as_chunks().0) {
            *back = shifted(i32x8::new(*sums), exponent as i32 - 16).to_array();
        }

        // The rows.
        let (indices, trusts) = rest.split_at_mut((shape.contexts + 1) * 4);
        let (byte, indices) = indices.as_chunks::<4>().0.split_first().expect("a row");
        let at = u32::from_le_bytes(*byte) as usize * shape.byte_row();
        let square = mean_square(du.iter().map(|du| dot(du, du, 7)).sum(), 3 * E, exponent);
        if is_wide(E) {
            if square.mantissa > 0 {
                let meta = parts.byte_rows[at + E * 6..].first_chunk_mut().expect("four bytes");
                let step = rate(meta, square, exponent, age);
                for (i, du) in du.iter().enumerate() {
                    learn_rows(parts.byte_rows, &[at + i * E * 2], &[step], du);
                }
            }
        } else {
            let row = &mut parts.byte_rows[at..at + shape.byte_row()];
            update(row, du.as_flattened(), square, exponent, age);
        }
        let narrow = bits(or).saturating_sub(15);
        // -32768 is kept out: two of its squares overflow the dot product.
        let dx = dx.map(|dx| (dx >> narrow).max(-32767) as i16);
        let square = mean_square(dot(&dx, &dx, 7), E, exponent + narrow);
        let exponent = exponent + narrow;
        if !is_wide(E) {
            for index in indices {
                let row = &mut parts.rows[row_at(shape, index)..][..shape.row()];
                update(row, &dx, square, exponent, age);
            }
            continue;
        }
        let mut places = [0; MAX_CONTEXTS];
        let places = &mut places[..shape.contexts];
        for (place, index) in places.iter_mut().zip(indices) {
            *place = row_at(shape, index);
        }
        let mut products = [0; MAX_CONTEXTS];
        along(parts.rows, places, &dx, &mut products);
        for (bytes, product) in trusts.as_chunks_mut().0.iter_mut().zip(products) {
            *bytes = ((product + 16) >> 5).to_le_bytes();
        }
        scales[EXPONENT_X] = exponent as u8;
        if square.mantissa > 0 {
            let mut steps = [0; MAX_CONTEXTS];
            for (step, &place) in steps.iter_mut().zip(&*places) {
                let meta = parts.rows[place + E * 2..].first_chunk_mut().expect("four bytes");
                *step = rate(meta, square, exponent, age);
            }
            learn_rows(parts.rows, places, &steps, &dx);
        }
    }
}

/// The gradient before an RMS norm whose result is `f`: `(df - f mean(df f)) / rms`, df in
/// Q24. Then the disjunction of its magnitudes, and how many digits of df were left out.
/// `scales` is what [`super::norm`] has left.
#[inline(always)]
fn through_norm<const E: usize>(
    df: &[i32; E],
    f: impl Fn(usize) -> i16x8,
    scales: &[u8],
) -> ([i32; E], i32x8, u32) {
    let all = df.as_chunks::<LANES>().0;
    let or = all.iter().fold(i32x8::ZERO, |or, df| or | magnitudes(i32x8::new(*df)));
    let down = bits_of(or).saturating_sub(13);
    let mut df = [0i16; E];
    let mut sum = i32x4::ZERO;
    for (i, (df, all)) in df.as_chunks_mut::<LANES>().0.iter_mut().zip(all).enumerate() {
        let x = narrowed(i32x8::new(*all), down);
        sum += x.dot(f(i));
        *df = x.to_array();
    }
    let sum: i64 = sum.to_array().map(i64::from).iter().sum();
    // |mean| is below 2^13: the mean square of f is 1.
    let mean = i16x8::splat(((sum / E as i64) >> 10) as i16);
    let inverse = i16x8::splat(i16::from_le_bytes([scales[0], scales[1]]));
    let mut dy = [0i32; E];
    let mut or = i32x8::ZERO;
    for (i, dy) in dy.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let df = i32x8::from(i16x8::new(df.as_chunks().0[i]));
        let along = (f(i).widening_mul(mean) + i32x8::splat(512)) >> 10;
        let x = i16x8::from_i32x8_saturate(df - along).widening_mul(inverse);
        or |= magnitudes(x);
        *dy = x.to_array();
    }
    (dy, or, down)
}

/// Without so many digits.
#[inline(always)]
fn narrowed(x: i32x8, down: u32) -> i16x8 {
    i16x8::from_i32x8_saturate(x >> down as i32)
}

/// `x 2^up`, within [`LIMIT_F`].
#[inline(always)]
fn shifted(x: i32x8, up: i32) -> i32x8 {
    let x = x >> (-up).clamp(0, 31);
    let up = up.clamp(0, 29);
    let limit = i32x8::splat(LIMIT_F >> up);
    x.min(limit).max(-limit) << up
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
    move_by(row, du, rate(meta, square, exponent, age));
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

/// Visits to a row.
pub(super) fn visits(meta: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*meta) & 0xFFF
}

/// Takes back the visits to a row to `most`.
pub(super) fn settle(meta: &mut [u8; 4], most: u32) {
    let packed = u32::from_le_bytes(*meta);
    *meta = (packed & !0xFFF | visits(meta).min(most)).to_le_bytes();
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

/// Moves the trust in rows along its gradient over the span.
pub(super) fn trust<const E: usize>(shape: &Shape, spans: u32, parts: &mut Parts) {
    let exponent = |step: &[u8]| u32::from(step[E * 2 * kept(E) + EXPONENT_X]);
    let steps = parts.steps.chunks_exact(shape.step());
    let steps = steps.filter(|step| step[E * 2 * kept(E) + 4] == 0);
    let largest = steps.clone().map(exponent).max().unwrap_or(0);
    let mut sums = [0i32; MAX_CONTEXTS * CLASSES]; // of 32 numbers of 25 bits
    for step in steps {
        let down = (largest - exponent(step)).min(31);
        let rows = step[E * 2 * kept(E) + scales(E) + 4..].as_chunks::<4>().0;
        let (indices, gradients) = rows.split_at(shape.contexts);
        for (context, (index, gradient)) in indices.iter().zip(gradients).enumerate() {
            sums[trust_at(context, index)] += i32::from_le_bytes(*gradient) >> down;
        }
    }
    let (trust, mean) = parts.trust.split_at_mut(shape.contexts * CLASSES * 2);
    let sums = &sums[..shape.contexts * CLASSES];
    let narrow = bits(sums.iter().fold(0, |or, &sum| or | magnitude(sum))).saturating_sub(15);
    let square = sums.iter().map(|sum| i64::from(((sum >> narrow) * (sum >> narrow)) >> 7)).sum();
    let square = mean_square(square, sums.len(), largest + narrow);
    let mean = mean.first_chunk_mut().expect("a mean square");
    let Some(k) = step_size(mean, square, largest + narrow, TRUST_RATE, average(spans)) else {
        return;
    };
    for (bytes, sum) in trust.as_chunks_mut().0.iter_mut().zip(sums) {
        let change = ((((sum >> narrow) * i32::from(k)) >> 16) + 1) >> 1;
        let limit = 4 * i32::from(TRUST); // what the sum of all rows has room for
        let moved = (i32::from(i16::from_le_bytes(*bytes)) + change).clamp(-limit, limit);
        *bytes = (moved as i16).to_le_bytes();
    }
}

/// Rate of a running mean of squares over spans, Q14: at first the mean of all, then 0.02.
fn average(spans: u32) -> u32 {
    (16384 / (spans.min(1 << 14) + 1)).max(328)
}

/// The factor for a gradient of `exponent` with the mean square `new`, and the running mean
/// of its squares moved on. There is none for a gradient of 0.
#[inline(always)]
fn step_size(
    mean: &mut [u8; 4],
    new: Square,
    exponent: u32,
    rate: u32,
    average: u32,
) -> Option<i16> {
    if new.mantissa == 0 {
        return None;
    }
    let packed = u32::from_le_bytes(*mean);
    let old = Square { mantissa: packed & 0xFFFF, exponent: packed >> 16 };
    let moved = if packed == 0 { new } else { old.towards(new, average) };
    *mean = (moved.exponent << 16 | moved.mantissa).to_le_bytes();
    let (root, shift) = inverse_root(moved.mantissa.max(1));
    let k = ((u64::from(rate) * u64::from(root)) >> shift) as u32;
    Some(factor(k, exponent, moved.exponent))
}

/// Takes the gradients of the projections over the span, those of u and of P_v n, to the
/// largest exponent of each kind, and returns these.
fn align<const E: usize>(shape: &Shape, parts: &mut Parts) -> [u32; 2] {
    let stride = ends(E) * E * 4;
    let mut largest = [0; 2];
    let of_u_and_v = [0..E * 8, E * 8..stride];
    for ((largest, at), part) in largest.iter_mut().zip(EXPONENTS).zip(of_u_and_v) {
        if part.is_empty() {
            continue;
        }
        let exponent = |step: &[u8]| u32::from(step[E * 2 * kept(E) + at]);
        let steps = parts.steps.chunks_exact(shape.step());
        *largest = steps.clone().map(exponent).max().unwrap_or(0);
        for (number, step) in steps.enumerate() {
            let down = (*largest - exponent(step)).min(15) as i32;
            let half = (1 << down) >> 1; // rounding down would add up over the steps
            let pairs = &mut parts.gradients[number / 2 * stride..][part.clone()];
            for pairs in pairs.as_chunks_mut::<{ 2 * CHUNK }>().0 {
                let x = load_pairs(pairs);
                let [even, odd] = [x << 16 >> 16, x >> 16];
                let rounded = |x: i32x8| (x + half) >> down;
                let x = if number % 2 == 0 {
                    (odd << 16) | (rounded(even) & 0xFFFF)
                } else {
                    (rounded(odd) << 16) | (even & 0xFFFF)
                };
                store_pairs(pairs, x);
            }
        }
    }
    largest
}

/// Moves the projections along their gradient over the span.
pub(super) fn project<const E: usize>(shape: &Shape, spans: u32, parts: &mut Parts) {
    let largest = align::<E>(shape, parts);
    let stride = ends(E) * E * 4;
    let rate = PROJECTION_RATE >> u32::from(is_wide(E));
    let rate = (rate / 10 * 300 / (100 + spans.min(1 << 24)).isqrt()).min(rate);
    let average = average(spans);
    let (rows, rest) = parts.projections.split_at_mut(shape.weights());
    let (columns, squares) = rest.split_at_mut(shape.weights());
    let squares = squares.as_chunks_mut::<4>().0;
    // The change of the weights of an output for a part of the inputs.
    let mut change = |i: usize, output: usize, part: usize| {
        let largest = largest[part / 2];
        let inputs = &parts.inputs[part * E * 4..];
        let mut sums = [0; E];
        let or = outer(inputs, &parts.gradients[output * 4..], stride, &mut sums);
        let narrow = bits(or).saturating_sub(15);
        let mut gradient = [0; E];
        for (gradient, sums) in gradient.as_chunks_mut().0.iter_mut().zip(sums.as_chunks().0) {
            let lanes = narrowed(i32x8::new(*sums), narrow).max(i16x8::splat(-32767));
            *gradient = lanes.to_array();
        }
        let exponent = largest + narrow;
        let new = mean_square(dot(&gradient, &gradient, 7), E, exponent);
        let k = step_size(&mut squares[i], new, exponent, rate, average).unwrap_or(0);
        for gradient in gradient.as_chunks_mut::<LANES>().0 {
            let twice = i16x8::new(*gradient).mul_keep_high(i16x8::splat(k));
            let change: i16x8 = (twice + i16x8::splat(1)) >> 1;
            *gradient = change.to_array();
        }
        gradient
    };
    let moved = |weights: &mut [u8; CHUNK], change: i16x8| {
        let moved = load(weights).saturating_add(change).max(i16x8::splat(-32767));
        store(weights, moved.to_array());
    };

    if is_wide(E) {
        // P_a, P_o for x and for f', P_v: outputs and inputs. What learns is the columns.
        let ends = [(0, 1), (1, 0), (1, 1), (2, 2)];
        let blocks = rows.chunks_exact_mut(E * E * 2).zip(columns.chunks_exact_mut(E * E * 2));
        for (block, ((rows, columns), (output, part))) in blocks.zip(ends).enumerate() {
            for (i, columns) in columns.chunks_exact_mut(E * 4).enumerate() {
                let mut of = |i: usize| change(block * E + i, output * E + i, part);
                let (a, b) = (of(2 * i), of(2 * i + 1));
                let changes = a.as_chunks().0.iter().zip(b.as_chunks().0);
                let columns = columns.as_chunks_mut::<{ 2 * CHUNK }>().0;
                for (j, (columns, (a, b))) in columns.iter_mut().zip(changes).enumerate() {
                    // By way of wider lanes, or the compiler takes them one by one.
                    let (a, b) = (i32x8::from(i16x8::new(*a)), i32x8::from(i16x8::new(*b)));
                    let mut changes = [0; 2 * CHUNK];
                    store_pairs(&mut changes, (a & 0xFFFF) | (b << 16));
                    let halves = columns.as_chunks_mut().0.iter_mut();
                    for (k, (weights, change)) in halves.zip(changes.as_chunks().0).enumerate() {
                        moved(weights, load(change));
                        for (l, four) in weights.as_chunks().0.iter().enumerate() {
                            // Pairs of outputs for each input become pairs of inputs.
                            let four = u64::from_le_bytes(*four);
                            let turned = four & 0xFFFF_0000_0000_FFFF
                                | four << 16 & 0xFFFF_0000_0000
                                | four >> 16 & 0xFFFF_0000;
                            let at = (4 * j + 2 * k + l) * E * 4 + i * 8;
                            rows[at..at + 8].copy_from_slice(&turned.to_le_bytes());
                        }
                    }
                }
            }
        }
        return;
    }
    let (columns_x, columns_f) = columns.split_at_mut(E * E * 2);
    for (i, row) in rows.chunks_exact_mut(E * 2).enumerate() {
        // First those of P_a, from f'; then of P_o, from x and from f' in turn.
        let (output, part) = if i < E { (i, 1) } else { ((i + E) / 2, (i + E) % 2) };
        let change = change(i, output, part);
        for (weights, change) in row.as_chunks_mut().0.iter_mut().zip(change.as_chunks().0) {
            moved(weights, i16x8::new(*change));
        }
        for (j, weight) in row.as_chunks::<2>().0.iter().enumerate() {
            let column = match part {
                0 => &mut columns_x[(j * E + output - E) * 2..],
                _ => &mut columns_f[(j * 2 * E + output) * 2..],
            };
            column[..2].copy_from_slice(weight);
        }
    }
}

/// 0.034 in Q12, times sqrt(10) * 2^17.
const ROW_RATE: u32 = 57_750_000;
pub(super) const MAX_VISITS: u32 = 3990;
/// 0.003 in Q14, times 2^17; half of it where there are more than 16 channels.
const PROJECTION_RATE: u32 = 6_442_451;
/// 0.003 in Q12, times 2^17.
const TRUST_RATE: u32 = 1_610_613;
/// Largest gradients in h, Q18, and in f, Q24.
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
