use super::numbers::{Square, inverse_root};
use super::*;
use std::vec;
use std::vec::Vec;

/// Calls the function for the width of the shape.
macro_rules! for_width {
    ($shape:expr, $($owner:ident).+($($arg:expr),*)) => {
        match $shape.width {
            8 => $($owner).+::<8>($($arg),*),
            16 => $($owner).+::<16>($($arg),*),
            64 => $($owner).+::<64>($($arg),*),
            128 => $($owner).+::<128>($($arg),*),
            _ => unreachable!("no such width"),
        }
    };
}

const SHAPE: Shape = shape(16, 4096);

/// Three contexts, and the span of most levels.
const fn shape(width: usize, rows: usize) -> Shape {
    Shape { width, rows, contexts: 3, span: 32 }
}

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

/// A model on its memory.
#[derive(Clone)]
struct Model {
    shape: Shape,
    ssm: Ssm,
    memory: Vec<u8>,
    /// The last four bytes.
    last: u32,
}

impl Model {
    fn new(shape: Shape) -> Self {
        let mut memory = vec![0; shape.bytes()];
        Self { ssm: Ssm::new(&shape, &mut memory), shape, memory, last: 0 }
    }

    /// A model that has seen `data`, and its bits per byte over the second half.
    fn trained(shape: Shape, data: &[u8]) -> (Self, f64) {
        let mut model = Self::new(shape);
        let mut cost = 0.0;
        for (i, &byte) in data.iter().enumerate() {
            model.start(model.hashes());
            let bits = model.code(byte);
            cost += if i >= data.len() / 2 { bits } else { 0.0 };
            model.end(byte);
        }
        (model, cost / (data.len() - data.len() / 2) as f64)
    }

    fn parts(&mut self) -> Parts<'_> {
        parts(&self.shape, &mut self.memory)
    }

    fn hashes(&self) -> [u32; 3] {
        [self.last & 0xFFFF, self.last & 0xFF_FFFF | 1 << 24, self.last ^ 0x5555_5555]
    }

    fn start(&mut self, hashes: [u32; 3]) {
        self.ssm.pick(&self.shape, self.last as u8, &hashes, &mut self.memory);
        for_width!(self.shape, self.ssm.start_byte(&self.shape, &mut self.memory));
    }

    /// Logit of the bit after `partial`.
    fn logit(&mut self, partial: u32) -> f64 {
        let inputs =
            for_width!(self.shape, self.ssm.predict(&self.shape, partial, &mut self.memory));
        f64::from(inputs[0]) / 256.0
    }

    /// Codes a byte, with no other model beside; returns its cost in bits.
    fn code(&mut self, byte: u8) -> f64 {
        let mut partial = 1;
        let mut cost = 0.0;
        for i in (0..8).rev() {
            self.logit(partial);
            let bit = byte >> i & 1 == 1;
            let p = f64::from(self.ssm.p) / 65536.0;
            cost -= libm::log2(if bit { p } else { 1.0 - p });
            self.ssm.learn(bit, self.ssm.p);
            partial = partial << 1 | u32::from(bit);
        }
        cost
    }

    fn end(&mut self, byte: u8) {
        for_width!(self.shape, self.ssm.end_byte(&self.shape, byte, &mut self.memory));
        self.last = self.last << 8 | u32::from(byte);
    }

    /// Bytes of a step that follow its vectors: exponents, then row numbers.
    fn tail(&mut self, step: usize) -> Vec<u8> {
        let shape = self.shape;
        self.parts().steps[step * shape.step()..][..shape.step()]
            [shape.width * 2 * kept(shape.width)..]
            .into()
    }

    /// The row of the last byte, and those of the contexts.
    fn indices(&mut self, step: usize) -> Vec<usize> {
        let tail = self.tail(step);
        let indices = &tail[scales(self.shape.width)..].as_chunks().0[..self.shape.contexts + 1];
        let number = |index: &[u8; 4]| u32::from_le_bytes(*index) as usize % (1 << ROW_BITS);
        indices.iter().map(number).collect()
    }

    /// An embedding row without its check.
    fn row(&mut self, index: usize) -> Vec<u8> {
        let (size, check) = (self.shape.row(), self.shape.check());
        self.parts().rows[index * size..][..size - check].into()
    }

    /// The row of each context in the step under way, and where the trust in it stands.
    fn trusted_rows(&mut self) -> Vec<(usize, Vec<f64>)> {
        let (step, e) = (self.ssm.step, self.shape.width);
        let numbers = self.indices(step);
        let tail = self.tail(step);
        let indices = &tail[scales(self.shape.width)..].as_chunks().0[1..];
        let row =
            |(i, index)| (trust_at(i, index), floats(&self.row(numbers[i + 1])[..e * 2], 4096.0));
        indices.iter().take(numbers.len() - 1).enumerate().map(row).collect()
    }

    fn byte_row(&mut self, index: usize) -> Vec<u8> {
        let size = self.shape.byte_row();
        self.parts().byte_rows[index * size..][..size].into()
    }

    /// `P_a`, then `P_o`, row by row; of wide models `P_v` too.
    fn projections(&mut self) -> Vec<f64> {
        let size = self.shape.weights();
        let tables = &self.parts().projections[..2 * size];
        let (first, second) = tables.split_at(size);
        let (first, second) = (floats(first, 16384.0), floats(second, 16384.0));
        let e = self.shape.width;
        if !is_wide(e) {
            return first;
        }
        // For each block [input / 2][output][2], and [output / 2][input][2].
        let at = |block: usize, output: usize, input: usize| {
            let weight = first[block * e * e + (input / 2 * e + output) * 2 + input % 2];
            let other = second[block * e * e + (output / 2 * e + input) * 2 + output % 2];
            assert_eq!(weight, other, "block {block}, from {input} to {output}");
            weight
        };
        (0..e)
            .flat_map(|o| (0..e).map(move |i| (0, o, i)))
            .chain((0..e).flat_map(|o| (0..2 * e).map(move |i| (1 + i / e, o, i % e))))
            .chain((0..e).flat_map(|o| (0..e).map(move |i| (3, o, i))))
            .map(|(block, output, input)| at(block, output, input))
            .collect()
    }

    fn state(&mut self) -> State {
        let parts = self.parts();
        State { h: floats(parts.state, 32768.0), f: floats(parts.features, 1024.0) }
    }

    /// What the step under way makes of the state, read back from the tables.
    fn input(&mut self) -> Input {
        let e = self.shape.width;
        let indices = self.indices(self.ssm.step);
        let row = floats(&self.byte_row(indices[0])[..e * 6], 4096.0);
        let mut x = vec![0.0; e];
        let trust = floats(self.parts().trust, 4096.0);
        for (at, row) in self.trusted_rows() {
            let t = if trust.is_empty() { 1.0 } else { trust[at] };
            x.iter_mut().zip(row).for_each(|(x, r)| *x += t * r);
        }
        Input { x, row }
    }

    /// Weights and bias of the eight nodes of `byte`, in the head or in the second one.
    fn nodes(&mut self, byte: u8, ahead: bool) -> Vec<(Vec<f64>, f64)> {
        let size = self.shape.node();
        let one = 4096.0 * f64::from(1 << finer(self.shape.width));
        let parts = self.parts();
        let head = if ahead { parts.ahead } else { parts.head };
        if head.is_empty() {
            return Vec::new();
        }
        (0..8)
            .map(|i| {
                let node = (1usize << i) | usize::from(byte) >> (8 - i);
                let (weights, rest) = head[node * size..][..size].split_at(size - 4);
                (floats(weights, one), floats(&rest[..2], 4096.0)[0])
            })
            .collect()
    }
}

// The block in floating point.

#[derive(Clone)]
struct State {
    h: Vec<f64>,
    f: Vec<f64>,
}

/// The embedding of a step, and its byte row: for u_a, for u_c and for u_o.
struct Input {
    x: Vec<f64>,
    row: Vec<f64>,
}

/// What the backward pass needs of a step.
struct Kept {
    old: State,
    u: Vec<f64>,
    rms: f64,
    n: Vec<f64>,
    /// tanh(P_v n), and the rms of v.
    turn: Vec<f64>,
    rms_v: f64,
    new: State,
}

fn sigmoid_of(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

fn dot_of(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The weights of output `o` of u: where they begin, and the first of [x, f'] that they are
/// for; they go on to the last.
fn weights_of(e: usize, o: usize) -> Option<(usize, usize)> {
    match o / e {
        0 => Some((o * e, e)),
        1 => None,
        _ => Some((e * e + (o - 2 * e) * 2 * e, 0)),
    }
}

/// Bias + byte row + (P_a f', x, P_o [x, f']).
fn pre_activations(p: &[f64], input: &Input, f: &[f64]) -> Vec<f64> {
    let e = input.x.len();
    let joined = [&input.x[..], f].concat();
    (0..3 * e)
        .map(|o| {
            let bias = match o / e {
                0 => f64::from(BIAS_A.0 + BIAS_A.1 * o as i32 / e as i32) / 4096.0,
                1 => input.x[o - e],
                _ => 0.5,
            };
            let product =
                |(at, from): (usize, usize)| dot_of(&p[at..][..2 * e - from], &joined[from..]);
            bias + input.row[o] + weights_of(e, o).map_or(0.0, product)
        })
        .collect()
}

fn forward(p: &[f64], input: &Input, old: &State) -> Kept {
    let e = input.x.len();
    let u = pre_activations(p, input, &old.f);
    let mut new = old.clone();
    for i in 0..e {
        let a = sigmoid_of(u[i]);
        new.h[i] = a * old.h[i] + (1.0 - a) * libm::tanh(u[e + i]);
        new.f[i] = new.h[i] * u[2 * e + i] * sigmoid_of(u[2 * e + i]);
    }
    let rms = norm_of(&mut new.f);
    let n = new.f.clone();
    let (mut turn, mut rms_v) = (vec![0.0; e], 1.0);
    if is_wide(e) {
        let rows = p[3 * e * e..].chunks_exact(e);
        turn = rows.map(|row| libm::tanh(dot_of(row, &n))).collect();
        new.f.iter_mut().zip(&turn).for_each(|(f, t)| *f *= 1.0 + t);
        rms_v = norm_of(&mut new.f);
    }
    Kept { old: old.clone(), u, rms, n, turn, rms_v, new }
}

/// Divides by the rms, which it returns.
fn norm_of(y: &mut [f64]) -> f64 {
    let floor = f64::from(FLOOR) / f64::from(1 << 27);
    let rms = libm::sqrt(dot_of(y, y) / y.len() as f64 + floor * floor);
    y.iter_mut().for_each(|y| *y /= rms);
    rms
}

/// The gradient before a norm whose result is `f`.
fn through_norm_of(df: &[f64], f: &[f64], rms: f64) -> Vec<f64> {
    let mean = dot_of(df, f) / f.len() as f64;
    df.iter().zip(f).map(|(df, f)| (df - f * mean) / rms).collect()
}

fn logit_of(node: &(Vec<f64>, f64), f: &[f64]) -> f64 {
    dot_of(&node.0, f) + node.1
}

/// A span of steps with the heads that they meet.
struct Span {
    p: Vec<f64>,
    start: State,
    inputs: Vec<Input>,
    heads: Vec<Vec<(Vec<f64>, f64)>>,
    /// The second head's nodes for the byte after; none where it does not learn.
    aheads: Vec<Vec<(Vec<f64>, f64)>>,
    data: Vec<u8>,
    /// Of each step and context: where the trust in its row stands, and the row.
    rows: Vec<Vec<(usize, Vec<f64>)>>,
}

/// Of minus the cost in nats.
struct Gradients {
    u: Vec<Vec<f64>>,
    x: Vec<Vec<f64>>,
    p: Vec<f64>,
}

/// What the second head weighs.
const AHEAD_OF: f64 = AHEAD as f64 / 64.0;

impl Span {
    fn forward(&self) -> Vec<Kept> {
        let mut state = self.start.clone();
        let step = |input| {
            let kept = forward(&self.p, input, &state);
            state = kept.new.clone();
            kept
        };
        self.inputs.iter().map(step).collect()
    }

    /// Cost in nats.
    fn loss(&self) -> f64 {
        let mut sum = 0.0;
        for ((kept, nodes), byte) in self.forward().iter().zip(&self.heads).zip(&self.data) {
            for (i, node) in nodes.iter().enumerate() {
                let x = logit_of(node, &kept.new.f);
                sum -= libm::log(sigmoid_of(if byte >> (7 - i) & 1 == 1 { x } else { -x }));
            }
        }
        let data = self.data.iter().skip(1);
        for ((kept, nodes), byte) in self.forward().iter().zip(&self.aheads).zip(data) {
            for (i, node) in nodes.iter().enumerate() {
                let x = logit_of(node, &kept.new.f);
                let p = sigmoid_of(if byte >> (7 - i) & 1 == 1 { x } else { -x });
                sum -= AHEAD_OF * libm::log(p);
            }
        }
        sum
    }

    fn backward(&self) -> Gradients {
        let e = self.start.h.len();
        let mut all = Gradients { u: Vec::new(), x: Vec::new(), p: vec![0.0; self.p.len()] };
        let (mut carry, mut back) = (vec![0.0; e], vec![0.0; e]);
        for (t, kept) in self.forward().iter().enumerate().rev() {
            let mut df = back.clone();
            for (i, node) in self.heads[t].iter().enumerate() {
                let bit = f64::from(self.data[t] >> (7 - i) & 1);
                let error = bit - sigmoid_of(logit_of(node, &kept.new.f));
                df.iter_mut().zip(&node.0).for_each(|(df, w)| *df += error * w);
            }
            for (i, node) in self.aheads[t].iter().enumerate() {
                let bit = f64::from(self.data[t + 1] >> (7 - i) & 1);
                let error = bit - sigmoid_of(logit_of(node, &kept.new.f));
                df.iter_mut().zip(&node.0).for_each(|(df, w)| *df += AHEAD_OF * error * w);
            }
            if is_wide(e) {
                let dv = through_norm_of(&df, &kept.new.f, kept.rms_v);
                df = dv.iter().zip(&kept.turn).map(|(dv, t)| dv * (1.0 + t)).collect();
                for (i, dv) in dv.iter().enumerate() {
                    let dq = dv * kept.n[i] * (1.0 - kept.turn[i] * kept.turn[i]);
                    for (j, df) in df.iter_mut().enumerate() {
                        let at = (3 * e + i) * e + j;
                        *df += self.p[at] * dq;
                        all.p[at] += kept.n[j] * dq;
                    }
                }
            }
            let dy = through_norm_of(&df, &kept.n, kept.rms);
            let mut du = vec![0.0; 3 * e];
            for i in 0..e {
                let [a, c, o] = [0, 1, 2].map(|gate| kept.u[gate * e + i]);
                let (a, c, s) = (sigmoid_of(a), libm::tanh(c), sigmoid_of(o));
                let dh = carry[i] + dy[i] * o * s;
                du[i] = dh * (kept.old.h[i] - c) * a * (1.0 - a);
                du[e + i] = dh * (1.0 - a) * (1.0 - c * c);
                du[2 * e + i] = dy[i] * kept.new.h[i] * (s + o * s * (1.0 - s));
                carry[i] = dh * a;
            }
            let joined = [&self.inputs[t].x[..], &kept.old.f].concat();
            let mut dx = [&du[e..2 * e], &vec![0.0; e]].concat();
            for (o, du) in du.iter().enumerate() {
                let Some((at, from)) = weights_of(e, o) else { continue };
                for j in from..2 * e {
                    dx[j] += self.p[at + j - from] * du;
                    all.p[at + j - from] += joined[j] * du;
                }
            }
            back = dx.split_off(e);
            all.u.insert(0, du);
            all.x.insert(0, dx);
        }
        all
    }
}

/// Lets `model` learn a span, and returns what it met in it. The first
/// context of each step has a row that nothing else has used.
fn learn_span(model: &mut Model, data: &[u8]) -> Span {
    assert_eq!((model.ssm.step, data.len()), (0, model.shape.span));
    let mut random = Random(7);
    let mut used = Vec::new();
    let mut span = Span {
        p: model.projections(),
        start: model.state(),
        inputs: Vec::new(),
        heads: Vec::new(),
        aheads: Vec::new(),
        data: data.into(),
        rows: Vec::new(),
    };
    for &byte in data {
        loop {
            let [_, a, b] = model.hashes();
            let hashes = [random.below(u32::MAX), a, b];
            model.ssm.pick(&model.shape, model.last as u8, &hashes, &mut model.memory);
            let indices = model.indices(model.ssm.step);
            let fresh = model.row(indices[1]).iter().all(|&b| b == 0);
            if fresh && !used.contains(&indices[1]) && !indices[2..].contains(&indices[1]) {
                used.push(indices[1]);
                model.start(hashes);
                break;
            }
        }
        span.inputs.push(model.input());
        span.rows.push(model.trusted_rows());
        span.heads.push(model.nodes(byte, false));
        let ahead = model.nodes(byte, true);
        model.code(byte);
        let missed: i32 = model.ssm.errors.iter().map(|e| e.abs()).sum();
        if model.ssm.step > 0 {
            let learns = is_wide(model.shape.width) && missed >= SKIP_AHEAD;
            span.aheads.push(if learns { ahead } else { Vec::new() });
        }
        model.end(byte);
    }
    span.aheads.push(Vec::new());
    span
}

/// How well `found` agrees with `exact`: the cosine between them, and the
/// length of the one over that of the other.
fn agreement(found: &[f64], exact: &[f64]) -> (f64, f64) {
    let (a, b) = (dot_of(found, found), dot_of(exact, exact));
    (dot_of(found, exact) / libm::sqrt(a * b), libm::sqrt(a / b))
}

fn rms(x: &[f64]) -> f64 {
    libm::sqrt(dot_of(x, x) / x.len() as f64)
}

fn value(mean: Square) -> f64 {
    libm::ldexp(f64::from(mean.mantissa), 2 * mean.exponent as i32)
}

/// Visits and mean square of a row without its check.
fn meta(row: &[u8]) -> (u32, Square) {
    let packed = u32::from_le_bytes(*row.last_chunk().unwrap());
    (packed & 0xFFF, Square { mantissa: packed >> 12 & 0x3FFF, exponent: packed >> 26 })
}

/// How a row moved.
fn moved(before: &[u8], after: &[u8]) -> Vec<f64> {
    let vectors = ..before.len() - 4;
    let (before, after) = (floats(&before[vectors], 4096.0), floats(&after[vectors], 4096.0));
    after.iter().zip(before).map(|(a, b)| a - b).collect()
}

#[test]
fn sigmoid_is_the_logistic_function() {
    for u in -32768..=32767i16 {
        let knot = f64::from((i32::from(u) + 16).min(32767) >> 5) / 128.0;
        let exact = 32768.0 * sigmoid_of(knot);
        assert!((f64::from(sigmoid([u])[0]) - exact).abs() <= 0.51, "{u}");
    }
    assert_eq!(sigmoid([0, i16::MIN, i16::MAX]), [HALF, 11, 32757]);
}

#[test]
fn narrow_dot_holds_the_largest_products() {
    // Of width 128: inputs and gradients.
    for len in [128, 2 * 128] {
        for (a, b) in [(32767, 4095), (-32767, -4096), (32767, -4096), (-32767, 4095)] {
            let bytes: Vec<u8> = (0..len).flat_map(|_| i16::to_le_bytes(a)).collect();
            let exact = i64::from(a) * i64::from(b) * len;
            let sum = numbers::narrow_dot::<5>(&bytes, &vec![b; len as usize]);
            assert!((i64::from(sum) - (exact >> 5)).abs() <= 32, "{a} {b}");
        }
    }
}

#[test]
fn product_holds_the_largest_products() {
    for (a, b) in [(32767, 4095), (-32767, -4096), (32767, -4096), (-32767, 4095)] {
        let table: Vec<u8> = (0..64 * 64).flat_map(|_| i16::to_le_bytes(a)).collect();
        let mut sums = [5; 64];
        numbers::product(&table, &[b; 64], &mut sums);
        let exact = (i64::from(a) * i64::from(b) * 16) >> 5;
        assert!(sums.iter().all(|&sum| i64::from(sum) == 5 + 4 * exact), "{a} {b}: {sums:?}");
    }
}

#[test]
fn inverse_root_is_within_half_a_percent() {
    for x in (1..1 << 12).chain((1 << 12..1 << 27).step_by(997)) {
        let (root, shift) = inverse_root(x);
        let found = f64::from(root) / libm::ldexp(1.0, shift as i32);
        let ratio = found * libm::sqrt(f64::from(x));
        assert!((ratio - 1.0).abs() < 0.005, "{x}: {ratio}");
        assert!(root < 1 << 15);
    }
}

#[test]
fn mean_squares_follow_their_input() {
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

#[test]
fn forward_follows_the_floating_point_reference() {
    for (width, len) in [(16, 12_000), (64, 4000)] {
        let mut model = Model::new(shape(width, SHAPE.rows));
        let mut state = model.state();
        let mut p = Vec::new();
        let mut worst = [0.0f64; 3];
        for (i, byte) in text(len).into_iter().enumerate() {
            if i % SHAPE.span == 0 {
                p = model.projections();
            }
            model.start(model.hashes());
            state = forward(&p, &model.input(), &state).new;
            let found = model.state();
            let exact = logit_of(&model.nodes(byte, false)[0], &state.f).clamp(-12.0, 12.0);
            let x = model.logit(1);
            for (worst, (found, exact)) in worst.iter_mut().zip([
                (&found.h, &state.h),
                (&found.f, &state.f),
                (&vec![x], &vec![exact]),
            ]) {
                for (a, b) in found.iter().zip(exact) {
                    *worst = worst.max((a - b).abs());
                }
            }
            model.code(byte);
            model.end(byte);
        }
        assert!(rms(&p) > 0.02, "width {width}: P is {}", rms(&p));
        let [h, f, x] = worst;
        assert!(h < 0.006 && f < 0.06 && x < 0.08, "width {width}: {worst:?}");
    }
}

#[test]
fn reference_gradients_are_those_of_the_loss() {
    for (width, stride) in [(16, 1), (64, 13)] {
        let shape = shape(width, SHAPE.rows);
        let mut model = Model::trained(shape, &text(9600)).0;
        let mut span = learn_span(&mut model, &text(9632)[9600..]);
        let gradients = span.backward();
        let mut random = Random(11);
        let check = |span: &mut Span,
                     what: &str,
                     exact: f64,
                     at: fn(&mut Span, usize, usize) -> &mut f64,
                     t,
                     i| {
            let mut slope = 0.0;
            for step in [1e-4, -1e-4] {
                *at(span, t, i) += step;
                slope -= span.loss() / (2.0 * step);
                *at(span, t, i) -= step;
            }
            let off = (slope - exact).abs();
            assert!(off < 1e-6 + 1e-4 * exact.abs(), "{what} {t} {i}: {slope} {exact}");
        };
        for t in 0..shape.span {
            for i in (0..width).step_by(stride) {
                check(
                    &mut span,
                    "x",
                    gradients.x[t][i],
                    |span, t, i| &mut span.inputs[t].x[i],
                    t,
                    i,
                );
            }
            for i in (0..3 * width).step_by(stride) {
                check(
                    &mut span,
                    "u",
                    gradients.u[t][i],
                    |span, t, i| &mut span.inputs[t].row[i],
                    t,
                    i,
                );
            }
        }
        for _ in 0..400 {
            let i = random.below(gradients.p.len() as u32) as usize;
            check(&mut span, "P", gradients.p[i], |span, _, i| &mut span.p[i], 0, i);
        }
    }
}

/// The worst of several agreements.
struct Worst {
    cosine: f64,
    /// The largest difference of the lengths, relative.
    ratio: f64,
    count: usize,
}

impl Worst {
    const NONE: Self = Self { cosine: 1.0, ratio: 0.0, count: 0 };

    fn note(&mut self, (cosine, ratio): (f64, f64)) {
        self.cosine = self.cosine.min(cosine);
        self.ratio = self.ratio.max((ratio - 1.0).abs());
        self.count += 1;
    }

    fn check(&self, what: &str, cosine: f64, ratio: f64, count: usize) {
        assert!(self.cosine > cosine, "{what}: a cosine of {}", self.cosine);
        assert!(self.ratio < ratio, "{what}: lengths {} off", self.ratio);
        assert!(self.count >= count, "{what}: only {}", self.count);
    }
}

/// `a` times `x`.
fn scaled(x: &[f64], a: f64) -> Vec<f64> {
    x.iter().map(|x| x * a).collect()
}

/// A trained model before and after a span, and the span.
fn before_and_after(shape: Shape, len: usize) -> (Model, Model, Span) {
    let before = Model::trained(shape, &text(len)).0;
    let mut after = before.clone();
    let span = learn_span(&mut after, &text(len + shape.span)[len..]);
    (before, after, span)
}

/// Widths and bytes learned: during the warm-up, and after it with the
/// projections at work.
const CASES: [(usize, usize); 3] = [(16, 96), (16, 32_000), (64, 9600)];

#[test]
fn backward_follows_the_floating_point_reference() {
    for (width, len) in CASES {
        let shape = shape(width, SHAPE.rows);
        let (mut before, mut after, span) = before_and_after(shape, len);
        let exact = span.backward().u;
        // Once more, before the projections moved and took all gradients to
        // one exponent.
        before.parts().steps.copy_from_slice(after.parts().steps);
        let age = after.ssm.age;
        match width {
            16 => train::backward::<16>(&shape, age, &mut before.parts()),
            _ => train::backward::<64>(&shape, age, &mut before.parts()),
        }
        let largest = exact.iter().map(|du| rms(du)).fold(0.0, f64::max);
        let (mut all, mut large) = (Worst::NONE, Worst::NONE);
        for (t, exact) in exact.iter().enumerate() {
            let tail = before.tail(t);
            if tail[4] != 0 {
                continue; // quiet: it trains nothing
            }
            let size = ends(width) * width * 4;
            let pair = &before.parts().gradients[t / 2 * size..][..width * 8];
            let one = libm::ldexp(1.0, 33 - i32::from(tail[5]));
            let du: Vec<f64> = floats(pair, one).into_iter().skip(t % 2).step_by(2).collect();
            // Of u_a and u_o; that of u_c shows in the rows.
            let projected = [&exact[..width], &exact[2 * width..]].concat();
            all.note(agreement(&du, &projected));
            if rms(exact) > 0.1 * largest {
                large.note(agreement(&du, &projected));
            }
        }
        // The error of a confident step takes over that of the logit.
        all.check(&std::format!("width {width}, {len} bytes, all steps"), 0.99, 0.1, 24);
        large.check(&std::format!("width {width}, {len} bytes, large steps"), 0.995, 0.04, 4);
    }
}

#[test]
fn rows_move_by_their_nominal_size() {
    for (width, len) in CASES {
        let shape = shape(width, SHAPE.rows);
        let (mut before, mut after, span) = before_and_after(shape, len);
        let exact = span.backward();
        let nominal = 0.034 * f64::from(after.ssm.age) / 640.0;
        let (mut fresh, mut bytes) = (Worst::NONE, Worst::NONE);
        let mut squares = Worst::NONE;
        let rows: Vec<_> = (0..shape.span).map(|t| after.indices(t)).collect();
        for t in 0..shape.span {
            if after.tail(t)[4] != 0 {
                continue; // quiet
            }
            // On its first visit a row moves by its nominal size.
            let row = after.row(rows[t][1]);
            let (visits, square) = meta(&row);
            // But for those that another context has found later, or taken.
            let users = rows.iter().flat_map(|rows| &rows[1..]).filter(|&&at| at == rows[t][1]);
            if visits == 1 && users.count() == 1 {
                let expected = scaled(&exact.x[t], nominal / rms(&exact.x[t]));
                fresh.note(agreement(&moved(&vec![0; row.len()], &row), &expected));
                let noted = libm::sqrt(value(square)) / libm::ldexp(1.0, 33);
                squares.note((1.0, noted / rms(&exact.x[t])));
            }
            // Later by the ratio to the running mean; a byte met once.
            let byte = rows[t][0];
            if rows.iter().filter(|rows| rows[0] == byte).count() == 1 {
                let (old, row) = (before.byte_row(byte), after.byte_row(byte));
                let (visits, square) = (meta(&old).0, meta(&row).1);
                assert_eq!(meta(&row).0, visits + 1);
                let mean = value(square) * (1.0 + f64::from(visits) / 10.0);
                let one = libm::ldexp(1.0, 33);
                let expected = scaled(&exact.u[t], nominal * one / libm::sqrt(mean));
                // Moves of few units are rounded too much to be compared.
                if rms(&expected) > 8.0 / 4096.0 {
                    bytes.note(agreement(&moved(&old, &row), &expected));
                }
            }
        }
        fresh.check(&std::format!("width {width}, {len} bytes, fresh rows"), 0.99, 0.01, 24);
        squares.check(&std::format!("width {width}, {len} bytes, squares"), 0.99, 0.1, 24);
        bytes.check(&std::format!("width {width}, {len} bytes, byte rows"), 0.99, 0.03, 2);
    }
}

#[test]
fn projections_move_along_the_gradient_of_the_span() {
    for (width, len) in CASES {
        let shape = shape(width, SHAPE.rows);
        let (_, mut after, span) = before_and_after(shape, len);
        let exact = span.backward().p;
        let spans = (len / shape.span) as f64;
        let rate = if width > 16 { 0.0015 } else { 0.003 };
        let rate = rate * (30.0 / libm::sqrt(100.0 + spans)).min(1.0);
        let p = after.projections();
        let squares = after.parts().projections[2 * shape.weights()..].to_vec();
        // A row for each output of P_a, then for each output of P_o and half of the
        // input, in wide models first all for the one half; then of P_v. That of the
        // embedding, Q9, is next to nothing during the warm-up.
        let mut rows = Worst::NONE;
        for (i, packed) in squares.as_chunks().0.iter().enumerate() {
            let packed = u32::from_le_bytes(*packed);
            let mean = value(Square { mantissa: packed & 0xFFFF, exponent: packed >> 16 });
            let (row, embedding) = match (is_wide(width), i / width) {
                (true, 1) => (2 * i - width, true),
                (true, 2) => (2 * (i - width) - width + 1, false),
                _ => (i, !is_wide(width) && i >= width && (i - width) % 2 == 0),
            };
            let places = row * width..(row + 1) * width;
            // The gradients of P_v n are in Q24 with 25 digits more.
            let one = if i / width == 3 { 58 } else { 42 };
            let step = rate * libm::ldexp(1.0, one) / libm::sqrt(mean);
            let expected = scaled(&exact[places.clone()], step);
            let change: Vec<f64> = places.map(|j| p[j] - span.p[j]).collect();
            if rms(&expected) > LARGE * rate && (!embedding || len >= 640) {
                rows.note(agreement(&change, &expected));
            }
        }
        rows.check(&std::format!("width {width}, {len} bytes"), 0.99, 0.08, width);
        // The columns are the same weights; of wide models `projections` has seen to that.
        if is_wide(width) {
            continue;
        }
        let mut columns = Vec::new();
        for j in 0..2 * width {
            let weights = (0..3 * width).filter_map(|o| weights_of(width, o));
            columns
                .extend(weights.filter(|&(_, from)| from <= j).map(|(at, from)| p[at + j - from]));
        }
        let size = shape.weights();
        assert_eq!(floats(&after.parts().projections[size..2 * size], 16384.0), columns);
    }
}

#[test]
fn trust_moves_along_its_gradient() {
    let shape = shape(64, SHAPE.rows);
    for len in [9600, 32_000] {
        let (mut before, mut after, span) = before_and_after(shape, len);
        let exact = span.backward();
        let mut gradient = vec![0.0; shape.contexts * CLASSES];
        for (t, rows) in span.rows.iter().enumerate() {
            for (at, row) in rows {
                gradient[*at] += dot_of(&exact.x[t], row);
            }
        }
        let size = shape.trust() - 4;
        let packed = u32::from_le_bytes(*after.parts().trust.last_chunk().unwrap());
        let mean = value(Square { mantissa: packed & 0xFFFF, exponent: packed >> 16 });
        let step = 0.003 * libm::ldexp(1.0, 33) / libm::sqrt(mean);
        let [old, new] =
            [&mut before, &mut after].map(|m| floats(&m.parts().trust[..size], 4096.0));
        let moved: Vec<f64> = new.iter().zip(&old).map(|(new, old)| new - old).collect();
        let (cosine, ratio) = agreement(&moved, &scaled(&gradient, step));
        // Rows that the span met more than once have moved when it comes to the first time.
        assert!(cosine > 0.95 && (ratio - 1.0).abs() < 0.15, "{len}: {cosine} {ratio}");
        assert!(rms(&old) > 0.9 && old.iter().any(|t| (t - 1.0).abs() > 0.05), "{len}: {old:?}");
    }
}

/// Against its usual size, how large a gradient of a row of the projections
/// must be to be compared: smaller ones suffer from rounding to the largest.
const LARGE: f64 = 0.5;

#[test]
fn a_row_belongs_to_a_context_until_another_needs_it_more() {
    const SIZE: usize = 6 + CHECK;
    let mut pair = [0; 2 * SIZE];
    let visited = |pair: &mut [u8], row: usize, visits: u8| {
        pair[row * SIZE..][..SIZE - CHECK].copy_from_slice(&[1, 1, visits, 0, 1, 1]);
    };
    assert_eq!(find_row(&mut pair, 3), (0, 0));
    visited(&mut pair, 0, 40);
    assert_eq!(find_row(&mut pair, 5), (1, 0));
    visited(&mut pair, 1, 9);
    // Both are found again, and as they were but for the visits: 40 less an eighth.
    assert_eq!((find_row(&mut pair, 3), find_row(&mut pair, 5)), ((0, 35), (1, 9)));
    assert_eq!(pair, [1, 1, 35, 0, 1, 1, 3, 0, 1, 1, 9, 0, 1, 1, 5, 0]);
    // A third takes the less visited one, which is emptied.
    assert_eq!(find_row(&mut pair, 7), (1, 0));
    assert_eq!(pair, [1, 1, 30, 0, 1, 1, 3, 0, 0, 0, 0, 0, 0, 0, 7, 0]);
    assert_eq!(find_row(&mut pair, 5), (1, 0));
    // The first one is not safe for ever.
    visited(&mut pair, 1, 28);
    for check in 9..12 {
        find_row(&mut pair, check);
        visited(&mut pair, 1, 28);
    }
    assert!(!pair.starts_with(&[1, 1]));
}

#[test]
fn heads_move_along_their_gradients() {
    for (width, ahead) in [(16, false), (64, false), (64, true)] {
        let shape = shape(width, SHAPE.rows);
        let mut model = Model::trained(shape, &text(1600)).0;
        let mut moved = 0;
        for byte in *b"statesmix" {
            let mut f = model.state().f; // that of the byte before
            model.start(model.hashes());
            if !ahead {
                f = model.state().f;
            }
            let table = |model: &mut Model| {
                let parts = model.parts();
                if ahead { parts.ahead.to_vec() } else { parts.head.to_vec() }
            };
            let (before, nodes) = (table(&mut model), model.nodes(byte, ahead));
            model.code(byte);
            let errors = model.ssm.errors.map(|error| f64::from(error) / 65536.0);
            let first = model.ssm.step == 0;
            model.end(byte);
            let after = table(&mut model);
            if ahead && first {
                assert_eq!(before, after);
                continue;
            }
            moved += 1;
            let size = shape.node();
            for (node, (old, new)) in
                before.chunks_exact(size).zip(after.chunks_exact(size)).enumerate()
            {
                let depth = node.checked_ilog2().unwrap_or(9) as usize;
                if depth > 7 || node != (1 << depth) | usize::from(byte) >> (8 - depth) {
                    assert_eq!(old, new, "node {node} of another byte");
                    continue;
                }
                let visits = f64::from(u16::from_le_bytes(*old.last_chunk().unwrap()));
                let error = if ahead {
                    let bit = f64::from(byte >> (7 - depth) & 1);
                    bit - sigmoid_of(logit_of(&nodes[depth], &f).clamp(-12.0, 12.0))
                } else {
                    errors[depth]
                };
                let rate = 0.128 / width as f64 * 36_000.0 / (3000.0 + visits);
                for (i, f) in f.iter().chain(&[1.0]).enumerate() {
                    let digits = if i < width { finer(width) } else { 0 };
                    let one = 4096.0 * f64::from(1 << digits);
                    let [old, new] = [old, new].map(|node| floats(&node[2 * i..][..2], one)[0]);
                    let off = new - old - rate * error * f;
                    // A unit is what the stochastic rounding may add or leave out.
                    let limit = 1.1 / one + 0.002 * (rate * error * f).abs();
                    assert!(off.abs() < limit, "width {width}, node {node}, {i}: {off}");
                }
            }
        }
        assert!(moved >= 8);
    }
}

/// Of `values`, those above half of their range: how many in a million.
fn high(values: &[i16]) -> usize {
    values.iter().filter(|x| x.unsigned_abs() > 1 << 14).count() * 1_000_000 / values.len()
}

/// Vectors of rows of `size` bytes, of which `tail` are no vector.
fn vectors(rows: &[u8], size: usize, tail: usize) -> Vec<i16> {
    rows.chunks_exact(size).flat_map(|row| i16s(&row[..size - tail])).collect()
}

#[test]
fn text_is_learned_without_saturation() {
    for width in [8, 16, 64] {
        let shape = shape(width, SHAPE.rows);
        let (mut model, bits) = Model::trained(shape, &text(20_000));
        let parts = model.parts();
        let highs = [
            high(&vectors(parts.rows, shape.row(), 4 + shape.check())),
            high(&vectors(parts.byte_rows, shape.byte_row(), 4)),
            high(&vectors(parts.head, shape.node(), 4)),
            parts.ahead.first().map_or(0, |_| high(&vectors(parts.ahead, shape.node(), 4))),
            high(&i16s(&parts.projections[..shape.weights()])),
        ];
        assert!(bits < 3.0, "width {width}: {bits} bits a byte");
        // Half of the range is not reached by one in ten thousand.
        assert!(highs.iter().all(|&high| high <= 100), "width {width}: {highs:?}");
    }
}

#[test]
fn hostile_input_keeps_the_tables_bounded() {
    let mut random = Random(3);
    let random: Vec<u8> = (0..6000).map(|_| random.below(256) as u8).collect();
    let extremes: Vec<u8> = (0..6000).map(|i| if i & 1 == 1 { 255 } else { 0 }).collect();
    let turns: Vec<u8> = (0..6000).map(|i| if (i / 500) & 1 == 1 { 255 } else { 0 }).collect();
    // What can be predicted is, and noise does not throw the model off.
    for (data, most) in [(vec![0; 6000], 0.1), (extremes, 0.1), (turns, 0.3), (random, 10.5)] {
        for width in [8, 64, 128] {
            let shape = shape(width, 64);
            let (mut model, bits) = Model::trained(shape, &data);
            let State { h, f } = model.state();
            let p = model.projections();
            assert!(bits < most, "width {width}: {bits} bits a byte");
            // f has a mean square of 1 at most; the rest is rounding.
            assert!(h.iter().all(|h| h.abs() <= 1.0) && rms(&f) < 1.001, "{} {h:?}", rms(&f));
            // P of -2 is kept out: it would overflow the dot product.
            assert!(p.iter().all(|&p| p > -2.0), "width {width}: {p:?}");
            let parts = model.parts();
            let rows =
                parts.rows.chunks_exact(shape.row()).map(|row| &row[..row.len() - shape.check()]);
            for row in rows.chain(parts.byte_rows.chunks_exact(shape.byte_row())) {
                let (visits, square) = meta(row);
                assert!(visits <= train::MAX_VISITS && square.exponent < 56);
            }
            for square in parts.projections[2 * shape.weights()..].as_chunks::<4>().0 {
                let packed = u32::from_le_bytes(*square);
                assert!(packed & 0xFFFF < 1 << 14 && packed >> 16 < 56);
            }
        }
    }
}

#[test]
fn tables_at_their_limits_stay_within_them() {
    let mut random = Random(9);
    for width in [8, 64, 128] {
        let shape = shape(width, 64);
        let mut model = Model::trained(shape, &text(320)).0;
        let mut extreme = |bytes: &mut [u8], least: i16| {
            for bytes in bytes.as_chunks_mut().0 {
                *bytes = [i16::MAX, least][random.below(2) as usize].to_le_bytes();
            }
        };
        let Parts { head, ahead, trust, projections, byte_rows, rows, .. } = model.parts();
        for trust in trust.as_chunks_mut().0.iter_mut().take(shape.contexts * CLASSES) {
            *trust = (4 * TRUST).to_le_bytes();
        }
        // Visits and mean squares stay.
        for node in head.chunks_exact_mut(shape.node()).chain(ahead.chunks_exact_mut(shape.node()))
        {
            extreme(&mut node[..width * 2], i16::MIN);
        }
        rows.chunks_exact_mut(shape.row()).for_each(|row| extreme(&mut row[..width * 2], i16::MIN));
        for row in byte_rows.chunks_exact_mut(shape.byte_row()) {
            extreme(&mut row[..width * 6], i16::MIN);
        }
        let (weights, columns) = projections.split_at_mut(shape.weights());
        extreme(weights, -32767);
        let mut columns = columns.as_chunks_mut::<2>().0.iter_mut();
        if is_wide(width) {
            for (o, i, k) in (0..4 * width / 2)
                .flat_map(|o| (0..width).flat_map(move |i| [(o, i, 0), (o, i, 1)]))
            {
                let (block, o) = (o / (width / 2), o % (width / 2) * 2 + k);
                let at = block * width * width + (i / 2 * width + o) * 2 + i % 2;
                columns.next().unwrap().copy_from_slice(&weights[at * 2..][..2]);
            }
        } else {
            for j in 0..2 * width {
                let rows = (0..3 * width).filter_map(|o| weights_of(width, o));
                for ((at, from), column) in rows.filter(|&(_, from)| from <= j).zip(&mut columns) {
                    column.copy_from_slice(&weights[(at + j - from) * 2..][..2]);
                }
            }
        }
        for i in 0..1600 {
            let byte = random.below(256) as u8;
            model.start(model.hashes());
            // The head's products are summed up right, and P of -2 is kept
            // out, which would overflow the sums of the projections.
            let exact = logit_of(&model.nodes(byte, false)[0], &model.state().f).clamp(-12.0, 12.0);
            let x = model.logit(1);
            assert!((x - exact).abs() < 0.05, "width {width}, byte {i}: {x} {exact}");
            model.code(byte);
            model.end(byte);
            assert!(rms(&model.state().f) < 1.01, "width {width}, byte {i}");
        }
        assert!(model.projections().iter().all(|&p| p > -2.0), "width {width}");
    }
}
