//! A stream through fixed buffers, without an allocator, as firmware would do
//! it: standard input through an encoder and a decoder of 8 KiB each.
//!
//! ```text
//! cargo run --release --example pipe < README.md > copy.md
//! ```

use std::io::{self, Read, Write};

use statesmix::{Decoder, Encoder, Error, Level, Level0, Options, Status};

const SIZE: usize = Level::MIN.workspace();

/// The receiving side: hands the content on as it comes.
struct Receiver {
    decoder: Decoder<[u8; SIZE], Level0>,
    frame_bytes: usize,
}

impl Receiver {
    fn take(&mut self, mut packet: &[u8], output: &mut impl Write) -> io::Result<()> {
        self.frame_bytes += packet.len();
        let mut content = [0; 64];
        loop {
            let progress = self.decoder.decode(packet, &mut content)?;
            packet = &packet[progress.consumed..];
            output.write_all(&content[..progress.produced])?;
            match progress.status {
                Status::OutputFull => {}
                Status::NeedsInput => return Ok(()),
                Status::Done if packet.is_empty() => return Ok(()),
                Status::Done => return Err(Error::NotStatesmix.into()), // one frame, we said
            }
        }
    }
}

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    // `Level0` instead of the default `AnyLevel`: no code of the other levels.
    let mut encoder = Encoder::<_, Level0>::new(Options::new(Level::MIN), [0; SIZE])?;
    let mut receiver = Receiver { decoder: Decoder::new(Level::MIN, [0; SIZE]), frame_bytes: 0 };
    let mut packet = [0; 20]; // as many bytes as a radio packet holds
    let mut sample = [0; 48];
    loop {
        let n = input.read(&mut sample)?;
        if n == 0 {
            break;
        }
        let mut rest = &sample[..n];
        while !rest.is_empty() {
            let progress = encoder.encode(rest, &mut packet)?;
            rest = &rest[progress.consumed..];
            receiver.take(&packet[..progress.produced], &mut output)?;
        }
    }
    loop {
        let progress = encoder.finish(&mut packet)?;
        receiver.take(&packet[..progress.produced], &mut output)?;
        if progress.status == Status::Done {
            break;
        }
    }
    receiver.decoder.end()?;
    eprintln!("{} bytes in {}", encoder.content_bytes(), receiver.frame_bytes);
    output.flush()
}
