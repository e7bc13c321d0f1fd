//! RISC-V on QEMU's virt, which starts at the beginning of the image.

use core::arch::{asm, global_asm};
use core::ptr::addr_of;

pub use crate::semihosting::write;

global_asm!(
    ".section .vectors, \"ax\"",
    ".global reset",
    "reset:",
    "la sp, __stack_top",
    "la t0, {fault}",
    "csrw mtvec, t0",
    "la t0, __bss_start",
    "la t1, __bss_end",
    "1: bgeu t0, t1, 2f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 1b",
    "2: call {start}",
    start = sym start,
    fault = sym fault,
);

extern "C" fn start() -> ! {
    crate::test();
    crate::semihosting::exit(true)
}

#[repr(align(4))]
struct _Aligned;

extern "C" fn fault() -> ! {
    write(b"fault\n");
    fail()
}

pub fn fail() -> ! {
    crate::semihosting::exit(false)
}

#[inline(never)]
pub fn semihost(call: usize, argument: usize) {
    // SAFETY: as the callers pass what the call wants. The three instructions
    // are the signature, and must stand uncompressed on one page.
    unsafe {
        asm!(
            ".option push",
            ".option norvc",
            ".balign 16",
            "slli zero, zero, 0x1f",
            "ebreak",
            "srai zero, zero, 7",
            ".option pop",
            inout("a0") call => _,
            in("a1") argument,
        );
    }
}

pub fn ticks(f: impl FnOnce()) -> Option<u32> {
    let count = || {
        let count: u32;
        unsafe { asm!("csrr {}, minstret", out(reg) count) };
        count
    };
    let start = count();
    f();
    Some(count().wrapping_sub(start))
}

pub fn two_instructions(times: u32) {
    unsafe { asm!("2: addi {n}, {n}, -1", "bnez {n}, 2b", n = inout(reg) times => _) };
}

#[inline(always)]
pub fn stack_pointer() -> Option<usize> {
    let pointer;
    unsafe { asm!("mv {}, sp", out(reg) pointer) };
    Some(pointer)
}

pub fn stack_bottom() -> usize {
    unsafe extern "C" {
        static __bss_end: u8;
    }
    addr_of!(__bss_end) as usize
}
