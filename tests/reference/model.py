"""The model: docs/model.md, sections 2 to 13 and 18.

Written from the document alone. Numbers in comments are its sections.
Tables are made lazily where they are large; that changes no value.
"""

from operator import mul

from basics import (
    PHI,
    STRETCH,
    U32,
    Row,
    Table,
    clamp,
    hash1,
    hash64,
    hashes,
    ones,
    squash,
)
from bitmaps import Bitmaps, bitmap_bytes
from residuals import Residuals, residual_bytes
from state_space import Gate, StateSpace, ssm_bytes
from words import Speller

# 3. Levels

TEXT, DATA, CODE = range(3)  # kinds of data

# Text | data | machine code
FULL = """
Order 2 | Order 2 | Order 2
Order 3 | Order 3 | Order 3
Order 4 | Order 4 | Order 4
Order 6 | Order 6 | Order 6
Word | c6 | Word
WordPair | c3 | Instruction 0
WordSkip | Order 1 | Instruction 1
Separators | Separators | Registers
Expected | Expected | Expected
Enclosed | c2 | c2
LineWord | c3c4 | c3c4
Cell | c5c6 | c5c6
Indirect | nibbles | nibbles
Indent | TwoAbove | InstructionSkip
EchoAfter | EchoAfter | EchoAfter
Square | Square | Opcodes
CellAfter | Quad | Before
Nesting | Echo | Instruction 2
Outline | Outline | Outline
ColumnPair | Shapes | Quad
Shapes | c1c4 | Echo
Order 0 | Slope | Slope
WordTriple | Indirect | Indirect
LastName | EchoOn | EchoOn
Order 1 | c2c4 | c2c4
OutlineSeparator | OutlineSeparator | OutlineSeparator
NestedPair | c4c8 | NestedPair
Order 5 | Order 5 | Order 5
EchoShapes | EchoShapes | EchoShapes
WordsBefore | Word | WordsBefore
EchoOn | Cell | Instruction 3
c2c3 | c2c3 | c2c3
Vowels | c4 | c4
Echo | CellAfter | CellAfter
IndirectPair | IndirectPair | IndirectPair
WordLeap | c1c3 | c1c3
c2 | Gradient | Gradient
EchoPair | EchoPair | EchoPair
Above | Above | Above
Column | Column | Column
Order 7 | Order 7 | Order 7
TwoAbove | WordTriple | WordTriple
"""
ALL = """
Order 2 | Order 2 | Order 2
Order 3 | Order 3 | Order 3
Word | Quad | Instruction 1
Foreseen | Foreseen | Foreseen
Order 4 | Order 4 | Order 4
c2c3 | c2c3 | c2c3
Column | Column | Registers
Outline | nibbles | nibbles
LastWord | c4 | Instruction 2
Order 6 | Order 6 | Order 6
WordPair | c3 | Instruction 0
Above | Above | Opcodes
WordSkip | Echo | InstructionSkip
LineWord | Square | Before
Nesting | TwoAbove | Instruction 3
Indirect | CellAfter | Expected
"""


def lists(*of_kinds):
    """Of each kind that the level tells apart."""
    return [names.split(", ") for names in of_kinds]


def places(table, count):
    """The lists of the kinds, of as many of the places."""
    rows = [row.split(" | ") for row in table.strip().split("\n")[:count]]
    return [list(names) for names in zip(*rows)]


CONTEXTS = {
    "A": lists("Order 0, Order 1"),
    "B": lists("Order 0, Order 1, Order 2"),
    "C": lists(
        "Order 0, Order 1, Order 2, Order 3, Word, Echo",
        "Order 0, Order 1, Order 2, Order 3, Quad, Echo",
    ),
    "D": lists(
        "Order 0, Order 1, Order 2, Order 3, Indent, Word, Separators, CellAfter, Nesting, Echo",
        "Order 0, Order 1, Order 2, Order 3, Word, c3, c2, Column, Quad, Echo",
    ),
    "LEAN": lists(
        "Order 1, Order 2, Order 3, Order 4, WordPair, Word, Separators, Nesting, CellAfter",
        "Order 1, Order 2, Order 3, Order 4, Order 5, c3, c2c3, Echo, Quad",
    ),
    "SWIFT": places(FULL, 19),
    "RICH": places(FULL, 21),
    "WIDE": places(FULL, 23),
    "FULL": places(FULL, 42),
    "FEW": lists(*["Order 2, Order 3, Word, Foreseen, Column"] * 2),
    "SOME": places(ALL, 8),
    "ALL": places(ALL, 16),
}


# 18. Numbered words
WORDS_FOR_TEXT = {
    "D": lists(
        "Order 0, Letters 1, Letters 2, Letters 3, Indent, Word, Separators, s2, Nesting, Echo"
    ),
    "LEAN": lists(
        "Letters 1, Letters 2, Letters 3, Letters 4, WordPair, Word, Separators, Nesting, s2"
    ),
}
IN_PLACE = {
    **{f"Order {n}": f"Letters {n}" for n in range(2, 8)},
    "Indirect": "Letters 1", "Cell": "s2", "c2c3": "s2s3", "CellAfter": "ColumnPair",
    "ColumnPair": "s1s2s3", "Order 1": "s1s2s3s4", "c2": "s3",
}  # fmt: skip


def contexts(name, words):
    """The lists of the kinds of data, with numbered words or without."""
    kinds = CONTEXTS[name]
    if not words:
        return kinds
    texts = WORDS_FOR_TEXT.get(name) or [[IN_PLACE.get(n, n) for n in kinds[TEXT]]]
    return texts + kinds[1:]


def list_length(name):
    """That of any kind."""
    return len(CONTEXTS[name][TEXT])


SETS = {
    "none": [],
    "ONE": ["One"],
    "TWO": ["Match", "Confidence"],
    "TINY": ["Match", "Confidence", "Partial", "Echo"],
    "SMALL": ["PartialClass", "Matches", "Classes", "Echo"],
    "FINE": ["PartialClass", "Shapes", "Word", "Column", "Echo"],
    "DEEP": ["PartialClass", "Shapes", "Word", "Column", "Echo", "Matches", "Last"],
    "COARSE": ["PartialClass", "Classes", "Last", "Column", "Echo", "Matches"],
    "PAIR": ["Partial", "Confidence"],
    "THREE": ["Partial", "Match", "Classes"],
    "FOUR": ["Partial", "Confidence", "Match", "Classes"],
    "One": ["One"],
    "Partial": ["Partial"],
}

SET_ROWS = {
    "One": 1, "Partial": 256, "PartialClass": 2048, "Confidence": 64, "Match": 33, "Matches": 768,
    "Echo": 192, "Classes": 1024, "Shapes": 4096, "Last": 256, "Word": 4096, "Column": 256,
}  # fmt: skip

# (m, m', patience, u)
LONG = (5, 16, 32, 4)
THREE = [(5, 5, 32, 4), (12, 12, 32, 4), LONG]
# With numbered words
LONG_WORDS = (3, 16, 32, 4)
TWO_WORDS = [(3, 3, 8, 4), LONG_WORDS]
THREE_WORDS = [(3, 3, 32, 4), (7, 7, 32, 4), LONG_WORDS]

# contexts, weight sets, final mixers, refinement, h, match models, positions, SSM, M, slot lines
LEVELS = [
    ("A", "ONE", "none", [], 11, [(4, 8, 16, 4)], 9, None, 16, 47),
    ("B", "TWO", "One", [], 12, [(5, 16, 32, 5)], 10, None, 16, 299),
    ("C", "TWO", "One", [], 14, [(4, 16, 32, 4)], 12, None, 24, 1237),
    ("D", "TINY", "Partial", [8], 16, [(4, 4, 8, 4), LONG], 14, ("FEW", 16, 11, 16), 48, 2595),
    ("LEAN", "SMALL", "PAIR", [8, 10], 17, [(6, 6, 8, 4), LONG], 14, ("SOME", 16, 13, 32), 40,
     15569),
    ("RICH", "COARSE", "FOUR", [8, 11, 11], 20, THREE, 17, ("SOME", 16, 14, 32), 80, 61879),
    ("SWIFT", "FINE", "THREE", [8, 11, 12], 22, THREE, 19, ("ALL", 64, 15, 32), 72, 244802),
    ("WIDE", "FINE", "THREE", [8, 11, 12], 24, THREE, 21, ("ALL", 64, 17, 32), 88, 1114890),
    ("FULL", "DEEP", "FOUR", [8, 11, 12], 26, THREE, 23, ("ALL", 64, 19, 32), 160, 4587301),
    ("FULL", "DEEP", "FOUR", [8, 11, 12], 28, THREE, 25, ("ALL", 64, 21, 32), 160, 18595621),
]  # fmt: skip

GUESSES = ["EchoLine", "Record", "Gradient", "RecordLine", "Echo", "EchoLineBig"]


def guesses(level):
    if level == 1:
        return ["EchoLineCoarse"]
    return GUESSES[: (0, 0, 3, 4, 6, 6, 4, 4, 6, 6)[level]]


# log2 of the entries of each template of bitmaps
TEMPLATE_LOGS = [[], [], [10], [10], [10, 13, 13], [10, 14, 14]] + [[10, 16, 16]] * 4


def map_count(level):
    return 1 if level < 2 else list_length(LEVELS[level][0])


def run_count(level):
    """`runs` of section 1."""
    return {7: 6, 8: 19, 9: 19}.get(level, 0)


# 6. Bit histories

LARGEST = [20, 48, 15, 8, 6, 5]


def allowed(n0, n1):
    small, large = min(n0, n1), max(n0, n1)
    return small <= 5 and large <= LARGEST[small]


def has_last(n0, n1):
    return n0 > 0 and n1 > 0 and n0 + n1 <= 17


def history_states():
    states = []
    for total in range(50):
        for n1 in range(total + 1):
            n0 = total - n1
            if allowed(n0, n1):
                states += [(n0, n1, last) for last in ((0, 1) if has_last(n0, n1) else (0,))]
    return states


def successor(state, y):
    n = [state[0], state[1]]
    n[y] += 1
    other = n[1 - y]
    n[1 - y] = 7 if other > 7 else other - 1 if other > 5 else other
    while not allowed(n[0], n[1]):
        large = 0 if n[0] >= n[1] else 1
        a, b = n[large], n[1 - large]
        if b < 2:
            a -= 1
        else:
            a = (a * (b - 1) + b // 2) // b
            b -= 1
        n[large], n[1 - large] = a, b
    return (n[0], n[1], y if has_last(n[0], n[1]) else 0)


STATES = history_states()
NUMBER = {state: number for number, state in enumerate(STATES)}
NEXT = [[NUMBER[successor(state, y)] for y in (0, 1)] for state in STATES]
NEXT.append([0, 0])  # 255 is no state, but a byte run may leave it in a slot
ONE_SIDED = [(n0 == 0) != (n1 == 0) for n0, n1, _ in STATES] + [False]
assert len(STATES) == 255 and STATES[254] == (1, 48, 0) and NEXT[254] == [86, 254]


# 7. Adaptive maps


def first_entry(s):
    n0, n1 = STATES[s][:2] if s < 255 else (0, 0)
    return ((65536 * (10 * n1 + 4)) // (10 * (n0 + n1) + 8)) << 16


def learn_entry(entries, x, bit, limit):
    p, n = entries[x] >> 10, entries[x] & 1023
    p += (((4194303 if bit else 0) - p) * (655360 // (10 * n + 16))) >> 16
    entries[x] = p << 10 | min(n + 1, limit)


# 8. What is remembered of the bytes


def shape(c):
    if 48 <= c <= 57:
        return 1
    if 97 <= c <= 122:
        return 2
    if 65 <= c <= 90:
        return 3
    if c >= 128:
        return 4
    if c == 0:
        return 5
    return 6 + c % 2 if c < 32 else 8 + c % 8


def lower(c):
    return c + 32 if 65 <= c <= 90 else c


def is_letter(c):
    return 97 <= lower(c) <= 122 or c >= 128


class Text:
    """What lines and words of text say."""

    def __init__(self):
        self.votes, self.indenting = 128, True
        self.before = self.indent = 0
        self.enclosed = self.third = self.name = self.first = 0
        self.letters = self.vowels = 0
        self.capital = False

    def found(self):
        return self.votes >= 128

    def push(self, c, words):
        """The words are those from before c came to them."""
        if c < 9 or c in (11, 12) or 14 <= c <= 31:
            self.votes = max(self.votes - 32, 0)
        else:
            self.votes = min(self.votes + 1, 255)

        if c == 10:
            self.before, self.indent, self.indenting = self.indent, 0, True
        elif c in b" \t" and self.indenting:
            self.indent = min(self.indent + 1, 255)
        else:
            self.indenting = False

        if c in b'([{<"':
            self.enclosed = hash1(1, c)
        elif c in b")]}>":
            self.enclosed = 0
        elif self.enclosed != 0:
            self.enclosed = hash1(self.enclosed, lower(c) + 1)

        if is_letter(c):
            self.push_letter(c, words[0] == 0)
        elif words[0] != 0:
            self.end_word(words)
        if c == 10:
            self.first = 0

    def push_letter(self, c, begins):
        if begins:
            self.letters = self.vowels = 0
            self.capital = 65 <= c <= 90
        self.letters = min(self.letters + 1, 255)
        self.vowels = (self.vowels << 1 | (lower(c) in b"aeiouy")) & 255

    def end_word(self, words):
        self.third, self.letters = words[2], 0
        if self.capital:
            self.name = words[0]
        if self.first == 0:
            self.first = words[0]


PREFIXES = bytes.fromhex("262E363E646567F0F2F3")


def first_opcodes():
    """(m1, i1) of the opcodes of one byte."""
    table = [(0, 0)] * 256
    for c in range(0x40):
        low = c & 7
        if low < 4:
            table[c] = (1, 0)
        elif low == 4:
            table[c] = (0, 1)
        elif low == 5:
            table[c] = (0, 4)
    for value, listed in [
        ((1, 0), "62-63 84-8F D0-D3 D8-DF F6-F7 FE-FF"),
        ((1, 1), "6B-6B 80-80 83-83 C0-C1 C6-C6"),
        ((1, 4), "69-69 81-81 C7-C7"),
        ((0, 1), "6A-6A 70-7F A8-A8 B0-B7 CD-CD E0-E7 EB-EB"),
        ((0, 2), "C2-C2"),
        ((0, 4), "68-68 A9-A9 B8-BF E8-E9"),
    ]:
        fill(table, value, listed)
    return table


def second_opcodes():
    """(m2, i2) of the opcodes after 0F."""
    table = [(1, 0)] * 256
    fill(table, (1, 1), "70-73 A4-A4 AC-AC BA-BA C2-C2 C4-C6")
    fill(table, (0, 4), "80-8F")
    fill(table, (0, 0), "05-05 0B-0B 31-31 77-77 A2-A2 C8-CF")
    return table


def fill(table, value, listed):
    for part in listed.split():
        first, last = part.split("-")
        for c in range(int(first, 16), int(last, 16) + 1):
            table[c] = value


FIRST = first_opcodes()
SECOND = second_opcodes()


class Instruction:
    """Where in an instruction of x86 the next byte stands."""

    def __init__(self):
        self.part = self.short = self.wide = self.op = self.modrm = 0
        self.dn = self.immediate = 0
        self.ins = self.opd = self.votes = 0
        self.before = [0, 0, 0]

    def found(self):
        return self.votes >= 128

    def phase(self):
        return 64 * self.part + 8 * self.dn + self.immediate

    def kind(self):
        """Section 12."""
        if self.part < 5:
            return (0, 1, 1, 2, 3)[self.part]
        return 3 + self.dn if self.dn > 0 else 7 + self.immediate

    def from_table(self, length):
        if length != 4:
            return length
        if self.short:
            return 2
        return 8 if self.wide and 0xB8 <= self.op <= 0xBF else 4

    def push(self, c, c5, pos):
        if c5 == 0xE8:
            if c in (0, 255):
                self.votes = min(self.votes + 40, 1000)
            else:
                self.votes = max(self.votes - 16, 0)
        elif pos % 8 == 0:
            self.votes = max(self.votes - 1, 0)

        if self.part == 5:
            self.opd = (self.opd << 8 | c) & U32
            if self.dn == 0:
                self.immediate -= 1
            else:
                self.dn -= 1
                if self.dn == 0:
                    self.ins, self.opd = hash1(self.ins, self.opd), 0
        else:
            self.ins = hash1(self.ins, c + 1)
            self.opcode_byte(c)

        if self.part == 5 and self.dn == 0 and self.immediate == 0:
            self.before = [(self.op << 7 ^ self.modrm) & 0xFFFF] + self.before[:2]
            self.part = self.short = self.wide = self.op = self.modrm = 0
            self.ins = self.opd = 0

    def opcode_byte(self, c):
        if self.part == 0:
            if c in PREFIXES:
                pass
            elif c == 0x66:
                self.short = 1
            elif 0x40 <= c <= 0x4F:
                self.wide = c >> 3 & 1
            elif c == 0x0F:
                self.part = 1
            else:
                self.op = c
                m, length = FIRST[c]
                self.immediate = self.from_table(length)
                self.part = 3 if m else 5
        elif self.part == 1:
            if c in (0x38, 0x3A):
                self.immediate = 1 if c == 0x3A else 0
                self.part = 2
            else:
                self.op = 256 + c
                m, length = SECOND[c]
                self.immediate = self.from_table(length)
                self.part = 3 if m else 5
        elif self.part == 2:
            self.op = 256 + c
            self.part = 3
        elif self.part == 3:
            self.modrm = c
            mode, rm = c >> 6, c & 7
            self.dn = (4 if rm == 5 else 0, 1, 4, 0)[mode]
            if self.op in (0xF6, 0xF7) and c & 0x30 == 0:
                self.immediate = 1 if self.op == 0xF6 else 2 if self.short else 4
            self.part = 4 if mode != 3 and rm == 4 else 5
        else:
            if self.modrm >> 6 == 0 and c & 7 == 5:
                self.dn = 4
            self.part = 5


class Memory:
    """What is remembered of the bytes."""

    def __init__(self, level, h, words):
        self.level = level
        self.speller = Speller() if words else None
        self.side = h >= 14
        self.code = level >= 5
        self.size = 1 << h
        self.mask = self.size - 1
        self.history = bytearray(self.size)
        self.pos = 0
        self.last = 0  # the last eight bytes, c1 lowest
        self.c0, self.k = 1, 0
        self.words = [0, 0, 0]
        self.separators = self.shapes = self.brackets = 0
        self.followed = [0] * 256
        self.stood = [0] * 512
        self.distance = [0] * 512  # before[e] of the text
        self.record = self.rival = self.votes = 0
        self.line = self.line_before = self.column = 0
        self.lines = False  # the data has lines
        self.above = self.above2 = self.left = 0
        self.field = self.last_field = self.field_start = self.odd = 0
        self.starts = [[0] * 64, [0] * 64]
        self.cell = self.cell2 = 0
        self.text = Text()
        self.instruction = Instruction()

    def c(self, n):
        return self.last >> (8 * (n - 1)) & 255

    def at(self, position):
        return self.history[position & self.mask]

    def kind(self):
        if self.code and self.instruction.found():
            return CODE
        return TEXT if self.text.found() else DATA

    def in_words(self):
        """Section 16: from level 4, text behind a space or a letter of ASCII.

        18: any text of numbered words.
        """
        if self.speller:
            return self.kind() == TEXT
        c1 = lower(self.c(1))
        return self.level >= 4 and self.kind() == TEXT and (c1 == 32 or 97 <= c1 <= 122)

    def push(self, c):
        p1 = self.last & 255
        self.history[self.pos & self.mask] = c
        self.pos = (self.pos + 1) & U32
        self.last = (self.last << 8 | c) & 0xFFFFFFFFFFFFFFFF
        self.c0, self.k = 1, 0
        if self.speller:
            self.push_numbered(c)
        else:
            self.push_text(c)
        if not self.side:
            return
        self.shapes = (self.shapes << 4 | shape(c)) & U32
        self.followed[p1] = (self.followed[p1] << 8 | c) & U32
        self.push_records(c, p1)
        self.push_lines(c)
        self.push_fields(c)
        self.push_cells()
        if self.code:
            self.instruction.push(c, self.c(5), self.pos)
        if self.speller:
            self.column = self.speller.column

    def push_numbered(self, b):
        speller = self.speller
        if speller.part & 255:
            self.words[0] = 0  # it had the beginning of a number
        text = speller.read(b)
        for c in text:
            self.push_text(c)
        if speller.part & 255:
            self.words[0] = hash1(1, speller.part & 255)

    def push_text(self, c):
        """What is known of words and brackets."""
        if self.side:
            self.text.push(c, self.words)
        self.push_words(c)
        if not self.side:
            return
        if c in b"([{<":
            self.brackets = (self.brackets << 8 | c) & U32
        elif c in b")]}>":
            self.brackets >>= 8

    def push_words(self, c):
        if is_letter(c):
            self.words[0] = hash1(self.words[0], lower(c) + 1)
        else:
            if self.words[0] != 0:
                self.words = [0, self.words[0], self.words[1]]
            self.separators = (self.separators << 8 | c) & 0xFFFFFF

    def push_records(self, c, p1):
        if c != p1:
            self.push_sighting(c, 1)
            self.push_sighting(256 + ((89 * p1 + c) & 255), 4)

    def push_sighting(self, e, v):
        d = (self.pos - self.stood[e]) & 0xFFFF
        if 1 < d < 16384 and d == self.distance[e]:
            if d == self.record:
                self.votes = min(self.votes + v, 255)
            elif d == self.rival:
                if self.votes < 2 * v:
                    self.record, self.votes = d, 16
                else:
                    self.votes -= 2 * v
            else:
                self.rival = d
        self.stood[e], self.distance[e] = self.pos & 0xFFFF, d

    def push_lines(self, c):
        pos = self.pos
        if c == 10:
            self.line_before, self.line = self.line, pos
        t = (pos - self.line) & U32
        self.lines = (self.text.found() and t < 1000 and self.line != 0
                      and (pos - self.line_before) & U32 < self.size)  # fmt: skip
        if self.lines:
            q = (self.line_before + t) & U32
            if (q - self.line) & U32 < 1 << 31:
                q = self.line - 1
            self.column = t
            self.above, self.above2 = self.at(q), self.at(q + 1)
        else:
            r = max(self.record, 1)
            q = pos - r
            self.column = pos % r
            self.above, self.above2 = self.at(q), self.at(pos - 2 * r)
        self.left = self.at(q - 1)

    def push_fields(self, c):
        if c == 10:
            self.last_field, self.field, self.odd = self.field, 0, 1 - self.odd
        elif c in b",;\t| ":
            self.field = min(self.field + 1, 63)
        else:
            return
        self.field_start = self.starts[self.odd][self.field] = self.pos

    def push_cells(self):
        q = self.starts[1 - self.odd][self.field] + (self.pos - self.field_start)
        if (self.line != 0 and self.field <= self.last_field
                and (self.pos - q) & U32 < self.size):  # fmt: skip
            self.cell, self.cell2 = self.at(q), self.at(q + 1)
        else:
            self.cell = self.cell2 = 0


# 9. Contexts


class Contexts:
    """The hashes of a list of contexts for each kind of data."""

    def __init__(self, kinds, memory, matches):
        self.memory, self.first, self.final = memory, matches[0], matches[-1]
        self.functions = [[self.function(name) for name in names] for names in kinds]

    def hashes(self):
        functions = self.functions[self.memory.kind()]
        return [f((i + 1) << 16) for i, f in enumerate(functions)]

    def expected(self, divisor):
        """The x of Expected and Foreseen."""
        m = self.first
        return 1 + m.expected - 256 + 256 * (m.bucket() // divisor) if m.expected else 0

    def echo(self):
        return self.final.expected - 255 if self.final.expected else 0

    def instruction(self, s, n):
        i = self.memory.instruction
        return hashes(s, hashes(i.ins, i.phase(), i.opd), n, *i.before[:n])

    def function(self, name):
        m, t, i = self.memory, self.memory.text, self.memory.instruction
        masks = {"nibbles": 0xF0F0F0F0F0}
        speller = m.speller
        symbols = {
            "s2": 0xFFFF << 16,
            "s3": 0xFFFF << 32,
            "s2s3": 0xFFFFFFFF << 16,
            "s1s2s3": (1 << 48) - 1,
            "s1s2s3s4": (1 << 64) - 1,
        }
        if name in symbols:
            symbol_mask = symbols[name]
            return lambda s: hash64(hash1(s, speller.part), speller.symbols & symbol_mask)
        if name.startswith("Letters "):
            letter_mask = (1 << 8 * int(name[8:])) - 1
            return lambda s: hash64(hash1(s, speller.part), speller.letters & letter_mask)
        if name.startswith("Order "):
            masks[name] = (1 << 8 * int(name[6:])) - 1
        elif name[0] == "c":
            masks[name] = sum(255 << 8 * (int(n) - 1) for n in name[1:].split("c"))
        if name == "Order 0":
            return lambda s: s
        if name in masks:
            mask = masks[name]
            return lambda s: hash64(s, m.last & mask)
        if name.startswith("Instruction "):
            n = int(name[12:])
            return lambda s: self.instruction(s, n)
        return {
            "Word": lambda s: hashes(s, m.words[0], m.c(1) if m.words[0] == 0 else 0),
            "WordPair": lambda s: hashes(s, m.words[0], m.words[1], m.c(1)),
            "WordSkip": lambda s: hashes(s, m.words[0], m.words[2], m.c(1)),
            "Separators": lambda s: hashes(s, m.separators, min(m.words[0], 1)),
            "Indirect": lambda s: hashes(s, m.followed[m.c(1)] & 0xFFFF, m.c(1)),
            "Expected": lambda s: hashes(s, self.expected(1), m.c(1)),
            "Above": lambda s: hashes(s, m.above, m.c(1), 0),
            "Column": lambda s: hashes(s, m.above, m.column, 0),
            "TwoAbove": lambda s: hashes(s, m.above, m.above2, 0),
            "Echo": lambda s: hashes(s, self.echo(), m.c(1), 0),
            "EchoAfter": lambda s: hashes(s, self.echo(), self.final.after, 1),
            "Cell": lambda s: hashes(s, m.cell, m.c(1), m.field),
            "CellAfter": lambda s: hashes(s, m.cell, m.cell2, m.field),
            "Square": lambda s: hashes(s, m.above, m.above2, m.c(1)),
            "Quad": lambda s: hashes(s, m.pos & 3, m.c(4), 0),
            "Gradient": lambda s: hashes(s, (m.above + m.c(1) - m.left) & 255, m.column & 3, 0),
            "Slope": lambda s: hashes(s, m.above, (m.c(1) - m.left) & 255, 0),
            "Nesting": lambda s: hashes(s, m.brackets & 0xFFFF, m.words[0], m.c(1)),
            "NestedPair": lambda s: hashes(s, m.brackets & 0xFFFF, m.c(1), m.c(2)),
            "Shapes": lambda s: hashes(s, m.shapes & 0xFFF, m.words[0], 0),
            "Outline": lambda s: hashes(s, m.shapes, 1),
            "OutlineSeparator": lambda s: hashes(
                s, m.shapes & 0xFFFFFF, m.separators & 255, min(m.words[0], 1)
            ),
            "EchoShapes": lambda s: hashes(s, self.echo(), m.shapes & 0xFFFF, 2),
            "EchoPair": lambda s: hashes(s, self.echo(), m.c(1), m.c(2)),
            "EchoOn": lambda s: hashes(s, self.echo(), self.final.after, m.c(1)),
            "WordsBefore": lambda s: hashes(s, m.words[1], m.words[2], m.c(1)),
            "WordTriple": lambda s: hashes(s, m.words[0], m.words[1], m.words[2], m.c(1)),
            "IndirectPair": lambda s: hashes(s, m.followed[m.c(1)] & 255, m.c(1), m.c(2)),
            "Indent": lambda s: hashes(s, t.indent, t.before, m.words[0]),
            "LineWord": lambda s: hashes(s, t.first, m.words[0], m.c(1)),
            "Enclosed": lambda s: hashes(s, t.enclosed, m.c(1), 0),
            "ColumnPair": lambda s: hashes(s, m.column, m.c(1), 1),
            "LastName": lambda s: hashes(s, t.name, m.words[0], m.c(1)),
            "Vowels": lambda s: hashes(s, t.vowels, min(t.letters, 8), m.c(1)),
            "WordLeap": lambda s: hashes(s, m.words[0], t.third, m.c(1)),
            "InstructionSkip": lambda s: hashes(
                s, hashes(i.ins, i.phase(), i.opd), i.before[1], 0
            ),
            "Registers": lambda s: hashes(s, hashes(i.phase(), i.modrm, i.opd), 0),
            "Opcodes": lambda s: hashes(s, hash1(i.phase(), i.op), 0, *i.before),
            "Before": lambda s: hashes(s, i.phase(), 0, *[b >> 7 for b in i.before]),
            "Foreseen": lambda s: hashes(s, self.expected(4), 0),
            "LastWord": lambda s: hashes(s, m.words[1], 0),
        }[name]


# 10. Slots and byte runs


def slot_hash(h):
    return (h * 0x2C1B3C6D) & U32


class Slots:
    def __init__(self, lines, contexts, maps):
        self.lines = lines
        self.table = bytearray(64 * lines)
        self.maps = [[first_entry(s) for s in range(256)] for _ in range(maps)]
        self.map_of = [self.maps[min(i, maps - 1)] for i in range(contexts)]
        self.line = [0] * contexts
        self.place = []  # where the copies are from
        self.copy = [bytearray(4) for _ in range(contexts)]
        self.node = 1
        self.states = [0] * contexts

    def put_back(self):
        for place, copy in zip(self.place, self.copy):
            self.table[place : place + 4] = copy
        self.place = []

    def find(self, line, t):
        """The place of the slot in the line, or None, and the three that it may have."""
        check, first = t >> 24, t >> 20 & 15
        places = [64 * line + 4 * slot for slot in (first, first ^ 1, first ^ 2)]
        for place in places:
            if self.table[place] == check:
                return place, places
        return None, places

    def claim(self, line, t):
        place, places = self.find(line, t)
        if place is None:
            place = min(places, key=lambda p: self.table[p + 1])
            self.table[place : place + 4] = bytes((t >> 24, 0, 0, 0))
        return place

    def pick(self, contexts, c0, k):
        self.put_back()
        for i, z in enumerate(contexts):
            h = hash1(z, c0)
            if k in (0, 4):
                self.line[i] = h * self.lines >> 32
            place = self.claim(self.line[i], slot_hash(h))
            self.place.append(place)
            self.copy[i] = self.table[place : place + 4]

    def predict(self, c0, k):
        """The inputs st, lean and run of all contexts."""
        self.node = node = 1 if k % 2 == 0 else 2 + (c0 & 1)
        self.states = [copy[node] for copy in self.copy]
        st, lean, run = [], [], []
        for s, entries in zip(self.states, self.map_of):
            p = entries[s] >> 16
            x = STRETCH[p >> 4]
            st.append(x)
            lean.append((p - 32768) >> 5)
            run.append(x if ONE_SIDED[s] else 0)
        return st + lean + run

    def learn(self, bit):
        for s, entries, copy in zip(self.states, self.map_of, self.copy):
            learn_entry(entries, s, bit, 511)
            copy[self.node] = NEXT[s][bit]


class Runs:
    """The byte runs of the first contexts, none below level 7; they stand in slots."""

    def __init__(self, slots, count):
        self.slots = slots
        self.maps = [[16384 - 16384 // (x // 8 + 1) for x in range(128)] for _ in range(count)]
        self.live = [None] * count  # count and byte
        self.bits = [None] * count  # entry in use and expected bit

    def places(self, hashes):
        """For each byte run the line for k = 0, and t."""
        for z, _ in zip(hashes, self.maps):
            yield hash1(z, 1) * self.slots.lines >> 32, slot_hash(hash1(z, 0))

    def start_byte(self, hashes):
        """All copies have gone back."""
        for i, (line, t) in enumerate(self.places(hashes)):
            self.live[i] = None
            place, _ = self.slots.find(line, t)
            if place is not None:
                _, n, byte, second = self.slots.table[place : place + 4]
                if n > 0 and second == t >> 12 & 255:
                    self.live[i] = min(n, 15), byte

    def predict(self, k):
        """The inputs."""
        inputs = []
        for i, (live, entries) in enumerate(zip(self.live, self.maps)):
            self.bits[i] = None
            if live is None:
                inputs.append(0)
                continue
            n, byte = live
            x, b = 8 * n + k, byte >> (7 - k) & 1
            self.bits[i] = x, b
            inputs.append(entries[x] >> 4 if b else -(entries[x] >> 4))
        return inputs

    def learn(self, bit):
        for i, (used, entries) in enumerate(zip(self.bits, self.maps)):
            if used is None:
                continue
            x, b = used
            entries[x] += ((16384 if b == bit else -16384) - entries[x]) >> 7
            if b != bit:
                self.live[i] = None

    def follow(self, hashes, c):
        """`hashes` are those of this byte."""
        table = self.slots.table
        for line, t in self.places(hashes):
            place, second = self.slots.claim(line, t), t >> 12 & 255
            n = table[place + 1]
            if n > 0 and table[place + 3] == second and table[place + 2] == c:
                n = min(n + 1, 15)
            else:
                n = 1
            table[place + 1 : place + 4] = bytes((n, c, second))


# 11. Match models


class Match:
    def __init__(self, form, h, log_positions, memory):
        self.m, self.other, self.patience, self.u = form
        self.memory = memory
        self.positions = 1 << log_positions
        self.narrow = h <= 16
        self.table = Table(lambda _: 0)
        self.v = 4 if h <= 12 else 8
        self.entries = [
            (65535 - 65536 // (3 * (x // (2 * self.v)) + 3)) << 16 for x in range(32 * self.v)
        ]
        self.at = self.len = self.misses = self.expected = self.after = 0
        self.b = self.x = None

    def hash(self):
        memory, m = self.memory, self.m
        if m <= 8:
            h = hash64(m, memory.last << (64 - 8 * m) & 0xFFFFFFFFFFFFFFFF)
        else:
            h = hashes(m, *[memory.at(memory.pos - j) for j in range(1, m + 1)])
        return (h * PHI) & U32

    def common(self, a):
        memory = self.memory
        distance = (memory.pos - a) & U32
        if a == 0 or distance == 0 or distance >= memory.size:
            return 0
        most = min(memory.size - distance, a, 400)
        n = 0
        while n < most and memory.at(a - 1 - n) == memory.at(memory.pos - 1 - n):
            n += 1
        return n

    def start(self):
        memory = self.memory
        pos = memory.pos
        if pos < self.m:
            return
        if self.expected != 0:
            hit = self.expected == memory.c(1) + 256
            self.misses = (self.misses << 1 | (not hit)) & U32
            self.at = (self.at + 1) & U32
            if ones(self.misses) > self.patience:
                self.at = 0
            self.len = min(self.len + 1, 400) if hit and self.at != 0 else 0
        index = self.hash() * self.positions >> 32
        found = self.table[index]
        if self.narrow:
            found = (pos - ((pos - found) & 0xFFFF)) & U32
        self.table[index] = pos & 0xFFFF if self.narrow else pos
        if self.at == 0 or self.len < self.m:
            settled = self.at != 0 and ones(self.misses & 255) < self.u
            length = self.common(found)
            if length >= (self.other if settled else self.m) and length > self.len:
                self.at, self.len, self.misses = found, length, 0
        if self.at == 0 or (pos - self.at) & U32 >= memory.size:
            self.expected = self.after = 0
        else:
            self.expected = 256 + memory.at(self.at)
            self.after = 0 if self.at + 1 == pos else memory.at(self.at + 1)

    def bucket(self):
        n = self.len
        if n < 8:
            return n
        if n < 16:
            return 8 + (n - 8) // 4
        if n < 32:
            return 10 + (n - 16) // 8
        return 12 if n < 64 else 13 if n < 128 else 14 if n < 256 else 15

    def predict(self, c0, k):
        """Both inputs; leaves the expected bit in b, None without expectation."""
        if self.expected >> (8 - k) != c0:
            self.b = None
            return [0, 0]
        self.b = self.expected >> (7 - k) & 1
        near = min(self.v - 1, ones(self.misses & 255))
        self.x = (self.v * self.bucket() + near) * 2 + (k == 0)
        p = self.entries[self.x] >> 16
        inputs = [STRETCH[p >> 4], (p - 32768) >> 5]
        return inputs if self.b else [-i for i in inputs]

    def learn(self, bit):
        if self.b is not None:
            learn_entry(self.entries, self.x, bit == self.b, 255)


# 12. Mixers


def first_weights(level, n, matches, sets):
    """Those of a weight set, without the padding, and those of a final mixer."""
    if level < 3:
        weights = [49152 // (n + 6)] * n + [0] * (2 * n + 2 * matches + 1)
        return weights + [1000] * len(guesses(level)), [16384 // sets] * sets
    weights = [10000 // n] * n + [0] * n + [20000 // n] * n + [0] * run_count(level)
    weights += [2500, -700] * matches + [1500] + [7800, -5400]
    weights += [1000] * len(guesses(level))
    return weights, [4800 // sets] * sets + [11000]


def dot(weights, inputs):
    """S; inputs come without the padding."""
    products = list(map(mul, weights, inputs))
    if len(inputs) <= 24:
        return sum(products) >> 10
    total = 0
    for start in range(0, len(products), 104):
        block = products[start : start + 104]
        for lane in range(4):
            total += (sum(block[2 * lane :: 8]) + sum(block[2 * lane + 1 :: 8])) >> 4
    return total >> 6


BYTE_CLASS = [
    0 if c == 0 else 1 if c in (10, 13, 32) else 2 if 48 <= c <= 57 else 3 if 65 <= c <= 90
    else 4 if 97 <= c <= 122 else 5 if c < 128 else 6 if c < 255 else 7
    for c in range(256)
]  # fmt: skip


class Mixer:
    """A weight set or a final mixer: rows, of which a context picks one."""

    def __init__(self, name, weights):
        self.name = name
        self.rows = Table(lambda _: Row(list(weights)))

    def predict(self, row, inputs):
        self.row, self.inputs = self.rows[row], inputs
        self.x = clamp(dot(self.row.w, inputs), -49151, 49151)
        self.p = squash(self.x)

    def learn(self, bit):
        self.row.learn(self.inputs, bit, self.p)


# 13. Refinement


class Stage:
    FIRST = [squash(2048 * i - 32768) for i in range(33)]

    def __init__(self, order, log):
        self.order, self.log = order, log
        self.rows = Table(lambda _: list(Stage.FIRST))

    def predict(self, x, last, c0):
        big = clamp(x, -32767, 32767) + 32768
        i, f = big >> 11, big & 2047
        context = c0
        if self.order > 0:
            context = hashes(self.order, last & ((1 << 8 * self.order) - 1), c0)
            context = (context * PHI & U32) >> (32 - self.log)
        self.bins = bins = self.rows[context]
        self.nearer = i + 1 if f >= 1024 else i
        return (bins[i] * (2048 - f) + bins[i + 1] * f) >> 11

    def learn(self, bit):
        q = self.bins[self.nearer]
        self.bins[self.nearer] = q + ((65535 - q + 63) >> 6 if bit else -q >> 6)


class Model:
    """2. Order of operations."""

    def __init__(self, level, words=False):
        names, sets, finals, stages, h, matches, positions, ssm, m_inputs, lines = LEVELS[level]
        if words:
            matches = TWO_WORDS if level < 5 else THREE_WORDS
        n = list_length(names)
        self.level = level
        self.memory = Memory(level, h, words)
        self.matches = [Match(form, h, positions, self.memory) for form in matches]
        self.contexts = Contexts(contexts(names, words), self.memory, self.matches)
        self.slots = Slots(lines, n, map_count(level))
        self.runs = Runs(self.slots, run_count(level))
        self.residuals = Residuals(guesses(level), h, self.memory, self.matches[-1])
        self.bitmaps = Bitmaps(TEMPLATE_LOGS[level], self.memory)
        self.ssm = self.gate = None
        if ssm:
            rows, width, log_rows, span = ssm
            self.rows = Contexts(contexts(rows, words), self.memory, self.matches)
            self.ssm = StateSpace(width, list_length(rows), 1 << log_rows, span, level >= 6)
            self.gate = Gate(width, len(SETS[sets]))
        weights, share = first_weights(level, n, len(matches), len(SETS[sets]))
        self.sets = [Mixer(name, weights) for name in SETS[sets]]
        self.finals = [Mixer(name, share) for name in SETS[finals]]
        self.stages = [Stage(order, log) for order, log in enumerate(stages)]
        assert m_inputs == (len(weights) + 7) // 8 * 8
        assert lines == slot_lines(level)
        self.start_byte()
        self.predict()

    def start_byte(self):
        for match in self.matches:
            match.start()
        self.make_ready()

    def make_ready(self):
        """What follows the match models at the start of a byte."""
        self.residuals.start_byte()
        self.bitmaps.start_byte()
        self.hashes = self.contexts.hashes()
        if self.ssm:
            self.ssm.start_byte(self.memory.c(1), self.rows.hashes())
            self.gate.start_byte(self.ssm.f)
        self.slots.put_back()
        self.runs.start_byte(self.hashes)
        self.slots.pick(self.hashes, self.memory.c0, self.memory.k)

    def row(self, name):
        """The row of a set, by the table of section 12."""
        m, first, final = self.memory, self.matches[0], self.matches[-1]
        z = 0 if final.b is None else 1 + final.b
        if name == "One":
            return 0
        if name == "Partial":
            return m.c0
        if name == "PartialClass":
            return 8 * m.c0 + BYTE_CLASS[m.c(1)]
        if name == "Confidence":
            return 8 * m.k + sum(s != 0 for s in self.slots.states[:7])
        if name == "Match":
            return 0 if first.b is None else 1 + 2 * first.bucket() + first.b
        if name == "Matches":
            return (16 * first.bucket() + final.bucket()) * 3 + z
        if name == "Echo":
            misses = final.misses
            return ((misses & 15) * 4 + min(3, ones(misses >> 4 & 15))) * 3 + z
        if name == "Classes":
            c1, c2, c3 = (BYTE_CLASS[m.c(n)] for n in (1, 2, 3))
            return (64 * c1 + 8 * c2 + c3) * 2 + (m.k >= 4)
        kind = m.kind()
        if name == "Last":
            if kind == DATA and self.bitmaps.rows is not None:
                return self.bitmaps.templates[0].x & 255
            return m.c(1)
        if name == "Word":
            if kind == DATA:
                return 8 * m.c(2) + m.k
            return (hash1(m.words[0], m.c(1)) * PHI & U32) >> 20
        i = m.instruction
        if name == "Shapes":
            if kind != CODE:
                return m.shapes & 0xFFF
            return 256 * i.kind() + ((i.before[0] >> 7 if i.part == 0 else i.op) & 255)
        assert name == "Column"
        if kind != CODE:
            return m.column & 255
        return 16 * i.kind() + 4 * (i.modrm >> 6) + 2 * i.wide + i.short

    def predict(self):
        """Leaves the probability of the next bit in p."""
        c0, k = self.memory.c0, self.memory.k
        inputs = self.slots.predict(c0, k) + self.runs.predict(k)
        for match in self.matches:
            inputs += match.predict(c0, k)
        inputs.append(self.bitmaps.predict(c0, k))
        if self.ssm:
            two = self.ssm.predict(c0)
            inputs += two
        inputs += self.residuals.predict(c0, k)
        for mixer in self.sets:
            mixer.predict(self.row(mixer.name), inputs)
        outputs = [mixer.x >> 4 for mixer in self.sets]
        if self.gate:
            outputs.append(self.gate.predict(outputs, two) >> 4)
        if self.finals:
            total = 0
            for mixer in self.finals:
                mixer.predict(self.row(mixer.name), outputs)
                total += mixer.x
            x = abs(total) // len(self.finals) * (1 if total >= 0 else -1)
            p = squash(x)
        else:
            x, p = self.sets[0].x, self.sets[0].p
        s = len(self.stages)
        if s:
            refined = [stage.predict(x, self.memory.last, c0) for stage in self.stages]
            p = (s * p + sum(refined)) // (2 * s)
        self.p = clamp(p, 1, 65535)

    def learn(self, bit):
        """A bit that is known."""
        if self.ssm:
            self.ssm.bit(bit, self.p)
            self.gate.learn(bit)
        for part in self.stages + self.finals + self.sets + self.matches:
            part.learn(bit)
        for part in (self.runs, self.residuals, self.bitmaps):
            part.learn(bit)
        self.slots.learn(bit)
        memory = self.memory
        memory.c0, memory.k = 2 * memory.c0 + bit, memory.k + 1
        if memory.k == 8:
            if self.ssm:
                self.gate.end_byte(self.ssm)
                self.ssm.end_byte()
            self.runs.follow(self.hashes, memory.c0 & 255)
            self.residuals.end_byte(memory.c0 & 255)
            memory.push(memory.c0 & 255)
            self.start_byte()
        elif memory.k % 2 == 0:
            self.slots.pick(self.hashes, memory.c0, memory.k)
        self.predict()

    def raw_byte(self, c):
        self.memory.push(c)
        self.start_byte()
        self.predict()


# 4. Memory


def parts(level):
    """The parts of the workspace behind the slots, and their sizes in bytes."""
    _, sets, finals, stages, h, matches, positions, ssm, m_inputs, _ = LEVELS[level]
    sizes = [("maps", 1024 * map_count(level))]
    sizes.append(("run maps", 256 * run_count(level)))
    sizes += [("weights", (2 * m_inputs + 2) * SET_ROWS[name]) for name in SETS[sets]]
    sizes += [("final weights", 18 * SET_ROWS[name]) for name in SETS[finals]]
    sizes += [("refinement", 66 << log) for log in stages]
    for _ in matches:
        sizes.append(("positions", (2 if h <= 16 else 4) << positions))
        sizes.append(("match map", 512 if h <= 12 else 1024))
    sizes.append(("history", 1 << h))
    sizes.append(("side", 3584 if h >= 14 else 0))
    sizes.append(("residuals", residual_bytes(h, guesses(level)) if guesses(level) else 0))
    sizes.append(("bitmaps", bitmap_bytes(TEMPLATE_LOGS[level])))
    if ssm:
        rows, width, log_rows, span = ssm
        sizes.append(("state space model", ssm_bytes(width, list_length(rows), log_rows, span, level >= 6)))
        sizes.append(("gate", 2 * 16 + 2 + 2 * 16 * width))
    sizes.append(("packing", 395520 if level >= 6 else 0))
    return sizes


def workspace(level):
    return (8192 << 2 * level) - (512 if level < 2 else 2048)


def slot_lines(level):
    return (workspace(level) - sum(size for _, size in parts(level))) // 64
