//! The n-gram half: sparse hashed contexts -> bit histories -> adaptive
//! probabilities.
//!
//! One table of slots serves all contexts. A slot holds the bit histories of
//! one context for a few bits of a byte: byte 0 is the check, byte `node` the
//! history of the binary-tree node whose path so far is `node` (with a
//! leading 1). Slots of 16 bytes cover a nibble, slots of 4 two bits.
//!
//! The table is sparse: a slot is claimed when its context first occurs, and
//! a slot that has seen little gives way first. Slots probed for one hash
//! share an aligned line of 64 bytes.

use crate::bit_history::{NEXT, prior};

/// Bytes of a line of slots.
pub(crate) const LINE: usize = 64;

/// Multiplier of Fibonacci hashing, 2^32 / golden ratio.
const PHI: u32 = 0x9E37_79B1;

/// Mixes `value` into `hash`.
#[inline]
pub(crate) const fn hash(hash: u32, value: u32) -> u32 {
    let h = (hash ^ value).wrapping_mul(PHI);
    h ^ (h >> 15)
}

/// The offset of the slot for `hash` in `table`; `bits` is the log2 of the
/// slot size. A slot of another context may be cleared for it.
#[inline]
pub(crate) fn find_slot(table: &mut [u8], bits: u32, hash: u32) -> u32 {
    let lines = (table.len() / LINE) as u64;
    let hash = hash.wrapping_mul(PHI);
    let line = ((u64::from(hash) * lines) >> 32) as usize * LINE;
    let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
    let check = (mixed >> 24) as u8;
    let first = (mixed >> 8) as usize & ((LINE >> bits) - 1);
    let line_slots = &mut table[line..line + LINE];

    let mut worst = first << bits;
    let mut worst_state = u8::MAX;
    for probe in [0, 1, 2] {
        let slot = (first ^ probe) << bits;
        if line_slots[slot] == check {
            return (line + slot) as u32;
        }
        // States are numbered by evidence.
        let state = line_slots[slot + 1];
        if state < worst_state {
            (worst, worst_state) = (slot, state);
        }
    }
    line_slots[worst..worst + (1 << bits)].fill(0);
    line_slots[worst] = check;
    (line + worst) as u32
}

/// The history after `bit`.
#[inline]
pub(crate) fn next_state(state: u8, bit: bool) -> u8 {
    NEXT[usize::from(state)][usize::from(bit)]
}

/// Adaptive probabilities, one for each bit history: 22 bits of probability
/// above a 10-bit count of how often it was met.
pub(crate) mod map {
    use super::prior;

    /// Bytes an entry takes.
    pub(crate) const ENTRY: usize = 4;

    /// 1 / (n + 1.6) in Q16: close to averaging at first, never slower than
    /// the limit of the table.
    const RATE: [u16; 256] = {
        let mut rate = [0; 256];
        let mut n = 0;
        while n < 256 {
            rate[n] = (655_360 / (n as u32 * 10 + 16)) as u16;
            n += 1;
        }
        rate
    };

    /// Sets each entry to what its counts suggest.
    pub(crate) fn reset(map: &mut [[u8; ENTRY]]) {
        for (state, entry) in map.iter_mut().enumerate() {
            *entry = (u32::from(prior(state % 256)) << 16).to_le_bytes();
        }
    }

    /// Probability of a 1, Q16.
    #[inline]
    pub(crate) fn p(entry: [u8; ENTRY]) -> u16 {
        (u32::from_le_bytes(entry) >> 16) as u16
    }

    /// Moves the entry towards `bit`; `limit` bounds the count.
    #[inline]
    pub(crate) fn update(entry: &mut [u8; ENTRY], bit: bool, limit: u32) {
        let e = u32::from_le_bytes(*entry);
        let (p, n) = (e >> 10, e & 1023);
        let target = if bit { (1 << 22) - 1 } else { 0 };
        let step = (i64::from(target - p as i32) * i64::from(RATE[n as usize])) >> 16;
        let p = (p as i32 + step as i32) as u32;
        let n = if n < limit { n + 1 } else { n };
        *entry = ((p << 10) | n).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn a_slot_is_found_again() {
        let mut table = vec![0u8; 1 << 16];
        for bits in [2, 4] {
            table.fill(0);
            let mut found = 0;
            for h in 0..1000u32 {
                let slot = find_slot(&mut table, bits, hash(h, 77)) as usize;
                table[slot + 1] = 9;
                assert_eq!(find_slot(&mut table, bits, hash(h, 77)), slot as u32);
            }
            for h in 0..1000u32 {
                let slot = find_slot(&mut table, bits, hash(h, 77)) as usize;
                found += u32::from(table[slot + 1] == 9);
            }
            assert!(found > 980, "{found} of 1000 survive in a sparse table");
        }
    }

    #[test]
    fn the_least_seen_slot_gives_way() {
        let mut table = vec![0u8; LINE];
        let keep = find_slot(&mut table, 4, 1) as usize;
        table[keep + 1] = 200;
        for h in 2..500 {
            let slot = find_slot(&mut table, 4, hash(h, h)) as usize;
            table[slot + 1] = table[slot + 1].max(3);
        }
        assert_eq!(table[keep + 1], 200);
    }

    #[test]
    fn a_map_entry_follows_its_bits() {
        let mut entry = [[0; 4]; 256];
        map::reset(&mut entry);
        let entry = &mut entry[0];
        assert_eq!(map::p(*entry), 32768);
        for _ in 0..2000 {
            map::update(entry, true, 255);
        }
        assert!(map::p(*entry) > 65400);
        for _ in 0..20_000 {
            map::update(entry, false, 255);
        }
        assert!(map::p(*entry) < 70);
    }
}
