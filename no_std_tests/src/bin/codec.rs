//! For its size only: encoder and decoder of one level.
#![no_std]
#![no_main]

#[unsafe(no_mangle)]
fn test() {
    no_std_tests::firmware::encode(100);
    no_std_tests::firmware::decode();
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
