//! Bare messages: no header, no checksum, for packets whose length the radio
//! keeps.
//!
//! ```text
//! cargo run --release --example message
//! ```

use statesmix::{Error, Level, Level0, compress_message, decompress_message};

fn main() -> Result<(), Error> {
    let level = Level::MIN;
    let mut workspace = [0; Level::MIN.workspace()];
    let messages: [&[u8]; 4] = [
        br#"{"id":17,"t":21.5,"h":48,"bat":3.71,"log":["boot","boot","boot"]}"#,
        b"$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76",
        b"ok",
        b"\x9F\x03\xE1\x77\x5C\xA0\x18", // cannot be compressed: grows by one byte
    ];
    for message in messages {
        let mut packet = [0; 128];
        let len = compress_message::<Level0>(level, &mut workspace, message, &mut packet)?;
        let mut back = [0; 128];
        let n = decompress_message::<Level0>(level, &mut workspace, &packet[..len], &mut back)?;
        assert_eq!(&back[..n], message);
        println!("{} -> {len} bytes", message.len());
    }
    Ok(())
}
