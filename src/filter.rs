//! Branch filters: machine code names the target of a branch by its distance,
//! so each call of a function looks different. Made addresses, the calls look
//! alike, and the model knows the next one. `docs/format.md` says exactly what
//! each filter does.
//!
//! A filter looks at the next eight bytes, changes an operand within them or
//! nothing, and goes on where no later change can touch what it went by. What
//! that was, the opcode and whatever else decides, is the same before and after
//! the change or tells the two apart. So the way back finds every place again:
//! filters are one to one on any bytes, code or not.

mod detect;

/// What can be done to machine code before the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Filter {
    /// x86, 16 and 32 bit: calls, jumps and conditional jumps.
    X86 = 1,
    /// x86, 64 bit: these, and memory operands relative to the instruction.
    X86_64 = 2,
    /// Arm, the instructions of 32 bit (A32): calls.
    Arm = 3,
    /// Arm, Thumb-2: calls.
    Thumb = 4,
    /// Arm, 64 bit: calls and addresses of pages.
    Arm64 = 5,
    /// RISC-V, 32 and 64 bit, with or without compressed instructions: calls
    /// and addresses made by two instructions.
    RiscV = 6,
}

impl Filter {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::X86, Self::X86_64, Self::Arm, Self::Thumb, Self::Arm64, Self::RiscV];

    /// What stands for it in the header of a frame.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The filter of this id.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.id() == id)
    }

    /// Its name in the command's options: `x86`, `x86-64`, `arm`, `thumb`,
    /// `arm64` or `riscv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86",
            Self::X86_64 => "x86-64",
            Self::Arm => "arm",
            Self::Thumb => "thumb",
            Self::Arm64 => "arm64",
            Self::RiscV => "riscv",
        }
    }

    /// Filters the start of `next`, which is at `position` from the start of
    /// the content; returns how many bytes are done.
    fn step(self, next: &mut [u8; SPAN], position: u32, way: Way) -> u8 {
        match self {
            Self::X86 => x86(next, position, way, false),
            Self::X86_64 => x86(next, position, way, true),
            Self::Arm => arm(next, position, way),
            Self::Thumb => thumb(next, position, way),
            Self::Arm64 => arm64(next, position, way),
            Self::RiscV => riscv(next, position, way),
        }
    }
}

/// Bytes that a filter looks at. The last ones of the content, fewer than
/// these, stay as they are.
const SPAN: usize = 8;

/// To addresses, or back to distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Forth,
    Back,
}

impl Way {
    /// `value`, relative to `origin`, made absolute; or back.
    fn turn(self, value: u32, origin: u32) -> u32 {
        match self {
            Self::Forth => value.wrapping_add(origin),
            Self::Back => value.wrapping_sub(origin),
        }
    }
}

/// A filter at work on one frame: bytes go in and come out one by one, seven
/// bytes later.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    filter: Option<Filter>,
    way: Way,
    /// Bytes that have come and not gone, the last of `bytes`.
    held: u8,
    /// How many of them are done.
    done: u8,
    /// Where the next byte to come is, from the start of the content.
    position: u32,
    bytes: [u8; SPAN],
}

impl Stage {
    /// Lets everything pass.
    pub(crate) const NONE: Self =
        Self { filter: None, way: Way::Forth, held: 0, done: 0, position: 0, bytes: [0; SPAN] };

    pub(crate) const fn new(filter: Filter, way: Way) -> Self {
        Self { filter: Some(filter), way, ..Self::NONE }
    }

    /// Takes a byte and gives one, unless too few have come so far.
    pub(crate) fn pass(&mut self, byte: u8) -> Option<u8> {
        let Some(filter) = self.filter else {
            return Some(byte);
        };
        self.bytes.copy_within(1.., 0);
        self.bytes[SPAN - 1] = byte;
        self.held += 1;
        self.position = self.position.wrapping_add(1);
        if usize::from(self.held) < SPAN {
            return None;
        }
        if self.done == 0 {
            let start = self.position.wrapping_sub(SPAN as u32);
            self.done = filter.step(&mut self.bytes, start, self.way);
        }
        self.done -= 1;
        self.held -= 1;
        Some(self.bytes[0])
    }

    /// Whether some have not come out.
    pub(crate) fn holds(&self) -> bool {
        self.held > 0
    }

    /// Gives the bytes still held, after the last one before the end or a sync
    /// point has come. The next one to come is looked at anew.
    pub(crate) fn rest(&mut self) -> Option<u8> {
        let next = SPAN - usize::from(self.held);
        let byte = *self.bytes.get(next)?;
        self.held -= 1;
        self.done = 0;
        Some(byte)
    }
}

/// Little-endian.
fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

/// The low `bits` bits as a signed number.
fn signed(value: u32, bits: u32) -> u32 {
    ((value << (32 - bits)) as i32 >> (32 - bits)) as u32
}

/// A displacement of four bytes whose top one, the last, is 00 or FF becomes an
/// address of 25 bits: the top byte stays the last, and tells on the way back
/// too that this is one; the other three go from high to low. Where it is none,
/// the top byte may begin an instruction but be no part of an operand.
fn x86(next: &mut [u8; SPAN], position: u32, way: Way, long: bool) -> u8 {
    let start = match *next {
        [0xE8 | 0xE9, ..] => 1,
        [0x0F, 0x80..=0x8F, ..] => 2,
        // No base and no index: relative to the instruction in 64-bit code.
        [op, modrm, ..] if long && modrm & 0xC7 == 5 && has_operand(op) => 2,
        // Not before E8 or E9, whose operand might change what was a ModRM byte.
        [0x0F, op, modrm, ..] if long && modrm & 0xC7 == 5 && op & 0xFE != 0xE8 => 3,
        _ => return 1,
    };
    let end = start + 4;
    let operand = &mut next[start..end];
    if !matches!(operand[3], 0 | 0xFF) {
        return end as u8 - 1;
    }
    if way == Way::Back {
        operand[..3].reverse();
    }
    let target = way.turn(word(operand), position.wrapping_add(end as u32));
    operand.copy_from_slice(&signed(target, 25).to_le_bytes());
    if way == Way::Forth {
        operand[..3].reverse();
    }
    end as u8
}

/// Whether this is one of the usual opcodes with a memory operand. All of them
/// would be worse: more data looks like code then.
fn has_operand(op: u8) -> bool {
    matches!(op, 0x01 | 0x03 | 0x0B | 0x23 | 0x29 | 0x2B | 0x33 | 0x38..=0x3B | 0x63)
        || matches!(op, 0x80 | 0x81 | 0x83..=0x85 | 0x88..=0x8B | 0x8D | 0xC6 | 0xC7)
        || matches!(op, 0xF6 | 0xF7 | 0xFF)
}

/// BL becomes its opcode and the address from high to low: the word reversed.
/// Other words that begin with the opcode are reversed too, out of the way.
fn arm(next: &mut [u8; SPAN], position: u32, way: Way) -> u8 {
    const BL: u8 = 0xEB;
    let call = &mut next[..4];
    let (opcode, other) = if way == Way::Forth { (3, 0) } else { (0, 3) };
    if call[opcode] == BL {
        if way == Way::Back {
            call.reverse();
        }
        let target = way.turn(word(&call[..3]), position >> 2);
        call[..3].copy_from_slice(&target.to_le_bytes()[..3]);
        if way == Way::Forth {
            call.reverse();
        }
    } else if call[other] == BL {
        call.reverse();
    }
    4
}

/// BL and BLX: two halfwords, `11110 s a..` and `11 i x j b..` with ten bits a
/// and eleven bits b. Before, i and j are the exclusive nor of bits 22 and 21
/// of the distance with its sign; after, they are these bits of the address.
fn thumb(next: &mut [u8; SPAN], position: u32, way: Way) -> u8 {
    let call = word(&next[..4]);
    if call & 0xC000_F800 != 0xC000_F000 {
        return 2;
    }
    let value = if way == Way::Forth { thumb_distance(call) >> 1 } else { thumb_field(call) };
    // BLX counts from the word that it is in.
    let origin = if call & 1 << 28 == 0 { position >> 2 << 1 } else { position >> 1 };
    let target = way.turn(value, origin.wrapping_add(2));
    let coded = call & 0xD000_F800
        | (target >> 23 & 1) << 10
        | (target >> 22 & 1) << 29
        | (target >> 21 & 1) << 27
        | target >> 11 & 0x3FF
        | (target & 0x7FF) << 16;
    let call = if way == Way::Back { thumb_flip(coded) } else { coded };
    next[..4].copy_from_slice(&call.to_le_bytes());
    4
}

/// The 24 bits of a BL or BLX in their places.
fn thumb_field(call: u32) -> u32 {
    (call >> 10 & 1) << 23
        | (call >> 29 & 1) << 22
        | (call >> 27 & 1) << 21
        | (call & 0x3FF) << 11
        | call >> 16 & 0x7FF
}

/// From i and j to the bits 22 and 21 in their places, or back.
fn thumb_flip(call: u32) -> u32 {
    if call & 1 << 10 == 0 { call ^ 0x2800_0000 } else { call }
}

/// How far a BL or BLX goes, in bytes from the next instruction.
fn thumb_distance(call: u32) -> u32 {
    signed(thumb_field(thumb_flip(call)), 24) << 1
}

/// BL keeps its last byte, the opcode and the top two bits of the address, and
/// has the other three from high to low. ADRP, of pages of 4 KiB within 1 GiB,
/// stays as it is made of.
fn arm64(next: &mut [u8; SPAN], position: u32, way: Way) -> u8 {
    let instruction = &mut next[..4];
    if instruction[3] & 0xFC == 0x94 {
        if way == Way::Back {
            instruction[..3].reverse();
        }
        let call = word(instruction);
        let target = way.turn(call, position >> 2) & 0x03FF_FFFF;
        instruction.copy_from_slice(&(0x9400_0000 | target).to_le_bytes());
        if way == Way::Forth {
            instruction[..3].reverse();
        }
    } else if instruction[3] & 0x9F == 0x90 {
        let adrp = word(instruction);
        let pages = signed((adrp >> 5 & 0x7_FFFF) << 2 | adrp >> 29 & 3, 21);
        if signed(pages, 19) == pages {
            let page = signed(way.turn(pages, position >> 12), 19);
            let coded = adrp & 0x9F00_001F | (page & 3) << 29 | (page >> 2 & 0x7_FFFF) << 5;
            instruction.copy_from_slice(&coded.to_le_bytes());
        }
    }
    4
}

/// JAL with the return address in `ra` has the bits of the address in order,
/// from high to low. AUIPC and an instruction that adds to what it gives become
/// one of 32 bits, all but the address, and the address, from high to low.
fn riscv(next: &mut [u8; SPAN], position: u32, way: Way) -> u8 {
    const FIELD: u32 = 0xF_FFFF; // what is not of AUIPC, or not of the offset
    let first = word(&next[..4]);
    if first & 0xFFF == 0x0EF {
        let [_, a, b, c] = first.to_le_bytes().map(u32::from);
        let call = match way {
            Way::Forth => {
                let target = way.turn(jal_distance(first) >> 1, position >> 1);
                let [c, b, a, _] = target.to_le_bytes().map(u32::from);
                0x0EF | (a & 15) << 12 | b << 16 | c << 24
            }
            Way::Back => {
                let offset = way.turn((a >> 4) << 16 | b << 8 | c, position >> 1);
                0x0EF
                    | (offset >> 19 & 1) << 31
                    | (offset >> 11 & 0xFF) << 12
                    | (offset >> 10 & 1) << 20
                    | (offset & 0x3FF) << 21
            }
        };
        next[..4].copy_from_slice(&call.to_le_bytes());
        return 4;
    }
    if first & 0x7F != 0x17 {
        return 2;
    }
    let second = word(&next[4..]);
    let register = first >> 7 & 31;
    let (upper, lower) = (first >> 12, second & FIELD);
    let (here, other) = if way == Way::Forth { (lower, upper) } else { (upper, lower) };
    let (upper, second) = if adds_to(register, here) {
        match way {
            Way::Forth => {
                let distance = (upper << 12).wrapping_add(signed(second >> 20, 12));
                (lower, way.turn(distance, position).swap_bytes())
            }
            Way::Back => {
                let distance = way.turn(second.swap_bytes(), position);
                (distance.wrapping_add(0x800) >> 12, distance << 20 | upper)
            }
        }
    } else if adds_to(register, other) {
        // It would be taken for a changed pair, or for one to change.
        (lower, second & !FIELD | upper)
    } else {
        return 4;
    };
    next[..4].copy_from_slice(&(first & 0xFFF | upper << 12).to_le_bytes());
    next[4..].copy_from_slice(&second.to_le_bytes());
    8
}

/// How far a JAL goes, in bytes.
fn jal_distance(jal: u32) -> u32 {
    let field =
        (jal >> 31) << 19 | (jal >> 12 & 0xFF) << 11 | (jal >> 20 & 1) << 10 | jal >> 21 & 0x3FF;
    signed(field, 20) << 1
}

/// Whether an instruction with these low 20 bits is a load, ADDI or JALR with
/// this register, not `x0`, for its base.
fn adds_to(register: u32, instruction: u32) -> bool {
    let base = instruction >> 15;
    let kind = (instruction & 0x7F, instruction >> 12 & 7);
    base == register && base != 0 && matches!(kind, (0x03 | 0x07, _) | (0x13 | 0x67, 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;

    fn through(filter: Filter, way: Way, bytes: &[u8]) -> Vec<u8> {
        let mut stage = Stage::new(filter, way);
        let mut out: Vec<u8> = bytes.iter().filter_map(|&byte| stage.pass(byte)).collect();
        out.extend(core::iter::from_fn(|| stage.rest()));
        out
    }

    fn there_and_back(bytes: &[u8]) {
        for filter in Filter::ALL {
            let there = through(filter, Way::Forth, bytes);
            assert_eq!(there.len(), bytes.len());
            assert!(through(filter, Way::Back, &there) == bytes, "{filter:?}: {bytes:02x?}");
            // One to one: what was never filtered has a source as well.
            let back = through(filter, Way::Back, bytes);
            assert!(through(filter, Way::Forth, &back) == bytes, "{filter:?}: {bytes:02x?}");
        }
    }

    /// Behind a sync point the next byte may begin an instruction, whatever was
    /// left of the one before it.
    #[test]
    fn begins_anew_behind_a_sync_point() {
        let mut stage = Stage { position: 0xFF8, ..Stage::new(Filter::X86, Way::Forth) };
        // No distance, so four bytes of it are done.
        let before = b"\xE8\x01\x02\x03\x04\x90\x90\x90";
        let mut out: Vec<u8> = before.iter().filter_map(|&byte| stage.pass(byte)).collect();
        out.extend(core::iter::from_fn(|| stage.rest()));
        assert_eq!(out, before);
        let call = b"\xE8\x45\x03\x00\x00\x90\x90\x90";
        let mut out: Vec<u8> = call.iter().filter_map(|&byte| stage.pass(byte)).collect();
        out.extend(core::iter::from_fn(|| stage.rest()));
        assert_eq!(out, b"\xE8\x00\x13\x4A\x00\x90\x90\x90");
    }

    /// Bytes that mean something to one filter or another, and some that do not.
    const SOUP: [u8; 40] = [
        0x00, 0x00, 0xFF, 0xFF, 0xE8, 0xE9, 0x0F, 0x80, 0x8F, 0x8B, 0x8D, 0x05, 0x0D, 0x3D, 0xEB,
        0xEB, 0xF0, 0xF7, 0xF8, 0xD0, 0xC0, 0xE0, 0x94, 0x97, 0x90, 0xB0, 0xF0, 0xEF, 0x00, 0x17,
        0x97, 0x03, 0x05, 0x83, 0x13, 0x67, 0x80, 0xA5, 0x01, 0x40,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            there_and_back(&bytes);
        }

        #[test]
        fn soup(bytes in prop::collection::vec(prop::sample::select(&SOUP[..]), 0..400)) {
            there_and_back(&bytes);
        }

        /// A base and an instruction with it, in both places of a pair.
        #[test]
        fn pairs(words in prop::collection::vec((any::<u32>(), 0..4u8, 0..4u32), 0..60)) {
            let bytes: Vec<u8> = words
                .into_iter()
                .flat_map(|(word, kind, base)| match kind {
                    0 => word & 0xFFFF_F000 | base << 7 | 0x17,
                    1 => word & 0xFFF0_0F80 | base << 15 | 0x13,
                    2 => base << 27 | 3 << 12 | base << 7 | 0x17,
                    _ => word,
                }.to_le_bytes())
                .collect();
            there_and_back(&bytes);
        }

        #[test]
        fn far_from_the_start(next: [u8; SPAN], position: u32) {
            for filter in Filter::ALL {
                let mut there = next;
                let done = filter.step(&mut there, position, Way::Forth);
                let mut back = there;
                prop_assert_eq!(filter.step(&mut back, position, Way::Back), done);
                prop_assert_eq!(back, next);
            }
        }
    }

    /// Every first word, with seconds that may go with it.
    #[test]
    fn many_words() {
        for filter in Filter::ALL {
            for i in 0..1u32 << 20 {
                let word = i.wrapping_mul(0x9E37_79B1);
                let second = word.rotate_left(20) & 0xF_FFFF | i << 20;
                let mut next = [0; SPAN];
                next[..4].copy_from_slice(&word.to_le_bytes());
                next[4..].copy_from_slice(&second.to_le_bytes());
                let mut there = next;
                let done = filter.step(&mut there, i << 1, Way::Forth);
                assert_eq!(filter.step(&mut there, i << 1, Way::Back), done);
                assert_eq!(there, next, "{filter:?}");
            }
        }
    }

    /// The examples of docs/format.md.
    #[test]
    fn known_instructions() {
        let check = |filter: Filter, at: usize, before: &[u8], after: &[u8]| {
            let mut code = std::vec![0; at];
            code.extend_from_slice(before);
            code.extend_from_slice(&[0; SPAN]);
            let there = through(filter, Way::Forth, &code);
            assert_eq!(there[at..at + after.len()], *after, "{filter:?}");
            assert_eq!(through(filter, Way::Back, &there), code);
        };
        // call: 0x1005 + 0x345 = 0x134A, and back: 0x1005 - 0x1000
        check(Filter::X86, 0x1000, &[0xE8, 0x45, 3, 0, 0], &[0xE8, 0, 0x13, 0x4A, 0]);
        check(Filter::X86, 0x1000, &[0xE8, 0, 0xF0, 0xFF, 0xFF], &[0xE8, 0, 0, 5, 0]);
        check(Filter::X86, 0x1000, &[0x0F, 0x84, 0, 1, 0, 0], &[0x0F, 0x84, 0, 0x11, 6, 0]);
        // too far for a distance; not relative outside of 64-bit code
        check(Filter::X86, 0x1000, &[0xE8, 0x45, 3, 0, 1], &[0xE8, 0x45, 3, 0, 1]);
        check(Filter::X86, 0x1000, &[0x8B, 5, 0, 1, 0, 0], &[0x8B, 5, 0, 1, 0, 0]);
        // lea rdi, [rip + 0x100]; movzx eax, byte [rip + 0x100]
        let lea = [0x48, 0x8D, 0x3D, 0, 1, 0, 0];
        check(Filter::X86_64, 0x1000, &lea, &[0x48, 0x8D, 0x3D, 0, 0x11, 7, 0]);
        let movzx = [0x0F, 0xB6, 5, 0, 1, 0, 0];
        check(Filter::X86_64, 0x1000, &movzx, &[0x0F, 0xB6, 5, 0, 0x11, 7, 0]);
        // bl .+8, whose field is 0: the address is that of the instruction
        check(Filter::Arm, 0x1000, &[0, 0, 0, 0xEB], &[0xEB, 0, 4, 0]);
        check(Filter::Arm, 0x1000, &[0xEB, 1, 2, 3], &[3, 2, 1, 0xEB]);
        // bl .+4 and blx .+4 at 0x1002, bl .-4
        check(Filter::Thumb, 0x1002, &[0, 0xF0, 0, 0xF8], &[1, 0xF0, 3, 0xD0]);
        check(Filter::Thumb, 0x1002, &[0, 0xF0, 0, 0xE8], &[1, 0xF0, 2, 0xC0]);
        check(Filter::Thumb, 0x1002, &[0xFF, 0xF7, 0xFC, 0xFF], &[0, 0xF0, 0xFF, 0xD7]);
        // bl .+16; adrp x3, .+0x2000; one that is too far
        check(Filter::Arm64, 0x1000, &[4, 0, 0, 0x94], &[0, 4, 4, 0x94]);
        check(Filter::Arm64, 0x5000, &[3, 0, 0, 0xD0], &[0x23, 0, 0, 0xF0]);
        check(Filter::Arm64, 0x5000, &[0xE3, 0xFF, 0x7F, 0x90], &[0xE3, 0xFF, 0x7F, 0x90]);
        // jal ra, .+0x1234
        check(Filter::RiscV, 0x1000, &[0xEF, 0x10, 0x40, 0x23], &[0xEF, 0, 0x11, 0x1A]);
        // auipc a0, 1; addi a0, a0, -16
        let pair = [0x17, 0x15, 0, 0, 0x13, 0x05, 0x05, 0xFF];
        check(Filter::RiscV, 0x1000, &pair, &[0x17, 0x35, 0x51, 0x50, 0, 0, 0x1F, 0xF0]);
    }
}
