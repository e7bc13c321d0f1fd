//! What each level consists of: contexts, weight sets, refinement stages and
//! the sizes of everything, so that a level fills its memory to the byte.

use crate::context::SIDE;
use crate::matching::Finder;
use crate::mixer::row_bytes;
use crate::ngram::LINE;
use crate::residual::{self, Guess};
use crate::{bitmap, byte_run, gate, matching, mixer, ngram::map, refinement, repack, ssm};

/// A context of the n-gram half. `c1` is the last whole byte, `c2` the one
/// before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// The last n bytes, n <= 8.
    Order(u32),
    /// Letters of the current word, with the byte before them if it is empty.
    Word,
    /// The current and the previous word.
    WordPair,
    /// The current word and the one before the previous.
    WordSkip,
    /// The last three bytes of no word, and whether a word is under way.
    Separators,
    /// What followed the last byte the last two times, and the byte.
    Indirect,
    /// The byte the match model expects, with its certainty, and c1.
    Expected,
    /// The last eight bytes, c1 lowest, as far as the mask picks their bits.
    Sparse(u64),
    /// The byte above in a record or line, and c1.
    Above,
    /// The byte above and the column it stands in.
    Column,
    /// The byte above and the one above that; in lines, the one after it.
    TwoAbove,
    /// The byte the match model expects, coarsely how surely.
    Foreseen,
    /// The previous word.
    LastWord,
    /// The byte expected by the match model that keeps to its repeat, and c1.
    Echo,
    /// That byte and the one after it.
    EchoAfter,
    /// The byte at the same place of the same field in the line before, the
    /// number of the field, and c1.
    Cell,
    /// That byte, the number of the field, and the byte after.
    CellAfter,
    /// The byte above, the one above that and c1.
    Square,
    /// c4 and the position modulo 4: 32-bit words.
    Quad,
    /// The byte above plus what c1 differs from the byte above it: a plane
    /// through the three; and the column modulo 4.
    Gradient,
    /// The byte above, and what c1 differs from the byte above it.
    Slope,
    /// The two innermost open brackets, the current word and c1.
    Nesting,
    /// The two innermost open brackets, c1 and c2.
    NestedPair,
    /// Character classes of the last three bytes, and the current word.
    Shapes,
    /// Character classes of the last eight bytes.
    Outline,
    /// Character classes of the last six bytes, and the last byte of no word.
    OutlineSeparator,
    /// The byte that Echo expects, and the character classes of the last four.
    EchoShapes,
    /// That byte, c1 and c2.
    EchoPair,
    /// That byte, the one after it, and c1.
    EchoOn,
    /// The two words before the current one, and c1.
    WordsBefore,
    /// The current word and the two before it, and c1.
    WordTriple,
    /// What followed the last byte the last time, and the last two bytes.
    IndirectPair,
    /// The indents of the line and of the one before, and the current word.
    Indent,
    /// The first word of the line, the current word and c1.
    LineWord,
    /// What has come since the last bracket or quotation mark, and c1.
    Enclosed,
    /// The column and c1.
    ColumnPair,
    /// The last word that began with a capital, the current word and c1.
    LastName,
    /// Which of the word's last letters are vowels, how many it has, and c1.
    Vowels,
    /// The current word, the third before it, and c1.
    WordLeap,
    /// The x86 instruction so far, and n of those before it, n <= 3.
    Instruction(u32),
    /// The instruction so far, and the second before it.
    InstructionSkip,
    /// The registers of the instruction, and its operand so far.
    Registers,
    /// The opcode, and the three instructions before.
    Opcodes,
    /// The opcodes of the three instructions before.
    Before,
    /// In text with numbered words: the last n letters or other bytes of it as it reads,
    /// n <= 8, and what is known of the symbol under way.
    Letters(u32),
    /// The last four symbols, words or bytes, 16 bits each, as far as the mask picks their
    /// bits, and what is known of the one under way.
    Symbols(u64),
}

/// Kinds of data that have contexts of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Neither of the others.
    Data,
    /// x86 instructions.
    Code,
}

/// A context for each [`Kind`].
type ByKind = [Context; 3];

/// What picks the row of a weight set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selector {
    /// One row only.
    One,
    /// The bits of the current byte so far.
    Partial,
    /// Bit position and how many orders are known.
    Confidence,
    /// Length of the match and the expected bit.
    Match,
    /// Lengths of the first and the last match, and the last's expected bit.
    Matches,
    /// Coarse character classes of the last three bytes and the nibble.
    Classes,
    /// The bits of the current byte so far, and the class of the last one.
    PartialClass,
    /// Character classes of the last three bytes.
    Shapes,
    /// The last byte.
    Last,
    /// Column in the record.
    Column,
    /// How the last match model did of late, and its expected bit.
    Echo,
    /// A hash of the current word and the last byte.
    Word,
}

impl Selector {
    pub(crate) const fn rows(self) -> usize {
        match self {
            Self::One => 1,
            Self::Partial => 256,
            Self::Confidence => 8 * 8,
            Self::Match => 16 * 2 + 1,
            Self::Matches => 16 * 16 * 3,
            Self::Classes => 512 * 2,
            Self::PartialClass => 256 * 8,
            Self::Shapes => 4096,
            Self::Last | Self::Column => 256,
            Self::Echo => 64 * 3,
            Self::Word => 4096,
        }
    }
}

/// Rows of all these together.
const fn rows(selectors: &[Selector]) -> usize {
    let mut rows = 0;
    let mut i = 0;
    while i < selectors.len() {
        rows += selectors[i].rows();
        i += 1;
    }
    rows
}

/// The make-up of one level.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Kinds of data that are told apart: the first ones of [`Kind`].
    pub(crate) kinds: usize,
    pub(crate) contexts: &'static [ByKind],
    /// Contexts with byte runs, the first ones.
    pub(crate) byte_runs: usize,
    pub(crate) selectors: &'static [Selector],
    /// Sets of adaptive probabilities; the last serves all contexts beyond.
    pub(crate) maps: usize,
    /// What picks the rows of the final mixers, where there are several sets.
    pub(crate) final_selectors: &'static [Selector],
    /// Refinement stages: log2 of the number of contexts of order 0, 1, 2, ...
    pub(crate) stages: &'static [u32],
    /// log2 of the history buffer.
    pub(crate) history: u32,
    /// Match models: how each finds its repeats.
    pub(crate) matches: &'static [Finder],
    /// log2 of the positions a match model finds by hash.
    pub(crate) match_log2: u32,
    /// What numbers are expected to be.
    pub(crate) guesses: &'static [Guess],
    /// Whether none is expected within the words of a text, which saves time.
    pub(crate) quiet_in_words: bool,
    /// Templates of pixels: log2 of the entries for each.
    pub(crate) bitmaps: &'static [u32],
    /// The state space model, where the level has one.
    pub(crate) ssm: Option<SsmPlan>,
    /// What is different where words are numbered, if they can be.
    pub(crate) words: Option<WordsPlan>,
}

/// What a level does about text with numbered words.
#[derive(Clone, Copy)]
pub(crate) struct WordsPlan {
    /// Contexts for text, in place of the plan's.
    pub(crate) contexts: &'static [Context],
    /// Likewise for the state space model.
    pub(crate) rows: &'static [Context],
    /// Match models: there is more in a byte, so that shorter repeats count.
    pub(crate) matches: &'static [Finder],
}

/// The state space model of a level.
#[derive(Clone, Copy)]
pub(crate) struct SsmPlan {
    /// State variables.
    pub(crate) width: usize,
    /// Embedding rows that the hashed contexts share.
    pub(crate) rows: usize,
    /// Bytes of truncated backpropagation.
    pub(crate) span: usize,
    /// Contexts beside the last byte.
    pub(crate) contexts: &'static [ByKind],
}

impl SsmPlan {
    pub(crate) const fn shape(&self) -> ssm::Shape {
        // The gradients of two steps share lanes, and a span's sum is to fit.
        assert!(self.span.is_multiple_of(2) && self.span <= 32);
        assert!(!ssm::is_wide(self.width) || self.rows.is_multiple_of(2));
        ssm::Shape {
            width: self.width,
            rows: self.rows,
            contexts: self.contexts.len(),
            span: self.span,
        }
    }
}

/// log2 of the history from where on a level can pack again.
const UNPACKING_HISTORY: u32 = 22;

/// Inputs a context gives to the mixer.
pub(crate) const CONTEXT_INPUTS: usize = 3;
/// Inputs a match model gives to the mixer.
pub(crate) const MATCH_INPUTS: usize = 2;
/// Inputs of the final mixer.
pub(crate) const FINAL_INPUTS: usize = 8;
/// Inputs of the gate: those of the final mixer, a bias, and the state space model's.
pub(crate) const GATE_INPUTS: usize = 16;

impl Plan {
    /// Mixer inputs with padding; the last one before it is a constant bias.
    pub(crate) const fn inputs(&self) -> usize {
        self.used().next_multiple_of(mixer::LANES)
    }

    /// Mixer inputs without padding.
    pub(crate) const fn used(&self) -> usize {
        self.contexts.len() * CONTEXT_INPUTS
            + self.byte_runs
            + self.matches.len() * MATCH_INPUTS
            + 1
            + self.recurrent() * ssm::INPUTS
            + self.guesses.len()
    }

    /// Inputs of the final mixers without padding: a set each, and the gate.
    pub(crate) const fn final_used(&self) -> usize {
        self.selectors.len() + self.recurrent()
    }

    /// State space models, 0 or 1.
    pub(crate) const fn recurrent(&self) -> usize {
        self.ssm.is_some() as usize
    }

    /// Its width.
    pub(crate) const fn width(&self) -> usize {
        match &self.ssm {
            Some(plan) => plan.width,
            None => ssm::LANES,
        }
    }

    pub(crate) const fn rows(&self) -> usize {
        rows(self.selectors)
    }

    pub(crate) const fn final_rows(&self) -> usize {
        if self.selectors.len() > 1 { rows(self.final_selectors) } else { 0 }
    }

    /// Bytes of everything but the slots, in the order of the memory.
    pub(crate) const fn layout(&self) -> Layout {
        let mut stages = 0;
        let mut i = 0;
        while i < self.stages.len() {
            stages += refinement::bytes(self.stages[i]);
            i += 1;
        }
        let mut matches = 0;
        let mut i = 0;
        while i < self.matches.len() {
            matches += matching::bytes(self.match_log2, self.history);
            i += 1;
        }
        Layout {
            maps: self.maps * 256 * map::ENTRY,
            run_maps: self.byte_runs * byte_run::ENTRIES * byte_run::ENTRY,
            weights: self.rows() * row_bytes(self.inputs()),
            final_weights: self.final_rows() * row_bytes(FINAL_INPUTS),
            stages,
            matches,
            history: 1 << self.history,
            side: if self.history >= 14 { SIDE } else { 0 },
            trail: residual::trail(self.guesses, self.history),
            residuals: residual::bytes(self.guesses),
            bitmaps: bitmap::bytes(self.bitmaps),
            ssm: match &self.ssm {
                Some(plan) => plan.shape().bytes(),
                None => 0,
            },
            gate: match &self.ssm {
                Some(plan) => gate::bytes(plan.width),
                None => 0,
            },
            repack: if self.history >= UNPACKING_HISTORY { repack::MEMORY } else { 0 },
        }
    }
}

/// Sizes of the parts of a level's memory, in bytes.
pub(crate) struct Layout {
    pub(crate) maps: usize,
    pub(crate) run_maps: usize,
    pub(crate) weights: usize,
    pub(crate) final_weights: usize,
    pub(crate) stages: usize,
    pub(crate) matches: usize,
    pub(crate) history: usize,
    pub(crate) side: usize,
    pub(crate) trail: usize,
    pub(crate) residuals: usize,
    pub(crate) bitmaps: usize,
    pub(crate) ssm: usize,
    pub(crate) gate: usize,
    /// No part of the model; the last.
    pub(crate) repack: usize,
}

impl Layout {
    pub(crate) const fn bytes(&self) -> usize {
        self.maps
            + self.run_maps
            + self.weights
            + self.final_weights
            + self.stages
            + self.matches
            + self.history
            + self.side
            + self.trail
            + self.residuals
            + self.bitmaps
            + self.ssm
            + self.gate
            + self.repack
    }

    /// What is left for the slots of `total` bytes.
    pub(crate) const fn slots(&self, total: usize) -> usize {
        assert!(total > self.bytes());
        (total - self.bytes()) / LINE * LINE
    }
}

use Context::*;

/// Contexts from level 8, the best ones first: for text, for other data and for
/// machine code. A context's place salts its hash, so the order is part of the
/// format.
const FULL: &[ByKind] = &[
    [Order(2); 3],
    [Order(3); 3],
    [Order(4); 3],
    [Order(6); 3],
    [Word, Sparse(0xFF00_0000_0000), Word],
    [WordPair, Sparse(0xFF_0000), Instruction(0)],
    [WordSkip, Order(1), Instruction(1)],
    [Separators, Separators, Registers],
    [Expected; 3],
    [Enclosed, Sparse(0xFF00), Sparse(0xFF00)],
    [LineWord, Sparse(0xFFFF_0000), Sparse(0xFFFF_0000)],
    [Cell, Sparse(0xFFFF_0000_0000), Sparse(0xFFFF_0000_0000)],
    [Indirect, Sparse(0xF0_F0F0_F0F0), Sparse(0xF0_F0F0_F0F0)],
    [Indent, TwoAbove, InstructionSkip],
    [EchoAfter; 3],
    [Square, Square, Opcodes],
    [CellAfter, Quad, Before],
    [Nesting, Echo, Instruction(2)],
    [Outline; 3],
    // At level 5, and from level 7.
    [ColumnPair, Shapes, Quad],
    [Shapes, Sparse(0xFF00_00FF), Echo],
    // From level 7.
    [Order(0), Slope, Slope],
    [WordTriple, Indirect, Indirect],
    // From level 8.
    [LastName, EchoOn, EchoOn],
    [Order(1), Sparse(0xFF00_FF00), Sparse(0xFF00_FF00)],
    [OutlineSeparator; 3],
    [NestedPair, Sparse(0xFF00_0000_FF00_0000), NestedPair],
    [Order(5); 3],
    [EchoShapes; 3],
    [WordsBefore, Word, WordsBefore],
    [EchoOn, Cell, Instruction(3)],
    [Sparse(0xFF_FF00); 3],
    [Vowels, Sparse(0xFF00_0000), Sparse(0xFF00_0000)],
    [Echo, CellAfter, CellAfter],
    [IndirectPair; 3],
    [WordLeap, Sparse(0xFF_00FF), Sparse(0xFF_00FF)],
    [Sparse(0xFF00), Gradient, Gradient],
    [EchoPair; 3],
    [Above; 3],
    [Column; 3],
    [Order(7); 3],
    [TwoAbove, WordTriple, WordTriple],
];

/// Contexts of the state space model beside the last byte from level 6, likewise.
const ALL_ROWS: &[ByKind] = &[
    [Order(2); 3],
    [Order(3); 3],
    [Word, Quad, Instruction(1)],
    [Foreseen; 3],
    [Order(4); 3],
    [Sparse(0xFF_FF00); 3],
    [Column, Column, Registers],
    [Outline, Sparse(0xF0_F0F0_F0F0), Sparse(0xF0_F0F0_F0F0)],
    // From level 6.
    [LastWord, Sparse(0xFF00_0000), Instruction(2)],
    [Order(6); 3],
    [WordPair, Sparse(0xFF_0000), Instruction(0)],
    [Above, Above, Opcodes],
    [WordSkip, Echo, InstructionSkip],
    [LineWord, Square, Before],
    [Nesting, TwoAbove, Instruction(3)],
    [Indirect, CellAfter, Expected],
];

/// Those of levels 4 and 5.
const SOME_ROWS: &[ByKind] = ALL_ROWS.split_at(8).0;

/// Contexts for text with numbered words: those for text, but of letters and symbols in
/// place of bytes, and of the column and of what is near in place of the cells of tables.
const fn spelled<const N: usize>(contexts: &[ByKind]) -> [Context; N] {
    let mut spelled = [Order(0); N];
    let mut i = 0;
    while i < N {
        spelled[i] = match contexts[i][Kind::Text as usize] {
            Order(n) if n > 1 => Letters(n),
            Indirect => Letters(1),
            Cell => Symbols(0xFFFF_0000),
            Sparse(0xFF_FF00) => Symbols(0xFFFF_FFFF_0000),
            CellAfter => ColumnPair,
            ColumnPair => Symbols(0xFFFF_FFFF_FFFF),
            Order(1) => Symbols(u64::MAX),
            Sparse(0xFF00) => Symbols(0xFFFF_0000_0000),
            other => other,
        };
        i += 1;
    }
    spelled
}

const SPELLED: &[Context] = &spelled::<{ FULL.len() }>(FULL);
const SPELLED_ROWS: &[Context] = &spelled::<{ ALL_ROWS.len() }>(ALL_ROWS);

/// Contexts of the small state space model of level 3 beside the last byte.
const FEW_ROWS: &[ByKind] = &[[Order(2); 3], [Order(3); 3], [Word; 3], [Foreseen; 3], [Column; 3]];

/// Guesses at numbers from level 4, the best ones first.
const GUESSES: &[Guess] = &[
    Guess::EchoLine,
    Guess::Record,
    Guess::Gradient,
    Guess::RecordLine,
    Guess::Echo,
    Guess::EchoLineBig,
];

/// The ten levels, then those of the ablation bench.
#[cfg(feature = "ablation")]
pub(crate) use crate::ablation::PLANS;
#[cfg(not(feature = "ablation"))]
pub(crate) use LEVELS as PLANS;

/// The ten levels.
pub(crate) const LEVELS: [Plan; 10] = {
    use Selector as S;
    const fn rich(contexts: &'static [ByKind], history: u32, stages: &'static [u32]) -> Plan {
        Plan {
            kinds: 3,
            contexts,
            byte_runs: 0,
            maps: contexts.len(),
            selectors: &[S::PartialClass, S::Shapes, S::Word, S::Column, S::Echo, S::Matches],
            final_selectors: &[S::Partial, S::Confidence, S::Match, S::Classes],
            stages,
            history,
            matches: const {
                &[
                    Finder { patience: 32, ..Finder::latest(5) },
                    Finder { patience: 32, ..Finder::latest(12) },
                    Finder::keeping(5),
                ]
            },
            match_log2: history - 3,
            guesses: GUESSES,
            quiet_in_words: true,
            bitmaps: &[10, 16, 16],
            ssm: None,
            words: None,
        }
    }
    /// With fewer rows of weights.
    const fn coarse(mut plan: Plan) -> Plan {
        plan.selectors = &[S::PartialClass, S::Classes, S::Last, S::Column, S::Echo, S::Matches];
        plan.bitmaps = &[10, 14, 14];
        plan
    }
    /// With less to mix.
    const fn swift(mut plan: Plan) -> Plan {
        plan.selectors = &[S::PartialClass, S::Shapes, S::Word, S::Column, S::Echo];
        plan.final_selectors = &[S::Partial, S::Match, S::Classes];
        plan.guesses = GUESSES.split_at(4).0;
        plan
    }
    /// With byte runs for the first contexts.
    const fn with_runs(mut plan: Plan, byte_runs: usize) -> Plan {
        plan.byte_runs = byte_runs;
        plan
    }
    /// With one set of weights more.
    const fn deep(mut plan: Plan) -> Plan {
        plan.selectors =
            &[S::PartialClass, S::Shapes, S::Word, S::Column, S::Echo, S::Matches, S::Last];
        plan
    }
    /// With a state space model, and with numbered words in text.
    const fn with_ssm(
        mut plan: Plan,
        contexts: &'static [ByKind],
        width: usize,
        rows: usize,
    ) -> Plan {
        plan.ssm = Some(SsmPlan { width, rows, span: 32, contexts });
        plan.words = Some(WordsPlan {
            contexts: SPELLED.split_at(plan.contexts.len()).0,
            rows: SPELLED_ROWS.split_at(contexts.len()).0,
            matches: const {
                &[
                    Finder { patience: 32, ..Finder::latest(3) },
                    Finder { patience: 32, ..Finder::latest(7) },
                    Finder::keeping(3),
                ]
            },
        });
        plan
    }
    [
        Plan {
            kinds: 1,
            contexts: &[[Order(0); 3], [Order(1); 3]],
            byte_runs: 0,
            maps: 1,
            selectors: &[S::One],
            final_selectors: &[S::One],
            stages: &[],
            history: 11,
            matches: const { &[Finder { settled: 8, patience: 16, ..Finder::latest(4) }] },
            match_log2: 9,
            guesses: &[],
            quiet_in_words: false,
            bitmaps: &[],
            ssm: None,
            words: None,
        },
        Plan {
            kinds: 1,
            contexts: &[[Order(0); 3], [Order(1); 3], [Order(2); 3]],
            byte_runs: 0,
            maps: 1,
            selectors: &[S::Match, S::Confidence],
            final_selectors: &[S::One],
            stages: &[],
            history: 12,
            // The little that is remembered of records is given up late.
            matches: const { &[Finder { unsettled: 5, ..Finder::keeping(5) }] },
            match_log2: 10,
            guesses: &[Guess::EchoLineCoarse],
            quiet_in_words: false,
            bitmaps: &[],
            ssm: None,
            words: None,
        },
        Plan {
            kinds: 2,
            contexts: &[
                [Order(0); 3],
                [Order(1); 3],
                [Order(2); 3],
                [Order(3); 3],
                [Word, Quad, Quad],
                [Echo; 3],
            ],
            byte_runs: 0,
            maps: 6,
            selectors: &[S::Match, S::Confidence],
            final_selectors: &[S::One],
            stages: &[],
            history: 14,
            matches: const { &[Finder::keeping(4)] },
            match_log2: 12,
            guesses: GUESSES.split_at(3).0,
            quiet_in_words: false,
            bitmaps: &[10],
            ssm: None,
            words: None,
        },
        Plan {
            kinds: 2,
            contexts: &[
                [Order(0); 3],
                [Order(1); 3],
                [Order(2); 3],
                [Order(3); 3],
                [Indent, Word, Word],
                [Word, Sparse(0xFF_0000), Sparse(0xFF_0000)],
                [Separators, Sparse(0xFF00), Sparse(0xFF00)],
                [CellAfter, Column, Column],
                [Nesting, Quad, Quad],
                [Echo; 3],
            ],
            byte_runs: 0,
            maps: 10,
            selectors: &[S::Match, S::Confidence, S::Partial, S::Echo],
            final_selectors: &[S::Partial],
            stages: &[8],
            history: 16,
            matches: const { &[Finder::latest(4), Finder::keeping(5)] },
            match_log2: 14,
            guesses: GUESSES.split_at(4).0,
            quiet_in_words: false,
            bitmaps: &[10],
            ssm: Some(SsmPlan { width: 16, rows: 1 << 11, span: 16, contexts: FEW_ROWS }),
            words: Some(WordsPlan {
                contexts: &[
                    Order(0),
                    Letters(1),
                    Letters(2),
                    Letters(3),
                    Indent,
                    Word,
                    Separators,
                    Symbols(0xFFFF_0000),
                    Nesting,
                    Echo,
                ],
                rows: &[Letters(2), Letters(3), Word, Foreseen, Column],
                matches: const { &[Finder::latest(3), Finder::keeping(3)] },
            }),
        },
        Plan {
            kinds: 2,
            contexts: &[
                [Order(1); 3],
                [Order(2); 3],
                [Order(3); 3],
                [Order(4); 3],
                [WordPair, Order(5), Order(5)],
                [Word, Sparse(0xFF_0000), Sparse(0xFF_0000)],
                [Separators, Sparse(0xFF_FF00), Sparse(0xFF_FF00)],
                [Nesting, Echo, Echo],
                [CellAfter, Quad, Quad],
            ],
            byte_runs: 0,
            maps: 9,
            selectors: &[S::PartialClass, S::Matches, S::Classes, S::Echo],
            final_selectors: &[S::Partial, S::Confidence],
            stages: &[8, 10],
            history: 17,
            matches: const { &[Finder::latest(6), Finder::keeping(5)] },
            match_log2: 14,
            guesses: GUESSES,
            quiet_in_words: true,
            bitmaps: &[10, 13, 13],
            ssm: Some(SsmPlan { width: 16, rows: 1 << 13, span: 32, contexts: SOME_ROWS }),
            words: Some(WordsPlan {
                contexts: &[
                    Letters(1),
                    Letters(2),
                    Letters(3),
                    Letters(4),
                    WordPair,
                    Word,
                    Separators,
                    Nesting,
                    Symbols(0xFFFF_0000),
                ],
                rows: SPELLED_ROWS.split_at(8).0,
                matches: const { &[Finder::latest(3), Finder::keeping(3)] },
            }),
        },
        with_ssm(coarse(rich(FULL.split_at(21).0, 20, &[8, 11, 11])), SOME_ROWS, 16, 1 << 14),
        with_ssm(swift(rich(FULL.split_at(19).0, 22, &[8, 11, 12])), ALL_ROWS, ssm::WIDE, 1 << 15),
        with_ssm(
            with_runs(swift(rich(FULL.split_at(23).0, 24, &[8, 11, 12])), 6),
            ALL_ROWS,
            ssm::WIDE,
            1 << 17,
        ),
        with_ssm(with_runs(deep(rich(FULL, 26, &[8, 11, 12])), 19), ALL_ROWS, ssm::WIDE, 1 << 19),
        with_ssm(with_runs(deep(rich(FULL, 28, &[8, 11, 12])), 19), ALL_ROWS, ssm::WIDE, 1 << 21),
    ]
};
