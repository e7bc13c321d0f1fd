//! What cannot be compressed hardly grows, and what follows it still shrinks.

mod common;

use common::{decode, encode, level, random, text};
use statesmix::{AnyLevel, Heap, Options, compress_into, compress_message, max_frame_len};

fn frame_len(options: Options, content: &[u8]) -> usize {
    encode::<AnyLevel>(options, Heap::new(), content, 1 << 20, 1 << 20).unwrap().len()
}

#[test]
fn noise_hardly_grows() {
    for number in [0, 2, 4, 6] {
        for len in [100, 1000, 10_000, 300_000] {
            let noise = random(len as u64, len);
            let bound = len + len / 1000 + 16;
            let frame = frame_len(Options::new(level(number)), &noise);
            assert!(frame <= bound, "level {number}: {len} bytes became {frame}");
            if len < 100_000 {
                let sized = Options::new(level(number)).content_size(len as u64);
                let frame = frame_len(sized, &noise);
                assert!(frame <= bound, "level {number}: {len} bytes became {frame} with size");
            }
        }
    }
}

#[test]
fn noise_comes_back() {
    for (number, len) in [(0, 200_000), (1, 20_000), (4, 20_000)] {
        let noise = random(3, len);
        let options = Options::new(level(number));
        let frame = encode::<AnyLevel>(options, Heap::new(), &noise, 4096, 1000).unwrap();
        let back = decode::<AnyLevel>(level(number), Heap::new(), &frame, 1000, 4096).unwrap();
        assert!(back == noise, "level {number}");
    }
}

#[test]
fn text_after_noise_shrinks() {
    for number in [0, 2] {
        for noise in [3000, 100_000] {
            let text = text(1, 60_000);
            let alone = frame_len(Options::new(level(number)), &text);
            let both = [random(2, noise), text.clone()].concat();
            let after = frame_len(Options::new(level(number)), &both) - noise;
            // It may pass raw for as long as the longest pause, then learn.
            assert!(after < text.len() * 9 / 10, "level {number}: {alone} alone, {after} after");
            if noise == 3000 {
                let bound = alone + alone / 4;
                assert!(after < bound, "level {number}: {alone} alone, {after} after");
            }
        }
    }
}

/// Runs teach the model to be sure, noise then costs it the most.
#[test]
fn surprises_stay_in_the_bound() {
    let mut memory = vec![0; level(2).workspace()];
    for number in [0, 2] {
        for run in [1, 10, 100, 1020, 1024, 2048] {
            for surprise in [1, 4] {
                let mut content = Vec::new();
                for i in 0..10 {
                    content.extend(vec![0; run]);
                    content.extend(random(i, surprise));
                }
                let mut frame = vec![0; max_frame_len(content.len())];
                let options = Options::new(level(number));
                compress_into(options, &mut memory, &content, &mut frame).unwrap();
            }
        }
    }
}

#[test]
fn a_message_grows_by_a_byte_at_most() {
    let mut memory = vec![0; level(2).workspace()];
    for number in 0..=2 {
        for len in (0..64).chain([200, 1000, 5000]) {
            let noise = random(len as u64, len);
            let mut packet = vec![0; len + 1];
            let n = compress_message::<AnyLevel>(level(number), &mut memory, &noise, &mut packet);
            assert!(n.unwrap() <= len + 1);
        }
    }
}
