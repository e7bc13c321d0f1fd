//! Contexts: what is remembered of the bytes so far, and the hashes made of
//! it for the n-gram tables and the rows of the state space model.

use crate::code::Code;
use crate::matching::Match;
use crate::ngram::hash;
use crate::place::{self, Place};
use crate::plan::{Context, Kind};
use crate::text::{Text, is_letter};
use crate::words::Speller;

/// Bytes of the side tables: for each byte value the four bytes that followed
/// it last, then those of [`Place`].
pub(crate) const SIDE: usize = FOLLOWED + place::SIDE;
const FOLLOWED: usize = 256 * 4;

/// What sets apart the hashes of the context at `place` in the list.
fn salt(place: usize) -> u32 {
    (place as u32 + 1) << 16
}

/// Character class of a byte, 1 to 15.
fn shape(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => 1,
        b'a'..=b'z' => 2,
        b'A'..=b'Z' => 3,
        128.. => 4,
        0 => 5,
        1..32 => 6 + u32::from(byte % 2),
        _ => 8 + u32::from(byte % 8),
    }
}

/// What the predictor remembers of the bytes, beside the tables. Positions
/// count all bytes so far, modulo 2^32.
#[derive(Clone, Debug)]
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
    /// Character classes of the last bytes, the newest lowest, 4 bits each.
    pub(crate) shapes: u32,
    /// Brackets that are open, the innermost lowest.
    brackets: u32,
    /// Where in a record or line the next byte stands.
    pub(crate) place: Place,
    /// Where in a line or a word of text.
    pub(crate) text: Text,
    /// Where in an instruction.
    pub(crate) code: Code,
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
            shapes: 0,
            brackets: 0,
            place: Place::NONE,
            text: Text::NONE,
            code: Code::NONE,
        }
    }

    /// Passes what is known between two bytes through `carry`.
    #[inline(never)]
    pub(crate) fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        let high = carry((self.bytes >> 32) as u32);
        self.bytes = u64::from(high) << 32 | u64::from(carry(self.bytes as u32));
        self.words = self.words.map(&mut *carry);
        for number in [&mut self.pos, &mut self.separators, &mut self.shapes, &mut self.brackets] {
            *number = carry(*number);
        }
        self.place.carry(carry);
        self.text.carry(carry);
        self.code.carry(carry);
    }

    /// Puts a whole byte into the history. `side` is of [`SIDE`] bytes, or
    /// empty where the level has none.
    pub(crate) fn push(&mut self, byte: u8, history: &mut [u8], side: &mut [u8]) {
        let last = self.keep(byte, history);
        let words = self.read(byte);
        if !side.is_empty() {
            self.read_on(byte, words);
            self.place(byte, last, history, side);
        }
    }

    /// Puts a byte of numbered text into the history; what `speller` makes of it is what
    /// is read.
    #[inline(never)] // one for all levels
    pub(crate) fn push_spelled(
        &mut self,
        byte: u8,
        speller: &mut Speller,
        history: &mut [u8],
        side: &mut [u8],
    ) {
        let last = self.keep(byte, history);
        if speller.first().is_some() {
            self.words[0] = 0; // that was the beginning of a number
        }
        speller.push(byte);
        for &byte in speller.text() {
            let words = self.read(byte);
            self.read_on(byte, words);
        }
        if let Some(first) = speller.first() {
            self.words[0] = hash(1, first.into());
        }
        self.place(byte, last, history, side);
        // Lines break where they do as they read.
        self.place.column = speller.column();
    }

    /// Puts a byte into the history; returns the one before.
    #[inline(always)]
    fn keep(&mut self, byte: u8, history: &mut [u8]) -> u8 {
        let mask = history.len() - 1;
        history[self.pos as usize & mask] = byte;
        self.pos = self.pos.wrapping_add(1);
        let last = self.bytes as u8;
        self.bytes = self.bytes << 8 | u64::from(byte);
        self.partial = 1;
        self.bit_index = 0;
        last
    }

    /// Takes note of a byte of the content, as of words; returns those before it.
    #[inline(always)]
    fn read(&mut self, byte: u8) -> [u32; 3] {
        let words = self.words;
        if is_letter(byte) {
            self.words[0] = hash(words[0], u32::from(byte.to_ascii_lowercase()) + 1);
        } else {
            if words[0] != 0 {
                self.words = [0, words[0], words[1]];
            }
            self.separators = (self.separators << 8 | u32::from(byte)) & 0x00FF_FFFF;
        }
        words
    }

    /// The same as of brackets and lines; `words` are those before it.
    #[inline(always)]
    fn read_on(&mut self, byte: u8, words: [u32; 3]) {
        match byte {
            b'(' | b'[' | b'{' | b'<' => self.brackets = self.brackets << 8 | u32::from(byte),
            b')' | b']' | b'}' | b'>' => self.brackets >>= 8,
            _ => {}
        }
        self.text.push(byte, words);
    }

    /// Finds the place of the next byte in the history; `last` is the one before `byte`.
    #[inline(always)]
    fn place(&mut self, byte: u8, last: u8, history: &[u8], side: &mut [u8]) {
        self.shapes = self.shapes << 4 | shape(byte);
        let (followed, side) = side.split_at_mut(FOLLOWED);
        let entry = &mut followed.as_chunks_mut::<4>().0[usize::from(last)];
        *entry = (u32::from_le_bytes(*entry) << 8 | u32::from(byte)).to_le_bytes();
        self.place.push(byte, self.pos, self.text.found(), history, side);
    }

    /// The kind of data that the bytes of late were, of the first `kinds`.
    #[inline]
    pub(crate) fn kind(&self, kinds: usize) -> Kind {
        if kinds > Kind::Code as usize && self.code.found() {
            Kind::Code
        } else if kinds > Kind::Data as usize && !self.text.found() {
            Kind::Data
        } else {
            Kind::Text
        }
    }

    /// Whether the last byte is a letter or a space: what follows is hardly a number.
    pub(crate) fn is_in_words(&self) -> bool {
        let byte = self.bytes as u8;
        byte == b' ' || byte.is_ascii_alphabetic()
    }

    /// How far the last byte is from the one above it.
    pub(crate) fn slope(&self) -> u8 {
        (self.bytes as u8).wrapping_sub(self.place.left_above)
    }

    /// The byte above the next one, and that.
    pub(crate) fn gradient(&self) -> u8 {
        self.place.above.wrapping_add(self.slope())
    }

    pub(crate) fn word(&self) -> u32 {
        self.words[0]
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

    /// [`Self::hash`] where there may be a `speller`.
    #[inline(always)]
    pub(crate) fn hash_spelled(
        &self,
        context: Context,
        place: usize,
        matches: &[Match],
        side: &[u8],
        speller: &Speller,
    ) -> u32 {
        match context {
            Context::Letters(len) => speller.hash_of_letters(salt(place), len),
            Context::Symbols(mask) => speller.hash_of_symbols(salt(place), mask),
            _ => self.hash(context, place, matches, side),
        }
    }

    /// Hash of a context. `place` is its number in the list, so that equal
    /// values in two contexts do not meet.
    #[inline]
    pub(crate) fn hash(
        &self,
        context: Context,
        place: usize,
        matches: &[Match],
        side: &[u8],
    ) -> u32 {
        let salt = salt(place);
        match context {
            // Small levels have little else: here the compiler can see through them.
            Context::Order(0) => salt,
            Context::Order(n) => self.hash_masked(salt, u64::MAX >> (64 - 8 * n)),
            Context::Sparse(mask) => self.hash_masked(salt, mask),
            other => self.hash_other(other, salt, matches, side),
        }
    }

    /// Hash of the last eight bytes as far as `mask` picks their bits.
    #[inline]
    fn hash_masked(&self, salt: u32, mask: u64) -> u32 {
        let bytes = self.bytes & mask;
        hash(hash(salt, bytes as u32), (bytes >> 32) as u32)
    }

    fn hash_other(&self, context: Context, salt: u32, matches: &[Match], side: &[u8]) -> u32 {
        let byte = |i: u32| (self.bytes >> (8 * i - 8)) as u32 & 0xFF;
        let [c1, c2] = [byte(1), byte(2)];
        let hash2 = |a: u32, b: u32| hash(hash(salt, a), b);
        let hash3 = |a: u32, b: u32, c: u32| hash(hash2(a, b), c);
        let [word, word2, word3] = self.words;
        // The expected byte and how surely, in units of `step` lengths.
        let foreseen = |step: u32| {
            let byte = matches[0].expected_byte();
            byte.map_or(0, |b| 1 + u32::from(b) + 256 * (matches[0].length_bucket() / step))
        };
        // What the last match model, the one that keeps to its repeat, sees.
        let echo = || {
            let echo = &matches[matches.len() - 1];
            (echo.expected_byte().map_or(0, |b| 1 + u32::from(b)), echo.after())
        };
        let followed = || {
            let followed = side.as_chunks::<4>().0.get(c1 as usize).copied();
            u32::from_le_bytes(followed.unwrap_or_default())
        };
        let (at, text) = (&self.place, &self.text);
        let (field, column) = (u32::from(at.field), u32::from(at.column));
        let [above, above_above] = [at.above, at.above_above].map(u32::from);
        let cell = at.cell.map(u32::from);
        match context {
            // `hash` has dealt with these.
            Context::Order(_) | Context::Sparse(_) => salt,
            Context::Letters(_) | Context::Symbols(_) => salt,
            Context::Word => hash2(word, if word == 0 { c1 } else { 0 }),
            Context::WordPair => hash3(word, word2, c1),
            Context::WordSkip => hash3(word, word3, c1),
            Context::Separators => hash2(self.separators, word.min(1)),
            Context::Indirect => hash2(followed() & 0xFFFF, c1),
            Context::IndirectPair => hash3(followed() & 0xFF, c1, c2),
            Context::Expected => hash2(foreseen(1), c1),
            Context::Above => hash3(above, c1, 0),
            Context::Column => hash3(above, column, 0),
            Context::TwoAbove => hash3(above, above_above, 0),
            Context::Foreseen => hash2(foreseen(4), 0),
            Context::LastWord => hash2(word2, 0),
            Context::Echo => hash3(echo().0, c1, 0),
            Context::EchoAfter => hash3(echo().0, u32::from(echo().1), 1),
            Context::Cell => hash3(cell[0], c1, field),
            Context::CellAfter => hash3(cell[0], cell[1], field),
            Context::Square => hash3(above, above_above, c1),
            Context::Quad => hash3(self.pos & 3, byte(4), 0),
            Context::Gradient => hash3(self.gradient().into(), column & 3, 0),
            Context::Slope => hash3(above, self.slope().into(), 0),
            Context::Nesting => hash3(self.brackets & 0xFFFF, word, c1),
            Context::NestedPair => hash3(self.brackets & 0xFFFF, c1, c2),
            Context::Instruction(n) => {
                let before = self.code.before();
                let before = &before[..n as usize];
                before.iter().fold(hash2(self.code.instruction(), n), |h, &id| hash(h, id))
            }
            Context::InstructionSkip => hash3(self.code.instruction(), self.code.before()[1], 0),
            Context::Registers => hash2(self.code.registers(), 0),
            Context::Opcodes => {
                self.code.before().iter().fold(hash2(self.code.opcode(), 0), |h, &id| hash(h, id))
            }
            Context::Before => self
                .code
                .before()
                .iter()
                .fold(hash2(self.code.phase(), 0), |h, &id| hash(h, id >> 7)),
            Context::Outline => hash2(self.shapes, 1),
            Context::OutlineSeparator => {
                hash3(self.shapes & 0xFF_FFFF, self.separators & 0xFF, word.min(1))
            }
            Context::EchoShapes => hash3(echo().0, self.shapes & 0xFFFF, 2),
            Context::EchoPair => hash3(echo().0, c1, c2),
            Context::EchoOn => hash3(echo().0, u32::from(echo().1), c1),
            Context::WordsBefore => hash3(word2, word3, c1),
            Context::WordTriple => hash(hash3(word, word2, word3), c1),
            Context::Shapes => hash3(self.shapes & 0xFFF, word, 0),
            Context::Indent => hash3(text.indent.into(), text.indent_before.into(), word),
            Context::LineWord => hash3(text.first_word, word, c1),
            Context::Enclosed => hash3(text.enclosed, c1, 0),
            Context::ColumnPair => hash3(column, c1, 1),
            Context::LastName => hash3(text.last_name, word, c1),
            Context::Vowels => hash3(text.vowels.into(), text.letters.min(8).into(), c1),
            Context::WordLeap => hash3(word, text.third_before, c1),
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
        assert_eq!((recent.place.record, recent.place.column), (24, 0));
        assert_eq!(recent.place.above, 200);
    }

    #[test]
    fn lines_stand_above_each_other() {
        let recent = after(b"time,21.5,ok\ntime,21.6,ok\ntime,");
        assert_eq!((recent.place.column, recent.place.above), (5, b'2'));
        let recent = after(b"one\ntwo\nlonger");
        assert_eq!(recent.place.above, b'\n');
    }

    #[test]
    fn a_line_end_in_binary_data_ends_no_line() {
        // Records of 24 bytes with a 10 in each of them.
        let content: [u8; 2400] =
            core::array::from_fn(|i| [10, 0, 1, 2][i % 24 % 4].max((i % 24 / 4 * 16) as u8));
        let place = after(&content).place;
        assert!(!place.lines);
        assert_eq!((place.record, place.column), (24, 0));
        assert_eq!(place.above, content[content.len() - 24]);
    }

    #[test]
    fn rows_of_a_picture_are_found_among_equal_bytes() {
        // A vertical bar in white, whose edges waver.
        let content: [u8; 2500] =
            core::array::from_fn(|i| match (i % 50, (i / 50).pow(2) % 7 / 2) {
                (20..30, _) => 0,
                (19, wave) => 0xFE << wave,
                (30, wave) => 0x7F >> wave,
                _ => 0xFF,
            });
        assert_eq!(after(&content).place.record, 50);
    }

    #[test]
    fn words_do_not_depend_on_case() {
        let (a, b) = (after(b"The Cat"), after(b"the cat"));
        assert_eq!(a.words, b.words);
        assert_ne!(a.words[0], a.words[1]);
    }

    #[test]
    fn words_of_a_line_are_kept() {
        let word = |content: &[u8]| after(content).words[0];
        let text = after(b"Before:\nOne two Three four Fives").text;
        assert_eq!(text.first_word, word(b"one"));
        assert_eq!(text.last_name, word(b"three"));
        assert_eq!(text.third_before, word(b"two"));
        assert_eq!((text.letters, text.vowels), (5, 0b01010));
        assert_eq!(after(b"One two\n").text.first_word, 0);
    }

    #[test]
    fn all_that_is_known_is_carried() {
        let mut left =
            after(b"{<one, two;(three\t4\n5 six,seven|eight\n  nine ten\n\tEleven, Twelve Thirt");
        // Two instructions, and half of one with a displacement and an immediate.
        let program = b"\xE8\x10\x20\x00\x00\x8B\x45\xFC\x66\x48\xC7\x44\x24\x08\x01";
        for &byte in program {
            left.bytes = left.bytes << 8 | u64::from(byte);
            left.code.push(left.bytes, left.pos);
        }
        let mut numbers = std::vec::Vec::new();
        left.clone().carry(&mut |number| {
            numbers.push(number);
            number
        });
        let mut numbers = numbers.into_iter();
        let mut back = Recent::new();
        back.carry(&mut |_| numbers.next().unwrap());
        assert_eq!(std::format!("{back:?}"), std::format!("{left:?}"));
    }
}
