//! The inner loops of the library for processors with AVX2: the only module with `unsafe`.
//!
//! A library without `unsafe` cannot ask the processor what it has. The command does, at its
//! start, and hands these over. They make the same numbers as the loops of the library on
//! lanes twice as wide, which takes an eighth of the time off at level 6.
//!
//! `unsafe` is used for two things: to call functions that need AVX2 where it is known to be
//! there, and to load and store vectors by references to as many bytes, which every address
//! is good for.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_srai_epi32,
    _mm256_storeu_si256, _mm256_unpackhi_epi16, _mm256_unpacklo_epi16, _mm256_xor_si256,
};
use statesmix::kernels::{self, Kernels, Vector, WIDE};

/// Has the library use these loops if the processor can.
pub(crate) fn install() {
    if std::is_x86_feature_detected!("avx2") {
        kernels::install(KERNELS);
    }
}

/// Only for processors with AVX2.
const KERNELS: Kernels = Kernels {
    // SAFETY: they are installed where AVX2 is there, nowhere else.
    product: |weights, inputs, sums| unsafe { product(weights, inputs, sums) },
    outer: |inputs, gradients, stride, sums| unsafe { outer(inputs, gradients, stride, sums) },
    embed: |a, b, weights, sums| unsafe { embed(a, b, weights, sums) },
};

/// Vectors of a wide model's sums.
const SUMS: usize = WIDE / 8;

#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes, on any address.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn load_sums(sums: &[i32; 8]) -> __m256i {
    // SAFETY: 32 bytes, on any address.
    unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store_sums(sums: &mut [i32; 8], x: __m256i) {
    // SAFETY: 32 bytes, on any address.
    unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), x) }
}

/// Two numbers in all lanes.
#[target_feature(enable = "avx2")]
fn pair(a: i16, b: i16) -> __m256i {
    _mm256_set1_epi32(i32::from(a as u16) | i32::from(b) << 16)
}

/// See [`Kernels::product`].
#[target_feature(enable = "avx2")]
fn product(weights: &[u8], inputs: &[i16; WIDE], sums: &mut [i32; WIDE]) {
    const GROUP: usize = 16;
    let rows = weights.as_chunks::<{ WIDE * 4 }>().0;
    for (rows, inputs) in rows.chunks(GROUP / 2).zip(inputs.as_chunks::<GROUP>().0) {
        let mut lanes = [_mm256_setzero_si256(); SUMS];
        for (row, &[a, b]) in rows.iter().zip(inputs.as_chunks().0) {
            let pair = pair(a, b);
            for (lanes, weights) in lanes.iter_mut().zip(row.as_chunks().0) {
                *lanes = _mm256_add_epi32(*lanes, _mm256_madd_epi16(load(weights), pair));
            }
        }
        for (sums, lanes) in sums.as_chunks_mut().0.iter_mut().zip(lanes) {
            store_sums(sums, _mm256_add_epi32(load_sums(sums), _mm256_srai_epi32(lanes, 5)));
        }
    }
}

/// See [`Kernels::outer`].
#[target_feature(enable = "avx2")]
fn outer(inputs: &[u8], gradients: &[u8], stride: usize, sums: &mut [i32; WIDE]) -> i32 {
    let mut lanes = [_mm256_setzero_si256(); SUMS];
    for (input, gradient) in inputs.chunks(stride).zip(gradients.chunks(stride)) {
        let (input, gradient) = (&input[..WIDE * 4], gradient.first_chunk().expect("a pair"));
        let gradient = _mm256_set1_epi32(i32::from_le_bytes(*gradient));
        for (lanes, input) in lanes.iter_mut().zip(input.as_chunks().0) {
            *lanes = _mm256_add_epi32(*lanes, _mm256_madd_epi16(load(input), gradient));
        }
    }
    let mut or = _mm256_setzero_si256();
    for (sums, lanes) in sums.as_chunks_mut().0.iter_mut().zip(lanes) {
        or = _mm256_or_si256(or, _mm256_xor_si256(lanes, _mm256_srai_epi32(lanes, 31)));
        store_sums(sums, lanes);
    }
    let mut all = [0; 8];
    store_sums(&mut all, or);
    all.iter().fold(0, |or, x| or | x)
}

/// See [`Kernels::embed`].
#[target_feature(enable = "avx2")]
fn embed(a: &Vector, b: &Vector, weights: [i16; 2], sums: &mut [i32; WIDE]) {
    let weights = pair(weights[0], weights[1]);
    let sums = sums.as_chunks_mut::<16>().0.iter_mut();
    for ((sums, a), b) in sums.zip(a.as_chunks().0).zip(b.as_chunks().0) {
        let (a, b) = (load(a), load(b));
        // Lanes 0 to 3 and 8 to 11, then the others.
        let low = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weights);
        let high = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weights);
        let first = _mm256_permute2x128_si256(low, high, 0x20);
        let second = _mm256_permute2x128_si256(low, high, 0x31);
        for (sums, x) in sums.as_chunks_mut().0.iter_mut().zip([first, second]) {
            store_sums(sums, _mm256_add_epi32(load_sums(sums), _mm256_srai_epi32(x, 4)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statesmix::kernels::PORTABLE;

    /// Random numbers of so many bits and a sign.
    fn random(seed: &mut u32, bits: u32) -> i16 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed as i32 >> (31 - bits)) as i16
    }

    fn bytes(numbers: impl Iterator<Item = i16>) -> Vec<u8> {
        numbers.flat_map(i16::to_le_bytes).collect()
    }

    /// What each makes of these sums, the library first.
    fn both(run: impl Fn(&Kernels, &mut [i32; WIDE]) -> i32) {
        if !std::is_x86_feature_detected!("avx2") {
            eprintln!("no AVX2 here: nothing to compare");
            return;
        }
        let [expected, found] = [PORTABLE, KERNELS].map(|kernels| {
            let mut sums = std::array::from_fn(|i| i as i32 * 1000 - 30_000);
            let or = run(&kernels, &mut sums);
            (sums, or)
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn the_product_is_that_of_the_library() {
        let mut seed = 1;
        for round in 0..200 {
            // The largest there are, of all signs, then any.
            let extreme = |x: i16, limit: i16| if x < 0 { -limit } else { limit };
            let weights = bytes((0..WIDE * WIDE).map(|_| match random(&mut seed, 15) {
                x if round < 100 => extreme(x, 32767),
                x => x,
            }));
            let inputs = std::array::from_fn(|_| match random(&mut seed, 12) {
                x if round < 100 => extreme(x, 4095),
                x => x,
            });
            both(|kernels, sums| {
                (kernels.product)(&weights, &inputs, sums);
                0
            });
        }
    }

    #[test]
    fn sums_over_a_span_are_those_of_the_library() {
        let mut seed = 2;
        for pairs in [1, 4, 16] {
            for bits in [0, 3, 13, 14] {
                let stride = 3 * WIDE * 4;
                let mut numbers = || random(&mut seed, bits.min(12));
                let inputs = bytes((0..pairs * stride / 2).map(|_| numbers()));
                let gradients = bytes((0..pairs * stride / 2).map(|_| random(&mut seed, bits)));
                for (part, output) in [(0, 0), (1, 5), (2, 3 * WIDE - 1)] {
                    both(|kernels, sums| {
                        let inputs = &inputs[part * WIDE * 4..];
                        (kernels.outer)(inputs, &gradients[output * 4..], stride, sums)
                    });
                }
            }
        }
    }

    #[test]
    fn the_embedding_is_that_of_the_library() {
        let mut seed = 3;
        for round in 0..200 {
            let mut row = || -> Vector {
                let row = bytes((0..WIDE).map(|_| random(&mut seed, 15)));
                row.try_into().expect("as many bytes")
            };
            let (a, b) = (row(), row());
            let weights = match round {
                0 => [16384; 2],
                1 => [-16384; 2],
                _ => [random(&mut seed, 14), random(&mut seed, 14)],
            };
            both(|kernels, sums| {
                (kernels.embed)(&a, &b, weights, sums);
                0
            });
        }
    }
}
