"""Counting for the search of slices: sums of a loss in every cell of many small tables, with few passes over the rows.

A table of four columns holds all its four tables of three as sums along an axis. So the wanted sets of columns are
covered by larger blocks whose tables still fit the processor's cache (a covering design, built greedily: Gordon,
Kuperberg & Patashnik 1995): ten columns need about 30 passes for their 120 triples.
"""

import math
from collections.abc import Iterator
from itertools import combinations, permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Columns = tuple[int, ...]
Sums = NDArray[Any]  # int64 where every loss is 1, else float64

CHUNK = 1 << 18  # rows counted at a time: what is copied of them stays small
CACHED = 1 << 16  # cells of a block at most, so that its codes fit 16 bits and its table the cache
BATCH = 1 << 21  # cells of all tables that grow at the same time


class Cells(NamedTuple):
    """Rows, sum of the loss and sum of its squares in every cell of a table, each of shape (levels of its columns)."""

    n: NDArray[np.int64]
    total: Sums
    squares: Sums

    def over(self, axes: tuple[int, ...]) -> "Cells":
        """The table without these axes: summed along them."""
        if not axes:
            return self
        n, total = self.n.sum(axis=axes), self.total.sum(axis=axes)
        return Cells(n, total, total if self.squares is self.total else self.squares.sum(axis=axes))

    def crop(self, sizes: tuple[int, ...]) -> "Cells":
        """The first cells along every axis."""
        corner = tuple(slice(0, size) for size in sizes)
        return Cells(self.n[corner], self.total[corner], self.squares[corner])


def cover(wanted: list[Columns], sizes: list[int], most_cells: int = CACHED) -> list[Columns]:
    """Blocks of columns such that every wanted set (all of one length) lies in one of at most `most_cells` cells if it can."""
    length, blocks = len(wanted[0]), []
    missing = np.zeros((len(sizes),) * length, np.bool_)
    for columns in wanted:
        for order in permutations(columns):
            missing[order] = True
    for first in wanted:
        if missing[first]:
            block = _grown(first, missing, sizes, most_cells)
            missing[np.ix_(*(block,) * length)] = False
            blocks.append(tuple(sorted(block)))
    return blocks


def _grown(block: Columns, missing: NDArray[np.bool_], sizes: list[int], most_cells: int) -> Columns:
    """The block with columns added, each time the one that brings most missing sets, while the table has room."""
    cells = math.prod(sizes[column] for column in block)
    while True:
        gain = missing[np.ix_(*(block,) * (missing.ndim - 1))].reshape(-1, len(sizes)).sum(axis=0)
        gain[list(block)] = 0
        gain[np.array(sizes) * cells > most_cells] = 0
        best = int(gain.argmax())
        if not gain[best]:
            return block
        block, cells = (*block, best), cells * sizes[best]


def count(
    columns: list[NDArray[np.unsignedinteger]],
    sizes: list[int],
    quiet: NDArray[np.intp],
    hit: NDArray[np.intp],
    loss: NDArray[np.float64] | None,
    wanted: list[Columns],
) -> dict[Columns, Cells]:
    """The table of every wanted set of columns (all of one length) and of all its subsets.

    `columns`: codes, one array of shape (rows,) a column; `sizes`: their levels. Counted are the rows at the places
    `quiet`, whose loss is zero, and `hit`, whose losses are `loss` in the same order (None: each is 1).
    """
    blocks = cover(wanted, sizes, min(CACHED, max(1024, (quiet.size + hit.size) // 8)))
    found: dict[Columns, Cells] = {}
    for batch in _batches(blocks, sizes):
        tables = [_Block(block, sizes, loss is not None) for block in batch]
        used = sorted({column for block in batch for column in block})
        for places, values in [*_chunks(quiet, None, False), *_chunks(hit, loss, True)]:
            taken = {column: _wide(columns[column].take(places)) for column in used}
            for table in tables:
                table.add(taken, values)
        for table in tables:
            found |= _marginals(table.cells(), table.columns, len(wanted[0]))
    return _with_subsets(found)


def _batches(blocks: list[Columns], sizes: list[int]) -> Iterator[list[Columns]]:
    batch: list[Columns] = []
    cells = 0
    for block in blocks:
        cells += math.prod(sizes[column] for column in block)
        if batch and cells > BATCH:
            yield batch
            batch, cells = [], math.prod(sizes[column] for column in block)
        batch.append(block)
    yield batch


def _chunks(
    places: NDArray[np.intp], loss: NDArray[np.float64] | None, hit: bool
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64] | bool]]:
    for start in range(0, places.size, CHUNK):
        part = slice(start, start + CHUNK)
        yield places[part], (hit if loss is None else loss[part])


def _wide(codes: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    return codes.astype(np.uint16) if codes.dtype == np.uint8 else codes


class _Block:
    """The growing table of a block of columns."""

    def __init__(self, columns: Columns, sizes: list[int], weighted: bool) -> None:
        self.columns = columns
        self._shape = tuple(sizes[column] for column in columns)
        self._cells = math.prod(self._shape)
        self._n = np.zeros(self._cells, np.int64)
        self._total: Sums = np.zeros(self._cells, np.float64 if weighted else np.int64)
        self._squares: Sums = np.zeros(self._cells) if weighted else self._total

    def add(self, taken: dict[int, NDArray[np.unsignedinteger]], values: NDArray[np.float64] | bool) -> None:
        code = self._code(taken)
        n = np.bincount(code, minlength=self._cells)
        self._n += n
        if values is True:
            self._total += n
        elif values is not False:
            self._total += np.bincount(code, weights=values, minlength=self._cells)
            self._squares += np.bincount(code, weights=values * values, minlength=self._cells)

    def cells(self) -> Cells:
        total = self._total.reshape(self._shape)
        squares = total if self._squares is self._total else self._squares.reshape(self._shape)
        return Cells(self._n.reshape(self._shape), total, squares)

    def _code(self, taken: dict[int, NDArray[np.unsignedinteger]]) -> NDArray[Any]:
        """Each row's place in the flattened table."""
        kind: Any = np.uint16 if self._cells <= CACHED else np.int64
        code: NDArray[Any] = taken[self.columns[0]].astype(kind)
        for column, size in zip(self.columns[1:], self._shape[1:], strict=True):
            code *= kind(size)
            code += taken[column]
        return code


def _marginals(cells: Cells, columns: Columns, length: int, kept: int = 0) -> dict[Columns, Cells]:
    """The tables of all sets of so many columns; the first `kept` columns stay. Shares the sums over leading columns."""
    if kept == length or len(columns) == length:
        return {columns[:length]: cells.over(tuple(range(length, len(columns))))}
    with_it = _marginals(cells, columns, length, kept + 1)
    without = cells.over((kept,)), (*columns[:kept], *columns[kept + 1 :])
    return with_it | _marginals(*without, length, kept)


def _with_subsets(found: dict[Columns, Cells]) -> dict[Columns, Cells]:
    for columns in list(found):
        for length in range(len(columns) - 1, 0, -1):
            for fewer in combinations(columns, length):
                if fewer not in found:
                    found[fewer] = found[columns].over(_dropped(columns, fewer))
    return found


def _dropped(columns: Columns, kept: Columns) -> tuple[int, ...]:
    return tuple(axis for axis, column in enumerate(columns) if column not in kept)


class Bits:
    """Which rows meet a condition, one bit a row: intersections and counts of many slices cost little."""

    def __init__(self, columns: list[NDArray[np.unsignedinteger]]) -> None:
        self._columns = columns
        self._known: dict[tuple[int, int], NDArray[np.uint64]] = {}

    def of(self, conditions: tuple[tuple[int, int], ...]) -> NDArray[np.uint64]:
        """Rows that meet all of these (column, level), shape (words,)."""
        found = self._one(conditions[0])
        for condition in conditions[1:]:
            found = found & self._one(condition)
        return found

    def _one(self, condition: tuple[int, int]) -> NDArray[np.uint64]:
        if condition not in self._known:
            column, level = condition
            self._known[condition] = pack(self._columns[column] == level)
        return self._known[condition]


def pack(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Flags of shape (rows,) as bits, padded with zeros to whole 64-bit words."""
    packed = np.zeros(-(-flags.size // 64) * 8, np.uint8)
    bits = np.packbits(flags)
    packed[: bits.size] = bits
    return packed.view(np.uint64)


def unpack(bits: NDArray[np.uint64], rows: int) -> NDArray[np.bool_]:
    """The flags that `pack` packed, shape (rows,)."""
    return np.unpackbits(bits.view(np.uint8), count=rows).view(np.bool_)


def ones(bits: NDArray[np.uint64]) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(bits).sum(dtype=np.int64))
