//! Semihosting: console and exit status through the debugger, here QEMU. The
//! same calls on Arm and RISC-V.

use crate::port::semihost;

const WRITE_0: usize = 4;
const EXIT: usize = 0x18;

pub fn write(mut text: &[u8]) {
    let mut piece = [0; 64];
    while !text.is_empty() {
        let n = text.len().min(piece.len() - 1);
        piece[..n].copy_from_slice(&text[..n]);
        piece[n] = 0;
        text = &text[n..];
        semihost(WRITE_0, piece.as_ptr() as usize);
    }
}

pub fn exit(success: bool) -> ! {
    // "Application exit", or any other reason.
    let reason = if success { 0x20026 } else { 0x20023 };
    loop {
        semihost(EXIT, reason);
    }
}
