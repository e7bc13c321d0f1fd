//! Dictionaries: what begins with one comes back, is smaller for it, and is
//! not taken for what it is not.

mod common;

use std::io::{Read, Write};

use common::{Random, code, contents, level, random, records, text};
use statesmix::io::{Reader, Writer};
use statesmix::{
    AnyLevel, Decoder, Dictionary, Encoder, Error, Filter, Filtered, Heap, Level, Level0, Level1,
    Level2, Level3, Model, Options, PacketDecoder, PacketEncoder, Primer, Status, Trainer, train,
};

/// Messages of a sensor, each a line.
fn lines(seed: u64, count: u32) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    let mut line = |n| {
        let (t, h) = (random.next() % 40, random.next() % 16);
        format!("{{\"n\":{n},\"t\":{}.{},\"h\":{},\"ok\":true}}", 18 + t / 10, t % 10, 40 + h)
    };
    (0..count).map(|n| line(n).into_bytes()).collect()
}

fn trained(number: u8, samples: &[Vec<u8>]) -> Vec<u8> {
    train(level(number), samples.iter().map(Vec::as_slice)).unwrap()
}

/// Compresses and decompresses; returns the length.
fn through<M: Model>(dictionary: Dictionary, message: &[u8]) -> usize {
    let mut packet = vec![0; message.len() + 3];
    let len = dictionary.compress::<M>(Heap::new(), message, &mut packet).unwrap();
    let mut back = vec![0; message.len()];
    let n = dictionary.decompress::<M>(Heap::new(), &packet[..len], &mut back).unwrap();
    assert!(back[..n] == *message);
    len
}

#[test]
fn messages_come_back() {
    for number in 0..=5 {
        let mut samples = lines(1, 50);
        samples.push(b"two\nlines".to_vec());
        let file = trained(number, &samples);
        let checked = Dictionary::new(&file).unwrap();
        let bare = checked.checksum(false);
        let mut messages: Vec<_> = contents().into_iter().map(|(_, content)| content).collect();
        messages.extend(lines(2, 3));
        messages
            .extend([&b"\n"[..], b"\n\n", b"a\n", b"\na", b"\n\n\n\n\n\n\n\n\n"].map(Vec::from));
        for message in messages {
            let len = through::<AnyLevel>(bare, &message);
            assert!(len <= message.len() + 1);
            assert_eq!(len + 2, through::<AnyLevel>(checked, &message));
        }
    }
}

#[test]
fn messages_get_small() {
    let (samples, messages) = (lines(1, 200), lines(2, 200));
    for (number, most) in [(0, 8), (1, 6), (2, 6), (3, 6)] {
        let file = trained(number, &samples);
        let bare = Dictionary::new(&file).unwrap().checksum(false);
        let sum: usize = messages.iter().map(|m| through::<AnyLevel>(bare, m)).sum();
        assert!(sum < most * messages.len(), "level {number}: {sum} bytes");
    }
}

#[test]
fn one_level_makes_what_any_level_makes() {
    fn same<M: Model>(number: u8) {
        let samples = lines(1, 60);
        let mut memory = vec![0; level(number).dictionary()];
        let mut trainer = Trainer::<_, M>::new(level(number), &mut memory[..]).unwrap();
        samples.iter().for_each(|sample| trainer.learn(sample));
        let file = trainer.finish();
        let mut memory = vec![0; level(number).dictionary()];
        let mut trainer = Trainer::<_, AnyLevel>::new(level(number), &mut memory[..]).unwrap();
        samples.iter().for_each(|sample| trainer.learn(sample));
        assert!(trainer.finish() == file);
        let dictionary = Dictionary::new(file).unwrap();
        for message in lines(3, 20) {
            let (mut a, mut b) = (vec![0; 99], vec![0; 99]);
            let n = dictionary.compress::<M>(Heap::new(), &message, &mut a).unwrap();
            let m = dictionary.compress::<AnyLevel>(Heap::new(), &message, &mut b).unwrap();
            assert_eq!(a[..n], b[..m]);
        }
    }
    same::<Level0>(0);
    same::<Level1>(1);
    same::<Level2>(2);
    same::<Level3>(3);
}

/// As in firmware: the dictionary in flash, and no allocator.
#[test]
fn from_a_static() {
    const LEVEL: Level = Level::new(1).unwrap();
    struct Node {
        dictionary: Dictionary<'static>,
        workspace: [u8; LEVEL.workspace()],
    }
    let flash: &'static [u8] = Box::leak(trained(1, &lines(1, 100)).into_boxed_slice());
    let mut node =
        Node { dictionary: Dictionary::new(flash).unwrap(), workspace: [0; LEVEL.workspace()] };
    for message in lines(4, 10) {
        let (mut packet, mut back) = ([0; 64], [0; 64]);
        let Node { dictionary, workspace } = &mut node;
        let len = dictionary.compress::<Level1>(&mut *workspace, &message, &mut packet).unwrap();
        let packet = &packet[..len];
        let n = dictionary.decompress::<Level1>(&mut *workspace, packet, &mut back).unwrap();
        assert_eq!(back[..n], message[..]);
        assert!(len < 12);
    }
}

/// A frame that begins with `dictionary`.
fn frame(options: Options, dictionary: Option<Dictionary>, content: &[u8]) -> Vec<u8> {
    let mut encoder =
        Encoder::<_, AnyLevel>::with_dictionary(options, dictionary, Heap::new()).unwrap();
    let mut frame = vec![0; content.len() + 64];
    let body = encoder.encode(content, &mut frame).unwrap();
    assert_eq!(body.consumed, content.len());
    let end = encoder.finish(&mut frame[body.produced..]).unwrap();
    assert_eq!(end.status, Status::Done);
    frame.truncate(body.produced + end.produced);
    frame
}

/// The content of all frames.
fn decode_all(
    decoder: &mut Decoder<Heap, AnyLevel, impl Primer>,
    mut frames: &[u8],
) -> Result<Vec<u8>, Error> {
    let (mut content, mut room) = (Vec::new(), [0; 64]);
    loop {
        let progress = decoder.decode(frames, &mut room)?;
        frames = &frames[progress.consumed..];
        content.extend_from_slice(&room[..progress.produced]);
        if frames.is_empty() && progress.status != Status::OutputFull {
            decoder.end()?;
            return Ok(content);
        }
    }
}

#[test]
fn frames_name_their_dictionary() {
    for number in 0..=4 {
        let file = trained(number, &lines(1, 100));
        let dictionary = Dictionary::new(&file).unwrap();
        let content = lines(5, 5).join(&b'\n');
        for options in common::options(level(number), content.len()) {
            let primed = frame(options, Some(dictionary), &content);
            let alone = frame(options, None, &content);
            assert!(primed.len() + 15 < alone.len());
            let all = [&primed[..], &alone, &primed].concat();

            let mut decoder =
                Decoder::<_, AnyLevel>::with_dictionary(Level::MAX, dictionary, Heap::new());
            let back = decode_all(&mut decoder, &all).unwrap();
            assert!(back == content.repeat(3));
            assert_eq!(decoder.header().unwrap().dictionary, Some(dictionary.id()));

            let mut decoder = Decoder::<_, AnyLevel>::new(Level::MAX, Heap::new());
            assert_eq!(decode_all(&mut decoder, &all), Err(Error::Dictionary(dictionary.id())));

            let other = trained(number, &lines(9, 90));
            let other = Dictionary::new(&other).unwrap();
            let mut decoder =
                Decoder::<_, AnyLevel>::with_dictionary(Level::MAX, other, Heap::new());
            assert_eq!(decode_all(&mut decoder, &all), Err(Error::Dictionary(dictionary.id())));
        }
    }
}

/// A filter starts with the frame, whatever the dictionary has learned from.
#[test]
fn filters_go_with_one() {
    let content = code(Filter::X86_64, 5, 3000);
    let file = trained(1, std::slice::from_ref(&content));
    let dictionary = Dictionary::new(&file).unwrap();
    let options = Options::new(level(1)).filter(Filter::X86_64);
    let frame = frame(options, Some(dictionary), &content);
    let mut decoder = Decoder::with_dictionary(level(1), dictionary, Heap::new());
    assert_eq!(decode_all(&mut decoder, &frame.repeat(2)), Ok(content.repeat(2)));
    through::<Filtered<Level1>>(dictionary, &content);
}

#[test]
fn readers_and_writers_take_one() {
    let file = trained(2, &lines(1, 100));
    let dictionary = Dictionary::new(&file).unwrap();
    let content = lines(6, 30).join(&b'\n');
    let mut writer =
        Writer::with_dictionary(Vec::new(), Options::new(level(2)), dictionary).unwrap();
    writer.write_all(&content).unwrap();
    let frame = writer.finish().unwrap();
    let mut back = Vec::new();
    Reader::with_dictionary(&frame[..], level(2), dictionary).read_to_end(&mut back).unwrap();
    assert_eq!(back, content);
    let error = Reader::new(&frame[..], level(2)).read_to_end(&mut back).unwrap_err();
    assert!(error.to_string().contains("dictionary"));
}

#[test]
fn packets_begin_with_one_and_restart_with_it() {
    let file = trained(1, &lines(1, 100));
    let dictionary = Some(Dictionary::new(&file).unwrap());
    let new = PacketEncoder::<_, Level1>::with_dictionary;
    let mut encoder = new(level(1), dictionary, Heap::new()).unwrap();
    let new = PacketDecoder::<_, Level1>::with_dictionary;
    let mut decoder = new(level(1), dictionary, Heap::new()).unwrap();
    let mut first = None;
    for _ in 0..3 {
        encoder.restart().unwrap();
        decoder.restart().unwrap();
        for (i, message) in lines(7, 5).into_iter().enumerate() {
            let (mut packet, mut back) = ([0; 64], [0; 64]);
            assert_eq!(encoder.encode(&message, &mut packet).unwrap(), message.len());
            let len = encoder.finish(&mut packet).unwrap();
            let progress = decoder.decode(&packet[..len], &mut back).unwrap();
            assert_eq!(back[..progress.produced], message[..]);
            if i == 0 {
                assert!(len < 12);
                assert_eq!(*first.get_or_insert(packet), packet);
            }
        }
    }
}

#[test]
fn the_level_has_to_be_right() {
    let file = trained(1, &lines(1, 20));
    let dictionary = Dictionary::new(&file).unwrap();
    assert_eq!(dictionary.level(), level(1));
    let mut room = [0; 64];
    let message = b"message";
    assert_eq!(
        dictionary.compress::<Level2>(Heap::new(), message, &mut room),
        Err(Error::NoSuchLevel)
    );
    assert_eq!(
        dictionary.decompress::<Level0>(Heap::new(), message, &mut room),
        Err(Error::NoSuchLevel)
    );
    let small = [0; Level::MIN.workspace()];
    assert_eq!(
        dictionary.compress::<Level1>(small, message, &mut room),
        Err(Error::Memory { needed: level(1).workspace() })
    );
    let other = Error::DictionaryLevel(level(1));
    let options = Options::new(level(2));
    let encoder = Encoder::<_, AnyLevel>::with_dictionary(options, dictionary, Heap::new());
    assert_eq!(encoder.err(), Some(other));
    let encoder = PacketEncoder::<_, AnyLevel>::with_dictionary(level(2), dictionary, Heap::new());
    assert_eq!(encoder.err(), Some(other));
    let decoder = PacketDecoder::<_, AnyLevel>::with_dictionary(level(0), dictionary, Heap::new());
    assert_eq!(decoder.err(), Some(other));

    let primed = frame(Options::new(level(1)), Some(dictionary), message);
    let mut decoder = Decoder::<_, AnyLevel>::with_dictionary(level(0), dictionary, Heap::new());
    assert_eq!(decode_all(&mut decoder, &primed), Err(Error::LevelLimit(level(1))));
}

#[test]
fn another_dictionary_or_damage_is_noticed() {
    let files: Vec<_> = (0..6).map(|seed| trained(0, &lines(seed, 40))).collect();
    let dictionaries = files.iter().map(|file| Dictionary::new(file).unwrap());
    let dictionaries: Vec<_> = dictionaries.collect();
    let first = dictionaries[0];
    let (mut room, mut back) = ([0; 64], [0; 64]);
    let (mut wrong, mut damaged, mut unnoticed) = (0, 0, 0);
    for message in lines(8, 100) {
        let len = first.compress::<Level0>(Heap::new(), &message, &mut room).unwrap();
        let packet = &mut room[..len];
        for other in &dictionaries[1..] {
            if other.tag() != first.tag() {
                let result = other.decompress::<Level0>(Heap::new(), packet, &mut back);
                assert_eq!(result, Err(Error::OtherDictionary));
                wrong += 1;
            }
        }
        for bit in 8..len * 8 {
            packet[bit / 8] ^= 1 << (bit % 8);
            let result = first.decompress::<Level0>(Heap::new(), packet, &mut back);
            damaged += 1;
            unnoticed += u32::from(result.is_ok_and(|n| back[..n] != message[..]));
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..len {
            let result = first.decompress::<Level0>(Heap::new(), &packet[..cut], &mut back);
            damaged += 1;
            unnoticed += u32::from(result.is_ok_and(|n| back[..n] != message[..]));
        }
    }
    assert!(wrong > 300 && damaged > 3000 && unnoticed * 100 < damaged, "{unnoticed} of {damaged}");
}

#[test]
fn what_is_no_dictionary_is_refused() {
    let file = trained(0, &lines(1, 20));
    let error = |bytes: &[u8]| Dictionary::new(bytes).err();
    assert_eq!(error(&file), None);
    assert_eq!(error(b""), Some(Error::DamagedDictionary));
    assert_eq!(error(b"{\"n\":1}"), Some(Error::NotDictionary));
    assert_eq!(error(&frame(Options::new(level(0)), None, b"a")), Some(Error::NotDictionary));
    assert_eq!(error(&[&file[..], &[0]].concat()), Some(Error::DamagedDictionary));
    for cut in 0..file.len() {
        assert_eq!(error(&file[..cut]), Some(Error::DamagedDictionary), "{cut}");
    }
    let mut bytes = file.clone();
    for bit in 0..file.len() * 8 {
        if bit > 300 * 8 && bit % 509 != 0 {
            continue; // the image is all alike
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit {
            0..24 => Error::NotDictionary,
            28..32 => Error::Version(1 << (bit - 28)),
            _ => Error::DamagedDictionary,
        };
        assert_eq!(error(&bytes), Some(expected), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(Dictionary::level_of(&[0xF5, b'S', b'D', 3]), Ok(level(3)));
    assert_eq!(Dictionary::level_of(&[0xF5, b'S', b'M', 3]), Err(Error::NotDictionary));
    assert_eq!(Dictionary::level_of(&[0xF5, b'S', b'D', 0x23]), Err(Error::Version(2)));
    assert_eq!(Dictionary::level_of(&[0xF5, b'S', b'D', 12]), Err(Error::DamagedDictionary));
}

/// CRC-32, bit by bit.
fn crc(bytes: impl Iterator<Item = u8>) -> u32 {
    let step = |crc: u32| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
    !bytes.fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

/// Gives a changed dictionary the id that it asks for.
fn seal(bytes: &mut [u8]) {
    let id = crc(bytes[..4].iter().chain(&bytes[8..]).copied());
    bytes[4..8].copy_from_slice(&id.to_le_bytes());
}

#[test]
fn any_image_at_all_is_harmless() {
    // Where overflow is checked for, the state space model asks for numbers
    // as it makes them.
    let highest = if cfg!(debug_assertions) { 2 } else { 5 };
    for number in 0..=highest {
        let file = trained(number, &lines(1, 30));
        for seed in 0..if number < 3 { 12 } else { 4 } {
            let mut bytes = file.clone();
            let noise = random(seed, bytes.len());
            match seed % 4 {
                0 => bytes[8..].copy_from_slice(&noise[8..]),
                1 => bytes[8..256].copy_from_slice(&noise[8..256]),
                2 => bytes[8..].fill(0xFF),
                _ => bytes[8..].iter_mut().zip(noise).for_each(|(byte, n)| {
                    if n < 32 {
                        *byte = 0x80;
                    }
                }),
            }
            seal(&mut bytes);
            let dictionary = Dictionary::new(&bytes).unwrap();
            let messages = [text(1, 700), records(2, 700), random(3, 300), lines(3, 30).concat()];
            messages.iter().for_each(|message| {
                through::<AnyLevel>(dictionary, message);
            });
        }
    }
}

#[test]
fn training_needs_the_memory_of_a_dictionary() {
    let mut memory = vec![0; level(1).dictionary()];
    let short = Trainer::<_, Level1>::new(level(1), &mut memory[1..]);
    assert_eq!(short.err(), Some(Error::Memory { needed: level(1).dictionary() }));
    let wrong = Trainer::<_, Level1>::new(level(0), &mut memory[..]);
    assert_eq!(wrong.err(), Some(Error::NoSuchLevel));
    // None at all make one that knows nothing.
    let file = train(level(1), []).unwrap();
    through::<Level1>(Dictionary::new(&file).unwrap(), b"message");
}
