//! The node: packs records into radio payloads. Nothing here needs an operating
//! system or an allocator; the whole of it is the workspace and this struct.

use statesmix::{Dictionary, Error, Level, Level1, PacketEncoder};

/// What a LoRaWAN frame carries at data rate 5 and up.
pub const PAYLOAD: usize = 222;

pub const LEVEL: Level = Level::new(1).unwrap();
pub type Model = Level1;

/// First byte of a payload: the top bit tells that the model is a fresh one,
/// the others count.
pub const FRESH: u8 = 0x80;

pub struct Node<'a> {
    encoder: PacketEncoder<&'a mut [u8], Model, Option<Dictionary<'a>>>,
    payload: [u8; PAYLOAD],
    header: u8,
}

impl<'a> Node<'a> {
    /// A node that compresses in `workspace`, of [`Level::workspace`] bytes. Its
    /// dictionary, if it has one, lies in flash: `include_bytes!`.
    pub fn new(dictionary: Option<Dictionary<'a>>, workspace: &'a mut [u8]) -> Result<Self, Error> {
        let encoder = PacketEncoder::with_dictionary(LEVEL, dictionary, workspace)?;
        Ok(Self { encoder, payload: [0; PAYLOAD], header: FRESH })
    }

    /// Takes a record; sends the payload when it is full.
    pub fn record(
        &mut self,
        mut record: &[u8],
        radio: &mut impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        loop {
            let taken = self.encoder.encode(record, &mut self.payload[1..])?;
            record = &record[taken..];
            if record.is_empty() {
                return Ok(());
            }
            self.send(radio)?;
        }
    }

    /// Sends what is there, as when it must not wait any longer.
    pub fn flush(&mut self, radio: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        while self.send(radio)? {}
        Ok(())
    }

    /// Begins anew, after the gateway has said that it missed a payload.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.header |= FRESH;
        self.encoder.restart()
    }

    fn send(&mut self, radio: &mut impl FnMut(&[u8])) -> Result<bool, Error> {
        let len = self.encoder.finish(&mut self.payload[1..])?;
        if len > 0 {
            self.payload[0] = self.header;
            radio(&self.payload[..1 + len]);
            self.header = (self.header & !FRESH).wrapping_add(1) & !FRESH;
        }
        Ok(len > 0)
    }
}
