//! Text: whether the data is text at all, and what its lines, words and
//! brackets say of the next byte.

use crate::ngram::hash;

/// Votes, of at most 255, from which data is taken for text. A control
/// character that no text has counts as much as a line without one.
const ENOUGH: u8 = 128;
const CONTROL: u8 = 32;

/// The line and the word under way.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    votes: u8,
    /// Spaces and tabs that the line began with, up to 255, and those of the line
    /// before.
    pub(crate) indent: u8,
    pub(crate) indent_before: u8,
    /// Whether the line has had nothing else yet.
    indenting: bool,
    /// Whether the current word begins with a capital.
    capital: bool,
    /// Letters of the current word, up to 255, and for each of the last eight
    /// whether it is a vowel.
    pub(crate) letters: u8,
    pub(crate) vowels: u8,
    /// First word of the line, once it is over.
    pub(crate) first_word: u32,
    /// The last word that began with a capital, once it is over.
    pub(crate) last_name: u32,
    /// The third word before the current one.
    pub(crate) third_before: u32,
    /// Hash of what has come since the last bracket or quotation mark, or 0.
    pub(crate) enclosed: u32,
}

impl Text {
    pub(crate) const NONE: Self = Self {
        votes: ENOUGH,
        indent: 0,
        indent_before: 0,
        indenting: true,
        capital: false,
        letters: 0,
        vowels: 0,
        first_word: 0,
        last_name: 0,
        third_before: 0,
        enclosed: 0,
    };

    /// Passes what is known between two bytes through `carry`.
    pub(crate) fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        let lines = [self.votes, self.indent, self.indent_before, self.indenting.into()];
        let [votes, indent, indent_before, indenting] =
            carry(u32::from_le_bytes(lines)).to_le_bytes();
        let word = [self.capital.into(), self.letters, self.vowels, 0];
        let [capital, letters, vowels, _] = carry(u32::from_le_bytes(word)).to_le_bytes();
        *self = Self {
            votes,
            indent,
            indent_before,
            indenting: indenting != 0,
            capital: capital != 0,
            letters,
            vowels,
            first_word: carry(self.first_word),
            last_name: carry(self.last_name),
            third_before: carry(self.third_before),
            enclosed: carry(self.enclosed),
        };
    }

    /// Whether the bytes of late were text.
    #[inline]
    pub(crate) fn found(&self) -> bool {
        self.votes >= ENOUGH
    }

    /// Takes the next byte; `words` are the current one so far and the two before
    /// it, as they were without the byte.
    pub(crate) fn push(&mut self, byte: u8, words: [u32; 3]) {
        self.votes = match byte {
            0..=8 | 11 | 12 | 14..=31 => self.votes.saturating_sub(CONTROL),
            _ => self.votes.saturating_add(1),
        };
        match byte {
            b'\n' => {
                (self.indent_before, self.indent) = (self.indent, 0);
                self.indenting = true;
            }
            b' ' | b'\t' if self.indenting => self.indent = self.indent.saturating_add(1),
            _ => self.indenting = false,
        }
        let lower = byte.to_ascii_lowercase();
        match byte {
            b'(' | b'[' | b'{' | b'<' | b'"' => self.enclosed = hash(1, byte.into()),
            b')' | b']' | b'}' | b'>' => self.enclosed = 0,
            _ if self.enclosed != 0 => {
                self.enclosed = hash(self.enclosed, u32::from(lower) + 1);
            }
            _ => {}
        }

        let [word, _, word_before] = words;
        if is_letter(byte) {
            if word == 0 {
                (self.letters, self.vowels) = (0, 0);
                self.capital = byte.is_ascii_uppercase();
            }
            self.letters = self.letters.saturating_add(1);
            let vowel = matches!(lower, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
            self.vowels = self.vowels << 1 | u8::from(vowel);
        } else if word != 0 {
            self.third_before = word_before;
            if self.capital {
                self.last_name = word;
            }
            if self.first_word == 0 {
                self.first_word = word;
            }
            self.letters = 0;
        }
        if byte == b'\n' {
            self.first_word = 0;
        }
    }
}

/// Whether a byte belongs to a word. Bytes above 127 are taken for letters of
/// UTF-8.
pub(crate) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 128
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(content: &[u8]) -> Text {
        let mut text = Text::NONE;
        content.iter().for_each(|&byte| text.push(byte, [0; 3]));
        text
    }

    #[test]
    fn text_is_told_from_other_data() {
        assert!(after(b"").found());
        assert!(after("Zwölf Boxkämpfer jagen Viktor".as_bytes()).found());
        assert!(after(&b"one,two\r\n\t3;4\n".repeat(9)).found());
        assert!(!after(b"\x7FELF\x01\x01\x01\0\0\0\0").found());
        let noise: [u8; 1000] =
            core::array::from_fn(|i| (hash(i as u32, 1).wrapping_mul(0x9E37_79B1) >> 24) as u8);
        assert!(!after(&noise).found());
        // Words in a table of strings, then a text.
        let strings = b"alpha\0beta\0gamma\0delta\0".repeat(9);
        assert!(!after(&strings).found());
        assert!(after(&[&strings[..], &[b'a'; 128]].concat()).found());
    }

    #[test]
    fn indents_are_of_this_line_and_the_one_before() {
        let text = after(b"\n    if so:\n\t\tthen;\n  x y");
        assert_eq!((text.indent, text.indent_before), (2, 2));
        let text = after(b"no indent\n  ");
        assert_eq!((text.indent, text.indent_before), (2, 0));
    }

    #[test]
    fn what_is_enclosed_ends_with_its_bracket() {
        assert_eq!(after(b"[[Link").enclosed, after(b"(x) [link").enclosed);
        assert_ne!(after(b"[link").enclosed, after(b"(link").enclosed);
        assert_eq!(after(b"[link] and").enclosed, 0);
    }
}
