//! Lossless compression for places where a byte costs more than a CPU cycle.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "ablation")]
#[doc(hidden)]
pub mod ablation;
mod bit_history;
mod bitmap;
mod byte_run;
mod code;
mod coder;
mod context;
mod deflate;
mod dictionary;
#[cfg(feature = "embedded-io")]
pub mod embedded;
mod error;
mod fallback;
mod filter;
mod frame;
mod gate;
#[cfg(feature = "std")]
pub mod io;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod kernels;
#[cfg(not(feature = "std"))]
mod kernels;
mod level;
mod logistic;
mod matching;
mod message;
mod mixer;
mod ngram;
mod packet;
mod place;
mod plan;
mod predictor;
mod pretraining;
mod refinement;
mod repack;
mod residual;
mod slice;
mod ssm;
mod stream;
mod text;
#[cfg(feature = "alloc")]
mod unpack;
mod words;

#[cfg(feature = "alloc")]
pub use dictionary::train;
pub use dictionary::{Dictionary, Primer, Trainer};
pub use error::Error;
pub use filter::Filter;
pub use frame::{FORMAT_VERSION, Header};
pub use level::{
    AnyLevel, Filtered, Fixed, Level, Level0, Level1, Level2, Level3, Level4, Level5, Level6,
    Level7, Level8, Level9, Model,
};
pub use message::{compress_message, decompress_message};
pub use packet::{PacketDecoder, PacketEncoder};
#[cfg(feature = "alloc")]
pub use slice::{Heap, compress, decompress, decompress_limited};
pub use slice::{compress_into, decompress_into, max_frame_len};
pub use stream::{Decoder, Encoder, Evidence, Memory, Options, Progress, Status};
#[cfg(feature = "alloc")]
pub use unpack::unpack;
#[cfg(feature = "alloc")]
pub use words::number_words;

/// The code in the readme and in docs/ compiles and runs.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/firmware.md")]
struct Readme;
