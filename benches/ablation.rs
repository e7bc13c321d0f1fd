//! What each part of the model does by itself, and all of it together:
//!
//! ```text
//! cargo bench --features ablation --bench ablation -- [LEVELS] FILES...
//! ```
//!
//! Sizes are of frames that were decoded again and compared; speeds are of
//! compression, in CPU time. Levels are those with a state space model, 5 to
//! 9. A part has the memory of the whole level:
//!
//! - order 0: the frequencies of bytes.
//! - n-grams: the level without its state space model.
//! - SSM: the state space model through a mixer of one row that starts with
//!   its word as it is. Its contexts are those of the level, and one of them is
//!   the byte that a match model expects.
//! - full: the level.

use std::fs;
use std::process::ExitCode;

use statesmix::ablation::{Frequencies, Ngrams, StateSpace};
use statesmix::{AnyLevel, Decoder, Encoder, Heap, Level, Model, Options, Status};

mod common;
use common::{Clock, Result, parse_levels};

/// The frame and the nanoseconds for `content`.
type Code = fn(Level, &[u8]) -> Result<(Vec<u8>, u64)>;

const PARTS: [(&str, Code); 4] = [
    ("order 0", code::<Frequencies>),
    ("n-grams", code::<Ngrams>),
    ("SSM", code::<StateSpace>),
    ("full", code::<AnyLevel>),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ablation: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args: Vec<_> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let levels = match args.first().map(|arg| parse_levels(arg)) {
        Some(Ok(levels)) => {
            args.remove(0);
            levels
        }
        _ => vec![Level::DEFAULT],
    };
    if args.is_empty() || levels.iter().any(|level| level.number() < 5) {
        return Err("[LEVELS, 5 to 9] FILES...; see benches/ablation.rs".into());
    }
    for path in &args {
        let content = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        for &level in &levels {
            println!("\n{path}, {} bytes, level {level}", content.len());
            println!("{:8} {:>10} {:>6} {:>8} {:>6}", "", "bytes", "bpb", "of full", "KB/s");
            let mut rows = Vec::new();
            for (_, code) in PARTS {
                let (frame, nanoseconds) = code(level, &content)?;
                rows.push((frame.len() as f64, nanoseconds as f64));
            }
            let (len, full) = (content.len() as f64, rows[PARTS.len() - 1].0);
            for ((name, _), (bytes, nanoseconds)) in PARTS.iter().zip(rows) {
                println!(
                    "{name:8} {bytes:>10} {:>6.3} {:>7.1}% {:>6.0}",
                    bytes * 8.0 / len,
                    bytes * 100.0 / full,
                    len * 1e6 / nanoseconds,
                );
            }
        }
    }
    Ok(())
}

/// Compresses, decompresses and compares.
fn code<M: Model>(level: Level, content: &[u8]) -> Result<(Vec<u8>, u64)> {
    let start = Clock::now();
    let options = Options::new(level).content_size(content.len() as u64).pretrained_for(content);
    let mut encoder = Encoder::<_, M>::new(options, Heap::new())?;
    let mut frame = vec![0; statesmix::max_frame_len(content.len())];
    let body = encoder.encode(content, &mut frame)?.produced;
    let tail = encoder.finish(&mut frame[body..])?;
    frame.truncate(body + tail.produced);
    let time = start.elapsed();

    let mut back = vec![0; content.len() + 1];
    let done = Decoder::<_, M>::new(level, Heap::new()).decode(&frame, &mut back)?;
    if done.status != Status::Done || &back[..done.produced] != content {
        return Err("the content came back changed".into());
    }
    Ok((frame, time))
}
