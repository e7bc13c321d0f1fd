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
        ssm.pick(shape, last as u8, &hashes, &mut memory);
        ssm.start_byte(shape, &mut memory);
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
    for u in -32768..=32767i16 {
        let knot = f64::from((i32::from(u) + 16).min(32767) >> 5) / 128.0;
        let exact = 32768.0 / (1.0 + libm::exp(-knot));
        assert!((f64::from(sigmoid(u)) - exact).abs() <= 0.51, "{u}");
    }
    assert_eq!(sigmoid(0), HALF);
    assert_eq!((sigmoid(i16::MIN), sigmoid(i16::MAX)), (11, 32757));
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
        ssm.pick(&SHAPE, last as u8, &hashes, &mut memory);
        ssm.start_byte(&SHAPE, &mut memory);
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
            let mut copy = memory.clone();
            ssm.pick(&SHAPE, last, &hashes, &mut copy);
            ssm.start_byte(&SHAPE, &mut copy);
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
