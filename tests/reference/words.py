"""Numbered words: docs/format.md, section 13, and docs/model.md, section 18."""

import re
import zlib
from functools import cache

from basics import source

LITERAL, CAPITAL = 0, 127
SHORT = dict(
    zip(
        [*range(1, 9), 11, 12, *range(14, 19)],
        b"the of and to in a is as for by on that with was it".split(),
    )
)
FIRST = [*range(19, 32), 192, 193, *range(245, 256)]
SECOND = [*range(48, 58), *range(65, 91), *range(97, 123), *range(128, 256)]
FIRST_AT = {b: 190 * i for i, b in enumerate(FIRST)}
SECOND_AT = {b: i for i, b in enumerate(SECOND)}

# What is known of a symbol under way: the first of two bytes, and these
UPPER, ESCAPED = 256, 512


@cache
def word_list():
    text = source("words.txt").read_bytes()
    if len(text) != 34719 or zlib.crc32(text) != 0x73F9339D:
        raise ValueError("words.txt is another list")
    return text.split()


class Speller:
    """What is remembered of numbered text and of the text that it stands for."""

    def __init__(self):
        self.begin()
        self.letters = self.symbols = self.column = 0

    def begin(self):
        """What does not go on from a text to the next."""
        self.whole, self.part = False, 0

    def read(self, b):
        """The text that comes of a byte."""
        text = self.text_of(b)
        for c in text:
            self.letters = (self.letters << 8 | c) & 0xFFFFFFFFFFFFFFFF
            self.column = 0 if c == 10 else min(self.column + 1, 65535)
        return text

    def text_of(self, b):
        if self.part == ESCAPED:
            return self.byte(b)
        if self.part & 255:
            if b not in SECOND_AT:
                raise ValueError(f"{b} is no second byte of a number")
            first = self.part & 255
            return self.word(word_list()[FIRST_AT[first] + SECOND_AT[b]], first << 8 | b)
        space = b" " if self.whole else b""
        if b in SHORT:
            return space + self.word(SHORT[b], b)
        if b in FIRST_AT:
            self.whole, self.part = False, self.part + b
            return space
        if self.part == UPPER:
            raise ValueError("no number behind a capital")
        self.whole = False
        if b == CAPITAL:
            self.part = UPPER
            return space
        if b == LITERAL:
            self.part = ESCAPED
            return b""
        return self.byte(b)

    def byte(self, b):
        self.part = 0
        self.add(b)
        return bytes([b])

    def word(self, word, symbol):
        if self.part & UPPER:
            word = word.capitalize()
        self.whole, self.part = True, 0
        self.add(symbol)
        return word

    def add(self, symbol):
        self.symbols = (self.symbols << 16 | symbol) & 0xFFFFFFFFFFFFFFFF


def spelled_out(numbered):
    speller = Speller()
    text = b"".join([speller.read(b) for b in numbered])
    if speller.part != 0:
        raise ValueError("the numbered text ends within a symbol")
    return text


# The encoder, for the text of pretraining


def numbers():
    """Of the words of the list."""
    return {w: bytes((FIRST[i // 190], SECOND[i % 190])) for i, w in enumerate(word_list())}


def numbered(text):
    short = {word: bytes([b]) for b, word in SHORT.items()}
    long = numbers()
    special = {LITERAL, CAPITAL, *SHORT, *FIRST}
    out = bytearray()
    whole = False  # the run before is nothing but a number
    gap = b""
    for run, other in re.findall(rb"([A-Za-z]+)|([^A-Za-z]+)", text):
        if other:
            gap = other
            continue
        number, rest = number_of(run, short, long)
        if not (whole and number and gap == b" "):
            out += escaped(gap, special)
        out += number + rest
        whole, gap = bool(number) and not rest, b""
    return bytes(out + escaped(gap, special))


def number_of(run, short, long):
    """The number that a run begins with, or none, and the letters that are left."""
    capital = run[:1].isupper() and (len(run) == 1 or run[1:].islower())
    small = run.lower() if capital else run
    mark = bytes([CAPITAL]) if capital else b""
    if small in short:
        return mark + short[small], b""
    for n in range(min(len(small), 15), 2, -1):
        if small[:n] in long:
            return mark + long[small[:n]], small[n:]
    return b"", run


def escaped(gap, special):
    return b"".join([bytes((LITERAL, b)) if b in special else bytes([b]) for b in gap])
