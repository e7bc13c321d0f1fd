//! The other end: makes an update of an image.

use statesmix::{Encoder, Error, Filter, Filtered, Heap, Level1, Options, Status};

use super::flash::PAGE;
use super::updater::{LEVEL, Manifest, crc32};

/// A frame for every `pages` pages. Fewer pages make it shorter to resume, but
/// each frame begins with a model that knows nothing.
pub fn update(image: &[u8], pages: usize) -> Result<(Manifest, Vec<u8>), Error> {
    let manifest = Manifest { size: image.len() as u32, crc: crc32(image) };
    let mut update = Vec::new();
    let filter = Filter::detect(image);
    for part in image.chunks(pages * PAGE) {
        let mut options = Options::new(LEVEL).content_size(part.len() as u64);
        if let Some(filter) = filter {
            options = options.filter(filter);
        }
        let mut encoder = Encoder::<_, Filtered<Level1>>::new(options, Heap::new())?;
        let mut piece = [0; 1024];
        let mut rest = part;
        loop {
            let progress = if rest.is_empty() {
                encoder.finish(&mut piece)?
            } else {
                encoder.encode(rest, &mut piece)?
            };
            rest = &rest[progress.consumed..];
            update.extend_from_slice(&piece[..progress.produced]);
            if progress.status == Status::Done {
                break;
            }
        }
    }
    Ok((manifest, update))
}
