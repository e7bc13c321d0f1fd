"""Dictionaries: docs/format.md, section 9, and the layout of docs/model.md, section 4.

A part of the memory is read when the model first asks for it.
"""

import struct
import zlib

from basics import Row, Table
from model import LEVELS, Model, parts, slot_lines, workspace
from residuals import Histogram
from state_space import Node, Vector

STATE = 244


class Dictionary:
    def __init__(self, data):
        if data[:3] != b"\xf5SD" or len(data) < 12:
            raise ValueError("no dictionary")
        if data[3] >> 4 != 0 or data[3] & 15 > 9:
            raise ValueError("version or level of the dictionary is not known")
        self.level = data[3] & 15
        self.id = int.from_bytes(data[4:8], "little")
        if len(data) != 12 + STATE + workspace(self.level):
            raise ValueError("the dictionary has another length")
        if zlib.crc32(data[8:], zlib.crc32(data[:4])) != self.id:
            raise ValueError("the dictionary is damaged")
        self.end = max(int.from_bytes(data[8:10], "little"), 1)
        self.state = struct.unpack("<61I", data[12 : 12 + STATE])
        self.memory = data[12 + STATE :]

    def model(self):
        model = Model(self.level)
        self.put_memory(model)
        self.put_state(model)
        model.make_ready()
        model.predict()
        return model

    # The state

    def put_state(self, model):
        numbers = iter(self.state)
        take = lambda: next(numbers)  # noqa: E731
        m = model.memory
        m.last = take() << 32 | take()
        m.words = [take(), take(), take()]
        m.pos, m.separators, m.shapes, m.brackets = take(), take() & 0xFFFFFF, take(), take()
        m.record, m.rival, m.column = take(), take(), take()
        m.line, m.line_before, m.field_start = take(), take(), take()
        m.above, m.above2, m.left = take() & 255, take() & 255, take() & 255
        m.cell, m.cell2, m.votes = take() & 255, take() & 255, min(take(), 255)
        m.field, m.last_field, m.odd = min(take(), 63), min(take(), 63), take() & 1
        m.lines = take() & 1 != 0
        self.put_text(m.text, take)
        self.put_instruction(m.instruction, take)
        for match in model.matches:
            match.at, match.len, match.misses = take(), min(take(), 400), take()
            match.expected = min(take(), 511)
            take()  # the map entry in use, which is looked up anew
            match.after = take() & 255
        if model.ssm:
            model.ssm.age, model.ssm.spans, model.ssm.noise = min(take(), 640), take(), take()
        if model.residuals.guesses:
            model.residuals.turns = take()

    def put_text(self, t, take):
        four, three = take(), take()
        t.votes, t.indent, t.before = four & 255, four >> 8 & 255, four >> 16 & 255
        t.indenting, t.capital = four >> 24 != 0, three & 255 != 0
        t.letters, t.vowels = three >> 8 & 255, three >> 16 & 255
        t.first, t.name, t.third, t.enclosed = take(), take(), take(), take()

    def put_instruction(self, i, take):
        four, op = take(), take()
        i.part, i.modrm = four & 255, four >> 8 & 255
        i.dn, i.immediate = min(four >> 16 & 255, 4), min(four >> 24, 8)
        i.op, i.short, i.wide = op & 511, op >> 16 & 1, op >> 17 & 1
        i.votes = min(take(), 1000)
        i.ins, i.opd = take(), take()
        i.before = [take() & 0xFFFF for _ in range(3)]
        if i.part > 5 or (i.part == 5 and i.dn == 0 and i.immediate == 0):
            i.part = 0

    # The memory

    def put_memory(self, model):
        at = 64 * slot_lines(self.level)
        model.slots.table[:] = self.memory[:at]
        # No copies are out, so that none goes back.
        model.slots.place = []
        views = []
        for name, size in parts(self.level):
            views.append((name, memoryview(self.memory)[at : at + size]))
            at += size
        views = iter(views)
        take = lambda: next(views)[1]  # noqa: E731

        maps = take().cast("I")
        for i, entries in enumerate(model.slots.maps):
            entries[:] = maps[256 * i : 256 * i + 256]
        run_maps = take().cast("h")
        for i, entries in enumerate(model.runs.maps):
            entries[:] = run_maps[128 * i : 128 * i + 128]
        m_inputs = LEVELS[self.level][8]
        for mixer in model.sets:
            used = len(next(iter(mixer.rows.values())).w)
            mixer.rows = rows_of(take(), m_inputs, used)
        for mixer in model.finals:
            used = len(next(iter(mixer.rows.values())).w)
            mixer.rows = rows_of(take(), 8, used)
        for stage in model.stages:
            bins = take().cast("H")
            stage.rows = Table(lambda r, bins=bins: list(bins[33 * r : 33 * r + 33]))
        for match in model.matches:
            positions = take().cast("H" if match.narrow else "I")
            match.table = Table(lambda x, positions=positions: positions[x])
            match.entries[:] = take().cast("I")
        model.memory.history[:] = take()
        self.put_side(model.memory, take())
        self.put_residuals(model.residuals, take())
        self.put_bitmaps(model.bitmaps, take())
        if model.ssm:
            self.put_state_space(model.ssm, take())
            self.put_gate(model, take())

    def put_side(self, m, view):
        if not m.side:
            return
        numbers = view.cast("I")
        m.followed = list(numbers[:256])
        sightings = view[1024:3072].cast("H")
        m.stood, m.distance = list(sightings[::2]), list(sightings[1::2])
        m.starts = [list(numbers[768:832]), list(numbers[832:896])]

    def put_residuals(self, residuals, view):
        if not residuals.guesses:
            return
        turns = len(residuals.trail)
        numbers = view[: 8 * turns].cast("I")
        residuals.trail = list(zip(numbers[::2], numbers[1::2]))
        counts = view[8 * turns + 92 * len(residuals.guesses) :].cast("H")
        for guess in residuals.guesses:
            for i in range(len(guess.histograms)):
                guess.histograms[i] = Histogram(counts[:46])
                counts = counts[46:]

    def put_bitmaps(self, bitmaps, view):
        entries = view.cast("H")
        for template in bitmaps.templates:
            own, entries = entries[: 1 << template.log], entries[1 << template.log :]
            template.entries = Table(lambda x, own=own: own[x])

    def put_state_space(self, ssm, view):
        e, at = ssm.e, 0

        def take(size):
            nonlocal at
            at += size
            return view[at - size : at]

        def vector(values, n):
            meta = values[n] & 0xFFFF | (values[n + 1] & 0xFFFF) << 16
            row = Vector(list(values[:n]), meta & 0xFFF, (meta >> 12 & 0x3FFF, meta >> 26))
            row.check = values[n + 2] & 0xFFFF if len(values) > n + 2 else 0
            return row

        for node in range(256):
            w = take(2 * e + 4).cast("h")
            ssm.nodes[node] = Node(list(w[:e]), w[e], w[e + 1] & 0xFFFF)
        ssm.h = list(take(2 * e).cast("h"))
        ssm.f = list(take(2 * e).cast("h"))
        if ssm.checked:
            t = take(32 * len(ssm.trust)).cast("h")
            ssm.trust = [list(t[16 * j : 16 * j + 16]) for j in range(len(ssm.trust))]
            packed = take(4).cast("I")[0]
            ssm.trust_square = packed & 0xFFFF, packed >> 16
        p = take(2 * e * e).cast("h")
        ssm.p_a = [list(p[e * i : e * i + e]) for i in range(e)]
        p = take(4 * e * e).cast("h")
        ssm.p_o = [list(p[2 * e * i : 2 * e * i + 2 * e]) for i in range(e)]
        take(6 * e * e)  # the same, column by column
        ssm.squares = [(v & 0xFFFF, v >> 16) for v in take(12 * e).cast("I")]
        size = 2 * e + (6 if ssm.checked else 4)
        end = len(view)
        shared = view[end - ssm.shared * size :]
        bytewise = view[end - ssm.shared * size - 256 * (6 * e + 4) :]
        for c in range(256):
            row = bytewise[c * (6 * e + 4) : (c + 1) * (6 * e + 4)].cast("h")
            ssm.byte_rows[c] = vector(row, 3 * e)
        ssm.rows = Table(lambda r: vector(shared[r * size : r * size + size].cast("h"), e))

    def put_gate(self, model, view):
        gate = model.gate
        w = view[: 2 * 16 + 2].cast("h")
        gate.row = Row(list(w[: len(gate.vectors)]), w[16] & 0xFFFF)
        v = view[2 * 16 + 2 :].cast("h")
        for j in range(len(gate.vectors)):
            gate.vectors[j] = list(v[gate.e * j : gate.e * j + gate.e])


def rows_of(view, width, used):
    size = 2 * width + 2

    def make(r):
        row = view[size * r : size * r + size].cast("h")
        return Row(list(row[:used]), row[width] & 0xFFFF)

    return Table(make)
