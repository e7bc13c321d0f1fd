//! Unpacking of DEFLATE (RFC 1951), in memory.

use alloc::vec::Vec;

/// Adds to `out` what the stream at the start of `packed` holds; returns how many
/// bytes it takes. None if it is damaged, or `out` would have more than `most` bytes.
pub(crate) fn inflate(packed: &[u8], most: usize, out: &mut Vec<u8>) -> Option<usize> {
    let mut bits = Bits { bytes: packed, at: 0, bits: 0, count: 0 };
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                (bits.bits, bits.count) = (0, 0); // less than eight bits
                let &[a, b, c, d] = packed.get(bits.at..)?.first_chunk()?;
                let (len, inverted) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                if len != !inverted {
                    return None;
                }
                let begin = bits.at + 4;
                bits.at = begin + usize::from(len);
                out.extend_from_slice(packed.get(begin..bits.at)?);
            }
            1 => {
                let lengths = core::array::from_fn::<u8, 288, _>(|code| match code {
                    0..144 | 280.. => 8,
                    144..256 => 9,
                    _ => 7,
                });
                block(&mut bits, &Codes::new(&lengths)?, &Codes::new(&[5; 30])?, most, out)?;
            }
            2 => {
                let (literals, distances) = codes(&mut bits)?;
                block(&mut bits, &literals, &distances, most, out)?;
            }
            _ => return None,
        }
        if out.len() > most {
            return None;
        }
        if last {
            return Some(bits.at);
        }
    }
}

/// Bits of a stream, the lowest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    bits: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<usize> {
        while self.count < count {
            self.bits |= u32::from(*self.bytes.get(self.at)?) << self.count;
            self.at += 1;
            self.count += 8;
        }
        let value = self.bits & ((1 << count) - 1);
        self.bits >>= count;
        self.count -= count;
        Some(value as usize)
    }
}

/// A code: how many there are of each length, and what they stand for in order.
struct Codes {
    counts: [u16; 16],
    symbols: [u16; 288],
}

impl Codes {
    /// None if the lengths allow of more codes than there are.
    fn new(lengths: &[u8]) -> Option<Self> {
        let (mut counts, mut symbols) = ([0; 16], [0; 288]);
        lengths.iter().for_each(|&length| counts[usize::from(length)] += 1);
        counts[0] = 0;
        let mut free = 1;
        for &count in &counts[1..] {
            free = 2 * free - i32::from(count);
            if free < 0 {
                return None;
            }
        }
        let mut next = [0; 16];
        for length in 1..16 {
            next[length] = next[length - 1] + counts[length - 1];
        }
        for (symbol, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
            let place = &mut next[usize::from(length)];
            symbols[usize::from(*place)] = symbol as u16;
            *place += 1;
        }
        Some(Self { counts, symbols })
    }

    fn next(&self, bits: &mut Bits) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for &count in &self.counts[1..] {
            code |= bits.take(1)?;
            let count = usize::from(count);
            if code < first + count {
                return Some(usize::from(self.symbols[index + code - first]));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// The codes that a block tells of at its head.
fn codes(bits: &mut Bits) -> Option<(Codes, Codes)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
    let told = bits.take(4)? + 4;
    let mut lengths = [0; 19];
    for &code in &ORDER[..told] {
        lengths[code] = bits.take(3)? as u8;
    }
    let code_lengths = Codes::new(&lengths)?;
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code_lengths.next(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length as u8, 1),
        };
        lengths.resize(lengths.len() + times, length);
    }
    let (literals, distances) = lengths.get(..literals + distances)?.split_at(literals);
    (literals.len() <= 286).then_some((Codes::new(literals)?, Codes::new(distances)?))
}

fn block(
    bits: &mut Bits,
    literals: &Codes,
    distances: &Codes,
    most: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    while out.len() <= most {
        let code = literals.next(bits)?;
        if code < 256 {
            out.push(code as u8);
            continue;
        }
        let length = match code {
            256 => return Some(()),
            257..265 => code - 254,
            265..285 => {
                let extra = (code as u32 - 261) / 4;
                3 + ((4 + (code - 265) % 4) << extra) + bits.take(extra)?
            }
            285 => 258,
            _ => return None,
        };
        let distance = match distances.next(bits)? {
            code @ 0..4 => 1 + code,
            code @ 4..30 => {
                let extra = code as u32 / 2 - 1;
                1 + ((2 + code % 2) << extra) + bits.take(extra)?
            }
            _ => return None,
        };
        let begin = out.len().checked_sub(distance)?;
        for i in begin..begin + length {
            out.push(out[i]);
        }
    }
    None
}
