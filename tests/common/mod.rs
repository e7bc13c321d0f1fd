//! What the tests share: contents made up the same way every time, and the
//! streams driven in pieces of a given size.
#![allow(dead_code)] // each test uses a part of it

use statesmix::{Decoder, Encoder, Error, Filter, Level, Memory, Model, Options, Status};

/// A generator whose numbers are good enough to be incompressible here.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }
}

pub fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.next() as u8).collect()
}

/// Sentences of made-up words, the common ones first.
pub fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let words: Vec<Vec<u8>> = (0..300)
        .map(|_| {
            let syllables = 1 + random.next() % 3;
            (0..syllables)
                .flat_map(|_| {
                    let consonant = b"bcdfghklmnprstvw"[random.next() as usize % 16];
                    [consonant, b"aeiou"[random.next() as usize % 5]]
                })
                .collect()
        })
        .collect();
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        // The minimum of three: low indices are the frequent ones.
        let index = (0..3).map(|_| random.next() as usize % words.len()).min().unwrap_or(0);
        text.extend_from_slice(&words[index]);
        text.extend_from_slice(if random.next().is_multiple_of(12) { b".\n" } else { b" " });
    }
    text.truncate(len);
    text
}

/// Records of 16 bytes: a counter, a slow walk, a flag and some noise.
pub fn records(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut value = 20_000i32;
    let mut records = Vec::with_capacity(len + 16);
    let mut count = 0u32;
    while records.len() < len {
        value += (random.next() % 21) as i32 - 10;
        records.extend_from_slice(&[0xAA, 0x55]);
        records.extend_from_slice(&count.to_le_bytes());
        records.extend_from_slice(&value.to_le_bytes());
        records.extend_from_slice(&[u8::from(value > 20_000), 0, 0, 0]);
        records.extend_from_slice(&(random.next() as u16 & 0x0FFF).to_be_bytes());
        count += 1;
    }
    records.truncate(len);
    records
}

/// A picture of one bit a pixel, rows of 20 bytes: bars whose edges wander.
pub fn picture(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut edges = [20, 50, 90, 130];
    let mut picture = Vec::with_capacity(len + 20);
    while picture.len() < len {
        edges.iter_mut().for_each(|edge| *edge = *edge + random.next() as usize % 3 - 1);
        let black = |x: usize| edges.iter().filter(|&&edge| edge <= x).count() % 2;
        let byte = |i: usize| (0..8).fold(0, |byte, k| byte << 1 | black(8 * i + k) as u8);
        picture.extend((0..20).map(byte));
    }
    picture.truncate(len);
    picture
}

/// Machine code of sorts for a filter: calls of a few functions, and other
/// instructions between them.
pub fn code(filter: Filter, seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let functions: Vec<u32> = (0..12).map(|_| (random.next() % len as u32) & !3).collect();
    let others: Vec<u32> = (0..8).map(|_| random.next() & 0x7F7F_7F7F).collect();
    let mut code = Vec::with_capacity(len + 16);
    while code.len() < len {
        let here = code.len() as u32;
        let distance = functions[random.next() as usize % 12].wrapping_sub(here);
        let relative = |end: u32| distance.wrapping_sub(end).to_le_bytes();
        let bits = |from: u32, count: u32| distance >> from & ((1 << count) - 1);
        match (filter, random.next() % 4) {
            (Filter::X86 | Filter::X86_64, 0) => {
                code.push(0xE8);
                code.extend_from_slice(&relative(5));
            }
            (Filter::X86_64, 1) => {
                code.extend_from_slice(&[0x48, 0x8D, 0x3D]);
                code.extend_from_slice(&relative(7));
            }
            (Filter::Arm, 0) => code.extend((0xEB00_0000 | bits(2, 24)).to_le_bytes()),
            (Filter::Thumb, 0) => {
                // Bits 22 and 21 of so short a distance are as its sign.
                let (high, low) = (0xF000 | bits(12, 11), 0xF800 | bits(1, 11));
                code.extend((low << 16 | high).to_le_bytes());
            }
            (Filter::Arm64, 0) => code.extend((0x9400_0000 | bits(2, 26)).to_le_bytes()),
            (Filter::Arm64, 1) => {
                code.extend((0x9000_0000 | bits(12, 2) << 29 | bits(14, 19) << 5).to_le_bytes());
            }
            (Filter::RiscV, 0) => {
                let [high, low] = [bits(20, 1) << 31 | bits(1, 10) << 21, bits(11, 1) << 20];
                code.extend((high | low | bits(12, 8) << 12 | 0x0EF).to_le_bytes());
            }
            (Filter::RiscV, 1) => {
                let upper = distance.wrapping_add(0x800) & 0xFFFF_F000;
                code.extend((upper | 0x517).to_le_bytes());
                code.extend((bits(0, 12) << 20 | 0x5_0513).to_le_bytes());
            }
            (_, other) => {
                code.extend(others[other as usize + 4 * (here as usize % 2)].to_le_bytes())
            }
        }
    }
    code.truncate(len);
    code
}

/// Short contents of many kinds.
pub fn contents() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty", vec![]),
        ("zero", vec![0]),
        ("255", vec![255]),
        ("short", b"hello".to_vec()),
        ("run of zeros", vec![0; 3000]),
        ("run of 255", vec![255; 1000]),
        ("period 3", b"abc".repeat(400)),
        ("every byte", (0..=255).collect()),
        ("random", random(1, 1500)),
        ("text", text(2, 3000)),
        ("records", records(3, 3000)),
        ("text, random, text", [text(4, 1000), random(5, 1000), text(4, 1000)].concat()),
    ]
}

pub fn level(number: u8) -> Level {
    Level::new(number).unwrap()
}

/// Every combination of content size and checksum.
pub fn options(level: Level, len: usize) -> [Options; 4] {
    let options = Options::new(level);
    let sized = options.content_size(len as u64);
    [options, options.checksum(false), sized, sized.checksum(false)]
}

/// Encodes, `input` bytes of content and `output` bytes of frame at a time.
pub fn encode<M: Model>(
    options: Options,
    memory: impl Memory,
    content: &[u8],
    input: usize,
    output: usize,
) -> Result<Vec<u8>, Error> {
    encode_of::<M>(options, memory, content, content.len(), input, output)
}

/// As [`encode`], where `given` stands for content of `len` bytes.
pub fn encode_of<M: Model>(
    options: Options,
    memory: impl Memory,
    given: &[u8],
    len: usize,
    input: usize,
    output: usize,
) -> Result<Vec<u8>, Error> {
    let mut encoder = Encoder::<_, M>::new(options, memory)?;
    let mut frame = Vec::new();
    let mut room = vec![0; output];
    for mut piece in given.chunks(input) {
        loop {
            let progress = encoder.encode(piece, &mut room)?;
            piece = &piece[progress.consumed..];
            frame.extend_from_slice(&room[..progress.produced]);
            match progress.status {
                Status::NeedsInput => break,
                Status::OutputFull => assert_eq!(progress.produced, output),
                Status::Done => panic!("done before the end"),
            }
        }
        assert!(piece.is_empty());
    }
    assert_eq!(encoder.content_bytes(), len as u64);
    loop {
        let progress = encoder.finish(&mut room)?;
        frame.extend_from_slice(&room[..progress.produced]);
        if progress.status == Status::Done {
            return Ok(frame);
        }
        assert_eq!((progress.status, progress.produced), (Status::OutputFull, output));
    }
}

/// Decodes all frames, `input` bytes of them and `output` bytes of content at
/// a time.
pub fn decode<M: Model>(
    limit: Level,
    memory: impl Memory,
    frames: &[u8],
    input: usize,
    output: usize,
) -> Result<Vec<u8>, Error> {
    let mut decoder = Decoder::<_, M>::new(limit, memory);
    let mut content = Vec::new();
    let mut room = vec![0; output];
    for mut piece in frames.chunks(input) {
        loop {
            let progress = decoder.decode(piece, &mut room)?;
            piece = &piece[progress.consumed..];
            content.extend_from_slice(&room[..progress.produced]);
            if progress.status == Status::NeedsInput {
                break;
            }
            assert!(progress.status == Status::Done || progress.produced == output);
        }
        assert!(piece.is_empty());
    }
    decoder.end()?;
    Ok(content)
}
