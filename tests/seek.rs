//! Any place of the content of many frames.
#![cfg(feature = "std")]

mod common;

use std::io::{Cursor, ErrorKind, Read, Seek, SeekFrom};

use common::{Random, level, text};
use statesmix::{Header, Level, compress, io::SeekReader};

/// A frame that states its sizes.
fn sized(content: &[u8]) -> Vec<u8> {
    let frame = compress(content, level(1)).unwrap();
    let (mut header, len) = Header::parse(&frame).unwrap().unwrap();
    header.code_size = Some((frame.len() - len) as u64);
    let mut bytes = [0; Header::MAX_LEN];
    let written = header.write(&mut bytes);
    [&bytes[..written], &frame[len..]].concat()
}

fn file(content: &[u8]) -> Vec<u8> {
    let (first, second) = content.split_at(3000);
    // With empty ones, which hold no place.
    [&[][..], first, &[], &[], &second[..1], &second[1..], &[]].map(sized).concat()
}

#[test]
fn any_place() {
    let content = text(4, 8000);
    let mut reader = SeekReader::new(Cursor::new(file(&content)), level(1)).unwrap();
    assert_eq!(reader.content_size(), 8000);
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    assert_eq!(all, content);
    let mut random = Random::new(1);
    for _ in 0..60 {
        let place = random.next() as usize % 8001;
        let len = (random.next() as usize % 2000).min(8000 - place);
        reader.seek(SeekFrom::Start(place as u64)).unwrap();
        let mut some = vec![0; len];
        reader.read_exact(&mut some).unwrap();
        assert_eq!(some, content[place..place + len], "{place}");
        assert_eq!(reader.stream_position().unwrap(), (place + len) as u64);
    }
    reader.seek(SeekFrom::End(-1)).unwrap();
    assert_eq!(reader.read(&mut [0; 5]).unwrap(), 1);
    reader.seek(SeekFrom::End(5)).unwrap();
    assert_eq!(reader.read(&mut [0; 5]).unwrap(), 0);
    assert!(reader.seek(SeekFrom::Current(-9000)).is_err());
}

#[test]
fn what_cannot_be_sought() {
    let good = file(&text(4, 8000));
    let kind = |file: Vec<u8>| SeekReader::new(Cursor::new(file), level(1)).err().unwrap().kind();
    assert_eq!(kind(Vec::new()), ErrorKind::UnexpectedEof);
    assert_eq!(kind(good[..good.len() - 1].to_vec()), ErrorKind::UnexpectedEof);
    assert_eq!(kind([&good[..], b"x"].concat()), ErrorKind::InvalidData);
    assert_eq!(kind(compress(b"abc", Level::MIN).unwrap()), ErrorKind::InvalidInput);

    // Damage in one frame leaves the others alone.
    let mut bad = good.clone();
    bad[100] ^= 1;
    let mut reader = SeekReader::new(Cursor::new(bad), level(1)).unwrap();
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
    reader.seek(SeekFrom::Start(3001)).unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, text(4, 8000)[3001..]);
    reader.seek(SeekFrom::Start(2999)).unwrap();
    assert!(reader.read_exact(&mut [0; 2]).is_err());
}
