//! Words by number: text whose common English words stand as numbers of one or two
//! bytes. Section 13 of `docs/format.md` is the specification.
//!
//! There are fewer bytes then, which is time, and the model knows these words from the
//! start, without having to learn their letters. It sees the letters all the same: its
//! contexts are of the text as it reads. The idea is that of the word-replacing
//! transforms (WRT) that go before paq8 and its kin, and of "spaceless" words (de Moura).

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::error::Error;
use crate::ngram::hash;

/// The next byte stands for itself.
pub(crate) const ESCAPE: u8 = 0;
/// The word whose number follows begins with a capital.
pub(crate) const CAPITAL: u8 = 0x7F;

/// Words of one byte, by frequency.
const SHORT: [&[u8]; 15] = [
    b"the", b"of", b"and", b"to", b"in", b"a", b"is", b"as", b"for", b"by", b"on", b"that",
    b"with", b"was", b"it",
];

/// The other words, in alphabetical order: `words.txt`, packed. First where each block
/// begins, two bytes each; then the blocks, of [`BLOCK`] words, in symbols of five bits:
/// a letter from 0 on, or the end of a word with how many letters the next one does
/// not share ([`DROP`] and more; the last says that another symbol is to be added).
static LIST: &[u8] = include_bytes!("words.bin");
/// Words of the list.
const WORDS: usize = 4940;
/// Words of a block.
const BLOCK: usize = 16;
const BLOCKS: usize = WORDS.div_ceil(BLOCK);
const DROP: u32 = 26;
const DROP_MORE: u32 = 31;
/// Letters of the shortest word of the list, and of the longest.
const SHORTEST: usize = 3;
const LONGEST: usize = 18;

/// First bytes of the numbers of the list, then second ones: what text has not, and what
/// belongs to words anyway.
const FIRST: [u8; 26] = [
    19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 0xC0, 0xC1, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9,
    0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
];
const SECONDS: usize = 190;
const _: () = assert!(WORDS == FIRST.len() * SECONDS);

/// What a byte of numbered text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Plain,
    Escape,
    Capital,
    /// A word of one byte, with its place in [`SHORT`].
    Short(u8),
    /// The first of two, with its place in [`FIRST`].
    First(u8),
}

fn class(byte: u8) -> Class {
    match byte {
        ESCAPE => Class::Escape,
        CAPITAL => Class::Capital,
        1..=8 => Class::Short(byte - 1),
        11 | 12 => Class::Short(byte - 3),
        14..=18 => Class::Short(byte - 4),
        19..=31 => Class::First(byte - 19),
        0xC0 | 0xC1 => Class::First(byte - 0xC0 + 13),
        0xF5.. => Class::First(byte - 0xF5 + 15),
        _ => Class::Plain,
    }
}

/// The place that a second byte stands for.
const fn second(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'Z' => Some(byte - b'A' + 10),
        b'a'..=b'z' => Some(byte - b'a' + 36),
        128.. => Some(byte - 66),
        _ => None,
    }
}

/// The letters of a word.
#[derive(Clone, Copy, Debug)]
struct Word {
    letters: [u8; LONGEST],
    len: usize,
}

impl Word {
    const EMPTY: Self = Self { letters: [0; LONGEST], len: 0 };

    fn letters(&self) -> &[u8] {
        &self.letters[..self.len]
    }
}

/// Reads the words of a block one after another.
struct Block {
    /// Where the next symbol begins, in bits of [`LIST`].
    at: usize,
    word: Word,
}

impl Block {
    fn new(number: usize) -> Self {
        let at = usize::from(u16::from_le_bytes([LIST[2 * number], LIST[2 * number + 1]]));
        Self { at: at * 8, word: Word::EMPTY }
    }

    fn symbol(&mut self) -> u32 {
        let byte = |i: usize| u32::from(LIST.get(self.at / 8 + i).copied().unwrap_or(0));
        let symbol = (byte(0) << 8 | byte(1)) >> (11 - self.at % 8) & 31;
        self.at += 5;
        symbol
    }

    /// The next word; what follows the last one of a block is of no use.
    fn next(&mut self) -> Word {
        let mut word = self.word;
        loop {
            let symbol = self.symbol();
            if symbol < DROP {
                word.letters[word.len] = b'a' + symbol as u8;
                word.len += 1;
            } else {
                let more = if symbol == DROP_MORE { self.symbol() } else { 0 };
                self.word.letters = word.letters;
                self.word.len = word.len.saturating_sub((symbol - DROP + more) as usize);
                return word;
            }
        }
    }
}

/// The word of a number.
fn word(number: usize) -> Word {
    let mut block = Block::new(number / BLOCK);
    (0..number % BLOCK).for_each(|_| _ = block.next());
    block.next()
}

/// What stands at [`Speller::part`] beyond first bytes.
const AFTER_CAPITAL: u32 = 1 << 8;
const AFTER_ESCAPE: u32 = 1 << 9;

/// Spells numbered words out: bytes go in with [`Self::push`], and the text that comes of
/// each ([`Self::peek`], [`Self::take`]) is to be taken before the next one goes in.
#[derive(Clone, Debug)]
pub(crate) struct Speller {
    /// Whether there are numbers at all.
    on: bool,
    failed: bool,
    /// Whether the last byte completed a word's number: then a space goes before another.
    whole: bool,
    /// What is known of a symbol under way: the first byte of a number,
    /// [`AFTER_CAPITAL`], [`AFTER_ESCAPE`]; or 0.
    part: u32,
    /// What came of the last byte, and how much of it was taken.
    text: [u8; 1 + LONGEST],
    len: u8,
    taken: u8,
    /// The last eight letters or other bytes of the text, the newest lowest.
    letters: u64,
    /// The last four symbols, of 16 bits each: numbers of words, other bytes.
    symbols: u64,
    /// Bytes of the line of text so far.
    column: u16,
}

impl Speller {
    pub(crate) const OFF: Self = Self {
        on: false,
        failed: false,
        whole: false,
        part: 0,
        text: [0; 1 + LONGEST],
        len: 0,
        taken: 0,
        letters: 0,
        symbols: 0,
        column: 0,
    };
    pub(crate) const ON: Self = Self { on: true, ..Self::OFF };

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// Takes a byte of numbered text.
    #[inline(never)] // one for all levels
    pub(crate) fn push(&mut self, byte: u8) {
        (self.len, self.taken) = (0, 0);
        let (part, class) = (self.part, class(byte));
        if part & AFTER_ESCAPE != 0 {
            self.part = 0;
            return self.plain(byte);
        }
        if part & 0xFF != 0 {
            self.part = 0;
            let (Class::First(first), Some(second)) = (self::class(part as u8), second(byte))
            else {
                self.failed = true;
                return;
            };
            self.symbols = self.symbols << 16 | u64::from(part & 0xFF) << 8 | u64::from(byte);
            let word = word(usize::from(first) * SECONDS + usize::from(second));
            return self.word(word.letters(), part);
        }
        // A number is all that may follow the mark of a capital.
        let number = matches!(class, Class::Short(_) | Class::First(_));
        self.failed |= part & AFTER_CAPITAL != 0 && !number;
        if self.whole && (number || class == Class::Capital) {
            self.give(b' ');
        }
        self.whole = false;
        match class {
            Class::Plain => self.plain(byte),
            Class::Escape => self.part = AFTER_ESCAPE,
            Class::Capital => self.part = AFTER_CAPITAL,
            Class::First(_) => self.part = part | u32::from(byte),
            Class::Short(place) => {
                self.symbols = self.symbols << 16 | u64::from(byte);
                let letters = SHORT[usize::from(place)];
                self.part = 0;
                self.word(letters, part);
            }
        }
    }

    fn give(&mut self, byte: u8) {
        self.text[usize::from(self.len)] = byte;
        self.len += 1;
        self.letters = self.letters << 8 | u64::from(byte);
        self.column = if byte == b'\n' { 0 } else { self.column.saturating_add(1) };
    }

    fn plain(&mut self, byte: u8) {
        self.symbols = self.symbols << 16 | u64::from(byte);
        self.give(byte);
    }

    fn word(&mut self, letters: &[u8], part: u32) {
        for (i, &letter) in letters.iter().enumerate() {
            let capital = i == 0 && part & AFTER_CAPITAL != 0;
            self.give(if capital { letter.to_ascii_uppercase() } else { letter });
        }
        self.whole = true;
    }

    /// What came of the last byte.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    /// The next byte of what came of the last one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if no text could be what was pushed.
    pub(crate) fn peek(&self) -> Result<Option<u8>, Error> {
        if self.failed {
            return Err(Error::Corrupt);
        }
        Ok(self.text().get(usize::from(self.taken)).copied())
    }

    pub(crate) fn take(&mut self) {
        self.taken += 1;
    }

    /// Forgets the text, before another one.
    pub(crate) fn begin(&mut self) {
        (self.len, self.taken, self.part, self.whole) = (0, 0, 0, false);
    }

    /// Bytes of the line of text so far.
    pub(crate) fn column(&self) -> u16 {
        self.column
    }

    /// Whether the text may end here.
    pub(crate) fn is_complete(&self) -> bool {
        self.part == 0 && !self.failed
    }

    /// Hash of the last `len` letters or other bytes of the text, len <= 8, and of what is
    /// known of a symbol under way.
    pub(crate) fn hash_of_letters(&self, salt: u32, len: u32) -> u32 {
        let letters = self.letters & u64::MAX >> (64 - 8 * len);
        hash(hash(hash(salt, self.part), letters as u32), (letters >> 32) as u32)
    }

    /// Hash of the last four symbols as far as `mask` picks their bits, likewise.
    pub(crate) fn hash_of_symbols(&self, salt: u32, mask: u64) -> u32 {
        let symbols = self.symbols & mask;
        hash(hash(hash(salt, self.part), symbols as u32), (symbols >> 32) as u32)
    }

    /// The first byte of a number, if one is under way.
    pub(crate) fn first(&self) -> Option<u8> {
        Some(self.part as u8).filter(|&first| first != 0)
    }
}

/// The last word of the list that is not behind `word`, with its place.
fn at_most(word: &[u8]) -> Option<(usize, Word)> {
    let (mut low, mut high) = (0, BLOCKS);
    while low < high {
        let middle = (low + high) / 2;
        if Block::new(middle).next().letters() <= word {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let number = low.checked_sub(1)?;
    let mut block = Block::new(number);
    let mut last = (number * BLOCK, block.next());
    for i in number * BLOCK + 1..WORDS.min((number + 1) * BLOCK) {
        let next = block.next();
        if next.letters() > word {
            break;
        }
        last = (i, next);
    }
    Some(last)
}

/// The longest word of the list that `word` begins with, as its place and its letters'
/// number.
fn longest(mut word: &[u8]) -> Option<(usize, usize)> {
    while word.len() >= SHORTEST {
        let (place, found) = at_most(word)?;
        let letters = found.letters();
        let common = letters.iter().zip(word).take_while(|(a, b)| a == b).count();
        if common == letters.len() {
            return Some((place, common));
        }
        // One that is shorter begins with what these two have in common.
        word = &word[..common];
    }
    None
}

/// The number of `word`, if it is one of the short ones, or else of the longest beginning
/// of it that the list has: how many bytes, these, and how many letters they stand for.
fn number_of(word: &[u8]) -> Option<(usize, [u8; 2], usize)> {
    const SECOND: [u8; SECONDS] = {
        let mut bytes = [0; SECONDS];
        let mut byte = 0;
        while byte < 256 {
            if let Some(place) = second(byte as u8) {
                bytes[place as usize] = byte as u8;
            }
            byte += 1;
        }
        bytes
    };
    if let Some(place) = SHORT.iter().position(|&short| short == word) {
        let byte = (0..=u8::MAX).find(|&byte| class(byte) == Class::Short(place as u8))?;
        return Some((1, [byte, 0], word.len()));
    }
    let (place, len) = longest(word)?;
    Some((2, [FIRST[place / SECONDS], SECOND[place % SECONDS]], len))
}

/// Puts numbers for the common English words in `content`: a third less of bytes if it is
/// English. For an [`Encoder`](crate::Encoder) with
/// [`Options::numbered`](crate::Options::numbered).
///
/// Any content will do, but what is not text may grow, to twice its bytes if the worst
/// comes to the worst.
///
/// ```
/// # use statesmix::number_words;
/// assert_eq!(number_words(b"The way of the world").len(), 8);
/// ```
#[cfg(feature = "alloc")]
#[must_use]
pub fn number_words(content: &[u8]) -> Vec<u8> {
    let mut numbered = Vec::with_capacity(content.len());
    number(content, |byte| numbered.push(byte));
    numbered
}

/// Gives what [`number_words`] makes of `content` to `emit`, byte by byte.
pub(crate) fn number(content: &[u8], mut emit: impl FnMut(u8)) {
    let mut rest = content;
    // Whether a word's number has just been put.
    let mut whole = false;
    while let [byte, after @ ..] = rest {
        let after_space = if whole && *byte == b' ' { after } else { rest };
        let len = after_space.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (letters, after_word) = after_space.split_at(len);
        let is_name = letters.first().is_some_and(u8::is_ascii_uppercase)
            && letters[1..].iter().all(u8::is_ascii_lowercase);
        let mut lower = [0; LONGEST];
        let begin = &mut lower[..len.min(LONGEST)];
        begin.copy_from_slice(&letters[..begin.len()]);
        if is_name {
            begin[0] = begin[0].to_ascii_lowercase();
        }
        match number_of(begin) {
            Some((bytes, number, known)) => {
                if is_name {
                    emit(CAPITAL);
                }
                number[..bytes].iter().for_each(|&byte| emit(byte));
                letters[known..].iter().for_each(|&byte| emit(byte));
                whole = known == len;
                rest = after_word;
            }
            None if len > 0 => {
                if after_space.len() < rest.len() {
                    emit(b' ');
                }
                letters.iter().for_each(|&byte| emit(byte));
                whole = false;
                rest = after_word;
            }
            None => {
                if class(*byte) != Class::Plain {
                    emit(ESCAPE);
                }
                emit(*byte);
                whole = false;
                rest = after;
            }
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use std::path::Path;
    use std::string::String;
    use std::{fs, vec};

    fn list() -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/words.txt");
        fs::read_to_string(path).unwrap().lines().map(String::from).collect()
    }

    /// Letters that two words begin with.
    fn shared(a: &str, b: &str) -> usize {
        a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
    }

    /// The list as `words.bin` has it.
    fn pack(words: &[String]) -> Vec<u8> {
        let (mut begins, mut blocks) = (Vec::new(), Vec::new());
        for block in words.chunks(BLOCK) {
            let begin = 2 * words.len().div_ceil(BLOCK) + blocks.len();
            begins.extend_from_slice(&u16::try_from(begin).unwrap().to_le_bytes());
            let mut symbols = Vec::new();
            for (i, word) in block.iter().enumerate() {
                let known = if i == 0 { 0 } else { shared(&block[i - 1], word) };
                symbols.extend(word.bytes().skip(known).map(|letter| u32::from(letter - b'a')));
                let dropped = word.len() - shared(word, block.get(i + 1).unwrap_or(word));
                match dropped as u32 + DROP {
                    end if end < DROP_MORE => symbols.push(end),
                    end => symbols.extend([DROP_MORE, end - DROP_MORE]),
                }
            }
            let mut bytes = vec![0; (symbols.len() * 5).div_ceil(8)];
            for (i, symbol) in symbols.into_iter().enumerate() {
                let shifted = (symbol << (11 - i * 5 % 8)) as u16;
                for (byte, part) in bytes[i * 5 / 8..].iter_mut().zip(shifted.to_be_bytes()) {
                    *byte |= part;
                }
            }
            blocks.extend(bytes);
        }
        [begins, blocks].concat()
    }

    /// `STATESMIX_WORDS=write cargo test the_list` packs a list that has changed.
    #[test]
    fn the_list_is_packed() {
        let words = list();
        let sorted = words.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(sorted && words.len() == WORDS);
        let right = |word: &String| {
            (SHORTEST..=LONGEST).contains(&word.len())
                && word.bytes().all(|letter| letter.is_ascii_lowercase())
                && !SHORT.contains(&word.as_bytes())
        };
        assert!(words.iter().all(right));
        let packed = pack(&words);
        if std::env::var_os("STATESMIX_WORDS").is_some_and(|what| what == "write") {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/words.bin");
            fs::write(path, &packed).unwrap();
        }
        assert!(packed == LIST);
    }

    #[test]
    fn words_have_their_numbers() {
        for (place, letters) in list().iter().enumerate() {
            assert_eq!(word(place).letters(), letters.as_bytes());
            assert_eq!(longest(letters.as_bytes()), Some((place, letters.len())));
            assert_eq!(spelled(&number_words(letters.as_bytes())), letters.as_bytes());
        }
    }

    /// The longest beginning is found, whatever stands between in the list.
    #[test]
    fn beginnings_are_found() {
        let words = list();
        for stem in words.iter().step_by(7) {
            for end in ["", "s", "zzz", "ation", "aaa"] {
                let word = [stem, end].concat();
                let expected = (0..words.len())
                    .filter(|&place| word.starts_with(&words[place]))
                    .max_by_key(|&place| words[place].len());
                let found = longest(word.as_bytes());
                assert_eq!(found.map(|(place, _)| place), expected, "{word}");
            }
        }
        for none in ["", "a", "zq", "qqqq", "zzzzzzzzzzzzzzzzzzzz"] {
            assert_eq!(longest(none.as_bytes()), None, "{none}");
        }
    }

    fn spelled(numbered: &[u8]) -> Vec<u8> {
        let (mut speller, mut text) = (Speller::ON, Vec::new());
        for &byte in numbered {
            speller.push(byte);
            while let Some(byte) = speller.peek().unwrap() {
                text.push(byte);
                speller.take();
            }
        }
        assert!(speller.is_complete());
        text
    }

    #[test]
    fn numbers_are_short() {
        for (text, len) in [
            ("", 0),
            ("the", 1),
            ("The", 2),
            ("THE", 3),
            ("of the", 2),
            ("of The", 3),
            ("of  the", 4),
            ("of\nthe", 3),
            ("river", 2),
            ("Rivers of rivers", 9),
            ("theriver", 8),
            ("\0", 2),
            ("x y", 3),
        ] {
            let numbered = number_words(text.as_bytes());
            assert_eq!(numbered.len(), len, "{text:?}: {numbered:?}");
            assert_eq!(spelled(&numbered), text.as_bytes());
        }
    }

    #[test]
    fn every_byte_is_one_thing() {
        let mut seconds = [0; SECONDS];
        let (mut shorts, mut firsts) = ([0; SHORT.len()], [0; FIRST.len()]);
        for byte in 0..=u8::MAX {
            match class(byte) {
                Class::Short(place) => shorts[usize::from(place)] += 1,
                Class::First(place) => {
                    firsts[usize::from(place)] += 1;
                    assert_eq!(FIRST[usize::from(place)], byte);
                }
                _ => {}
            }
            if let Some(place) = second(byte) {
                seconds[usize::from(place)] += 1;
            }
        }
        assert!(shorts == [1; SHORT.len()] && firsts == [1; FIRST.len()]);
        assert!(seconds == [1; SECONDS]);
    }
}
