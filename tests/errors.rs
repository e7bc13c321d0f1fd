//! Every error a caller can meet, and damage that is never silent.

mod common;

use common::{contents, decode, encode, level, options, text};
use statesmix::{
    AnyLevel, Decoder, Encoder, Error, Header, Heap, Level, Level0, Level1, Options, Status,
    compress, compress_into, compress_message, decompress, decompress_into, decompress_message,
};

fn frame(options: Options, content: &[u8]) -> Vec<u8> {
    encode::<AnyLevel>(options, Heap::new(), content, 4096, 4096).unwrap()
}

#[test]
fn no_such_level() {
    assert_eq!(Level::new(10), None);
    assert_eq!(Level::try_from(10), Err(Error::NoSuchLevel));
    assert_eq!(Level::try_from(9), Ok(Level::MAX));
    // A fixed model of another level.
    let wrong = Encoder::<_, Level0>::new(Options::new(level(1)), Heap::new());
    assert_eq!(wrong.err(), Some(Error::NoSuchLevel));
    let mut memory = vec![0; level(1).workspace()];
    let error = Err(Error::NoSuchLevel);
    assert_eq!(compress_message::<Level0>(level(1), &mut memory, b"a", &mut [0; 9]), error);
    assert_eq!(decompress_message::<Level0>(level(1), &mut memory, b"a", &mut [0; 9]), error);
}

#[test]
fn memory_too_small() {
    for number in 0..=2 {
        let level = level(number);
        let needed = level.workspace();
        let error = Error::Memory { needed };
        for size in [0, 1, needed - 1] {
            let mut memory = vec![0; size];
            let encoder = Encoder::<_, AnyLevel>::new(Options::new(level), &mut memory);
            assert_eq!(encoder.err(), Some(error));
            let message = compress_message::<AnyLevel>(level, &mut memory, b"a", &mut [0; 9]);
            assert_eq!(message, Err(error));
            let frame = compress(b"hello", level).unwrap();
            assert_eq!(decompress_into(level, &mut memory, &frame, &mut [0; 9]), Err(error));
            let mut decoder: Decoder<_> = Decoder::new(level, &mut memory);
            for _ in 0..2 {
                assert_eq!(decoder.decode(&frame, &mut [0; 9]), Err(error));
            }
            assert_eq!(decoder.end(), Err(error));
        }
    }
}

#[test]
fn output_full() {
    let mut memory = [0; Level::MIN.workspace()];
    let content = text(1, 200);
    let options = Options::new(Level::MIN);
    let whole = compress(&content, Level::MIN).unwrap();
    let full = Err(Error::OutputFull);
    for room in 0..whole.len() {
        let mut output = vec![0; room];
        assert_eq!(compress_into(options, &mut memory, &content, &mut output), full, "{room}");
    }
    let mut exact = vec![0; whole.len()];
    assert_eq!(compress_into(options, &mut memory, &content, &mut exact), Ok(whole.len()));
    for room in 0..content.len() {
        let mut output = vec![0; room];
        assert_eq!(decompress_into(Level::MIN, &mut memory, &whole, &mut output), full, "{room}");
    }

    let mut packet = [0; 201];
    let len = compress_message::<Level0>(Level::MIN, &mut memory, &content, &mut packet).unwrap();
    for room in 0..len {
        let mut output = vec![0; room];
        let result = compress_message::<Level0>(Level::MIN, &mut memory, &content, &mut output);
        assert_eq!(result, full, "{room}");
    }
    for room in 0..content.len() {
        let mut output = vec![0; room];
        let packet = &packet[..len];
        let result = decompress_message::<Level0>(Level::MIN, &mut memory, packet, &mut output);
        assert_eq!(result, full, "{room}");
    }
    // Stored.
    let noise = common::random(1, 50);
    let mut packet = [0; 51];
    for room in 0..51 {
        let output = &mut packet[..room];
        let result = compress_message::<Level0>(Level::MIN, &mut memory, &noise, output);
        assert_eq!(result, full, "{room}");
    }
    assert_eq!(compress_message::<Level0>(Level::MIN, &mut memory, &noise, &mut packet), Ok(51));
    for room in 0..50 {
        let output = &mut vec![0; room];
        let result = decompress_message::<Level0>(Level::MIN, &mut memory, &packet, output);
        assert_eq!(result, full, "{room}");
    }
}

#[test]
fn content_size() {
    let mut output = [0; 100];
    let options = Options::new(Level::MIN).content_size(5);
    let new = || Encoder::<_, AnyLevel>::new(options, Heap::new()).unwrap();
    let error = Err(Error::ContentSize);

    let mut more = new();
    for _ in 0..3 {
        assert_eq!(more.encode(b"123456", &mut output), error);
    }
    assert_eq!(more.finish(&mut output), error);

    let mut less = new();
    less.encode(b"1234", &mut output).unwrap();
    assert_eq!(less.finish(&mut output), error);
    assert_eq!(less.finish(&mut output), error);
    assert_eq!(less.encode(b"5", &mut output), error);
}

#[test]
fn used_after_the_end() {
    let mut output = [0; 100];
    let mut encoder = Encoder::<_, AnyLevel>::new(Options::new(Level::MIN), Heap::new()).unwrap();
    encoder.encode(b"12345", &mut output).unwrap();
    // In the middle of finishing, too.
    let mut status = encoder.finish(&mut output[..1]).unwrap().status;
    assert_eq!(status, Status::OutputFull);
    assert_eq!(encoder.encode(b"6", &mut output), Err(Error::Finished));
    while status != Status::Done {
        status = encoder.finish(&mut output[..1]).unwrap().status;
    }
    assert_eq!(encoder.encode(b"6", &mut output), Err(Error::Finished));
    // Finishing again gives nothing more.
    let again = encoder.finish(&mut output).unwrap();
    assert_eq!((again.produced, again.status), (0, Status::Done));
}

#[test]
fn not_a_frame() {
    for bytes in [&b"hello"[..], b"\x28\xB5\x2F\xFD", b"\xF5S", b"\xF5SN"] {
        let expected = if bytes == b"\xF5S" { Error::Truncated } else { Error::NotStatesmix };
        assert_eq!(decompress(bytes, Level::MAX), Err(expected));
    }
    // After a frame.
    let mut frame = compress(b"hello", Level::MIN).unwrap();
    frame.push(b'!');
    assert_eq!(decompress(&frame, Level::MIN), Err(Error::NotStatesmix));
}

#[test]
fn another_version() {
    let mut frame = compress(b"hello", Level::MIN).unwrap();
    for version in 0..16u8 {
        frame[3] = version << 4;
        let expected = if version == statesmix::FORMAT_VERSION {
            Ok(b"hello".to_vec())
        } else {
            Err(Error::Version(version))
        };
        assert_eq!(decompress(&frame, Level::MIN), expected);
    }
}

#[test]
fn level_limit() {
    let frame = compress(b"hello", level(2)).unwrap();
    for limit in 0..=9 {
        let expected =
            if limit < 2 { Err(Error::LevelLimit(level(2))) } else { Ok(b"hello".to_vec()) };
        assert_eq!(decompress(&frame, level(limit)), expected);
    }
    // A decoder of one level can do no other.
    let fixed = decode::<Level1>(Level::MAX, Heap::new(), &frame, 100, 100);
    assert_eq!(fixed, Err(Error::LevelLimit(level(2))));
    // The limit comes before the memory is asked for.
    let mut header = frame.clone();
    header[3] = header[3] & 0xF0 | 9;
    assert_eq!(decompress(&header, level(6)), Err(Error::LevelLimit(Level::MAX)));
}

#[test]
fn dictionary_and_filter() {
    let header = |flags: u8, rest: &[u8]| {
        let mut bytes = vec![0xF5, b'S', b'M', statesmix::FORMAT_VERSION << 4, flags];
        bytes.extend_from_slice(rest);
        bytes.extend_from_slice(&[0; 20]);
        bytes
    };
    let dictionary = header(4, &[0x78, 0x56, 0x34, 0x12]);
    assert_eq!(decompress(&dictionary, Level::MIN), Err(Error::Dictionary(0x1234_5678)));
    assert_eq!(decompress(&header(8, &[7]), Level::MIN), Err(Error::Filter(7)));
    for flags in [33, 64, 128, 255] {
        assert_eq!(decompress(&header(flags, &[]), Level::MIN), Err(Error::Corrupt));
    }
    for number in 10..16 {
        let mut bytes = header(0, &[]);
        bytes[3] |= number;
        assert_eq!(decompress(&bytes, Level::MAX), Err(Error::Corrupt));
    }
    // A size that is not in its shortest form, and one of 64 bits.
    assert_eq!(decompress(&header(1, &[0x85, 0]), Level::MIN), Err(Error::Corrupt));
    assert_eq!(decompress(&header(1, &[0xFF; 10]), Level::MIN), Err(Error::Corrupt));
}

#[test]
fn cut_at_every_length() {
    for (name, content) in contents() {
        let content = &content[..content.len().min(300)];
        for options in options(Level::MIN, content.len()) {
            let whole = frame(options, content);
            for len in 0..whole.len() {
                let cut = &whole[..len];
                assert_eq!(decompress(cut, Level::MIN), Err(Error::Truncated), "{name}, {len}");
            }
            // As second frame, where the first is whole.
            for len in whole.len() + 1..2 * whole.len() {
                let twice = [&whole[..], &whole[..]].concat();
                let cut = decompress(&twice[..len], Level::MIN);
                assert_eq!(cut, Err(Error::Truncated), "{name}, {len}");
            }
        }
    }
}

#[test]
fn cut_messages_are_no_panic() {
    let mut memory = [0; Level::MIN.workspace()];
    let message = text(3, 300);
    let mut packet = [0; 301];
    let len = compress_message::<Level0>(Level::MIN, &mut memory, &message, &mut packet).unwrap();
    // Four bytes may be missing unnoticed, since they could be zeros.
    for cut in 1..len - 4 {
        let mut back = [0; 301];
        let result =
            decompress_message::<Level0>(Level::MIN, &mut memory, &packet[..cut], &mut back);
        match result {
            Ok(n) => assert_ne!(back[..n], message),
            Err(error) => assert_eq!(error, Error::Truncated),
        }
    }
}

/// Decodes what has been damaged: an error, or the content nevertheless.
fn never_silent(damaged: &[u8], content: &[u8], what: &str) -> Result<(), Error> {
    let back = decompress(damaged, level(2))?;
    assert!(back == content, "{what}: wrong content without an error");
    Ok(())
}

#[test]
fn flipped_bits_are_never_silent() {
    let (mut flips, mut errors) = (0, 0);
    for (name, content) in contents() {
        let content = &content[..content.len().min(200)];
        for options in
            [Options::new(Level::MIN), Options::new(level(2)).content_size(content.len() as u64)]
        {
            let whole = frame(options, content);
            for bit in 0..8 * whole.len() {
                let mut damaged = whole.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                flips += 1;
                errors += never_silent(&damaged, content, name).is_err() as usize;
            }
        }
    }
    // A few bits at the end of the code have no meaning.
    assert!(errors > flips * 9 / 10, "{errors} errors of {flips} flips");
}

#[test]
fn every_header_bit_matters() {
    for options in options(level(1), 200) {
        let content = text(4, 200);
        let whole = frame(options, &content);
        let checksum = whole[4] & 2 != 0;
        let header_len = statesmix::Header::parse(&whole).unwrap().unwrap().1;
        for bit in 0..8 * header_len {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let result = decompress(&damaged, level(2));
            if checksum || bit < 24 {
                assert!(result.is_err(), "bit {bit}");
            } else {
                assert_ne!(result, Ok(content.clone()), "bit {bit}");
            }
        }
    }
}

#[test]
fn flipped_checksum() {
    let content = text(5, 500);
    for options in [Options::new(Level::MIN), Options::new(Level::MIN).content_size(500)] {
        let whole = frame(options, &content);
        for bit in 0..32 {
            let mut damaged = whole.clone();
            let byte = whole.len() - 4 + bit / 8;
            damaged[byte] ^= 1 << (bit % 8);
            assert_eq!(decompress(&damaged, Level::MIN), Err(Error::Checksum), "bit {bit}");
        }
    }
}

/// Storage that lost power often ends in zeros. Without the header in the
/// checksum, a body and a checksum of zeros would be a frame of no content.
#[test]
fn zeros_after_the_header_are_damage() {
    for header in [&[2][..], &[3, 0]] {
        let mut damaged = [0; 64];
        damaged[..3].copy_from_slice(b"\xF5SM");
        damaged[4..4 + header.len()].copy_from_slice(header);
        let mut decoder: Decoder<_> = Decoder::new(Level::MIN, Heap::new());
        let result = decoder.decode(&damaged, &mut [0; 64]);
        assert!(result.is_err(), "{result:?}");
    }
}

#[test]
fn an_error_stays() {
    let mut decoder: Decoder<_> = Decoder::new(Level::MIN, Heap::new());
    assert_eq!(decoder.decode(b"hello", &mut [0; 9]), Err(Error::NotStatesmix));
    let good = compress(b"hello", Level::MIN).unwrap();
    assert_eq!(decoder.decode(&good, &mut [0; 9]), Err(Error::NotStatesmix));
    assert_eq!(decoder.end(), Err(Error::NotStatesmix));
}

#[test]
fn errors_in_words_and_as_io_errors() {
    use std::io::ErrorKind;
    let all = [
        (Error::NoSuchLevel, ErrorKind::InvalidInput),
        (Error::Memory { needed: 7680 }, ErrorKind::OutOfMemory),
        (Error::OutputFull, ErrorKind::InvalidData),
        (Error::ContentSize, ErrorKind::InvalidInput),
        (Error::Finished, ErrorKind::InvalidInput),
        (Error::NotStatesmix, ErrorKind::InvalidData),
        (Error::Version(3), ErrorKind::InvalidData),
        (Error::LevelLimit(Level::MAX), ErrorKind::OutOfMemory),
        (Error::OutputLimit, ErrorKind::FileTooLarge),
        (Error::Dictionary(1), ErrorKind::InvalidData),
        (Error::Filter(1), ErrorKind::InvalidData),
        (Error::Truncated, ErrorKind::UnexpectedEof),
        (Error::Corrupt, ErrorKind::InvalidData),
        (Error::Checksum, ErrorKind::InvalidData),
    ];
    let mut words = std::collections::HashSet::new();
    for (error, kind) in all {
        assert!(words.insert(error.to_string()));
        let as_io = std::io::Error::from(error);
        assert_eq!(as_io.kind(), kind);
        assert_eq!(as_io.to_string(), error.to_string());
    }
}

#[test]
fn a_size_no_header_can_state() {
    let options = Options::new(Level::MIN).content_size(1 << 63);
    let encoder = Encoder::<_, statesmix::AnyLevel>::new(options, Heap::new());
    assert_eq!(encoder.err(), Some(Error::ContentSize));
}

/// The same frame with another code size than it has, or the right one.
fn with_code_size(frame: &[u8], difference: i64) -> Vec<u8> {
    let (mut header, len) = Header::parse(frame).unwrap().unwrap();
    header.code_size = Some(((frame.len() - len) as u64).wrapping_add_signed(difference));
    let mut bytes = [0; Header::MAX_LEN];
    let written = header.write(&mut bytes);
    [&bytes[..written], &frame[len..]].concat()
}

#[test]
fn the_stated_code_size_is_the_true_one() {
    let content = text(3, 1000);
    for options in options(Level::MIN, content.len()) {
        let frame = encode::<AnyLevel>(options, Heap::new(), &content, 1000, 1000).unwrap();
        let right = with_code_size(&frame, 0);
        let all = [&right[..], &frame, &right].concat();
        for piece in [1, 7, all.len()] {
            let back = decode::<AnyLevel>(Level::MIN, Heap::new(), &all, piece, 100).unwrap();
            assert_eq!(back, content.repeat(3));
        }
        for difference in [-(frame.len() as i64) / 2, -1, 1, 1 << 40] {
            let wrong = with_code_size(&frame, difference);
            assert_eq!(decompress(&wrong, Level::MIN), Err(Error::Corrupt), "{difference}");
        }
    }
}
