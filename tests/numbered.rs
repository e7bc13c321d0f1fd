//! Text with numbered words through the public interface.

mod common;

use common::{Random, code, decode, encode_of, level, random, records, text};
use statesmix::{
    AnyLevel, Decoder, Dictionary, Encoder, Error, Filter, Header, Heap, Level, Level2, Level3,
    Level4, Options, decompress, decompress_limited, number_words, train,
};

const ENGLISH: &[u8] = b"The committee met on Monday to discuss whether the old bridge should be \
    repaired before the winter. Most of the members, however, thought that it would be better to \
    build a new one a little further down the river, where the road from the village crosses it.";

/// What has to come back whatever becomes of it.
fn contents() -> Vec<Vec<u8>> {
    let every_byte: Vec<u8> = (0..=255).flat_map(|byte| [byte, b' ', b't', b'o', byte]).collect();
    let mut random_words = Vec::new();
    let mut dice = Random::new(9);
    let pieces: [&[u8]; 20] = [
        b"the",
        b"The",
        b"THE",
        b"tHe",
        b"of",
        b" ",
        b" ",
        b" ",
        b"  ",
        b"\n",
        b"governments",
        b"ing",
        b"river",
        b"River",
        b"x",
        b"\x13",
        b"\x7F",
        b"\0",
        b"\xC0",
        b"zoology",
    ];
    for _ in 0..3000 {
        random_words.extend_from_slice(pieces[dice.next() as usize % pieces.len()]);
    }
    vec![
        vec![],
        b"a".to_vec(),
        b"the".to_vec(),
        b" The the  the\tTHE the ".to_vec(),
        b"thethe the".to_vec(),
        "Ein Vogel fängt den Wurm; 早起的鸟儿有虫吃。".into(),
        ENGLISH.to_vec(),
        every_byte,
        random_words,
        random(1, 2000),
        records(2, 1000),
        text(3, 2000),
        code(Filter::X86, 4, 1000),
        vec![b'a'; 3000],
        vec![0; 500],
    ]
}

fn options(number: u8, len: usize) -> Options {
    Options::new(level(number)).content_size(len as u64).numbered()
}

fn frame(options: Options, content: &[u8]) -> Vec<u8> {
    let numbered = number_words(content);
    encode_of::<AnyLevel>(options, Heap::new(), &numbered, content.len(), 4096, 4096).unwrap()
}

/// Encodes numbered text that no text may have become.
fn encode_forged(numbered: &[u8]) -> Result<Vec<u8>, Error> {
    let options = Options::new(level(3)).numbered();
    let mut encoder = Encoder::<_, Level3>::new(options, Heap::new())?;
    let mut frame = vec![0; numbered.len() * 2 + 100];
    let len = encoder.encode(numbered, &mut frame)?.produced;
    let len = len + encoder.finish(&mut frame[len..])?.produced;
    frame.truncate(len);
    Ok(frame)
}

fn header(frame: &[u8]) -> Header {
    Header::parse(frame).unwrap().unwrap().0
}

#[test]
fn whatever_it_is_comes_back() {
    for content in contents() {
        for number in 3..=6 {
            let made = frame(options(number, content.len()), &content);
            assert_eq!(header(&made).filter, Some(Header::NUMBERED));
            assert!(decompress(&made, level(number)).as_ref() == Ok(&content), "level {number}");
        }
    }
}

#[test]
fn english_takes_fewer_bytes() {
    let numbered = number_words(ENGLISH);
    assert!(numbered.len() * 2 < ENGLISH.len(), "{} of {}", numbered.len(), ENGLISH.len());
    for number in 3..=6 {
        let plain = Options::new(level(number)).content_size(ENGLISH.len() as u64);
        let plain = common::encode::<AnyLevel>(plain, Heap::new(), ENGLISH, 4096, 4096).unwrap();
        let made = frame(options(number, ENGLISH.len()), ENGLISH);
        assert!(made.len() * 5 < plain.len() * 4, "{} of {}", made.len(), plain.len());
    }
}

#[test]
fn pieces_and_models_make_no_difference() {
    let content = [ENGLISH, &text(5, 600), b"The end\0 of the\x7F world", ENGLISH].concat();
    let numbered = number_words(&content);
    let whole = frame(options(4, content.len()), &content);
    for (input, output) in [(1, 1), (7, 3), (1000, 2)] {
        let (options, len) = (options(4, content.len()), content.len());
        let made = encode_of::<Level4>(options, Heap::new(), &numbered, len, input, output);
        assert!(made.unwrap() == whole);
        let back = decode::<Level4>(level(4), Heap::new(), &whole, input, output);
        assert!(back.unwrap() == content);
    }
    // The size not stated, and no checksum.
    let bare = frame(Options::new(level(5)).checksum(false).numbered(), &content);
    assert!(decompress(&bare, level(5)).as_ref() == Ok(&content));
    let len = content.len() as u64;
    assert!(decompress_limited(&bare, level(5), len).as_ref() == Ok(&content));
    assert_eq!(decompress_limited(&bare, level(5), len - 1), Err(Error::OutputLimit));
    assert_eq!(decompress_limited(&bare, level(5), 10), Err(Error::OutputLimit));
}

#[test]
fn pretrained_and_other_frames_in_the_same_memory() {
    let content = [ENGLISH, &text(6, 300)].concat();
    let pretrained = frame(options(6, content.len()).pretrained(true), &content);
    let fresh = frame(options(6, content.len()), &content);
    assert!(header(&pretrained).pretrained && pretrained.len() < fresh.len());
    let plain = statesmix::compress(&random(7, 99), level(6)).unwrap();
    let frames = [&pretrained[..], &plain, &fresh, &pretrained].concat();
    let back = decompress(&frames, level(6)).unwrap();
    assert!(back == [&content[..], &random(7, 99), &content, &content].concat());
}

/// Noise in the middle is coded raw; the words go on behind it.
#[test]
fn with_the_fallback() {
    let content = [ENGLISH, &random(8, 6000), ENGLISH].concat();
    let made = frame(options(3, content.len()), &content);
    assert!(made.len() < content.len() + 200, "{}", made.len());
    assert!(decompress(&made, level(3)).as_ref() == Ok(&content));
}

#[test]
fn what_no_text_becomes_is_refused() {
    let good: [&[u8]; 5] = [b"", b"\x01", b"\x7F\x01", b"\x13z", b"\0\0"];
    for numbered in good {
        let frame = encode_forged(numbered).unwrap();
        assert!(decompress(&frame, level(3)).is_ok(), "{numbered:?}");
    }
    // Nothing behind a mark, a capital without a word, no second byte.
    let bad: [&[u8]; 9] = [
        b"\x01\0",
        b"a\x7F",
        b"\x13",
        b"\x7F\x13",
        b"\x7Fa",
        b"\x7F\0a",
        b"\x7F\x7F\x01",
        b"\x13 z",
        b"\x13\x01",
    ];
    for numbered in bad {
        assert_eq!(encode_forged(numbered), Err(Error::Corrupt), "{numbered:?}");
    }
}

/// Random code says things that no text becomes, sooner or later.
#[test]
fn decoders_refuse_it_too() {
    let empty = frame(Options::new(level(3)).checksum(false).numbered(), b"");
    let len = Header::parse(&empty).unwrap().unwrap().1;
    let mut refused = 0;
    for seed in 0..100 {
        let forged = [&empty[..len], &random(seed, 300)].concat();
        match decompress_limited(&forged, level(3), 3000) {
            Err(Error::Corrupt) => refused += 1,
            // It may say the end, too.
            Err(Error::Truncated | Error::OutputLimit | Error::NotStatesmix) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 50, "{refused} of 100");
}

#[test]
fn where_it_cannot_be() {
    let refused = Some(Error::Filter(Header::NUMBERED));
    for number in 0..=9 {
        let level = level(number);
        assert_eq!(level.numbers_words(), number >= 3);
        if number < 3 {
            let options = Options::new(level).numbered();
            assert_eq!(Encoder::<_, AnyLevel>::new(options, Heap::new()).err(), refused);
        }
    }
    let options = Options::new(level(2)).numbered();
    assert_eq!(Encoder::<_, Level2>::new(options, Heap::new()).err(), refused);
    let options = Options::new(level(3)).numbered();
    let flushed = options.sync_points(true);
    assert_eq!(Encoder::<_, AnyLevel>::new(flushed, Heap::new()).err(), refused);
    let file = train(level(3), [ENGLISH]).unwrap();
    let dictionary = Dictionary::new(&file).unwrap();
    let encoder = Encoder::<_, AnyLevel>::with_dictionary(options, dictionary, Heap::new());
    assert_eq!(encoder.err(), refused);

    // Headers that say so all the same.
    let made = frame(Options::new(level(3)).numbered(), ENGLISH);
    let forge = |change: &dyn Fn(&mut Header)| {
        let (mut header, len) = Header::parse(&made).unwrap().unwrap();
        change(&mut header);
        let mut bytes = [0; Header::MAX_LEN];
        let written = header.write(&mut bytes);
        [&bytes[..written], &made[len..]].concat()
    };
    let low = forge(&|header| header.level = Level::MIN);
    assert_eq!(decompress(&low, level(9)).err(), refused);
    let flushed = forge(&|header| header.sync_points = true);
    assert_eq!(decompress(&flushed, level(9)), Err(Error::Corrupt));
    let primed = forge(&|header| header.dictionary = Some(dictionary.id()));
    let mut decoder = Decoder::<_, AnyLevel>::with_dictionary(level(3), dictionary, Heap::new());
    assert_eq!(decoder.decode(&primed, &mut [0; 500]).err(), Some(Error::Corrupt));
    // The size stated is that of the text.
    for size in [0, 1, ENGLISH.len() as u64 - 1, ENGLISH.len() as u64 + 1] {
        let wrong = forge(&|header| header.content_size = Some(size));
        assert_eq!(decompress(&wrong, level(3)), Err(Error::Corrupt), "{size}");
    }
    let numbered = number_words(ENGLISH);
    let mut room = [0; 500];
    let mut encoder = Encoder::<_, Level3>::new(options.content_size(9), Heap::new()).unwrap();
    encoder.encode(&numbered, &mut room).unwrap();
    assert_eq!(encoder.finish(&mut room).err(), Some(Error::ContentSize));
}
