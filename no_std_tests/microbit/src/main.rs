//! Level 0 on a Cortex-M0 with 16 KB of RAM: decodes what the host encoded,
//! encodes it again and compares with the host's bytes.
#![no_std]
#![no_main]

use core::mem::size_of;
use core::panic::PanicInfo;
use core::ptr::{addr_of, addr_of_mut};

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;
use statesmix::{
    Decoder, Encoder, Level, Level0, Options, Status, compress_message, decompress_message,
};

/// Made by `tests/golden.rs`: frames of the same content with all options.
const FRAMES: &[u8] = include_bytes!("../../../tests/golden/text-0.smx");
const MESSAGE: &[u8] = include_bytes!("../../../tests/golden/text-0.msg");

const CONTENT_LEN: usize = 2000;

static mut WORKSPACE: [u8; Level::MIN.workspace()] = [0; Level::MIN.workspace()];
static mut CONTENT: [u8; CONTENT_LEN] = [0; CONTENT_LEN];

type Memory = &'static mut [u8];

#[entry]
fn main() -> ! {
    let stack = Stack::paint();
    let (used, content) = frames();
    stack.report("frames");
    messages(content);
    stack.report("messages");
    let encoder = size_of::<Encoder<Memory, Level0>>();
    let decoder = size_of::<Decoder<Memory, Level0>>();
    hprintln!("workspace {}, encoder {}, decoder {}", used, encoder, decoder);
    assert!(used + encoder.max(decoder) <= Level::MIN.memory());
    debug::exit(EXIT_SUCCESS);
    loop {}
}

#[allow(static_mut_refs)] // one thread, and one user at a time
fn workspace() -> Memory {
    unsafe { &mut WORKSPACE }
}

#[inline(never)]
#[allow(static_mut_refs)]
fn frames() -> (usize, &'static [u8]) {
    let content = unsafe { &mut CONTENT };
    let mut rest = FRAMES;
    for frame in 0..4 {
        content.fill(0);
        let mut decoder = Decoder::<_, Level0>::new(Level::MIN, workspace());
        let mut written = 0;
        loop {
            // In small pieces, as they come from a radio or from flash.
            let piece = &rest[..rest.len().min(16)];
            let progress = decoder.decode(piece, &mut content[written..]).unwrap();
            rest = &rest[progress.consumed..];
            written += progress.produced;
            if progress.status == Status::Done {
                break;
            }
            assert!(!rest.is_empty());
        }
        assert_eq!(written, CONTENT_LEN);
        hprintln!("frame {} decoded", frame);
    }
    assert!(rest.is_empty());

    let content = &content[..];
    let options = Options::new(Level::MIN);
    let sized = options.content_size(CONTENT_LEN as u64);
    let mut golden = FRAMES;
    let mut room = [0; 16];
    let mut compare = |made: &[u8]| {
        assert_eq!(*made, golden[..made.len()]);
        golden = &golden[made.len()..];
    };
    for options in [options, options.checksum(false), sized, sized.checksum(false)] {
        let mut encoder = Encoder::<_, Level0>::new(options, workspace()).unwrap();
        let mut input = content;
        while !input.is_empty() {
            let progress = encoder.encode(input, &mut room).unwrap();
            input = &input[progress.consumed..];
            compare(&room[..progress.produced]);
        }
        loop {
            let progress = encoder.finish(&mut room).unwrap();
            compare(&room[..progress.produced]);
            if progress.status == Status::Done {
                break;
            }
        }
        hprintln!("encoded as on the host");
    }
    assert!(golden.is_empty());
    (workspace().len(), content)
}

#[inline(never)]
fn messages(content: &[u8]) {
    let mut packet = [0; MESSAGE.len()];
    let len = compress_message::<Level0>(Level::MIN, workspace(), content, &mut packet).unwrap();
    assert_eq!(packet[..len], *MESSAGE);
    let mut back = [0; CONTENT_LEN];
    let n = decompress_message::<Level0>(Level::MIN, workspace(), MESSAGE, &mut back).unwrap();
    assert_eq!(back[..n], *content);
    hprintln!("message encoded and decoded as on the host");
}

/// The free RAM below the stack, filled with a pattern to see how deep it got.
struct Stack {
    bottom: *mut u8,
    top: *mut u8,
}

impl Stack {
    const PATTERN: u8 = 0xA5;

    #[inline(never)]
    fn paint() -> Self {
        let mut here = 0u8;
        let bottom = cortex_m_rt::heap_start().cast::<u8>();
        let top = addr_of_mut!(here).wrapping_sub(128);
        let mut place = bottom;
        while place < top {
            unsafe { place.write_volatile(Self::PATTERN) };
            place = place.wrapping_add(1);
        }
        Self { bottom, top }
    }

    fn report(&self, what: &str) {
        let mut place = self.bottom.cast_const();
        while place < addr_of!(*self.top) && unsafe { place.read_volatile() } == Self::PATTERN {
            place = place.wrapping_add(1);
        }
        let free = place as usize - self.bottom as usize;
        hprintln!("{}: {} bytes of stack", what, self.top as usize - place as usize);
        assert!(free > 0, "stack overflow");
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    hprintln!("{}", info);
    debug::exit(EXIT_FAILURE);
    loop {}
}
