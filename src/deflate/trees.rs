//! The codes of a block (RFC 1951, sections 3.2.5 to 3.2.7), as zlib makes them.

/// Codes of bytes, end and lengths; of distances; of code lengths.
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const LENGTHS: usize = 19;
/// Codes in memory: the first two kinds.
pub(super) const CODES: usize = LITERALS + DISTANCES;
const END: usize = 256;

/// The order in which lengths of codes of code lengths are told.
const ORDER: [usize; LENGTHS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Code, extra bits and their value of a length less 3.
fn length(length: u32) -> (usize, u32, u32) {
    match length {
        0..8 => (257 + length as usize, 0, 0),
        255 => (285, 0, 0),
        _ => {
            let extra = length.ilog2() - 2;
            (
                257 + 4 * extra as usize + (length >> extra) as usize,
                extra,
                length & ((1 << extra) - 1),
            )
        }
    }
}

/// The same of a distance.
pub(super) fn distance(distance: u32) -> (usize, u32, u32) {
    match distance - 1 {
        code @ 0..4 => (code as usize, 0, 0),
        distance => {
            let extra = distance.ilog2() - 1;
            let code = 2 * extra as usize + (distance >> extra) as usize;
            (code, extra, distance & ((1 << extra) - 1))
        }
    }
}

/// Extra bits of a code.
fn literal_extra(code: usize) -> u32 {
    match code {
        265..285 => (code as u32 - 261) / 4,
        _ => 0,
    }
}

fn distance_extra(code: usize) -> u32 {
    (code as u32 / 2).saturating_sub(1)
}

/// Length of a code of bytes, end and lengths in a block of fixed codes; that of
/// distances is 5.
const fn fixed_length(code: usize) -> u32 {
    match code {
        0..144 => 8,
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    }
}

/// A code: what it is with its first bit lowest, and its length above 16 bits.
pub(super) struct Codes<'a>(pub(super) &'a mut [[u8; 4]]);

impl Codes<'_> {
    fn get(&self, i: usize) -> (u32, u32) {
        let code = u32::from_le_bytes(self.0[i]);
        (code & 0xFFFF, code >> 16)
    }

    pub(super) fn end(&self, mut put: impl FnMut(u32, u32)) {
        let (code, bits) = self.get(END);
        put(code, bits);
    }

    /// Tells a symbol: a length less 3 above 16 bits of distance, or a byte above 0.
    pub(super) fn symbol(&self, symbol: u32, mut put: impl FnMut(u32, u32)) {
        let (value, far) = (symbol >> 16, symbol & 0xFFFF);
        if far == 0 {
            let (code, bits) = self.get(value as usize);
            return put(code, bits);
        }
        for (base, (code, extra, value)) in [(0, length(value)), (LITERALS, distance(far))] {
            let (code, bits) = self.get(base + code);
            put(code, bits);
            put(value, extra);
        }
    }

    /// Makes them those of a block of fixed codes.
    pub(super) fn fix(&mut self) {
        // There are two codes more than are in use.
        let mut lengths = [0; LITERALS + 2];
        for (i, length) in lengths.iter_mut().enumerate() {
            *length = fixed_length(i) as u8;
        }
        self.assign(0, LITERALS, &lengths);
        self.assign(LITERALS, DISTANCES, &[5; DISTANCES]);
    }

    #[inline(never)]
    /// Gives codes of these lengths (RFC 1951, section 3.2.2) to the `count`
    /// places from `base` on.
    fn assign(&mut self, base: usize, count: usize, lengths: &[u8]) {
        let codes = canonical(lengths);
        for (i, (code, &length)) in codes.zip(lengths).enumerate().take(count) {
            self.0[base + i] = (code | u32::from(length) << 16).to_le_bytes();
        }
    }
}

/// Codes for these lengths, their first bit lowest.
fn canonical(lengths: &[u8]) -> impl Iterator<Item = u32> {
    let mut next = [0; 17];
    for &length in lengths.iter().filter(|&&length| length > 0) {
        next[usize::from(length) + 1] += 1u32;
    }
    for bits in 1..17 {
        next[bits] = (next[bits] + next[bits - 1]) << 1;
    }
    // next[l] is now the first code of length l.
    lengths.iter().map(move |&length| {
        if length == 0 {
            return 0;
        }
        let code = next[usize::from(length)];
        next[usize::from(length)] += 1;
        code.reverse_bits() >> (32 - u32::from(length))
    })
}

/// What a block comes to.
pub(super) struct Block {
    literal_lengths: Lengths,
    distance_lengths: Lengths,
    code_lengths: Lengths,
    /// How many of the code lengths' lengths are told.
    told: usize,
    /// Bits with these codes, and with fixed ones.
    coded: u64,
    fixed: u64,
}

impl Block {
    /// The codes for these symbols and the end, which `codes` then holds.
    pub(super) fn new(symbols: &[[u8; 4]], codes: &mut Codes) -> Self {
        let (mut literals, mut distances) = ([0; LITERALS], [0; DISTANCES]);
        literals[END] = 1;
        for symbol in symbols.iter().map(|&bytes| u32::from_le_bytes(bytes)) {
            let (value, far) = (symbol >> 16, symbol & 0xFFFF);
            if far == 0 {
                literals[value as usize] += 1;
            } else {
                literals[length(value).0] += 1;
                distances[distance(far).0] += 1;
            }
        }
        let literal_lengths = Lengths::new(&literals, 15);
        let distance_lengths = Lengths::new(&distances, 15);
        codes.assign(0, LITERALS, &literal_lengths.bits);
        codes.assign(LITERALS, DISTANCES, &distance_lengths.bits);
        let mut counts = [0; LENGTHS];
        for bits in [literal_lengths.told(), distance_lengths.told()] {
            run_lengths(bits, |code, _, _| counts[code] += 1);
        }
        let code_lengths = Lengths::new(&counts, 7);
        let told = ORDER.iter().rposition(|&code| code_lengths.bits[code] > 0).unwrap_or(0);
        let told = (told + 1).max(4);
        let lengths_extra = |code| [2, 3, 7][code - 16];
        let mut coded = 3 * told as u64 + 14;
        let mut fixed = 0;
        for (code, &count) in literals.iter().enumerate() {
            let (count, extra) = (u64::from(count), literal_extra(code));
            coded += count * u64::from(u32::from(literal_lengths.bits[code]) + extra);
            fixed += count * u64::from(fixed_length(code) + extra);
        }
        for (code, &count) in distances.iter().enumerate() {
            let (count, extra) = (u64::from(count), distance_extra(code));
            coded += count * u64::from(u32::from(distance_lengths.bits[code]) + extra);
            fixed += count * u64::from(5 + extra);
        }
        for (code, &count) in counts.iter().enumerate() {
            let extra = if code < 16 { 0 } else { lengths_extra(code) };
            coded += u64::from(count) * u64::from(u32::from(code_lengths.bits[code]) + extra);
        }
        Self { literal_lengths, distance_lengths, code_lengths, told, coded, fixed }
    }

    /// Bytes that the block takes, with its three bits.
    pub(super) fn coded_bytes(&self) -> usize {
        ((self.coded + 3 + 7) >> 3) as usize
    }

    /// The same with fixed codes.
    pub(super) fn fixed_bytes(&self) -> usize {
        ((self.fixed + 3 + 7) >> 3) as usize
    }

    /// Tells the codes of a block that has its own.
    pub(super) fn tell_codes(&self, mut put: impl FnMut(u32, u32)) {
        let (literals, distances) = (self.literal_lengths.told(), self.distance_lengths.told());
        put(literals.len() as u32 - 257, 5);
        put(distances.len() as u32 - 1, 5);
        put(self.told as u32 - 4, 4);
        for &code in &ORDER[..self.told] {
            put(u32::from(self.code_lengths.bits[code]), 3);
        }
        let mut codes = [0; LENGTHS];
        for (code, value) in codes.iter_mut().zip(canonical(&self.code_lengths.bits[..LENGTHS])) {
            *code = value;
        }
        for bits in [literals, distances] {
            run_lengths(bits, |code, extra, value| {
                put(codes[code], u32::from(self.code_lengths.bits[code]));
                put(value, extra);
            });
        }
    }
}

/// Tells code lengths: a length, or one of the codes 16 to 18 with extra bits for
/// how often the last one, or 0, comes again.
fn run_lengths(lengths: &[u8], mut put: impl FnMut(usize, u32, u32)) {
    let mut last = None;
    let mut rest = lengths;
    while let [length, ..] = *rest {
        let (longest, least) = match length {
            0 => (138, 3),
            _ if last == Some(length) => (6, 3),
            _ => (7, 4),
        };
        let same = rest.iter().take(longest).take_while(|&&other| other == length).count();
        let mut count = same as u32;
        if same < least {
            (0..same).for_each(|_| put(usize::from(length), 0, 0));
        } else if length == 0 {
            if count <= 10 { put(17, 3, count - 3) } else { put(18, 7, count - 11) }
        } else {
            if last != Some(length) {
                put(usize::from(length), 0, 0);
                count -= 1;
            }
            put(16, 2, count - 3);
        }
        last = Some(length);
        rest = &rest[same..];
    }
}

/// Lengths of the codes of one kind.
struct Lengths {
    bits: [u8; LITERALS],
    /// The last code in use.
    last: usize,
}

/// Nodes of a tree of `n` codes.
const MAX_NODES: usize = 2 * LITERALS + 1;

impl Lengths {
    fn told(&self) -> &[u8] {
        &self.bits[..=self.last]
    }

    /// Huffman's lengths for codes that come so often, none longer than `longest`.
    #[inline(never)]
    fn new(counts: &[u16], longest: usize) -> Self {
        // Of nodes: how often, how deep below, and first the node above, then the
        // depth from the top. Codes are the first nodes.
        let mut often = [0u16; MAX_NODES];
        often[..counts.len()].copy_from_slice(counts);
        let mut above = [0u16; MAX_NODES];
        let mut heap = Heap { nodes: [0; MAX_NODES], len: 0, below: [0; MAX_NODES] };
        // One above the last code in use.
        let mut end = 0;
        for (code, _) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            heap.add(code);
            end = code + 1;
        }
        // There are two codes at least: zlib adds the next ones, or the first.
        while heap.len < 2 {
            let code = if end < 3 { end } else { 0 };
            often[code] = 1;
            heap.add(code);
            end = end.max(code + 1);
        }
        for at in (0..heap.len / 2).rev() {
            heap.sink(at, &often);
        }
        // Nodes in the order in which they were taken, which is that of how often.
        let mut taken = [0u16; MAX_NODES];
        let mut count = 0;
        let mut node = counts.len();
        while heap.len > 1 {
            let [first, second] = [heap.take(&often), heap.nodes[0]];
            for child in [first, second] {
                taken[count] = child;
                count += 1;
                above[usize::from(child)] = node as u16;
            }
            let [first, second] = [first, second].map(usize::from);
            often[node] = often[first] + often[second];
            heap.below[node] = heap.below[first].max(heap.below[second]) + 1;
            heap.nodes[0] = node as u16;
            heap.sink(0, &often);
            node += 1;
        }
        let mut depths = above; // of the codes it becomes their lengths
        depths[usize::from(heap.nodes[0])] = 0;
        let mut at_depth = [0usize; 16];
        let mut too_deep = 0isize;
        for &node in taken[..count].iter().rev() {
            let node = usize::from(node);
            let depth = usize::from(depths[usize::from(depths[node])]) + 1;
            if depth > longest {
                too_deep += 1;
            }
            let depth = depth.min(longest);
            depths[node] = depth as u16;
            if node < end {
                at_depth[depth] += 1;
            }
        }
        if too_deep > 0 {
            while too_deep > 0 {
                let depth = (1..longest).rev().find(|&depth| at_depth[depth] > 0).unwrap_or(1);
                at_depth[depth] -= 1;
                at_depth[depth + 1] += 2;
                at_depth[longest] -= 1;
                too_deep -= 2;
            }
            let mut codes = taken[..count].iter().filter(|&&node| usize::from(node) < end);
            for depth in (1..=longest).rev() {
                for &code in codes.by_ref().take(at_depth[depth]) {
                    depths[usize::from(code)] = depth as u16;
                }
            }
        }
        let mut bits = [0; LITERALS];
        for (code, bits) in
            bits.iter_mut().enumerate().take(end).filter(|&(code, _)| often[code] > 0)
        {
            *bits = depths[code] as u8;
        }
        Self { bits, last: end - 1 }
    }
}

/// Nodes by how often, the rarest first; of equals that with less below.
struct Heap {
    nodes: [u16; MAX_NODES],
    len: usize,
    below: [u8; MAX_NODES],
}

impl Heap {
    fn is_before(&self, a: u16, b: u16, often: &[u16]) -> bool {
        let key = |node: u16| (often[usize::from(node)], self.below[usize::from(node)]);
        key(a) <= key(b)
    }

    /// Adds a code, out of order.
    fn add(&mut self, code: usize) {
        self.nodes[self.len] = code as u16;
        self.len += 1;
    }

    fn sink(&mut self, mut at: usize, often: &[u16]) {
        let node = self.nodes[at];
        loop {
            let mut child = 2 * at + 1;
            if child >= self.len {
                break;
            }
            if child + 1 < self.len
                && self.is_before(self.nodes[child + 1], self.nodes[child], often)
            {
                child += 1;
            }
            if self.is_before(node, self.nodes[child], often) {
                break;
            }
            self.nodes[at] = self.nodes[child];
            at = child;
        }
        self.nodes[at] = node;
    }

    /// Takes the first.
    fn take(&mut self, often: &[u16]) -> u16 {
        let node = self.nodes[0];
        self.len -= 1;
        self.nodes[0] = self.nodes[self.len];
        self.sink(0, often);
        node
    }
}
