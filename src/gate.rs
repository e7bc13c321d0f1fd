//! The gate: a mixer over the weight sets whose own weights follow the features
//! of the state space model; one more input of the final mixer.
//!
//! `x = sum over inputs of (w_j + V_j . f) s_j`, where the inputs `s` are what
//! the weight sets and the state space model say, stretched, and `f` are its
//! features. `w` learns after each bit like every row of weights, `V` after
//! each byte by the sum of its gradients.

use crate::mixer::{self, row_bytes};
use crate::plan::GATE_INPUTS;
use crate::ssm::is_wide;
use crate::ssm::numbers::{dot, move_row, read};

/// 0.0024 in Q20, and 0.0017 for wide models. Their steps would be lost in rounding to the
/// nearest, so theirs is stochastic.
const RATE: i64 = 2500;
const RATE_WIDE: i64 = 1800;

/// Bytes of the gate for features of `width`: the row `w`, then `V`, Q15.
pub(crate) const fn bytes(width: usize) -> usize {
    row_bytes(GATE_INPUTS) + GATE_INPUTS * width * 2
}

/// Makes it learn quickly again; see [`mixer::settle`].
pub(crate) fn settle(memory: &mut [u8]) {
    mixer::settle(&mut memory[..row_bytes(GATE_INPUTS)], GATE_INPUTS);
}

/// What the gate knows beside its tables.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    inputs: [i16; GATE_INPUTS],
    /// What the features make of the weights in this byte, Q14.
    added: [i16; GATE_INPUTS],
    /// Sum of error times input in this byte, Q22.
    sums: [i32; GATE_INPUTS],
    /// Probability given last, Q16.
    p: u32,
}

impl Gate {
    pub(crate) const NONE: Self =
        Self { inputs: [0; GATE_INPUTS], added: [0; GATE_INPUTS], sums: [0; GATE_INPUTS], p: 0 };

    /// A fresh gate in zeroed `memory`, with its first weights, Q14.
    pub(crate) fn new(memory: &mut [u8], first: &[i16; GATE_INPUTS]) -> Self {
        let (row, _) = memory.split_at_mut(row_bytes(GATE_INPUTS));
        mixer::reset(row, first);
        Self { p: 32768, ..Self::NONE }
    }

    /// Sets the weights for a byte with features `f`; `used` inputs come.
    pub(crate) fn start_byte<const E: usize>(&mut self, memory: &[u8], f: &[i16; E], used: usize) {
        let rows = memory[row_bytes(GATE_INPUTS)..].chunks_exact(E * 2);
        for (added, row) in self.added[..used].iter_mut().zip(rows) {
            *added = (dot(&read::<E>(row), f, 0) >> 11).clamp(-32767, 32767) as i16;
        }
    }

    /// Stretch (Q12) that the gate gives for the inputs.
    pub(crate) fn mix(&mut self, memory: &[u8], inputs: [i16; GATE_INPUTS], used: usize) -> i32 {
        self.inputs = inputs;
        let sum = mixer::dot(&memory[..GATE_INPUTS * 2], &inputs, used);
        let added = self.added[..used].iter().zip(inputs);
        let added = added.map(|(&a, s)| (i32::from(a) * i32::from(s)) >> 4);
        let (x, p) = mixer::clip(sum + (added.sum::<i32>() >> 6));
        self.p = p;
        x
    }

    /// Learns a bit; `target` is 0 or 2^16.
    pub(crate) fn learn(&mut self, memory: &mut [u8], target: i32, used: usize) {
        let error = target - self.p as i32;
        mixer::learn(&mut memory[..row_bytes(GATE_INPUTS)], &self.inputs, used, error);
        for (sum, s) in self.sums[..used].iter_mut().zip(self.inputs) {
            *sum += (error >> 2) * i32::from(s);
        }
    }

    /// Learns from the byte whose features were `f`; `noise` is for the rounding.
    pub(crate) fn end_byte<const E: usize>(
        &mut self,
        memory: &mut [u8],
        f: &[i16; E],
        used: usize,
        noise: &mut u32,
    ) {
        let rate = if is_wide(E) { RATE_WIDE } else { RATE } / E as i64;
        let rows = memory[row_bytes(GATE_INPUTS)..].chunks_exact_mut(E * 2);
        for (sum, row) in self.sums[..used].iter_mut().zip(rows) {
            let step = ((i64::from(*sum) * rate) >> 21).clamp(-32767, 32767); // Q21
            if is_wide(E) {
                move_row(row, f, step as i16, noise);
            } else {
                mixer::train(row, f, E, step as i16);
            }
            *sum = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssm::WIDE;
    use std::vec;
    use std::vec::Vec;

    const WIDTH: usize = 16;

    fn fresh() -> (Gate, Vec<u8>) {
        let mut memory = vec![0; bytes(WIDTH)];
        let gate = Gate::new(&mut memory, &core::array::from_fn(|i| if i < 2 { 8192 } else { 0 }));
        (gate, memory)
    }

    /// Features of a mean square of one, the first with the given sign.
    fn features(negative: bool) -> [i16; WIDTH] {
        let f = |i| if i == 0 && negative { -1024 } else { 1024 * (1 - 2 * (i as i16 % 2)) };
        core::array::from_fn(f)
    }

    /// Predictions of two mixers that contradict each other.
    fn inputs(bit: bool) -> [i16; GATE_INPUTS] {
        let mut inputs = [0; GATE_INPUTS];
        (inputs[0], inputs[1]) = if bit { (512, -512) } else { (-512, 512) };
        inputs
    }

    #[test]
    fn weights_follow_the_features() {
        let (mut gate, mut memory) = fresh();
        let mut seed = 1u32;
        let mut right = 0;
        for i in 0..4000 {
            // The sign of the first feature tells which of the two is right.
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let negative = seed >> 31 == 1;
            let f = features(negative);
            gate.start_byte(&memory, &f, GATE_INPUTS);
            for bit in 0..8 {
                let bit = seed >> (bit + 8) & 1 == 1;
                let x = gate.mix(&memory, inputs(bit ^ negative), GATE_INPUTS);
                right += u32::from(i >= 2000 && (x > 0) == bit);
                gate.learn(&mut memory, if bit { 65536 } else { 0 }, GATE_INPUTS);
            }
            gate.end_byte(&mut memory, &f, GATE_INPUTS, &mut 0);
        }
        assert!(right > 15_900, "{right} of 16000");
    }

    #[test]
    fn the_sum_is_that_of_the_equation() {
        let (mut gate, mut memory) = fresh();
        let (row, v) = memory.split_at_mut(row_bytes(GATE_INPUTS));
        let mut exact = 0.0;
        let f = features(true);
        let s: [i16; GATE_INPUTS] = core::array::from_fn(|j| (j as i16 - 7) * 40);
        for j in 0..GATE_INPUTS {
            let w = j as i16 * 300 - 1000;
            row[j * 2..][..2].copy_from_slice(&w.to_le_bytes());
            let mut by_features = 0.0;
            for i in 0..WIDTH {
                let x = (i as i16 - 7) * 18 * (j as i16 - 5);
                v[(j * WIDTH + i) * 2..][..2].copy_from_slice(&x.to_le_bytes());
                by_features += f64::from(x) / f64::from(1 << 15) * f64::from(f[i]) / 1024.0;
            }
            exact += (f64::from(w) / 16384.0 + by_features) * f64::from(s[j]) / 256.0;
        }
        gate.start_byte(&memory, &f, GATE_INPUTS);
        let x = f64::from(gate.mix(&memory, s, GATE_INPUTS)) / 4096.0;
        assert!((x - exact).abs() < 0.01, "{x} {exact}");
    }

    #[test]
    fn steps_below_a_unit_add_up_in_wide_models() {
        let mut memory = vec![0; bytes(WIDE)];
        let mut gate = Gate::new(&mut memory, &[0; GATE_INPUTS]);
        let f: [i16; WIDE] = core::array::from_fn(|i| 1024 * (1 - 2 * (i as i16 % 2)));
        let mut noise = 1;
        for _ in 0..4000 {
            // A step of 8: an eighth of a unit of V.
            gate.sums[0] = (8 << 21) / (RATE_WIDE as i32 / WIDE as i32) + 1;
            gate.end_byte(&mut memory, &f, GATE_INPUTS, &mut noise);
        }
        let row = &memory[row_bytes(GATE_INPUTS)..][..WIDE * 2];
        for (v, f) in read::<WIDE>(row).iter().zip(f) {
            let expected = 4000.0 * f64::from(f) / 8192.0;
            assert!((f64::from(*v) - expected).abs() < 60.0, "{v} for {expected}");
        }
    }

    #[test]
    fn hostile_input_keeps_the_weights_bounded() {
        let (mut gate, mut memory) = fresh();
        let f = [4096; WIDTH];
        for i in 0..3000 {
            gate.start_byte(&memory, &f, GATE_INPUTS);
            for bit in 0..8 {
                // Always wrong, and as sure of it as can be.
                let x = gate.mix(
                    &memory,
                    [if (bit + i) % 3 == 0 { 3071 } else { -3071 }; 16],
                    GATE_INPUTS,
                );
                gate.learn(&mut memory, if x > 0 { 0 } else { 65536 }, GATE_INPUTS);
            }
            gate.end_byte(&mut memory, &f, GATE_INPUTS, &mut 0);
        }
        // What the features add never wraps.
        assert!(gate.added.iter().all(|&added| added > i16::MIN));
    }
}
