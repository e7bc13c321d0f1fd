//! Packets: every size, every content, in order, and what goes wrong.

mod common;

use common::{contents, level, random, records, text};
use statesmix::{Error, Heap, Level, Level0, Level1, Model, PacketDecoder, PacketEncoder, Status};

/// The packets of `content`, of at most `size` bytes; every `pause` bytes what
/// is there is sent.
fn packets<M: Model>(level: Level, content: &[u8], size: usize, pause: usize) -> Vec<Vec<u8>> {
    let mut encoder = PacketEncoder::<_, M>::new(level, Heap::new()).unwrap();
    let mut packets = Vec::new();
    let mut room = vec![0; size];
    for mut piece in content.chunks(pause) {
        loop {
            let taken = encoder.encode(piece, &mut room).unwrap();
            piece = &piece[taken..];
            if piece.is_empty() {
                break;
            }
            let len = encoder.finish(&mut room).unwrap();
            packets.push(room[..len].to_vec());
        }
        loop {
            let len = encoder.finish(&mut room).unwrap();
            if len == 0 {
                break;
            }
            packets.push(room[..len].to_vec());
        }
    }
    assert_eq!(encoder.finish(&mut room), Ok(0));
    packets
}

fn content_of<M: Model>(level: Level, packets: &[Vec<u8>], room: usize) -> Result<Vec<u8>, Error> {
    let mut decoder = PacketDecoder::<_, M>::new(level, Heap::new())?;
    let mut content = Vec::new();
    let mut room = vec![0; room];
    for packet in packets {
        loop {
            let progress = decoder.decode(packet, &mut room)?;
            content.extend_from_slice(&room[..progress.produced]);
            match progress.status {
                Status::Done => break,
                status => assert_eq!((status, progress.consumed), (Status::OutputFull, 0)),
            }
        }
    }
    Ok(content)
}

#[test]
fn packets_round_trip() {
    for (name, content) in contents() {
        for (size, pause) in [(16, 4000), (17, 5), (51, 100), (222, 4000), (222, 37)] {
            let sent = packets::<Level0>(Level::MIN, &content, size, pause);
            assert!(sent.iter().all(|packet| packet.len() <= size), "{name}");
            for room in [1, 300] {
                let back = content_of::<Level0>(Level::MIN, &sent, room);
                assert_eq!(back.as_ref(), Ok(&content), "{name}, {size}, {pause}, {room}");
            }
        }
    }
}

#[test]
fn through_the_fallback_too() {
    let content = [random(30, 6000), text(31, 3000), random(32, 4000), text(31, 2000)].concat();
    for (size, pause) in [(20, 1000), (100, 1 << 20), (222, 111)] {
        let sent = packets::<Level1>(level(1), &content, size, pause);
        assert!(content_of::<Level1>(level(1), &sent, 64).as_ref() == Ok(&content));
    }
}

/// Each packet gives all that was put into it, before the next one comes.
#[test]
fn packets_decode_at_once() {
    let content = records(33, 1600);
    let mut encoder = PacketEncoder::<_, Level0>::new(Level::MIN, Heap::new()).unwrap();
    let mut decoder = PacketDecoder::<_, Level0>::new(Level::MIN, Heap::new()).unwrap();
    let (mut room, mut text) = ([0; 222], [0; 64]);
    for record in content.chunks(16) {
        assert_eq!(encoder.encode(record, &mut room), Ok(16));
        let len = encoder.finish(&mut room).unwrap();
        let progress = decoder.decode(&room[..len], &mut text).unwrap();
        assert_eq!(&text[..progress.produced], record);
    }
}

#[test]
fn a_packet_costs_little_and_is_filled() {
    let content = records(34, 16_000);
    let whole = packets::<Level1>(level(1), &content, 1 << 20, 1 << 20);
    let cut = packets::<Level1>(level(1), &content, 222, 1 << 20);
    let (whole, bytes) = (whole[0].len(), cut.concat().len());
    assert!(bytes <= whole + 3 * cut.len(), "{bytes} bytes in {}, {whole} in one", cut.len());
    let (_, full) = cut.split_last().unwrap();
    assert!(full.iter().all(|packet| packet.len() >= 222 - 4));
}

#[test]
fn after_a_restart_both_begin_anew() {
    let content = text(35, 500);
    let mut encoder = PacketEncoder::<_, Level0>::new(Level::MIN, Heap::new()).unwrap();
    let mut decoder = PacketDecoder::<_, Level0>::new(Level::MIN, Heap::new()).unwrap();
    let (mut room, mut back) = ([0; 600], [0; 600]);
    let mut first = vec![];
    for lost in [false, true, false] {
        encoder.restart().unwrap();
        encoder.encode(&content, &mut room).unwrap();
        let len = encoder.finish(&mut room).unwrap();
        if lost {
            continue;
        }
        decoder.restart().unwrap();
        let n = decoder.decode(&room[..len], &mut back).unwrap().produced;
        assert_eq!(back[..n], content);
        assert!(first.is_empty() || first == room[..len]);
        first = room[..len].to_vec();
    }
}

#[test]
fn what_goes_wrong() {
    let content = text(36, 2000);
    let sent = packets::<Level0>(Level::MIN, &content, 222, 1 << 20);
    // A cut packet, and no way on but a restart.
    let mut decoder = PacketDecoder::<_, Level0>::new(Level::MIN, Heap::new()).unwrap();
    let mut room = [0; 4000];
    assert_eq!(decoder.decode(&sent[0][..100], &mut room), Err(Error::Truncated));
    assert_eq!(decoder.decode(&sent[0], &mut room), Err(Error::Truncated));
    decoder.restart().unwrap();
    assert!(decoder.decode(&sent[0], &mut room).is_ok());
    // Any damage may give nonsense or an error, but ends.
    for at in 0..sent[0].len() {
        let mut damaged = sent.clone();
        damaged[0][at] ^= 0x55;
        assert!(content_of::<Level0>(Level::MIN, &damaged, 4096).as_ref() != Ok(&content));
    }
    // Room, level, memory.
    let mut encoder = PacketEncoder::<_, Level0>::new(Level::MIN, Heap::new()).unwrap();
    assert_eq!(encoder.encode(b"a", &mut [0; 15]), Err(Error::OutputFull));
    let wrong = PacketEncoder::<_, Level0>::new(level(1), Heap::new());
    assert_eq!(wrong.err(), Some(Error::NoSuchLevel));
    let small = PacketDecoder::<_, Level0>::new(Level::MIN, [0; 100]);
    assert_eq!(small.err(), Some(Error::Memory { needed: Level::MIN.workspace() }));
}
