//! A node that sends records in payloads of at most 222 bytes, and the gateway
//! that decodes each as it comes.
//!
//! ```text
//! cargo run --release --example telemetry-node -- [-D DICTIONARY] FILE...
//! ```
//!
//! The records are the lines of text files, and 32 bytes each of others.
//! Without files it makes some up, and a dictionary of earlier ones.
//!
//! With a dictionary (`statesmix --train -1` of text, `--train-files` of others) the first payloads of a stream, and
//! those after a loss, are as small as the later ones: it matters most where
//! streams are short.

mod gateway;
#[allow(dead_code)] // nothing gets lost here, so nothing restarts
mod node;
mod sample;

use gateway::Gateway;
use node::{LEVEL, Node, PAYLOAD};
use statesmix::{Dictionary, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files: Vec<_> = std::env::args().skip(1).collect();
    if files.is_empty() {
        let content = sample::records(2000);
        let (earlier, short) = content.split_at(sample::RECORD * 1980);
        // One sample: the records follow each other without anything between.
        let file = train(LEVEL, [earlier])?;
        run("made up", &content, None)?;
        run("the last 20", short, None)?;
        return run("the last 20, with a dictionary", short, Some(Dictionary::new(&file)?));
    }
    let mut bytes = Vec::new();
    if files[0] == "-D" && files.len() > 1 {
        bytes = std::fs::read(&files[1])?;
        files.drain(..2);
    }
    let dictionary = if bytes.is_empty() { None } else { Some(Dictionary::new(&bytes)?) };
    files.iter().try_for_each(|file| run(file, &std::fs::read(file)?, dictionary))
}

fn run(
    name: &str,
    content: &[u8],
    dictionary: Option<Dictionary>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut workspace = vec![0; LEVEL.workspace()];
    let mut node = Node::new(dictionary, &mut workspace)?;
    let mut payloads = Vec::new();
    let mut radio = |payload: &[u8]| payloads.push(payload.to_vec());
    for record in sample::split(content) {
        node.record(record, &mut radio)?;
    }
    node.flush(&mut radio)?;

    let (mut gateway, mut back) = (Gateway::new(dictionary)?, Vec::new());
    for payload in &payloads {
        gateway.receive(payload, &mut back).map_err(|refused| format!("{refused:?}"))?;
    }
    assert!(back == content);

    let bytes: usize = payloads.iter().map(Vec::len).sum();
    println!(
        "{name}: {} bytes; raw {} payloads, compressed {} of {bytes} bytes ({:.1} %)",
        content.len(),
        content.len().div_ceil(PAYLOAD),
        payloads.len(),
        bytes as f64 * 100.0 / content.len().max(1) as f64,
    );
    Ok(())
}
