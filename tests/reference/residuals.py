"""The residuals: docs/model.md, section 16."""

from basics import STRETCH, U32, clamp

CLASSES = {
    "EchoLine": 32, "Record": 32, "Gradient": 4, "RecordLine": 32, "Echo": 32, "EchoLineBig": 32,
    "EchoLineCoarse": 16,
}  # fmt: skip

# The bins of a histogram
WIDTHS = [16] * 7 + [1] * 32 + [16] * 7
FIRST_X = [sum(WIDTHS[:i]) for i in range(46)]
BIN = [i for i, width in enumerate(WIDTHS) for _ in range(width)]
assert len(BIN) == 256


def turn_count(h):
    return 64 if h <= 12 else 128 if h <= 14 else 512


def residual_bytes(h, guesses):
    """Section 4."""
    return 8 * turn_count(h) + 92 * sum(1 + CLASSES[name] for name in guesses)


# Numbers


def line(a, b):
    return (2 * a - b) & U32


def nearest(e, l):  # noqa: E741
    return ((e - l + (1 << 23)) & U32) >> 24


def eighth(e, l):  # noqa: E741
    return ((e - l + (1 << 23)) & U32) >> 21 & 7


def signed(x, bits):
    """The low bits of x as a number with a sign."""
    half = 1 << (bits - 1)
    return ((x + half) & (2 * half - 1)) - half


def clip(d):
    return clamp(d, -1, 1) & 3


def reverse(x):
    return int.from_bytes(x.to_bytes(4, "little"), "big")


def guess_of(e, off, x1, known):
    """Byte and class where e is expected now, and off was before x1 came."""
    d = (x1 >> 24) - nearest(off, x1 & 0xFFFFFF)
    return nearest(e, known), 4 * eighth(e, known) + clip(signed(d, 8))


def guess_line(x1, x2, x3, known):
    return guess_of(line(x1, x2), line(x2, x3), x1, known)


def guess_line_coarse(x1, x2, x3, known):
    e = line(x1, x2)
    off = x1 >> 24 != nearest(line(x2, x3), x1 & 0xFFFFFF)
    return nearest(e, known), 2 * eighth(e, known) + off


def guess_same(x1, x2, _, known):
    return guess_of(x1, x2, x1, known)


def guess_line_big(x1, x2, x3, known):
    z1, z2, z3 = reverse(x1), reverse(x2), reverse(x3)
    y = line(z1, z2)
    d = signed((reverse(known) >> 8) - (y >> 8), 24)
    return y & 255, 4 * clip(d) + clip(signed(z1 - line(z2, z3), 32))


# Histograms


class Histogram:
    def __init__(self, counts=WIDTHS):
        self.counts = list(counts)
        self.total = sum(counts)

    def below(self, x):
        """P(x)."""
        if x >= 256:
            return self.total + self.below(x - 256)
        i = BIN[x]
        return sum(self.counts[:i]) + self.counts[i] * (x - FIRST_X[i]) // WIDTHS[i]

    def count(self, x):
        halve = self.total > 7968
        self.counts[BIN[x]] += 32
        if halve:
            self.counts = [max(n // 2, width) for n, width in zip(self.counts, WIDTHS)]
        self.total = sum(self.counts)


class Guess:
    def __init__(self, name):
        self.name = name
        self.histograms = [Histogram() for _ in range(CLASSES[name])]
        self.used = None

    def start_byte(self, guess):
        if guess is None:
            self.used = None
            return
        byte, number = guess
        self.used = self.histograms[number]
        self.o = (128 - byte) & 255
        self.low = self.used.below(self.o)
        self.high = self.low + self.used.total

    def predict(self, c0, k):
        """The input."""
        if self.used is None:
            return 0
        mass = self.high - self.low
        if mass <= self.used.total // 64:
            self.middle = self.low
            return 0
        self.middle = self.used.below(self.o + (((2 * c0 + 1) << (7 - k)) & 255))
        return STRETCH[((self.high - self.middle) << 16) // mass >> 4]

    def learn(self, bit):
        if self.used is None:
            return
        if bit:
            self.low = self.middle
        else:
            self.high = self.middle

    def end_byte(self, c):
        if self.used is not None:
            self.used.count((self.o + c) & 255)


class Residuals:
    """All guesses of a level, and the trail."""

    def __init__(self, names, h, memory, match):
        self.memory, self.match = memory, match
        self.trail = [(0, 0)] * turn_count(h)  # place and distance
        self.turns = 0
        self.guesses = [Guess(name) for name in names]

    def turn(self, n):
        return self.trail[n % len(self.trail)]

    def before(self, a):
        pos = self.memory.pos
        for i in range(min(len(self.trail), self.turns)):
            place, distance = self.turn(self.turns - i)
            if (pos - place) & U32 >= (pos - a) & U32:
                return (a - distance) & U32
        return None

    def number(self, a):
        return sum(self.memory.at(a - 3 + i) << 8 * i for i in range(4))

    def echo(self):
        """x1, x2, x3 by echo."""
        if not self.match.expected:
            return None
        at = self.match.at
        x1 = x2 = self.number(at)
        second = self.before(at)
        if second is None:
            return x1, x2, x2
        x2 = x3 = self.number(second)
        third = self.before(second)
        if third is not None:
            x3 = self.number(third)
        return x1, x2, x3

    def by_record(self):
        m = self.memory
        if m.record <= 1:
            return None
        return tuple(self.number(m.pos - i * m.record) for i in (1, 2, 3))

    def start_byte(self):
        """The match models have moved on."""
        m = self.memory
        if m.in_words():
            for guess in self.guesses:
                guess.start_byte(None)
            return
        distance = (m.pos - self.match.at) & U32
        if self.match.expected and distance != self.turn(self.turns)[1]:
            self.turns = (self.turns + 1) & U32
            self.trail[self.turns % len(self.trail)] = m.pos, distance
        known = m.c(1) << 16 | m.c(2) << 8 | m.c(3)
        gradient = (m.above + m.c(1) - m.left) & 255, clip(signed(m.c(1) - m.left, 8))
        echo, record = self.echo(), self.by_record()
        for guess in self.guesses:
            if guess.name == "Gradient":
                guess.start_byte(gradient)
                continue
            numbers, make = {
                "EchoLine": (echo, guess_line),
                "EchoLineCoarse": (echo, guess_line_coarse),
                "Record": (record, guess_same),
                "RecordLine": (record, guess_line),
                "Echo": (echo, guess_same),
                "EchoLineBig": (echo, guess_line_big),
            }[guess.name]
            guess.start_byte(make(*numbers, known) if numbers else None)

    def predict(self, c0, k):
        """The inputs."""
        return [guess.predict(c0, k) for guess in self.guesses]

    def learn(self, bit):
        for guess in self.guesses:
            guess.learn(bit)

    def end_byte(self, c):
        for guess in self.guesses:
            guess.end_byte(c)
