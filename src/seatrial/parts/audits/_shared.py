"""What audits share: rows to look at, a sample of rows, intervals of shares, tables of counts of two columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.audit import MOST_ROWS, Chunk, Ground, Piece, Table, told
from seatrial.contracts.finding import Finding, Severity
from seatrial.numerics.distributions import chi2_sf
from seatrial.numerics.proportions import proportion
from seatrial.numerics.row_hash import mixed

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

SAMPLE = 20_000
MOST_COLUMNS = 40
"""Columns of which one audit tells each by itself; of more it tells the worst, and how many there are in all."""
EMPTY = frozenset(
    ["", "?", "-", "--", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing", "unknown", "not available", "undefined", "tbd"]
)  # fmt: skip
"""Words that mean nothing, in small letters."""
INDEPENDENT = "interval as if rows were drawn independently"


class Rows:
    """Numbers of rows to look at: the first `MOST_ROWS`."""

    def __init__(self) -> None:
        self.found: list[int] = []

    def add(self, chunk: Chunk, mask: Array) -> None:
        """The rows of a chunk where the mask is true."""
        room = MOST_ROWS - len(self.found)
        if room > 0:
            self.found += (np.flatnonzero(mask)[:room] + chunk.first).tolist()


class Sample:
    """At most `SAMPLE` rows of some columns, drawn by a hash of the row's number: no order of rows misleads it.

    Cells are float64, text as 52 bits of its keyed hash, so that equal cells are equal; missing cells are NaN.
    """

    def __init__(self, names: list[str], ground: Ground, most: int = SAMPLE) -> None:
        self.names, self.ground, self.most = names, ground, most
        self.shift = 0
        self.columns: dict[str, Array] = {name: np.empty(0) for name in names}
        self.draws = np.empty(0, np.uint64)
        self.seed = np.uint64(ground.seed)

    def see(self, chunk: Chunk) -> None:
        """Take some rows of a chunk."""
        draws = mixed(np.arange(chunk.first, chunk.first + len(chunk), dtype=np.uint64) ^ (self.seed << np.uint64(40)))
        taken = np.flatnonzero(draws < self._limit())
        self.draws = np.concatenate([self.draws, draws[taken]])
        for name in self.names:
            cells = self._cells(chunk.columns[name].take(taken), name)
            self.columns[name] = np.concatenate([self.columns[name], cells])
        while len(self.draws) > self.most:
            self.shift += 1
            kept = self.draws < self._limit()
            self.draws = self.draws[kept]
            self.columns = {name: cells[kept] for name, cells in self.columns.items()}

    def _limit(self) -> Any:
        return np.uint64(2**64 - 1) >> np.uint64(self.shift)

    def _cells(self, piece: Piece, name: str) -> Array:
        if piece.kind in ("text", "tensor"):
            cells = (self.ground.hash_rows({name: piece}) >> np.uint64(12)).astype(np.float64)
            cells[piece.holes] = np.nan
            return cells
        return piece.numbers()

    def __len__(self) -> int:
        return len(self.draws)

    def alike(self, names: list[str] | None = None) -> float:
        """The chance that two rows agree in every one of these columns (all if left out), were columns independent."""
        n, found = len(self), 1.0
        if n < 2:
            return 0.0
        for name in self.names if names is None else names:
            _, counts = np.unique(self.columns[name], return_counts=True, equal_nan=True)
            found *= float((counts * (counts - 1.0)).sum() / (n * (n - 1.0)))
        return found


def copies_by_chance(alike: float, rows: int) -> float:
    """Copies of an earlier row to be expected of so many, where two agree with the chance `alike`."""
    if alike <= 0:
        return 0.0
    return float(max(0.0, rows - -np.expm1(-rows * alike) / alike))


def beyond(count: int, chance: float, alarm: float) -> float:
    """How many there are beyond what chance makes; 0 where chance makes so many or more with probability `alarm` (Poisson), or within three deviations."""
    if count <= chance + 3 * np.sqrt(chance) or (chance > 0 and 1 - chi2_sf(2 * chance, 2 * count) >= alarm):
        return 0.0
    return count - chance


def result(
    name: str,
    count: int,
    n: int,
    severity: Severity,
    method: str,
    table: Table,
    ground: Ground,
    rows: Rows | None = None,
    **given: Any,
) -> Iterator[Finding]:
    """`told` with the interval of the share, and the rows to look at in a file."""
    at = {"table": table.name, **given.pop("at", {})}
    bounds = (None, None)
    if n:
        interval = proportion(count, n, ground.level)
        bounds, method = (interval.low, interval.high), f"{method}; {interval.method}, {INDEPENDENT}"
    called = "-".join([name, *(str(value) for key, value in at.items() if key != "table")])
    file = ground.keep_rows(called, table, rows.found) if rows is not None and rows.found else ""
    yield from told(name, count, n, severity, method, bounds=bounds, level=ground.level, at=at, rows=file, **given)


def by_column(
    what: str,
    key: str,
    counts: Counter[tuple[str, str]],
    table: Table,
    cells: int,
    severity: Severity,
    means: Mapping[str, str],
) -> Iterator[Finding]:
    """Cells of each column and kind, the most first; `key` is what a kind is called in `at`, `means` how it is told."""
    for (name, kind), count in counts.most_common(MOST_COLUMNS):
        yield Finding(
            what=what,
            at={"table": table.name, "column": name, key: kind},
            value=count,
            unit="cells",
            better="lower",
            n=cells,
            unit_of_replication="cells",
            severity=severity,
            method=means[kind],
        )


def grade(value: float, minor: float, serious: float) -> Severity:
    """Serious from `serious` on, minor above `minor`, else fine."""
    return Severity.SERIOUS if value >= serious else Severity.MINOR if value > minor else Severity.FINE


def place(chunk: Chunk, rows: Array) -> Array:
    """Row numbers in the table of rows of a chunk."""
    return np.asarray(rows) + chunk.first


def listed(names: list[str], most: int = 12) -> str:
    """Names of columns for a note."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


class Coder:
    """Cells of a column as small whole numbers: words in the order they come (the rest together), numbers in bins of equally many rows.

    Missing cells have the code 0. Bins are made of the first chunk. At most `most` codes.
    """

    def __init__(self, most: int = 50, bins: int = 10) -> None:
        self.most, self.bins = most, bins
        self.words: dict[Any, int] = {}
        self.edges: Array | None = None
        self.full = False

    def codes(self, piece: Piece) -> Array:
        """The code of each cell, int64, below `most` + 2."""
        if piece.kind == "text":
            found = np.array([self._code(word) for word in piece.words] or [0], np.int64)[piece.values]
        elif piece.kind == "tensor":
            found = np.zeros(len(piece.values), np.int64)
        else:
            found = self._numbers(piece.numbers())
        if piece.missing is not None:
            found = np.where(piece.missing, 0, found)
        return found

    def _code(self, word: Any) -> int:
        if word in self.words:
            return self.words[word]
        if len(self.words) >= self.most:
            self.full = True
            return self.most + 1
        return self.words.setdefault(word, len(self.words) + 1)

    def _numbers(self, values: Array) -> Array:
        if self.edges is None:
            there = values[np.isfinite(values)]
            different = np.unique(there)
            few = len(different) <= self.bins
            cuts = np.quantile(there, np.arange(1, self.bins) / self.bins) if len(there) else np.empty(0)
            self.edges = different[1:] if few else np.unique(cuts)
        return np.searchsorted(self.edges, np.nan_to_num(values), side="right") + 1

    @property
    def width(self) -> int:
        """One more than the largest code."""
        return self.most + 2


def cramers_v(table: Array) -> tuple[float, float, int]:
    """Cramer's V of a table of counts, corrected for what chance adds (Bergsma 2013), the chi-square statistic, and its freedom."""
    kept = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0].astype(np.float64)
    n = kept.sum()
    rows, columns = kept.shape
    freedom = (rows - 1) * (columns - 1)
    if n < 2 or freedom < 1:
        return 0.0, 0.0, 0
    expected = kept.sum(axis=1, keepdims=True) * kept.sum(axis=0, keepdims=True) / n
    chi = float(((kept - expected) ** 2 / expected).sum())
    phi = max(0.0, chi / n - freedom / (n - 1))
    shorter = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return (float(np.sqrt(phi / shorter)) if shorter > 0 else 0.0), chi, freedom


def pooled(table: Array, least: float = 5.0) -> Array:
    """The table with its rare rows put together, and its rare columns, so that chi-square's distribution holds well enough."""
    for axis in (0, 1):
        totals = table.sum(axis=1 - axis)
        other = table.sum() / max(1, (table.sum(axis=axis) > 0).sum())
        rare = totals * min(1.0, other / max(1.0, table.sum())) < least
        if rare.any() and not rare.all():
            kept, rest = np.compress(~rare, table, axis=axis), np.compress(rare, table, axis=axis)
            table = np.concatenate([kept, rest.sum(axis=axis, keepdims=True)], axis=axis)
    return table


def where(columns: Mapping[str, Any], limit: float) -> list[str]:
    """Names whose value is above the limit, the largest first."""
    return sorted((name for name, value in columns.items() if value > limit), key=lambda name: -columns[name])
