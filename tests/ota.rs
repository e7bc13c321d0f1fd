//! The updater of `examples/ota`, interrupted wherever it can be.

mod common;
#[path = "../examples/ota/flash.rs"]
mod flash;
#[path = "../examples/ota/server.rs"]
mod server;
#[path = "../examples/ota/updater.rs"]
mod updater;

use std::fs;
use std::path::Path;

use flash::{Fault, Flash, PAGE};
use statesmix::Error;
use updater::{Failure, LEVEL, Manifest, SLOT, Updater, boots};

const PIECE: usize = 100;

/// Something like firmware: code-like noise over a small alphabet, text, zeros.
fn image() -> Vec<u8> {
    let mut image = common::records(50, 3 * PAGE);
    image.extend(common::text(51, 2 * PAGE));
    image.extend(vec![0; PAGE / 2]);
    image.extend(common::random(52, PAGE / 2));
    image.extend(common::text(53, 700));
    image
}

fn flash_for(image: &[u8]) -> Flash {
    Flash::new(SLOT + image.len().div_ceil(PAGE))
}

/// One go, until it is done or something fails; the bytes sent.
fn go(flash: &mut Flash, manifest: Manifest, update: &[u8]) -> (usize, Result<(), Failure>) {
    let mut workspace = vec![0; LEVEL.workspace()];
    let mut sent = 0;
    let result = Updater::start(flash, manifest, &mut workspace).and_then(|mut updater| {
        for piece in update[updater.offset() as usize..].chunks(PIECE) {
            sent += piece.len();
            updater.take(piece)?;
        }
        updater.switch_over()
    });
    (sent, result)
}

fn is_in(flash: &Flash, image: &[u8]) -> bool {
    flash.read(SLOT * PAGE, image.len()) == image
}

#[test]
fn without_interruption() {
    let image = image();
    for pages in [1, 2, 5, 100] {
        let (manifest, update) = server::update(&image, pages).unwrap();
        let mut flash = flash_for(&image);
        assert_eq!(boots(&flash), None);
        assert_eq!(go(&mut flash, manifest, &update), (update.len(), Ok(())));
        assert_eq!(boots(&flash), Some(manifest));
        assert!(is_in(&flash, &image));
    }
}

#[test]
fn power_lost_at_every_operation() {
    let image = image();
    let (manifest, update) = server::update(&image, 2).unwrap();
    for power in 1.. {
        let mut flash = flash_for(&image);
        flash.power = power;
        let (_, result) = go(&mut flash, manifest, &update);
        if flash.power > 0 {
            assert_eq!(result, Ok(()));
            assert!(power > 100, "there are more operations than that");
            break;
        }
        assert_eq!(result, Err(Failure::Flash(Fault::PowerLost)));
        assert_eq!(boots(&flash), None, "{power}");
        // Frames that were done are not sent again, pages that are right not
        // erased again.
        let done = (0..image.len() / PAGE)
            .take_while(|page| {
                flash.read((SLOT + page) * PAGE, PAGE) == &image[page * PAGE..][..PAGE]
            })
            .count();
        (flash.power, flash.erased) = (u32::MAX, 0);
        let (sent, result) = go(&mut flash, manifest, &update);
        assert_eq!(result, Ok(()), "{power}");
        assert!(boots(&flash) == Some(manifest) && is_in(&flash, &image), "{power}");
        let pages = image.len().div_ceil(PAGE);
        assert!(flash.erased as usize <= pages - done + 2, "{power}: {} erased", flash.erased);
        assert!(done < 4 || sent < update.len(), "{power}: {sent} sent");
    }
}

#[test]
fn power_lost_again_and_again() {
    let image = image();
    let (manifest, update) = server::update(&image, 2).unwrap();
    let mut flash = flash_for(&image);
    let mut goes = 0;
    while boots(&flash) != Some(manifest) {
        flash.power = 21; // a page and a bit
        let _ = go(&mut flash, manifest, &update);
        goes += 1;
        assert!(goes < 30);
    }
    assert!(goes > 5 && is_in(&flash, &image));
}

#[test]
fn transfer_lost_anywhere() {
    let image = image();
    let (manifest, update) = server::update(&image, 3).unwrap();
    for cut in (0..update.len()).step_by(331) {
        let mut flash = flash_for(&image);
        let mut workspace = vec![0; LEVEL.workspace()];
        let mut updater = Updater::start(&mut flash, manifest, &mut workspace).unwrap();
        updater.take(&update[..cut]).unwrap();
        assert_eq!(updater.offset() as usize, cut);
        if cut % 2 == 0 {
            // The device has not stopped: it goes on at the very byte.
            updater.take(&update[cut..]).unwrap();
            assert_eq!(updater.switch_over(), Ok(()));
        } else {
            assert_eq!(updater.switch_over(), Err(Failure::Incomplete));
            assert_eq!(boots(&flash), None);
            let (sent, result) = go(&mut flash, manifest, &update);
            assert_eq!(result, Ok(()), "{cut}");
            assert!(sent < update.len() || cut < update.len() / 2);
        }
        assert!(boots(&flash) == Some(manifest) && is_in(&flash, &image));
    }
}

#[test]
fn damage_is_noticed_before_the_switch_over() {
    let image = image();
    let (manifest, update) = server::update(&image, 2).unwrap();
    for at in (0..update.len()).step_by(257) {
        let mut damaged = update.clone();
        damaged[at] ^= 0x10;
        let mut flash = flash_for(&image);
        let (_, result) = go(&mut flash, manifest, &damaged);
        assert!(
            matches!(result, Err(Failure::Update(_) | Failure::Incomplete)),
            "{at}: {result:?}"
        );
        assert_eq!(boots(&flash), None);
        // Sent again, from the last frame that was right.
        assert_eq!(go(&mut flash, manifest, &update).1, Ok(()), "{at}");
        assert!(boots(&flash) == Some(manifest) && is_in(&flash, &image));
    }
}

#[test]
fn another_update_begins_anew() {
    let (old, new) = (image(), common::text(60, 5 * PAGE));
    let mut flash = flash_for(&old);
    let (manifest, update) = server::update(&old, 1).unwrap();
    let _ = go(&mut flash, manifest, &update[..update.len() / 2]);
    let (manifest, update) = server::update(&new, 1).unwrap();
    assert_eq!(go(&mut flash, manifest, &update), (update.len(), Ok(())));
    assert!(boots(&flash) == Some(manifest) && is_in(&flash, &new));
    // The wrong update for a manifest.
    let wrong = Manifest { crc: !manifest.crc, ..manifest };
    assert_eq!(go(&mut flash, wrong, &update).1, Err(Failure::Image));
    let (_, result) = go(&mut flash, wrong, b"not an update");
    assert_eq!(result, Err(Failure::Update(Error::NotStatesmix)));
    assert_eq!(boots(&flash), Some(manifest));
}

#[test]
fn real_firmware() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/firmware");
    for name in ["fx2lafw.fw", "htc_9271.fw"] {
        let Ok(image) = fs::read(folder.join(name)) else {
            eprintln!("no {name}: not tested on real firmware");
            return;
        };
        let (manifest, update) = server::update(&image, 4).unwrap();
        assert!(update.len() < image.len());
        let mut flash = flash_for(&image);
        for power in (20..).step_by(13) {
            if boots(&flash) == Some(manifest) {
                break;
            }
            flash.power = power;
            let _ = go(&mut flash, manifest, &update);
        }
        assert!(is_in(&flash, &image));
    }
}
