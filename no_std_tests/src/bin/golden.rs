//! Encodes and decodes the golden streams, compares both directions byte for
//! byte with what the host made, and measures.
//!
//! Prints a line a level: `level L streams N workspace N encoder N decoder N
//! stack N encode N decode N setup N`, bytes and instructions a byte; those of
//! `setup` are of a fresh model.
#![no_std]
#![no_main]

use core::fmt::Display;
use core::mem::size_of;
use core::panic::PanicInfo;
use core::ptr::addr_of_mut;

use no_std_tests::{Counter, fail, println, stack_of};
use statesmix::{
    Decoder, Dictionary, Encoder, Header, Level, Model, Options, Status, compress_message,
    decompress_message,
};

/// A golden content and its streams.
struct Vector {
    name: &'static str,
    content: &'static [u8],
    /// Frames of the content with all options.
    frames: &'static [u8],
    message: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

const WORKSPACE: usize = Level::new(TOP).unwrap().workspace();
/// Bytes given to a call and taken from it, as by a radio.
const PIECE: usize = 16;

static mut MEMORY: [u8; WORKSPACE] = [0; WORKSPACE];
static mut MESSAGE: [u8; LONGEST + 1] = [0; LONGEST + 1];

#[unsafe(no_mangle)]
fn test() {
    // SAFETY: taken once.
    let (memory, message) = unsafe { (&mut *addr_of_mut!(MEMORY), &mut *addr_of_mut!(MESSAGE)) };
    all(&mut Check { memory, message, counter: Counter::new() });
}

struct Check {
    memory: &'static mut [u8; WORKSPACE],
    message: &'static mut [u8; LONGEST + 1],
    counter: Option<Counter>,
}

/// Sums over the counted streams.
#[derive(Default)]
struct Counts {
    bytes: u32,
    encode: u32,
    decode: u32,
    setup: u32,
    frames: u32,
}

impl Check {
    #[inline(never)]
    fn level<M: Model>(&mut self, number: u8, all_options: bool, vectors: &[Vector]) {
        let level = Level::new(number).unwrap();
        let (mut streams, mut stack) = (0, None);
        let mut counts = Counts::default();
        for vector in vectors {
            let len = vector.content.len();
            let options = Options::new(level);
            let sized = options.content_size(len as u64);
            let options = [options, options.checksum(false), sized, sized.checksum(false)];
            let kinds = if all_options { 4 } else { 1 };
            let mut rest = vector.frames;
            for options in &options[..kinds] {
                let mut taken = 0;
                let peak = stack_of(|| {
                    let decoded = decode::<M>(level, self.memory, rest, vector.content);
                    taken = encode::<M>(*options, self.memory, vector.content, rest);
                    assert_eq!(taken, decoded, "length of a frame of {}", vector.name);
                });
                rest = &rest[taken..];
                stack = stack.max(peak);
                streams += 1;
            }
            assert!(rest.is_empty() || !all_options, "frames of {}", vector.name);
            let peak = stack_of(|| message::<M>(level, self.memory, self.message, vector));
            stack = stack.max(peak);
            streams += 1;
            if ["text", "records"].contains(&vector.name)
                && let Some(counter) = &self.counter
            {
                counts.add::<M>(counter, level, self.memory, vector);
            }
        }
        let mean = |n: u32| (n > 0).then(|| n / counts.bytes);
        println!(
            "level {number} streams {streams} workspace {} encoder {} decoder {} stack {} \
             encode {} decode {} setup {}",
            level.workspace(),
            size_of::<Encoder<&mut [u8], M>>(),
            size_of::<Decoder<&mut [u8], M>>(),
            Known(stack),
            Known(mean(counts.encode)),
            Known(mean(counts.decode)),
            Known((counts.frames > 0).then(|| counts.setup / counts.frames)),
        );
    }
}

impl Check {
    /// Compresses and decompresses messages with a dictionary in flash that the
    /// host has made, and compares. Prints `dictionary L messages N stack N check
    /// N start N`: instructions of its check and of a start with it.
    #[inline(never)]
    fn primed<M: Model>(&mut self, number: u8, file: &[u8], messages: &[(&[u8], &[u8])]) {
        let dictionary = Dictionary::new(file).unwrap();
        assert_eq!(dictionary.level().number(), number);
        let (memory, room) = (&mut self.memory[..], &mut self.message[..]);
        let stack = stack_of(|| {
            for (message, packet) in messages {
                let len = dictionary.compress::<M>(&mut *memory, message, room).unwrap();
                assert!(room[..len] == **packet, "message with a dictionary differs");
                let len = dictionary.decompress::<M>(&mut *memory, packet, room).unwrap();
                assert!(room[..len] == **message, "content of a message with a dictionary");
            }
        });
        let count = |f: &mut dyn FnMut()| self.counter.as_ref().map(|counter| counter.count(f));
        let check = count(&mut || {
            Dictionary::new(file).unwrap();
        });
        // All that a frame does before its first byte.
        let start = count(&mut || {
            let options = Options::new(dictionary.level());
            Encoder::<_, M>::with_dictionary(options, dictionary, &mut *memory).unwrap();
        });
        println!(
            "dictionary {number} messages {} stack {} check {} start {}",
            messages.len(),
            Known(stack),
            Known(check),
            Known(start),
        );
    }
}

impl Check {
    /// Packs unpacked content again, as encoder and as decoder.
    #[allow(dead_code)] // where no level that can do it is checked
    fn unpacked<M: Model>(&mut self, number: u8, packed: &[u8], unpacked: &[u8], frame: &[u8]) {
        self.rewritten::<M>("unpacked", number, Options::unpacked, packed, unpacked, frame);
    }

    /// Spells numbered words out, likewise.
    #[allow(dead_code)] // likewise
    fn numbered<M: Model>(&mut self, number: u8, text: &[u8], numbered: &[u8], frame: &[u8]) {
        self.rewritten::<M>("numbered", number, Options::numbered, text, numbered, frame);
    }

    /// A frame of a content for which the encoder is given something else. Prints `WHAT L
    /// bytes N`: those of the frame.
    #[allow(dead_code)] // likewise
    #[inline(never)]
    fn rewritten<M: Model>(
        &mut self,
        what: &str,
        number: u8,
        rewritten: fn(Options) -> Options,
        content: &[u8],
        given: &[u8],
        frame: &[u8],
    ) {
        let level = Level::new(number).unwrap();
        let decoded = decode::<M>(level, self.memory, frame, content);
        let options = rewritten(Options::new(level).content_size(content.len() as u64));
        let encoded = encode::<M>(options, self.memory, given, frame);
        assert_eq!((decoded, encoded), (frame.len(), frame.len()), "length of the frame");
        println!("{what} {number} bytes {encoded}");
    }

    /// A frame that begins with a pretrained model.
    #[allow(dead_code)] // likewise
    #[inline(never)]
    fn pretrained<M: Model>(&mut self, number: u8, content: &[u8], frame: &[u8]) {
        let level = Level::new(number).unwrap();
        let decoded = decode::<M>(level, self.memory, frame, content);
        let options = Options::new(level).pretrained(true);
        let encoded = encode::<M>(options, self.memory, content, frame);
        assert_eq!((decoded, encoded), (frame.len(), frame.len()), "length of the frame");
        println!("pretrained {number} bytes {encoded}");
    }
}

/// Decodes one frame in small pieces; returns its length.
#[inline(never)]
fn decode<M: Model>(level: Level, memory: &mut [u8], frame: &[u8], content: &[u8]) -> usize {
    let mut decoder = Decoder::<_, M>::new(level, memory);
    decode_rest(&mut decoder, frame, content)
}

fn decode_rest<M: Model>(
    decoder: &mut Decoder<&mut [u8], M>,
    frame: &[u8],
    mut content: &[u8],
) -> usize {
    let mut room = [0; PIECE];
    let mut read = 0;
    loop {
        let piece = &frame[read..frame.len().min(read + PIECE)];
        let progress = decoder.decode(piece, &mut room).unwrap();
        read += progress.consumed;
        let expected = content.split_off(..progress.produced).expect("more content than there was");
        assert!(room[..progress.produced] == *expected, "content differs");
        match progress.status {
            Status::Done => break,
            Status::NeedsInput => assert!(read < frame.len(), "the frame does not end"),
            Status::OutputFull => {}
        }
    }
    assert!(content.is_empty(), "content missing");
    read
}

/// Encodes in small pieces, compares with the frame; returns its length.
#[inline(never)]
fn encode<M: Model>(options: Options, memory: &mut [u8], content: &[u8], frame: &[u8]) -> usize {
    // Not unwrapped: to move it would take as much stack again.
    match &mut Encoder::<_, M>::new(options, memory) {
        Ok(encoder) => encode_rest(encoder, content, frame),
        Err(error) => panic!("{error}"),
    }
}

fn encode_rest<M: Model>(
    encoder: &mut Encoder<&mut [u8], M>,
    content: &[u8],
    frame: &[u8],
) -> usize {
    let mut room = [0; PIECE];
    let mut written = 0;
    let mut compare = |made: &[u8]| {
        assert!(frame[written..].starts_with(made), "code differs");
        written += made.len();
    };
    let mut rest = content;
    while !rest.is_empty() {
        let piece = &rest[..rest.len().min(PIECE)];
        let progress = encoder.encode(piece, &mut room).unwrap();
        rest = &rest[progress.consumed..];
        compare(&room[..progress.produced]);
    }
    loop {
        let progress = encoder.finish(&mut room).unwrap();
        compare(&room[..progress.produced]);
        if progress.status == Status::Done {
            return written;
        }
    }
}

#[inline(never)]
fn message<M: Model>(level: Level, memory: &mut [u8], room: &mut [u8], vector: &Vector) {
    let len = compress_message::<M>(level, &mut *memory, vector.content, room).unwrap();
    assert!(room[..len] == *vector.message, "message of {} differs", vector.name);
    let len = decompress_message::<M>(level, memory, vector.message, room).unwrap();
    assert!(room[..len] == *vector.content, "content of the message {}", vector.name);
}

impl Counts {
    fn add<M: Model>(
        &mut self,
        counter: &Counter,
        level: Level,
        memory: &mut [u8],
        vector: &Vector,
    ) {
        let options = Options::new(level);
        let (_, header) = Header::parse(vector.frames).unwrap().unwrap();
        let mut decoder = Decoder::<_, M>::new(level, &mut *memory);
        // The model is made when the first four bytes of the code are there.
        let (start, rest) = vector.frames.split_at(header + 4);
        self.setup += counter.count(|| {
            decoder.decode(start, &mut []).unwrap();
        });
        self.decode += counter.count(|| {
            decode_rest(&mut decoder, rest, vector.content);
        });
        let mut encoder = Encoder::<_, M>::new(options, memory).unwrap();
        self.encode += counter.count(|| {
            encode_rest(&mut encoder, vector.content, vector.frames);
        });
        self.bytes += vector.content.len() as u32;
        self.frames += 1;
    }
}

/// A figure, or a dash for what cannot be measured here.
struct Known<T>(Option<T>);

impl<T: Display> Display for Known<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.0 {
            Some(figure) => figure.fmt(f),
            None => f.write_str("-"),
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("{info}");
    fail()
}
