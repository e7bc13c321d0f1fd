"""Unpacked content, and how it is packed again: docs/format.md, section 11.

`content_of` gives the content, `pack` a stream of DEFLATE as zlib or gzip would
make it. The comments name the paragraphs of the section.
"""

import zlib

BEHIND = 262  # so many bytes of the text are to be at hand behind a position
TOO_FAR = 4096  # for a repeat of three bytes

# good, lazy, nice, tries
LEVELS = [
    None, (4, 4, 8, 4), (4, 5, 16, 8), (4, 6, 32, 32), (4, 4, 16, 16), (8, 16, 32, 32),
    (8, 16, 128, 128), (8, 32, 128, 256), (32, 128, 258, 1024), (32, 258, 258, 4096),
]  # fmt: skip

# RFC 1951, section 3.2.5: codes of lengths, from 257 on, and of distances
END = 256
LENGTH_EXTRA = [0] * 4 + [extra for extra in range(6) for _ in range(4)] + [0]
DISTANCE_EXTRA = [0, 0] + [extra for extra in range(14) for _ in range(2)]
EXTRA = [0] * 257 + LENGTH_EXTRA
ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
FIXED = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8, [5] * 30


def firsts(extras, first):
    """The least number of each code."""
    return [first + sum(1 << extra for extra in extras[:i]) for i in range(len(extras))]


LENGTH_FIRST = firsts(LENGTH_EXTRA[:-1], 3) + [258]
DISTANCE_FIRST = firsts(DISTANCE_EXTRA, 1)
LENGTH_CODE = [max(c for c in range(29) if LENGTH_FIRST[c] <= max(n, 3)) for n in range(259)]


def distance_code(distance):
    """The last code whose least number is not greater."""
    if distance <= 4:
        return distance - 1
    log = (distance - 1).bit_length() - 1
    return 2 * log + ((distance - 1) >> (log - 1) & 1)


# The parts


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("the unpacked content ends within a part")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self):
        """LEB128, not always in its shortest form."""
        value = 0
        for i in range(9):
            byte = self.take(1)[0]
            value |= (byte & 127) << 7 * i
            if byte < 128:
                return value
        raise ValueError("a number of the unpacked content is too long")


def content_of(data):
    """The content that the unpacked content stands for."""
    reader, content = Reader(bytes(data)), bytearray()
    while reader.at < len(data):
        content += reader.take(reader.number())
        if reader.at < len(data):
            content += stream(reader)
    return bytes(content)


def stream(reader):
    """That of a part, with its wrap."""
    method, wrap = Method(*reader.take(2)), reader.take(1)[0]
    if wrap > 2:
        raise ValueError(f"wrap {wrap} is not known")
    begin = reader.take(2) if wrap else b""
    if wrap == 2:
        chunk, size = reader.number(), reader.number()
        if not 256 <= chunk <= 0xFFFFFFFF:
            raise ValueError("there are no chunks of this length")
    held = reader.take(reader.number())
    packed = pack(held, method)
    if wrap:
        packed = begin + packed + zlib.adler32(held).to_bytes(4, "big")
    if wrap < 2:
        return packed
    if len(packed) != size:
        raise ValueError("the chunks are not as long as stated")
    chunks = [packed[at : at + chunk] for at in range(0, size, chunk)]
    return b"".join(
        len(chunk).to_bytes(4, "big") + b"IDAT" + chunk
        + zlib.crc32(b"IDAT" + chunk).to_bytes(4, "big")
        for chunk in chunks
    )  # fmt: skip


class Method:
    def __init__(self, first, second):
        level, window, memory = first & 15, second & 15, second >> 4
        if first > 31 or not 1 <= level <= 9 or not 9 <= window <= 15 or memory > 9:
            raise ValueError(f"method {first:02x} {second:02x} is not known")
        self.gzip = memory == 0
        if self.gzip and window != 15:
            raise ValueError("the window of gzip is 15")
        self.level, self.filtered, self.window = level, first > 15, 1 << window
        self.hash_bits = 15 if self.gzip else memory + 7
        self.symbols = 32767 if self.gzip else (1 << (memory + 6)) - 1


# Chains, search, levels


def pack(text, method):
    packer = Packer(text, method)
    (packer.at_once if method.level < 4 else packer.delayed)()
    return bytes(packer.out.data)


class Packer:
    def __init__(self, text, method):
        self.text, self.n, self.method = text, len(text), method
        self.good, self.lazy, self.nice, self.tries = LEVELS[method.level]
        self.w, self.reach = method.window, method.window - BEHIND
        self.shift = (method.hash_bits + 2) // 3
        self.newest, self.before = [0] * (1 << method.hash_bits), [0] * self.n
        self.base, self.ended = 0, False
        self.buffer = bytearray(2 * self.w) if method.gzip else text
        self.fill()
        self.out = Bits()
        self.begin_block(0)

    # Chains

    def enter(self, x):
        """The newest before it with its hash, 0 if there is none."""
        if x + 3 > self.n:
            return 0
        a, b, c = self.text[x : x + 3]
        h = (a << 2 * self.shift ^ b << self.shift ^ c) & len(self.newest) - 1
        p = self.before[x] = self.newest[h]
        self.newest[h] = x
        return p

    # Search

    def is_searched(self, x, p):
        if self.method.gzip and x - self.base > 2 * self.w - BEHIND:
            return False
        return p > self.base and x - p <= self.reach

    def search(self, x, p, least):
        best, tries, nice = least, self.tries, self.nice
        if least >= self.good:
            tries //= 4
        most, at = 258, self.base
        if not self.method.gzip:
            most, at = min(258, self.n - x), 0
            nice = min(nice, self.n - x)
        limit = max(x - self.reach, self.base)
        while True:
            n = common(self.buffer, p - at, x - at, best, most)
            if n > best:
                best, self.found = n, p
                if best >= nice:
                    break
            tries -= 1
            p = self.before[p]
            if tries == 0 or p <= limit:
                break
        return min(best, self.n - x)

    # Levels 1 to 3

    def at_once(self):
        x = 0
        while x < self.n:
            self.move(x)
            p = self.enter(x)
            length = self.search(x, p, 2) if self.is_searched(x, p) else 0
            if length >= 3:
                full = self.tell(x, length, x - self.found)
                if length <= self.lazy and self.n - x - length >= 3:
                    for y in range(x + 1, x + length):
                        self.enter(y)
                x += length
            else:
                full = self.tell(x, self.text[x], 0)
                x += 1
            if full:
                self.end_block(x)
        self.last_block()

    # Levels 4 to 9

    def delayed(self):
        x, length, self.found, pending = 0, 2, 0, False
        while x < self.n:
            self.move(x)
            p = self.enter(x)
            length_before, found_before, length = length, self.found, 2
            if length_before < self.lazy and self.is_searched(x, p):
                length = self.search(x, p, length_before)
                if length <= 5 and self.method.filtered:
                    length = 2
                if length == 3 and x - self.found > TOO_FAR:
                    length = 2
            if length_before >= 3 and length <= length_before:
                full = self.tell(x, length_before, x - 1 - found_before)
                for y in range(x + 1, x + length_before - 1):
                    self.enter(y)
                x += length_before - 1
                pending, length = False, 2
                if full:
                    self.end_block(x)
            else:
                if pending and self.tell(x, self.text[x - 1], 0):
                    self.end_block(x)
                pending = True
                x += 1
        if pending:
            self.tell(x, self.text[x - 1], 0)
        self.last_block()

    # Windows

    def move(self, x):
        """Before the byte at x is looked at."""
        at, full = x - self.base, 2 * self.w - BEHIND
        if self.n - x >= BEHIND:
            if at > full:
                self.grow()
            return
        if self.ended:
            return
        if at >= full:
            self.grow()
        if self.method.gzip:
            self.ended = True
            end = self.n - self.base
            self.buffer[end : end + 2] = b"\0\0"

    def grow(self):
        self.base += self.w
        if self.method.gzip:
            self.buffer[: self.w] = self.buffer[self.w :]
            self.fill()

    def fill(self):
        """All that there is of the text comes to the buffer."""
        if self.method.gzip:
            part = self.text[self.base : self.base + 2 * self.w]
            self.buffer[: len(part)] = part

    # Blocks

    def begin_block(self, x):
        self.block, self.told, self.repeats = x, [], 0
        self.counts = [0] * END + [1] + [0] * 29, [0] * 30

    def tell(self, x, byte_or_length, distance):
        """Whether the block ends behind this symbol."""
        lengths, distances = self.counts
        if distance == 0:
            lengths[byte_or_length] += 1
        else:
            lengths[257 + LENGTH_CODE[byte_or_length]] += 1
            distances[distance_code(distance)] += 1
            self.repeats += 1
        self.told.append((byte_or_length, distance))
        n = len(self.told)
        if self.method.gzip and self.method.level >= 3 and n % 4096 == 0:
            bits = 8 * n + sum(c * (5 + extra) for c, extra in zip(distances, DISTANCE_EXTRA))
            if self.repeats < n // 2 and bits // 8 < (x - self.block) // 2:
                return True
        return n == self.method.symbols

    def last_block(self):
        if not self.method.gzip:
            self.move(self.n)
        self.end_block(self.n, last=1)
        self.out.put(0, -self.out.count % 8)

    # Kind of block

    def end_block(self, x, last=0):
        text, out = self.text[self.block : x], self.out
        own = [code_lengths(counts, 15) for counts in self.counts]
        head = code_lengths_told(own)
        d = (3 + sum(n for _, n in head) + self.size(own) + 7) // 8
        f = (3 + self.size(FIXED) + 7) // 8
        if len(text) + 4 <= min(d, f) and self.block >= self.base:
            out.put(last, 3)
            out.put(0, -out.count % 8)
            out.put(len(text), 16)
            out.put(len(text) ^ 0xFFFF, 16)
            out.data += text
        elif f <= d:
            out.put(last | 1 << 1, 3)
            self.put_symbols(FIXED)
        else:
            out.put(last | 2 << 1, 3)
            for value, n in head:
                out.put(value, n)
            self.put_symbols(own)
        self.begin_block(x)

    def size(self, lengths):
        """Bits of all symbols of the block."""
        return sum(
            count * (length + extra)
            for kind, extras in enumerate((EXTRA, DISTANCE_EXTRA))
            for count, length, extra in zip(self.counts[kind], lengths[kind], extras)
        )

    def put_symbols(self, lengths):
        out, codes, distance_codes = self.out, codes_of(lengths[0]), codes_of(lengths[1])
        for length, distance in self.told:
            if distance == 0:
                out.put(*codes[length])
                continue
            c = LENGTH_CODE[length]
            out.put(*codes[257 + c])
            out.put(length - LENGTH_FIRST[c], LENGTH_EXTRA[c])
            c = distance_code(distance)
            out.put(*distance_codes[c])
            out.put(distance - DISTANCE_FIRST[c], DISTANCE_EXTRA[c])
        out.put(*codes[END])


def common(b, p, x, best, most):
    """How many bytes from p and x on are equal, at most `most`; or 0, if not above `best`."""
    if best >= most or b[p + best] != b[x + best]:
        return 0
    n = 0
    while n + 16 <= most and b[p + n : p + n + 16] == b[x + n : x + n + 16]:
        n += 16
    while n < most and b[p + n] == b[x + n]:
        n += 1
    return n


class Bits:
    def __init__(self):
        self.data, self.held, self.count = bytearray(), 0, 0

    def put(self, value, n):
        self.held |= value << self.count
        self.count += n
        while self.count >= 8:
            self.data.append(self.held & 255)
            self.held >>= 8
            self.count -= 8


# Codes


def code_lengths(counts, limit):
    """The lengths of Huffman's codes, up to the last one."""
    heap = [c for c, count in enumerate(counts) if count]
    weight = list(counts)
    while len(heap) < 2:
        c = heap[-1] + 1 if heap and heap[-1] < 2 else 0
        heap.append(c)
        weight[c] = 1
    codes, depth, above = len(counts), [0] * len(counts), [None] * len(counts)
    length = [0] * codes

    def is_before(a, b):
        return (weight[a], depth[a]) <= (weight[b], depth[b])

    def sink(k):
        """The children of k are 2 k + 1 and 2 k + 2."""
        node = heap[k]
        while 2 * k + 1 < len(heap):
            child = 2 * k + 1
            if child + 1 < len(heap) and is_before(heap[child + 1], heap[child]):
                child += 1
            if is_before(node, heap[child]):
                break
            heap[k] = heap[child]
            k = child
        heap[k] = node

    for k in reversed(range(len(heap) // 2)):
        sink(k)
    taken = []
    while len(heap) > 1:
        a, heap[0] = heap[0], heap[-1]
        heap.pop()
        sink(0)
        b = heap[0]
        taken += [a, b]
        above[a] = above[b] = heap[0] = len(weight)
        weight.append(weight[a] + weight[b])
        depth.append(max(depth[a], depth[b]) + 1)
        above.append(None)
        length.append(0)
        sink(0)

    # Lengths
    too_long = 0
    of_length = [0] * (limit + 1)
    for node in reversed(taken):
        length[node] = length[above[node]] + 1
        if length[node] > limit:
            length[node] = limit
            too_long += 1
        if node < codes:
            of_length[length[node]] += 1
    if too_long:
        while too_long > 0:
            n = max(n for n in range(1, limit) if of_length[n])
            of_length[n] -= 1
            of_length[n + 1] += 2
            of_length[limit] -= 1
            too_long -= 2
        anew = [n for n in range(limit, 0, -1) for _ in range(of_length[n])]
        for node, n in zip((node for node in taken if node < codes), anew):
            length[node] = n
    return length[: 1 + max(node for node in taken if node < codes)]


def codes_of(lengths):
    """RFC 1951, section 3.2.2: each code with its length, the first bit the lowest."""
    codes, code = [None] * len(lengths), 0
    for n in range(1, 16):
        for c, length in enumerate(lengths):
            if length == n:
                codes[c] = int(f"{code:0{n}b}"[::-1], 2), n
                code += 1
        code <<= 1
    return codes


# Code lengths


def code_lengths_told(own):
    """The begin of a block with its own codes, as pairs of a number and how many bits it has."""
    runs = [symbol for lengths in own for symbol in in_runs(lengths)]
    counts = [0] * 19
    for symbol, _, _ in runs:
        counts[symbol] += 1
    lengths = code_lengths(counts, 7)
    codes = codes_of(lengths)
    lengths += [0] * (19 - len(lengths))
    told = max(4, *(i + 1 for i, symbol in enumerate(ORDER) if lengths[symbol]))
    head = [(len(own[0]) - 257, 5), (len(own[1]) - 1, 5), (told - 4, 4)]
    head += [(lengths[symbol], 3) for symbol in ORDER[:told]]
    for symbol, value, n in runs:
        head += [codes[symbol], (value, n)]
    return head


def in_runs(lengths):
    """Symbols, and the number behind each with how many bits it has."""
    symbols, at, before = [], 0, None
    while at < len(lengths):
        length = lengths[at]
        most = 138 if length == 0 else 6 if length == before else 7
        run = 1
        while run < most and lengths[at + run : at + run + 1] == [length]:
            run += 1
        if length == 0 and run >= 3:
            symbols.append((17, run - 3, 3) if run <= 10 else (18, run - 11, 7))
        elif length and length == before and run >= 3:
            symbols.append((16, run - 3, 2))
        elif length and length != before and run >= 4:
            symbols += [(length, 0, 0), (16, run - 4, 2)]
        else:
            symbols += [(length, 0, 0)] * run
        at, before = at + run, length
    return symbols
