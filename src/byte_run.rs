//! Byte runs: the byte that followed a context the last time, and how many times
//! in a row it did.
//!
//! Bit histories blur which whole byte came last; a run remembers it, as the run
//! maps of PAQ8 do. It stands in a slot of its own in the line of its context:
//! check, count, byte, second check.

use crate::ngram::SLOT;

/// Runs are not counted beyond this.
const LONGEST: u8 = 15;

/// Bytes of an entry: the probability that the run goes on, less a half, Q15.
pub(crate) const ENTRY: usize = 2;

/// Entries for a context: counts x bits of the byte.
pub(crate) const ENTRIES: usize = (LONGEST as usize + 1) * 8;

/// An entry moves by 2^-7 of the error.
const RATE: u32 = 7;

/// One half, Q15.
const HALF: i32 = 1 << 14;

/// A run that the byte has followed so far.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Of the context.
    index: u8,
    byte: u8,
    /// The entry for the first bit.
    entry: u16,
}

/// The runs of `R` contexts, as far as the byte has followed them.
#[derive(Clone, Debug)]
pub(crate) struct ByteRuns<const R: usize> {
    live: [Run; R],
    len: usize,
}

impl<const R: usize> ByteRuns<R> {
    pub(crate) const NONE: Self = Self { live: [Run { index: 0, byte: 0, entry: 0 }; R], len: 0 };

    /// Forgets all runs, for a new byte.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds what the slot of context `index` tells; `h` found the slot.
    pub(crate) fn push(&mut self, index: usize, h: u32, [_, count, byte, check]: [u8; SLOT]) {
        if count > 0 && check == second_check(h) {
            let entry = index * ENTRIES + usize::from(count.min(LONGEST)) * 8;
            self.live[self.len] = Run { index: index as u8, byte, entry: entry as u16 };
            self.len += 1;
        }
    }

    /// Inputs for the mixer, one a context: Q11 of the probability of a 1 less a
    /// half. Those of runs that are not followed must be 0.
    #[inline]
    pub(crate) fn predict(&self, maps: &[[u8; ENTRY]], bit_index: u32, inputs: &mut [i16]) {
        for run in &self.live[..self.len] {
            let entry = maps[usize::from(run.entry) + bit_index as usize];
            let lean = i16::from_le_bytes(entry) >> 4;
            inputs[usize::from(run.index)] =
                if run.byte >> (7 - bit_index) & 1 == 1 { lean } else { -lean };
        }
    }

    /// Learns which runs went on and drops the others; sets all inputs to 0.
    #[inline]
    pub(crate) fn update(
        &mut self,
        maps: &mut [[u8; ENTRY]],
        bit_index: u32,
        bit: bool,
        inputs: &mut [i16],
    ) {
        let mut len = 0;
        for i in 0..self.len {
            let run = self.live[i];
            let right = run.byte >> (7 - bit_index) & 1 == u8::from(bit);
            let entry = &mut maps[usize::from(run.entry) + bit_index as usize];
            let lean = i32::from(i16::from_le_bytes(*entry));
            let target = if right { HALF } else { -HALF };
            *entry = ((lean + ((target - lean) >> RATE)) as i16).to_le_bytes();
            inputs[usize::from(run.index)] = 0;
            self.live[len] = run;
            len += usize::from(right);
        }
        self.len = len;
    }
}

/// Eight bits of the hash that the slot's check has not.
fn second_check(h: u32) -> u8 {
    (h >> 12) as u8
}

/// The slot that `h` found, once `byte` has followed the context.
pub(crate) fn follow(slot: &mut [u8; SLOT], h: u32, byte: u8) {
    let known = slot[1] > 0 && slot[3] == second_check(h);
    let count = if known && slot[2] == byte { (slot[1] + 1).min(LONGEST) } else { 1 };
    *slot = [slot[0], count, byte, second_check(h)];
}

/// Sets the maps to trust a long run more.
#[inline(never)]
pub(crate) fn reset(maps: &mut [[u8; ENTRY]]) {
    for (i, entry) in maps.iter_mut().enumerate() {
        let count = (i % ENTRIES / 8) as i32;
        *entry = ((HALF - HALF / (count + 1)) as i16).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn a_run_is_counted_until_another_byte_comes() {
        let h = 0x1234_5678;
        let mut slot = [0x12, 0, 0, 0];
        for (byte, count) in [(7, 1), (7, 2), (7, 3), (8, 1), (8, 2), (7, 1)] {
            follow(&mut slot, h, byte);
            assert_eq!(slot, [0x12, count, byte, 0x45]);
        }
        (0..300).for_each(|_| follow(&mut slot, h, 7));
        assert_eq!(slot[1], LONGEST);
        // The slot of another context with the same check.
        follow(&mut slot, h ^ 0xF000, 7);
        assert_eq!(slot, [0x12, 1, 7, 0x4A]);
    }

    #[test]
    fn what_is_followed_predicts_and_the_rest_is_silent() {
        let mut maps = vec![[0; ENTRY]; 2 * ENTRIES];
        reset(&mut maps);
        let mut runs = ByteRuns::<2>::NONE;
        let mut inputs = [0; 2];
        runs.push(0, 0, [0, 3, 0b1100_0000, 0]);
        runs.push(1, 0, [0, 9, 0b1010_0000, 0]);
        runs.predict(&maps, 0, &mut inputs);
        assert!(inputs[1] > inputs[0] && inputs[0] > 0);
        runs.update(&mut maps, 0, true, &mut inputs);
        runs.predict(&maps, 1, &mut inputs);
        assert!(inputs[0] > 0 && inputs[1] < 0);
        let before = inputs[1];
        runs.update(&mut maps, 1, true, &mut inputs);
        runs.predict(&maps, 2, &mut inputs);
        assert!(inputs[0] < 0 && inputs[1] == 0);
        // It has learned that the second fails at its second bit.
        runs.clear();
        runs.push(1, 0, [0, 9, 0b1010_0000, 0]);
        runs.predict(&maps, 1, &mut inputs);
        assert!(inputs[1] > before && inputs[1] < 0);
        // Not with another second check, nor without a run.
        runs.clear();
        runs.push(0, 0, [0, 9, 0, 1]);
        runs.push(1, 0, [0, 0, 0, 0]);
        assert_eq!(runs.len, 0);
    }
}
