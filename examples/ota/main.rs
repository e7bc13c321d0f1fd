//! A firmware update over the air: decoded in a window of 4 KiB straight into
//! (simulated) flash, with the power failing now and then.
//!
//! ```text
//! cargo run --release --example ota -- [IMAGE [PAGES]]
//! ```
//!
//! PAGES of the image go into each frame, 16 unless told otherwise.

mod flash;
mod server;
mod updater;

use flash::{Flash, PAGE};
use updater::{LEVEL, SLOT, Updater, boots};

/// Bytes that come at a time.
const PIECE: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let image = std::fs::read(arguments.next().unwrap_or(file!().into()))?;
    let pages = arguments.next().map_or(Ok(16), |pages| pages.parse())?;
    let (manifest, update) = server::update(&image, pages)?;

    let mut flash = Flash::new(SLOT + image.len().div_ceil(PAGE));
    let (mut sent, mut losses) = (0, 0);
    while boots(&flash) != Some(manifest) {
        // Some seven pages of seventeen operations.
        flash.power = 120;
        let mut workspace = vec![0; LEVEL.workspace()];
        let result =
            Updater::start(&mut flash, manifest, &mut workspace).and_then(|mut updater| {
                for piece in update[updater.offset() as usize..].chunks(PIECE) {
                    sent += piece.len();
                    updater.take(piece)?;
                }
                updater.switch_over()
            });
        losses += u32::from(result.is_err());
    }
    assert!(flash.read(SLOT * PAGE, image.len()) == image);
    println!(
        "{} bytes as update of {} ({:.1} %); {sent} sent and {} pages erased in spite of {losses} \
         power losses",
        image.len(),
        update.len(),
        update.len() as f64 * 100.0 / image.len().max(1) as f64,
        flash.erased,
    );
    Ok(())
}
