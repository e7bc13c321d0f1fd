//! What can go wrong.

use crate::level::Level;

/// Errors of encoding and decoding. None of them panics, and after one of them
/// the encoder or decoder gives the same error again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no such level: they go from 0 to 9.
    NoSuchLevel,
    /// The workspace is too small for the level.
    Memory {
        /// Bytes of workspace the level needs.
        needed: usize,
    },
    /// The output is full and the data does not fit (one-shot functions).
    OutputFull,
    /// The content is not as long as was declared to the encoder.
    ContentSize,
    /// The options of the encoder do not provide for sync points.
    NoSyncPoints,
    /// The encoder or decoder was used after it had finished or failed.
    Finished,
    /// The input does not begin with a statesmix frame.
    NotStatesmix,
    /// The frame or the dictionary was made by a version that this one cannot
    /// read.
    Version(u8),
    /// The frame needs a higher level than the caller allows.
    LevelLimit(Level),
    /// There is more content than the caller allows.
    OutputLimit,
    /// The frame needs this dictionary.
    Dictionary(u32),
    /// The dictionary is for this level, not for the one asked for.
    DictionaryLevel(Level),
    /// The message was made with another dictionary.
    OtherDictionary,
    /// What should be a dictionary is none.
    NotDictionary,
    /// The dictionary is not as it was made.
    DamagedDictionary,
    /// The frame needs this filter, which is not known.
    Filter(u8),
    /// The input ends within a frame.
    Truncated,
    /// The input is damaged.
    Corrupt,
    /// The content does not have the checksum that the frame states.
    Checksum,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchLevel => f.write_str("no such level (they go from 0 to 9)"),
            Self::Memory { needed } => {
                write!(f, "workspace too small: this level needs {needed} bytes")
            }
            Self::OutputFull => f.write_str("the output is full"),
            Self::ContentSize => f.write_str("the content is not as long as declared"),
            Self::NoSyncPoints => f.write_str("the options do not provide for sync points"),
            Self::Finished => f.write_str("used after the end or after an error"),
            Self::NotStatesmix => f.write_str("not in statesmix format"),
            Self::Version(version) => {
                write!(f, "made by format version {version}, which this version cannot read")
            }
            Self::LevelLimit(level) => {
                write!(f, "level {level} needs {} bytes, more than allowed", level.memory())
            }
            Self::OutputLimit => f.write_str("the content is longer than allowed"),
            Self::Dictionary(id) => write!(f, "needs the dictionary with id {id:08x}"),
            Self::DictionaryLevel(level) => write!(f, "the dictionary is for level {level}"),
            Self::OtherDictionary => f.write_str("made with another dictionary"),
            Self::NotDictionary => f.write_str("not a statesmix dictionary"),
            Self::DamagedDictionary => f.write_str("the dictionary is damaged"),
            Self::Filter(id) => write!(f, "needs the unknown filter {id}"),
            Self::Truncated => f.write_str("the input ends in the middle of a frame"),
            Self::Corrupt => f.write_str("the input is damaged"),
            Self::Checksum => f.write_str("checksum mismatch: the input is damaged"),
        }
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Truncated => std::io::ErrorKind::UnexpectedEof,
            Error::Memory { .. } | Error::LevelLimit(_) => std::io::ErrorKind::OutOfMemory,
            Error::NoSuchLevel
            | Error::DictionaryLevel(_)
            | Error::ContentSize
            | Error::NoSyncPoints
            | Error::Finished => std::io::ErrorKind::InvalidInput,
            Error::OutputLimit => std::io::ErrorKind::FileTooLarge,
            _ => std::io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
