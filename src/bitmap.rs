//! Bitmaps: a pixel is told by the pixels around it.
//!
//! In data with records, which may be the rows of a picture, each bit has its
//! neighbours as a context: the bits before it, and those of the rows above, as in JBIG
//! (ITU-T T.82). Whole bytes are too coarse for that: the edge of a letter moves by a
//! pixel from row to row, and takes a byte's other bits to new values with it.

use crate::context::Recent;
use crate::logistic::stretch;
use crate::ngram::PHI;

/// Rows above that are looked at.
const ROWS: usize = 3;

/// The neighbours of a pixel.
struct Template {
    /// Pixels before it in its row.
    before: u32,
    /// How many pixels to the left and to the right of the same column count in the
    /// rows above, from the next one on.
    reach: &'static [u32],
}

/// The first is that of JBIG in three lines.
const TEMPLATES: [Template; 3] = [
    Template { before: 2, reach: &[2, 1] },
    Template { before: 4, reach: &[3, 2, 1] },
    Template { before: 6, reach: &[4, 3] },
];

/// Bytes of an entry: 13 bits of probability above a 3-bit count of pixels.
const ENTRY: usize = 2;

/// How far an entry moves by its count, Q16: close to averaging at first.
const RATE: [i32; 8] = [32768, 25206, 18204, 13107, 9362, 6553, 5041, 4096];

/// Largest input, a stretch in Q8.
const LIMIT: i32 = 9 << 8;

/// Bytes of the tables: for each template the log2 of its entries.
pub(crate) const fn bytes(log2s: &[u32]) -> usize {
    assert!(log2s.len() <= TEMPLATES.len());
    let mut bytes = 0;
    let mut i = 0;
    while i < log2s.len() {
        bytes += ENTRY << log2s[i];
        i += 1;
    }
    bytes
}

/// Sets all entries to one half.
#[inline(never)]
pub(crate) fn reset(tables: &mut [u8]) {
    tables.as_chunks_mut().0.fill((1u16 << 15).to_le_bytes());
}

/// One template at the next pixel. All have the same rows, but so levels without
/// templates have no state.
#[derive(Clone, Copy, Debug)]
struct Pixel {
    /// Of each row the byte above, between its neighbours.
    rows: [u32; ROWS],
    /// Number of its entry, from the first table on.
    entry: u32,
}

/// The first `P` templates of a level.
#[derive(Clone, Debug)]
pub(crate) struct Bitmap<const P: usize> {
    pixels: [Pixel; P],
    /// Whether there are rows.
    on: bool,
}

impl<const P: usize> Bitmap<P> {
    pub(crate) const NONE: Self =
        Self { pixels: [Pixel { rows: [0; ROWS], entry: 0 }; P], on: false };

    /// Finds the rows above a new byte.
    #[inline(never)]
    pub(crate) fn start_byte(&mut self, recent: &Recent, history: &[u8]) {
        let row = u32::from(recent.place.record);
        self.on = row > 1 && !recent.place.lines;
        if self.on {
            let byte = |at: u32| u32::from(history[at as usize & (history.len() - 1)]);
            let rows = [1, 2, 3].map(|n| {
                let at = recent.pos.wrapping_sub(row * n);
                byte(at.wrapping_sub(1)) << 16 | byte(at) << 8 | byte(at.wrapping_add(1))
            });
            self.pixels.iter_mut().for_each(|pixel| pixel.rows = rows);
        }
    }

    /// Whether the current byte has rows above it.
    #[inline(always)]
    pub(crate) fn has_rows(&self) -> bool {
        P > 0 && self.on
    }

    /// Input for the mixer where there are rows: 2 / (P + 1) of what the stretches of
    /// the templates sum up to. One input for all costs other data nothing.
    #[inline(always)]
    pub(crate) fn predict(&mut self, recent: &Recent, log2s: &[u32], tables: &[u8]) -> Option<i16> {
        if self.has_rows() { Some(self.look_around(recent, log2s, tables)) } else { None }
    }

    #[inline(never)]
    fn look_around(&mut self, recent: &Recent, log2s: &[u32], tables: &[u8]) -> i16 {
        let known = recent.bit_index;
        let before = (recent.bytes as u32) << known | (recent.partial & ((1 << known) - 1));
        let entries = tables.as_chunks().0;
        let mut base = 0;
        let mut sum = 0;
        for ((pixel, template), &log2) in self.pixels.iter_mut().zip(&TEMPLATES).zip(log2s) {
            let mut bits = template.before;
            let mut context = before & ((1 << bits) - 1);
            for (row, reach) in pixel.rows.iter().zip(template.reach) {
                let width = 2 * reach + 1;
                context = context << width | (row >> (15 - known - reach)) & ((1 << width) - 1);
                bits += width;
            }
            if bits > log2 {
                context = context.wrapping_mul(PHI) >> (32 - log2);
            }
            pixel.entry = base + context;
            base += 1 << log2;
            sum += i32::from(stretch(u16::from_le_bytes(entries[pixel.entry as usize]) & !7));
        }
        (sum * 2 / (P as i32 + 1)).clamp(-LIMIT, LIMIT) as i16
    }

    /// Learns the bit.
    #[inline(always)]
    pub(crate) fn update(&self, bit: bool, tables: &mut [u8]) {
        if self.has_rows() {
            self.learn(bit, tables);
        }
    }

    #[inline(never)]
    fn learn(&self, bit: bool, tables: &mut [u8]) {
        let entries = tables.as_chunks_mut().0;
        for pixel in &self.pixels {
            let entry = &mut entries[pixel.entry as usize];
            let word = u16::from_le_bytes(*entry);
            let (p, count) = (i32::from(word >> 3), word & 7);
            let rate = RATE[usize::from(count)];
            // Steps round away from zero.
            let step = if bit { ((8191 - p) * rate + 0xFFFF) >> 16 } else { (-p * rate) >> 16 };
            *entry = (((p + step) as u16) << 3 | (count + 1).min(7)).to_le_bytes();
        }
    }

    /// The nearest neighbours, eight bits of them, where there are rows.
    #[inline]
    pub(crate) fn nearest(&self) -> Option<u32> {
        self.pixels.first().filter(|_| self.has_rows()).map(|pixel| pixel.entry & 0xFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const LOG2S: &[u32] = &[10, 12, 12];
    const ROW: usize = 12;

    /// A picture of stripes, of which each row is a pixel further to the left.
    fn stripes(rows: usize) -> Vec<u8> {
        let pixel = |y: usize, x: usize| u8::from((x + y) % 23 < 9);
        (0..rows * ROW)
            .map(|i| (0..8).fold(0, |byte, k| byte << 1 | pixel(i / ROW, i % ROW * 8 + k)))
            .collect()
    }

    /// What has been seen, with a record length found.
    fn recent(pos: usize, history: &[u8]) -> Recent {
        let mut recent = Recent::new();
        recent.pos = pos as u32;
        recent.place.record = ROW as u16;
        recent.bytes = (1..=8).rev().fold(0, |bytes, i| {
            bytes << 8 | u64::from(if pos >= i { history[pos - i] } else { 0 })
        });
        recent
    }

    fn start(bitmap: &mut Bitmap<3>, pos: usize, history: &[u8]) -> Recent {
        let recent = recent(pos, history);
        bitmap.start_byte(&recent, history);
        recent
    }

    #[test]
    fn a_moving_edge_is_learned() {
        let mut tables = vec![0; bytes(LOG2S)];
        reset(&mut tables);
        let mut history = stripes(128);
        history.resize(2048, 0);
        let mut bitmap = Bitmap::<3>::NONE;
        let mut right = 0;
        for pos in 0..128 * ROW {
            let mut recent = start(&mut bitmap, pos, &history);
            for k in 0..8 {
                let bit = history[pos] >> (7 - k) & 1 == 1;
                let x = bitmap.predict(&recent, LOG2S, &tables).expect("rows");
                right += usize::from(pos >= 64 * ROW && (x > 0) == bit);
                bitmap.update(bit, &mut tables);
                recent.partial = recent.partial << 1 | u32::from(bit);
                recent.bit_index += 1;
            }
        }
        // All but what comes in from the right.
        assert!(right > 64 * ROW * 8 * 98 / 100, "{right}");
    }

    #[test]
    fn neighbours_are_where_they_should_be() {
        let history: Vec<u8> = (0..1024u32).map(|i| (i.wrapping_mul(PHI) >> 24) as u8).collect();
        let tables = vec![0; bytes(LOG2S)];
        let mut bitmap = Bitmap::<3>::NONE;
        let pixel = |i: usize| u32::from(history[i / 8] >> (7 - i % 8) & 1);
        for pos in [500, 501, 777] {
            let mut recent = start(&mut bitmap, pos, &history);
            for k in 0..8 {
                bitmap.predict(&recent, LOG2S, &tables).expect("rows");
                let at = pos * 8 + k;
                let mut expected = pixel(at - 2) << 1 | pixel(at - 1);
                for (row, reach) in [(1, 2), (2, 1)] {
                    for i in at - row * ROW * 8 - reach..=at - row * ROW * 8 + reach {
                        expected = expected << 1 | pixel(i);
                    }
                }
                assert_eq!(bitmap.pixels[0].entry, expected, "{k}");
                recent.partial = recent.partial << 1 | pixel(at);
                recent.bit_index += 1;
            }
        }
    }

    #[test]
    fn certainty_is_reached_and_left_again() {
        let mut tables = vec![0; bytes(LOG2S)];
        reset(&mut tables);
        let history = vec![0; 1024];
        let mut bitmap = Bitmap::<3>::NONE;
        let recent = start(&mut bitmap, 500, &history);
        let mut learn = |bit, times| {
            (0..times).for_each(|_| {
                bitmap.predict(&recent, LOG2S, &tables);
                bitmap.update(bit, &mut tables);
            });
            bitmap.predict(&recent, LOG2S, &tables).expect("rows")
        };
        assert_eq!(learn(true, 1000), LIMIT as i16);
        assert!(learn(false, 4) < LIMIT as i16 / 2);
        assert_eq!(learn(false, 1000), -LIMIT as i16);
    }

    #[test]
    fn lines_have_no_pixels() {
        let mut bitmap = Bitmap::<3>::NONE;
        let history = vec![0; 1024];
        let mut recent = start(&mut bitmap, 500, &history);
        assert!(bitmap.nearest().is_some());
        recent.place.lines = true;
        bitmap.start_byte(&recent, &history);
        assert_eq!(bitmap.nearest(), None);
        assert_eq!(bitmap.predict(&recent, LOG2S, &[]), None);
    }
}
