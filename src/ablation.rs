//! Models of parts of the levels, for the ablation bench only: what each part
//! does by itself, in the memory of the whole. Not part of the interface.

use crate::filter::Stage;
use crate::level::{Fixed, Level, Model, ModelCore, levels};
use crate::plan::{Context, LEVELS, Plan, Selector};
use crate::repack::Repacker;
use crate::words::Speller;

/// The levels L, then, for those with a state space model, at 10 + L the
/// n-grams and match models, at 20 + L the state space model and at 30 + L
/// the frequencies of order 0.
pub(crate) const PLANS: [Plan; 40] = {
    let mut plans = [LEVELS[0]; 40];
    let mut level = 0;
    while level < 10 {
        let full = LEVELS[level];
        let alone = Plan {
            maps: 1,
            selectors: &[Selector::One],
            stages: &[],
            byte_runs: 0,
            guesses: &[],
            bitmaps: &[],
            ..full
        };
        plans[level] = full;
        plans[10 + level] = Plan { ssm: None, ..full };
        // The match models stay: they give no inputs of their own, but the
        // byte that they expect is a context of the state space model.
        plans[20 + level] = Plan { contexts: &[], ..alone };
        plans[30 + level] =
            Plan { contexts: &[[Context::Order(0); 3]], matches: &[], ssm: None, ..alone };
        level += 1;
    }
    plans
};

levels!(
    /// N-grams and match models.
    Ngrams(AnyNgrams::Ngrams5):
    Ngrams5 = 15, Ngrams6 = 16, Ngrams7 = 17, Ngrams8 = 18, Ngrams9 = 19
);
levels!(
    /// The state space model.
    StateSpace(AnyStateSpace::StateSpace5):
    StateSpace5 = 25, StateSpace6 = 26, StateSpace7 = 27, StateSpace8 = 28, StateSpace9 = 29
);
levels!(
    /// Frequencies of order 0.
    Frequencies(AnyFrequencies::Frequencies5):
    Frequencies5 = 35, Frequencies6 = 36, Frequencies7 = 37, Frequencies8 = 38, Frequencies9 = 39
);
