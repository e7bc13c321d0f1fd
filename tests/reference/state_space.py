"""The state space model and the gate: docs/model.md, sections 14 and 15."""

from math import isqrt
from operator import mul

from basics import PHI, U32, Row, Table, clamp, squash


def sat16(x):
    return clamp(x, -32768, 32767)


def bits(values):
    """Length in bits of the largest; x < 0 counts as -1 - x."""
    return max(max(values), -1 - min(values)).bit_length()


def towards_zero(x, d):
    return x // d if x >= 0 else -(-x // d)


# 14. Memory


def ssm_bytes(e, contexts, log_rows, span, checked):
    heads, blocks, ends, kept, scales = (2, 4, 3, 9, 12) if checked else (1, 3, 2, 7, 8)
    return (
        heads * 256 * (2 * e + 4)
        + 2 * e
        + 2 * e
        + (32 * contexts + 4 if checked else 0)
        + 2 * 2 * blocks * e * e
        + 4 * blocks * e
        + 2 * 2 * ends * e * span
        + span * (2 * kept * e + scales + 4 * (contexts + 1) + (4 * contexts if checked else 0))
        + 256 * (6 * e + 4)
        + ((2 * e + (6 if checked else 4)) << log_rows)
    )


def noise_after(x):
    return (1664525 * x + 1013904223) & U32


# 14. Sums of products


def sum_pairs(x, z, k):
    """Dk(x, z)."""
    products = list(map(mul, x, z))
    return sum((a + b) >> k for a, b in zip(products[::2], products[1::2]))


def sum5(x, z):
    products = list(map(mul, x, z))
    total = 0
    for start in range(0, len(products), 64):
        group = products[start : start + 64]
        for lane in (0, 2, 4, 6):
            total += (sum(group[lane::8]) + sum(group[lane + 1 :: 8])) >> 5
    return total


def sum16(x, z):
    products = list(map(mul, x, z))
    return sum(sum(products[start : start + 16]) >> 5 for start in range(0, len(products), 16))


def times_power(x, up):
    return clamp(x << up if up >= 0 else x >> -up, -(1 << 29), 1 << 29)


# 14. Sigmoid


def sigmoid_table():
    table = [0] * 2048
    e = 1 << 60
    for i in range(1025):
        s = ((1 << 75) + ((1 << 60) + e) // 2) // ((1 << 60) + e)
        table[1024 - i] = 32768 - s
        if i < 1024:
            table[1024 + i] = s
        e = e * 1143949398276903549 >> 60
    return table


SIGMOID = sigmoid_table()
assert SIGMOID[0] == 11 and SIGMOID[1024] == 16384 and SIGMOID[2047] == 32757


def sigmoid(u):
    return SIGMOID[(min(u + 16, 32767) >> 5) + 1024]


# 14. Mean squares: pairs of mantissa and exponent


def in_range(mantissa, exponent):
    while mantissa >= 1 << 14:
        mantissa >>= 2
        exponent += 1
    return mantissa, exponent


def moved(v, target, rate):
    y = max(v[1], target[1])
    a = v[0] << 3 >> min(2 * (y - v[1]), 31)
    b = target[0] << 3 >> min(2 * (y - target[1]), 31)
    t = a + (((b - a) * rate) >> 14)
    up = min((32 - t.bit_length() - 15) // 2, y)
    return in_range(t << 2 * up >> 3, y - up)


def inverse_root(z):
    s = (z.bit_length() + 1) // 2
    m = (z << 8) >> 2 * s
    return isqrt((1 << 37) // (2 * m + 1)), 14 + s


def step_size(k, x, exponent):
    """Step 4 of moving a row."""
    if x >= exponent:
        k = min(k, 32767) << min(x - exponent, 8)
    else:
        k >>= min(exponent - x, 31)
    return min(k, 32767)


class Vector:
    """A row with its meta."""

    def __init__(self, r, n=0, v=(0, 0)):
        self.r, self.n, self.v = r, n, v
        self.check = 0

    def move(self, d, x, m, age):
        if m == 0:
            return
        target = in_range(2 * m, x + 3)
        n = self.n
        self.v = target if n == 0 else moved(self.v, target, max(16384 // (n + 1), 164))
        root, s = inverse_root(max(self.v[0], 1) * (10 + n))
        self.n = min(n + 1, 3990)
        k = step_size(((57750000 // 640) * age * root) >> s, x, self.v[1])
        self.r = [sat16(r + ((((di * k) >> 16) + 1) >> 1)) for r, di in zip(self.r, d)]


class Node:
    """A node of the head."""

    def __init__(self, w, b=0, n=0):
        self.w, self.b, self.n = w, b, n


def rms_norm(y, floor):
    """The normalised, with inv and shift."""
    shift = bits([floor] + y) - 13
    y = [v >> shift for v in y]
    m = sum_pairs(y, y, 1) // (len(y) // 2) + (floor >> shift) ** 2
    inv = (1 << 27) // (4 * isqrt(16 * m))
    return [(v * inv) >> 13 for v in y], inv, shift


def through_norm(df, f, inv):
    """z, and down."""
    down = max(0, bits(df) - 13)
    df = [d >> down for d in df]
    mean = towards_zero(sum_pairs(df, f, 0), len(f)) >> 10
    return [sat16(d - ((v * mean + 512) >> 10)) * inv for d, v in zip(df, f)], down


class Step:
    """What the backward pass needs of a byte."""


class StateSpace:
    DITHER = (0, 40503, 15470, 55973, 30940, 5907, 46410, 21377)

    def __init__(self, width, contexts, shared, span, checked):
        self.e, self.shared, self.span, self.checked = width, shared, span, checked
        e = width
        self.finer = 2 if e > 16 else 0
        self.trust = [[4096] * 16 for _ in range(contexts)]  # by class
        self.trust_square = (0, 0)
        self.nodes = [Node([0] * e) for _ in range(256)]
        self.ahead = [Node([0] * e) for _ in range(256)]
        self.h = [0] * e
        self.f = [0] * e
        # Of P_a, for f'; of P_o, for x and f'; of P_v, for n.
        self.p_a = [[0] * e for _ in range(e)]
        self.p_o = [[0] * (2 * e) for _ in range(e)]
        self.p_v = [[0] * e for _ in range(e)]
        self.squares = [(0, 0)] * (4 * e)  # of the rows of P_a and P_v, of the half rows of P_o
        self.byte_rows = self.first_byte_rows()
        self.rows = Table(lambda _: Vector([0] * e))
        self.steps = []  # those ended within the span
        self.age = self.spans = self.noise = 0

    def first_byte_rows(self):
        rows, x = [], 0x2545F491
        for _ in range(256):
            r = []
            for _ in range(3 * self.e):
                x = noise_after(x)
                r.append((((x >> 16) * 2459) >> 16) - 1229)
            rows.append(Vector(r))
        return rows

    def row_of(self, z):
        """The row of a context with hash z."""
        z = z * PHI & U32
        place = z * self.shared >> 32
        if not self.checked:
            return self.rows[place]
        check = z & 0xFFFF | 1
        first, second = self.rows[place & ~1], self.rows[place | 1]
        for row in (first, second):
            if row.check == check:
                return row
        row, other = (first, second) if first.n <= second.n else (second, first)
        row.r, row.n, row.v, row.check = [0] * self.e, 0, (0, 0), check
        other.n = 7 * other.n // 8
        return row

    def start_byte(self, c1, hashes):
        e = self.e
        step = self.step = Step()
        step.byte_row = self.byte_rows[c1]
        step.rows, step.classes = [], []
        for z in hashes:
            row = self.row_of(z)
            step.rows.append(row)
            step.classes.append(row.n.bit_length())

        x = [0] * e
        if self.checked:
            parts = [
                (row.r, trust[k]) for row, trust, k in zip(step.rows, self.trust, step.classes)
            ]
            for (r, t), (other, u) in zip(parts[::2], parts[1::2]):
                x = [v + ((a * t + b * u) >> 4) for v, a, b in zip(x, r, other)]
            x = [sat16((v + 128) >> 8) for v in x]
        else:
            for row in step.rows:
                x = [sat16(a + b) for a, b in zip(x, row.r)]
        u = [-2839 + 13931 * i // e for i in range(e)] + x + [2048] * e
        u = [sat16(a + b) for a, b in zip(u, step.byte_row.r)]
        step.q = [clamp((v + 4) >> 3, -4095, 4095) for v in x]
        step.q += [clamp((v + 1) >> 1, -4095, 4095) for v in self.f]
        for i in range(e):
            if self.checked:
                of_a = sum16(self.p_a[i], step.q[e:])
                of_o = sum16(self.p_o[i][:e], step.q[:e]) + sum16(self.p_o[i][e:], step.q[e:])
            else:
                of_a, of_o = sum5(self.p_a[i], step.q[e:]), sum5(self.p_o[i], step.q)
            u[i] = sat16(u[i] + (of_a >> 6))
            u[2 * e + i] = sat16(u[2 * e + i] + (of_o >> 6))

        step.g, step.a, step.k_a, step.k_c, step.k_o, y = [], [], [], [], [], []
        after = []
        for i in range(e):
            h, u_a, u_c, u_o = self.h[i], u[i], u[e + i], u[2 * e + i]
            a = sigmoid(u_a)
            c = 2 * sigmoid(sat16(2 * u_c)) - 32768
            s = sigmoid(u_o)
            g = (u_o * s + 16384) >> 15
            new = (h * a + c * (32768 - a) + 16384) >> 15
            y.append(new * g)
            after.append(new)
            step.a.append(a)
            step.g.append(g)
            step.k_a.append(((h - c) * ((a * (32768 - a)) >> 15)) >> 15)
            step.k_c.append(((32768 - a) * (32768 - ((c * c) >> 15))) >> 15)
            k_o = (new * (s + ((g * (32768 - s)) >> 12))) >> 15
            step.k_o.append(clamp(k_o, -32767, 32767))
        self.h = after

        step.n, step.inv, step.shift = rms_norm(y, 1 << 19)
        step.f = step.n
        if self.checked:
            step.q_n = [clamp((v + 1) >> 1, -4095, 4095) for v in step.n]
            step.t = [
                2 * sigmoid(sat16(2 * sat16(sum16(row, step.q_n) >> 6))) - 32768
                for row in self.p_v
            ]
            v = [32768 * n + n * t for n, t in zip(step.n, step.t)]
            step.f, step.inv_v, step.shift_v = rms_norm(v, 1 << 17)
        self.f = step.f
        step.nodes, step.errors, step.bits = [], [], []

    def logit(self, node, f):
        return clamp((sum_pairs(node.w, f, 1) >> (9 + self.finer)) + node.b, -49151, 49151)

    def predict(self, c0):
        """The two inputs of the weight sets."""
        self.node = node = self.nodes[c0]
        x = self.logit(node, self.f)
        self.probability = squash(x)
        return [x >> 4, (self.probability - 32768) >> 6]

    def bit(self, bit, coded):
        self.step.nodes.append(self.node)
        self.step.bits.append(bit)
        self.step.errors.append(65536 * bit - ((self.probability + coded) >> 1))

    def end_byte(self):
        step = self.step
        self.keep_gradient(step, self.learn_path(step.nodes, step.errors, step.f))
        missed = sum(map(abs, step.errors))
        step.quiet = missed < 100
        if self.checked and missed >= 6000 and self.steps:
            # What the features of the byte before say of this one.
            before, nodes, errors, c0 = self.steps[-1], [], [], 1
            for bit in step.bits:
                nodes.append(self.ahead[c0])
                errors.append(65536 * bit - squash(self.logit(nodes[-1], before.f)))
                c0 = 2 * c0 + bit
            more = self.learn_path(nodes, errors, before.f)
            df = [(d << before.down) + 13 * (v >> 6) for d, v in zip(before.df, more)]
            self.keep_gradient(before, df)
        self.age = min(self.age + 1, 640)
        self.steps.append(step)
        if len(self.steps) == self.span:
            self.end_span()
            self.steps = []

    def keep_gradient(self, step, df):
        step.down = max(0, bits(df) - 14)
        step.df = [d >> step.down for d in df]

    def learn_path(self, nodes, errors, f):
        """Moves the nodes of a byte, and gives the gradient in f."""
        e = self.e
        df = [0] * e
        sizes = []
        for node, error in zip(nodes, errors):
            rate = ((33554 // e) * 36000) // (3000 + node.n)
            node.n = min(node.n + 1, 33000)
            size = clamp(((error >> 2) * rate) >> (14 - self.finer), -32767, 32767)
            node.b = sat16(node.b + ((1024 * (size >> self.finer) + 32768) >> 16))
            sizes.append(size)
        for i in range(0, 8, 2):
            self.noise = noise_after(self.noise)
            pair = nodes[i : i + 2]
            half = [max(error >> 1, -32767) for error in errors[i : i + 2]]
            df = [
                d + ((w0 * half[0] + w1 * half[1]) >> (3 + self.finer))
                for d, w0, w1 in zip(df, pair[0].w, pair[1].w)
            ]
            for v in (0, 1):
                size = sizes[i + v]
                pair[v].w = [
                    sat16(w + ((f[j] * size + self.dither(j, v)) >> 16))
                    for j, w in enumerate(pair[v].w)
                ]
        return df

    def dither(self, i, v):
        return self.spread(i, 2 * (i // 8) + v)

    def spread(self, i, vector):
        return ((self.noise >> 16) + self.DITHER[i % 8] + 27197 * vector) & 0xFFFF

    # 14. End of a span

    def end_span(self):
        e = self.e
        of_a, of_o = list(zip(*self.p_a)), list(zip(*self.p_o))
        columns = of_a, of_o[:e], of_o[e:], list(zip(*self.p_v))
        carry, back = [0] * e, [0] * e
        for step in reversed(self.steps):
            carry, back = self.backwards(step, carry, back, columns)
        if self.checked:
            self.move_trust()
        self.move_projections()
        self.spans = min(self.spans + 1, U32)

    def backwards(self, step, carry, back, columns):
        e = self.e
        df = [(d << step.down) + b for d, b in zip(step.df, back)]
        of_a, of_x, of_f, of_v = columns
        if self.checked:
            df = self.through_gate(step, df, of_v)
        z, down = through_norm(df, step.n, step.inv)
        up = down - 2 - step.shift
        down = clamp(bits(z) + up - 14, 0, 12)
        r = down - up
        if r >= 0:
            dy = [sat16(v >> min(r, 31)) for v in z]
        else:
            most = 32767 >> -r
            dy = [sat16(clamp(v, -most, most) << -r) for v in z]

        dh = [
            clamp(c + ((d * g) >> (12 - down)), -(1 << 28), 1 << 28)
            for c, d, g in zip(carry, dy, step.g)
        ]
        common = max(down, bits(dh) - 14)
        dh = [d >> common for d in dh]
        carry = [(d * a) >> (15 - common) for d, a in zip(dh, step.a)]

        if step.quiet:
            step.du, step.exponent = [0] * (3 * e), 0
            return carry, [0] * e

        du = [d * k for d, k in zip(dh, step.k_a)]
        du += [d * k for d, k in zip(dh, step.k_c)]
        du += [(d >> (common - down)) * k for d, k in zip(dy, step.k_o)]
        narrow = max(0, bits(du) - 14)
        step.du = du = [(d + ((1 << narrow) >> 1)) >> narrow for d in du]
        step.exponent = x = common + narrow
        quarter = [d >> 2 for d in du]
        q_a, q_o = quarter[:e], quarter[2 * e :]
        if self.checked:
            t_x = [sum16(column, q_o) for column in of_x]
            t_f = [sum16(a, q_a) + sum16(o, q_o) for a, o in zip(of_a, of_f)]
        else:
            t_x = [sum5(column, q_o) for column in of_x]
            t_f = [sum5(a + o, q_a + q_o) for a, o in zip(of_a, of_f)]
        dx = [du[e + i] + (t_x[i] >> 7) for i in range(e)]
        back = [times_power(v, x - 16) for v in t_f]

        # Rows
        m = sum(sum_pairs(part, part, 7) for part in (du[:e], du[e : 2 * e], du[2 * e :]))
        step.byte_row.move(du, x, m // (3 * e), self.age)
        narrow = max(0, bits(dx) - 15)
        dx = [max(d >> narrow, -32767) for d in dx]
        m = sum_pairs(dx, dx, 7) // e
        step.x = x + narrow
        step.trusts = [(sum_pairs(dx, row.r, 7) + 16) >> 5 for row in step.rows]
        for row in step.rows:
            row.move(dx, x + narrow, m, self.age)
        return carry, back

    def through_gate(self, step, df, of_v):
        """The gradient of n, from that of f."""
        z, down = through_norm(df, step.f, step.inv_v)
        narrow = max(0, bits(z) - 14)
        x = max(narrow + down + 17 - step.shift_v, 0)
        dv = [v >> narrow for v in z]
        dn = [times_power(32768 * d + d * t, x - 30) for d, t in zip(dv, step.t)]
        if step.quiet:
            step.dq, step.x_q = [0] * self.e, 0
            return dn
        dq = [
            d * ((32768 * n - n * ((t * t) >> 15)) >> 15) for d, n, t in zip(dv, step.n, step.t)
        ]
        narrow = max(0, bits(dq) - 14)
        step.dq = [d >> narrow for d in dq]
        step.x_q = x = x + narrow
        quarter = [d >> 2 for d in step.dq]
        return [
            clamp(d + times_power(sum16(column, quarter), x - 32), -(1 << 29), 1 << 29)
            for d, column in zip(dn, of_v)
        ]

    def move_trust(self):
        steps = [step for step in self.steps if not step.quiet]
        if not steps:
            return
        largest = max(step.x for step in steps)
        sums = [[0] * 16 for _ in self.trust]
        for step in steps:
            for own, k, d in zip(sums, step.classes, step.trusts):
                own[k] += d >> min(largest - step.x, 31)
        narrow = max(0, bits([v for own in sums for v in own]) - 15)
        sums = [[v >> narrow for v in own] for own in sums]
        m = sum((v * v) >> 7 for own in sums for v in own) // (16 * len(sums))
        x = largest + narrow
        self.trust_square, k = self.normalised(self.trust_square, m, x, 1610613)
        if k is not None:
            for trust, own in zip(self.trust, sums):
                trust[:] = [
                    clamp(t + ((((v * k) >> 16) + 1) >> 1), -16384, 16384)
                    for t, v in zip(trust, own)
                ]

    def move_projections(self):
        e = self.e
        def aligned(gradients):
            """All (vector, exponent) of the span to the largest exponent, over the span."""
            largest = max(x for _, x in gradients)
            vectors = []
            for vector, x in gradients:
                d = min(largest - x, 15)
                vectors.append([(v + ((1 << d) >> 1)) >> d for v in vector])
            return list(zip(*vectors)), largest

        dus, largest = aligned([(step.du, step.exponent) for step in self.steps])
        first = 6442451 if e <= 16 else 3221225
        rate = min(300 * (first // 10) // isqrt(100 + min(self.spans, 1 << 24)), first)
        inputs = list(zip(*[step.q for step in self.steps]))  # over the span, for each j
        for i in range(e):
            self.move_part(i, self.p_a[i], 0, dus[i], inputs[e:], largest, rate)
        for i in range(e):
            for half, q in enumerate((inputs[:e], inputs[e:])):
                part, du = e + 2 * i + half, dus[2 * e + i]
                self.move_part(part, self.p_o[i], half * e, du, q, largest, rate)
        if self.checked:
            inputs = list(zip(*[step.q_n for step in self.steps]))
            dqs, largest = aligned([(step.dq, step.x_q) for step in self.steps])
            for i in range(e):
                self.move_part(3 * e + i, self.p_v[i], 0, dqs[i], inputs, largest, rate)

    def normalised(self, v, m, x, rate):
        """The mean square v moved, and the factor k, None for a gradient of 0."""
        if m == 0:
            return v, None
        target = in_range(2 * m, x + 3)
        mu = max(16384 // (min(self.spans, 16384) + 1), 328)
        v = target if v == (0, 0) else moved(v, target, mu)
        root, s = inverse_root(max(v[0], 1))
        return v, step_size((rate * root) >> s, x, v[1])

    def move_part(self, part, row, at, du, inputs, largest, rate):
        """The E weights of row from at on."""
        e = self.e
        gradient = [sum(map(mul, du, q)) for q in inputs]
        narrow = max(0, bits(gradient) - 15)
        gradient = [max(g >> narrow, -32767) for g in gradient]
        x = largest + narrow
        m = sum_pairs(gradient, gradient, 7) // e
        self.squares[part], k = self.normalised(self.squares[part], m, x, rate)
        if k is None:
            return
        for j, g in enumerate(gradient, at):
            row[j] = max(sat16(row[j] + ((((g * k) >> 16) + 1) >> 1)), -32767)


# 15. The gate


class Gate:
    def __init__(self, width, sets):
        self.e = width
        self.row = Row([2048] * sets + [0, 2048, 0])
        self.vectors = [[0] * width for _ in range(sets + 3)]
        self.sums = [0] * (sets + 3)

    def start_byte(self, f):
        self.v = [
            clamp(sum(map(mul, vector, f)) >> 11, -32767, 32767) for vector in self.vectors
        ]

    def predict(self, outputs, two):
        self.s = s = outputs + [77] + two
        x = (sum(map(mul, self.row.w, s)) >> 10) + (
            sum((v * i) >> 4 for v, i in zip(self.v, s)) >> 6
        )
        x = clamp(x, -49151, 49151)
        self.p = squash(x)
        return x

    def learn(self, bit):
        error = 65536 * bit - self.p
        self.sums = [total + (error >> 2) * s for total, s in zip(self.sums, self.s)]
        self.row.learn(self.s, bit, self.p)

    def end_byte(self, ssm):
        rate = (1800 if self.e > 16 else 2500) // self.e
        for j, total in enumerate(self.sums):
            step = clamp((total * rate) >> 21, -32767, 32767)
            added = [32768] * self.e
            if self.e > 16:
                ssm.noise = noise_after(ssm.noise)
                added = [ssm.spread(i, i // 8) for i in range(self.e)]
            self.vectors[j] = [
                sat16(v + ((step * fi + more) >> 16))
                for v, fi, more in zip(self.vectors[j], ssm.f, added)
            ]
        self.sums = [0] * len(self.sums)
