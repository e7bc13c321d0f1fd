//! Where the tests run, and what they measure there.
#![no_std]

#[cfg(target_os = "none")]
pub mod firmware;
#[cfg(target_arch = "arm")]
#[path = "port/cortex_m.rs"]
mod port;
#[cfg(target_os = "linux")]
#[path = "port/linux.rs"]
mod port;
#[cfg(target_arch = "riscv32")]
#[path = "port/riscv.rs"]
mod port;
#[cfg(target_arch = "wasm32")]
#[path = "port/wasm.rs"]
mod port;
#[cfg(target_os = "none")]
mod semihosting;

use core::fmt::{self, Write};

pub use port::fail;

unsafe extern "Rust" {
    /// What a binary defines; a panic is its only way to fail.
    safe fn test();
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        port::write(text.as_bytes());
        Ok(())
    }
}

pub fn print(text: fmt::Arguments) {
    let _ = Console.write_fmt(text);
}

#[macro_export]
macro_rules! println {
    ($($what:tt)*) => { $crate::print(format_args!("{}\n", format_args!($($what)*))) };
}

/// Counts instructions, where the emulator does.
pub struct Counter {
    /// Ticks that [`Self::LOOP`] instructions take.
    ticks: u64,
}

impl Counter {
    const LOOP: u32 = 2_000_000;

    /// Calibrates on a loop of known length.
    pub fn new() -> Option<Self> {
        let ticks = port::ticks(|| port::two_instructions(Self::LOOP / 2))?;
        assert!(ticks > 1000);
        Some(Self { ticks: ticks.into() })
    }

    /// Instructions that `f` takes.
    pub fn count(&self, f: impl FnOnce()) -> u32 {
        let ticks = port::ticks(f).unwrap();
        (u64::from(ticks) * u64::from(Self::LOOP) / self.ticks) as u32
    }
}

/// The most stack that `f` uses, by painting what is free of it; `None` where
/// the stack cannot be seen.
#[inline(never)]
pub fn stack_of(f: impl FnOnce()) -> Option<usize> {
    const PAINT: u32 = 0xA5C3_5A3C;
    const MOST: usize = 32 << 10;
    // A few words below the pointer may be in use by this function itself.
    const SPARE: usize = 64;

    #[inline(never)]
    fn call(f: impl FnOnce()) {
        f();
    }

    let Some(pointer) = port::stack_pointer() else {
        f();
        return None;
    };
    let top = (pointer - SPARE) & !7;
    let bottom = port::stack_bottom().max(top.saturating_sub(MOST)).next_multiple_of(8);
    let words = (bottom..top).step_by(4).map(|address| address as *mut u32);
    // SAFETY: between the end of everything else and the stack's top, which
    // only a call can lower.
    words.clone().for_each(|word| unsafe { word.write_volatile(PAINT) });
    call(f);
    let free = words.take_while(|word| unsafe { word.read_volatile() } == PAINT).count() * 4;
    assert!(free > 0, "stack overflow");
    Some(top + SPARE - bottom - free)
}
