#!/usr/bin/env python3
"""A slow and plain decoder of the statesmix format, version 0.

It is written from docs/format.md and docs/model.md alone, to show that they
specify the format. Section numbers here are those of docs/format.md.

    python3 decode.py FILE.smx > OUT            frames
    python3 decode.py --dictionary DICT FILE    frames that need it
    python3 decode.py --message LEVEL FILE      a bare message
    python3 decode.py --message-of DICT FILE    a message with a dictionary and checks
    python3 decode.py --packets LEVEL FILE      packets, each behind a byte with its length
    python3 decode.py --repack FILE             unpacked content (section 11), which is no frame
"""

import sys
import zlib

from dictionary import Dictionary
from filters import FILTERS, way_back
from model import Model
from packing import content_of
from pretraining import pretrained
from words import spelled_out

U32 = 0xFFFFFFFF
UNPACKED, WORDS = 7, 8  # filters


class BadData(Exception):
    pass


# 2. Arithmetic coder


class Decoder:
    """`zeros` is how many zero bytes may be read behind the end of the data."""

    def __init__(self, data, begin, high=U32, zeros=0):
        self.data, self.read, self.zeros = data, begin, zeros
        self.low, self.high, self.code = 0, high, 0
        for _ in range(4):
            self.code = self.code << 8 | self.next_byte()
        self.settled = 0

    def next_byte(self):
        if self.read >= len(self.data) + self.zeros:
            raise BadData("the data ends too early")
        byte = self.data[self.read] if self.read < len(self.data) else 0
        self.read += 1
        return byte

    def bit(self, p):
        split = self.low + ((self.high - self.low) * p >> 16)
        bit = int(self.code <= split)
        if bit:
            self.high = split
        else:
            self.low = split + 1
        while self.low >> 24 == self.high >> 24:
            self.low = self.low << 8 & U32
            self.high = self.high << 8 & U32 | 0xFF
            self.code = self.code << 8 & U32 | self.next_byte()
            self.settled += 1
        return bit

    def tail(self):
        """How many bytes the tail of a frame with a checksum has."""
        for n in (1, 2, 3):
            rest = U32 >> 8 * n
            value = (self.low + rest) & ~rest
            if self.low + rest <= U32 and value | rest <= self.high:
                return n
        return 4


# 3. Content to bits


def decode_byte(coder, model, account):
    if account.raw:
        byte = 0
        for _ in range(8):
            byte = byte << 1 | coder.bit(32768)
        model.raw_byte(byte)
        return byte
    for _ in range(8):
        bit = coder.bit(model.p)
        last = model.memory.c0
        model.learn(bit)
    return (last << 1 | bit) & 255


# 4. Fallback


class Account:
    def __init__(self):
        self.credit, self.raw = 3072, False

    def settle(self, coded):
        self.credit = min(self.credit + 1 + 1024 - 1024 * coded, 1048576)
        if self.credit < 0:
            self.raw = True
        elif self.credit >= 2048:
            self.raw = False


# 1. Frame


def leb128(data, at, name):
    value = 0
    for i in range(9):
        if at + i >= len(data):
            raise BadData("the header ends too early")
        byte = data[at + i]
        value |= (byte & 127) << 7 * i
        if byte < 128:
            if byte == 0 and i > 0:
                raise BadData(f"the {name} is not in its shortest form")
            return value, at + i + 1
    raise BadData(f"the {name} is too long")


class Header:
    def __init__(self, data, begin, dictionary):
        if data[begin : begin + 3] != b"\xf5SM":
            raise BadData("no frame begins here")
        if len(data) < begin + 4:
            raise BadData("the header ends too early")
        version, self.level = data[begin + 3] >> 4, data[begin + 3] & 15
        if version != 0:
            raise BadData(f"version {version} is not known")
        if self.level > 9:
            raise BadData(f"there is no level {self.level}")
        if len(data) < begin + 5:
            raise BadData("the header ends too early")
        flags = data[begin + 4]
        if flags & 0x80:
            raise BadData("a reserved flag is set")
        if flags & 1 and flags & 32:
            raise BadData("sync points with a stated size")
        self.pretrained = bool(flags & 64)
        if self.pretrained and (self.level < 6 or flags & 4):
            raise BadData("pretrained below level 6, or with a dictionary")
        at = begin + 5
        self.size = self.code_size = None
        self.filter = 0
        self.checksum, self.sync = bool(flags & 2), bool(flags & 32)
        if flags & 1:
            self.size, at = leb128(data, at, "content size")
        self.dictionary = None
        if flags & 4:
            wanted = int.from_bytes(data[at : at + 4], "little")
            at += 4
            if dictionary is None or dictionary.id != wanted or dictionary.level != self.level:
                raise BadData(f"dictionary {wanted:08x} is needed")
            self.dictionary = dictionary
        if flags & 8:
            self.filter = data[at] if at < len(data) else 0
            at += 1
            if self.filter == UNPACKED:
                if self.level < 6 or self.sync:
                    raise BadData("unpacked content below level 6, or with sync points")
            elif self.filter == WORDS:
                if self.level < 3 or self.sync or self.dictionary:
                    raise BadData(
                        "numbered words below level 3, with sync points or a dictionary"
                    )
            elif self.filter not in FILTERS:
                raise BadData(f"filter {self.filter} is not known")
        covered = at
        if flags & 16:
            self.code_size, at = leb128(data, at, "code size")
        self.end = at
        self.end_flags = self.size is None or self.filter in (UNPACKED, WORDS)
        # What the checksum covers: flag 4 counts as 0, the code size is left out.
        self.covered = bytearray(data[begin:covered])
        self.covered[4] &= ~16


def decode_frame(data, begin, dictionary=None):
    """The content of the frame at `begin`, and where it ends."""
    header = Header(data, begin, dictionary)
    coder = Decoder(data, header.end)
    if header.dictionary:
        model = dictionary.model()
    else:
        make = pretrained if header.pretrained else Model
        model = make(header.level, header.filter == WORDS)
    account = Account()
    content = bytearray()
    begins = [0]
    while header.end_flags or len(content) < header.size:
        coder.settled = 0
        if header.end_flags and coder.bit(1):
            if header.sync and coder.bit(32768):
                # 3. Sync points: the tail has four bytes, which were read ahead.
                coder = Decoder(data, coder.read)
                begins.append(len(content))
                continue
            break
        content.append(decode_byte(coder, model, account))
        account.settle(coder.settled)
    end = coder.read
    if header.filter in (UNPACKED, WORDS):
        content = content_of(content) if header.filter == UNPACKED else spelled_out(content)
        if header.size is not None and len(content) != header.size:
            raise BadData("the content is not as long as stated")
    elif header.filter:
        content = way_back(header.filter, content, begins)
    if header.checksum:
        end = coder.read - 4 + coder.tail()
        stated = data[end : end + 4]
        if len(stated) < 4:
            raise BadData("the checksum is cut off")
        if zlib.crc32(content, zlib.crc32(header.covered)) != int.from_bytes(stated, "little"):
            raise BadData("the checksum does not match")
        end += 4
    if header.code_size is not None and end - header.end != header.code_size:
        raise BadData("the frame does not end where it says")
    return bytes(content), end


def decode_frames(data, dictionary=None):
    content, at = b"", 0
    while True:
        more, at = decode_frame(data, at, dictionary)
        content += more
        if at == len(data):
            return content


# 5. Bare message


def end_probability(i):
    return 256 if i < 1024 else 16 if i < 16384 else 1


def decode_message(level, data):
    if not data or data[0] == 0xFF:
        return data[1:]  # empty or stored
    coder = Decoder(data, 0, high=0xFEFFFFFF, zeros=4)
    return decode_to_end(coder, Model(level), Account(), bytearray())


def decode_to_end(coder, model, account, content):
    while True:
        coder.settled = 0
        if coder.bit(end_probability(len(content))):
            return bytes(content)
        content.append(decode_byte(coder, model, account))
        account.settle(coder.settled)


# 6. Packets


def decode_packet(data, model, account):
    coder = Decoder(data, 0, zeros=4)
    content = bytearray()
    if coder.bit(32768):
        byte = 0
        for _ in range(8):
            bit = coder.bit(32768)
            byte = byte << 1 | bit
            if not account.raw:
                model.learn(bit)
        if account.raw:
            model.raw_byte(byte)
        content.append(byte)
        account.settle(1)
    return decode_to_end(coder, model, account, content)


def decode_packets(level, data):
    """Packets as they stand in tests/golden; the envelope is not part of the format."""
    model, account = Model(level), Account()
    content, at = b"", 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise BadData("a packet is cut off")
        content += decode_packet(data[at + 1 : end], model, account)
        at = end
    return content


# 9. Dictionaries


def decode_message_of(dictionary, data):
    """A message that begins with a dictionary, with checks."""
    if len(data) < 2 or data[0] != dictionary.id & 255:
        raise BadData("the message is of another dictionary")
    content = decode_lines(dictionary, data[1:-1])
    if zlib.crc32(content, zlib.crc32(dictionary.id.to_bytes(4, "little"))) & 255 != data[-1]:
        raise BadData("the check of the message does not match")
    return content


def decode_lines(dictionary, data):
    if not data or data[0] == 0xFF:
        return data[1:]
    coder = Decoder(data, 0, high=0xFEFFFFFF, zeros=4)
    model, account = dictionary.model(), Account()
    content = bytearray()
    coder.settled = 0
    while True:
        content.append(decode_byte(coder, model, account))
        account.settle(coder.settled)
        coder.settled = 0
        # The end flag is settled with the byte that follows it.
        if content[-1] == 10 and coder.bit(dictionary.end):
            return bytes(content[:-1])


def read(name):
    with open(name, "rb") as file:
        return file.read()


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "--packets":
        return decode_packets(int(arguments[1]), read(arguments[2]))
    if len(arguments) == 3 and arguments[0] == "--dictionary":
        return decode_frames(read(arguments[2]), Dictionary(read(arguments[1])))
    if len(arguments) == 3 and arguments[0] == "--message-of":
        return decode_message_of(Dictionary(read(arguments[1])), read(arguments[2]))
    if len(arguments) == 3 and arguments[0] == "--message":
        return decode_message(int(arguments[1]), read(arguments[2]))
    if len(arguments) == 2 and arguments[0] == "--repack":
        return content_of(read(arguments[1]))
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        return decode_frames(read(arguments[0]))
    sys.exit(__doc__)


if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(main(sys.argv[1:]))
    except (BadData, ValueError, OSError) as error:
        sys.exit(f"decode.py: {error}")
