"""Counts in the cells of many partitions at once: rows are told apart by one number for several partitions together.

Counting ten columns of nine levels one by one reads every row ten times; by four columns at a time, three times, and what
belongs to one column is summed up afterwards, over numbers that are far fewer than rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.tally import Partition, Slice
from seatrial.numerics.rows import Rows

JOINT = 2**15  # numbers counted at once: they fit a processor's cache

Joined = tuple[int, ...]


class Cells:
    """All rows (cell 0) and the cells of partitions. `ValueError` where a partition's codes don't fit."""

    def __init__(self, partitions: Sequence[Partition], rows: int) -> None:
        self._sizes = [len(one.cells) + 1 for one in partitions]  # with the rows that lie in none of its cells
        self._codes = [np.asarray(one.codes) for one in partitions]
        self.names: tuple[Slice, ...] = ((), *(cell for one in partitions for cell in one.cells))
        self.count = len(self.names)
        for codes, size in zip(self._codes, self._sizes, strict=True):
            if codes.shape != (rows,) or codes.dtype.kind not in "iu":
                raise ValueError(f"a partition has one whole number a row, not {codes.dtype} of shape {codes.shape}")
            if rows and not -1 <= int(codes.min()) <= int(codes.max()) <= size - 2:
                raise ValueError(f"a partition's codes lie between -1 and {size - 2}")

    def joined(self, width: int) -> list[Joined]:
        """Partitions that are counted together for codes below `width`: as many as stay below `JOINT` numbers."""
        groups: list[list[int]] = []
        for index, size in enumerate(self._sizes):
            if groups and math.prod(self._sizes[one] for one in groups[-1]) * size * width <= JOINT:
                groups[-1].append(index)
            else:
                groups.append([index])
        return [tuple(group) for group in groups] or [()]

    def size(self, group: Joined) -> int:
        """How many combinations of cells these partitions have."""
        return math.prod(self._sizes[index] for index in group)

    def at(self, chunk: slice) -> At:
        """The cells of a chunk of rows."""
        return At(self, chunk)

    def place(self, group: Joined, chunk: slice) -> NDArray[np.intp] | None:
        """The combination of cells of each row of the chunk; None where there are no partitions."""
        if not group:
            return None
        place, stride = np.zeros(chunk.stop - chunk.start, np.intp), 1
        for index in reversed(group):
            place += self._codes[index][chunk].astype(np.intp) * stride
            place += stride
            stride *= self._sizes[index]
        return place

    def lowest(self) -> NDArray[np.float64]:
        """No peak yet in any cell: 0."""
        return np.zeros(self.count)

    def spread(self, pile: Pile) -> NDArray[Any]:
        """What a pile counted, shape (cells, width)."""
        found = np.zeros((self.count, pile.width))
        for number, group in enumerate(self.joined(pile.width)):
            counts = pile.kept.get(group, np.zeros(self.size(group) * pile.width))
            counts = counts.reshape(*(self._sizes[index] for index in group), pile.width)
            if number == 0:
                found[0] = counts.reshape(-1, pile.width).sum(axis=0)
            for axis, index in enumerate(group):
                others = tuple(one for one in range(len(group)) if one != axis)
                start = 1 + sum(size - 1 for size in self._sizes[:index])
                found[start : start + self._sizes[index] - 1] = counts.sum(axis=others)[1:]
        return found

    def first(self, index: int) -> int:
        """The cell at which a partition begins."""
        return 1 + sum(size - 1 for size in self._sizes[:index])

    def codes(self, chunk: slice) -> list[tuple[int, NDArray[Any]]]:
        """Each partition's first cell, and its codes of the chunk's rows."""
        return [(self.first(index), codes[chunk]) for index, codes in enumerate(self._codes)]


class At:
    """Where the rows of one chunk lie; combinations of cells are worked out once for all counters."""

    def __init__(self, cells: Cells, chunk: slice) -> None:
        self.cells, self.chunk = cells, chunk
        self._places: dict[Joined, NDArray[np.intp] | None] = {}

    def place(self, group: Joined) -> NDArray[np.intp] | None:
        """As `Cells.place`."""
        if group not in self._places:
            self._places[group] = self.cells.place(group, self.chunk)
        return self._places[group]

    def raise_to(self, peaks: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Raise each cell's peak to the largest of its rows' values."""
        peaks[0] = max(peaks[0], values.max(initial=0.0))
        for first, codes in self.cells.codes(self.chunk):
            inside = codes >= 0
            np.maximum.at(peaks, codes[inside].astype(np.intp) + first, values[inside])


class Pile:
    """Counts by code (below `width`), or sums of a value, in combinations of cells; joined partitions are keys of `kept`."""

    def __init__(
        self,
        width: int,
        code: Callable[[Rows], NDArray[Any]] | None,
        value: Callable[[Rows], NDArray[np.float64]] | None = None,
    ) -> None:
        self.width, self._code, self._value = width, code, value
        self.kept: dict[Joined, NDArray[Any]] = {}

    def add(self, at: At, rows: Rows) -> None:
        """Count a chunk of rows."""
        code = None if self._code is None else self._code(rows)
        value = rows.weights if self._value is None else self._value(rows)
        if self._value is not None and rows.weights is not None:
            value = value * rows.weights if value is not None else rows.weights
        for group in at.cells.joined(self.width):
            counts = self._counted(at, group, code, value)
            if group in self.kept:
                self.kept[group] += counts
            else:
                self.kept[group] = counts

    def _counted(
        self, at: At, group: Joined, code: NDArray[Any] | None, value: NDArray[np.float64] | None
    ) -> NDArray[Any]:
        place = at.place(group)
        if place is None and code is None:
            rows = at.chunk.stop - at.chunk.start
            return np.array([rows if value is None else value.sum()])
        joint = code if place is None else place if code is None else place * self.width + code
        return np.bincount(joint, value, at.cells.size(group) * self.width)  # type: ignore[arg-type]
