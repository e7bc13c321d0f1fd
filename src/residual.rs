//! Residuals: bytes of numbers, predicted from the same field of earlier records,
//! and how far they turn out to be off.
//!
//! A context of the n-gram tables learns each value by itself. Of a number what
//! comes again is not the value but its distance from a simple prediction, so that
//! is counted: a histogram for each class of situations, over all distances modulo
//! 256, the far ones sixteen to a bin.
//! The predictors are the first two of Shorten (Robinson, 1994): the number before,
//! and the straight line through the two before. The probability of a bit is the
//! share of the values with a 1 among those the byte can still have.
//!
//! Where the field stood before is known from the record length, or for messages
//! of varying length from the match model that keeps to its record.

use crate::context::Recent;
use crate::logistic::stretch;
use crate::matching::Match;

/// What a byte is expected to be. Numbers have four bytes, of which the expected
/// one is the last: in the first five kinds the highest, so the ones below it are
/// known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guess {
    /// As in the record that the last match model follows.
    Echo,
    /// On the straight line through that record and the one before it.
    EchoLine,
    /// The same, with half the classes: only whether the line was off before counts,
    /// not which way.
    EchoLineCoarse,
    /// As one record length before.
    Record,
    /// On the straight line through the numbers one and two record lengths before.
    RecordLine,
    /// As [`Guess::EchoLine`], of numbers with their highest byte first.
    EchoLineBig,
    /// The byte above, and the difference of the ones to the left.
    Gradient,
}

impl Guess {
    /// Classes, a histogram each.
    const fn classes(self) -> usize {
        match self {
            Self::Gradient => 4,
            Self::EchoLineCoarse => 16,
            _ => 32,
        }
    }
}

/// Bins of a histogram: seven of sixteen distances, from -128 on; one each for those
/// from -16 to 15; seven of sixteen.
const BINS: usize = FAR + NEAR + FAR;
const NEAR: usize = 32;
const FAR: usize = 7;

/// What a distance counts for, beside one for each of a bin at the beginning.
const COUNT: u16 = 32;
/// Sum of a histogram at which its counts are halved.
const LIMIT: u16 = 8000;
/// What has less than this part of a histogram is not told apart any further.
const UNLIKELY: u16 = 64;

/// Bytes of a turn: where, and how far back the record is from there on.
const TURN: usize = 8;

/// Bytes of the trail: the last times that the followed record changed, in a history
/// of 2^`history` bytes.
pub(crate) const fn trail(guesses: &[Guess], history: u32) -> usize {
    match guesses {
        [] => 0,
        _ if history <= 12 => 64 * TURN,
        _ if history <= 14 => 128 * TURN,
        _ => 512 * TURN,
    }
}

/// Bytes of the table: for each guess what the bins before each bin of its histogram
/// sum up to; then the histograms.
pub(crate) const fn bytes(guesses: &[Guess]) -> usize {
    let mut histograms = guesses.len();
    let mut i = 0;
    while i < guesses.len() {
        histograms += guesses[i].classes();
        i += 1;
    }
    histograms * size_of::<Bins>()
}

type Bins = [[u8; 2]; BINS];

/// Distances of a bin.
fn width(bin: usize) -> u16 {
    if (FAR..FAR + NEAR).contains(&bin) { 1 } else { 16 }
}

/// Begins all histograms with a 1 for each distance.
#[inline(never)]
pub(crate) fn reset(table: &mut [u8]) {
    for (i, count) in table.as_chunks_mut().0.iter_mut().enumerate() {
        *count = width(i % BINS).to_le_bytes();
    }
}

/// The bin of the distance `x` - 128, and where in it.
fn bin(x: usize) -> (usize, usize) {
    match x {
        0..112 => (x / 16, x % 16),
        112..144 => (x - 112 + FAR, 0),
        _ => ((x - 144) / 16 + FAR + NEAR, x % 16),
    }
}

/// Sum of the counts of the first `x` distances, from -128 on, and from 256 on again.
/// All differ, for no bin counts less than it is wide.
fn sum(sums: &Bins, total: u16, x: usize) -> u16 {
    let (bin, sixteenths) = bin(x % 256);
    let sum = u16::from_le_bytes(sums[bin]);
    let next = sums.get(bin + 1).map_or(total, |&next| u16::from_le_bytes(next));
    let part = u32::from(next.wrapping_sub(sum)) * sixteenths as u32 / 16;
    let around = if x < 256 { 0 } else { total };
    sum.wrapping_add(part as u16).wrapping_add(around)
}

/// A guess for the current byte.
#[derive(Clone, Copy, Debug)]
struct Expected {
    /// Number of the histogram.
    histogram: u16,
    /// Its sum, or 0 without a guess.
    total: u16,
    /// The distance of the byte 0, plus 128.
    origin: u8,
    /// Sums up to the first value that the byte can still have, to the first of them
    /// whose next bit is 1, and to the end of them.
    low: u16,
    middle: u16,
    high: u16,
}

/// The guesses of a level. Sums wrap around, but only where a forged dictionary has
/// histograms that none of them leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct Residuals<const D: usize> {
    expected: [Expected; D],
    /// Number of turns so far.
    turns: u32,
}

impl<const D: usize> Residuals<D> {
    pub(crate) const NONE: Self = Self {
        expected: [Expected { histogram: 0, total: 0, origin: 0, low: 0, middle: 0, high: 0 }; D],
        turns: 0,
    };

    /// Passes what is known between two bytes through `carry`.
    #[inline(never)]
    pub(crate) fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        if D > 0 {
            self.turns = carry(self.turns);
        }
    }

    /// Makes no guess for a new byte.
    pub(crate) fn silence(&mut self) {
        self.expected = Self::NONE.expected;
    }

    /// Sets up the guesses for a new byte.
    pub(crate) fn start_byte(
        &mut self,
        guesses: &[Guess],
        recent: &Recent,
        echo: Option<&Match>,
        history: &[u8],
        trail: &mut [u8],
        table: &mut [u8],
    ) {
        let (trail, _) = trail.as_chunks_mut();
        let (sums, histograms) = Self::parts(table);
        let pos = recent.pos;
        // The four bytes that end at a place, the last one highest.
        let number = |at: u32| {
            u32::from_le_bytes(core::array::from_fn(|i| {
                history[at.wrapping_sub(3 - i as u32) as usize & (history.len() - 1)]
            }))
        };
        let known = (recent.bytes as u32).swap_bytes() >> 8;
        let echo = echo.and_then(Match::at).map(|at| {
            self.note(trail, pos, pos.wrapping_sub(at));
            let before = self.before(trail, pos, at);
            let first = number(at);
            let second = before.map_or(first, number);
            let third = before.and_then(|at| self.before(trail, pos, at)).map_or(second, number);
            [first, second, third]
        });
        let record = u32::from(recent.place.record);
        let record = (record > 1)
            .then(|| [1, 2, 3].map(|n| number(pos.wrapping_sub(record.wrapping_mul(n)))));

        let mut base = 0;
        let slots = self.expected.iter_mut().zip(sums);
        for ((expected, sums), &guess) in slots.zip(guesses) {
            let found = match guess {
                Guess::Echo => echo.map(|before| hold(before, known)),
                Guess::EchoLine => echo.map(|before| line(before, known)),
                Guess::EchoLineCoarse => echo.map(|before| coarse(line(before, known))),
                Guess::Record => record.map(|before| hold(before, known)),
                Guess::RecordLine => record.map(|before| line(before, known)),
                Guess::EchoLineBig => {
                    echo.map(|before| line_big(before.map(u32::swap_bytes), known))
                }
                Guess::Gradient => Some((recent.gradient(), clip(i32::from(recent.slope() as i8)))),
            };
            (expected.total, expected.low, expected.high) = (0, 0, 0);
            if let Some((byte, class)) = found {
                expected.histogram = (base + class) as u16;
                for (sum, &count) in sums.iter_mut().zip(&histograms[base + class]) {
                    *sum = expected.total.to_le_bytes();
                    expected.total = expected.total.wrapping_add(u16::from_le_bytes(count));
                }
                expected.origin = 128u8.wrapping_sub(byte);
                expected.low = sum(sums, expected.total, expected.origin.into());
                expected.high = expected.low.wrapping_add(expected.total);
            }
            base += guess.classes();
        }
    }

    /// The parts of the table.
    fn parts(table: &mut [u8]) -> (&mut [Bins], &mut [Bins]) {
        table.as_chunks_mut().0.as_chunks_mut().0.split_at_mut(D)
    }

    /// Remembers from where on the record that lies `distance` back is followed.
    fn note(&mut self, trail: &mut [[u8; TURN]], pos: u32, distance: u32) {
        let (_, last) = turn(trail[self.turns as usize % trail.len()]);
        if last != distance {
            self.turns = self.turns.wrapping_add(1);
            trail[self.turns as usize % trail.len()] =
                (u64::from(distance) << 32 | u64::from(pos)).to_le_bytes();
        }
    }

    /// The place that was followed when the bytes went as far as `at`.
    fn before(&self, trail: &[[u8; TURN]], pos: u32, at: u32) -> Option<u32> {
        let age = pos.wrapping_sub(at);
        // The latest turn that is as old as that: how many turns back.
        let turns = trail.len().min(self.turns as usize);
        let back = |n: usize| turn(trail[(self.turns as usize).wrapping_sub(n) % trail.len()]);
        let older = |n: usize| pos.wrapping_sub(back(n).0) >= age;
        // Mostly it is the latest.
        let (mut least, mut most) = (0, if turns > 0 && older(0) { 0 } else { turns });
        while least < most {
            let middle = (least + most) / 2;
            if older(middle) {
                most = middle;
            } else {
                least = middle + 1;
            }
        }
        (least < turns).then(|| at.wrapping_sub(back(least).1))
    }

    /// Inputs for the mixer, the stretch of each guess, 0 without one.
    #[inline]
    pub(crate) fn predict(
        &mut self,
        partial: u32,
        bit_index: u32,
        table: &[u8],
        inputs: &mut [i16],
    ) {
        let sums: &[Bins] = table.as_chunks().0.as_chunks().0;
        // The first value with a 1.
        let first = ((partial << 1 | 1) << (7 - bit_index)) as usize & 255;
        for ((expected, sums), input) in self.expected.iter_mut().zip(sums).zip(inputs) {
            *input = 0;
            let mass = expected.high.wrapping_sub(expected.low);
            expected.middle = expected.low;
            if mass > expected.total / UNLIKELY {
                let x = usize::from(expected.origin) + first;
                expected.middle = sum(sums, expected.total, x);
                let ones = u32::from(expected.high.wrapping_sub(expected.middle));
                // No count is 0, so neither bit is certain.
                *input = stretch(((ones << 16) / u32::from(mass)) as u16);
            }
        }
    }

    /// Learns the bit.
    #[inline]
    pub(crate) fn update(&mut self, bit: bool) {
        for expected in &mut self.expected {
            if bit {
                expected.low = expected.middle;
            } else {
                expected.high = expected.middle;
            }
        }
    }

    /// Learns how far the guesses were off.
    pub(crate) fn end_byte(&self, byte: u8, table: &mut [u8]) {
        let (_, histograms) = Self::parts(table);
        for expected in self.expected.iter().filter(|expected| expected.total > 0) {
            let bins = &mut histograms[usize::from(expected.histogram)];
            let count = &mut bins[bin(expected.origin.wrapping_add(byte).into()).0];
            *count = u16::from_le_bytes(*count).wrapping_add(COUNT).to_le_bytes();
            if expected.total > LIMIT - COUNT {
                for (i, count) in bins.iter_mut().enumerate() {
                    *count = (u16::from_le_bytes(*count) / 2).max(width(i)).to_le_bytes();
                }
            }
        }
    }
}

/// Place and distance of a turn.
fn turn(entry: [u8; TURN]) -> (u32, u32) {
    let entry = u64::from_le_bytes(entry);
    (entry as u32, (entry >> 32) as u32)
}

/// A distance, at most 1, as a part of a class.
fn clip(distance: i32) -> usize {
    distance.clamp(-1, 1) as usize & 3
}

/// The highest byte of the number that is nearest to `expected`, given its lower
/// bytes `known`; and where `expected` lies between that number and the next, in
/// eighths.
fn nearest(expected: u32, known: u32) -> (u8, usize) {
    let x = expected.wrapping_sub(known).wrapping_add(1 << 23);
    ((x >> 24) as u8, (x >> 21) as usize & 7)
}

/// The byte and the class for a number expected to be as `expected`; the class also
/// tells how the same guess did in the record before, `expected_then` for `then`.
fn guess(expected: u32, known: u32, expected_then: u32, then: u32) -> (u8, usize) {
    let (byte, eighths) = nearest(expected, known);
    let off = ((then >> 24) as u8).wrapping_sub(nearest(expected_then, then & 0xFF_FFFF).0);
    (byte, eighths * 4 + clip(i32::from(off as i8)))
}

/// The number before, of three.
fn hold([first, second, _]: [u32; 3], known: u32) -> (u8, usize) {
    guess(first, known, second, first)
}

/// The straight line through `first` and, one record earlier, `second`.
fn straight(first: u32, second: u32) -> u32 {
    first.wrapping_mul(2).wrapping_sub(second)
}

fn line([first, second, third]: [u32; 3], known: u32) -> (u8, usize) {
    guess(straight(first, second), known, straight(second, third), first)
}

/// Without the direction of the error in the record before.
fn coarse((byte, class): (u8, usize)) -> (u8, usize) {
    (byte, class / 4 * 2 + class % 2)
}

/// The same as [`line`], highest byte first: the class tells how far off the bytes so
/// far are, and the whole number before was.
fn line_big([first, second, third]: [u32; 3], known: u32) -> (u8, usize) {
    let expected = straight(first, second);
    // Of 24 bits.
    let off = (known.swap_bytes() >> 8).wrapping_sub(expected >> 8);
    let then = first.wrapping_sub(straight(second, third));
    (expected as u8, clip((off << 8) as i32 >> 8) * 4 + clip(then as i32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// Numbers of three records, the newest first.
    fn records(numbers: [i64; 3]) -> [u32; 3] {
        numbers.map(|number| number as u32)
    }

    #[test]
    fn a_line_goes_on() {
        // 3,000 a record, through a carry into the highest byte, and back.
        let [x1, x2, x3, next] = [0x4FF_F000i64, 0x4FF_E448, 0x4FF_D890, 0x4FF_FBB8];
        for sign in [1, -1] {
            let known = (sign * next) as u32 & 0xFF_FFFF;
            let (byte, class) = line(records([sign * x1, sign * x2, sign * x3]), known);
            assert_eq!(u32::from(byte), (sign * next) as u32 >> 24);
            // In the middle between two numbers, and right the last time.
            assert_eq!(class, 4 * 4);
        }
        // Off by one the last time, either way.
        for then in [0x500_0000, 0x300_0000] {
            let before = records([then, 0x400_0000 - 3000, 0x400_0000 - 6000]);
            let (_, fine) = line(before, 0);
            assert_eq!(coarse((0, fine)).1 % 2, 1);
        }
        let (byte, class) = line_big(records([x1, x2, x3]), (next as u32 >> 8).swap_bytes() >> 8);
        assert_eq!((byte, class), (next as u8, 0));
    }

    #[test]
    fn the_number_held_takes_the_carry() {
        // 0x12FF then 0x1302, of which the lower byte is known.
        let (byte, class) = hold([0x12FF_0000, 0x12FD_0000, 0x12FB_0000], 0x02_0000);
        assert_eq!((byte, class), (0x13, 3 * 4));
    }

    #[test]
    fn all_values_have_their_share() {
        let mut table = vec![0; bytes(&[Guess::Gradient])];
        reset(&mut table);
        let mut residuals = Residuals::<1>::NONE;
        let (mut recent, history) = (Recent::new(), vec![0; 8]);
        let mut inputs = [0];
        for round in 0..2000u32 {
            recent.bytes = u64::from(round * 77);
            let byte = (round * round / 8) as u8;
            let start = |residuals: &mut Residuals<1>, table: &mut Vec<u8>| {
                residuals.start_byte(&[Guess::Gradient], &recent, None, &history, &mut [], table);
            };
            let mut sum = 0;
            let mut coded = |byte: u32| {
                start(&mut residuals, &mut table);
                for k in 0..8 {
                    let partial = 256 >> (8 - k) | byte >> (8 - k);
                    residuals.predict(partial, k, &table, &mut inputs);
                    let [expected] = residuals.expected;
                    // What is unlikely is left alone, all of it to the ones.
                    if expected.middle == expected.low {
                        return 0;
                    }
                    assert!(expected.low < expected.middle && expected.middle < expected.high);
                    residuals.update(byte >> (7 - k) & 1 == 1);
                }
                let [expected] = residuals.expected;
                u32::from(expected.high - expected.low)
            };
            if round % 100 == 0 {
                sum = (0..256).map(&mut coded).sum();
            }
            coded(byte.into());
            let total = residuals.expected[0].total;
            assert!((256..=LIMIT).contains(&total) && sum <= total.into());
            residuals.end_byte(byte, &mut table);
        }
    }

    #[test]
    fn the_trail_leads_two_records_back() {
        let trail = &mut [[0; TURN]; 512];
        let mut residuals = Residuals::<1>::NONE;
        // Records of many lengths, each followed in the one before it.
        let mut starts = vec![0u32];
        for i in 0..600u32 {
            let start = starts[starts.len() - 1] + 20 + i * i % 31;
            let before = starts[starts.len() - 1];
            residuals.note(trail, start, start - before);
            for offset in [0, 7, 19] {
                let (at, pos) = (before + offset, start + offset);
                let expected = starts.len().checked_sub(2).map(|n| starts[n] + offset);
                assert_eq!(residuals.before(trail, pos, at), expected, "{i}");
            }
            starts.push(start);
        }
        // What is older than the trail is not known.
        let pos = starts[starts.len() - 1];
        assert_eq!(residuals.before(trail, pos, starts[10]), None);
    }
}
