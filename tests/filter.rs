//! Filters through the public interface: they come back whatever they were given,
//! help with the code they are for, and are found for it only.

mod common;

use common::{code, contents, decode, encode, level, options, random, records, text};
use statesmix::{
    AnyLevel, Error, Filter, Filtered, Header, Heap, Level, Level0, Options, compress, decompress,
};

fn frame(options: Options, content: &[u8]) -> Vec<u8> {
    encode::<AnyLevel>(options, Heap::new(), content, 1 << 20, 1 << 20).unwrap()
}

#[test]
fn every_content_option_and_filter() {
    for filter in Filter::ALL {
        let code = code(filter, 30, 1500);
        for content in contents().into_iter().map(|(_, content)| content).chain([code]) {
            for options in options(level(1), content.len()) {
                let frame = frame(options.filter(filter), &content);
                assert_eq!(Header::parse(&frame).unwrap().unwrap().0.filter, Some(filter.id()));
                assert!(decompress(&frame, level(1)).as_ref() == Ok(&content), "{filter:?}");
            }
        }
    }
}

#[test]
fn every_length_around_the_span() {
    for filter in Filter::ALL {
        let code = code(filter, 31, 40);
        for len in 0..code.len() {
            let content = &code[..len];
            for options in options(Level::MIN, len) {
                let frame = frame(options.filter(filter), content);
                assert_eq!(decompress(&frame, Level::MIN).as_deref(), Ok(content), "{filter:?}");
            }
        }
    }
}

#[test]
fn pieces_of_any_size() {
    for filter in Filter::ALL {
        let content = code(filter, 32, 600);
        for options in options(Level::MIN, content.len()) {
            let options = options.filter(filter);
            let whole = frame(options, &content);
            for (input, output) in [(1, 1), (1, 1000), (1000, 1), (7, 13), (64, 3)] {
                let frame = encode::<AnyLevel>(options, Heap::new(), &content, input, output);
                assert_eq!(frame.as_ref(), Ok(&whole), "{filter:?}, {input}, {output}");
                let back = decode::<AnyLevel>(level(0), Heap::new(), &whole, input, output);
                assert_eq!(back.as_ref(), Ok(&content), "{filter:?}, {input}, {output}");
            }
        }
    }
}

#[test]
fn each_frame_has_its_own() {
    let content = code(Filter::Arm, 33, 500);
    let plain = Options::new(Level::MIN);
    let (arm, x86) = (plain.filter(Filter::Arm), plain.filter(Filter::X86));
    let frames = [arm, plain, x86, arm].map(|options| frame(options, &content)).concat();
    assert_eq!(decompress(&frames, Level::MIN), Ok(content.repeat(4)));
}

#[test]
fn nothing_is_taken_after_the_end() {
    let options = Options::new(Level::MIN).filter(Filter::X86);
    let mut encoder = statesmix::Encoder::<_>::new(options, Heap::new()).unwrap();
    let mut room = [0; 1];
    encoder.encode(b"", &mut room).unwrap();
    while encoder.encode(b"12345", &mut room).unwrap().consumed == 0 {}
    encoder.finish(&mut room).unwrap();
    assert_eq!(encoder.encode(b"6", &mut room), Err(Error::Finished));
}

#[test]
fn models_with_and_without() {
    let content = code(Filter::Thumb, 34, 2000);
    let options = Options::new(Level::MIN).filter(Filter::Thumb);
    let refused = encode::<Level0>(options, Heap::new(), &content, 100, 100);
    assert_eq!(refused, Err(Error::Filter(4)));
    let made = encode::<Filtered<Level0>>(options, Heap::new(), &content, 100, 100).unwrap();
    assert_eq!(made, frame(options, &content));
    let refused = decode::<Level0>(Level::MIN, Heap::new(), &made, 100, 100);
    assert_eq!(refused, Err(Error::Filter(4)));
    let back = decode::<Filtered<Level0>>(Level::MIN, Heap::new(), &made, 100, 100);
    assert_eq!(back, Ok(content.clone()));
    // Frames without a filter are the same with either.
    let plain = compress(&content, Level::MIN).unwrap();
    let back = decode::<Filtered<Level0>>(Level::MIN, Heap::new(), &plain, 100, 100);
    assert_eq!(back, Ok(content));
}

#[test]
fn they_help() {
    for filter in Filter::ALL {
        let content = code(filter, 35, 20_000);
        let plain = frame(Options::new(level(1)), &content).len();
        let filtered = frame(Options::new(level(1)).filter(filter), &content).len();
        assert!(filtered < plain * 8 / 10, "{filter:?}: {plain} -> {filtered}");
    }
}

#[test]
fn code_is_detected() {
    for filter in Filter::ALL {
        for len in [2000, 20_000, 300_000] {
            assert_eq!(Filter::detect(&code(filter, 36, len)), Some(filter), "{len}");
        }
        assert_eq!(Filter::detect(&code(filter, 36, 100)), None);
    }
}

#[test]
fn headers_are_believed() {
    let elf = |class: u8, order: u8, kind: u8, machine: u8| {
        let mut header = vec![0x7F, b'E', b'L', b'F', class, order, 1];
        header.resize(16, 0);
        header.extend_from_slice(&[kind, 0, machine, 0]);
        Filter::detect(&header)
    };
    assert_eq!(elf(1, 1, 2, 3), Some(Filter::X86));
    assert_eq!(elf(2, 1, 3, 62), Some(Filter::X86_64));
    assert_eq!(elf(2, 1, 3, 183), Some(Filter::Arm64));
    assert_eq!(elf(1, 1, 2, 243), Some(Filter::RiscV));
    assert_eq!(elf(1, 1, 2, 40), Some(Filter::Thumb));
    assert_eq!(elf(2, 1, 1, 62), None, "not linked");
    assert_eq!(elf(1, 2, 2, 40), None, "big-endian");
    assert_eq!(elf(1, 1, 2, 94), None, "another machine");
    let mut arm = vec![0x7F, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 40, 0];
    arm.extend(code(Filter::Arm, 37, 4000));
    assert_eq!(Filter::detect(&arm), Some(Filter::Arm));

    let mut pe = b"MZ".to_vec();
    pe.resize(0x3C, 0);
    pe.extend_from_slice(&[0x40, 0, 0, 0]);
    pe.extend_from_slice(b"PE\0\0\x64\x86");
    assert_eq!(Filter::detect(&pe), Some(Filter::X86_64));
    for cut in 0..pe.len() {
        assert_eq!(Filter::detect(&pe[..cut]), None);
    }
    assert_eq!(Filter::detect(b"\xCF\xFA\xED\xFE\x0C\0\0\x01"), Some(Filter::Arm64));
}

#[test]
fn data_is_left_alone() {
    let numbers = |step: i64| (0..20_000).flat_map(move |i| (i * step).to_le_bytes()).collect();
    let thousands: Vec<u8> =
        [1000_u64, 1001, 60_395].iter().flat_map(|n| n.to_le_bytes()).collect();
    let data: [Vec<u8>; 8] = [
        vec![],
        random(38, 200_000),
        text(39, 50_000),
        records(40, 50_000),
        numbers(1),
        numbers(-1000),
        thousands.repeat(3000),
        [0xE8, 0xEB, 0xF0, 0x94, 0xEF, 0, 0, 0].repeat(5000),
    ];
    for (i, data) in data.iter().enumerate() {
        assert_eq!(Filter::detect(data), None, "{i}");
    }
}

#[test]
fn ids_and_names() {
    for (i, filter) in Filter::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(filter.id()), i + 1);
        assert_eq!(Filter::from_id(filter.id()), Some(filter));
    }
    assert_eq!(Filter::from_id(0), None);
    assert_eq!(Filter::from_id(7), None);
}
