//! Machine code: where in an x86 instruction the next byte stands.
//!
//! An instruction is prefixes, an opcode of one to three bytes and, as the
//! opcode wants them, ModRM, SIB, a displacement and an immediate (Intel's
//! manual, volume 2, chapter 2). Following that from byte to byte tells what
//! the next one means. A wrong start rights itself after a few instructions,
//! as it does for a disassembler.

use crate::ngram::hash;

/// What the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A prefix or the opcode.
    Opcode,
    /// The opcode's second byte, after 0F.
    Second,
    /// Its third, after 0F 38 or 0F 3A.
    Third,
    ModRm,
    Sib,
    /// A byte of the displacement or, after that, of the immediate.
    Operand,
}

/// The instruction under way and those before it.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    part: Part,
    /// Prefixes that change the length of an immediate: 66 and REX.W.
    short: bool,
    wide: bool,
    /// The opcode's last byte, 256 more after 0F.
    opcode: u16,
    modrm: u8,
    /// Bytes to come.
    displacement: u8,
    immediate: u8,
    /// Evidence that this is code at all.
    votes: u16,
    /// Hash of the instruction without the operand under way.
    instruction: u32,
    /// Bytes of that operand.
    operand: u32,
    /// Opcode and ModRM of the instructions before, the latest first.
    before: [u16; 3],
}

/// Votes of a call that leads to somewhere near, and of one that does not.
const NEAR_CALL: u16 = 40;
const FAR_CALL: u16 = 16;
/// Votes from which it is taken for code, and the most there are.
const ENOUGH: u16 = 128;
const MOST: u16 = 1000;

impl Code {
    pub(crate) const NONE: Self = Self {
        part: Part::Opcode,
        short: false,
        wide: false,
        opcode: 0,
        modrm: 0,
        displacement: 0,
        immediate: 0,
        votes: 0,
        instruction: 0,
        operand: 0,
        before: [0; 3],
    };

    /// Passes what is known between two bytes through `carry`.
    pub(crate) fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        let state = [self.part as u8, self.modrm, self.displacement, self.immediate];
        let [part, modrm, displacement, immediate] = carry(u32::from_le_bytes(state)).to_le_bytes();
        self.modrm = modrm;
        (self.displacement, self.immediate) = (displacement.min(4), immediate.min(8));
        self.part = match part {
            1 => Part::Second,
            2 => Part::Third,
            3 => Part::ModRm,
            4 => Part::Sib,
            5 if self.displacement + self.immediate > 0 => Part::Operand,
            _ => Part::Opcode,
        };
        let flags = u32::from(self.wide) << 1 | u32::from(self.short);
        let number = carry(flags << 16 | u32::from(self.opcode));
        (self.short, self.wide) = (number >> 16 & 1 == 1, number >> 17 & 1 == 1);
        self.opcode = number as u16 & 511;
        self.votes = carry(self.votes.into()).min(MOST.into()) as u16;
        self.instruction = carry(self.instruction);
        self.operand = carry(self.operand);
        self.before = self.before.map(|number| carry(number.into()) as u16);
    }

    /// Whether the bytes of late were x86 code.
    #[inline]
    pub(crate) fn found(&self) -> bool {
        self.votes >= ENOUGH
    }

    /// Takes the next byte, the lowest of `bytes`. `pos` counts all bytes.
    pub(crate) fn push(&mut self, bytes: u64, pos: u32) {
        let byte = bytes as u8;
        // A relative call is E8 and 32 bits, of which the upper eight are all alike.
        if (bytes >> 32) as u8 == 0xE8 {
            self.votes = match byte {
                0 | 0xFF => (self.votes + NEAR_CALL).min(MOST),
                _ => self.votes.saturating_sub(FAR_CALL),
            };
        } else if pos.is_multiple_of(8) {
            self.votes = self.votes.saturating_sub(1);
        }

        if self.part == Part::Operand {
            self.operand = self.operand << 8 | u32::from(byte);
            if self.displacement == 0 {
                self.immediate -= 1;
            } else {
                self.displacement -= 1;
                if self.displacement == 0 {
                    self.instruction = hash(self.instruction, self.operand);
                    self.operand = 0;
                }
            }
        } else {
            self.instruction = hash(self.instruction, u32::from(byte) + 1);
            self.part = match self.part {
                Part::Opcode => self.first(byte),
                Part::Second if matches!(byte, 0x38 | 0x3A) => {
                    self.immediate = u8::from(byte == 0x3A);
                    Part::Third
                }
                Part::Second => self.operands(0x100 | u16::from(byte), after_0f(byte)),
                Part::Third => self.operands(0x100 | u16::from(byte), (true, self.immediate)),
                Part::ModRm => self.modrm(byte),
                Part::Sib | Part::Operand => {
                    if self.modrm >> 6 == 0 && byte & 7 == 5 {
                        self.displacement = 4;
                    }
                    Part::Operand
                }
            };
        }
        if self.part == Part::Operand && self.displacement + self.immediate == 0 {
            let [last, second, _] = self.before;
            let before = [self.opcode << 7 ^ u16::from(self.modrm), last, second];
            *self = Self { votes: self.votes, before, ..Self::NONE };
        }
    }

    /// What follows a prefix or an opcode's first byte.
    fn first(&mut self, byte: u8) -> Part {
        match byte {
            0x26 | 0x2E | 0x36 | 0x3E | 0x64 | 0x65 | 0x67 | 0xF0 | 0xF2 | 0xF3 => Part::Opcode,
            0x66 => {
                self.short = true;
                Part::Opcode
            }
            0x40..=0x4F => {
                self.wide = byte & 8 != 0;
                Part::Opcode
            }
            0x0F => Part::Second,
            _ => self.operands(byte.into(), alone(byte)),
        }
    }

    fn operands(&mut self, opcode: u16, (modrm, immediate): (bool, u8)) -> Part {
        self.opcode = opcode;
        self.immediate = match immediate {
            4 if self.short => 2,
            4 if self.wide && matches!(opcode, 0xB8..=0xBF) => 8,
            bytes => bytes,
        };
        if modrm { Part::ModRm } else { Part::Operand }
    }

    fn modrm(&mut self, byte: u8) -> Part {
        self.modrm = byte;
        let (mode, register, rm) = (byte >> 6, byte >> 3 & 7, byte & 7);
        self.displacement = match mode {
            0 if rm == 5 => 4,
            1 => 1,
            2 => 4,
            _ => 0,
        };
        // TEST is the one of its group that has an immediate.
        if matches!(self.opcode, 0xF6 | 0xF7) && register < 2 {
            self.immediate = match self.opcode {
                0xF6 => 1,
                _ if self.short => 2,
                _ => 4,
            };
        }
        if mode != 3 && rm == 4 { Part::Sib } else { Part::Operand }
    }

    /// The part, and how many bytes of operands are to come.
    pub(crate) fn phase(&self) -> u32 {
        self.part as u32 * 64 + u32::from(self.displacement) * 8 + u32::from(self.immediate)
    }

    /// The instruction so far.
    pub(crate) fn instruction(&self) -> u32 {
        hash(hash(self.instruction, self.phase()), self.operand)
    }

    /// The registers of the instruction and the operand so far.
    pub(crate) fn registers(&self) -> u32 {
        hash(hash(self.phase(), self.modrm.into()), self.operand)
    }

    /// The opcode.
    pub(crate) fn opcode(&self) -> u32 {
        hash(self.phase(), self.opcode.into())
    }

    /// The instructions before, the latest first.
    pub(crate) fn before(&self) -> [u32; 3] {
        self.before.map(u32::from)
    }

    /// The part, without telling long operands apart, 0 to 15.
    fn kind(&self) -> u32 {
        match self.part {
            Part::Opcode => 0,
            Part::Second | Part::Third => 1,
            Part::ModRm => 2,
            Part::Sib => 3,
            Part::Operand if self.displacement > 0 => 3 + u32::from(self.displacement),
            Part::Operand => 7 + u32::from(self.immediate),
        }
    }

    /// The part and the opcode, or the one before; below 4096.
    pub(crate) fn row_by_opcode(&self) -> u32 {
        let opcode = if self.part == Part::Opcode { self.before[0] >> 7 } else { self.opcode };
        self.kind() << 8 | u32::from(opcode & 0xFF)
    }

    /// The part, how memory is addressed, and prefixes; below 256.
    pub(crate) fn row_by_mode(&self) -> u32 {
        let prefixes = u32::from(self.wide) << 1 | u32::from(self.short);
        self.kind() << 4 | u32::from(self.modrm >> 6) << 2 | prefixes
    }
}

/// Whether an opcode of one byte has ModRM, and its bytes of immediate.
const fn alone(opcode: u8) -> (bool, u8) {
    match opcode {
        0x00..=0x3F => match opcode & 7 {
            0..=3 => (true, 0),
            4 => (false, 1),
            5 => (false, 4),
            _ => (false, 0),
        },
        0x69 | 0x81 | 0xC7 => (true, 4),
        0x6B | 0x80 | 0x83 | 0xC0 | 0xC1 | 0xC6 => (true, 1),
        0x62 | 0x63 | 0x84..=0x8F | 0xD0..=0xD3 | 0xD8..=0xDF => (true, 0),
        0xF6 | 0xF7 | 0xFE | 0xFF => (true, 0),
        0x68 | 0xA9 | 0xB8..=0xBF | 0xE8 | 0xE9 => (false, 4),
        0xC2 => (false, 2),
        0x6A | 0x70..=0x7F | 0xA8 | 0xB0..=0xB7 | 0xCD | 0xE0..=0xE7 | 0xEB => (false, 1),
        _ => (false, 0),
    }
}

/// The same of an opcode that follows 0F.
const fn after_0f(opcode: u8) -> (bool, u8) {
    match opcode {
        0x80..=0x8F => (false, 4),
        0x05 | 0x0B | 0x31 | 0x77 | 0xA2 | 0xC8..=0xCF => (false, 0),
        0x70..=0x73 | 0xA4 | 0xAC | 0xBA | 0xC2 | 0xC4..=0xC6 => (true, 1),
        _ => (true, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Lengths of the instructions in `bytes`.
    fn lengths(bytes: &[u8]) -> Vec<usize> {
        let mut code = Code::NONE;
        let (mut lengths, mut start) = (Vec::new(), 0);
        for (i, &byte) in bytes.iter().enumerate() {
            code.push(byte.into(), i as u32 + 1);
            if code.part == Part::Opcode && code.instruction == 0 {
                lengths.push(i + 1 - start);
                start = i + 1;
            }
        }
        assert_eq!(start, bytes.len());
        lengths
    }

    #[test]
    fn instructions_are_told_apart() {
        let program: [&[u8]; 17] = [
            &[0x55],                                              // push rbp
            &[0x48, 0x89, 0xE5],                                  // mov rbp, rsp
            &[0x48, 0x83, 0xEC, 0x10],                            // sub rsp, 16
            &[0x8B, 0x45, 0xFC],                                  // mov eax, [rbp-4]
            &[0x48, 0x8D, 0x05, 1, 2, 3, 4],                      // lea rax, [rip+...]
            &[0xC7, 0x44, 0x24, 0x08, 1, 0, 0, 0],                // mov dword [rsp+8], 1
            &[0x66, 0xC7, 0x00, 1, 0],                            // mov word [rax], 1
            &[0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8],                // mov rax, imm64
            &[0x0F, 0xB6, 0xC0],                                  // movzx eax, al
            &[0x0F, 0x84, 1, 2, 3, 4],                            // je
            &[0x74, 0x10],                                        // je
            &[0xE8, 1, 2, 3, 4],                                  // call
            &[0xF7, 0xC0, 1, 0, 0, 0],                            // test eax, 1
            &[0xF7, 0xD8],                                        // neg eax
            &[0x66, 0x0F, 0x3A, 0x0F, 0xC1, 8],                   // palignr
            &[0x66, 0x2E, 0x0F, 0x1F, 0x84, 0x00, 0x00, 0, 0, 0], // nop
            &[0xC3],                                              // ret
        ];
        let expected: Vec<usize> = program.iter().map(|bytes| bytes.len()).collect();
        assert_eq!(lengths(&program.concat()), expected);
    }

    #[test]
    fn code_is_found_by_its_calls() {
        let found = |content: &[u8]| {
            let (mut code, mut bytes) = (Code::NONE, 0u64);
            for (i, &byte) in content.iter().enumerate() {
                bytes = bytes << 8 | u64::from(byte);
                code.push(bytes, i as u32 + 1);
            }
            code.found()
        };
        assert!(found(&b"\x48\x89\xE5\xE8\x10\x20\x00\x00\x31\xC0".repeat(10)));
        assert!(!found(&b"An unremarkable sentence. ".repeat(50)));
        let noise: Vec<u8> =
            (0..100_000u32).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 11) as u8 ^ i as u8).collect();
        assert!(!found(&noise));
        // Code, then a long text.
        let text = b"The quick brown fox. ".repeat(500);
        assert!(!found(&[b"\xE8\x10\x20\x00\x00\xC3".repeat(100), text].concat()));
    }
}
