//! Whatever goes in comes out, by every way in and out, and the bytes of a
//! frame do not depend on the way.

mod common;

use std::io::{Read, Write};

use common::{contents, decode, encode, level, options, picture, random, records, text};
use proptest::prelude::*;
use statesmix::io::{Reader, Writer};
use statesmix::{
    AnyLevel, Decoder, Heap, Level, Level0, Level1, Level2, Level3, Memory, Model, Options, Status,
    compress, compress_into, compress_message, decompress, decompress_into, decompress_message,
    max_frame_len,
};

/// Encodes and decodes with plenty of room.
fn round_trip(name: &str, options: Options, limit: Level, content: &[u8]) -> Vec<u8> {
    let frame = encode::<AnyLevel>(options, Heap::new(), content, 1 << 20, 1 << 20).unwrap();
    assert!(frame.len() <= max_frame_len(content.len()), "{name}: {} bytes", frame.len());
    let back = decode::<AnyLevel>(limit, Heap::new(), &frame, 1 << 20, 1 << 20).unwrap();
    assert!(back == content, "{name}, {options:?}");
    frame
}

#[test]
fn every_content_option_and_level() {
    for number in 0..=6 {
        for (name, content) in contents() {
            // The options hardly meet the model; its size costs time.
            let options = options(level(number), content.len());
            for &options in if number < 4 { &options[..] } else { &options[..1] } {
                round_trip(name, options, level(number), &content);
            }
        }
    }
}

#[test]
fn high_levels() {
    for number in 7..=8 {
        for content in [b"a", &text(6, 500)[..]] {
            round_trip("high", Options::new(level(number)), Level::MAX, content);
        }
    }
}

#[test]
fn pictures() {
    let content = picture(9, 20_000);
    let len = |number| {
        let options = Options::new(level(number));
        round_trip("picture", options, level(number), &content).len()
    };
    let by_bytes = len(1);
    for number in 2..=6 {
        assert!(len(number) * 100 < by_bytes * 61, "level {number}: {} of {by_bytes}", len(number));
    }
}

#[test]
fn longer_than_the_memory() {
    for number in 0..=2 {
        let content = [text(7, 60_000), records(8, 40_000)].concat();
        round_trip("long", Options::new(level(number)), level(number), &content);
    }
}

#[test]
fn pieces_of_any_size() {
    for (name, content) in contents() {
        for options in options(level(1), content.len()) {
            let whole = encode::<AnyLevel>(options, Heap::new(), &content, 1 << 20, 1 << 20);
            let whole = whole.unwrap();
            for (input, output) in [(1, 1), (1, 1000), (1000, 1), (7, 13), (64, 3)] {
                let frame = encode::<AnyLevel>(options, Heap::new(), &content, input, output);
                assert_eq!(frame.unwrap(), whole, "{name}, {options:?}, {input}, {output}");
                let back = decode::<AnyLevel>(level(1), Heap::new(), &whole, input, output);
                assert_eq!(back.unwrap(), content, "{name}, {options:?}, {input}, {output}");
            }
        }
    }
}

#[test]
fn empty_pieces_change_nothing() {
    let content = text(9, 300);
    let options = Options::new(Level::MIN);
    let mut encoder: statesmix::Encoder<_> = statesmix::Encoder::new(options, Heap::new()).unwrap();
    let mut frame = [0; 400];
    let mut len = 0;
    for piece in content.chunks(11) {
        encoder.encode(&[], &mut []).unwrap();
        encoder.encode(&[], &mut frame[len..len]).unwrap();
        len += encoder.encode(piece, &mut frame[len..]).unwrap().produced;
    }
    len += encoder.finish(&mut frame[len..]).unwrap().produced;
    let whole = encode::<AnyLevel>(options, Heap::new(), &content, 1000, 1000).unwrap();
    assert_eq!(frame[..len], whole);

    let mut decoder: Decoder<_> = Decoder::new(Level::MIN, Heap::new());
    let mut back = vec![0; 300];
    let mut written = 0;
    for piece in whole.chunks(5) {
        let none = decoder.decode(&[], &mut []).unwrap();
        assert_eq!((none.consumed, none.produced), (0, 0));
        written += decoder.decode(piece, &mut back[written..]).unwrap().produced;
    }
    decoder.end().unwrap();
    assert_eq!(back, content);
}

#[test]
fn readers_and_writers() {
    for (name, content) in contents() {
        for options in options(level(2), content.len()) {
            let frame = encode::<AnyLevel>(options, Heap::new(), &content, 1000, 1000).unwrap();
            for piece in [1, 17, 5000] {
                let mut writer = Writer::new(Vec::new(), options).unwrap();
                for (i, piece) in content.chunks(piece).enumerate() {
                    writer.write_all(piece).unwrap();
                    if i % 50 == 3 {
                        writer.flush().unwrap();
                    }
                }
                assert_eq!(writer.finish().unwrap(), frame, "{name}");

                let mut reader = Reader::new(&frame[..], level(2));
                let mut back = Vec::new();
                let mut room = vec![0; piece];
                loop {
                    match reader.read(&mut room).unwrap() {
                        0 => break,
                        n => back.extend_from_slice(&room[..n]),
                    }
                }
                assert_eq!(back, content, "{name}");
            }
        }
    }
}

/// Gives one byte at a time, and an interruption before each.
struct Stutter<'a> {
    bytes: &'a [u8],
    interrupt: bool,
}

impl Read for Stutter<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        self.bytes.read(&mut buffer[..1])
    }
}

#[test]
fn interrupted_reads_lose_and_repeat_nothing() {
    let content = text(10, 2000);
    let frame = compress(&content, Level::MIN).unwrap();
    let mut back = Vec::new();
    let stutter = Stutter { bytes: &frame, interrupt: false };
    Reader::new(stutter, Level::MIN).read_to_end(&mut back).unwrap();
    assert_eq!(back, content);
}

/// Takes a hundred bytes at a time, and none at every other call; at last it
/// takes all.
#[derive(Default)]
struct Reluctant {
    bytes: Vec<u8>,
    refuse: bool,
}

impl Write for Reluctant {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.refuse = !self.refuse && self.bytes.len() < 30_000;
        if self.refuse {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let n = bytes.len().min(100);
        self.bytes.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn refused_writes_lose_and_repeat_nothing() {
    let content = [random(13, 40_000), text(14, 10_000)].concat();
    let options = Options::new(Level::MIN);
    let mut writer = Writer::new(Reluctant::default(), options).unwrap();
    let mut rest = &content[..];
    while !rest.is_empty() {
        // An error says that nothing was taken.
        if let Ok(n) = writer.write(rest) {
            rest = &rest[n..];
        }
    }
    let whole = encode::<AnyLevel>(options, Heap::new(), &content, 1 << 20, 1 << 20).unwrap();
    assert!(writer.finish().unwrap().bytes == whole);
}

/// One-shot functions in exactly the workspace a level states.
fn in_exact_workspace(level: Level, workspace: &mut [u8]) {
    assert_eq!(workspace.len(), level.workspace());
    for (name, content) in contents() {
        let options = Options::new(level);
        let mut frame = vec![0; max_frame_len(content.len())];
        let len = compress_into(options, &mut *workspace, &content, &mut frame).unwrap();
        assert_eq!(frame[..len], compress(&content, level).unwrap(), "{name}");
        let mut back = vec![0; content.len()];
        let n = decompress_into(level, &mut *workspace, &frame[..len], &mut back).unwrap();
        assert_eq!(back[..n], content, "{name}");
        assert_eq!(decompress(&frame[..len], level).unwrap(), content, "{name}");
    }
}

#[test]
fn slices_in_a_workspace_of_the_exact_size() {
    for number in 0..=4 {
        in_exact_workspace(level(number), &mut vec![0xA5; level(number).workspace()]);
    }
}

#[test]
fn arrays_as_workspace() {
    const SIZE: usize = Level::MIN.workspace();
    let content = text(11, 700);
    let sized = Options::new(Level::MIN).content_size(700);
    let whole = compress(&content, Level::MIN).unwrap();
    // By value and by reference, and dirty from the first to the second.
    let mut workspace = [0xFF; SIZE];
    let frame = encode::<Level0>(sized, workspace, &content, 700, 700).unwrap();
    assert_eq!(frame, whole);
    for _ in 0..2 {
        let frame = encode::<Level0>(sized, &mut workspace, &content, 700, 700).unwrap();
        assert_eq!(frame, whole);
        let back = decode::<Level0>(Level::MIN, &mut workspace, &frame, 700, 700).unwrap();
        assert_eq!(back, content);
    }
}

fn as_any_level<M: Model>(level: Level) {
    for (name, content) in contents() {
        for options in options(level, content.len()) {
            let any = encode::<AnyLevel>(options, Heap::new(), &content, 1000, 1000).unwrap();
            let fixed = encode::<M>(options, Heap::new(), &content, 1000, 1000).unwrap();
            assert_eq!(fixed, any, "{name}");
            let back = decode::<M>(level, Heap::new(), &any, 1000, 1000).unwrap();
            assert_eq!(back, content, "{name}");
        }
    }
}

#[test]
fn fixed_levels_give_the_same_bytes() {
    as_any_level::<Level0>(level(0));
    as_any_level::<Level1>(level(1));
    as_any_level::<Level2>(level(2));
    as_any_level::<Level3>(level(3));
}

#[test]
fn frames_one_after_another() {
    let mut frames = Vec::new();
    let mut all = Vec::new();
    for (i, (_, content)) in contents().into_iter().enumerate() {
        let options = options(level(i as u8 % 3), content.len())[i % 4];
        frames.extend(encode::<AnyLevel>(options, Heap::new(), &content, 1000, 1000).unwrap());
        all.extend(content);
    }
    assert_eq!(decompress(&frames, level(2)).unwrap(), all);
    let mut back = vec![0; all.len()];
    let mut workspace = vec![0; level(2).workspace()];
    assert_eq!(decompress_into(level(2), &mut workspace, &frames, &mut back), Ok(all.len()));
    assert_eq!(back, all);
    let mut back = Vec::new();
    Reader::new(&frames[..], level(2)).read_to_end(&mut back).unwrap();
    assert_eq!(back, all);
    for (input, output) in [(1, 1), (5, 7)] {
        let back = decode::<AnyLevel>(level(2), Heap::new(), &frames, input, output).unwrap();
        assert_eq!(back, all);
    }
}

#[test]
fn the_decoder_stops_at_the_end_of_a_frame() {
    for options in options(Level::MIN, 5) {
        let frame = encode::<AnyLevel>(options, Heap::new(), b"first", 100, 100).unwrap();
        let followed = [&frame[..], b"something else"].concat();
        let mut decoder: Decoder<_> = Decoder::new(Level::MIN, Heap::new());
        let progress = decoder.decode(&followed, &mut [0; 100]).unwrap();
        assert_eq!(progress.status, Status::Done);
        assert_eq!((progress.consumed, progress.produced), (frame.len(), 5));
        assert_eq!(decoder.end(), Ok(()));
    }
}

#[test]
fn the_header_can_be_asked_for() {
    let options = Options::new(level(1)).content_size(5);
    let frame = encode::<AnyLevel>(options, Heap::new(), b"first", 100, 100).unwrap();
    let mut decoder: Decoder<_> = Decoder::new(Level::DEFAULT, Heap::new());
    assert!(decoder.header().is_none());
    decoder.decode(&frame[..8], &mut [0; 100]).unwrap();
    let header = *decoder.header().unwrap();
    assert_eq!((header.level, header.content_size, header.checksum), (level(1), Some(5), true));
    assert_eq!(statesmix::Header::parse(&frame), Ok(Some((header, 6))));
}

fn message_round_trip<M: Model>(
    level: Level,
    mut memory: impl Memory + AsMut<[u8]>,
    message: &[u8],
) {
    let mut packet = vec![0; message.len() + 1];
    let len = compress_message::<M>(level, memory.as_mut(), message, &mut packet).unwrap();
    let mut back = vec![0; message.len()];
    let n = decompress_message::<M>(level, memory.as_mut(), &packet[..len], &mut back).unwrap();
    assert_eq!(back[..n], *message);
}

#[test]
fn messages() {
    for number in 0..=4 {
        let mut workspace = vec![0; level(number).workspace()];
        for (_, content) in contents() {
            message_round_trip::<AnyLevel>(level(number), &mut workspace[..], &content);
            for len in 0..content.len().min(40) {
                message_round_trip::<AnyLevel>(level(number), &mut workspace[..], &content[..len]);
            }
        }
        // Across the steps of the end probability.
        let message = text(12, 20_000);
        for len in [1023, 1024, 1025, 16_383, 16_384, 16_385, 20_000] {
            message_round_trip::<AnyLevel>(level(number), &mut workspace[..], &message[..len]);
        }
    }
}

#[test]
fn every_message_of_one_or_two_bytes() {
    let mut workspace = [0; Level::MIN.workspace()];
    for a in 0..=255 {
        message_round_trip::<Level0>(Level::MIN, &mut workspace, &[a]);
        for b in (0..=255).step_by(5) {
            message_round_trip::<Level0>(Level::MIN, &mut workspace, &[a, b]);
        }
    }
}

/// Bytes of which some repeat.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        prop::collection::vec(0..4u8, 0..600),
        (prop::collection::vec(any::<u8>(), 1..60), 1..30usize).prop_map(|(v, n)| v.repeat(n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn arbitrary(
        content in content(),
        number in 0..3u8,
        option in 0..4usize,
        sizes in (1..50usize, 1..50usize, 1..50usize, 1..50usize),
    ) {
        let options = options(level(number), content.len())[option];
        let whole = encode::<AnyLevel>(options, Heap::new(), &content, 4096, 4096).unwrap();
        let frame = encode::<AnyLevel>(options, Heap::new(), &content, sizes.0, sizes.1).unwrap();
        prop_assert_eq!(&frame, &whole);
        let back = decode::<AnyLevel>(level(number), Heap::new(), &frame, sizes.2, sizes.3);
        prop_assert_eq!(back.unwrap(), content);
    }

    #[test]
    fn arbitrary_messages(content in content(), number in 0..3u8) {
        let mut workspace = vec![0; level(number).workspace()];
        message_round_trip::<AnyLevel>(level(number), &mut workspace[..], &content);
    }
}
