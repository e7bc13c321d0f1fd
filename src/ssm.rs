//! The selective state space model: a small recurrent network, trained on the
//! stream while it is coded.
//!
//! A diagonal state is decayed and fed under the control of the input: the
//! selection mechanism of Mamba (Gu and Dao, 2023) in the case of its Theorem
//! 1, one state a channel and A = -1. The input is an embedding: rows of
//! hashed contexts are added up, where they have checks each by the trust `t` in
//! rows of its context that have been visited so often. From it, and from the
//! features of the byte before, small dense projections make the gates.
//!
//! ```text
//! x = sum over contexts of t row[hash]               the embedding
//! u = bias + byte_row[c1] + (P_a f', x, P_o [x, f'])  u_a, u_c, u_o; f' is the last f
//! a = sigmoid(u_a)   c = tanh(u_c)   g = u_o sigmoid(u_o)
//! h = a h + (1 - a) c                                the state
//! y = h g     n = y / rms(y)
//! v = n (1 + tanh(P_v n))     f = v / rms(v)         the features; of narrow models f = n
//! p(bit) = squash(W[node] . f + b[node])             node: the bits of the byte so far
//! ```
//!
//! The head `W` learns after each byte, the rest after each span of bytes by
//! truncated backpropagation through time (`train`). A wide model has a second head, which
//! predicts the byte after the next one from the same features. Nobody asks it: it is there
//! for its gradient, which makes better features (multi-token prediction: Gloeckle et al.,
//! 2024).
//!
//! All of it is integer arithmetic that cannot overflow; formats are named where a value
//! is made.

pub(crate) mod numbers;
#[cfg(test)]
mod tests;
mod train;

use crate::kernels::{embed, learn_nodes, product};
use crate::logistic::{STRETCH_MAX, squash};
use crate::ngram::PHI;
use numbers::{
    bits, dot, load, load_pairs, magnitude, narrow_dot, next_noise, read, sigmoid, store_pairs,
    write,
};
use wide::{i16x8, i32x8};

/// Lanes of a vector; widths are multiples of it.
pub(crate) const LANES: usize = 8;
/// Bytes of so many lanes.
const CHUNK: usize = 2 * LANES;

/// Inputs for the mixer.
pub(crate) const INPUTS: usize = 2;

/// Most contexts beside the last byte.
pub(crate) const MAX_CONTEXTS: usize = 16;

/// Bytes of the check of an embedding row that has one.
const CHECK: usize = 2;

/// Rows of the last byte's own table.
const BYTE_ROWS: usize = 256;

/// Binary nodes of a byte.
const NODES: usize = 256;

/// Vectors of a step kept for the backward pass: the gradient of f, n, g, a, how h depends
/// on u_a and u_c and y on u_o; in wide models f, and the tanh in v.
const fn kept(width: usize) -> usize {
    if is_wide(width) { VECTORS + 2 } else { VECTORS }
}
const VECTORS: usize = 7;
const DF: usize = 0;
const N: usize = 1;
const GATES: usize = 2;
const DECAYS: usize = 3;
const BY_U: usize = 4;
const F: usize = VECTORS;
const TURNS: usize = VECTORS + 1;

/// Bytes of a step before its row numbers: the exponents of its vectors.
const fn scales(width: usize) -> usize {
    if is_wide(width) { 12 } else { 8 }
}
/// Where among them are the exponents of the gradients of u and of P_v n, that of the
/// gradient of x, and what the norm of v leaves.
const EXPONENTS: [usize; 2] = [5, 7];
const EXPONENT_X: usize = 6;
const NORM_V: usize = 8;

/// Inputs of the projections in a step, x, f' and n, and as many outputs, for u_a, u_o and
/// the tanh.
const fn ends(width: usize) -> usize {
    if is_wide(width) { 3 } else { 2 }
}

/// Classes of rows by their visits, those of as many binary digits.
const CLASSES: usize = 16;

/// Low bits of a row number in a step; above is the class of the row.
const ROW_BITS: u32 = 28;

/// Whether a model of this width is a wide one, of the levels with memory for many rows. In
/// it a row belongs to one context at a time, which its check tells, and the rows are trusted
/// by their visits; where many contexts have to share few rows, these would be emptied all
/// the time. Its head has two digits more, its projections move at half the rate, its features
/// are gated by themselves, and it has a second head.
pub(crate) const fn is_wide(width: usize) -> bool {
    width > 16
}

/// Channels of the wide models.
pub const WIDE: usize = 64;

/// Size of a model.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Channels, a multiple of [`LANES`] up to 128, of twice that in a wide model.
    pub(crate) width: usize,
    /// Rows that all contexts but the last byte share, an even number where they have checks.
    pub(crate) rows: usize,
    /// Contexts beside the last byte.
    pub(crate) contexts: usize,
    /// Bytes between two updates of the rows, even.
    pub(crate) span: usize,
}

impl Shape {
    /// Bytes of an embedding row: a vector, then visits and mean square, then the check.
    const fn row(&self) -> usize {
        self.width * 2 + 4 + self.check()
    }

    /// Bytes of the check of an embedding row.
    const fn check(&self) -> usize {
        if is_wide(self.width) { CHECK } else { 0 }
    }

    /// Bytes of a row of the last byte: the same with three vectors.
    const fn byte_row(&self) -> usize {
        self.width * 6 + 4
    }

    /// Bytes of a step: the vectors kept, their exponents, the rows, and the gradients of
    /// the trust in them.
    const fn step(&self) -> usize {
        let trusts = if is_wide(self.width) { self.contexts * 4 } else { 0 };
        self.width * 2 * kept(self.width) + scales(self.width) + (self.contexts + 1) * 4 + trusts
    }

    /// Bytes of the trust in rows: for each context and class, and the mean square of the
    /// gradients.
    const fn trust(&self) -> usize {
        if is_wide(self.width) { self.contexts * CLASSES * 2 + 4 } else { 0 }
    }

    /// Bytes of a node of the head: weights, bias, visits.
    const fn node(&self) -> usize {
        self.width * 2 + 4
    }

    /// Bytes of the second head.
    const fn ahead(&self) -> usize {
        if is_wide(self.width) { NODES * self.node() } else { 0 }
    }

    /// Square matrices of the projections: `P_a`, two of `P_o`, `P_v`.
    const fn blocks(&self) -> usize {
        if is_wide(self.width) { 4 } else { 3 }
    }

    /// Bytes of `P_a`, `P_o` and `P_v`.
    const fn weights(&self) -> usize {
        self.blocks() * self.width * self.width * 2
    }

    /// Bytes of the projections: for the way on and for the way back, as rows and as columns
    /// or as [`product`] takes them, and the mean squares of their gradients.
    const fn projections(&self) -> usize {
        2 * self.weights() + self.blocks() * self.width * 4
    }

    /// Bytes of the inputs and gradients of the projections over a span.
    const fn pairs(&self) -> usize {
        2 * self.span * self.width * ends(self.width) * 2
    }

    /// Bytes of the whole model.
    pub(crate) const fn bytes(&self) -> usize {
        NODES * self.node()
            + self.ahead()
            + self.width * 4
            + self.trust()
            + self.projections()
            + self.pairs()
            + self.span * self.step()
            + BYTE_ROWS * self.byte_row()
            + self.rows * self.row()
    }
}

/// The memory of a model, cut into its tables.
struct Parts<'a> {
    head: &'a mut [u8],
    /// The second head.
    ahead: &'a mut [u8],
    /// The state h, Q15.
    state: &'a mut [u8],
    /// The features f, Q10.
    features: &'a mut [u8],
    /// The trust in rows, Q12, and a mean square.
    trust: &'a mut [u8],
    projections: &'a mut [u8],
    /// Inputs of the projections in the span, Q9, those of two steps interleaved.
    inputs: &'a mut [u8],
    /// Gradients of u_a, u_o and P_v n in the span, interleaved likewise.
    gradients: &'a mut [u8],
    steps: &'a mut [u8],
    byte_rows: &'a mut [u8],
    rows: &'a mut [u8],
}

#[inline(always)]
fn parts<'a>(shape: &Shape, memory: &'a mut [u8]) -> Parts<'a> {
    let (head, rest) = memory.split_at_mut(NODES * shape.node());
    let (ahead, rest) = rest.split_at_mut(shape.ahead());
    let (state, rest) = rest.split_at_mut(shape.width * 2);
    let (features, rest) = rest.split_at_mut(shape.width * 2);
    let (trust, rest) = rest.split_at_mut(shape.trust());
    let (projections, rest) = rest.split_at_mut(shape.projections());
    let (inputs, rest) = rest.split_at_mut(shape.pairs() / 2);
    let (gradients, rest) = rest.split_at_mut(shape.pairs() / 2);
    let (steps, rest) = rest.split_at_mut(shape.span * shape.step());
    let (byte_rows, rows) = rest.split_at_mut(BYTE_ROWS * shape.byte_row());
    Parts {
        head,
        ahead,
        state,
        features,
        trust,
        projections,
        inputs,
        gradients,
        steps,
        byte_rows,
        rows,
    }
}

/// What the model knows beside its tables.
#[derive(Clone, Debug)]
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
    /// Spans learned.
    spans: u32,
    /// Source of the stochastic rounding.
    pub(crate) noise: u32,
}

/// The features of the current byte, Q10.
#[inline]
pub(crate) fn features<const E: usize>(shape: &Shape, memory: &mut [u8]) -> [i16; E] {
    read(parts(shape, memory).features)
}

/// Makes the model learn quickly again: its head as after 1000 visits of each node, its
/// rows as after 50 each, at most.
pub(crate) fn settle(shape: &Shape, memory: &mut [u8]) {
    let parts = parts(shape, memory);
    let heads = parts.head.chunks_exact_mut(shape.node());
    for node in heads.chain(parts.ahead.chunks_exact_mut(shape.node())) {
        let visits = &mut node[shape.node() - 2..];
        let n = u16::from_le_bytes([visits[0], visits[1]]).min(1000);
        visits.copy_from_slice(&n.to_le_bytes());
    }
    let without_check = shape.row() - shape.check();
    let rows = parts.rows.chunks_exact_mut(shape.row());
    let rows = rows.map(|row| row.split_at_mut(without_check).0);
    for row in parts.byte_rows.chunks_exact_mut(shape.byte_row()).chain(rows) {
        if let Some(meta) = row.last_chunk_mut() {
            train::settle(meta, 50);
        }
    }
}

impl Ssm {
    pub(crate) const NONE: Self =
        Self { p: 0, errors: [0; 8], bits: 0, step: 0, age: 0, spans: 0, noise: 0 };

    /// A fresh model in zeroed `memory`.
    pub(crate) fn new(shape: &Shape, memory: &mut [u8]) -> Self {
        let mut noise = 0x2545_F491u32;
        let parts = parts(shape, memory);
        for trust in parts.trust.as_chunks_mut().0.iter_mut().take(shape.contexts * CLASSES) {
            *trust = TRUST.to_le_bytes();
        }
        for row in parts.byte_rows.chunks_exact_mut(shape.byte_row()) {
            for bytes in row[..shape.width * 6].as_chunks_mut::<2>().0 {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Uniform within +-0.3, Q12.
                let x = (((noise >> 16) as i32 * (2 * INITIAL + 1)) >> 16) - INITIAL;
                *bytes = (x as i16).to_le_bytes();
            }
        }
        Self { p: 32768, ..Self::NONE }
    }

    /// Passes what is known between two bytes through `carry`. It goes on with
    /// a new span; what the last one had begun to learn is lost.
    #[inline(never)]
    pub(crate) fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        self.age = carry(self.age).min(WARM_UP);
        self.spans = carry(self.spans);
        self.noise = carry(self.noise);
    }

    /// Picks the rows of the step: `byte` is the last one, `hashes` are the
    /// contexts. The rows are touched, so that the cache misses overlap with
    /// each other and with what the caller does before [`Self::start_byte`]. Where rows
    /// have checks, a context has one of a pair, which only these tell.
    #[inline]
    pub(crate) fn pick(&mut self, shape: &Shape, byte: u8, hashes: &[u32], memory: &mut [u8]) {
        let parts = parts(shape, memory);
        let size = shape.step();
        let step = &mut parts.steps[self.step * size..][..size];
        let indices = step[shape.width * 2 * kept(shape.width) + scales(shape.width)..]
            .as_chunks_mut::<4>()
            .0;
        indices[0] = u32::from(byte).to_le_bytes();
        let ways = if is_wide(shape.width) { 2 } else { 1 };
        let size = shape.row() * ways;
        let sets = (shape.rows / ways) as u64;
        let mut touched = 0;
        for (index, &hash) in indices[1..].iter_mut().zip(hashes) {
            let set = ((u64::from(hash.wrapping_mul(PHI)) * sets) >> 32) as usize;
            *index = ((set * ways) as u32).to_le_bytes();
            let pair = &parts.rows[set * size..][..size];
            if is_wide(shape.width) {
                touched ^= pair[size / 2 - 1] ^ pair[size - 1];
            } else {
                for line in pair.chunks(64) {
                    touched ^= line[0];
                }
            }
        }
        core::hint::black_box(touched);
        if is_wide(shape.width) {
            for (index, &hash) in indices[1..].iter_mut().zip(hashes) {
                let first = u32::from_le_bytes(*index);
                let pair = &mut parts.rows[first as usize * shape.row()..][..size];
                let (which, visits) = find_row(pair, row_check(hash));
                let class = bits(visits as i32);
                *index = ((first + which) | (class << ROW_BITS)).to_le_bytes();
                let row = &parts.rows[(first + which) as usize * shape.row()..];
                for line in row[..shape.width * 2].chunks(64) {
                    touched ^= line[0];
                }
            }
            core::hint::black_box(touched);
        }
    }

    /// Takes note of the bit predicted last; `p` is what all models together
    /// made of it. Half of the error is that of the whole, so that the model
    /// attends to what the others miss.
    #[inline]
    pub(crate) fn learn(&mut self, bit: bool, p: u32) {
        self.errors[self.bits] = (i32::from(bit) << 16) - ((self.p + p) >> 1) as i32;
        self.bits += 1;
    }

    /// Moves the state on, by the rows picked. `E` is the width of the shape.
    pub(crate) fn start_byte<const E: usize>(&mut self, shape: &Shape, memory: &mut [u8]) {
        let parts = parts(shape, memory);
        let size = shape.step();
        let step = &mut parts.steps[self.step * size..][..size];
        let (kept, rest) = step.split_at_mut(E * 2 * kept(E));
        let (&byte, indices) = rest[scales(E)..].as_chunks::<4>().0.split_first().expect("a row");

        // The embedding, Q12; saturation is part of the model.
        let x: [i16; E] = if is_wide(E) {
            trusted(shape, &indices[..shape.contexts], parts.trust, parts.rows)
        } else {
            let mut x = [0; E];
            for index in indices {
                let row = parts.rows[row_at(shape, index)..][..E * 2].as_chunks().0;
                for (x, row) in x.as_chunks_mut::<LANES>().0.iter_mut().zip(row) {
                    *x = i16x8::new(*x).saturating_add(load(row)).to_array();
                }
            }
            x
        };

        // Pre-activations, Q12.
        let mut u = [[0; E], x, [BIAS_O; E]];
        for (i, u) in u[0].iter_mut().enumerate() {
            *u = (BIAS_A.0 + BIAS_A.1 * i as i32 / E as i32) as i16;
        }
        let at = u32::from_le_bytes(byte) as usize * shape.byte_row();
        let row = parts.byte_rows[at..at + E * 6].as_chunks().0;
        for (u, row) in u.as_flattened_mut().as_chunks_mut::<LANES>().0.iter_mut().zip(row) {
            *u = i16x8::new(*u).saturating_add(load(row)).to_array();
        }
        let last = read::<E>(parts.features);
        let input = [x.map(|x| narrowed(x, 3)), last.map(|f| narrowed(f, 1))];
        let p = &parts.projections[..shape.weights()];
        let block = |i: usize| &p[i * E * E * 2..][..E * E * 2];
        if is_wide(E) {
            let mut sums = [[0; E]; 2]; // Q18
            product(block(0), &input[1], &mut sums[0]);
            product(block(1), &input[0], &mut sums[1]);
            product(block(2), &input[1], &mut sums[1]);
            add(&mut u[0], &sums[0]);
            add(&mut u[2], &sums[1]);
        } else {
            let (p_a, p_o) = p.split_at(E * E * 2);
            let rows = |p: &[u8], input: &[i16]| {
                let mut p = p.chunks_exact(input.len() * 2);
                core::array::from_fn(|_| p.next().map_or(0, |p| narrow_dot::<5>(p, input)))
            };
            add(&mut u[0], &rows(p_a, &input[1]));
            add(&mut u[2], &rows(p_o, input.as_flattened()));
        }
        let size = ends(E) * E * 4;
        let inputs = &mut parts.inputs[self.step / 2 * size..][..size];
        interleave(inputs, input.as_flattened(), self.step % 2);

        // Tables first, so that what follows is arithmetic in lanes.
        let [a, c, s] = u;
        let (a, s) = (sigmoid(a), sigmoid(s)); // Q15
        let c = tanh(c); // Q15
        let h = read::<E>(parts.state);
        let mut vectors = [[0i16; E]; VECTORS];
        let [_, normed, gates, decays, by_a, by_c, by_o] = &mut vectors;
        let mut new = [0; E];
        let mut y = [0; E];
        for i in 0..E {
            // Products of 16 bits, which have lanes everywhere.
            let (a, c, s, old) = (a[i], c[i], s[i], h[i]);
            let g = ((times(u[2][i], s) + ONE / 2) >> 15) as i16; // Q12
            let b = (ONE - i32::from(a)) as i16;
            let h = ((times(old, a) + times(c, b) + ONE / 2) >> 15) as i16; // Q15
            new[i] = h;
            y[i] = times(h, g); // Q27
            gates[i] = g;
            decays[i] = a;
            // How h depends on u_a and u_c, and y on u_o, Q15.
            let ab = (times(a, b) >> 15) as i16;
            by_a[i] = ((times(old, ab) - times(c, ab)) >> 15) as i16;
            let cc = (times(c, c) >> 15) as i16;
            by_c[i] = (((i32::from(b) << 15) - times(b, cc)) >> 15) as i16;
            let beyond = (times(g, (ONE - i32::from(s)) as i16) >> 12) as i16;
            let slope = (times(h, s) + times(h, beyond)) >> 15;
            by_o[i] = slope.clamp(-32767, 32767) as i16;
        }
        write(parts.state, &new);
        *normed = norm(&y, FLOOR, &mut rest[..3]);
        let features = if is_wide(E) {
            let input = normed.map(|n| narrowed(n, 1));
            interleave(&mut inputs[E * 8..], &input, self.step % 2);
            let (mut turn, mut sums) = ([0; E], [0; E]);
            product(block(3), &input, &mut sums);
            add(&mut turn, &sums);
            let turn = tanh(turn);
            let v = |i| (i32::from(normed[i]) << 15) + times(normed[i], turn[i]); // Q25
            let v = core::array::from_fn(v);
            let features = norm(&v, FLOOR >> 2, &mut rest[NORM_V..][..3]);
            write(&mut kept[F * E * 2..], &features);
            write(&mut kept[TURNS * E * 2..], &turn);
            features
        } else {
            *normed
        };
        write(parts.features, &features);
        for (bytes, vector) in kept.chunks_exact_mut(E * 2).zip(&vectors).skip(1) {
            write(bytes, vector);
        }
        self.bits = 0;
    }

    /// Predicts the bit after the bits `partial` (with a leading 1).
    #[inline]
    pub(crate) fn predict<const E: usize>(
        &mut self,
        shape: &Shape,
        partial: u32,
        memory: &mut [u8],
    ) -> [i16; INPUTS] {
        let parts = parts(shape, memory);
        let size = shape.node();
        let node = &parts.head[partial as usize * size..][..size];
        let x = logit(node, &read::<E>(parts.features));
        self.p = squash(x);
        [(x >> 4) as i16, ((self.p as i32 - 32768) >> 6) as i16]
    }

    /// Learns from the byte whose bits are known.
    pub(crate) fn end_byte<const E: usize>(&mut self, shape: &Shape, byte: u8, memory: &mut [u8]) {
        let mut parts = parts(shape, memory);
        let f = read::<E>(parts.features);
        let df = learn_path(parts.head, byte, &f, &self.errors, &mut self.noise);
        let missed: i32 = self.errors.iter().map(|e| e.abs()).sum();

        let size = shape.step();
        let (before, step) = parts.steps.split_at_mut(self.step * size);
        let (vectors, scales) = step[..size].split_at_mut(E * 2 * kept(E));
        scales[3] = write_narrow(vectors, &df);
        scales[4] = u8::from(missed < SKIP);
        if is_wide(E) && missed >= SKIP_AHEAD && self.step > 0 {
            // What the features of the byte before say of this one.
            let step = &mut before[(self.step - 1) * size..];
            let (vectors, scales) = step.split_at_mut(E * 2 * kept(E));
            let f = read::<E>(&vectors[F * E * 2..][..E * 2]);
            let errors = core::array::from_fn(|i| {
                let node = (1 << i | usize::from(byte) >> (8 - i)) * shape.node();
                let p = squash(logit(&parts.ahead[node..][..shape.node()], &f)) as i32;
                (i32::from(byte >> (7 - i) & 1) << 16) - p
            });
            let more = learn_path(parts.ahead, byte, &f, &errors, &mut self.noise);
            let df = read::<E>(&vectors[..E * 2]);
            let df = |i| (i32::from(df[i]) << scales[3]) + (more[i] >> 6) * AHEAD;
            scales[3] = write_narrow::<E>(vectors, &core::array::from_fn(df));
        }

        self.age = (self.age + 1).min(WARM_UP);
        self.step += 1;
        if self.step == shape.span {
            self.step = 0;
            train::backward::<E>(shape, self.age, &mut parts);
            if is_wide(E) {
                train::trust::<E>(shape, self.spans, &mut parts);
            }
            train::project::<E>(shape, self.spans, &mut parts);
            self.spans = self.spans.saturating_add(1);
        }
    }
}

/// What a node of a head makes of features, Q12.
#[inline(always)]
fn logit<const E: usize>(node: &[u8], f: &[i16; E]) -> i32 {
    let (weights, rest) = node.split_at(E * 2);
    let x = dot(&read::<E>(weights), f, 1) >> (9 + finer(E));
    let bias = i16::from_le_bytes([rest[0], rest[1]]);
    let limit = STRETCH_MAX << 4;
    (x + i64::from(bias)).clamp(i64::from(1 - limit), i64::from(limit - 1)) as i32
}

/// Moves the nodes of a head for the bits of `byte` along their errors (Q16), and gives the
/// gradient of the features, Q24.
#[inline(always)]
fn learn_path<const E: usize>(
    head: &mut [u8],
    byte: u8,
    f: &[i16; E],
    errors: &[i32; 8],
    noise: &mut u32,
) -> [i32; E] {
    let size = E * 2 + 4;
    let mut df = [0i32; E];
    for bit in 0..4 {
        // Two nodes at a time: their gradients in f add up in one product.
        let path = |bits: usize| (1 << bits | u32::from(byte) >> (8 - bits)) as usize;
        let (first, second) =
            head[path(2 * bit) * size..].split_at_mut((path(2 * bit + 1) - path(2 * bit)) * size);
        let errors = [errors[2 * bit], errors[2 * bit + 1]];
        let half = errors.map(|error| (error >> 1).max(-32767) as i16);
        let nodes = [&mut first[..size], &mut second[..size]];
        let [(w0, step0), (w1, step1)] = {
            let mut errors = errors.iter();
            nodes.map(|node| {
                let (weights, rest) = node.split_at_mut(E * 2);
                let step = move_bias(rest, *errors.next().unwrap_or(&0), E);
                (weights, step)
            })
        };
        learn_nodes([w0, w1], f, half, [step0, step1], next_noise(noise), &mut df);
    }
    df
}

/// Writes a vector on 14 bits, and gives the digits that are left out.
#[inline(always)]
fn write_narrow<const E: usize>(bytes: &mut [u8], vector: &[i32; E]) -> u8 {
    let or = vector.iter().fold(0, |or, &x| or | magnitude(x));
    let down = bits(or).saturating_sub(14);
    write(&mut bytes[..E * 2], &vector.map(|x| (x >> down) as i16));
    down as u8
}

/// RMS norm: `y / rms(y)`, Q10, on 13 bits a channel; the rms is never below `floor`, which
/// is added in squares. `scales` takes what the backward pass needs.
#[inline(always)]
fn norm<const E: usize>(y: &[i32; E], floor: i32, scales: &mut [u8]) -> [i16; E] {
    let or = y.iter().fold(floor, |or, &y| or | magnitude(y));
    let shift = bits(or) - 13;
    let y = y.map(|y| (y >> shift) as i16);
    let floor = floor >> shift;
    let mean = (dot(&y, &y, 1) / (E as i64 / 2)) as u32 + (floor * floor) as u32;
    // 2^27 / rms, with the rms in sixteenths of the shifted y: 15 bits.
    let inverse = (1 << 27) / ((mean << 4).isqrt() as i32 * 4);
    scales[..2].copy_from_slice(&(inverse as u16).to_le_bytes());
    scales[2] = shift as u8;
    y.map(|y| (times(y, inverse as i16) >> 13) as i16)
}

/// Adds sums in Q18 to a vector in Q12.
#[inline(always)]
fn add<const E: usize>(u: &mut [i16; E], sums: &[i32; E]) {
    for (u, sum) in u.iter_mut().zip(sums) {
        *u = (i32::from(*u) + (sum >> 6)).clamp(-32768, 32767) as i16;
    }
}

/// tanh of each `u` in Q12, Q15.
#[inline(always)]
fn tanh<const E: usize>(u: [i16; E]) -> [i16; E] {
    sigmoid(u.map(|u| u.saturating_add(u))).map(|s| 2 * (s - HALF))
}

#[inline(always)]
fn times(a: i16, b: i16) -> i32 {
    i32::from(a) * i32::from(b)
}

/// An input of the projections, Q9 within +-8.
#[inline(always)]
fn narrowed(x: i16, shift: u32) -> i16 {
    (x.saturating_add(1 << (shift - 1)) >> shift).clamp(-4095, 4095)
}

/// What tells contexts of a pair of rows apart; never 0, as in a fresh row.
fn row_check(hash: u32) -> u16 {
    hash.wrapping_mul(PHI) as u16 | 1
}

/// Where in the table the row of a step stands.
#[inline(always)]
fn row_at(shape: &Shape, index: &[u8; 4]) -> usize {
    (u32::from_le_bytes(*index) & ((1 << ROW_BITS) - 1)) as usize * shape.row()
}

/// The trust in the row of a step, its place in the table.
#[inline(always)]
fn trust_at(context: usize, index: &[u8; 4]) -> usize {
    context * CLASSES + (u32::from_le_bytes(*index) >> ROW_BITS) as usize
}

/// The sum of the rows of all contexts, each times the trust in it.
#[inline(always)]
fn trusted<const E: usize>(
    shape: &Shape,
    indices: &[[u8; 4]],
    trust: &[u8],
    rows: &[u8],
) -> [i16; E] {
    let trust = trust.as_chunks::<2>().0;
    let row = |index| &rows[row_at(shape, index)..][..E * 2];
    let mut sums = [0; E]; // Q20
    for (number, pair) in indices.chunks(2).enumerate() {
        let mut weights = [0; 2];
        for (i, (weight, index)) in weights.iter_mut().zip(pair).enumerate() {
            *weight = i16::from_le_bytes(trust[trust_at(2 * number + i, index)]);
        }
        // An odd one is its own partner, of no weight.
        let (first, second) = (row(&pair[0]), row(&pair[pair.len() - 1]));
        // A pair is at most 2^30, so that all of them fit.
        embed(first, second, weights, &mut sums);
    }
    sums.map(|sum| ((sum + 128) >> 8).clamp(-32768, 32767) as i16)
}

/// Which of a pair of rows has this check, and its visits. If none has, the one with fewer
/// visits is emptied for it, and the other loses an eighth of its visits: or what is of no
/// use any more would stay.
fn find_row(pair: &mut [u8], check: u16) -> (u32, u32) {
    let (first, second) = pair.split_at_mut(pair.len() / 2);
    let check = check.to_le_bytes();
    let end = first.len() - CHECK;
    let visits = |row: &[u8]| row[..end].last_chunk().map_or(0, train::visits);
    if first.ends_with(&check) {
        return (0, visits(first));
    }
    if second.ends_with(&check) {
        return (1, visits(second));
    }
    let (a, b) = (visits(first), visits(second));
    let (which, row, other) = if a <= b { (0, first, second) } else { (1, second, first) };
    row[..end].fill(0);
    row[end..].copy_from_slice(&check);
    if let Some(meta) = other[..end].last_chunk_mut() {
        train::settle(meta, a.max(b) * 7 / 8);
    }
    (which, 0)
}

/// Digits of the weights of the head beyond Q12. What moves a weight falls with the width;
/// wide models need two more, lest the stochastic rounding drown it.
const fn finer(width: usize) -> u32 {
    if is_wide(width) { 2 } else { 0 }
}

/// Notes a visit to a node of the head, moves its bias, and returns the step of
/// its weights. `rest` is the node behind its weights.
fn move_bias(rest: &mut [u8], error: i32, width: usize) -> i16 {
    let visits = u16::from_le_bytes([rest[2], rest[3]]);
    rest[2..4].copy_from_slice(&(visits + 1).min(33_000).to_le_bytes());
    // 0.128 / E, twelve times as much at first.
    let rate = HEAD_RATE / width as i32 * 36_000 / (3000 + i32::from(visits));
    let step = (((error >> 2) * rate) >> (14 - finer(width))).clamp(-32767, 32767);
    let bias = i32::from(i16::from_le_bytes([rest[0], rest[1]]));
    let bias = bias + (((step >> finer(width)) * 1024 + 32768) >> 16);
    rest[..2].copy_from_slice(&(bias.clamp(-32768, 32767) as i16).to_le_bytes());
    step as i16
}

/// Puts a vector into the even or odd places of `pairs`.
#[inline(always)]
fn interleave(pairs: &mut [u8], vector: &[i16], odd: usize) {
    let pairs = pairs.as_chunks_mut::<{ 2 * CHUNK }>().0;
    for (pairs, x) in pairs.iter_mut().zip(vector.as_chunks::<LANES>().0) {
        let x = i32x8::from(i16x8::new(*x));
        let old = load_pairs(pairs);
        let new =
            if odd == 1 { (old & 0xFFFF) | (x << 16) } else { (old >> 16 << 16) | (x & 0xFFFF) };
        store_pairs(pairs, new);
    }
}

/// Trust in any row at first: 1 in Q12.
const TRUST: i16 = 1 << 12;
/// Bytes over which the learning rate of the rows rises to its full value.
const WARM_UP: u32 = 640;
/// 0.128 in Q18.
const HEAD_RATE: i32 = 33_554;
/// A byte whose errors sum up to less than this (Q16) trains no rows.
const SKIP: i32 = 100;
/// A byte whose errors sum up to less than this (Q16) does not train the second head.
const SKIP_AHEAD: i32 = 6000;
/// What the errors of the second head weigh beside those of the first, 0.2 in Q6.
const AHEAD: i32 = 13;
/// 0.3 in Q12.
const INITIAL: i32 = 1229;
/// Bias of u_o, 0.5 in Q12.
const BIAS_O: i16 = 2048;
/// Bias of u_a in Q12, first and last: ln(tau - 1) for time constants tau from 1.5 to 16 bytes.
const BIAS_A: (i32, i32) = (-2839, 13931);
/// One in Q15.
const ONE: i32 = 1 << 15;
const HALF: i16 = 1 << 14;
/// The rms of y is never below this, Q27.
const FLOOR: i32 = 1 << 19;
