//! Pretrained frames through the public interface.

mod common;

use common::{decode, encode, level, random, records, text};
use statesmix::{
    AnyLevel, Decoder, Encoder, Error, Filter, Header, Heap, Level6, Options, Status, compress,
    decompress, train,
};

const ENGLISH: &[u8] = b"The committee met on Monday to discuss whether the old bridge should be \
    repaired before the winter. Most of the members, however, thought that it would be better to \
    build a new one a little further down the river, where the road from the village crosses it.";

fn header(frame: &[u8]) -> Header {
    Header::parse(frame).unwrap().unwrap().0
}

#[test]
fn english_takes_fewer_bytes() {
    let options = Options::new(level(6));
    let fresh = encode::<AnyLevel>(options, Heap::new(), ENGLISH, 4096, 4096).unwrap();
    let options = options.pretrained(true);
    let frame = encode::<AnyLevel>(options, Heap::new(), ENGLISH, 4096, 4096).unwrap();
    assert!(frame.len() * 4 < fresh.len() * 3, "{} of {}", frame.len(), fresh.len());
    assert!(header(&frame).pretrained && !header(&fresh).pretrained);
    assert_eq!(decompress(&frame, level(6)).as_deref(), Ok(ENGLISH));
}

#[test]
fn pieces_and_models_make_no_difference() {
    let content = [ENGLISH, &text(1, 700), &random(2, 300)].concat();
    let options = Options::new(level(6)).pretrained(true).content_size(content.len() as u64);
    let frame = encode::<AnyLevel>(options, Heap::new(), &content, 4096, 4096).unwrap();
    assert_eq!(encode::<Level6>(options, Heap::new(), &content, 7, 1).as_ref(), Ok(&frame));
    assert_eq!(decode::<Level6>(level(6), Heap::new(), &frame, 1, 3).as_ref(), Ok(&content));
    // Another frame in the same memory, with another beginning.
    let frames = [&frame[..], &compress(&random(3, 50), level(6)).unwrap(), &frame].concat();
    let back = decompress(&frames, level(6)).unwrap();
    assert_eq!(back, [&content[..], &random(3, 50), &content].concat());
}

#[test]
fn with_filters_and_sync_points() {
    let options = Options::new(level(6)).pretrained(true).sync_points(true).filter(Filter::X86_64);
    let mut encoder = Encoder::<_>::new(options, Heap::new()).unwrap();
    let (mut frame, mut room) = (Vec::new(), [0; 4096]);
    for piece in ENGLISH.chunks(100) {
        let progress = encoder.encode(piece, &mut room).unwrap();
        frame.extend_from_slice(&room[..progress.produced]);
        let progress = encoder.flush(&mut room).unwrap();
        assert_eq!(progress.status, Status::NeedsInput);
        frame.extend_from_slice(&room[..progress.produced]);
    }
    let progress = encoder.finish(&mut room).unwrap();
    frame.extend_from_slice(&room[..progress.produced]);
    let header = header(&frame);
    assert!(header.pretrained && header.sync_points && header.filter.is_some());
    assert_eq!(decompress(&frame, level(6)).as_deref(), Ok(ENGLISH));
}

#[test]
fn small_levels_and_dictionaries_do_without() {
    let options = |number| Options::new(level(number)).pretrained(true);
    for number in 0..6 {
        assert!(!level(number).pretrains());
        let made = |options| encode::<AnyLevel>(options, Heap::new(), ENGLISH, 4096, 4096).unwrap();
        assert_eq!(made(options(number)), made(Options::new(level(number))));
        assert!(!header(&compress(ENGLISH, level(number)).unwrap()).pretrained);
    }
    let file = train(level(6), [ENGLISH]).unwrap();
    let dictionary = statesmix::Dictionary::new(&file).unwrap();
    let mut encoder = Encoder::<_>::with_dictionary(options(6), dictionary, Heap::new()).unwrap();
    let mut frame = [0; 1000];
    let n = encoder.encode(ENGLISH, &mut frame).unwrap().produced;
    let n = n + encoder.finish(&mut frame[n..]).unwrap().produced;
    assert!(!header(&frame[..n]).pretrained);
    let mut decoder = Decoder::<_>::with_dictionary(level(6), dictionary, Heap::new());
    let mut back = [0; 1000];
    let done = decoder.decode(&frame[..n], &mut back).unwrap();
    assert_eq!((&back[..done.produced], done.status), (ENGLISH, Status::Done));
}

#[test]
fn headers_that_ask_for_what_cannot_be_are_refused() {
    let frame = compress(ENGLISH, level(6)).unwrap();
    assert!(header(&frame).pretrained);
    for number in 0..6 {
        let mut forged = frame.clone();
        forged[3] = number;
        assert_eq!(decompress(&forged, level(9)), Err(Error::Corrupt));
    }
    let mut forged = frame.clone();
    forged[4] |= 4;
    assert_eq!(decompress(&forged, level(6)), Err(Error::Corrupt));
    // Without the flag the same code is something else.
    let mut forged = frame;
    forged[4] &= !64;
    assert!(decompress(&forged, level(6)).is_err());
}

#[test]
fn what_seems_to_be_text() {
    let pretrained = |content: &[u8]| header(&compress(content, level(6)).unwrap()).pretrained;
    assert!(pretrained(ENGLISH));
    assert!(pretrained(b"int main(void)\n{\n\treturn 0;\n}\n"));
    assert!(pretrained("\u{421}\u{43e}\u{43b}\u{43d}\u{446}\u{435} \u{438} \u{43b}".as_bytes()));
    assert!(!pretrained(b""));
    assert!(!pretrained(b"2026-11-26;21.5;48;3.71\n2026-11-27;21.6;48;3.70\n"));
    assert!(!pretrained(&random(4, 1000)));
    assert!(!pretrained(&records(5, 1000)));
    // A few control characters in much text are no harm.
    assert!(pretrained(&[&[0; 3], ENGLISH].concat()));
    assert!(!pretrained(&[&[0; 6], ENGLISH].concat()));
}
