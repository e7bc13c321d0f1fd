//! What each byte costs at a level.

use std::ops::Range;

use statesmix::{Encoder, Error, Heap, Level, Options};

use super::super::codec::PIECE;

/// The costs of all bytes of a content.
#[derive(Debug)]
pub(crate) struct Costs {
    pub(crate) level: Level,
    /// Up to each byte, in bits; one more than there are bytes.
    sums: Vec<f64>,
    /// What the parts of the model said at the first bit of each byte, in
    /// [`PARTS`] order, summed up over each of the [`STEP`]s.
    evidence: Vec<[u64; PARTS.len()]>,
}

/// The parts of the model.
pub(super) const PARTS: [&str; 4] = ["n-grams", "repeats", "state space", "numbers"];

/// Bytes of a step of the evidence.
const STEP: usize = 64;

impl Costs {
    /// Compresses the content, and tells now and then how much of it is done.
    pub(super) fn of(
        content: &[u8],
        level: Level,
        mut tell: impl FnMut(u64),
    ) -> Result<Self, Error> {
        let options = Options::new(level).checksum(false).content_size(content.len() as u64);
        let options = options.pretrained_for(content);
        let mut encoder: Encoder<_> = Encoder::new(options, Heap::new())?;
        // More than a byte of content takes, with the header.
        let mut code = [0; 128];
        encoder.encode(&[], &mut code)?;
        let mut written = 0;
        let mut sums = Vec::with_capacity(content.len() + 1);
        sums.push(0.0);
        let mut evidence = vec![[0; PARTS.len()]; content.len().div_ceil(STEP)];
        for (i, byte) in content.iter().enumerate() {
            let said = encoder.evidence();
            let sums_of_step = &mut evidence[i / STEP];
            let parts = [said.ngrams, said.repeats, said.state_space, said.residuals];
            for (sum, part) in sums_of_step.iter_mut().zip(parts) {
                *sum += u64::from(part);
            }
            written += encoder.encode(std::slice::from_ref(byte), &mut code)?.produced;
            sums.push(8.0 * written as f64 + 32.0 - (encoder.code_range() as f64).log2());
            if i % PIECE == 0 {
                tell(i as u64);
            }
        }
        Ok(Self { level, sums, evidence })
    }

    /// The cost of some of the bytes, in bits.
    pub(super) fn bits(&self, bytes: Range<usize>) -> f64 {
        self.sums[bytes.end] - self.sums[bytes.start]
    }

    /// Bits a byte.
    pub(super) fn mean(&self, bytes: Range<usize>) -> f64 {
        let len = bytes.len().max(1) as f64;
        self.bits(bytes) / len
    }

    /// The shares of the parts, in percent, in what is said of these bytes, whose
    /// ends are rounded to steps.
    pub(super) fn shares(&self, bytes: Range<usize>) -> [f64; PARTS.len()] {
        let steps = bytes.start / STEP..bytes.end.div_ceil(STEP);
        let mut sums = [0u64; PARTS.len()];
        for step in &self.evidence[steps] {
            sums.iter_mut().zip(step).for_each(|(sum, part)| *sum += part);
        }
        let all = sums.iter().sum::<u64>().max(1) as f64;
        sums.map(|sum| sum as f64 * 100.0 / all)
    }

    /// All of them, in bytes, which is the size of the frame but for its header.
    pub(super) fn total(&self) -> f64 {
        self.sums[self.sums.len() - 1] / 8.0
    }
}

/// The cost of the content, in bits, to one who only counts the bytes that came
/// before, apart for each of the `order` (0 or 1) bytes before them.
pub(super) fn by_frequency(content: &[u8], order: usize) -> f64 {
    let mut counts = vec![[0u32; 256]; 1 << (8 * order)];
    let mut totals = vec![0u32; counts.len()];
    let mut context = 0;
    let mut bits = 0.0;
    for &byte in content {
        let count = &mut counts[context][usize::from(byte)];
        // As if each byte had been seen a little already.
        const LITTLE: f64 = 0.05;
        let p = (f64::from(*count) + LITTLE) / (f64::from(totals[context]) + 256.0 * LITTLE);
        bits -= p.log2();
        *count += 1;
        totals[context] += 1;
        context = if order == 0 { 0 } else { byte.into() };
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_up_to_the_frame() {
        let content: Vec<u8> = (0..20_000u32).map(|i| ((i * i) >> 7) as u8).collect();
        for level in [0, 2].map(|number| Level::new(number).unwrap()) {
            let costs = Costs::of(&content, level, |_| ()).unwrap();
            let frame = statesmix::compress(&content, level).unwrap();
            // The header with its size, and the checksum.
            let rest = frame.len() as f64 - 8.0 - 4.0 - costs.total();
            assert!((-0.01..2.0).contains(&rest), "{rest}");
            let parts = costs.bits(0..7000) + costs.bits(7000..20_000);
            assert!((parts / 8.0 - costs.total()).abs() < 0.01);
            let shares = costs.shares(100..20_000);
            assert!((shares.iter().sum::<f64>() - 100.0).abs() < 0.01);
            assert!(shares[0] > 1.0 && shares[2] == 0.0, "{shares:?}");
        }
    }

    #[test]
    fn frequencies() {
        assert!(by_frequency(&[7; 10_000], 0) < 300.0);
        let alternating: Vec<u8> = (0..10_000).map(|i| (i % 2) as u8).collect();
        assert!((9_900.0..10_300.0).contains(&by_frequency(&alternating, 0)));
        assert!(by_frequency(&alternating, 1) < 300.0);
    }
}
