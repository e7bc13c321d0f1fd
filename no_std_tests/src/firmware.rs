//! The least that a firmware does with the library, to see what of it gets
//! linked: pieces from one register through the codec to another.

use core::ptr::addr_of_mut;

use statesmix::{Decoder, Encoder, Level, Options, Status};

#[cfg(level = "0")]
use statesmix::Level0 as Model;
#[cfg(level = "1")]
use statesmix::Level1 as Model;
#[cfg(level = "2")]
use statesmix::Level2 as Model;
#[cfg(level = "3")]
use statesmix::Level3 as Model;

#[rustfmt::skip]
const LEVEL: Level = Level::new(if cfg!(level = "0") { 0 } else if cfg!(level = "1") { 1 }
    else if cfg!(level = "2") { 2 } else { 3 }).unwrap();

static mut MEMORY: [u8; LEVEL.workspace()] = [0; LEVEL.workspace()];
static mut IN: u8 = 0;
static mut OUT: u8 = 0;

/// Stands for a radio or a flash.
fn receive() -> [u8; 16] {
    // SAFETY: a static of one thread.
    core::array::from_fn(|_| unsafe { addr_of_mut!(IN).read_volatile() })
}

fn send(bytes: &[u8]) {
    // SAFETY: a static of one thread.
    bytes.iter().for_each(|&byte| unsafe { addr_of_mut!(OUT).write_volatile(byte) });
}

fn memory() -> &'static mut [u8; LEVEL.workspace()] {
    // SAFETY: one user at a time.
    unsafe { &mut *addr_of_mut!(MEMORY) }
}

pub fn encode(pieces: u32) {
    let Ok(mut encoder) = Encoder::<_, Model>::new(Options::new(LEVEL), memory()) else {
        return;
    };
    let mut room = [0; 16];
    for _ in 0..pieces {
        let piece = receive();
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let Ok(progress) = encoder.encode(rest, &mut room) else {
                return;
            };
            rest = rest.get(progress.consumed..).unwrap_or_default();
            send(room.get(..progress.produced).unwrap_or_default());
        }
    }
    while let Ok(progress) = encoder.finish(&mut room) {
        send(room.get(..progress.produced).unwrap_or_default());
        if progress.status == Status::Done {
            break;
        }
    }
}

pub fn decode() {
    let mut decoder = Decoder::<_, Model>::new(LEVEL, memory());
    let mut room = [0; 16];
    loop {
        let piece = receive();
        let mut rest = &piece[..];
        loop {
            let Ok(progress) = decoder.decode(rest, &mut room) else {
                return;
            };
            rest = rest.get(progress.consumed..).unwrap_or_default();
            send(room.get(..progress.produced).unwrap_or_default());
            match progress.status {
                Status::Done => return,
                Status::NeedsInput => break,
                Status::OutputFull => {}
            }
        }
    }
}
