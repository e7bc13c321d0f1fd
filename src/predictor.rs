//! The predictor: the probability of the next bit, and learning from it.
//!
//! `p` and `update` are all that encoder and decoder use, and both use the
//! same. A bit takes the way n-gram tables and match models -> mixers ->
//! final mixer -> refinement; all of it is integer arithmetic on memory that
//! the caller passes in.

use crate::bit_history::RUN;
use crate::logistic::stretch;
use crate::matching::{self, Match};
use crate::mixer::{self, Rate, row_bytes};
use crate::ngram::{LINE, SLOT, find_slot, hash, line_of, map, next_state};
use crate::plan::{
    CONTEXT_INPUTS, Context, FINAL_INPUTS, Layout, MATCH_INPUTS, PLANS, Plan, Selector,
};
use crate::refinement::{self, Stage};
use crate::ssm::{self, Ssm};

/// Most weight sets of any level.
const MAX_SETS: usize = 7;
/// Most refinement stages of any level.
const MAX_STAGES: usize = 4;

/// Learning rates in units of 2^-19 for each unit of error and input.
const MIX_RATE: Rate = Rate { base: 800, boost: 8000 };
/// First weight of the state space model, Q14.
const SSM_WEIGHT: i16 = 4096;
const FINAL_RATE: Rate = Rate { base: 800, boost: 8000 };

/// What the predictor remembers of the bytes so far, beside the tables.
#[derive(Clone, Debug, Default)]
struct Recent {
    /// The current byte's bits with a leading 1.
    partial: u32,
    /// Bits of the current byte known, 0..8.
    bit_index: u32,
    /// The last eight bytes, the newest lowest.
    bytes: u64,
    /// Number of whole bytes so far, modulo 2^32.
    pos: u32,
    /// Hashes of the current word and of the two before it.
    words: [u32; 3],
    /// Bytes that are no letters, hashed, and the distance to the last one.
    separators: u32,
    /// The distance between records, and the byte above.
    period: u32,
    votes: u32,
    rival: u32,
    line_start: u32,
    line_before: u32,
    above: u32,
    above2: u32,
    column: u32,
}

/// The model of level `L`, with `N` contexts and `M` mixer inputs (both follow
/// from the level). Its tables live in a slice passed to each call, always the
/// same one.
#[derive(Clone, Debug)]
pub(crate) struct Predictor<const L: usize, const N: usize, const M: usize> {
    p: u32,
    recent: Recent,
    hashes: [u32; N],
    lines: [u32; N],
    slots: [u32; N],
    /// The slots' contents.
    histories: [[u8; SLOT]; N],
    states: [u8; N],
    matches: [Match; 2],
    inputs: [i16; M],
    rows: [u32; MAX_SETS],
    set_p: [u32; MAX_SETS],
    final_inputs: [i16; FINAL_INPUTS],
    final_p: u32,
    final_row: u32,
    stages: [Stage; MAX_STAGES],
    ssm: Ssm,
}

/// The memory of a level, cut into its tables.
struct Tables<'a> {
    slots: &'a mut [u8],
    maps: &'a mut [[u8; map::ENTRY]],
    weights: &'a mut [u8],
    final_weights: &'a mut [u8],
    stages: &'a mut [u8],
    matches: &'a mut [u8],
    history: &'a mut [u8],
    side: &'a mut [u8],
    ssm: &'a mut [u8],
}

impl<const L: usize, const N: usize, const M: usize> Predictor<L, N, M> {
    const PLAN: &'static Plan = {
        let plan = &PLANS[L];
        assert!(plan.contexts.len() == N && plan.inputs() == M);
        assert!(plan.selectors.len() <= MAX_SETS && plan.stages.len() <= MAX_STAGES);
        plan
    };
    const LAYOUT: Layout = Self::PLAN.layout();
    /// The first input of the state space model.
    const SSM_INPUT: usize = N * CONTEXT_INPUTS + Self::PLAN.matches.len() * MATCH_INPUTS + 1;

    #[inline]
    fn tables(memory: &mut [u8]) -> Tables<'_> {
        let layout = &Self::LAYOUT;
        let total = memory.len();
        // Slots first: their lines want the alignment of the slice.
        let (slots, rest) = memory.split_at_mut(layout.slots(total));
        let (maps, rest) = rest.split_at_mut(layout.maps);
        let (weights, rest) = rest.split_at_mut(layout.weights);
        let (final_weights, rest) = rest.split_at_mut(layout.final_weights);
        let (stages, rest) = rest.split_at_mut(layout.stages);
        let (matches, rest) = rest.split_at_mut(layout.matches);
        let (history, rest) = rest.split_at_mut(layout.history);
        let (side, rest) = rest.split_at_mut(layout.side);
        Tables {
            slots,
            maps: maps.as_chunks_mut().0,
            weights,
            final_weights,
            stages,
            matches,
            history,
            side,
            ssm: &mut rest[..layout.ssm],
        }
    }

    /// A fresh model in `memory`, which must be zero.
    pub(crate) fn new(memory: &mut [u8]) -> Self {
        let tables = Self::tables(memory);
        map::reset(tables.maps);
        mixer::reset(tables.weights, M, |i| {
            if Self::PLAN.ssm.is_some() && i == Self::SSM_INPUT {
                SSM_WEIGHT
            } else if i < N {
                (16384 * 3 / (N + 6)) as i16
            } else {
                0
            }
        });
        let sets = Self::PLAN.selectors.len();
        mixer::reset(tables.final_weights, FINAL_INPUTS, |i| {
            if i < sets { (16384 / sets) as i16 } else { 0 }
        });
        let mut rest = tables.stages;
        for &log2 in Self::PLAN.stages {
            let (stage, after) = rest.split_at_mut(refinement::bytes(log2));
            refinement::reset(stage);
            rest = after;
        }
        let mut rest = tables.matches;
        let log2 = Self::PLAN.match_log2;
        for _ in Self::PLAN.matches {
            let (model, after) = rest.split_at_mut(matching::bytes(log2, Self::PLAN.history));
            matching::reset(matching::tables(model).1);
            rest = after;
        }
        let mut predictor = Self {
            p: 32768,
            recent: Recent { partial: 1, ..Recent::default() },
            hashes: [0; N],
            lines: [0; N],
            slots: [0; N],
            histories: [[0; SLOT]; N],
            states: [0; N],
            matches: [Match::default(); 2],
            inputs: [0; M],
            rows: [0; MAX_SETS],
            set_p: [32768; MAX_SETS],
            final_inputs: [0; FINAL_INPUTS],
            final_p: 32768,
            final_row: 0,
            stages: [Stage::default(); MAX_STAGES],
            ssm: match &Self::PLAN.ssm {
                Some(plan) => Ssm::new(&plan.shape(), Self::tables(memory).ssm),
                None => Ssm::default(),
            },
        };
        predictor.start_byte(&mut Self::tables(memory));
        predictor.predict(&mut Self::tables(memory));
        predictor
    }

    /// Probability that the next bit is 1, Q16 within `1..=65535`.
    #[inline]
    pub(crate) fn p(&self) -> u32 {
        self.p
    }

    /// Learns the bit and predicts the next one.
    pub(crate) fn update(&mut self, bit: bool, memory: &mut [u8]) {
        let tables = &mut Self::tables(memory);
        self.learn(bit, tables);
        let recent = &mut self.recent;
        recent.partial = recent.partial << 1 | u32::from(bit);
        recent.bit_index += 1;
        if recent.bit_index == 8 {
            let byte = recent.partial as u8;
            if let Some(plan) = &Self::PLAN.ssm {
                self.ssm.end_byte(&plan.shape(), byte, tables.ssm);
            }
            self.push(byte, tables);
            self.start_byte(tables);
        } else if recent.bit_index.is_multiple_of(2) {
            self.pick_slots(tables);
        }
        self.predict(tables);
    }

    /// Takes note of a byte that was coded without the model.
    pub(crate) fn skip(&mut self, byte: u8, memory: &mut [u8]) {
        let tables = &mut Self::tables(memory);
        self.push(byte, tables);
        self.start_byte(tables);
        self.predict(tables);
    }

    /// Puts a whole byte into the history.
    fn push(&mut self, byte: u8, tables: &mut Tables) {
        let r = &mut self.recent;
        let mask = tables.history.len() - 1;
        tables.history[r.pos as usize & mask] = byte;
        r.pos = r.pos.wrapping_add(1);
        let c1 = byte as u32;
        let c2 = r.bytes as u32 & 0xFF;
        r.bytes = r.bytes << 8 | u64::from(byte);
        r.partial = 1;
        r.bit_index = 0;

        let lower = byte.to_ascii_lowercase();
        if lower.is_ascii_lowercase() || byte >= 128 {
            r.words[0] = hash(r.words[0], u32::from(lower) + 1);
        } else {
            if r.words[0] != 0 {
                r.words = [0, r.words[0], r.words[1]];
            }
            r.separators = (r.separators << 8 | c1) & 0x00FF_FFFF;
        }

        if tables.side.is_empty() {
            return;
        }
        // What followed c2 the last two times.
        let (followed, stood) = tables.side.split_at_mut(1024);
        let entry = &mut followed.as_chunks_mut::<4>().0[c2 as usize];
        let seen = u32::from_le_bytes(*entry) << 8 | c1;
        *entry = seen.to_le_bytes();

        // Record length: the distance between equal bytes, when it repeats.
        let entry = &mut stood.as_chunks_mut::<8>().0[c1 as usize];
        let last = u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        let before = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        let distance = r.pos.wrapping_sub(last);
        if distance > 1 && distance == before && distance < 1 << 14 {
            if distance == r.period {
                r.votes = (r.votes + 1).min(255);
            } else if distance == r.rival {
                if r.votes < 2 {
                    r.period = distance;
                    r.votes = 16;
                } else {
                    r.votes -= 2;
                }
            } else {
                r.rival = distance;
            }
        }
        entry[..4].copy_from_slice(&r.pos.to_le_bytes());
        entry[4..].copy_from_slice(&distance.to_le_bytes());

        if byte == b'\n' {
            r.line_before = r.line_start;
            r.line_start = r.pos;
        }
        let line = r.pos.wrapping_sub(r.line_start);
        let text =
            line < 1000 && r.line_start != 0 && r.pos.wrapping_sub(r.line_before) as usize <= mask;
        let (above, above2, column) = if text {
            let at = r.line_before.wrapping_add(line);
            let at = if at.wrapping_sub(r.line_start) as i32 >= 0 {
                r.line_start.wrapping_sub(1)
            } else {
                at
            };
            (at, at.wrapping_add(1), line)
        } else {
            let period = r.period.max(1);
            (r.pos.wrapping_sub(period), r.pos.wrapping_sub(period * 2), r.pos % period)
        };
        r.above = u32::from(tables.history[above as usize & mask]);
        r.above2 = u32::from(tables.history[above2 as usize & mask]);
        r.column = column;
    }

    /// Sets up the contexts of a new byte.
    fn start_byte(&mut self, tables: &mut Tables) {
        let r = &self.recent;
        let mut rest = &mut *tables.matches;
        let log2 = Self::PLAN.match_log2;
        for (model, &min) in self.matches.iter_mut().zip(Self::PLAN.matches) {
            let (bytes, after) = rest.split_at_mut(matching::bytes(log2, Self::PLAN.history));
            let (table, _) = matching::tables(bytes);
            let mut h = min;
            if min <= 8 {
                let low = r.bytes << (64 - 8 * min);
                h = hash(hash(h, low as u32), (low >> 32) as u32);
            } else {
                let mask = tables.history.len() - 1;
                for i in 1..=min {
                    h = hash(h, u32::from(tables.history[r.pos.wrapping_sub(i) as usize & mask]));
                }
            }
            if r.pos >= min {
                model.next_byte(table, tables.history, r.pos, h.wrapping_mul(0x9E37_79B1), min);
            }
            rest = after;
        }
        let expected = self.matches[0]
            .expected_byte()
            .map_or(0, |b| 1 + u32::from(b) + 256 * self.matches[0].length_bucket());
        let followed = if tables.side.is_empty() {
            0
        } else {
            u32::from_le_bytes(tables.side.as_chunks::<4>().0[(r.bytes & 0xFF) as usize])
        };
        let foreseen = self.matches[0]
            .expected_byte()
            .map_or(0, |b| 1 + u32::from(b) + 256 * (self.matches[0].length_bucket() / 4));
        let hash_of = |i: usize, context: Context| {
            let c1 = r.bytes as u32 & 0xFF;
            let masked = |bytes: u64, i: u32| hash(hash(i, bytes as u32), (bytes >> 32) as u32);
            let i = (i as u32 + 1) << 16;
            match context {
                Context::Order(0) => i,
                Context::Order(n) => masked(r.bytes << (64 - 8 * n) >> (64 - 8 * n), i),
                Context::Word => hash(hash(i, r.words[0]), if r.words[0] == 0 { c1 } else { 0 }),
                Context::WordPair => hash(hash(hash(i, r.words[0]), r.words[1]), c1),
                Context::WordSkip => hash(hash(hash(i, r.words[0]), r.words[2]), c1),
                Context::Separators => hash(hash(i, r.separators), r.words[0].min(1)),
                Context::Indirect => hash(hash(i, followed & 0xFFFF), c1),
                Context::Expected => hash(hash(i, expected), c1),
                Context::Sparse(mask) => {
                    let mut m = 0;
                    for b in 0..8 {
                        if mask >> b & 1 == 1 {
                            m |= 0xFF << (8 * b);
                        }
                        if mask >> (8 + b) & 1 == 1 {
                            m |= 0xF0 << (8 * b);
                        }
                    }
                    masked(r.bytes & m, i)
                }
                Context::Above => hash(hash(hash(i, r.above), c1), 0),
                Context::Column => hash(hash(hash(i, r.above), r.column), 0),
                Context::TwoAbove => hash(hash(hash(i, r.above), r.above2), 0),
                Context::Foreseen => hash(hash(i, foreseen), 0),
                Context::LastWord => hash(hash(i, r.words[1]), 0),
            }
        };
        for (i, (h, context)) in self.hashes.iter_mut().zip(Self::PLAN.contexts).enumerate() {
            *h = hash_of(i, *context);
        }
        if let Some(plan) = &Self::PLAN.ssm {
            let mut hashes = [0; ssm::MAX_CONTEXTS];
            let hashes = &mut hashes[..plan.contexts.len()];
            for (i, (h, context)) in hashes.iter_mut().zip(plan.contexts).enumerate() {
                *h = hash_of(i, *context);
            }
            self.ssm.start_byte(&plan.shape(), r.bytes as u8, hashes, tables.ssm);
        }
        self.pick_slots(tables);
    }

    /// Finds the slots for the next two bits of the byte.
    fn pick_slots(&mut self, tables: &mut Tables) {
        let (lines, _) = tables.slots.as_chunks_mut::<LINE>();
        let partial = self.recent.partial;
        if self.recent.bit_index.is_multiple_of(4) {
            // Touch all lines before any is looked into: the misses overlap.
            let mut touched = 0;
            for (line, h) in self.lines.iter_mut().zip(self.hashes) {
                *line = line_of(lines.len(), hash(h, partial));
                touched ^= lines[*line as usize / LINE][0];
            }
            core::hint::black_box(touched);
        }
        for (i, (h, line)) in self.hashes.iter().zip(self.lines).enumerate() {
            let h = hash(*h, partial).wrapping_mul(0x2C1B_3C6D);
            let (slot, history) = find_slot(&mut lines[line as usize / LINE], h);
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

    fn learn(&mut self, bit: bool, tables: &mut Tables) {
        let target = if bit { 65536 } else { 0 };
        let r = &self.recent;

        if Self::PLAN.ssm.is_some() {
            self.ssm.learn(bit, self.p);
        }
        let mut rest = &mut *tables.stages;
        for (stage, &log2) in self.stages.iter().zip(Self::PLAN.stages) {
            let (table, after) = rest.split_at_mut(refinement::bytes(log2));
            stage.update(table, bit, 6);
            rest = after;
        }

        if Self::PLAN.selectors.len() > 1 {
            let row = &mut tables.final_weights
                [self.final_row as usize * row_bytes(FINAL_INPUTS)..][..row_bytes(FINAL_INPUTS)];
            mixer::learn(row, &self.final_inputs, target - self.final_p as i32, FINAL_RATE);
        }
        for (&row, &p) in self.rows.iter().zip(&self.set_p).take(Self::PLAN.selectors.len()) {
            let row = &mut tables.weights[row as usize * row_bytes(M)..][..row_bytes(M)];
            mixer::learn(row, &self.inputs, target - p as i32, MIX_RATE);
        }

        let mut rest = &mut *tables.matches;
        let log2 = Self::PLAN.match_log2;
        for (model, _) in self.matches.iter_mut().zip(Self::PLAN.matches) {
            let (bytes, after) = rest.split_at_mut(matching::bytes(log2, Self::PLAN.history));
            let (_, maps) = matching::tables(bytes);
            model.update(maps, r.partial, r.bit_index, bit);
            rest = after;
        }

        let node = self.node();
        let (maps, _) = tables.maps.as_chunks_mut::<256>();
        for (i, ((&slot, &state), history)) in
            self.slots.iter().zip(&self.states).zip(&mut self.histories).enumerate()
        {
            let map = &mut maps[i.min(Self::PLAN.maps - 1)];
            map::update(&mut map[usize::from(state)], bit, 255);
            let next = next_state(state, bit);
            history[node] = next;
            tables.slots[slot as usize + node] = next;
        }
    }

    fn predict(&mut self, tables: &mut Tables) {
        let node = self.node();
        let r = &self.recent;
        let mut known = 0;
        let (inputs, others) = self.inputs.split_at_mut(N * CONTEXT_INPUTS);
        let (sts, inputs) = inputs.split_at_mut(N);
        let (leans, runs) = inputs.split_at_mut(N);
        let (maps, _) = tables.maps.as_chunks::<256>();
        for (i, history) in self.histories.iter().enumerate() {
            let map = &maps[i.min(Self::PLAN.maps - 1)];
            let state = history[node];
            self.states[i] = state;
            known += u32::from(i < 7 && state != 0);
            let p = map::p(map[usize::from(state)]);
            sts[i] = stretch(p);
            leans[i] = ((i32::from(p) - 32768) >> 5) as i16;
            runs[i] = sts[i] & RUN[usize::from(state)];
        }
        let mut rest = &mut *tables.matches;
        let (matches, bias) = others.split_at_mut(Self::PLAN.matches.len() * MATCH_INPUTS);
        let log2 = Self::PLAN.match_log2;
        for (model, input) in self.matches.iter_mut().zip(matches.as_chunks_mut::<MATCH_INPUTS>().0)
        {
            let (bytes, after) = rest.split_at_mut(matching::bytes(log2, Self::PLAN.history));
            let (_, maps) = matching::tables(bytes);
            *input = model.predict(maps, r.partial, r.bit_index);
            rest = after;
        }
        bias[0] = 256;
        if let Some(plan) = &Self::PLAN.ssm {
            let inputs = self.ssm.predict(&plan.shape(), r.partial, tables.ssm);
            bias[1..=ssm::INPUTS].copy_from_slice(&inputs);
        }

        let mut base = 0;
        let (mut x, mut p) = (0, 32768);
        for (i, selector) in Self::PLAN.selectors.iter().enumerate() {
            let row = base + self.select(*selector, known);
            base += selector.rows() as u32;
            let weights = &tables.weights[row as usize * row_bytes(M)..][..row_bytes(M)];
            (x, p) = mixer::mix(weights, &self.inputs);
            self.rows[i] = row;
            self.set_p[i] = p;
            self.final_inputs[i] = (x >> 4) as i16;
        }
        if Self::PLAN.selectors.len() > 1 {
            self.final_row = self.select(Self::PLAN.final_selector, known);
            let row = &tables.final_weights[self.final_row as usize * row_bytes(FINAL_INPUTS)..]
                [..row_bytes(FINAL_INPUTS)];
            (x, p) = mixer::mix(row, &self.final_inputs);
            self.final_p = p;
        }

        // Half the mixer's word, half the mean of the refinement stages.
        let mut sum = 0;
        let mut rest = &*tables.stages;
        let r = &self.recent;
        for (order, &log2) in Self::PLAN.stages.iter().enumerate() {
            let (table, after) = rest.split_at(refinement::bytes(log2));
            let context = match order {
                0 => r.partial,
                n => {
                    let bytes = r.bytes as u32 & (u32::MAX >> (32 - 8 * n));
                    hash(hash(n as u32, bytes), r.partial).wrapping_mul(0x9E37_79B1) >> (32 - log2)
                }
            };
            sum += self.stages[order].refine(table, context, x);
            rest = after;
        }
        let stages = Self::PLAN.stages.len() as u32;
        let p = if stages > 0 { (p * stages + sum) / (2 * stages) } else { p };
        self.p = p.clamp(1, 65535);
    }

    /// The row of a weight set.
    fn select(&self, selector: Selector, known: u32) -> u32 {
        let r = &self.recent;
        let class = |byte: u64| match byte as u8 {
            0 => 0,
            b'\n' | b'\r' | b' ' => 1,
            b'0'..=b'9' => 2,
            b'A'..=b'Z' => 3,
            b'a'..=b'z' => 4,
            1..=127 => 5,
            128..=254 => 6,
            255 => 7,
        };
        match selector {
            Selector::One => 0,
            Selector::Partial => r.partial,
            Selector::Confidence => r.bit_index * 8 + known,
            Selector::Match => match self.matches[0].expected_bit(r.partial, r.bit_index) {
                None => 0,
                Some(bit) => 1 + self.matches[0].length_bucket() * 2 + u32::from(bit),
            },
            Selector::Classes => {
                (class(r.bytes) * 64 + class(r.bytes >> 8) * 8 + class(r.bytes >> 16)) * 2
                    + u32::from(r.bit_index >= 4)
            }
            Selector::Last => r.bytes as u32 & 0xFF,
            Selector::Column => r.column & 255,
        }
    }
}
