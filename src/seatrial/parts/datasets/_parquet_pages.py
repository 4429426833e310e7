"""How much memory a Parquet file asks for, by its own headers, before anything of it is unpacked.

A file of a few kilobytes can hold billions of equal rows, or a page that unpacks to gigabytes. Its footer (Thrift, compact protocol) says
which columns lie where, the header of each page how many values it holds and how large it is once unpacked: readers make room for
exactly that. So the headers are walked, a seek for each page, and summed up by group of rows.

Source: the Parquet format, https://parquet.apache.org/docs/file-format/, and the Thrift compact protocol.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

MAGIC = b"PAR1"
MOST_FOOTER = 64 * 2**20
MOST_PAGES = 2_000_000
MOST_DEPTH = 20
HEADERS = (512, 2**16, 2**20)
"""Bytes that are read for the header of a page: statistics of long texts make it longer."""
WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8, 6: 16, 7: 16}
"""Bytes of a value in memory by its physical type; of texts the place and length, what they say comes on top."""
TEXTS = (6, 7)

Thrift = dict[int, Any]


class Asked(NamedTuple):
    """What a group of rows asks for: rows, bytes of each column once it is unpacked, and of its largest page."""

    rows: int
    columns: dict[str, int]
    pages: dict[str, int]


@lru_cache(maxsize=256)
def asked(file: Path, changed: int, size: int) -> tuple[Asked, ...]:
    """What each group of rows of a file asks for; `changed` and `size` are the file's, as a key. Raises `ValueError` for what is no Parquet."""
    with file.open("rb") as stream:
        footer = _footer(stream, size)
        return tuple(_groups(stream, footer, size))


def _footer(stream: IO[bytes], size: int) -> Thrift:
    if size < 12:
        raise ValueError("the file is cut off")
    stream.seek(-8, os.SEEK_END)
    end = stream.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC:
        raise ValueError("it doesn't end as Parquet files do")
    if length > min(size - 8, MOST_FOOTER):
        raise ValueError(f"its footer says that it has {length} bytes")
    stream.seek(-8 - length, os.SEEK_END)
    return _struct(io.BytesIO(stream.read(length)), 0)


def _groups(stream: IO[bytes], footer: Thrift, size: int) -> Iterator[Asked]:
    seen = 0
    for group in footer.get(4, ()):
        columns: dict[str, int] = {}
        pages: dict[str, int] = {}
        for chunk in group.get(1, ()):
            told = chunk[3]
            name = told[3][0].decode("utf-8", "replace")
            values, unpacked, largest, count = _pages(stream, told, size)
            seen += count
            if seen > MOST_PAGES:
                raise ValueError(f"it has more than {MOST_PAGES} pages")
            text = unpacked if told.get(1) in TEXTS else 0
            columns[name] = columns.get(name, 0) + values * WIDTHS.get(told.get(1, 6), 16) + text
            pages[name] = max(pages.get(name, 0), largest)
        yield Asked(int(group.get(3, 0)), columns, pages)


def _pages(stream: IO[bytes], told: Thrift, size: int) -> tuple[int, int, int, int]:
    """Values, bytes once unpacked, those of the largest page, and the number of pages of a column in a group."""
    at = min(place for place in (told.get(9), told.get(11)) if place)
    end = at + told[7]
    values = unpacked = largest = count = 0
    while at < end and values < told[5]:
        header, length = _header(stream, at)
        body, whole = int(header[3]), int(header[2])
        if body < 0 or whole < 0 or at + length + body > size:
            raise ValueError("a page reaches beyond the file")
        values += max(0, int((header.get(5) or header.get(8) or {}).get(1, 0)))
        unpacked += whole
        largest = max(largest, whole)
        count += 1
        at += length + body
    return max(values, int(told[5])), unpacked, largest, count


def _header(stream: IO[bytes], at: int) -> tuple[Thrift, int]:
    """The header of the page that begins here, and how long it is."""
    for most in HEADERS:
        stream.seek(at)
        held = io.BytesIO(stream.read(most))
        try:
            return _struct(held, 0), held.tell()
        except EOFError:
            continue
    raise ValueError("the header of a page has no end")


# --- Thrift, compact ----------------------------------------------------------------------------------------------------------


def _struct(stream: io.BytesIO, depth: int) -> Thrift:
    """Fields by their number."""
    if depth > MOST_DEPTH:
        raise ValueError("its headers are nested too deep")
    found: Thrift = {}
    number = 0
    while (byte := _byte(stream)) != 0:
        step, kind = byte >> 4, byte & 15
        number = number + step if step else _zigzag(stream)
        found[number] = kind == 1 if kind in (1, 2) else _value(stream, kind, depth)
    return found


def _value(stream: io.BytesIO, kind: int, depth: int) -> Any:
    if kind in (1, 2, 3):
        return _byte(stream)
    if kind in (4, 5, 6):
        return _zigzag(stream)
    if kind == 7:
        return _bytes(stream, 8)
    if kind == 8:
        return _bytes(stream, _varint(stream))
    if kind in (9, 10):
        return _list(stream, depth)
    if kind == 12:
        return _struct(stream, depth + 1)
    raise ValueError(f"its headers hold what Parquet's don't ({kind})")


def _list(stream: io.BytesIO, depth: int) -> Sequence[Any]:
    head = _byte(stream)
    count = head >> 4
    if count == 15:
        count = _varint(stream)
    if count > len(stream.getbuffer()):
        raise EOFError
    return [_value(stream, head & 15, depth + 1) for _ in range(count)]


def _byte(stream: io.BytesIO) -> int:
    return _bytes(stream, 1)[0]


def _bytes(stream: io.BytesIO, count: int) -> bytes:
    found = stream.read(count)
    if len(found) < count:
        raise EOFError
    return found


def _varint(stream: io.BytesIO) -> int:
    made = shift = 0
    while True:
        byte = _byte(stream)
        made |= (byte & 0x7F) << shift
        if byte < 0x80:
            return made
        shift += 7
        if shift > 63:
            raise ValueError("its headers hold a number without end")


def _zigzag(stream: io.BytesIO) -> int:
    number = _varint(stream)
    return (number >> 1) ^ -(number & 1)
