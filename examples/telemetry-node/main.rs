//! A node that sends records in payloads of at most 222 bytes, and the gateway
//! that decodes each as it comes.
//!
//! ```text
//! cargo run --release --example telemetry-node -- FILE...
//! ```
//!
//! The records are the lines of text files, and 32 bytes each of others.
//! Without files it makes some up.

mod gateway;
#[allow(dead_code)] // nothing gets lost here, so nothing restarts
mod node;
mod sample;

use gateway::Gateway;
use node::{LEVEL, Node, PAYLOAD};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<_> = std::env::args().skip(1).collect();
    if files.is_empty() {
        return run("made up", &sample::records(2000));
    }
    files.iter().try_for_each(|file| run(file, &std::fs::read(file)?))
}

fn run(name: &str, content: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let mut workspace = vec![0; LEVEL.workspace()];
    let mut node = Node::new(&mut workspace)?;
    let mut payloads = Vec::new();
    let mut radio = |payload: &[u8]| payloads.push(payload.to_vec());
    for record in sample::split(content) {
        node.record(record, &mut radio)?;
    }
    node.flush(&mut radio)?;

    let (mut gateway, mut back) = (Gateway::new()?, Vec::new());
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
