//! The node and the gateway of `examples/telemetry-node`, on made-up records
//! and, where the corpus is, on real ones.

#[path = "../examples/telemetry-node/gateway.rs"]
mod gateway;
#[path = "../examples/telemetry-node/node.rs"]
mod node;
#[path = "../examples/telemetry-node/sample.rs"]
mod sample;

use std::fs;
use std::path::Path;

use gateway::{Gateway, Refused};
use node::{LEVEL, Node, PAYLOAD};
use statesmix::{Dictionary, train};

/// The payloads of all records, the last one flushed.
fn send(content: &[u8], dictionary: Option<Dictionary>) -> Vec<Vec<u8>> {
    let mut workspace = vec![0; LEVEL.workspace()];
    let mut node = Node::new(dictionary, &mut workspace).unwrap();
    let mut payloads = Vec::new();
    let mut radio = |payload: &[u8]| payloads.push(payload.to_vec());
    for record in sample::split(content) {
        node.record(record, &mut radio).unwrap();
    }
    node.flush(&mut radio).unwrap();
    payloads
}

/// Sends and receives; returns the bytes sent.
fn bytes_sent(name: &str, content: &[u8], dictionary: Option<Dictionary>) -> usize {
    let payloads = send(content, dictionary);
    let mut gateway = Gateway::new(dictionary).unwrap();
    let mut back = Vec::new();
    for payload in &payloads {
        assert!(payload.len() <= PAYLOAD);
        let before = back.len();
        gateway.receive(payload, &mut back).unwrap();
        assert!(back.len() > before, "{name}: nothing in a payload");
    }
    assert!(back == content, "{name}");
    payloads.concat().len()
}

#[test]
fn made_up_records() {
    let content = sample::records(1000);
    assert!(bytes_sent("made up", &content, None) * 4 < content.len());
}

#[test]
fn a_dictionary_helps_short_streams() {
    let content = sample::records(1000);
    let (earlier, short) = content.split_at(sample::RECORD * 990);
    let file = train(LEVEL, [earlier]).unwrap();
    let dictionary = Dictionary::new(&file).unwrap();
    let alone = bytes_sent("short", short, None);
    let primed = bytes_sent("short, primed", short, Some(dictionary));
    // Two thirds of the 67 bytes that it took alone before numbers were expected.
    assert!(primed * 3 < 67 * 2 && primed * 4 < alone * 3, "{primed} {alone}");
}

#[test]
fn real_records() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/telemetry");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("no {}: not tested on real records", folder.display());
        return;
    };
    for file in files {
        let path = file.unwrap().path();
        let content = fs::read(&path).unwrap();
        let content = &content[..content.len().min(100_000)];
        let sent = bytes_sent(&path.display().to_string(), content, None);
        assert!(sent * 5 < content.len() * 4, "{}: {sent} bytes", path.display());
    }
}

#[test]
fn every_record_at_once() {
    let content = sample::records(300);
    let mut workspace = vec![0; LEVEL.workspace()];
    let mut node = Node::new(None, &mut workspace).unwrap();
    let mut gateway = Gateway::new(None).unwrap();
    for record in content.chunks(20) {
        let mut payload = Vec::new();
        let mut radio = |bytes: &[u8]| payload.extend_from_slice(bytes);
        node.record(record, &mut radio).unwrap();
        node.flush(&mut radio).unwrap();
        let mut back = Vec::new();
        gateway.receive(&payload, &mut back).unwrap();
        assert_eq!(back, record);
    }
}

#[test]
fn a_lost_payload_is_noticed() {
    let content = sample::records(600);
    let (before, after) = content.split_at(20 * 300);
    let mut workspace = vec![0; LEVEL.workspace()];
    let mut node = Node::new(None, &mut workspace).unwrap();
    let mut gateway = Gateway::new(None).unwrap();
    let mut back = Vec::new();

    let mut payloads = Vec::new();
    before.chunks(20).for_each(|record| {
        node.record(record, &mut |payload: &[u8]| payloads.push(payload.to_vec())).unwrap();
    });
    gateway.receive(&payloads[0], &mut back).unwrap();
    for payload in &payloads[2..] {
        assert_eq!(gateway.receive(payload, &mut back), Err(Refused::Missing));
    }
    // The gateway tells the node, which begins anew; what was lost stays lost.
    node.restart().unwrap();
    back.clear();
    let mut deliver = |payload: &[u8]| gateway.receive(payload, &mut back).unwrap();
    after.chunks(20).for_each(|record| node.record(record, &mut deliver).unwrap());
    node.flush(&mut deliver).unwrap();
    assert!(back == after);
}
