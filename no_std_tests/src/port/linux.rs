//! A Linux process without a C library.

use core::arch::{asm, global_asm};

#[cfg(target_arch = "aarch64")]
global_asm!(".global _start", "_start: bl {start}", start = sym start);
#[cfg(target_arch = "powerpc")]
global_asm!(".global _start", "_start: stwu 1, -16(1)", "bl {start}", start = sym start);
#[cfg(target_arch = "x86")]
global_asm!(".global _start", "_start: and esp, -16", "call {start}", start = sym start);

#[cfg(target_arch = "aarch64")]
const WRITE_EXIT: [usize; 2] = [64, 94];
#[cfg(target_arch = "powerpc")]
const WRITE_EXIT: [usize; 2] = [4, 234];
#[cfg(target_arch = "x86")]
const WRITE_EXIT: [usize; 2] = [4, 252];

fn system_call(call: usize, a: usize, b: usize, c: usize) {
    // SAFETY: as the callers pass what the call wants.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        asm!("svc 0", in("x8") call, inout("x0") a => _, in("x1") b, in("x2") c);
        #[cfg(target_arch = "powerpc")]
        asm!("sc", inout("r0") call => _, inout("r3") a => _, inout("r4") b => _,
            inout("r5") c => _, out("cr0") _);
        #[cfg(target_arch = "x86")]
        asm!("push ebx", "mov ebx, {a}", "int 0x80", "pop ebx", a = in(reg) a,
            inout("eax") call => _, in("ecx") b, in("edx") c);
    }
}

extern "C" fn start() -> ! {
    crate::test();
    exit(0)
}

pub fn fail() -> ! {
    exit(1)
}

fn exit(status: usize) -> ! {
    loop {
        system_call(WRITE_EXIT[1], status, 0, 0);
    }
}

pub fn write(text: &[u8]) {
    system_call(WRITE_EXIT[0], 1, text.as_ptr() as usize, text.len());
}

pub fn ticks(_: impl FnOnce()) -> Option<u32> {
    None
}

pub fn two_instructions(_: u32) {}

pub fn stack_pointer() -> Option<usize> {
    None
}

pub fn stack_bottom() -> usize {
    0
}
