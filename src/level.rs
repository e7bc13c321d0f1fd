//! Levels and what they need.

use crate::dictionary;
use crate::filter::Stage;
use crate::plan::PLANS;
use crate::predictor::Predictor;
use crate::repack::Repacker;
use crate::words::Speller;

/// A compression level, 0 to 9. Level `L` works in `8 KiB * 4^L` in all, for
/// compression as for decompression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// The lowest level, 8 KiB.
    pub const MIN: Self = Self(0);
    /// The highest level, 2 GiB.
    pub const MAX: Self = Self(9);
    /// The level of choice on a desktop: 6, 32 MiB.
    pub const DEFAULT: Self = Self(6);

    /// The level of this number, if it is one of 0 to 9.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number of the level, 0 to 9.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// All memory that an [`Encoder`](crate::Encoder) or
    /// [`Decoder`](crate::Decoder) of this level uses, in bytes: the
    /// workspace, and the state beside it.
    pub const fn memory(self) -> usize {
        (8 << 10) << (2 * self.0)
    }

    /// Bytes of the workspace that the caller hands over: [`Self::memory`]
    /// less what the state beside it takes.
    pub const fn workspace(self) -> usize {
        self.memory()
            - match self.0 {
                0 | 1 => 512,
                _ => 2048,
            }
    }

    /// Whether its frames can have unpacked content
    /// ([`Options::unpacked`](crate::Options::unpacked)): from level 6. Below, the
    /// memory for packing it again would be missed elsewhere.
    pub const fn unpacks(self) -> bool {
        self.0 >= 6
    }

    /// Whether its frames can begin with a [pretrained](crate::Options::pretrained)
    /// model: from level 6. The text has no place on small machines.
    pub const fn pretrains(self) -> bool {
        self.0 >= 6
    }

    /// Whether its frames can have text with numbered words
    /// ([`Options::numbered`](crate::Options::numbered)): from level 3. Below, the 14 KB of
    /// the words and their contexts are a burden.
    pub const fn numbers_words(self) -> bool {
        self.0 >= 3
    }

    /// Bytes of a [`Dictionary`](crate::Dictionary): [`Self::workspace`] and
    /// 256 more.
    pub const fn dictionary(self) -> usize {
        self.workspace() + dictionary::HEADER
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<u8> for Level {
    type Error = crate::Error;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::new(number).ok_or(crate::Error::NoSuchLevel)
    }
}

impl core::fmt::Display for Level {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// A model an [`Encoder`](crate::Encoder) or [`Decoder`](crate::Decoder) can
/// be built on: [`AnyLevel`], or one fixed level, so that firmware carries no
/// code and no tables of the others, or such a one [`Filtered`]. Cannot be
/// implemented outside this crate.
#[allow(private_bounds)]
pub trait Model: ModelCore {}

/// The predictor behind a [`Model`], on memory of [`Level::workspace`] bytes.
pub(crate) trait ModelCore: Sized {
    /// Whether this model can do `level`.
    fn supports(level: Level) -> bool;
    /// A model that is nothing yet.
    const BLANK: Self;
    /// Whether it is there for levels that can be pretrained: what no level of it can
    /// is no burden on firmware.
    const PRETRAINS: bool;
    /// Makes it a fresh one of `level` in zeroed `memory`, for text with numbered
    /// words or for any content. Apart from [`Self::BLANK`], so that the model is made
    /// where it stays: it is large, and each move of it would take as much stack again.
    fn start(&mut self, level: Level, numbered: bool, memory: &mut [u8]);
    /// Shows `carry`, between two bytes, the numbers that a model is beside its
    /// memory, and takes what it returns for them.
    fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32);
    /// Makes it the model of `level` that left `memory`; `carry` returns the
    /// numbers that it was shown then.
    fn resume(&mut self, level: Level, memory: &mut [u8], carry: &mut impl FnMut(u32) -> u32) {
        self.clear(level);
        self.carry(carry);
        self.go_on(memory);
    }
    /// Makes it one of `level` that is nothing yet.
    fn clear(&mut self, level: Level);
    /// Goes on from `memory`, once [`Self::carry`] has given the numbers back. With
    /// [`Self::clear`], what of [`Self::resume`] is not generic, and so not in every
    /// crate once more.
    fn go_on(&mut self, memory: &mut [u8]);
    /// Probability that the next bit is 1, Q16 within `1..=65535`.
    fn p(&self) -> u32;
    /// Learns a bit.
    fn update(&mut self, bit: bool, memory: &mut [u8]);
    /// Makes it quick to learn again.
    fn settle(&mut self, memory: &mut [u8]);
    /// Takes note of a byte coded without the model.
    fn skip(&mut self, byte: u8, memory: &mut [u8]);
    /// How much each part says; see [`Evidence`](crate::stream::Evidence).
    fn evidence(&self, memory: &mut [u8]) -> [u32; 4];
    /// What content passes on its way to the model, or from it, if there are
    /// filters with this one.
    #[inline]
    fn stage(&mut self) -> Option<&mut Stage> {
        None
    }
    /// What spells numbered words out, if there may be any at the level.
    fn speller(&mut self) -> Option<&mut Speller>;
    /// What packs unpacked content again, if there is such a thing with this one.
    #[inline]
    fn repacker(&mut self) -> Option<&mut Repacker> {
        None
    }
}

/// Types for rows of [`PLANS`], and one for all of them: row `L` has the level
/// of its last digit.
macro_rules! levels {
    ($(#[$doc:meta])* $any:ident($each:ident::$first:ident): $($name:ident = $level:literal),*) => {
        $(
            #[doc = concat!("The model of level ", $level, " alone.")]
            pub type $name = Fixed<
                $level,
                { PLANS[$level].contexts.len() },
                { PLANS[$level].inputs() },
                { PLANS[$level].matches.len() },
                { PLANS[$level].recurrent() },
                { PLANS[$level].width() },
                { PLANS[$level].selectors.len() },
                { PLANS[$level].byte_runs },
                { PLANS[$level].guesses.len() },
                { PLANS[$level].bitmaps.len() },
            >;
            impl Model for $name {}
        )*

        $(#[$doc])*
        #[derive(Debug)]
        pub struct $any($each, Stage, Repacker);

        #[derive(Debug)]
        #[allow(clippy::large_enum_variant)] // no allocator to box with
        enum $each {
            $($name($name)),*
        }

        impl Model for $any {}

        impl ModelCore for $any {
            const BLANK: Self = Self($each::$first(ModelCore::BLANK), Stage::NONE, Repacker::NEW);
            const PRETRAINS: bool = true;

            fn supports(level: Level) -> bool {
                $(level.number() == $level % 10)||*
            }

            #[inline(never)] // or it would be in the program several times
            fn start(&mut self, level: Level, numbered: bool, memory: &mut [u8]) {
                match level.number() {
                    $(n if n == $level % 10 => {
                        self.0 = $each::$name(ModelCore::BLANK);
                        if let $each::$name(model) = &mut self.0 {
                            model.start(level, numbered, memory);
                        }
                    })*
                    _ => unreachable!("no such level"),
                }
            }

            fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
                match &mut self.0 {
                    $($each::$name(model) => model.carry(carry),)*
                }
            }

            fn clear(&mut self, level: Level) {
                match level.number() {
                    $(n if n == $level % 10 => self.0 = $each::$name(ModelCore::BLANK),)*
                    _ => unreachable!("no such level"),
                }
            }

            fn go_on(&mut self, memory: &mut [u8]) {
                match &mut self.0 {
                    $($each::$name(model) => model.go_on(memory),)*
                }
            }

            #[inline]
            fn p(&self) -> u32 {
                match &self.0 {
                    $($each::$name(model) => model.p(),)*
                }
            }

            // Not for inlining: then each crate would have all levels once more.
            fn update(&mut self, bit: bool, memory: &mut [u8]) {
                match &mut self.0 {
                    $($each::$name(model) => model.update(bit, memory),)*
                }
            }

            fn settle(&mut self, memory: &mut [u8]) {
                match &mut self.0 {
                    $($each::$name(model) => model.settle(memory),)*
                }
            }

            fn skip(&mut self, byte: u8, memory: &mut [u8]) {
                match &mut self.0 {
                    $($each::$name(model) => model.skip(byte, memory),)*
                }
            }

            fn evidence(&self, memory: &mut [u8]) -> [u32; 4] {
                match &self.0 {
                    $($each::$name(model) => model.evidence(memory),)*
                }
            }

            fn speller(&mut self) -> Option<&mut Speller> {
                match &mut self.0 {
                    $($each::$name(model) => model.speller(),)*
                }
            }

            #[inline]
            fn stage(&mut self) -> Option<&mut Stage> {
                Some(&mut self.1)
            }

            #[inline]
            fn repacker(&mut self) -> Option<&mut Repacker> {
                Some(&mut self.2)
            }
        }
    };
}

levels!(
    /// Every level, picked at run time, with filters and unpacked content. Its state
    /// beside the workspace is that of the largest level, about 2.2 KB, at all of them.
    AnyLevel(Any::Level0):
    Level0 = 0,
    Level1 = 1,
    Level2 = 2,
    Level3 = 3,
    Level4 = 4,
    Level5 = 5,
    Level6 = 6,
    Level7 = 7,
    Level8 = 8,
    Level9 = 9
);
#[cfg(feature = "ablation")]
pub(crate) use levels;

/// The model of one level; see [`Level0`] to [`Level9`].
#[derive(Debug)]
pub struct Fixed<
    const L: usize,
    const N: usize,
    const M: usize,
    const K: usize,
    const S: usize,
    const E: usize,
    const W: usize,
    const R: usize,
    const D: usize,
    const P: usize,
>(Predictor<L, N, M, K, S, E, W, R, D, P>);

impl<
    const L: usize,
    const N: usize,
    const M: usize,
    const K: usize,
    const S: usize,
    const E: usize,
    const W: usize,
    const R: usize,
    const D: usize,
    const P: usize,
> ModelCore for Fixed<L, N, M, K, S, E, W, R, D, P>
{
    const BLANK: Self = Self(Predictor::BLANK);
    const PRETRAINS: bool = Level((L % 10) as u8).pretrains();

    fn supports(level: Level) -> bool {
        usize::from(level.number()) == L % 10
    }

    fn start(&mut self, _: Level, numbered: bool, memory: &mut [u8]) {
        self.0.start(numbered, memory);
    }

    fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        self.0.carry(carry);
    }

    fn clear(&mut self, _: Level) {
        self.0 = Predictor::BLANK;
    }

    fn go_on(&mut self, memory: &mut [u8]) {
        self.0.go_on(memory);
    }

    #[inline]
    fn p(&self) -> u32 {
        self.0.p()
    }

    #[inline]
    fn update(&mut self, bit: bool, memory: &mut [u8]) {
        self.0.update(bit, memory);
    }

    fn settle(&mut self, memory: &mut [u8]) {
        if Self::PRETRAINS {
            self.0.settle(memory);
        }
    }

    fn skip(&mut self, byte: u8, memory: &mut [u8]) {
        self.0.skip(byte, memory);
    }

    fn evidence(&self, memory: &mut [u8]) -> [u32; 4] {
        self.0.evidence(memory)
    }

    fn speller(&mut self) -> Option<&mut Speller> {
        self.0.speller()
    }
}

/// A model with the [filters](crate::Filter) for machine code, for updates of
/// firmware: `Filtered<Level1>`. Takes 16 bytes and 3 KB of code more than the
/// model alone, which refuses frames with a filter. [`AnyLevel`] has them.
#[derive(Debug)]
pub struct Filtered<M>(M, Stage);

impl<M: Model> Model for Filtered<M> {}

impl<M: Model> ModelCore for Filtered<M> {
    const BLANK: Self = Self(M::BLANK, Stage::NONE);
    const PRETRAINS: bool = M::PRETRAINS;

    fn supports(level: Level) -> bool {
        M::supports(level)
    }

    fn start(&mut self, level: Level, numbered: bool, memory: &mut [u8]) {
        self.0.start(level, numbered, memory);
    }

    fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        self.0.carry(carry);
    }

    fn clear(&mut self, level: Level) {
        self.0.clear(level);
    }

    fn go_on(&mut self, memory: &mut [u8]) {
        self.0.go_on(memory);
    }

    #[inline]
    fn p(&self) -> u32 {
        self.0.p()
    }

    #[inline]
    fn update(&mut self, bit: bool, memory: &mut [u8]) {
        self.0.update(bit, memory);
    }

    fn settle(&mut self, memory: &mut [u8]) {
        self.0.settle(memory);
    }

    fn skip(&mut self, byte: u8, memory: &mut [u8]) {
        self.0.skip(byte, memory);
    }

    fn evidence(&self, memory: &mut [u8]) -> [u32; 4] {
        self.0.evidence(memory)
    }

    fn speller(&mut self) -> Option<&mut Speller> {
        self.0.speller()
    }

    #[inline]
    fn stage(&mut self) -> Option<&mut Stage> {
        Some(&mut self.1)
    }
}
