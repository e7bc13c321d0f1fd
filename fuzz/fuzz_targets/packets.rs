//! Packets: they come back whatever their size and whenever they are sent, and
//! damaged, lost or made-up ones end in an error or in nonsense, no worse.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use statesmix::{AnyLevel, Error, Heap, PacketDecoder, PacketEncoder, Status};

/// Content to be had from one packet.
const MOST: usize = 1 << 11;

#[derive(Arbitrary, Debug)]
enum Damage<'a> {
    Flip(u8, u16),
    Lose(u8),
    Truncate(u8, u8),
    Replace(u8, &'a [u8]),
}

type Encoder = PacketEncoder<Heap, AnyLevel>;
type Decoder = PacketDecoder<Heap, AnyLevel>;

/// The packets of `content`, of at most `size` bytes, of which one is sent every
/// `pause` bytes at the latest.
fn send(setup: &Setup, content: &[u8], size: usize, pause: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(setup.level(), Heap::new()).unwrap();
    let (mut sent, mut room) = (Vec::new(), vec![0; size]);
    for mut piece in content.chunks(pause) {
        loop {
            let taken = encoder.encode(piece, &mut room).unwrap();
            piece = &piece[taken..];
            let len = encoder.finish(&mut room).unwrap();
            if len > 0 {
                sent.push(room[..len].to_vec());
            } else if piece.is_empty() {
                break;
            }
        }
    }
    sent
}

/// The content of a packet, given in pieces of `room` bytes.
fn receive(decoder: &mut Decoder, packet: &[u8], room: usize) -> Result<Vec<u8>, Error> {
    let (mut content, mut room) = (Vec::new(), vec![0; room]);
    loop {
        let progress = decoder.decode(packet, &mut room)?;
        content.extend_from_slice(&room[..progress.produced]);
        if progress.status == Status::Done || content.len() > MOST {
            return Ok(content);
        }
        assert_eq!((progress.status, progress.produced), (Status::OutputFull, room.len()));
    }
}

fuzz_target!(|input: (Setup, u8, u16, u8, Vec<Damage>, &[u8])| {
    let (setup, size, pause, room, damages, content) = input;
    let size = Encoder::MIN_PACKET + usize::from(size);
    let room = usize::from(room) + 1;
    let mut sent = send(&setup, content, size, usize::from(pause) + 1);
    assert!(sent.iter().all(|packet| packet.len() <= size));

    let mut decoder = Decoder::new(setup.level(), Heap::new()).unwrap();
    let mut back = Vec::new();
    for packet in &sent {
        back.extend(receive(&mut decoder, packet, room).unwrap());
    }
    // Unless a packet holds so much that `receive` has enough of it.
    if content.len() <= MOST {
        assert_eq!(back, content);
    }

    for damage in damages.iter().take(4) {
        let count = sent.len().max(1);
        match *damage {
            Damage::Lose(n) if !sent.is_empty() => drop(sent.remove(usize::from(n) % count)),
            Damage::Replace(n, with) => {
                let at = usize::from(n) % count;
                sent.splice(at..(at + 1).min(sent.len()), [with.to_vec()]);
            }
            Damage::Flip(n, bit) => {
                if let Some(packet) = sent.get_mut(usize::from(n) % count)
                    && let Some(byte) = packet.get_mut(usize::from(bit) / 8)
                {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Damage::Truncate(n, len) => {
                if let Some(packet) = sent.get_mut(usize::from(n) % count) {
                    packet.truncate(len.into());
                }
            }
            Damage::Lose(_) => {}
        }
    }
    decoder.restart().unwrap();
    for packet in &sent {
        match receive(&mut decoder, packet, room) {
            Ok(content) if content.len() <= MOST => {}
            Ok(_) => break,
            Err(error) => {
                assert_eq!(decoder.decode(packet, &mut [0]), Err(error));
                break;
            }
        }
    }
});
