"""The way back of the filters: docs/format.md, section 10."""

U32 = 0xFFFFFFFF


def extended(x, n):
    """Of 32 bits, those above the low n equal to bit n - 1."""
    x &= (1 << n) - 1
    return (x | -(x >> (n - 1) & 1) << n) & U32


def word(b, at=0):
    return int.from_bytes(b[at : at + 4], "little")


def put(b, at, value):
    b[at : at + 4] = (value & U32).to_bytes(4, "little")


RELATIVE = bytes.fromhex("01030B2329" "2B333839" "3A3B638081838485" "88898A8B8DC6C7F6F7FF")


def x86(b, p, wide):
    if b[0] in (0xE8, 0xE9):
        o = 1
    elif b[0] == 0x0F and 0x80 <= b[1] <= 0x8F:
        o = 2
    elif wide and b[0] in RELATIVE and b[1] & 0xC7 == 0x05:
        o = 2
    elif wide and b[0] == 0x0F and b[2] & 0xC7 == 0x05 and b[1] not in (0xE8, 0xE9):
        o = 3
    else:
        return 1
    if b[o + 3] not in (0, 255):
        return o + 3
    operand = b[o + 2] | b[o + 1] << 8 | b[o] << 16 | b[o + 3] << 24
    put(b, o, extended(operand - p - o - 4, 25))
    return o + 4


def filter_x86(b, p):
    return x86(b, p, False)


def filter_x86_64(b, p):
    return x86(b, p, True)


def filter_arm(b, p):
    if b[0] == 0xEB:
        b[:4] = b[3::-1]
        put(b, 0, 0xEB000000 | (word(b) - p // 4) & 0xFFFFFF)
    elif b[3] == 0xEB:
        b[:4] = b[3::-1]
    return 4


def filter_thumb(b, p):
    w = word(b)
    if w & 0xC000F800 != 0xC000F000:
        return 2
    s, i, j = w >> 10 & 1, w >> 29 & 1, w >> 27 & 1
    d = s << 23 | i << 22 | j << 21 | (w & 0x3FF) << 11 | w >> 16 & 0x7FF
    half = p // 2
    if not w >> 28 & 1:
        half &= ~1
    d = (d - half - 2) & 0xFFFFFF
    s, i, j = d >> 23, d >> 22 & 1, d >> 21 & 1
    if s == 0:
        i, j = 1 - i, 1 - j
    w &= ~(1 << 10 | 1 << 29 | 1 << 27 | 0x3FF | 0x7FF << 16)
    put(b, 0, w | s << 10 | i << 29 | j << 27 | d >> 11 & 0x3FF | (d & 0x7FF) << 16)
    return 4


def filter_arm64(b, p):
    # Forth, v2 v1 v0 v3 were written: the top byte stays, so it still tells.
    if b[3] & 0xFC == 0x94:
        b[0], b[2] = b[2], b[0]
        w = word(b)
        put(b, 0, w & 0xFC000000 | (w - p // 4) & 0x3FFFFFF)
    elif b[3] & 0x9F == 0x90:
        w = word(b)
        d = (w >> 5 & 0x7FFFF) << 2 | w >> 29 & 3
        if (extended(d, 21) + (1 << 18)) & U32 < 1 << 19:
            d = extended(d - p // 4096, 19) & 0x1FFFFF
            w &= ~(0x7FFFF << 5 | 3 << 29)
            put(b, 0, w | (d >> 2) << 5 | (d & 3) << 29)
    return 4


def matches(x, r):
    low = x & 0x7F
    fits = low in (0x03, 0x07) or (low in (0x13, 0x67) and x >> 12 & 7 == 0)
    return r != 0 and x >> 15 & 31 == r and fits


def filter_riscv(b, p):
    w = word(b)
    if w & 0xFFF == 0x0EF:
        d = (b[1] >> 4) << 16 | b[2] << 8 | b[3]
        d = (d - p // 2) & 0xFFFFF
        w = 0x0EF | (d >> 19) << 31 | (d >> 11 & 0xFF) << 12 | (d >> 10 & 1) << 20
        put(b, 0, w | (d & 0x3FF) << 21)
        return 4
    if w & 0x7F != 0x17:
        return 2
    second = word(b, 4)
    u, r, low, high = w >> 12, w >> 7 & 31, second & 0xFFFFF, second >> 20
    if matches(u, r):
        d = (int.from_bytes(b[4:8], "big") - p) & U32
        put(b, 4, u | (d & 0xFFF) << 20)
        put(b, 0, w & 0xFFF | (((d + 2048) >> 12) & 0xFFFFF) << 12)
        return 8
    if matches(low, r):
        put(b, 0, w & 0xFFF | low << 12)
        put(b, 4, u | high << 20)
        return 8
    return 4


FILTERS = {
    1: filter_x86, 2: filter_x86_64, 3: filter_arm, 4: filter_thumb, 5: filter_arm64,
    6: filter_riscv,
}  # fmt: skip


def way_back(filter_id, content, begins):
    """Undoes a filter. `begins` are the positions 0 and behind each sync point."""
    content = bytearray(content)
    for begin, end in zip(begins, begins[1:] + [len(content)]):
        p = begin
        while end - p >= 8:
            b = content[p : p + 8]
            moved = FILTERS[filter_id](b, p & U32)
            content[p : p + 8] = b
            p += moved
    return bytes(content)
