//! The gateway: gets the records back, and notices when a payload is missing.

use statesmix::{Dictionary, Error, Heap, PacketDecoder, Status};

use super::node::{FRESH, LEVEL, Model};

pub struct Gateway<'a> {
    decoder: PacketDecoder<Heap, Model, Option<Dictionary<'a>>>,
    /// The count of the next payload; none before the first.
    next: Option<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// One before it is missing: the node has to begin anew.
    Missing,
    /// It cannot be decoded.
    Damaged(Error),
}

impl<'a> Gateway<'a> {
    /// A gateway for a node with this dictionary.
    pub fn new(dictionary: Option<Dictionary<'a>>) -> Result<Self, Error> {
        let decoder = PacketDecoder::with_dictionary(LEVEL, dictionary, Heap::new())?;
        Ok(Self { decoder, next: None })
    }

    /// Appends what a payload holds to `content`.
    pub fn receive(&mut self, payload: &[u8], content: &mut Vec<u8>) -> Result<(), Refused> {
        let (&header, packet) = payload.split_first().ok_or(Refused::Missing)?;
        let count = header & !FRESH;
        if header & FRESH != 0 {
            self.decoder.restart().map_err(Refused::Damaged)?;
        } else if self.next != Some(count) {
            self.next = None; // nothing is of use until a fresh one
            return Err(Refused::Missing);
        }
        self.next = Some((count + 1) & !FRESH);
        let mut piece = [0; 1024];
        loop {
            let progress = self.decoder.decode(packet, &mut piece).map_err(Refused::Damaged)?;
            content.extend_from_slice(&piece[..progress.produced]);
            if progress.status == Status::Done {
                return Ok(());
            }
        }
    }
}
