//! The n-gram half: sparse hashed contexts -> bit histories -> adaptive
//! probabilities.
//!
//! One table of slots serves all contexts. A slot of four bytes holds the bit
//! histories of one context for two bits of a byte: byte 0 is the check, byte
//! `node` the history of the binary-tree node whose path so far is `node`
//! (with a leading 1). Short slots waste little: a context that goes on in one
//! way fills two of three histories.
//!
//! The table is sparse: a slot is claimed when its context first occurs, and
//! the slot that has seen least gives way. All slots of a context for one
//! nibble share a line of 64 bytes, so a byte costs two cache misses a context.

use crate::bit_history::{NEXT, prior};

/// Bytes of a line of slots.
pub(crate) const LINE: usize = 64;

/// Multiplier of Fibonacci hashing, 2^32 / golden ratio.
pub(crate) const PHI: u32 = 0x9E37_79B1;

/// Mixes `value` into `hash`.
#[inline]
pub(crate) const fn hash(hash: u32, value: u32) -> u32 {
    let h = (hash ^ value).wrapping_mul(PHI);
    h ^ (h >> 15)
}

/// Bytes of a slot.
pub(crate) const SLOT: usize = 4;

/// The offset of the line for `hash` in a table of `lines` lines.
#[inline]
pub(crate) fn line_of(lines: usize, hash: u32) -> u32 {
    let line = (u64::from(hash) * lines as u64) >> 32;
    line as u32 * LINE as u32
}

/// The check of the slot for `hash`, and the first place of its line to look at.
#[inline]
fn check_and_first(hash: u32) -> (u8, usize) {
    ((hash >> 24) as u8, (hash >> 20) as usize & (LINE / SLOT - 1))
}

/// The offset, within its line, of the slot for `hash`, and its contents. A
/// slot of another context may be cleared for it.
#[inline]
pub(crate) fn find_slot(line: &mut [u8; LINE], hash: u32) -> (u32, [u8; SLOT]) {
    let (slots, _) = line.as_chunks_mut::<SLOT>();
    let (check, first) = check_and_first(hash);
    let mut worst = first;
    let mut worst_state = u8::MAX;
    for probe in [0, 1, 2] {
        let slot = first ^ probe;
        let history = slots[slot];
        if history[0] == check {
            return ((slot * SLOT) as u32, history);
        }
        // States are numbered by evidence.
        if history[1] < worst_state {
            (worst, worst_state) = (slot, history[1]);
        }
    }
    slots[worst] = [check, 0, 0, 0];
    ((worst * SLOT) as u32, slots[worst])
}

/// The contents of the slot that [`find_slot`] would find, or zeros.
#[inline]
pub(crate) fn peek_slot(line: &[u8; LINE], hash: u32) -> [u8; SLOT] {
    let (slots, _) = line.as_chunks::<SLOT>();
    let (check, first) = check_and_first(hash);
    let mut probes = [0, 1, 2].iter().map(|probe| slots[first ^ probe]);
    probes.find(|slot| slot[0] == check).unwrap_or_default()
}

/// The hash by which a slot of `context` is found in its line: that for the bits
/// of the byte in `partial`, or, with 0, that of its byte run.
#[inline]
pub(crate) fn slot_hash(context: u32, partial: u32) -> u32 {
    hash(context, partial).wrapping_mul(0x2C1B_3C6D)
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

    /// 1 / (n + 1.6) in Q31: close to averaging at first, never slower than
    /// the limit of the table.
    const RATE: [i32; 512] = {
        let mut rate = [0; 512];
        let mut n = 0;
        while n < 512 {
            rate[n] = (655_360 / (n as i32 * 10 + 16)) << 15;
            n += 1;
        }
        rate
    };

    /// Sets each entry to what its counts suggest.
    #[inline(never)]
    pub(crate) fn reset(map: &mut [[u8; ENTRY]]) {
        for (state, entry) in map.iter_mut().enumerate() {
            *entry = (u32::from(prior(state % 256)) << 16).to_le_bytes();
        }
    }

    /// Makes all entries learn quickly again: as after 30 bits at most.
    pub(crate) fn settle(map: &mut [[u8; ENTRY]]) {
        for entry in map {
            let e = u32::from_le_bytes(*entry);
            *entry = (e & !511 | (e & 511).min(30)).to_le_bytes();
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
        let (p, n) = (e >> 10, e & 511);
        let target = if bit { (1 << 22) - 1 } else { 0 };
        // The upper word of the product: an instruction of its own where there is one.
        let step = (i64::from((target - p as i32) * 2) * i64::from(RATE[n as usize])) >> 32;
        *entry = (e.wrapping_add((step as u32) << 10) + u32::from(n < limit)).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_found_again() {
        let mut line = [0; LINE];
        for h in 0..8u32 {
            let slot = find_slot(&mut line, hash(h, 77)).0 as usize;
            line[slot + 1] = 9;
            assert_eq!(find_slot(&mut line, hash(h, 77)).0, slot as u32);
            assert_eq!(line[slot + 1], 9);
        }
    }

    #[test]
    fn lines_are_spread_over_any_table() {
        for lines in [1, 3, 1000, 33_554_431] {
            for h in (0..1000).map(|h| hash(h, 1)).chain([0, u32::MAX]) {
                let line = line_of(lines, h) as usize;
                assert!(line.is_multiple_of(LINE) && line / LINE < lines);
            }
        }
    }

    #[test]
    fn the_least_seen_slot_gives_way() {
        let mut line = [0; LINE];
        let keep = find_slot(&mut line, 1).0 as usize;
        line[keep + 1] = 200;
        for h in 2..500 {
            let slot = find_slot(&mut line, hash(h, h)).0 as usize;
            line[slot + 1] = line[slot + 1].max(3);
        }
        assert_eq!(line[keep + 1], 200);
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
