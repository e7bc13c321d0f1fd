//! Dictionaries: messages and frames begun with one come back; damaged, made-up
//! and wrong ones end in an error or in nonsense, no worse.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::fuzz_target;
use statesmix::{AnyLevel, Decoder, Dictionary, Encoder, Error, Heap, Status, train};

/// Content to be had from one input.
const MOST: usize = 1 << 11;

/// The CRC-32 of all but its own four bytes, as `Dictionary::new` checks it.
fn seal(bytes: &mut [u8]) {
    let mut crc = !0u32;
    for &byte in bytes[..4].iter().chain(&bytes[8..]) {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    bytes[4..8].copy_from_slice(&(!crc).to_le_bytes());
}

fn frame(setup: &Setup, dictionary: Dictionary, content: &[u8]) -> Vec<u8> {
    let options = setup.options(content);
    let mut encoder: Encoder<_> =
        Encoder::with_dictionary(options, dictionary, Heap::new()).unwrap();
    let mut frame = vec![0; content.len() + 256];
    let taken = encoder.encode(content, &mut frame).unwrap();
    assert_eq!((taken.consumed, taken.status), (content.len(), Status::NeedsInput));
    let end = encoder.finish(&mut frame[taken.produced..]).unwrap();
    assert_eq!(end.status, Status::Done);
    frame.truncate(taken.produced + end.produced);
    frame
}

fuzz_target!(|input: (Setup, Vec<&[u8]>, &[u8], Vec<(u16, u8)>)| {
    let (setup, samples, content, changes) = input;
    let level = setup.level();
    let file = train(level, samples.iter().copied()).unwrap();
    assert_eq!(file.len(), level.dictionary());
    let dictionary = Dictionary::new(&file).unwrap().checksum(setup.checksum);

    let mut message = vec![0; content.len() + 3];
    let len = dictionary.compress::<AnyLevel>(Heap::new(), content, &mut message).unwrap();
    message.truncate(len);
    let mut back = vec![0; content.len()];
    let decompress = |dictionary: &Dictionary, message: &[u8], output: &mut [u8]| {
        dictionary.decompress::<AnyLevel>(Heap::new(), message, output)
    };
    assert_eq!(decompress(&dictionary, &message, &mut back), Ok(content.len()));
    assert_eq!(back, content);

    let frame = frame(&setup, dictionary, content);
    let mut decoder: Decoder<_, AnyLevel, _> =
        Decoder::with_dictionary(level, dictionary, Heap::new());
    let mut back = vec![0; content.len() + 1];
    let progress = decoder.decode(&frame, &mut back).unwrap();
    decoder.end().unwrap();
    assert_eq!(&back[..progress.produced], content);

    // Made-up messages.
    let mut nonsense = vec![0; MOST];
    if let Ok(len) = decompress(&dictionary, content, &mut nonsense) {
        assert!(len <= MOST);
    }

    // A damaged dictionary; then one that is made to look whole.
    let mut forged = file.clone();
    for &(at, with) in &changes {
        let at = usize::from(at) * forged.len() / 65536;
        forged[at] ^= with;
    }
    if forged[..4] != file[..4] || forged == file {
        let _ = Dictionary::new(&forged);
        return;
    }
    assert_eq!(Dictionary::new(&forged).err(), Some(Error::DamagedDictionary));
    seal(&mut forged);
    let forged = Dictionary::new(&forged).unwrap().checksum(setup.checksum);
    let mut decoder: Decoder<_, AnyLevel, _> = Decoder::with_dictionary(level, forged, Heap::new());
    let refused = decoder.decode(&frame, &mut back).err();
    assert_eq!(
        refused,
        (forged.id() != dictionary.id()).then_some(Error::Dictionary(dictionary.id()))
    );
    // From level 3, with overflow checks, a forged one may set them off.
    if level.number() < 3 {
        let sent = forged.compress::<AnyLevel>(Heap::new(), content, &mut message);
        if let Ok(len) = sent {
            let mut back = vec![0; content.len()];
            assert_eq!(decompress(&forged, &message[..len], &mut back), Ok(content.len()));
            assert_eq!(back, content);
        }
        let _ = forged.checksum(false).decompress::<AnyLevel>(Heap::new(), content, &mut nonsense);
    }
});
