"""A reader of flat buffers, as far as models need it: tables, vectors, texts and numbers, each within the file.

The layout: a table begins with the signed distance back to its list of fields, whose entries are offsets from the table's
beginning (0: left out). Everything that points, points forward. https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


class Table:
    """A table at a place in a buffer. Raises `ValueError` for what lies outside it."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - _number(data, at, "<i")
        self._size = _number(data, self._fields, "<H")

    def place(self, field: int) -> int:
        """Where a field's value lies; 0 where it is left out."""
        entry = 4 + 2 * field
        if entry + 2 > self._size:
            return 0
        offset = _number(self._data, self._fields + entry, "<H")
        return self._at + offset if offset else 0

    def number(self, field: int, form: str = "<i", default: int = 0) -> int:
        """A number of the form that `struct` calls so."""
        place = self.place(field)
        return _number(self._data, place, form) if place else default

    def text(self, field: int) -> str:
        """A text; empty where there is none."""
        place, length = self._vector(field)
        return _slice(self._data, place, length).decode("utf-8", "replace") if place else ""

    def numbers(self, field: int, form: str = "<i") -> list[int]:
        """A list of numbers."""
        place, length = self._vector(field)
        size = struct.calcsize(form)
        held = _slice(self._data, place, length * size)
        return [one for (one,) in struct.iter_unpack(form, held)] if place else []

    def length(self, field: int) -> int:
        """How many entries a list has."""
        return self._vector(field)[1]

    def tables(self, field: int) -> Iterator[Table]:
        """A list of tables."""
        place, length = self._vector(field)
        _slice(self._data, place, 4 * length)
        for at in range(place, place + 4 * length, 4):
            yield Table(self._data, at + _number(self._data, at, "<I"))

    def table(self, field: int) -> Table | None:
        """A table that the field points to; None where it is left out."""
        place = self.place(field)
        return Table(self._data, place + _number(self._data, place, "<I")) if place else None

    def _vector(self, field: int) -> tuple[int, int]:
        """Where the first entry of a list lies, and how many there are."""
        place = self.place(field)
        if not place:
            return 0, 0
        start = place + _number(self._data, place, "<I")
        return start + 4, _number(self._data, start, "<I")


def root(data: bytes) -> Table:
    """The table that a buffer begins with."""
    return Table(data, _number(data, 0, "<I"))


def _number(data: bytes, at: int, form: str) -> int:
    return int(struct.unpack(form, _slice(data, at, struct.calcsize(form)))[0])


def _slice(data: bytes, at: int, length: int) -> bytes:
    if at < 0 or at + length > len(data):
        raise ValueError(f"something would lie at {at}, outside the file")
    return data[at : at + length]
