//! Whatever goes in comes out, with whatever options and in whatever pieces, and
//! hardly grows.
#![no_main]

mod common;

use common::Setup;
use libfuzzer_sys::fuzz_target;
use statesmix::{Error, Header, max_frame_len};

fuzz_target!(|input: (Setup, Setup, &[u8])| {
    let (setup, other, content) = input;
    let frame = setup.encode(content);
    // Sync points cost bytes of their own.
    assert!(setup.syncs() || frame.len() <= max_frame_len(content.len()));
    let (header, _) = Header::parse(&frame).unwrap().unwrap();
    assert_eq!(header.level, setup.level());
    assert_eq!(header.checksum, setup.checksum);
    assert_eq!(header.sync_points, setup.syncs());
    assert_eq!(header.content_size, setup.sized.then_some(content.len() as u64));

    let level = setup.level();
    assert_eq!(setup.decode(&frame, level, content.len()).as_deref(), Ok(content));
    if let Some(less) = content.len().checked_sub(1) {
        assert_eq!(setup.decode(&frame, level, less), Err(Error::OutputLimit));
    }

    // Another frame after it, in the order of the levels and against it.
    let frames = [frame, other.encode(content)].concat();
    let limit = level.max(other.level());
    let back = setup.decode(&frames, limit, 2 * content.len()).unwrap();
    assert!(back.len() == 2 * content.len() && back.starts_with(content));
    assert!(back.ends_with(content));
});
