//! DEFLATE (RFC 1951) as zlib and gzip make it, to the bit: what was unpacked
//! before the model saw it is packed again exactly as it was. The choices that
//! the RFC leaves open (which repeat, when a block ends, which code) are theirs,
//! told in `docs/format.md`; the code is not.

mod trees;

use trees::{Block, Codes};

/// Shortest and longest repeat.
const MIN_MATCH: usize = 3;
const MAX_MATCH: usize = 258;
/// Bytes known ahead of the one being looked at, except at the end.
const AHEAD: usize = MAX_MATCH + MIN_MATCH + 1;
/// A repeat of three bytes from farther away costs more than the bytes.
const TOO_FAR: usize = 4096;

/// Largest window, hash table and buffer of symbols.
const WINDOW: usize = 1 << 15;
const HASHES: usize = 1 << 16;
const SYMBOLS: usize = 1 << 15;
/// Two windows, and what gzip clears behind the end.
const TEXT: usize = 2 * WINDOW + CLEARED;
const CLEARED: usize = 2;
/// Head of a block: codes of codes, or three bits and a length.
const HEAD: usize = 1 << 10;

/// Bytes of memory for a [`Deflate`], in whole lines of 64.
pub(crate) const MEMORY: usize =
    (TEXT + 2 * HASHES + 2 * WINDOW + 4 * SYMBOLS + HEAD + 4 * trees::CODES).next_multiple_of(64);

/// How a stream was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// 1 to 9.
    pub(crate) level: u8,
    /// zlib's strategy for pictures: no repeats of less than six bytes.
    pub(crate) filtered: bool,
    /// log2 of the window, 9 to 15.
    pub(crate) window: u8,
    /// zlib's memory level, 1 to 9; 0 for gzip.
    pub(crate) memory: u8,
}

impl Method {
    #[cfg(any(feature = "alloc", test))]
    pub(crate) const fn to_bytes(self) -> [u8; 2] {
        [self.level | (self.filtered as u8) << 4, self.window | self.memory << 4]
    }

    /// The method of these bytes, if it is one.
    pub(crate) const fn from_bytes([first, second]: [u8; 2]) -> Option<Self> {
        let method = Self {
            level: first & 15,
            filtered: first & 16 != 0,
            window: second & 15,
            memory: second >> 4,
        };
        let known = matches!(method.level, 1..=9)
            && first < 32
            && method.window >= if method.gzip() { 15 } else { 9 }
            && method.memory <= 9;
        if known { Some(method) } else { None }
    }

    const fn gzip(self) -> bool {
        self.memory == 0
    }

    const fn hash_log(self) -> u32 {
        if self.gzip() { 15 } else { self.memory as u32 + 7 }
    }

    /// Symbols of a block at most.
    const fn symbols(self) -> usize {
        (if self.gzip() { SYMBOLS } else { 1 << (self.memory + 6) }) - 1
    }

    /// How hard repeats are looked for: a repeat of `good` bytes lets the search
    /// for a better one at the next byte have a quarter of the tries, one of
    /// `lazy` lets it have none (or, below level 4, is the longest whose bytes
    /// are found again), one of `nice` ends it.
    const fn effort(self) -> Effort {
        let (good, lazy, nice, tries) = match self.level {
            1 => (4, 4, 8, 4),
            2 => (4, 5, 16, 8),
            3 => (4, 6, 32, 32),
            4 => (4, 4, 16, 16),
            5 => (8, 16, 32, 32),
            6 => (8, 16, 128, 128),
            7 => (8, 32, 128, 256),
            8 => (32, 128, 258, 1024),
            _ => (32, 258, 258, 4096),
        };
        Effort { good, lazy, nice, tries }
    }
}

struct Effort {
    good: usize,
    lazy: usize,
    nice: usize,
    tries: u32,
}

/// Numbers of 16 bits in memory.
struct Halves<'a>(&'a mut [[u8; 2]]);

impl Halves<'_> {
    fn get(&self, i: usize) -> usize {
        usize::from(u16::from_le_bytes(self.0[i]))
    }

    fn set(&mut self, i: usize, value: usize) {
        self.0[i] = (value as u16).to_le_bytes();
    }
}

/// The memory, cut.
struct Areas<'a> {
    text: &'a mut [u8],
    /// Where a hash of three bytes was last seen; 0 for nowhere.
    heads: Halves<'a>,
    /// For each place, modulo the window, where its hash was before.
    links: Halves<'a>,
    /// Symbols of the block: length less 3 above the distance, or a byte above 0.
    symbols: &'a mut [[u8; 4]],
    head: &'a mut [u8],
    codes: Codes<'a>,
}

impl<'a> Areas<'a> {
    fn cut(memory: &'a mut [u8]) -> Self {
        let (text, rest) = memory.split_at_mut(TEXT);
        let (heads, rest) = rest.split_at_mut(2 * HASHES);
        let (links, rest) = rest.split_at_mut(2 * WINDOW);
        let (symbols, rest) = rest.split_at_mut(4 * SYMBOLS);
        let (head, codes) = rest.split_at_mut(HEAD);
        Self {
            text,
            heads: Halves(heads.as_chunks_mut().0),
            links: Halves(links.as_chunks_mut().0),
            symbols: symbols.as_chunks_mut().0,
            head,
            codes: Codes(codes.as_chunks_mut().0),
        }
    }
}

/// A stream being packed: bytes go in with [`Self::push`], and all that comes
/// out of [`Self::next`] is to be taken before the next one goes in.
#[derive(Clone, Debug)]
pub(crate) struct Deflate {
    method: Method,
    /// Whether all bytes have come, and whether gzip knows.
    ended: bool,
    at_end: bool,
    /// Whether a window was forgotten.
    moved: bool,
    /// The next byte to look at, the end of those that have come, and where the
    /// block began, in the text; before its start where it has moved on.
    at: usize,
    end: usize,
    begin: isize,
    /// The repeat found for the byte before: its length, and where it is.
    length: usize,
    found: usize,
    /// Whether the byte before is still to be told.
    pending: bool,
    /// Symbols of the block, and how many of them are repeats.
    count: usize,
    repeats: usize,
    /// The block being written.
    out: Out,
}

/// A block on its way out.
#[derive(Clone, Debug)]
struct Out {
    /// The rest of its head.
    head: (usize, usize),
    /// The rest of the text, if it is stored.
    stored: (usize, usize),
    /// Symbols told of `symbols`, the last one the end of the block.
    told: usize,
    symbols: usize,
    /// Whether it is the last one.
    last: bool,
    bits: u64,
    bit_count: u32,
}

impl Deflate {
    /// No stream yet.
    pub(crate) const NONE: Self = Self {
        method: Method { level: 1, filtered: false, window: 15, memory: 8 },
        ended: false,
        at_end: false,
        moved: false,
        at: 0,
        end: 0,
        begin: 0,
        length: MIN_MATCH - 1,
        found: 0,
        pending: false,
        count: 0,
        repeats: 0,
        out: Out {
            head: (0, 0),
            stored: (0, 0),
            told: 0,
            symbols: 0,
            last: false,
            bits: 0,
            bit_count: 0,
        },
    };

    /// Begins a stream in memory that may have held another.
    pub(crate) fn start(&mut self, method: Method, memory: &mut [u8]) {
        *self = Self { method, ..Self::NONE };
        let areas = Areas::cut(memory);
        areas.text.fill(0);
        areas.heads.0.fill([0; 2]);
    }

    /// Takes a byte.
    pub(crate) fn push(&mut self, byte: u8, memory: &mut [u8]) {
        let areas = &mut Areas::cut(memory);
        // As late as when all the room behind the window was filled at once.
        if self.at > self.full() {
            self.slide(areas);
        }
        areas.text[self.end] = byte;
        if self.moved && self.end < WINDOW {
            // gzip compares beyond the end, where this would still be.
            areas.text[self.end + WINDOW] = byte;
        }
        self.end += 1;
    }

    /// Says that no more bytes will come.
    pub(crate) fn finish(&mut self) {
        self.ended = true;
    }

    /// The next byte of the stream, if what has come suffices.
    pub(crate) fn next(&mut self, memory: &mut [u8]) -> Option<u8> {
        let areas = &mut Areas::cut(memory);
        loop {
            let byte = self.out.next(areas);
            if byte.is_some() {
                return byte;
            }
            let ahead = self.end - self.at;
            if ahead < AHEAD && self.ended && !self.at_end {
                // They try to read on, and gzip then knows that this is the end.
                if self.at >= self.full() {
                    self.slide(areas);
                }
                if self.method.gzip() {
                    self.at_end = true;
                    areas.text[self.end..self.end + CLEARED].fill(0);
                }
            }
            if ahead >= AHEAD || self.ended && ahead > 0 {
                if self.method.level < 4 { self.step_fast(areas) } else { self.step(areas) }
            } else if self.ended && !self.out.last {
                if self.pending {
                    self.pending = false;
                    self.tell_byte(self.at - 1, areas);
                }
                self.flush(true, areas);
            } else {
                return None;
            }
        }
    }

    /// Where the older window is to be forgotten.
    fn full(&self) -> usize {
        2 * (1 << self.method.window) - AHEAD
    }

    /// Forgets the older window.
    fn slide(&mut self, areas: &mut Areas) {
        let window = 1 << self.method.window;
        areas.text.copy_within(window..2 * window, 0);
        self.moved = true;
        self.at -= window;
        self.end -= window;
        self.found = self.found.saturating_sub(window);
        self.begin -= window as isize;
        let hashes = 1 << self.method.hash_log();
        for (table, len) in [(&mut areas.heads, hashes), (&mut areas.links, window)] {
            for i in 0..len {
                let place = table.get(i);
                table.set(i, place.saturating_sub(window));
            }
        }
    }

    /// Enters the three bytes at a place; returns where they, or others with
    /// their hash, were before.
    fn enter(&self, place: usize, areas: &mut Areas) -> usize {
        let log = self.method.hash_log();
        let shift = log.div_ceil(MIN_MATCH as u32);
        let hash = areas.text[place..place + MIN_MATCH]
            .iter()
            .fold(0, |hash, &byte| (hash << shift) ^ usize::from(byte));
        let hash = hash & ((1 << log) - 1);
        let before = areas.heads.get(hash);
        areas.links.set(place & ((1 << self.method.window) - 1), before);
        areas.heads.set(hash, place);
        before
    }

    /// How far repeats reach back.
    fn reach(&self) -> usize {
        (1 << self.method.window) - AHEAD
    }

    fn can_reach(&self, place: usize) -> bool {
        // gzip, which moves on at the end only once, leaves what is behind then.
        self.at - place <= self.reach() && !(self.method.gzip() && self.at > self.full())
    }

    /// Looks for a repeat longer than `least` along the chain from `place`; returns
    /// its length, or `least`.
    fn search(&mut self, mut place: usize, least: usize, areas: &Areas) -> usize {
        let Effort { good, nice, mut tries, .. } = self.method.effort();
        let ahead = self.end - self.at;
        if least >= good {
            tries >>= 2;
        }
        let nice = if self.method.gzip() { nice } else { nice.min(ahead) };
        let limit = self.at.saturating_sub(self.reach());
        let mask = (1 << self.method.window) - 1;
        let longest = if self.method.gzip() { MAX_MATCH } else { MAX_MATCH.min(ahead) };
        let here = &areas.text[self.at..self.at + longest];
        let mut best = least;
        while best < here.len() {
            let there = &areas.text[place..place + here.len()];
            // Where the bytes at the end differ it cannot be longer.
            if there[best - 1] == here[best - 1] && there[best] == here[best] {
                let same = here.iter().zip(there).take_while(|(a, b)| a == b).count();
                if same > best {
                    (best, self.found) = (same, place);
                    if same >= nice {
                        break;
                    }
                }
            }
            place = areas.links.get(place & mask);
            tries -= 1;
            if place <= limit || tries == 0 {
                break;
            }
        }
        best.min(ahead)
    }

    /// Levels 1 to 3: takes the repeat at this byte, if there is one.
    fn step_fast(&mut self, areas: &mut Areas) {
        let before = if self.end - self.at >= MIN_MATCH { self.enter(self.at, areas) } else { 0 };
        let mut length = 0;
        if before != 0 && self.can_reach(before) {
            length = self.search(before, MIN_MATCH - 1, areas);
        }
        if length < MIN_MATCH {
            let full = self.tell_byte(self.at, areas);
            self.at += 1;
            if full {
                self.flush(false, areas);
            }
            return;
        }
        let full = self.tell_repeat(length, self.at - self.found, areas);
        let next = self.at + length;
        if length <= self.method.effort().lazy && self.end - next >= MIN_MATCH {
            for place in self.at + 1..next {
                self.enter(place, areas);
            }
        }
        self.at = next;
        if full {
            self.flush(false, areas);
        }
    }

    /// From level 4: takes the repeat at the byte before, unless that at this byte
    /// is longer.
    fn step(&mut self, areas: &mut Areas) {
        let ahead = self.end - self.at;
        let before = if ahead >= MIN_MATCH { self.enter(self.at, areas) } else { 0 };
        let (last_length, last_found) = (self.length, self.found);
        self.length = MIN_MATCH - 1;
        let worth_a_try = before != 0 && last_length < self.method.effort().lazy;
        if worth_a_try && self.can_reach(before) {
            self.length = self.search(before, last_length, areas);
            let far = self.length == MIN_MATCH && self.at - self.found > TOO_FAR;
            if self.length <= 5 && (self.method.filtered || far) {
                self.length = MIN_MATCH - 1;
            }
        }
        if last_length >= MIN_MATCH && self.length <= last_length {
            let full = self.tell_repeat(last_length, self.at - 1 - last_found, areas);
            let next = self.at - 1 + last_length;
            for place in self.at + 1..next {
                if place + MIN_MATCH <= self.end {
                    self.enter(place, areas);
                }
            }
            self.at = next;
            self.pending = false;
            self.length = MIN_MATCH - 1;
            if full {
                self.flush(false, areas);
            }
        } else {
            if self.pending && self.tell_byte(self.at - 1, areas) {
                self.flush(false, areas);
            }
            self.pending = true;
            self.at += 1;
        }
    }

    /// Adds a byte of the text to the block; whether that is full.
    fn tell_byte(&mut self, place: usize, areas: &mut Areas) -> bool {
        let byte = u32::from(areas.text[place]);
        self.tell(byte << 16, areas)
    }

    fn tell_repeat(&mut self, length: usize, distance: usize, areas: &mut Areas) -> bool {
        self.repeats += 1;
        self.tell(((length - MIN_MATCH) << 16 | distance) as u32, areas)
    }

    fn tell(&mut self, symbol: u32, areas: &mut Areas) -> bool {
        areas.symbols[self.count] = symbol.to_le_bytes();
        self.count += 1;
        self.count == self.method.symbols() || self.method.gzip() && self.pays_to_end(areas)
    }

    /// gzip ends a block early if that is small enough.
    fn pays_to_end(&self, areas: &Areas) -> bool {
        if self.method.level <= 2 || !self.count.is_multiple_of(4096) {
            return false;
        }
        let symbols = areas.symbols[..self.count].iter().map(|&bytes| u32::from_le_bytes(bytes));
        let bits = symbols.map(|symbol| symbol & 0xFFFF).filter(|&distance| distance > 0);
        let bits: u64 = bits.map(|distance| 5 + u64::from(trees::distance(distance).1)).sum();
        let out = (8 * self.count as u64 + bits) >> 3;
        let text = (self.at as isize - self.begin) as u64;
        self.repeats < self.count / 2 && out < text / 2
    }

    /// Ends the block here: what is told is coded in the way that takes the least.
    fn flush(&mut self, last: bool, areas: &mut Areas) {
        let out = &mut self.out;
        let block = Block::new(&areas.symbols[..self.count], &mut areas.codes);
        let stored = (self.at as isize - self.begin) as usize;
        let begin = usize::try_from(self.begin).ok();
        let coded = block.coded_bytes().min(block.fixed_bytes());
        out.last = last;
        let mut head = Head { out, bytes: areas.head, len: 0 };
        match begin {
            Some(begin) if stored + 4 <= coded => {
                head.put(u32::from(last), 3);
                head.align();
                head.put(stored as u32 & 0xFFFF, 16);
                head.put(!stored as u32 & 0xFFFF, 16);
                head.out.stored = (begin, begin + (stored & 0xFFFF));
            }
            _ => {
                if block.fixed_bytes() == coded {
                    head.put(2 | u32::from(last), 3);
                    areas.codes.fix();
                } else {
                    head.put(4 | u32::from(last), 3);
                    block.tell_codes(|value, bits| head.put(value, bits));
                }
                head.out.symbols = self.count + 1;
            }
        }
        head.out.head = (0, head.len);
        self.begin = self.at as isize;
        (self.count, self.repeats) = (0, 0);
    }
}

/// Writes the head of a block.
struct Head<'a> {
    out: &'a mut Out,
    bytes: &'a mut [u8],
    len: usize,
}

impl Head<'_> {
    fn put(&mut self, value: u32, bits: u32) {
        self.out.put(value, bits);
        while self.out.bit_count >= 8 {
            self.bytes[self.len] = self.out.take();
            self.len += 1;
        }
    }

    fn align(&mut self) {
        self.put(0, self.out.bit_count.wrapping_neg() & 7);
    }
}

impl Out {
    fn put(&mut self, value: u32, bits: u32) {
        self.bits |= u64::from(value) << self.bit_count;
        self.bit_count += bits;
    }

    /// Eight bits, of which there have to be as many.
    fn take(&mut self) -> u8 {
        let byte = self.bits as u8;
        self.bits >>= 8;
        self.bit_count -= 8;
        byte
    }

    fn next(&mut self, areas: &Areas) -> Option<u8> {
        for (part, bytes) in [(&mut self.head, &*areas.head), (&mut self.stored, &*areas.text)] {
            if part.0 < part.1 {
                part.0 += 1;
                return Some(bytes[part.0 - 1]);
            }
        }
        loop {
            if self.bit_count >= 8 {
                return Some(self.take());
            }
            if self.told < self.symbols {
                self.told += 1;
                if self.told == self.symbols {
                    areas.codes.end(|value, bits| self.put(value, bits));
                } else {
                    let symbol = u32::from_le_bytes(areas.symbols[self.told - 1]);
                    areas.codes.symbol(symbol, |value, bits| self.put(value, bits));
                }
                continue;
            }
            (self.told, self.symbols) = (0, 0);
            if self.last && self.bit_count > 0 {
                self.bit_count = 8;
                continue;
            }
            return None;
        }
    }
}
