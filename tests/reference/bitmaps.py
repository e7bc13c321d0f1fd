"""The bitmaps: docs/model.md, section 17."""

from basics import PHI, STRETCH, U32, Table, clamp

# Pixels before the current one, and to either side in each row above
TEMPLATES = [(2, (2, 1)), (4, (3, 2, 1)), (6, (4, 3))]

RATES = [32768, 25206, 18204, 13107, 9362, 6553, 5041, 4096]


def bitmap_bytes(logs):
    """Section 4."""
    return sum(2 << log for log in logs)


class Template:
    def __init__(self, form, log):
        self.before, self.sides = form
        self.log = log
        self.pixels = self.before + sum(2 * r + 1 for r in self.sides)
        self.entries = Table(lambda _: 32768)

    def predict(self, known, rows, k):
        """Stretched; leaves the context in x. `known` ends with the latest bit."""
        x = known & ((1 << self.before) - 1)
        for row, r in zip(rows, self.sides):
            width = 2 * r + 1
            x = x << width | (row >> (15 - k - r)) & ((1 << width) - 1)
        self.x = self.number = x
        if self.pixels > self.log:
            self.number = (x * PHI & U32) >> (32 - self.log)
        return STRETCH[(self.entries[self.number] & 0xFFF8) >> 4]

    def learn(self, bit):
        p, n = self.entries[self.number] >> 3, self.entries[self.number] & 7
        if bit:
            p += ((8191 - p) * RATES[n] + 65535) >> 16
        else:
            p += -p * RATES[n] >> 16
        self.entries[self.number] = p << 3 | min(n + 1, 7)


class Bitmaps:
    """All templates of a level; `logs` are of their entries."""

    def __init__(self, logs, memory):
        self.memory = memory
        self.templates = [Template(form, log) for form, log in zip(TEMPLATES, logs)]
        self.rows = None

    def start_byte(self):
        m = self.memory
        self.rows = None
        if self.templates and m.record > 1 and not m.lines:
            self.rows = [self.row(m.pos - n * m.record) for n in (1, 2, 3)]

    def row(self, q):
        m = self.memory
        return m.at(q - 1) << 16 | m.at(q) << 8 | m.at(q + 1)

    def predict(self, c0, k):
        """The input, that of the constant where there are no rows."""
        if self.rows is None:
            return 256
        known = self.memory.c(1) << k | c0 & ((1 << k) - 1)
        total = 2 * sum(t.predict(known, self.rows, k) for t in self.templates)
        x = abs(total) // (len(self.templates) + 1)
        return clamp(x if total >= 0 else -x, -2304, 2304)

    def learn(self, bit):
        if self.rows is not None:
            for template in self.templates:
                template.learn(bit)
