//! Place: where in the structure of the data the next byte stands, and what
//! stands above it.
//!
//! Data that comes in lines has lines and fields: the byte above is in the line
//! before, the cell is the same field of that line. Other data may have
//! records of a fixed length, which is found by voting: the byte above is one
//! record back.

/// Bytes of the side tables: for each byte value, then for each hash of two bytes,
/// where it last stood and how far before that; then where the fields of two lines
/// begin.
pub(crate) const SIDE: usize = STOOD + 2 * FIELDS * 4;
const STOOD: usize = (256 + 256) * 4;

/// Fields of a line that are told apart.
const FIELDS: usize = 64;
/// Longest record that is looked for, in bytes.
const LONGEST_RECORD: u16 = 1 << 14;
/// Votes that a new record length starts with; a rival's take away twice as many.
const FIRST_VOTES: u8 = 16;
/// Votes of a byte at the same distance twice, and of two bytes.
const BYTE_VOTES: u8 = 1;
const PAIR_VOTES: u8 = 4;
/// Lines longer than this are taken for data without any.
const LONGEST_LINE: u32 = 1000;

/// Where the next byte stands. Positions count all bytes so far, modulo 2^32.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The record length, the votes for it, and another that had some.
    pub(crate) record: u16,
    votes: u8,
    rival: u16,
    /// Where the current line begins, and the one before it.
    line: u32,
    line_before: u32,
    /// Whether there are lines, or else records.
    pub(crate) lines: bool,
    /// Place in its record or line of the next byte.
    pub(crate) column: u16,
    /// The byte above the next one.
    pub(crate) above: u8,
    /// The byte above that; in a line, the one after it.
    pub(crate) above_above: u8,
    /// The byte before the byte above.
    pub(crate) left_above: u8,
    /// The field of its line, below 64, and where that begins.
    pub(crate) field: u8,
    field_start: u32,
    /// Number of the last field of the line before.
    last_field: u8,
    /// Number of the line, as far as it picks the table of its fields.
    odd: bool,
    /// The byte at the same place in the same field of the line before and the
    /// byte after it, or zeros.
    pub(crate) cell: [u8; 2],
}

impl Place {
    pub(crate) const NONE: Self = Self {
        record: 0,
        votes: 0,
        rival: 0,
        line: 0,
        line_before: 0,
        lines: false,
        column: 0,
        above: 0,
        above_above: 0,
        left_above: 0,
        field: 0,
        field_start: 0,
        last_field: 0,
        odd: false,
        cell: [0; 2],
    };

    /// Passes what is known between two bytes through `carry`.
    pub(crate) fn carry(&mut self, carry: &mut impl FnMut(u32) -> u32) {
        for number in [&mut self.record, &mut self.rival, &mut self.column] {
            *number = carry((*number).into()) as u16;
        }
        for number in [&mut self.line, &mut self.line_before, &mut self.field_start] {
            *number = carry(*number);
        }
        let [cell, cell_after] = &mut self.cell;
        let above = [&mut self.above, &mut self.above_above, &mut self.left_above];
        for number in above.into_iter().chain([cell, cell_after, &mut self.votes]) {
            *number = carry((*number).into()) as u8;
        }
        for field in [&mut self.field, &mut self.last_field] {
            *field = carry((*field).into()).min(FIELDS as u32 - 1) as u8;
        }
        for flag in [&mut self.odd, &mut self.lines] {
            *flag = carry((*flag).into()) != 0;
        }
    }

    /// Moves on by `byte`, the last one of `history`; `pos` is the next place, `text`
    /// whether the bytes of late were text.
    pub(crate) fn push(&mut self, byte: u8, pos: u32, text: bool, history: &[u8], side: &mut [u8]) {
        let (stood, starts) = side.split_at_mut(STOOD);
        let last = history[pos.wrapping_sub(2) as usize & (history.len() - 1)];
        // A byte that is repeated says nothing of records.
        if byte != last {
            let (bytes, pairs) = stood.as_chunks_mut().0.split_at_mut(256);
            let pair = last.wrapping_mul(89).wrapping_add(byte); // any odd factor would do
            self.find_record(pos, &mut bytes[usize::from(byte)], BYTE_VOTES);
            self.find_record(pos, &mut pairs[usize::from(pair)], PAIR_VOTES);
        }
        let line_ends = byte == b'\n';
        if line_ends {
            (self.line_before, self.line) = (self.line, pos);
        }
        self.look_above(pos, text, history);
        let starts = starts.as_chunks_mut::<4>().0;
        if line_ends || matches!(byte, b',' | b';' | b'\t' | b'|' | b' ') {
            self.start_field(line_ends, pos, starts);
        }
        self.look_at_cell(pos, history, starts);
    }

    /// Votes for the distance between equal bytes, or pairs of them, as the record
    /// length, when it occurs twice in a row. `stood` is what is known of them.
    fn find_record(&mut self, pos: u32, stood: &mut [u8; 4], votes: u8) {
        // Modulo 2^16: what is farther than that seldom comes twice.
        let known = u32::from_le_bytes(*stood);
        let distance = (pos as u16).wrapping_sub(known as u16);
        let repeats = distance == (known >> 16) as u16;
        if repeats && distance > 1 && distance < LONGEST_RECORD {
            if distance == self.record {
                self.votes = self.votes.saturating_add(votes);
            } else if distance != self.rival {
                self.rival = distance;
            } else if self.votes < 2 * votes {
                (self.record, self.votes) = (distance, FIRST_VOTES);
            } else {
                self.votes -= 2 * votes;
            }
        }
        *stood = (u32::from(distance) << 16 | pos & 0xFFFF).to_le_bytes();
    }

    /// Finds the bytes above the next one: in the line before if there are
    /// lines, else one and two records back.
    fn look_above(&mut self, pos: u32, text: bool, history: &[u8]) {
        let mask = history.len() - 1;
        let column = pos.wrapping_sub(self.line);
        // A line's end in other data is a byte like any.
        self.lines = text
            && column < LONGEST_LINE
            && self.line != 0
            && pos.wrapping_sub(self.line_before) as usize <= mask;
        let (above, above_above) = if self.lines {
            self.column = column as u16;
            // A shorter line ends all columns beyond it.
            let at = self.line_before.wrapping_add(column);
            let short = at.wrapping_sub(self.line) as i32 >= 0;
            let at = if short { self.line.wrapping_sub(1) } else { at };
            (at, at.wrapping_add(1))
        } else {
            let record = u32::from(self.record.max(1));
            self.column = (pos % record) as u16;
            (pos.wrapping_sub(record), pos.wrapping_sub(record * 2))
        };
        let byte = |at: u32| history[at as usize & mask];
        self.above = byte(above);
        self.above_above = byte(above_above);
        self.left_above = byte(above.wrapping_sub(1));
    }

    /// Begins the next field of the line, or the first one of the next line.
    fn start_field(&mut self, line_ends: bool, pos: u32, starts: &mut [[u8; 4]]) {
        if line_ends {
            (self.last_field, self.field) = (self.field, 0);
            self.odd = !self.odd;
        } else {
            self.field = (self.field + 1).min(FIELDS as u8 - 1);
        }
        self.field_start = pos;
        starts[usize::from(self.odd) * FIELDS + usize::from(self.field)] = pos.to_le_bytes();
    }

    /// Finds the cell of the next byte.
    fn look_at_cell(&mut self, pos: u32, history: &[u8], starts: &[[u8; 4]]) {
        let mask = history.len() - 1;
        let start = starts[usize::from(!self.odd) * FIELDS + usize::from(self.field)];
        let into = pos.wrapping_sub(self.field_start);
        let at = u32::from_le_bytes(start).wrapping_add(into);
        let known = self.line != 0 && self.field <= self.last_field;
        self.cell = if known && pos.wrapping_sub(at) as usize <= mask {
            [at, at.wrapping_add(1)].map(|at| history[at as usize & mask])
        } else {
            [0; 2]
        };
    }
}
