//! For its size only: the decoder of one level, without an encoder.
#![no_std]
#![no_main]

#[unsafe(no_mangle)]
fn test() {
    no_std_tests::firmware::decode();
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
