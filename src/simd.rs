//! The inner loops of the library for processors with AVX2: the only module with `unsafe`.
//!
//! A library without `unsafe` cannot ask the processor what it has. The command does, at its
//! start, and hands these over. They make the same numbers as the loops of the library on
//! lanes twice as wide, which takes 7 % of the time off at level 6.
//!
//! `unsafe` is used for two things: to call functions that need AVX2 where it is known to be
//! there, and to load and store vectors by references to as many bytes, which every address
//! is good for.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_adds_epi16, _mm_cvtsi128_si32, _mm_loadu_si128,
    _mm_madd_epi16, _mm_mulhi_epi16, _mm_mullo_epi16, _mm_set1_epi16, _mm_shuffle_epi32,
    _mm_srai_epi16, _mm_srai_epi32, _mm_storeu_si128, _mm_sub_epi16, _mm256_add_epi16,
    _mm256_add_epi32, _mm256_adds_epi16, _mm256_castsi256_si128, _mm256_cmpgt_epi16,
    _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mulhi_epi16,
    _mm256_mullo_epi16, _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_srai_epi16, _mm256_srai_epi32,
    _mm256_storeu_si256, _mm256_sub_epi16, _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
    _mm256_xor_si256,
};
use statesmix::kernels::{self, DITHER, Kernels, LATER, Numbers, Sums, Vector, WIDE};

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
    along: |rows, places, gradient, products| unsafe { along(rows, places, gradient, products) },
    learn_rows: |rows, places, steps, gradient| unsafe {
        learn_rows(rows, places, steps, gradient);
    },
    learn_nodes: |nodes, f, errors, steps, noise, sums| unsafe {
        learn_nodes(nodes, f, errors, steps, noise, sums);
    },
    dot: |weights, places, inputs, sums| unsafe { dot(weights, places, inputs, sums) },
    train: |weights, places, steps, inputs| unsafe { train(weights, places, steps, inputs) },
};

/// Vectors of a wide model's sums.
const SUMS: usize = WIDE / 8;

#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes, on any address.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn load_half(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes, on any address.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn load_half_of_numbers(numbers: &[i16; 8]) -> __m128i {
    // SAFETY: 16 bytes, on any address.
    unsafe { _mm_loadu_si128(numbers.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store_half(bytes: &mut [u8; 16], x: __m128i) {
    // SAFETY: 16 bytes, on any address.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), x) }
}

#[target_feature(enable = "avx2")]
fn load_numbers(numbers: &[i16; 16]) -> __m256i {
    // SAFETY: 32 bytes, on any address.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store(bytes: &mut [u8; 32], x: __m256i) {
    // SAFETY: 32 bytes, on any address.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), x) }
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
fn product(weights: &[u8], inputs: &Numbers, sums: &mut Sums) {
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
fn outer(inputs: &[u8], gradients: &[u8], stride: usize, sums: &mut Sums) -> i32 {
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
fn embed(a: &Vector, b: &Vector, weights: [i16; 2], sums: &mut Sums) {
    let weights = pair(weights[0], weights[1]);
    let sums = sums.as_chunks_mut::<16>().0.iter_mut();
    for ((sums, a), b) in sums.zip(a.as_chunks().0).zip(b.as_chunks().0) {
        let (a, b) = (load(a), load(b));
        // Lanes 0 to 3 and 8 to 11, then the others.
        let low = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weights);
        let high = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weights);
        add_in_order(sums, [low, high].map(|x| _mm256_srai_epi32(x, 4)));
    }
}

/// See [`Kernels::along`].
#[target_feature(enable = "avx2")]
fn along(rows: &[u8], places: &[usize], gradient: &Numbers, products: &mut [i32]) {
    let gradient = load_gradient(gradient);
    for (product, &place) in products.iter_mut().zip(places) {
        let row = rows[place..].first_chunk::<{ 2 * WIDE }>().expect("a vector");
        let mut sum = _mm256_setzero_si256();
        for (row, gradient) in row.as_chunks().0.iter().zip(gradient) {
            let products = _mm256_madd_epi16(load(row), gradient);
            sum = _mm256_add_epi32(sum, _mm256_srai_epi32(products, 7));
        }
        *product = total_of(halves(sum));
    }
}

/// See [`Kernels::learn_rows`].
#[target_feature(enable = "avx2")]
fn learn_rows(rows: &mut [u8], places: &[usize], steps: &[i16], gradient: &Numbers) {
    let gradient = load_gradient(gradient);
    let one = _mm256_set1_epi16(1);
    for (&place, &step) in places.iter().zip(steps) {
        let row = rows[place..].first_chunk_mut::<{ 2 * WIDE }>().expect("a vector");
        let step = _mm256_set1_epi16(step);
        for (row, gradient) in row.as_chunks_mut().0.iter_mut().zip(gradient) {
            let twice = _mm256_mulhi_epi16(gradient, step);
            let change = _mm256_srai_epi16(_mm256_add_epi16(twice, one), 1);
            store(row, _mm256_adds_epi16(load(row), change));
        }
    }
}

/// See [`Kernels::learn_nodes`].
#[target_feature(enable = "avx2")]
fn learn_nodes(
    nodes: [&mut Vector; 2],
    f: &Numbers,
    errors: [i16; 2],
    steps: [i16; 2],
    noise: u16,
    sums: &mut Sums,
) {
    let errors = pair(errors[0], errors[1]);
    let steps = steps.map(|step| _mm256_set1_epi16(step));
    let of_lane = |i: usize| {
        DITHER[i % 8].wrapping_add(noise).wrapping_add(i as u16 / 8 * (2 * LATER)) as i16
    };
    let mut dither = load_numbers(&std::array::from_fn(of_lane));
    let [first, second] = nodes.map(|node| node.as_chunks_mut().0);
    let (f, sums) = (f.as_chunks().0, sums.as_chunks_mut::<16>().0);
    for (((first, second), f), sums) in first.iter_mut().zip(second).zip(f).zip(sums) {
        let (a, b, f) = (load(first), load(second), load_numbers(f));
        // Lanes 0 to 3 and 8 to 11, then the others.
        let low = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), errors);
        let high = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), errors);
        add_in_order(sums, [low, high].map(|x| _mm256_srai_epi32(x, 5)));
        store(first, moved(a, f, steps[0], dither));
        dither = _mm256_add_epi16(dither, _mm256_set1_epi16(LATER as i16));
        store(second, moved(b, f, steps[1], dither));
        dither = _mm256_add_epi16(dither, _mm256_set1_epi16(LATER.wrapping_mul(3) as i16));
    }
}

/// `w + (f * step + noise) / 2^16`, rounded down.
#[target_feature(enable = "avx2")]
fn moved(w: __m256i, f: __m256i, step: __m256i, noise: __m256i) -> __m256i {
    // The carry of the low halves: where their sum is less than a part.
    let sign = _mm256_set1_epi16(i16::MIN);
    let low = _mm256_mullo_epi16(f, step);
    let sum = _mm256_add_epi16(low, noise);
    let carry = _mm256_cmpgt_epi16(_mm256_xor_si256(low, sign), _mm256_xor_si256(sum, sign));
    _mm256_adds_epi16(w, _mm256_sub_epi16(_mm256_mulhi_epi16(f, step), carry))
}

/// Adds lanes 0 to 3 and 8 to 11, then the others, to sums.
#[target_feature(enable = "avx2")]
fn add_in_order(sums: &mut [i32; 16], [low, high]: [__m256i; 2]) {
    let first = _mm256_permute2x128_si256(low, high, 0x20);
    let second = _mm256_permute2x128_si256(low, high, 0x31);
    for (sums, x) in sums.as_chunks_mut().0.iter_mut().zip([first, second]) {
        store_sums(sums, _mm256_add_epi32(load_sums(sums), x));
    }
}

/// See [`Kernels::dot`].
#[target_feature(enable = "avx2")]
fn dot(weights: &[u8], places: &[usize], inputs: &[i16], sums: &mut [i32]) {
    const NARROW: usize = 13 * 8;
    for (sum, &place) in sums.iter_mut().zip(places) {
        let weights = &weights[place..][..2 * inputs.len()];
        let mut total = 0;
        for (weights, inputs) in weights.chunks(2 * NARROW).zip(inputs.chunks(NARROW)) {
            let (weights, odd_weights) = weights.as_chunks();
            let (inputs, odd_inputs) = inputs.as_chunks();
            let mut lanes = _mm256_setzero_si256();
            for (w, x) in weights.iter().zip(inputs) {
                lanes = _mm256_add_epi32(lanes, _mm256_madd_epi16(load(w), load_numbers(x)));
            }
            // The halves of wide lanes are the vectors in turn.
            let mut lanes = halves(lanes);
            if let (Some(w), Some(x)) = (odd_weights.first_chunk(), odd_inputs.first_chunk()) {
                let products = _mm_madd_epi16(load_half(w), load_half_of_numbers(x));
                lanes = _mm_add_epi32(lanes, products);
            }
            total += total_of(_mm_srai_epi32(lanes, 4));
        }
        *sum = total >> 6;
    }
}

/// See [`Kernels::train`].
#[target_feature(enable = "avx2")]
fn train(weights: &mut [u8], places: &[usize], steps: &[i16], inputs: &[i16]) {
    for (&place, &step) in places.iter().zip(steps) {
        let weights = &mut weights[place..][..2 * inputs.len()];
        let (weights, odd_weights) = weights.as_chunks_mut();
        let (inputs, odd_inputs) = inputs.as_chunks();
        let steps = _mm256_set1_epi16(step);
        for (w, x) in weights.iter_mut().zip(inputs) {
            let x = load_numbers(x);
            // The sign of the low half is the rounding.
            let low = _mm256_srai_epi16(_mm256_mullo_epi16(x, steps), 15);
            let change = _mm256_sub_epi16(_mm256_mulhi_epi16(x, steps), low);
            store(w, _mm256_adds_epi16(load(w), change));
        }
        if let (Some(w), Some(x)) = (odd_weights.first_chunk_mut(), odd_inputs.first_chunk()) {
            let (x, step) = (load_half_of_numbers(x), _mm_set1_epi16(step));
            let low = _mm_srai_epi16(_mm_mullo_epi16(x, step), 15);
            let change = _mm_sub_epi16(_mm_mulhi_epi16(x, step), low);
            store_half(w, _mm_adds_epi16(load_half(w), change));
        }
    }
}

/// The sum of both halves.
#[target_feature(enable = "avx2")]
fn halves(x: __m256i) -> __m128i {
    _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1))
}

/// The sum of all lanes.
#[target_feature(enable = "avx2")]
fn total_of(four: __m128i) -> i32 {
    let two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0b01_00_11_10));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0b10_11_00_01)))
}

/// All channels of a gradient.
#[target_feature(enable = "avx2")]
fn load_gradient(gradient: &Numbers) -> [__m256i; WIDE / 16] {
    let mut lanes = [_mm256_setzero_si256(); WIDE / 16];
    for (lanes, numbers) in lanes.iter_mut().zip(gradient.as_chunks().0) {
        *lanes = load_numbers(numbers);
    }
    lanes
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

    /// What the library and these loops make has to be the same.
    fn same<T: PartialEq>(run: impl Fn(&Kernels) -> T) {
        if !std::is_x86_feature_detected!("avx2") {
            eprintln!("no AVX2 here: nothing to compare");
            return;
        }
        assert!(run(&KERNELS) == run(&PORTABLE));
    }

    /// The same for what they make of these sums.
    fn both(run: impl Fn(&Kernels, &mut Sums) -> i32) {
        same(|kernels| {
            let mut sums = std::array::from_fn(|i| i as i32 * 1000 - 30_000);
            let or = run(kernels, &mut sums);
            (sums, or)
        });
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
    #[test]
    fn rows_are_multiplied_and_moved_as_by_the_library() {
        let mut seed = 4;
        // The last is as far back as there are bytes; two are the same.
        let places = [3, 1000, 500, 1000, 3000 - 2 * WIDE];
        for round in 0..200 {
            let rows = bytes((0..1500).map(|_| match random(&mut seed, 15) {
                x if round < 50 => x | 0x7FFF,
                x => x,
            }));
            let gradient = std::array::from_fn(|_| match random(&mut seed, 15).max(-32767) {
                x if round < 50 => (x | 0x7FFF).max(-32767),
                x => x,
            });
            same(|kernels| {
                let mut products = [0; 5];
                (kernels.along)(&rows, &places, &gradient, &mut products);
                products
            });
            let steps = [32767, 1, 0, 20_000, random(&mut seed, 15) & 0x7FFF];
            same(|kernels| {
                let mut rows = rows.clone();
                (kernels.learn_rows)(&mut rows, &places, &steps, &gradient);
                rows
            });
        }
    }
    #[test]
    fn nodes_learn_as_by_the_library() {
        let mut seed = 5;
        for round in 0..200 {
            let mut numbers = |bits: u32, least: i16| -> Vec<i16> {
                let number = |_| random(&mut seed, bits).max(least);
                (0..WIDE).map(number).collect()
            };
            let nodes = [numbers(15, i16::MIN), numbers(15, i16::MIN)];
            let f = numbers(13, -8191).try_into().expect("as many numbers");
            let others = numbers(15, -32767);
            let steps = if round < 20 { [32767, -32767] } else { [others[0], others[1] >> 9] };
            both(|kernels, sums| {
                let mut nodes: [Vector; 2] = nodes
                    .each_ref()
                    .map(|node| bytes(node.iter().copied()).try_into().expect("as many bytes"));
                let [first, second] = &mut nodes;
                let (errors, noise) = ([others[2], others[3]], others[4] as u16);
                (kernels.learn_nodes)([first, second], &f, errors, steps, noise, sums);
                // A sum of all the bytes, each with a weight of its own.
                let all = nodes.as_flattened().iter().enumerate();
                all.fold(0, |sum, (i, &byte)| sum ^ i32::from(byte).rotate_left(i as u32))
            });
        }
    }

    #[test]
    fn weights_of_mixers_are_used_and_moved_as_by_the_library() {
        let mut seed = 6;
        // With more than a block of inputs, and an odd vector.
        for vectors in [4, 9, 13, 14, 20, 27] {
            for round in 0..20 {
                let size = 16 * vectors;
                let places = [0, 2 * size, size, 4 * size + 2];
                let weights = bytes((0..3 * size + 1).map(|_| random(&mut seed, 15)));
                let mut input = |_| random(&mut seed, 12).clamp(-2304, 2304);
                let inputs: Vec<_> = (0..8 * vectors).map(&mut input).collect();
                let steps = [1, -32767, 32767, inputs[0] >> (round % 8)];
                same(|kernels| {
                    let mut sums = [0; 4];
                    (kernels.dot)(&weights, &places, &inputs, &mut sums);
                    sums
                });
                same(|kernels| {
                    let mut weights = weights.clone();
                    (kernels.train)(&mut weights, &places, &steps, &inputs);
                    weights
                });
            }
        }
    }
}
