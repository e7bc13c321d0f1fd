//! The arithmetic coder: a carryless binary range coder on 32-bit bounds.
//!
//! Invariant: the code value lies in `low..=high`, and the top bytes of the
//! two differ (equal ones have been shifted out). A bit splits the range in
//! proportion to the probability, Q16, exactly (one 32 x 32 -> 64
//! multiplication). After every bit `low <= high`, so any sequence decodes.
//!
//! Encoder and decoder shift at the same moments; both count the shifted
//! bytes, and the stored fallback of the stream rests on that count.

/// Bounds of the current range. The half that encoder and decoder share.
#[derive(Clone, Debug)]
struct Range {
    low: u32,
    high: u32,
}

impl Range {
    /// All code values, or those that do not begin with the byte 255.
    const fn new(spare_255: bool) -> Self {
        Self { low: 0, high: if spare_255 { 0xFEFF_FFFF } else { u32::MAX } }
    }

    /// The last code value that means 1.
    #[inline]
    fn split(&self, p1: u32) -> u32 {
        debug_assert!((1..65536).contains(&p1));
        let width = self.high - self.low;
        self.low + ((u64::from(width) * u64::from(p1)) >> 16) as u32
    }

    #[inline]
    fn take(&mut self, bit: bool, split: u32) {
        if bit {
            self.high = split;
        } else {
            self.low = split + 1;
        }
    }

    /// The next settled byte, if the top bytes agree.
    #[inline]
    fn shift(&mut self) -> Option<u8> {
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        let byte = (self.low >> 24) as u8;
        self.low <<= 8;
        self.high = (self.high << 8) | 255;
        Some(byte)
    }

    /// The shortest tail: `(value, bytes)` such that any code value that
    /// begins with these bytes lies in the range.
    fn tail(&self) -> (u32, usize) {
        for bytes in 1..4 {
            let rest = u32::MAX >> (8 * bytes);
            // Round low up to a value whose remaining bytes are zero.
            if let Some(value) = self.low.checked_add(rest) {
                let value = value & !rest;
                if value | rest <= self.high {
                    return (value, bytes);
                }
            }
        }
        (self.low, 4)
    }
}

/// Turns bits and their probabilities into bytes.
#[derive(Clone, Debug)]
pub(crate) struct BitEncoder {
    range: Range,
}

impl BitEncoder {
    /// Starts a code, on request one that does not begin with the byte 255.
    pub(crate) const fn new(spare_255: bool) -> Self {
        Self { range: Range::new(spare_255) }
    }

    /// Codes `bit`, given the probability `p1` (Q16) that it is 1, and hands
    /// settled bytes to `emit`: at most four.
    #[inline]
    pub(crate) fn encode(&mut self, bit: bool, p1: u32, mut emit: impl FnMut(u8)) {
        let split = self.range.split(p1);
        self.range.take(bit, split);
        while let Some(byte) = self.range.shift() {
            emit(byte);
        }
    }

    /// How many of the 2^32 code values the next bits have to choose from.
    pub(crate) fn range(&self) -> u64 {
        u64::from(self.range.high - self.range.low) + 1
    }

    /// Ends the code so that whatever follows it does not change its meaning.
    /// Returns the last bytes, big-endian from the top, and their number, 1 to
    /// 4.
    pub(crate) fn finish(&self) -> (u32, usize) {
        self.range.tail()
    }

    /// Ends the code for a decoder that reads zeros after it: 0 to 4 bytes.
    pub(crate) fn finish_before_zeros(&self) -> (u32, usize) {
        for bytes in 0..4 {
            let rest = u32::MAX.checked_shr(8 * bytes as u32).unwrap_or(0);
            if let Some(value) = self.range.low.checked_add(rest) {
                let value = value & !rest;
                if value <= self.range.high {
                    return (value, bytes);
                }
            }
        }
        (self.range.low, 4)
    }
}

/// Turns bytes and probabilities back into bits.
#[derive(Clone, Debug)]
pub(crate) struct BitDecoder {
    range: Range,
    code: u32,
}

impl BitDecoder {
    /// Starts from the first four bytes of the code.
    pub(crate) const fn new(code: u32, spare_255: bool) -> Self {
        Self { range: Range::new(spare_255), code }
    }

    /// Decodes a bit that is 1 with probability `p1` (Q16). Afterwards, and
    /// before anything else, bytes are due while [`Self::hungry`].
    #[inline]
    pub(crate) fn decode(&mut self, p1: u32) -> bool {
        let split = self.range.split(p1);
        let bit = self.code <= split;
        self.range.take(bit, split);
        bit
    }

    /// Whether the top byte is settled and the next one of the code is due.
    #[inline]
    pub(crate) fn hungry(&self) -> bool {
        (self.range.low ^ self.range.high) >> 24 == 0
    }

    /// Takes the next byte of the code.
    #[inline]
    pub(crate) fn feed(&mut self, byte: u8) {
        self.range.shift();
        self.code = (self.code << 8) | u32::from(byte);
    }

    /// How many of the four bytes it holds belong to the code, now that it has
    /// ended, and the ones after it, big-endian from the top.
    pub(crate) fn finish(&self) -> (usize, u32) {
        let (_, bytes) = self.range.tail();
        (bytes, self.code.checked_shl(8 * bytes as u32).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{vec, vec::Vec};

    /// A code of `bits` with probabilities, then decoded with `after` behind.
    fn round_trip(bits: &[(bool, u32)], after: u8) -> usize {
        let mut encoder = BitEncoder::new(false);
        let mut code = Vec::new();
        for &(bit, p1) in bits {
            encoder.encode(bit, p1, |byte| code.push(byte));
        }
        let (value, n) = encoder.finish();
        code.extend_from_slice(&value.to_be_bytes()[..n]);
        let len = code.len();

        let mut input = code.iter().copied().chain(core::iter::repeat(after));
        let mut next = || input.next().unwrap();
        let first = u32::from_be_bytes([next(), next(), next(), next()]);
        let mut decoder = BitDecoder::new(first, false);
        for &(bit, p1) in bits {
            assert_eq!(decoder.decode(p1), bit);
            while decoder.hungry() {
                decoder.feed(next());
            }
        }
        let (kept, rest) = decoder.finish();
        assert_eq!(kept, n);
        assert_eq!(rest.to_be_bytes()[..4 - n], [after; 4][..4 - n]);
        len
    }

    #[test]
    fn any_probability_any_tail() {
        let mut seed = 1u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        for length in 0..200 {
            let bits: Vec<_> = (0..length)
                .map(|_| match random() % 4 {
                    0 => (random() & 1 == 1, 1),
                    1 => (random() & 1 == 1, 65535),
                    _ => (random() & 1 == 1, 1 + random() % 65535),
                })
                .collect();
            for after in [0, 127, 255] {
                round_trip(&bits, after);
            }
        }
    }

    #[test]
    fn sure_bits_are_nearly_free() {
        // 8 million bits at p = 65535/65536 are worth 176 bits.
        let bits = vec![(true, 65535); 8_000_000];
        assert!(round_trip(&bits, 0) <= 24);
    }

    #[test]
    fn even_bits_cost_a_bit() {
        let bits: Vec<_> = (0..80_000u32).map(|i| (i.count_ones() & 1 == 1, 32768)).collect();
        assert!(round_trip(&bits, 0) <= 10_002);
    }
}
