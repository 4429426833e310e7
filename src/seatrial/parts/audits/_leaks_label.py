"""Leaks of the label inside one table: what a column, an identifier or the order of rows tells of it that it must not.

One pass. What is held is a table of counts a column: its codes (at most 52) by those of the label.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seatrial.contracts.audit import Chunk, Piece, Table
from seatrial.numerics.distributions import chi2_sf
from seatrial.parts.audits._shared import Coder, cramers_v

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

BLOCKS, BINS = 20, 50
ORDERED = 0.2
"""Cramer's V from which the number of a row, or its identifier, tells something of the label."""
SAME = 0.98
"""Share of a class that has a value, and of the value's rows that are of the class, from which the value marks the class."""
FEW = 20


class Leaks(NamedTuple):
    """Columns by what is wrong with them."""

    label_in_feature: list[str]
    source_marker: list[str]
    identifier: list[str]
    row_order: bool


class Counts:
    """A column's codes by those of the label."""

    def __init__(self, bins: int = BINS) -> None:
        self.coder = Coder(BINS, bins)
        self.table = np.zeros((self.coder.width, BINS + 2), np.int64)

    def see(self, piece: Piece, label: Array) -> None:
        """Count some rows."""
        width = self.table.shape[1]
        codes = np.minimum(self.coder.codes(piece), self.coder.width - 1) * width + label
        self.table += np.bincount(codes, minlength=self.table.size).reshape(self.table.shape)

    def told(self) -> float:
        """How much of the label's entropy the column takes away, 0 to 1, less what chance does on average (Miller 1955)."""
        n = self.table.sum()
        both, rows, columns = (_entropy(one) for one in (self.table, self.table.sum(axis=1), self.table.sum(axis=0)))
        kept = self.table[self.table.sum(axis=1) > 0][:, self.table.sum(axis=0) > 0]
        chance = (kept.shape[0] - 1) * (kept.shape[1] - 1) / (2 * max(1, n))
        return (rows + columns - both - chance) / columns if columns > 0 else 0.0

    def marks(self) -> bool:
        """Whether some value stands in all rows of a class and in no other class's, but for a few."""
        values, classes = self.table.sum(axis=1, keepdims=True), self.table.sum(axis=0, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            whole = (self.table >= SAME * values) & (self.table >= SAME * classes) & (values >= FEW)
        return bool((whole & (classes < 0.95 * self.table.sum())).any())

    def ordered(self, alarm: float) -> bool:
        """Whether the label depends on the codes by more than a little and more than chance."""
        v, chi, freedom = cramers_v(self.table)
        return freedom > 0 and v >= ORDERED and chi2_sf(chi, freedom) < alarm


def leaks(table: Table, alarm: float) -> Leaks:
    """What tells the label in this table; nothing where it has none, or one class alone."""
    if table.label is None:
        return Leaks([], [], [], False)
    label, order = Coder(BINS, 10), Counts(BLOCKS)
    rows, columns = table.rows, dict[str, Counts]()
    for chunk in table.chunks([table.label, *table.features]):
        codes = label.codes(chunk.columns[table.label])
        block = np.arange(chunk.first, chunk.first + len(chunk)) * BLOCKS // max(1, rows)
        if order.coder.edges is None:
            order.coder.edges = np.arange(1, BLOCKS).astype(np.float64)
        order.see(Piece("number", block), codes)
        for name, piece in _seen(table, chunk):
            columns.setdefault(name, Counts()).see(piece, codes)
    tests = 1 + len(columns)
    plain = {name: one for name, one in columns.items() if "\t" not in name}
    return Leaks(
        [name for name, one in plain.items() if one.told() >= 0.9],
        _names(name for name, one in columns.items() if _markable(table, name) and one.marks()),
        _names(name for name, one in columns.items() if name.endswith("\tid") and one.ordered(alarm / tests)),
        not table.by_name and order.ordered(alarm / tests),
    )


def _seen(table: Table, chunk: Chunk) -> Iterator[tuple[str, Piece]]:
    """The columns to count: as they are, and of long text its beginning, of tensors their corners, of identifiers their bins."""
    for name in table.features:
        piece = chunk.columns[name]
        if piece.kind == "tensor":
            flat = piece.values.reshape(len(chunk), -1)
            yield f"{name}\tfirst", Piece("number", flat[:, 0])
            yield f"{name}\tlast", Piece("number", flat[:, -1])
            continue
        yield name, piece
        if piece.kind == "text":
            yield f"{name}\tstart", Piece("text", piece.values, piece.missing, [_start(word) for word in piece.words])
            if table.columns[name] == "text" and len(piece.words) >= 0.95 * len(chunk) >= FEW:
                yield f"{name}\tid", Piece("text", piece.values, piece.missing, [word[:2] for word in piece.words])
        elif piece.kind == "number" and _counted_up(piece.values, table.rows, len(chunk)):
            yield f"{name}\tid", piece


def _start(word: str) -> str:
    """What stands before the last slash of a path; else the whole word."""
    return word.rpartition("/")[0] or word


def _counted_up(values: Array, rows: int, seen: int) -> bool:
    """Whether numbers look like identifiers: whole, all different, and not spread wider than a few times the rows."""
    if values.dtype.kind not in "iu" or seen < FEW:
        return False
    return len(np.unique(values)) >= 0.99 * seen and int(values.max()) - int(values.min()) <= 4 * rows


def _markable(table: Table, name: str) -> bool:
    return ("\t" in name and not name.endswith("\tid")) or table.columns.get(name) == "text"


def _names(found: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(name.split("\t")[0] for name in found))


def _entropy(counts: Array) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
