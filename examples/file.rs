//! Compresses a file with the `Write` adapter, reads it back and compares:
//!
//! ```text
//! cargo run --release --example file -- README.md
//! ```

use std::fs::{self, File};
use std::io::{self, BufReader, Read};

use statesmix::io::{Reader, Writer};
use statesmix::{Level, Options};

fn main() -> io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "README.md".into());
    let packed = std::env::temp_dir().join(format!("statesmix-example-{}.smx", std::process::id()));
    let level = Level::new(4).expect("levels go from 0 to 9");

    let mut input = File::open(&path)?;
    let options = Options::new(level).content_size(input.metadata()?.len());
    let mut writer = Writer::new(File::create(&packed)?, options)?;
    let bytes = io::copy(&mut input, &mut writer)?;
    let output = writer.finish()?; // without it the file would be truncated
    println!("{path}: {bytes} -> {} bytes", output.metadata()?.len());

    let mut back = Vec::new();
    // The level is the most memory that this reader will spend: 2 MiB.
    Reader::new(BufReader::new(File::open(&packed)?), level).read_to_end(&mut back)?;
    assert_eq!(back, fs::read(&path)?);
    fs::remove_file(&packed)
}
