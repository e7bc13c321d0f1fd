//! What in a content comes again: at which distance, and with which period.

use std::ops::Range;

/// Shorter ones are chance.
pub(super) const SHORTEST: usize = 8;

/// Distances that the repeats are sorted by: below each, and at last any.
pub(super) const DISTANCES: [usize; 8] =
    [1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22];

/// How many bytes go on what is at least [`SHORTEST`] bytes long and was there
/// before, by the distance to it.
pub(super) fn by_distance(content: &[u8]) -> [usize; DISTANCES.len() + 1] {
    const LOG2: u32 = 20;
    let mut last = vec![0usize; 1 << LOG2];
    let mut bytes = [0; DISTANCES.len() + 1];
    let mut from = 0; // where the repeat goes on; 0 for none
    for i in SHORTEST..content.len() {
        let recent = &content[i - SHORTEST..i];
        let hash = recent.iter().fold(0u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
        });
        let place = &mut last[(hash >> (64 - LOG2)) as usize];
        if from == 0 && *place > 0 && content[*place - SHORTEST..*place] == *recent {
            from = *place;
        }
        *place = i;
        if from > 0 && content[from] == content[i] {
            let class = DISTANCES.iter().position(|&distance| i - from < distance);
            bytes[class.unwrap_or(DISTANCES.len())] += 1;
            from += 1;
        } else {
            from = 0;
        }
    }
    bytes
}

/// The longest period looked for.
pub(super) const LONGEST: usize = 512;

/// For each distance below [`LONGEST`], the share of bytes that are what they
/// were as far back. Of 0 it is 0.
pub(super) fn same(content: &[u8]) -> Vec<f64> {
    const ENOUGH: usize = 1 << 20;
    let content = &content[..content.len().min(ENOUGH)];
    (0..LONGEST)
        .map(|back| match content.get(back..) {
            Some(later) if back > 0 && !later.is_empty() => {
                let same = later.iter().zip(content).filter(|(a, b)| a == b).count();
                same as f64 / later.len() as f64
            }
            _ => 0.0,
        })
        .collect()
}

/// The length of the records that the content looks made of, by the shares of
/// [`same`]: a distance that stands out, the shortest of those that are as good.
pub(super) fn period(same: &[f64]) -> Option<usize> {
    let mut sorted = same.to_vec();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[sorted.len() / 2];
    let best = sorted[sorted.len() - 1];
    // Neither runs of one byte nor a text.
    if best < usual + 0.1 {
        return None;
    }
    let good = usual + (best - usual) * 0.8;
    let period = (2..same.len()).find(|&back| same[back] >= good)?;
    // A true period comes again at its multiples.
    let again = same.get(2 * period).is_none_or(|&twice| twice > usual + (best - usual) / 2.0);
    again.then_some(period)
}

/// Whether the records of this length begin where the content does and go on
/// without a break, so that each column has values of its own: then the bytes
/// are less mixed in its columns than in those of another length.
pub(super) fn in_columns(content: &[u8], period: usize) -> bool {
    let mixed = |period: usize| {
        let columns =
            (0..period).map(|column| entropy(content.iter().skip(column).step_by(period)));
        columns.sum::<f64>()
    };
    mixed(period) < 0.95 * mixed(period + 1)
}

/// The bits that it takes to tell the bytes apart by how often they come.
fn entropy<'a>(bytes: impl Iterator<Item = &'a u8>) -> f64 {
    let mut counts = [0u32; 256];
    bytes.for_each(|&byte| counts[usize::from(byte)] += 1);
    let total = f64::from(counts.iter().sum::<u32>());
    let seen = counts.into_iter().filter(|&count| count > 0).map(f64::from);
    seen.map(|count| -count * (count / total).log2()).sum()
}

/// Equal parts of a content, as many as asked for, or fewer if it is short.
pub(super) fn parts(len: usize, count: usize) -> Vec<Range<usize>> {
    let count = count.min(len).max(1);
    (0..count).map(|i| len * i / count..len * (i + 1) / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(len: usize) -> Vec<u8> {
        let mut seed = 1u64;
        (0..len)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            })
            .collect()
    }

    #[test]
    fn repeats_are_found_at_their_distance() {
        let once = random(3000);
        assert_eq!(by_distance(&once).iter().sum::<usize>(), 0);
        let bytes = by_distance(&[&once[..], &once].concat());
        assert_eq!(bytes[2], 3000 - SHORTEST);
        assert_eq!(bytes.iter().sum::<usize>(), 3000 - SHORTEST);
        by_distance(b"");
    }

    #[test]
    fn records_are_found_by_their_length() {
        let noise = random(40_000);
        assert_eq!(period(&same(&noise)), None);
        assert_eq!(period(&same(&[0; 5000])), None);
        assert_eq!(period(&same(b"short")), None);
        for length in [5, 24, 200] {
            let records: Vec<u8> = noise
                .iter()
                .enumerate()
                .map(|(i, &byte)| if i % length < 3 { (i % length) as u8 + 100 } else { byte })
                .map(|byte| if byte > 250 { 0 } else { byte })
                .collect();
            let found = period(&same(&records));
            // Of long records too little is the same to stand out.
            assert!(found == Some(length) || length == 200 && found.is_none(), "{found:?}");
            assert_eq!(in_columns(&records, length), length < 200);
            assert!(!in_columns(&records, length + 1));
        }
    }

    #[test]
    fn parts_cover_all() {
        for len in [0, 1, 5, 100, 101] {
            let parts = parts(len, 10);
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, len));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }
}
