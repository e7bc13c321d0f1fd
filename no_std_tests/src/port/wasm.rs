//! WebAssembly; `wasm.mjs` is the other side.

use core::arch::wasm32::unreachable;

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    #[link_name = "write"]
    fn host_write(text: *const u8, len: usize);
}

/// Returns if all is well and traps if not.
#[unsafe(no_mangle)]
extern "C" fn start() {
    crate::test();
}

pub fn fail() -> ! {
    unreachable()
}

pub fn write(text: &[u8]) {
    unsafe { host_write(text.as_ptr(), text.len()) };
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
