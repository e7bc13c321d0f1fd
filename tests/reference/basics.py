"""What all parts of the model need: docs/model.md, sections 1, 5 and the rows of 12."""

from pathlib import Path

U32 = 0xFFFFFFFF


def source(name):
    """A text that is part of the format: in the repository, or beside this script."""
    here = Path(__file__).resolve().parent
    path = here.parent.parent / "src" / name
    return path if path.exists() else here / name


# 1. Notation

PHI = 0x9E3779B1


def hash1(h, v):
    t = ((h ^ v) * PHI) & U32
    return t ^ (t >> 15)


def hashes(h, *values):
    for v in values:
        h = hash1(h, v)
    return h


def hash64(h, v):
    return hash1(hash1(h, v & U32), v >> 32)


def clamp(x, low, high):
    return low if x < low else high if x > high else x


def saturated(values):
    """sat16 of each."""
    if max(values) > 32767 or min(values) < -32768:
        return [clamp(v, -32768, 32767) for v in values]
    return values


def ones(x):
    return bin(x).count("1")


class Table(dict):
    """A table whose entries are made when first asked for."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def __missing__(self, key):
        value = self[key] = self.make(key)
        return value


# 5. Logistic tables


def logistic_knots():
    knots = [0] * 385
    e = 1 << 60
    for i in range(193):
        v = min(65535, ((1 << 76) + ((1 << 60) + e) // 2) // ((1 << 60) + e))
        knots[192 - i] = 65536 - v
        knots[192 + i] = v
        e = e * 1083069521826238951 >> 60
    return knots


KNOTS = logistic_knots()


def squash(x):
    big = clamp(x, -49151, 49151) + 49152
    j, f = big >> 8, big & 255
    return (KNOTS[j] * (256 - f) + KNOTS[j + 1] * f + 128) >> 8


def logarithm(n):
    """ln(n / 65536) in Q16."""
    zeros = 32 - n.bit_length()
    m, total = n << zeros, (15 - zeros) << 24
    for b in range(23, -1, -1):
        m = m * m >> 31
        if m >= 1 << 32:
            m >>= 1
            total += 1 << b
    return total * 2977044472 >> 40


def round_away(x):
    return (x + 128) >> 8 if x >= 0 else -((128 - x) >> 8)


STRETCH = [
    round_away(logarithm(32 * i + 16) - logarithm(131072 - 32 * i - 16)) for i in range(4096)
]


# 12. Mixers


class Row:
    def __init__(self, weights, n=0):
        self.w, self.n = weights, n

    def learn(self, inputs, bit, p):
        error = 65536 * bit - p
        n = self.n
        u = 32 * (n >> 5) + 16 if n < 1024 else 1024 * (n >> 10) + 512
        rate = 500 + 2400000 // (300 + u)
        self.n = min(n + 1, 65535)
        step = clamp((error * rate) >> 13, -32767, 32767)
        if abs(step) > 14:
            self.w = saturated([w + ((i * step + 32768) >> 16) for w, i in zip(self.w, inputs)])
