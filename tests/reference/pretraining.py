"""Pretraining: docs/format.md, section 12."""

import zlib

from basics import source
from model import Model
from words import numbered

TEXT = source("pretraining.txt")
SMALL = 45832  # bytes that levels 6 and 7 read


def text_of(level, words):
    """With numbered words, each part is numbered by itself."""
    text = TEXT.read_bytes()
    if len(text) != 109373 or zlib.crc32(text) != 0x0F452FF0:
        raise ValueError(f"{TEXT} is another text")
    parts = [text[:SMALL]] if level < 8 else [text[SMALL:], text[:SMALL]]
    return b"".join([numbered(part) for part in parts] if words else parts)


def pretrained(level, words=False):
    """The model that has read the text."""
    model = Model(level, words)
    for byte in text_of(level, words):
        for k in range(7, -1, -1):
            model.learn(byte >> k & 1)
    limit_counts(model)
    if words:
        model.memory.speller.begin()
    return model


def limit_counts(model):
    for entries in model.slots.maps:  # those of contexts, not of match models
        entries[:] = [entry & ~1023 | min(entry & 1023, 30) for entry in entries]
    rows = [row for mixer in model.sets + model.finals for row in mixer.rows.values()]
    limit(rows + [model.gate.row], 300)
    limit(model.ssm.nodes + model.ssm.ahead, 1000)
    limit(model.ssm.byte_rows + list(model.ssm.rows.values()), 50)


def limit(rows, most):
    for row in rows:
        row.n = min(row.n, most)
