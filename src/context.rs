//! Contexts: what is remembered of the bytes so far, and the hashes made of
//! it for the n-gram tables and the rows of the state space model.

use crate::matching::Match;
use crate::ngram::hash;
use crate::plan::Context;

/// Bytes of the side tables: for each byte value the four bytes that followed
/// it last, then where it last stood and how far before that.
pub(crate) const SIDE: usize = FOLLOWED + 256 * 8;
const FOLLOWED: usize = 256 * 4;

/// Longest record that is looked for, in bytes.
const LONGEST_RECORD: u32 = 1 << 14;
/// Sightings that a new record length starts with; a rival takes two away.
const FIRST_VOTES: u32 = 16;
const MOST_VOTES: u32 = 255;
/// Lines longer than this are taken for binary data.
const LONGEST_LINE: u32 = 1000;

/// What the predictor remembers of the bytes, beside the tables. Positions
/// count all bytes so far, modulo 2^32.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    /// The current byte's bits with a leading 1.
    pub(crate) partial: u32,
    /// Bits of the current byte known, 0..8.
    pub(crate) bit_index: u32,
    /// The last eight bytes, the newest lowest.
    pub(crate) bytes: u64,
    /// Number of whole bytes.
    pub(crate) pos: u32,
    /// Hashes of the current word and of the two before it.
    words: [u32; 3],
    /// The last three bytes that belong to no word.
    separators: u32,
    /// The record length, its sightings, and another that was sighted.
    record: u32,
    votes: u32,
    rival: u32,
    /// Where the current line begins, and the one before it.
    line: u32,
    line_before: u32,
    /// The byte above the next one, and the one above that (in a line: the
    /// one after it).
    above: u32,
    above_above: u32,
    /// Where in its record or line the next byte stands.
    pub(crate) column: u32,
}

impl Recent {
    pub(crate) const fn new() -> Self {
        Self {
            partial: 1,
            bit_index: 0,
            bytes: 0,
            pos: 0,
            words: [0; 3],
            separators: 0,
            record: 0,
            votes: 0,
            rival: 0,
            line: 0,
            line_before: 0,
            above: 0,
            above_above: 0,
            column: 0,
        }
    }

    /// Puts a whole byte into the history. `side` is of [`SIDE`] bytes, or
    /// empty where the level has none.
    pub(crate) fn push(&mut self, byte: u8, history: &mut [u8], side: &mut [u8]) {
        let mask = history.len() - 1;
        history[self.pos as usize & mask] = byte;
        self.pos = self.pos.wrapping_add(1);
        let last = self.bytes as u8;
        self.bytes = self.bytes << 8 | u64::from(byte);
        self.partial = 1;
        self.bit_index = 0;

        // Bytes above 127 are taken for letters of UTF-8.
        let lower = byte.to_ascii_lowercase();
        if lower.is_ascii_lowercase() || byte >= 128 {
            self.words[0] = hash(self.words[0], u32::from(lower) + 1);
        } else {
            if self.words[0] != 0 {
                self.words = [0, self.words[0], self.words[1]];
            }
            self.separators = (self.separators << 8 | u32::from(byte)) & 0x00FF_FFFF;
        }

        if !side.is_empty() {
            let (followed, stood) = side.split_at_mut(FOLLOWED);
            let entry = &mut followed.as_chunks_mut::<4>().0[usize::from(last)];
            *entry = (u32::from_le_bytes(*entry) << 8 | u32::from(byte)).to_le_bytes();
            self.find_record(&mut stood.as_chunks_mut::<8>().0[usize::from(byte)]);
            self.look_above(byte, history);
        }
    }

    /// Votes for the distance between equal bytes as the record length, when
    /// it occurs twice in a row. `stood` is what is known of the byte.
    fn find_record(&mut self, stood: &mut [u8; 8]) {
        let known = u64::from_le_bytes(*stood);
        let distance = self.pos.wrapping_sub(known as u32);
        let repeats = distance == (known >> 32) as u32;
        if repeats && distance > 1 && distance < LONGEST_RECORD {
            if distance == self.record {
                self.votes = (self.votes + 1).min(MOST_VOTES);
            } else if distance != self.rival {
                self.rival = distance;
            } else if self.votes < 2 {
                (self.record, self.votes) = (distance, FIRST_VOTES);
            } else {
                self.votes -= 2;
            }
        }
        *stood = (u64::from(distance) << 32 | u64::from(self.pos)).to_le_bytes();
    }

    /// Finds the bytes above the next one: in the line before if there are
    /// lines, else one and two records back.
    fn look_above(&mut self, byte: u8, history: &[u8]) {
        let mask = history.len() - 1;
        let pos = self.pos;
        if byte == b'\n' {
            (self.line_before, self.line) = (self.line, pos);
        }
        let column = pos.wrapping_sub(self.line);
        let lines = column < LONGEST_LINE
            && self.line != 0
            && pos.wrapping_sub(self.line_before) as usize <= mask;
        let (above, above_above) = if lines {
            self.column = column;
            // A shorter line ends all columns beyond it.
            let at = self.line_before.wrapping_add(column);
            let short = at.wrapping_sub(self.line) as i32 >= 0;
            let at = if short { self.line.wrapping_sub(1) } else { at };
            (at, at.wrapping_add(1))
        } else {
            let record = self.record.max(1);
            self.column = pos % record;
            (pos.wrapping_sub(record), pos.wrapping_sub(record * 2))
        };
        self.above = u32::from(history[above as usize & mask]);
        self.above_above = u32::from(history[above_above as usize & mask]);
    }

    /// Hash of the last `len` bytes.
    pub(crate) fn hash_of_last(&self, len: u32, history: &[u8]) -> u32 {
        if len <= 8 {
            let bytes = self.bytes << (64 - 8 * len);
            hash(hash(len, bytes as u32), (bytes >> 32) as u32)
        } else {
            let mask = history.len() - 1;
            (1..=len).fold(len, |h, i| {
                hash(h, u32::from(history[self.pos.wrapping_sub(i) as usize & mask]))
            })
        }
    }

    /// Hash of a context. `place` is its number in the list, so that equal
    /// values in two contexts do not meet; `expected` is the match model that
    /// has its say.
    pub(crate) fn hash(
        &self,
        context: Context,
        place: usize,
        expected: &Match,
        side: &[u8],
    ) -> u32 {
        let salt = (place as u32 + 1) << 16;
        let c1 = self.bytes as u32 & 0xFF;
        let hash2 = |a: u32, b: u32| hash(hash(salt, a), b);
        let hash3 = |a: u32, b: u32, c: u32| hash(hash2(a, b), c);
        let masked =
            |mask: u64| hash2((self.bytes & mask) as u32, ((self.bytes & mask) >> 32) as u32);
        let [word, word2, word3] = self.words;
        // The expected byte and how surely, in units of `step` lengths.
        let foreseen = |step: u32| {
            let byte = expected.expected_byte();
            byte.map_or(0, |b| 1 + u32::from(b) + 256 * (expected.length_bucket() / step))
        };
        match context {
            Context::Order(0) => salt,
            Context::Order(n) => masked(u64::MAX >> (64 - 8 * n)),
            Context::Word => hash2(word, if word == 0 { c1 } else { 0 }),
            Context::WordPair => hash3(word, word2, c1),
            Context::WordSkip => hash3(word, word3, c1),
            Context::Separators => hash2(self.separators, word.min(1)),
            Context::Indirect => {
                let followed = side.as_chunks::<4>().0.get(c1 as usize).copied();
                hash2(u32::from_le_bytes(followed.unwrap_or_default()) & 0xFFFF, c1)
            }
            Context::Expected => hash2(foreseen(1), c1),
            Context::Sparse(bytes) => {
                let mask = (0..8).fold(0, |mask, i| {
                    let whole = u64::from(bytes >> i & 1) * 0xFF;
                    let high = u64::from(bytes >> (8 + i) & 1) * 0xF0;
                    mask | (whole | high) << (8 * i)
                });
                masked(mask)
            }
            Context::Above => hash3(self.above, c1, 0),
            Context::Column => hash3(self.above, self.column, 0),
            Context::TwoAbove => hash3(self.above, self.above_above, 0),
            Context::Foreseen => hash2(foreseen(4), 0),
            Context::LastWord => hash2(word2, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(content: &[u8]) -> Recent {
        let (mut history, mut side) = ([0; 1 << 12], [0; SIDE]);
        let mut recent = Recent::new();
        content.iter().for_each(|&byte| recent.push(byte, &mut history, &mut side));
        recent
    }

    #[test]
    fn records_are_found() {
        let mut content = [0u8; 3000];
        for (i, byte) in content.iter_mut().enumerate() {
            // 24 bytes, of which eight are steady and the others noise.
            let noise = (i as u32).wrapping_mul(0x9E37_79B1) >> 24;
            *byte = if i % 24 < 8 { 200 + (i % 24) as u8 } else { (noise % 190) as u8 + 11 };
        }
        let recent = after(&content);
        assert_eq!((recent.record, recent.column), (24, 0));
        assert_eq!(recent.above, 200);
    }

    #[test]
    fn lines_stand_above_each_other() {
        let recent = after(b"time,21.5,ok\ntime,21.6,ok\ntime,");
        assert_eq!((recent.column, recent.above), (5, u32::from(b'2')));
        let recent = after(b"one\ntwo\nlonger");
        assert_eq!(recent.above, u32::from(b'\n'));
    }

    #[test]
    fn words_do_not_depend_on_case() {
        let (a, b) = (after(b"The Cat"), after(b"the cat"));
        assert_eq!(a.words, b.words);
        assert_ne!(a.words[0], a.words[1]);
    }
}
