//! Which filter suits a content, told by its start.

use super::{Filter, jal_distance, signed, thumb_distance, word};

/// Calls that have to be found, and bytes between them at most, on the average.
const FEWEST: u32 = 16;
const SPARSEST: usize = 512;

/// Distance of a call in bytes: programs are seldom larger, and data that looks
/// like a call has any distance.
const FARTHEST: u32 = 1 << 20;

impl Filter {
    /// Bytes from the start of the content that [`Self::detect`] looks at.
    pub const DETECT: usize = 256 << 10;

    /// The filter for a content that starts like this, if there seems to be
    /// machine code in it: by the headers of ELF, PE and Mach-O files, else by
    /// the calls. Takes 4 KiB of stack, and some milliseconds on a desktop.
    pub fn detect(start: &[u8]) -> Option<Self> {
        let start = &start[..start.len().min(Self::DETECT)];
        match container(start) {
            Container::Code(filter) => Some(filter),
            // Either is in these files, and nothing in the header tells for sure.
            Container::AnyArm => {
                let arm = Calls::count(Self::Arm, start).saving();
                let thumb = Calls::count(Self::Thumb, start).saving();
                Some(if arm > thumb { Self::Arm } else { Self::Thumb })
            }
            Container::NoCode => None,
            Container::Unknown => {
                let found = [Self::X86, Self::Arm, Self::Thumb, Self::Arm64, Self::RiscV]
                    .into_iter()
                    .filter_map(|filter| {
                        let calls = Calls::count(filter, start);
                        calls.are_code(start.len()).then(|| (filter, calls.saving()))
                    })
                    .max_by_key(|&(_, saving)| saving);
                match found {
                    Some((Self::X86, _)) if is_long(start) => Some(Self::X86_64),
                    found => found.map(|(filter, _)| filter),
                }
            }
        }
    }
}

/// What a header says.
enum Container {
    Code(Filter),
    AnyArm,
    /// Code of other machines, or such that is still to be linked: the
    /// distances are not in it yet.
    NoCode,
    Unknown,
}

fn container(start: &[u8]) -> Container {
    let half = |at: usize| start.get(at..at + 2).map_or(0, word);
    let code = |machine: u32, names: &[(u32, Filter)]| {
        let name = names.iter().find(|(name, _)| *name == machine);
        name.map_or(Container::NoCode, |&(_, filter)| Container::Code(filter))
    };
    if start.starts_with(b"\x7FELF") {
        let (little_endian, linked, machine) = (start.get(5) == Some(&1), half(16) != 1, half(18));
        return match machine {
            _ if !little_endian || !linked => Container::NoCode,
            40 => Container::AnyArm,
            _ => {
                let x86 = [(3, Filter::X86), (62, Filter::X86_64)];
                code(machine, &[x86[0], x86[1], (183, Filter::Arm64), (243, Filter::RiscV)])
            }
        };
    }
    if start.starts_with(b"MZ") {
        let header = start.get(0x3C..0x40).map_or(0, word) as usize;
        if start.get(header..).is_some_and(|rest| rest.starts_with(b"PE\0\0")) {
            let x86 = [(0x14C, Filter::X86), (0x8664, Filter::X86_64)];
            let arm = [(0x1C4, Filter::Thumb), (0xAA64, Filter::Arm64)];
            return code(half(header + 4), &[x86[0], x86[1], arm[0], arm[1]]);
        }
    }
    if start.starts_with(b"\xCF\xFA\xED\xFE") {
        return match start.get(4..8).map_or(0, word) {
            0x0100_0007 => Container::Code(Filter::X86_64),
            0x0100_000C => Container::Code(Filter::Arm64),
            _ => Container::NoCode,
        };
    }
    Container::Unknown
}

/// What looks like calls.
struct Calls {
    found: u32,
    distances: Distinct,
    addresses: Distinct,
}

impl Calls {
    fn count(filter: Filter, code: &[u8]) -> Self {
        let mut calls = Self { found: 0, distances: Distinct::new(), addresses: Distinct::new() };
        let align = match filter {
            Filter::X86 | Filter::X86_64 => 1,
            Filter::Thumb | Filter::RiscV => 2,
            Filter::Arm | Filter::Arm64 => 4,
        };
        for (i, next) in code.windows(5).enumerate().step_by(align) {
            let Some(distance) = call(filter, next) else {
                continue;
            };
            let address = distance.wrapping_add(i as u32);
            let near = distance.wrapping_add(FARTHEST) < 2 * FARTHEST;
            if near && (address as i32) >= 0 {
                calls.found += 1;
                calls.distances.add(distance);
                calls.addresses.add(address);
            }
        }
        calls
    }

    /// How many more distances there are than addresses: what a filter saves.
    fn saving(&self) -> u32 {
        self.distances.count.saturating_sub(self.addresses.count)
    }

    /// In data the addresses do not repeat more than the distances.
    fn are_code(&self, len: usize) -> bool {
        self.found >= FEWEST
            && len / SPARSEST <= self.found as usize
            && 5 * self.saving() >= self.distances.count
    }
}

/// The distance of a call in bytes, if there is one.
fn call(filter: Filter, next: &[u8]) -> Option<u32> {
    let first = word(&next[..4]);
    match filter {
        Filter::X86 | Filter::X86_64 => (next[0] == 0xE8).then(|| word(&next[1..])),
        Filter::Arm => (next[3] == 0xEB).then(|| signed(first, 24) << 2),
        Filter::Thumb => (first & 0xD000_F800 == 0xD000_F000).then(|| thumb_distance(first)),
        Filter::Arm64 => (next[3] & 0xFC == 0x94).then(|| signed(first, 26) << 2),
        Filter::RiscV => (first & 0xFFF == 0x0EF).then(|| jal_distance(first)),
    }
}

/// Whether x86 code is of 64 bit: it loads what is relative to the instruction.
fn is_long(code: &[u8]) -> bool {
    let loads = |code: &&[u8]| matches!(code, [0x48, 0x8B | 0x8D, modrm] if modrm & 0xC7 == 5);
    code.windows(3).filter(loads).count() * 4 * SPARSEST > code.len()
}

/// Counts different numbers, up to some thousands and nearly.
struct Distinct {
    seen: [u8; Self::BITS / 8],
    count: u32,
}

impl Distinct {
    const BITS: usize = 1 << 14;

    const fn new() -> Self {
        Self { seen: [0; Self::BITS / 8], count: 0 }
    }

    fn add(&mut self, number: u32) {
        let hash = (number.wrapping_mul(0x9E37_79B1) >> 18) as usize;
        let (place, bit) = (&mut self.seen[hash / 8], 1 << (hash % 8));
        self.count += u32::from(*place & bit == 0);
        *place |= bit;
    }
}
