//! The match model: predicts the byte that followed the longest repeat in the
//! history buffer.
//!
//! A hash of the last few bytes finds a candidate, which is verified against
//! the history, so its length is a true one. A pointer that mispredicts is
//! kept: records differ in one field and go on alike.

use crate::logistic::stretch;
use crate::ngram::map;

/// Bytes of a match model with a table of 2^`log2` positions in a history of
/// 2^`history` bytes. Positions in a short history take 16 bits.
pub(crate) const fn bytes(log2: u32, history: u32) -> usize {
    ((if history <= 16 { 2 } else { 4 }) << log2) + maps(history) * map::ENTRY
}

/// Length buckets x recent misses x whether it is the first bit.
const fn maps(history: u32) -> usize {
    16 * (if history <= 12 { 4 } else { 8 }) * 2
}

/// The table of positions and the maps of a match model.
pub(crate) fn tables(history: u32, bytes: &mut [u8]) -> (&mut [u8], &mut [[u8; map::ENTRY]]) {
    let (positions, maps) = bytes.split_at_mut(bytes.len() - maps(history) * map::ENTRY);
    (positions, maps.as_chunks_mut().0)
}

/// Lengths are not counted beyond this.
const LONGEST: u32 = 400;

/// What a match model knows between bytes. Positions count all bytes so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    /// Position of the expected byte, or 0.
    at: u32,
    /// Verified length; 0 after a miss.
    len: u32,
    /// One bit for each of the last bytes, 1 for a miss.
    misses: u32,
    /// The expected byte with a leading 1, or 0 for none.
    expected: u32,
    /// Length bucket and recent misses, in sixteenths and halves.
    context: u32,
    /// The byte after the expected one, or 0 for none.
    after: u8,
}

/// How long a repeat must be to be followed.
#[derive(Clone, Copy)]
pub(crate) struct Finder {
    /// Bytes hashed, and the shortest repeat followed where there is none.
    pub(crate) min: u32,
    /// The shortest that replaces a settled one: a long one keeps to the record that
    /// the present one resembles.
    pub(crate) settled: u32,
    /// Misses among the last eight bytes from which on a repeat is no longer settled.
    pub(crate) unsettled: u32,
    /// Misses among the last 32 bytes beyond which a repeat is dropped.
    pub(crate) patience: u32,
}

impl Finder {
    /// Follows the latest repeat of `min` bytes, for as long as it goes well.
    pub(crate) const fn latest(min: u32) -> Self {
        Self { min, settled: min, unsettled: 4, patience: 8 }
    }

    /// Keeps to a repeat that goes well, until one of 16 bytes is found.
    pub(crate) const fn keeping(min: u32) -> Self {
        Self { min, settled: 16, unsettled: 4, patience: 32 }
    }
}

/// Coarse logarithm of a length.
fn bucket(len: u32) -> u32 {
    match len {
        0..=7 => len,
        8..=15 => 8 + (len - 8) / 4,
        16..=31 => 10 + (len - 16) / 8,
        32..=63 => 12,
        64..=127 => 13,
        128..=255 => 14,
        _ => 15,
    }
}

impl Match {
    pub(crate) const NONE: Self =
        Self { at: 0, len: 0, misses: 0, expected: 0, context: 0, after: 0 };

    /// Passes what is known between two bytes through `carry`.
    #[inline(never)]
    pub(crate) fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        self.at = carry(self.at);
        self.len = carry(self.len).min(LONGEST);
        self.misses = carry(self.misses);
        self.expected = carry(self.expected) & 511;
        self.context = carry(self.context) & 254;
        self.after = carry(self.after.into()) as u8;
    }

    /// Moves on by a whole byte. `history` is the ring, `pos` the number of
    /// bytes in it so far, `hash` that of its last `min` bytes.
    pub(crate) fn next_byte(
        &mut self,
        table: &mut [u8],
        history: &[u8],
        pos: u32,
        hash: u32,
        finder: Finder,
    ) {
        let min = finder.min;
        let mask = history.len() - 1;
        if self.expected != 0 {
            let hit =
                self.expected == 256 | u32::from(history[pos.wrapping_sub(1) as usize & mask]);
            self.misses = self.misses << 1 | u32::from(!hit);
            self.at = self.at.wrapping_add(1);
            self.len = if hit { (self.len + 1).min(LONGEST) } else { 0 };
            if self.misses.count_ones() > finder.patience {
                self.at = 0;
            }
            if self.at == 0 {
                self.len = 0; // lost, or wrapped around after 4 GiB
            }
        }
        let found = swap(table, history.len(), hash, pos);
        if self.at == 0 || self.len < min {
            let len = common(history, found, pos);
            let settled = self.at != 0 && self.recent_misses() < finder.unsettled;
            let need = if settled { finder.settled } else { min };
            if len >= need && len > self.len {
                (self.at, self.len, self.misses) = (found, len, 0);
            }
        }
        let old = pos.wrapping_sub(self.at) as usize > mask;
        (self.expected, self.after) = if self.at == 0 || old {
            (0, 0)
        } else {
            let next = self.at.wrapping_add(1);
            let after = if next == pos { 0 } else { history[next as usize & mask] };
            (256 | u32::from(history[self.at as usize & mask]), after)
        };
        self.context = (bucket(self.len) * 8 + self.recent_misses().min(7)) * 2;
    }

    /// Misses among the last eight bytes.
    fn recent_misses(&self) -> u32 {
        (self.misses & 0xFF).count_ones()
    }

    /// Whether it has an expectation for the byte begun by `partial` (with a
    /// leading 1) of `bit_index` bits, and which bit.
    #[inline]
    pub(crate) fn expected_bit(&self, partial: u32, bit_index: u32) -> Option<bool> {
        let agrees = self.expected >> (8 - bit_index) == partial;
        agrees.then_some(self.expected >> (7 - bit_index) & 1 == 1)
    }

    /// The position of the expected byte, if any.
    pub(crate) fn at(&self) -> Option<u32> {
        (self.expected != 0).then_some(self.at)
    }

    /// The expected byte, if any.
    pub(crate) fn expected_byte(&self) -> Option<u8> {
        (self.expected != 0).then_some(self.expected as u8)
    }

    /// The byte after the expected one, or 0.
    pub(crate) fn after(&self) -> u8 {
        self.after
    }

    /// Whether the last four bytes were missed, and how often the four before,
    /// up to 3: 0..64.
    pub(crate) fn past(&self) -> u32 {
        (self.misses & 15) * 4 + (self.misses >> 4 & 15).count_ones().min(3)
    }

    /// Coarse logarithm of the length, 0..16.
    pub(crate) fn length_bucket(&self) -> u32 {
        self.context / 16
    }

    /// The entry of `maps` maps for the bit of this number. Few maps tell fewer
    /// misses apart.
    #[inline]
    fn entry(&self, maps: usize, bit_index: u32) -> usize {
        let classes = maps / 32;
        let (bucket, misses) = (self.context as usize / 16, self.context as usize / 2 % 8);
        (bucket * classes + misses.min(classes - 1)) * 2 + usize::from(bit_index == 0)
    }

    /// Inputs for the mixer.
    pub(crate) fn predict(
        &self,
        maps: &[[u8; map::ENTRY]],
        partial: u32,
        bit_index: u32,
    ) -> [i16; 2] {
        let Some(bit) = self.expected_bit(partial, bit_index) else {
            return [0, 0];
        };
        let p = map::p(maps[self.entry(maps.len(), bit_index)]);
        let (st, lean) = (stretch(p), ((i32::from(p) - 32768) >> 5) as i16);
        if bit { [st, lean] } else { [-st, -lean] }
    }

    /// Learns whether the expectation came true. Called with the partial byte
    /// before `bit`.
    pub(crate) fn update(
        &self,
        maps: &mut [[u8; map::ENTRY]],
        partial: u32,
        bit_index: u32,
        bit: bool,
    ) {
        if let Some(expected) = self.expected_bit(partial, bit_index) {
            let entry = self.entry(maps.len(), bit_index);
            map::update(&mut maps[entry], expected == bit, 255);
        }
    }
}

/// Sets the maps to a mild trust in the match.
#[inline(never)]
pub(crate) fn reset(maps: &mut [[u8; map::ENTRY]]) {
    let each = maps.len() / 16;
    for (context, entry) in maps.iter_mut().enumerate() {
        let len = (context / each) as u32;
        // A match errs about once in three times its bucket.
        let p = 65535 - 65536 / (len * 3 + 3);
        *entry = (p << 16).to_le_bytes();
    }
}

/// Puts `pos` in the place for `hash` and returns what was there.
fn swap(table: &mut [u8], history: usize, hash: u32, pos: u32) -> u32 {
    let place = |entries: usize| ((u64::from(hash) * entries as u64) >> 32) as usize;
    if history <= 1 << 16 {
        let (table, _) = table.as_chunks_mut::<2>();
        let entry = &mut table[place(table.len())];
        let distance = (pos as u16).wrapping_sub(u16::from_le_bytes(*entry));
        *entry = (pos as u16).to_le_bytes();
        pos.wrapping_sub(u32::from(distance))
    } else {
        let (table, _) = table.as_chunks_mut::<4>();
        let entry = &mut table[place(table.len())];
        let found = u32::from_le_bytes(*entry);
        *entry = pos.to_le_bytes();
        found
    }
}

/// How many bytes before `a` and before `b` are the same, up to [`LONGEST`].
fn common(history: &[u8], a: u32, b: u32) -> u32 {
    let mask = history.len() - 1;
    let distance = b.wrapping_sub(a);
    if a == 0 || distance == 0 || distance as usize > mask {
        return 0;
    }
    let room = (history.len() as u32 - distance).min(a).min(LONGEST);
    let mut len = 0;
    while len < room
        && history[a.wrapping_sub(1 + len) as usize & mask]
            == history[b.wrapping_sub(1 + len) as usize & mask]
    {
        len += 1;
    }
    len
}
