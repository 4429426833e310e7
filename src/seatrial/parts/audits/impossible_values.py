"""Values that can't be: ages below 0, shares beyond 100 %, dates in the future, infinite numbers, and numbers that stand for none.

What a column may hold is known by its name (age, latitude, percent, year ...) or stated under `ranges`. A number such as 999 or -1 that
stands apart from all others and comes again and again is a code for `not known`, and is learnt as if it were a quantity.

audit.impossible_values              cells beyond what is possible; the rows to look at
audit.impossible_values.column       of one column {column, why}: beyond, infinite, future, code
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Piece, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.contracts.part import PartOptions
from seatrial.parts.audits._shared import Rows, by_column, grade, result

ACCEPTS = {"tables": ("one",)}
KNOWN: dict[str, tuple[float, float]] = {
    r"age|age_years|alter": (0, 130),
    r"lat|latitude": (-90, 90),
    r"lon|lng|longitude": (-180, 180),
    r"percent|percentage|pct": (-1000, 1000),
    r"probability|prob": (0, 1),
    r"year|birth_year|year_of_birth": (1000, 2200),
    r"month": (0, 12),
    r"weekday|day_of_week": (0, 7),
    r"hour|hour_of_day": (0, 24),
    r"minute": (0, 60),
    r"ph": (0, 14),
    r"height_cm|body_height_cm": (20, 280),
    r"weight_kg|body_weight_kg": (0.2, 700),
    r"bmi": (5, 200),
    r"heart_rate|pulse": (0, 400),
    r"count|quantity|duration|distance|weight|height|width|length|size|visits": (0, float("inf")),
}
CODES = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
DAY = 86_400e6


class Options(PartOptions):
    """What columns may hold."""

    ranges: dict[str, tuple[float | None, float | None]] = Field(
        default={}, description="the least and the largest possible value by column: `{income: [0, null]}`"
    )


def begin(table: Table, ground: Ground, options: Options) -> _Look:
    """Looks at columns of numbers and times. Raises `DataError` for a range of a column that isn't there."""
    return _Look(table, ground, options)


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, options: Options) -> None:
        self.table, self.ground = table, ground
        self.ranges = {name: bounds for name in table.columns if (bounds := _range(name, options))}
        self.count: Counter[tuple[str, str]] = Counter()
        self.codes: dict[str, Counter[float]] = {}
        self.reach: dict[str, list[float]] = {}
        self.cells = 0
        self.future = time.time() * 1e6 + DAY
        self.found = Rows()

    def see(self, chunk: Chunk) -> None:
        """Count what is beyond, and how often codes stand."""
        anywhere = np.zeros(len(chunk), bool)
        for name, piece in chunk.columns.items():
            if piece.kind not in ("number", "time"):
                continue
            self.cells += len(chunk)
            for why, mask in self._wrong(name, piece):
                if count := int(mask.sum()):
                    self.count[name, why] += count
                    anywhere |= mask
            if piece.kind == "number" and name != self.table.label:
                self._coded(name, piece)
        self.found.add(chunk, anywhere)

    def _wrong(self, name: str, piece: Piece) -> Iterator[tuple[str, np.ndarray]]:
        there = ~piece.holes
        if piece.kind == "time":
            yield "future", there & (piece.values > self.future)
            return
        values = piece.values
        if values.dtype.kind == "f":
            yield "infinite", there & np.isinf(values)
        if bounds := self.ranges.get(name):
            yield "beyond", there & np.isfinite(values) & ((values < bounds[0]) | (values > bounds[1]))

    def _coded(self, name: str, piece: Piece) -> None:
        """Count the codes, and how far the other values reach."""
        values = piece.values[~piece.holes]
        if not len(values) or (values.min() > 0 and values.max() < CODES[5]):
            pass
        is_code = np.isin(values, CODES)
        if is_code.any():
            found, counts = np.unique(values[is_code], return_counts=True)
            self.codes.setdefault(name, Counter()).update(
                dict(zip(found.astype(float).tolist(), counts.tolist(), strict=True))
            )
        rest = values[~is_code]
        if len(rest):
            low, high = self.reach.get(name, [np.inf, -np.inf])
            self.reach[name] = [min(low, float(rest.min())), max(high, float(rest.max()))]

    def findings(self) -> Iterator[Finding]:
        """Cells in all, and by column and reason."""
        for name, codes in self.codes.items():
            for code, count in codes.items():
                if count >= 3 and _apart(code, [other for other in codes if other != code], self.reach.get(name)):
                    self.count[name, "code"] += count
        bad = sum(self.count.values())
        wrong = sum(count for (_, why), count in self.count.items() if why != "code")
        severity = grade(wrong / max(1, self.cells), 0.0, 0.001)
        severity = Severity.MINOR if bad and severity is Severity.FINE else severity
        method = "exact count of cells beyond what a column's name, or the stated range, allows"
        yield from result(
            "impossible_values", bad, self.cells, severity, method, self.table, self.ground, self.found, unit="cells"
        )
        yield from by_column(
            "audit.impossible_values.column", "why", self.count, self.table, self.cells, Severity.MINOR, _MEANS
        )


_MEANS = {
    "beyond": "beyond the range that is possible",
    "infinite": "numbers that are infinite",
    "future": "more than a day later than now",
    "code": "a number of nines, or minus one, that stands apart from all others and comes three times or more: a code for what isn't known",
}


def _range(name: str, options: Options) -> tuple[float, float] | None:
    if name in options.ranges:
        low, high = options.ranges[name]
        return (-np.inf if low is None else low, np.inf if high is None else high)
    plain = re.sub(r"\W+", "_", name.strip().lower())
    return next((bounds for form, bounds in KNOWN.items() if re.fullmatch(form, plain)), None)


def _apart(code: float, others: list[float], reach: list[float] | None) -> bool:
    """Whether a code lies clear of the other values: below 0 where they aren't, or beyond them by as much as they reach and half as much again."""
    if reach is None:
        return False
    low, high = reach
    if code < 0:
        return low >= 0
    return code > high + 0.5 * max(abs(high), high - low)
