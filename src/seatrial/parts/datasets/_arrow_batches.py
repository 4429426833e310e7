"""How much memory an Arrow file asks for, by its own headers, before anything of it is unpacked.

Packed buffers begin with their size once unpacked, and readers make room for exactly that. The footer says where batches of rows lie, the
head of each batch where its buffers do: both are flat buffers, whose fields are found through tables of offsets.

Source: the Arrow IPC format, https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

MAGIC = b"ARROW1"
MOST_HEAD = 64 * 2**20
MOST_BATCHES = 1_000_000
DICTIONARY, ROWS = 2, 3
"""Kinds of batches: of the words of a dictionary, and of rows."""


class Asked(NamedTuple):
    """What a batch asks for: rows, bytes of all columns once unpacked, and of its largest buffer."""

    rows: int
    bytes: int
    largest: int


@lru_cache(maxsize=256)
def asked(file: Path, changed: int, size: int) -> tuple[Asked, ...]:
    """What each batch of a file asks for; `changed` and `size` are the file's, as a key. Raises `ValueError` for what is no Arrow file."""
    with file.open("rb") as stream:
        return tuple(_batch(stream, at, head) for at, head in _blocks(stream, size))


def _blocks(stream: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    """Where each batch begins, and how long its head is."""
    if size < 20:
        raise ValueError("the file is cut off")
    stream.seek(-10, os.SEEK_END)
    end = stream.read(10)
    (length,) = struct.unpack_from("<i", end)
    if end[4:] != MAGIC or not 0 < length <= min(size - 10, MOST_HEAD):
        raise ValueError("it doesn't end as Arrow files do")
    stream.seek(-10 - length, os.SEEK_END)
    footer = _Table.root(stream.read(length))
    for field in (2, 3):
        for place in footer.structs(field, 24):
            at, head = struct.unpack_from("<qi", footer.content, place)
            if at < 0 or not 0 <= head <= MOST_HEAD or at + head > size:
                raise ValueError("a batch lies outside the file")
            yield at, head


def _batch(stream: IO[bytes], at: int, head: int) -> Asked:
    stream.seek(at)
    content = stream.read(head)
    message = _Table.root(content[8:] if content[:4] == b"\xff\xff\xff\xff" else content[4:])
    kind, batch = message.byte(1), message.table(2)
    if kind == DICTIONARY:
        batch = batch.table(1)
    elif kind != ROWS:
        raise ValueError("a batch is none")
    packed, sizes = bool(batch.field(3)), []
    for place in batch.structs(2, 16):
        offset, length = struct.unpack_from("<qq", batch.content, place)
        sizes.append(_unpacked(stream, at + head + max(0, offset), length) if packed else max(0, length))
    rows = batch.long(0)
    if rows < 0:
        raise ValueError(f"a batch says that it has {rows} rows")
    return Asked(rows, max(rows, sum(sizes)), max(sizes, default=0))


def _unpacked(stream: IO[bytes], at: int, length: int) -> int:
    """Bytes of a packed buffer once unpacked, which it begins with; -1 there says that it isn't packed."""
    if length < 8:
        return max(0, length)
    stream.seek(at)
    written = stream.read(8)
    return max(length, struct.unpack("<q", written)[0] if len(written) == 8 else 0)


class _Table:
    """A table of a flat buffer: its fields by number, each found through the table's list of offsets."""

    def __init__(self, content: bytes, at: int) -> None:
        self.content, self.at = content, at
        self._offsets = at - self._number("<i", at)
        self._fields = (self._number("<H", self._offsets) - 4) // 2

    @classmethod
    def root(cls, content: bytes) -> _Table:
        if len(content) < 4:
            raise ValueError("a head is cut off")
        return cls(content, struct.unpack_from("<I", content)[0])

    def field(self, number: int) -> int:
        """Where a field lies; 0 where it isn't said."""
        if number >= self._fields:
            return 0
        offset = self._number("<H", self._offsets + 4 + 2 * number)
        return self.at + offset if offset else 0

    def byte(self, number: int) -> int:
        return self._number("<B", place) if (place := self.field(number)) else 0

    def long(self, number: int) -> int:
        return self._number("<q", place) if (place := self.field(number)) else 0

    def table(self, number: int) -> _Table:
        if not (place := self.field(number)):
            raise ValueError("a head lacks what it must say")
        return _Table(self.content, place + self._number("<I", place))

    def structs(self, number: int, width: int) -> Iterator[int]:
        """Where each entry of a list of records lies."""
        if not (place := self.field(number)):
            return
        start = place + self._number("<I", place)
        count = self._number("<I", start)
        if count > MOST_BATCHES or start + 4 + count * width > len(self.content):
            raise ValueError("a list reaches beyond its head")
        yield from range(start + 4, start + 4 + count * width, width)

    def _number(self, form: str, at: int) -> int:
        if at < 0 or at + struct.calcsize(form) > len(self.content):
            raise ValueError("a head points out of itself")
        return int(struct.unpack_from(form, self.content, at)[0])
