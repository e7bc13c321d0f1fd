//! The same bytes whichever way: in pieces, at once, through `Read` and `Write`.
#![no_main]

mod common;

use std::io::{Read, Write};

use common::{Setup, Slow};
use libfuzzer_sys::fuzz_target;
use statesmix::io::{Reader, Writer};
use statesmix::{Heap, compress, compress_into, decompress, decompress_into, max_frame_len};

fuzz_target!(|input: (Setup, usize, &[u8])| {
    let (mut setup, cut, content) = input;
    setup.flush = false; // sync points are where the pieces end
    let (level, options) = (setup.level(), setup.options(content));
    let pieces = setup.encode(content);

    let mut writer = Writer::new(Slow { inner: Vec::new(), most: 7 }, options).unwrap();
    let (first, second) = content.split_at(cut % (content.len() + 1));
    writer.write_all(first).unwrap();
    writer.flush().unwrap();
    writer.write_all(second).unwrap();
    assert_eq!(writer.finish().unwrap().inner, pieces);

    // One-shot frames always state the size, and `compress` takes a
    // checksum and no filter.
    let mut whole = vec![0; max_frame_len(content.len())];
    let len = compress_into(options, Heap::new(), content, &mut whole).unwrap();
    whole.truncate(len);
    if setup.sized {
        assert_eq!(whole, pieces);
    }
    if setup.checksum && setup.filter().is_none() {
        assert_eq!(compress(content, level).unwrap(), whole);
    }
    // Without room to spare, and with a byte less.
    assert!(compress_into(options, Heap::new(), content, &mut vec![0; len]).is_ok());
    assert!(compress_into(options, Heap::new(), content, &mut vec![0; len - 1]).is_err());

    assert_eq!(decompress(&pieces, level).unwrap(), content);
    let mut back = vec![0; content.len()];
    let len = decompress_into(level, Heap::new(), &pieces, &mut back).unwrap();
    assert_eq!(&back[..len], content);
    back.clear();
    Reader::new(setup.slow(&pieces), level).read_to_end(&mut back).unwrap();
    assert_eq!(back, content);
});
