//! The predictor: the probability of the next bit, and learning from it.
//!
//! `p` and `update` are all that encoder and decoder use, and both use the
//! same. A bit takes the way n-gram tables and match models -> mixers ->
//! final mixer -> refinement; all of it is integer arithmetic on memory that
//! the caller passes in.

use crate::bit_history::RUN;
use crate::bitmap::{self, Bitmap};
use crate::byte_run::{self, ByteRuns};
use crate::context::Recent;
use crate::gate::{self, Gate};
use crate::level::Level;
use crate::logistic::{squash, stretch};
use crate::matching::{self, Match};
use crate::mixer::{self, row_bytes};
use crate::ngram::{
    LINE, PHI, SLOT, find_slot, hash, line_of, map, next_state, peek_slot, slot_hash,
};
use crate::plan::{
    CONTEXT_INPUTS, FINAL_INPUTS, GATE_INPUTS, Kind, Layout, MATCH_INPUTS, PLANS, Plan, Selector,
};
use crate::refinement::{self, Stage};
use crate::residual::{self, Residuals};
use crate::ssm::{self, Ssm};
use crate::words::Speller;

/// Most final mixers of any level.
const MAX_FINALS: usize = 4;
/// Most refinement stages of any level.
const MAX_STAGES: usize = 3;

/// A refinement stage moves by 2^-6 of the error.
const REFINEMENT_RATE: u32 = 6;
/// Orders that count towards the mixers' confidence: the first ones.
const KNOWN: usize = 7;
/// A memory that any cache holds, where there are caches.
const CACHE: usize = 32 << 10;
/// Bits after which an adaptive probability no longer slows down.
const MAP_LIMIT: u32 = 511;

/// First weights, Q14.
struct First {
    /// For the contexts together: stretch, and stretch of one-sided histories.
    stretch: i16,
    run: i16,
    repeat: [i16; MATCH_INPUTS],
    bias: i16,
    ssm: [i16; ssm::INPUTS],
    /// Not learned, only tried.
    residual: i16,
    /// Of the final mixers: for the weight sets together, and for the gate.
    set: i16,
    gate: i16,
}

/// What the weights came to on average over the first 64 KB of 44 files of many
/// kinds, none of them of a benchmark: much the same at levels 3 to 7.
const FIRST: First = First {
    stretch: 10000,
    run: 20000,
    repeat: [2500, -700],
    bias: 1500,
    ssm: [7800, -5400],
    residual: 1000,
    set: 4800,
    gate: 11000,
};

/// The model of level `L`, with `N` contexts, `M` mixer inputs, `K` match models,
/// `S` (0 or 1) state space models of width `E`, `W` weight sets, `R` byte runs, `D`
/// guesses at numbers and `P` templates of pixels; all follow from the level. Its
/// tables live in a slice passed to each call, always the same one.
#[derive(Clone, Debug)]
pub(crate) struct Predictor<
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
> {
    p: u32,
    recent: Recent,
    /// Of the current byte.
    kind: Kind,
    hashes: [u32; N],
    lines: [u32; N],
    slots: [u32; N],
    /// The slots' contents.
    histories: [[u8; SLOT]; N],
    states: [u8; N],
    matches: [Match; K],
    inputs: [i16; M],
    rows: [u16; W],
    set_p: [u16; W],
    final_inputs: [i16; FINAL_INPUTS],
    final_p: [u16; MAX_FINALS],
    final_rows: [u16; MAX_FINALS],
    stages: [Stage; MAX_STAGES],
    recurrent: [Recurrent; S],
    /// Where there is a state space model, there may be numbered words.
    speller: [Speller; S],
    byte_runs: ByteRuns<R>,
    residuals: Residuals<D>,
    bitmap: Bitmap<P>,
}

/// The state space model and the gate that goes with it.
#[derive(Clone, Debug)]
struct Recurrent {
    ssm: Ssm,
    gate: Gate,
}

/// The memory of a level, cut into its tables.
struct Tables<'a> {
    slots: &'a mut [u8],
    maps: &'a mut [[u8; map::ENTRY]],
    run_maps: &'a mut [[u8; byte_run::ENTRY]],
    weights: &'a mut [u8],
    final_weights: &'a mut [u8],
    stages: &'a mut [u8],
    matches: &'a mut [u8],
    history: &'a mut [u8],
    side: &'a mut [u8],
    trail: &'a mut [u8],
    residuals: &'a mut [u8],
    bitmaps: &'a mut [u8],
    ssm: &'a mut [u8],
    gate: &'a mut [u8],
}

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
> Predictor<L, N, M, K, S, E, W, R, D, P>
{
    const PLAN: &'static Plan = {
        let plan = &PLANS[L];
        assert!(plan.contexts.len() == N && plan.byte_runs == R && plan.inputs() == M);
        assert!(plan.selectors.len() == W && plan.stages.len() <= MAX_STAGES);
        assert!(plan.final_selectors.len() <= MAX_FINALS);
        assert!(plan.rows() <= 1 << 16 && plan.final_rows() <= 1 << 16);
        assert!(plan.guesses.len() == D && plan.matches.len() == K && plan.bitmaps.len() == P);
        assert!(plan.recurrent() == S && plan.width() == E);
        assert!(plan.selectors.len() + S <= FINAL_INPUTS);
        plan
    };
    const LAYOUT: Layout = Self::PLAN.layout();
    /// Bytes of the memory: known, so that its parts are not checked one by one.
    const SIZE: usize = Level::new((L % 10) as u8).unwrap().workspace();
    const SLOTS: usize = Self::LAYOUT.slots(Self::SIZE);
    /// Mixer inputs without the padding.
    const USED: usize = Self::PLAN.used();
    /// Bytes of each match model.
    const MATCH_BYTES: usize = matching::bytes(Self::PLAN.match_log2, Self::PLAN.history);
    /// The first input of the state space model.
    const SSM_INPUT: usize = N * CONTEXT_INPUTS + R + K * MATCH_INPUTS + 1;
    /// The first input of the guesses.
    const RESIDUAL_INPUT: usize = Self::SSM_INPUT + S * ssm::INPUTS;
    /// Inputs of the gate: the weight sets, a bias, the state space model.
    const GATE_USED: usize = W + 1 + ssm::INPUTS;
    /// First weights of the mixer inputs, Q14.
    const FIRST_WEIGHTS: [i16; M] = {
        let mut weights = [0; M];
        let (matches, bias) = (N * CONTEXT_INPUTS + R, Self::SSM_INPUT - 1);
        let mut i = 0;
        while i < N {
            if S > 0 {
                weights[i] = FIRST.stretch / N as i16;
                weights[2 * N + i] = FIRST.run / N as i16;
            } else {
                weights[i] = (16384 * 3 / (N + 6)) as i16;
            }
            i += 1;
        }
        if S > 0 && N > 0 {
            i = matches;
            while i < bias {
                weights[i] = FIRST.repeat[(i - matches) % MATCH_INPUTS];
                i += 1;
            }
            weights[bias] = FIRST.bias;
            weights[bias + 1] = FIRST.ssm[0];
            weights[bias + 2] = FIRST.ssm[1];
        } else if S > 0 {
            // By itself it has to be believed.
            weights[bias + 1] = 16384;
        }
        i = 0;
        while i < D {
            weights[Self::RESIDUAL_INPUT + i] = FIRST.residual;
            i += 1;
        }
        weights
    };
    /// Those of the final mixers.
    const FIRST_FINAL_WEIGHTS: [i16; FINAL_INPUTS] = {
        let mut weights = [0; FINAL_INPUTS];
        let mut i = 0;
        while i < W {
            weights[i] = if S > 0 { FIRST.set } else { 16384 } / W as i16;
            i += 1;
        }
        if S > 0 {
            weights[W] = FIRST.gate;
        }
        weights
    };
    /// Those of the gate: the weight sets and the state space model.
    const FIRST_GATE_WEIGHTS: [i16; GATE_INPUTS] = {
        let mut weights = [0; GATE_INPUTS];
        let mut i = 0;
        while i < W {
            weights[i] = 2048;
            i += 1;
        }
        weights[W + 1] = 2048;
        weights
    };

    #[inline]
    fn tables(memory: &mut [u8]) -> Tables<'_> {
        let layout = &Self::LAYOUT;
        // Slots first: their lines want the alignment of the slice.
        let (slots, rest) = memory[..Self::SIZE].split_at_mut(Self::SLOTS);
        let (maps, rest) = rest.split_at_mut(layout.maps);
        let (run_maps, rest) = rest.split_at_mut(layout.run_maps);
        let (weights, rest) = rest.split_at_mut(layout.weights);
        let (final_weights, rest) = rest.split_at_mut(layout.final_weights);
        let (stages, rest) = rest.split_at_mut(layout.stages);
        let (matches, rest) = rest.split_at_mut(layout.matches);
        let (history, rest) = rest.split_at_mut(layout.history);
        let (side, rest) = rest.split_at_mut(layout.side);
        let (trail, rest) = rest.split_at_mut(layout.trail);
        let (residuals, rest) = rest.split_at_mut(layout.residuals);
        let (bitmaps, rest) = rest.split_at_mut(layout.bitmaps);
        let (ssm, rest) = rest.split_at_mut(layout.ssm);
        Tables {
            slots,
            maps: maps.as_chunks_mut().0,
            run_maps: run_maps.as_chunks_mut().0,
            weights,
            final_weights,
            stages,
            matches,
            history,
            side,
            trail,
            residuals,
            bitmaps,
            ssm,
            gate: &mut rest[..layout.gate],
        }
    }

    /// A model without its tables; [`Self::start`] has to follow. A constant, so
    /// that no call has it on its stack: it is made where it stays.
    pub(crate) const BLANK: Self = Self {
        p: 32768,
        recent: Recent::new(),
        kind: Kind::Text,
        hashes: [0; N],
        lines: [0; N],
        slots: [0; N],
        histories: [[0; SLOT]; N],
        states: [0; N],
        matches: [Match::NONE; K],
        inputs: [0; M],
        rows: [0; W],
        set_p: [32768; W],
        final_inputs: [0; FINAL_INPUTS],
        final_p: [32768; MAX_FINALS],
        final_rows: [0; MAX_FINALS],
        stages: [Stage::NONE; MAX_STAGES],
        speller: [Speller::OFF; S],
        recurrent: [const { Recurrent { ssm: Ssm::NONE, gate: Gate::NONE } }; S],
        byte_runs: ByteRuns::NONE,
        residuals: Residuals::NONE,
        bitmap: Bitmap::NONE,
    };

    /// Makes it a fresh model in `memory`, which must be zero.
    pub(crate) fn start(&mut self, numbered: bool, memory: &mut [u8]) {
        *self = Self::BLANK;
        if numbered && Self::PLAN.words.is_some() {
            self.speller = [Speller::ON; S];
        }
        let tables = Self::tables(memory);
        map::reset(tables.maps);
        byte_run::reset(tables.run_maps);
        mixer::reset(tables.weights, &Self::FIRST_WEIGHTS);
        mixer::reset(tables.final_weights, &Self::FIRST_FINAL_WEIGHTS);
        let mut rest = tables.stages;
        for &log2 in Self::PLAN.stages {
            let (stage, after) = rest.split_at_mut(refinement::bytes(log2));
            refinement::reset(stage);
            rest = after;
        }
        for bytes in tables.matches.chunks_exact_mut(Self::MATCH_BYTES) {
            matching::reset(matching::tables(Self::PLAN.history, bytes).1);
        }
        residual::reset(tables.residuals);
        bitmap::reset(tables.bitmaps);
        if let (Some(plan), [model]) = (&Self::PLAN.ssm, &mut self.recurrent[..]) {
            model.ssm = Ssm::new(&plan.shape(), tables.ssm);
            model.gate = Gate::new(tables.gate, &Self::FIRST_GATE_WEIGHTS);
        }
        self.start_byte(memory);
        self.predict(memory);
    }

    /// Makes it learn quickly again after a text that was not the content: what counts
    /// how often something was seen, to slow down by, counts less of it.
    pub(crate) fn settle(&mut self, memory: &mut [u8]) {
        self.speller.iter_mut().for_each(Speller::begin);
        let tables = Self::tables(memory);
        map::settle(tables.maps);
        mixer::settle(tables.weights, M);
        mixer::settle(tables.final_weights, FINAL_INPUTS);
        if let Some(plan) = &Self::PLAN.ssm {
            ssm::settle(&plan.shape(), tables.ssm);
            gate::settle(tables.gate);
        }
    }

    /// Goes on from where a model left `memory`, once it is [`Self::BLANK`] but for what
    /// [`Self::carry`] has given it back.
    pub(crate) fn go_on(&mut self, memory: &mut [u8]) {
        // The slots left are written; nothing of this one is to write back.
        if let Some(first) = Self::tables(memory).slots.first_chunk() {
            self.histories = [*first; N];
        }
        self.start_byte(memory);
        self.predict(memory);
    }

    /// How much each part of the model says of the next bit: n-grams with byte runs,
    /// match models, state space model, and residuals with bitmaps.
    pub(crate) fn evidence(&self, memory: &mut [u8]) -> [u32; 4] {
        let weights = Self::tables(memory).weights;
        let said = |part| mixer::evidence(weights, &self.rows, &self.inputs, part);
        let (matches, bias) = (N * CONTEXT_INPUTS + R, Self::SSM_INPUT - 1);
        let residuals = Self::RESIDUAL_INPUT;
        let pixels = if self.bitmap.has_rows() { said(bias..bias + 1) } else { 0 };
        [
            said(0..matches),
            said(matches..bias),
            said(bias + 1..residuals),
            said(residuals..residuals + D) + pixels,
        ]
    }

    /// Passes what is known between two bytes through `carry`, as far as
    /// [`Self::start_byte`] does not find it again. Whatever comes back is valid.
    pub(crate) fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        self.recent.carry(carry);
        self.matches.iter_mut().for_each(|model| model.carry(carry));
        self.recurrent.iter_mut().for_each(|model| model.ssm.carry(carry));
        self.residuals.carry(carry);
    }

    /// What spells numbered words out, if there may be any.
    pub(crate) fn speller(&mut self) -> Option<&mut Speller> {
        if Self::PLAN.words.is_some() { self.speller.first_mut() } else { None }
    }

    /// Probability that the next bit is 1, Q16 within `1..=65535`.
    #[inline]
    pub(crate) fn p(&self) -> u32 {
        self.p
    }

    /// Learns the bit and predicts the next one.
    pub(crate) fn update(&mut self, bit: bool, memory: &mut [u8]) {
        self.learn(bit, memory);
        let recent = &mut self.recent;
        recent.partial = recent.partial << 1 | u32::from(bit);
        recent.bit_index += 1;
        if recent.bit_index == 8 {
            let byte = recent.partial as u8;
            if let (Some(plan), [model]) = (&Self::PLAN.ssm, &mut self.recurrent[..]) {
                let tables = Self::tables(memory);
                let f = ssm::features::<E>(&plan.shape(), tables.ssm);
                let noise = &mut model.ssm.noise;
                model.gate.end_byte(tables.gate, &f, Self::GATE_USED, noise);
                model.ssm.end_byte::<E>(&plan.shape(), byte, tables.ssm);
            }
            if R > 0 {
                self.follow_runs(byte, memory);
            }
            if D > 0 {
                self.residuals.end_byte(byte, Self::tables(memory).residuals);
            }
            self.next(byte, memory);
        } else if recent.bit_index.is_multiple_of(2) {
            self.pick_slots(memory);
        }
        self.predict(memory);
    }

    /// Takes note of a byte that was coded without the model.
    pub(crate) fn skip(&mut self, byte: u8, memory: &mut [u8]) {
        self.next(byte, memory);
        self.predict(memory);
    }

    /// [`Self::next_byte`]: for small levels in place, for the others once.
    #[inline(always)]
    fn next(&mut self, byte: u8, memory: &mut [u8]) {
        if S > 0 {
            self.next_byte_apart(byte, memory);
        } else {
            self.next_byte(byte, memory);
        }
    }

    #[inline(never)]
    fn next_byte_apart(&mut self, byte: u8, memory: &mut [u8]) {
        self.next_byte(byte, memory);
    }

    /// Puts a whole byte into the history and sets up the contexts of the next.
    fn next_byte(&mut self, byte: u8, memory: &mut [u8]) {
        let tables = Self::tables(memory);
        let words = match (&Self::PLAN.words, &mut self.speller[..]) {
            (Some(plan), [speller]) if speller.is_on() => {
                self.recent.push_spelled(byte, speller, tables.history, tables.side);
                Some(plan)
            }
            _ => {
                self.recent.push(byte, tables.history, tables.side);
                None
            }
        };
        if Self::PLAN.kinds > Kind::Code as usize {
            self.recent.code.push(self.recent.bytes, self.recent.pos);
        }
        let (recent, history) = (&self.recent, &*tables.history);
        let models = tables.matches.chunks_exact_mut(Self::MATCH_BYTES);
        let finders = words.map_or(Self::PLAN.matches, |plan| plan.matches);
        for ((model, bytes), &finder) in self.matches.iter_mut().zip(models).zip(finders) {
            if recent.pos >= finder.min {
                let h = recent.hash_of_last(finder.min, history).wrapping_mul(PHI);
                model.next_byte(
                    matching::tables(Self::PLAN.history, bytes).0,
                    history,
                    recent.pos,
                    h,
                    finder,
                );
            }
        }
        self.start_byte(memory);
    }

    /// Sets up the contexts of a new byte.
    fn start_byte(&mut self, memory: &mut [u8]) {
        let tables = Self::tables(memory);
        let recent = &self.recent;
        let matches = &self.matches;
        if Self::PLAN.kinds > 1 {
            self.kind = recent.kind(Self::PLAN.kinds);
        }
        let words = match (&Self::PLAN.words, &self.speller[..]) {
            (Some(plan), [speller]) if speller.is_on() && self.kind() == Kind::Text => Some(plan),
            _ => None,
        };
        let quiet = Self::PLAN.quiet_in_words && recent.is_in_words();
        if D > 0 && self.kind == Kind::Text && (words.is_some() || quiet) {
            self.residuals.silence();
        } else if D > 0 {
            self.residuals.start_byte(
                Self::PLAN.guesses,
                recent,
                matches.last(),
                tables.history,
                tables.trail,
                tables.residuals,
            );
        }
        if P > 0 {
            self.bitmap.start_byte(recent, tables.history);
        }
        let hash_of = |place, context| match &self.speller[..] {
            [speller] => recent.hash_spelled(context, place, matches, tables.side, speller),
            _ => recent.hash(context, place, matches, tables.side),
        };
        let kind = self.kind();
        for (i, (h, contexts)) in self.hashes.iter_mut().zip(Self::PLAN.contexts).enumerate() {
            let context = words.map_or(contexts[kind as usize], |plan| plan.contexts[i]);
            *h = hash_of(i, context);
        }
        if let (Some(plan), [model]) = (&Self::PLAN.ssm, &mut self.recurrent[..]) {
            let mut hashes = [0; ssm::MAX_CONTEXTS];
            let hashes = &mut hashes[..plan.contexts.len()];
            for (i, (h, contexts)) in hashes.iter_mut().zip(plan.contexts).enumerate() {
                let context = words.map_or(contexts[kind as usize], |words| words.rows[i]);
                *h = hash_of(i, context);
            }
            model.ssm.pick(&plan.shape(), recent.bytes as u8, hashes, tables.ssm);
        }
        self.pick_slots(memory);
        if let (Some(plan), [model]) = (&Self::PLAN.ssm, &mut self.recurrent[..]) {
            let tables = Self::tables(memory);
            model.ssm.start_byte::<E>(&plan.shape(), tables.ssm);
            let f = ssm::features::<E>(&plan.shape(), tables.ssm);
            model.gate.start_byte(tables.gate, &f, Self::GATE_USED);
        }
    }

    /// Each context with a byte run takes note of the byte.
    fn follow_runs(&mut self, byte: u8, memory: &mut [u8]) {
        let (lines, _) = Self::tables(memory).slots.as_chunks_mut::<LINE>();
        for &h in &self.hashes[..R] {
            // The line for the first bits of the byte.
            let line = line_of(lines.len(), hash(h, 1)) as usize / LINE;
            let (line, h) = (&mut lines[line], slot_hash(h, 0));
            let (at, mut slot) = find_slot(line, h);
            byte_run::follow(&mut slot, h, byte);
            line[at as usize..][..SLOT].copy_from_slice(&slot);
        }
    }

    /// Finds the slots for the next two bits of the byte.
    fn pick_slots(&mut self, memory: &mut [u8]) {
        let tables = Self::tables(memory);
        let (lines, _) = tables.slots.as_chunks_mut::<LINE>();
        let partial = self.recent.partial;
        if self.recent.bit_index.is_multiple_of(4) {
            for (line, h) in self.lines.iter_mut().zip(self.hashes) {
                *line = line_of(lines.len(), hash(h, partial));
            }
            if Self::SIZE > CACHE {
                // Touch all lines before any is looked into: the misses overlap.
                let touch = |touched, &line: &u32| touched ^ lines[line as usize / LINE][0];
                core::hint::black_box(self.lines.iter().fold(0, touch));
            }
        }
        // What the last two bits have left behind goes back first.
        for (&slot, history) in self.slots.iter().zip(&self.histories) {
            tables.slots[slot as usize..][..SLOT].copy_from_slice(history);
        }
        let (lines, _) = tables.slots.as_chunks_mut::<LINE>();
        if R > 0 && self.recent.bit_index == 0 {
            self.byte_runs.clear();
            self.inputs[N * CONTEXT_INPUTS..][..R].fill(0);
            for (i, (&h, line)) in self.hashes[..R].iter().zip(self.lines).enumerate() {
                let h = slot_hash(h, 0);
                self.byte_runs.push(i, h, peek_slot(&lines[line as usize / LINE], h));
            }
        }
        for (i, (h, line)) in self.hashes.iter().zip(self.lines).enumerate() {
            let (slot, history) =
                find_slot(&mut lines[line as usize / LINE], slot_hash(*h, partial));
            self.slots[i] = line + slot;
            self.histories[i] = history;
        }
    }

    /// The node within a slot.
    #[inline]
    fn node(&self) -> usize {
        let known = self.recent.bit_index % 2;
        (1 << known | (self.recent.partial & ((1 << known) - 1))) as usize
    }

    fn learn(&mut self, bit: bool, memory: &mut [u8]) {
        let tables = Self::tables(memory);
        let target = if bit { 65536 } else { 0 };
        let r = &self.recent;

        if let [model] = &mut self.recurrent[..] {
            model.ssm.learn(bit, self.p);
            model.gate.learn(tables.gate, target, Self::GATE_USED);
        }
        let mut rest = tables.stages;
        for (stage, &log2) in self.stages.iter().zip(Self::PLAN.stages) {
            let (table, after) = rest.split_at_mut(refinement::bytes(log2));
            stage.update(table, bit, REFINEMENT_RATE);
            rest = after;
        }

        if W > 1 {
            let finals = self.final_rows.iter().zip(&self.final_p);
            for (&row, &p) in finals.take(Self::PLAN.final_selectors.len()) {
                let row = &mut tables.final_weights[usize::from(row) * row_bytes(FINAL_INPUTS)..]
                    [..row_bytes(FINAL_INPUTS)];
                mixer::learn(
                    row,
                    &self.final_inputs,
                    Self::PLAN.final_used(),
                    target - i32::from(p),
                );
            }
        }
        let errors = self.set_p.map(|p| target - i32::from(p));
        mixer::learn_all(tables.weights, &self.rows, &self.inputs, Self::USED, errors);

        let models = tables.matches.chunks_exact_mut(Self::MATCH_BYTES);
        for (model, bytes) in self.matches.iter().zip(models) {
            let maps = matching::tables(Self::PLAN.history, bytes).1;
            model.update(maps, r.partial, r.bit_index, bit);
        }

        if R > 0 {
            let inputs = &mut self.inputs[N * CONTEXT_INPUTS..][..R];
            self.byte_runs.update(tables.run_maps, r.bit_index, bit, inputs);
        }

        self.residuals.update(bit);
        self.bitmap.update(bit, tables.bitmaps);

        let node = self.node();
        let (maps, _) = tables.maps.as_chunks_mut::<256>();
        for (i, (&state, history)) in self.states.iter().zip(&mut self.histories).enumerate() {
            let map = &mut maps[i.min(Self::PLAN.maps - 1)];
            map::update(&mut map[usize::from(state)], bit, MAP_LIMIT);
            history[node] = next_state(state, bit);
        }
    }

    fn predict(&mut self, memory: &mut [u8]) {
        let tables = Self::tables(memory);
        let node = self.node();
        let r = &self.recent;
        let known =
            self.histories.iter().take(KNOWN).filter(|history| history[node] != 0).count() as u32;
        let (inputs, others) = self.inputs.split_at_mut(N * CONTEXT_INPUTS + R);
        let (sts, inputs) = inputs.split_at_mut(N);
        let (leans, inputs) = inputs.split_at_mut(N);
        let (runs, run_leans) = inputs.split_at_mut(N);
        if R > 0 {
            self.byte_runs.predict(tables.run_maps, r.bit_index, run_leans);
        }
        let (maps, _) = tables.maps.as_chunks::<256>();
        for (i, history) in self.histories.iter().enumerate() {
            let map = &maps[i.min(Self::PLAN.maps - 1)];
            let state = history[node];
            self.states[i] = state;
            let p = map::p(map[usize::from(state)]);
            sts[i] = stretch(p);
            leans[i] = ((i32::from(p) - 32768) >> 5) as i16;
            runs[i] = sts[i] & RUN[usize::from(state)];
        }
        let (matches, bias) = others.split_at_mut(Self::PLAN.matches.len() * MATCH_INPUTS);
        let matches = matches.as_chunks_mut::<MATCH_INPUTS>().0;
        let models = tables.matches.chunks_exact_mut(Self::MATCH_BYTES);
        for ((model, bytes), input) in self.matches.iter().zip(models).zip(matches) {
            // Without n-grams the repeats are for the state space model alone.
            if N > 0 {
                let maps = matching::tables(Self::PLAN.history, bytes).1;
                *input = model.predict(maps, r.partial, r.bit_index);
            }
        }
        // The constant input, where there are no rows of pixels.
        bias[0] = self.bitmap.predict(r, Self::PLAN.bitmaps, tables.bitmaps).unwrap_or(256);
        if let (Some(plan), [model]) = (&Self::PLAN.ssm, &mut self.recurrent[..]) {
            let inputs = model.ssm.predict::<E>(&plan.shape(), r.partial, tables.ssm);
            bias[1..=ssm::INPUTS].copy_from_slice(&inputs);
        }
        if D > 0 {
            let inputs = &mut self.inputs[Self::RESIDUAL_INPUT..][..D];
            self.residuals.predict(r.partial, r.bit_index, tables.residuals, inputs);
        }

        // The bins are touched here: they have come when the mixers are done.
        let mut stage_contexts = [0; MAX_STAGES];
        let mut rest = &*tables.stages;
        for (order, &log2) in Self::PLAN.stages.iter().enumerate() {
            let (table, after) = rest.split_at(refinement::bytes(log2));
            let context = match order {
                0 => r.partial,
                n => {
                    let bytes = r.bytes as u32 & (u32::MAX >> (32 - 8 * n));
                    hash(hash(n as u32, bytes), r.partial).wrapping_mul(PHI) >> (32 - log2)
                }
            };
            stage_contexts[order] = context;
            if Self::SIZE > CACHE {
                core::hint::black_box(refinement::touch(table, context));
            }
            rest = after;
        }

        let mut base = 0;
        for (i, selector) in Self::PLAN.selectors.iter().enumerate() {
            self.rows[i] = (base + self.select(*selector, known)) as u16;
            base += selector.rows() as u32;
        }
        let (mut x, mut p) = (0, 32768);
        let sums = mixer::mix_all(tables.weights, &self.rows, &self.inputs, Self::USED);
        for (i, sum) in sums.into_iter().enumerate() {
            (x, p) = mixer::clip(sum);
            self.set_p[i] = p as u16;
            self.final_inputs[i] = (x >> 4) as i16;
        }
        if W > 1 {
            if let [model] = &mut self.recurrent[..] {
                let mut inputs = [0; GATE_INPUTS];
                inputs[..W].copy_from_slice(&self.final_inputs[..W]);
                inputs[W] = 77;
                inputs[W + 1..][..ssm::INPUTS]
                    .copy_from_slice(&self.inputs[Self::SSM_INPUT..][..ssm::INPUTS]);
                let x = model.gate.mix(tables.gate, inputs, Self::GATE_USED);
                self.final_inputs[W] = (x >> 4) as i16;
            }
            let mut base = 0;
            let mut sum = 0;
            for (i, selector) in Self::PLAN.final_selectors.iter().enumerate() {
                let row = base + self.select(*selector, known);
                base += selector.rows() as u32;
                let weights = &tables.final_weights[row as usize * row_bytes(FINAL_INPUTS)..]
                    [..row_bytes(FINAL_INPUTS)];
                (x, p) = mixer::mix(weights, &self.final_inputs, Self::PLAN.final_used());
                self.final_rows[i] = row as u16;
                self.final_p[i] = p as u16;
                sum += x;
            }
            if Self::PLAN.final_selectors.len() > 1 {
                x = sum / Self::PLAN.final_selectors.len() as i32;
                p = squash(x);
            }
        }

        // Half the mixer's word, half the mean of the refinement stages.
        let mut sum = 0;
        let mut rest = &*tables.stages;
        for (order, &log2) in Self::PLAN.stages.iter().enumerate() {
            let (table, after) = rest.split_at(refinement::bytes(log2));
            let context = stage_contexts[order];
            sum += self.stages[order].refine(table, context, x);
            rest = after;
        }
        let stages = Self::PLAN.stages.len() as u32;
        let p = if stages > 0 { (p * stages + sum) / (2 * stages) } else { p };
        self.p = p.clamp(1, 65535);
    }

    /// The kind of data that the current byte is taken for.
    #[inline(always)]
    fn kind(&self) -> Kind {
        // Known to the compiler where nothing is told apart.
        if Self::PLAN.kinds > 1 { self.kind } else { Kind::Text }
    }

    /// The row of a weight set.
    fn select(&self, selector: Selector, known: u32) -> u32 {
        let r = &self.recent;
        let kind = self.kind();
        let bit_of = |model: &Match| {
            model.expected_bit(r.partial, r.bit_index).map_or(0, |bit| 1 + u32::from(bit))
        };
        let matches = (self.matches.first(), self.matches.last());
        let (first, last) = (matches.0.unwrap_or(&Match::NONE), matches.1.unwrap_or(&Match::NONE));
        match selector {
            Selector::One => 0,
            Selector::Partial => r.partial,
            Selector::Confidence => r.bit_index * 8 + known,
            Selector::Match => match bit_of(first) {
                0 => 0,
                bit => first.length_bucket() * 2 + bit,
            },
            Selector::Matches => {
                (first.length_bucket() * 16 + last.length_bucket()) * 3 + bit_of(last)
            }
            Selector::Classes => {
                (class(r.bytes) * 64 + class(r.bytes >> 8) * 8 + class(r.bytes >> 16)) * 2
                    + u32::from(r.bit_index >= 4)
            }
            Selector::PartialClass => r.partial * 8 + class(r.bytes),
            Selector::Shapes if kind == Kind::Code => r.code.row_by_opcode(),
            Selector::Column if kind == Kind::Code => r.code.row_by_mode(),
            Selector::Shapes => r.shapes & 0xFFF,
            Selector::Last => match self.bitmap.nearest() {
                Some(pixels) if kind == Kind::Data => pixels,
                _ => r.bytes as u32 & 0xFF,
            },
            Selector::Column => u32::from(r.place.column) & 255,
            Selector::Word if kind == Kind::Data => (r.bytes >> 8) as u32 % 256 * 8 + r.bit_index,
            Selector::Word => hash(r.word(), r.bytes as u32 & 0xFF).wrapping_mul(PHI) >> 20,
            Selector::Echo => last.past() * 3 + bit_of(last),
        }
    }
}

/// Coarse character class of the lowest byte, 0 to 7.
fn class(bytes: u64) -> u32 {
    CLASSES[bytes as usize & 0xFF].into()
}

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            0 => 0,
            b'\n' | b'\r' | b' ' => 1,
            b'0'..=b'9' => 2,
            b'A'..=b'Z' => 3,
            b'a'..=b'z' => 4,
            1..=127 => 5,
            128..=254 => 6,
            255 => 7,
        };
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;
    use std::{format, vec};

    /// Resumes a model of level `L` that has learned `content`, and compares
    /// what does not hang on the span that the state space model begins anew.
    macro_rules! goes_on {
        ($level:literal, $content:expr, $code:expr) => {{
            const PLAN: &Plan = &PLANS[$level];
            let mut memory = vec![0; Level::new($level).unwrap().workspace()];
            let mut left = Predictor::<
                $level,
                { PLAN.contexts.len() },
                { PLAN.inputs() },
                { PLAN.matches.len() },
                { PLAN.recurrent() },
                { PLAN.width() },
                { PLAN.selectors.len() },
                { PLAN.byte_runs },
                { PLAN.guesses.len() },
                { PLAN.bitmaps.len() },
            >::BLANK;
            left.start(false, &mut memory);
            for byte in $content {
                (0..8).rev().for_each(|i| left.update(byte >> i & 1 == 1, &mut memory));
            }
            assert_eq!(left.recent.code.found(), $code);
            let mut numbers = Vec::new();
            left.carry(&mut |number| {
                numbers.push(number);
                number
            });
            let mut numbers = numbers.into_iter();
            // A slot that none of the contexts has now stays as it is.
            memory[..SLOT].copy_from_slice(&[1, 2, 3, 4]);
            let mut back = left.clone();
            back.clone_from(&Predictor::BLANK);
            back.carry(&mut |_| numbers.next().unwrap());
            back.go_on(&mut memory);
            assert!(numbers.next().is_none());
            assert_eq!(memory[..SLOT], [1, 2, 3, 4]);
            assert_eq!(format!("{:?}", back.recent), format!("{:?}", left.recent));
            assert_eq!(format!("{:?}", back.matches), format!("{:?}", left.matches));
            assert_eq!(format!("{:?}", back.residuals), format!("{:?}", left.residuals));
            assert_eq!((back.hashes, back.slots), (left.hashes, left.slots));
            assert_eq!((back.histories, back.states), (left.histories, left.states));
            let runs = PLAN.contexts.len() * CONTEXT_INPUTS..;
            assert_eq!(
                back.inputs[runs.clone()][..PLAN.byte_runs],
                left.inputs[runs][..PLAN.byte_runs]
            );
        }};
    }

    #[test]
    fn a_model_of_level_7_goes_on() {
        goes_on!(7, b"a model that has byte runs; a model that has mode", false);
    }

    #[test]
    fn a_model_of_level_5_goes_on() {
        let text = b"the cat sat on the mat,\nthe dog (sat) on the log, ".repeat(20);
        goes_on!(5, &text, false);
        let code = b"\x48\x89\xE5\xE8\x10\x20\x00\x00\x31\xC0".repeat(60);
        // Ends within an instruction.
        goes_on!(5, &code[..597], true);
    }
}
