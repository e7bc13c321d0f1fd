//! Cortex-M on QEMU. With `-icount` its clock advances with the instructions,
//! and SysTick with the clock.

use core::arch::{asm, global_asm};
use core::ptr::addr_of;

pub use crate::semihosting::write;

global_asm!(
    ".section .vectors, \"a\"",
    ".word __stack_top",
    ".word reset",
    ".rept 14",
    ".word fault",
    ".endr",
    ".text",
    ".global reset",
    ".thumb_func",
    "reset:",
    "ldr r0, =__bss_start",
    "ldr r1, =__bss_end",
    "movs r2, #0",
    "1: cmp r0, r1",
    "bhs 2f",
    "stmia r0!, {{r2}}",
    "b 1b",
    "2: bl start",
    ".thumb_func",
    "fault:",
    "bl {fault}",
    fault = sym fault,
);

#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    // The compiler may use the FPU's registers for copies.
    #[cfg(target_abi = "eabihf")]
    unsafe {
        asm!("str {1}, [{0}]", "dsb", "isb", in(reg) 0xE000_ED88_u32, in(reg) 0xF << 20);
    }
    crate::test();
    crate::semihosting::exit(true)
}

extern "C" fn fault() -> ! {
    write(b"fault\n");
    fail()
}

pub fn fail() -> ! {
    crate::semihosting::exit(false)
}

pub fn semihost(call: usize, argument: usize) {
    // SAFETY: as the callers pass what the call wants.
    unsafe { asm!("bkpt 0xAB", inout("r0") call => _, in("r1") argument) };
}

const SYSTICK: *mut u32 = 0xE000_E010_u32 as _;
const TOP: u32 = 0x00FF_FFFF;

pub fn ticks(f: impl FnOnce()) -> Option<u32> {
    let [control, reload, value] = [0, 1, 2].map(|i| SYSTICK.wrapping_add(i));
    // SAFETY: registers of the core, which nothing else uses.
    unsafe {
        reload.write_volatile(TOP);
        value.write_volatile(0);
        control.write_volatile(0b101); // the core's clock, no interrupt
        let start = value.read_volatile();
        f();
        let end = value.read_volatile();
        assert!(control.read_volatile() & 1 << 16 == 0, "too long for the counter");
        Some(start.wrapping_sub(end) & TOP)
    }
}

pub fn two_instructions(times: u32) {
    unsafe { asm!("2: subs {n}, #1", "bne 2b", n = inout(reg) times => _) };
}

#[inline(always)]
pub fn stack_pointer() -> Option<usize> {
    let pointer;
    unsafe { asm!("mov {}, sp", out(reg) pointer) };
    Some(pointer)
}

pub fn stack_bottom() -> usize {
    unsafe extern "C" {
        static __bss_end: u8;
    }
    addr_of!(__bss_end) as usize
}
