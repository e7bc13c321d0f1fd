//! What a dictionary does for your messages: every other line of a file makes
//! it, the other lines are messages, each compressed and decompressed alone.
//!
//! ```text
//! cargo run --release --example dictionary -- [FILE [LEVEL [later]]]
//! ```
//!
//! With `later` the first half of the lines makes it, and the second half are
//! the messages: as it will be, if your messages change with time.

use std::time::Instant;

use statesmix::{AnyLevel, Dictionary, Error, Level, compress_message, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let content = match args.first() {
        Some(file) => std::fs::read(file)?,
        None => made_up().into_bytes(),
    };
    let level = args.get(1).map_or(Ok(1), |level| level.parse())?;
    let level = Level::new(level).ok_or(Error::NoSuchLevel)?;
    let lines: Vec<_> = content.split(|&byte| byte == b'\n').filter(|l| !l.is_empty()).collect();
    let (samples, messages): (Vec<_>, Vec<_>) = if args.get(2).is_some_and(|how| how == "later") {
        let (samples, messages) = lines.split_at(lines.len() / 2);
        (samples.to_vec(), messages.to_vec())
    } else {
        let half = |first| lines.iter().skip(first).step_by(2).copied().collect();
        (half(0), half(1))
    };

    let start = Instant::now();
    let file = train(level, samples.iter().copied())?;
    println!("{} samples, {} bytes", samples.len(), samples.concat().len());
    println!("trained in {:.2} s: a dictionary of {} bytes", seconds(start), file.len());
    let start = Instant::now();
    let dictionary = Dictionary::new(&file)?;
    println!("checked in {:.4} s", seconds(start));

    let mut workspace = vec![0; level.workspace()];
    let longest = messages.iter().map(|message| message.len()).max().unwrap_or(0);
    let (mut packet, mut back) = (vec![0; longest + 3], vec![0; longest]);
    let mut alone = 0;
    for message in &messages {
        alone += compress_message::<AnyLevel>(level, &mut workspace, message, &mut packet)?;
    }
    println!("{} messages, {} bytes", messages.len(), messages.concat().len());
    println!("without a dictionary: {alone} bytes");
    for (checked, text) in [(false, "with it"), (true, "and with two bytes of checks")] {
        let dictionary = dictionary.checksum(checked);
        let mut packets = Vec::new();
        let start = Instant::now();
        for message in &messages {
            let len = dictionary.compress::<AnyLevel>(&mut workspace, message, &mut packet)?;
            packets.push(packet[..len].to_vec());
        }
        let rate = messages.len() as f64 / seconds(start);
        let start = Instant::now();
        for (packet, message) in packets.iter().zip(&messages) {
            let len = dictionary.decompress::<AnyLevel>(&mut workspace, packet, &mut back)?;
            assert!(back[..len] == **message);
        }
        let back_rate = messages.len() as f64 / seconds(start);
        let bytes = packets.concat().len();
        println!("{text}: {bytes} bytes; {rate:.0} messages/s, back {back_rate:.0}");
    }
    Ok(())
}

fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64().max(1e-9)
}

/// Messages of a sensor.
fn made_up() -> String {
    let mut seed = 0x2545_F491u32;
    let mut line = |i: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (t, h) = (200 + (seed >> 27), 40 + (seed >> 12 & 15));
        format!("{{\"node\":17,\"n\":{i},\"t\":{}.{},\"h\":{h},\"ok\":true}}\n", t / 10, t % 10)
    };
    (0..400).map(&mut line).collect()
}
