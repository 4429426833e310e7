"""How far several people who label the same rows agree, and which rows they are at odds about: a queue for another look.

Labels that people don't agree on can't be learnt or judged better than they agree. The columns of their labels are named in the study
(`audit: {annotators: [ann_1, ann_2]}`); an empty cell is a row that somebody didn't label. Where most annotators say something else than
the label, the row is listed first.

audit.annotators            rows that annotators disagree on; the rows to look at, the most divided first
audit.annotators.outvoted   rows whose label isn't what most of their annotators say
audit.annotators.alpha      Krippendorff's alpha, nominal, with an interval
audit.annotators.pair       Cohen's kappa {one, other}
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import MOST_ROWS, Chunk, Ground, Piece, Table
from seatrial.contracts.finding import Finding, Severity, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.errors import DataError
from seatrial.numerics.agreement import kappa
from seatrial.numerics.annotators import alpha, at_odds
from seatrial.numerics.proportions import proportion
from seatrial.parts.audits._shared import Rows, result

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"tables": ("one",)}
CANNOT = {
    "grades and numbers": ("not yet ours", "labels are alike or not: how far apart two grades lie doesn't count"),
    "annotators in rows of their own": ("not yet ours", "each annotator's labels must be a column"),
}
BYTES_A_ROW = 40
"""A byte a label and annotator, twice while they are compared."""
MOST_CLASSES = 100


class Options(PartOptions):
    """From which agreement on labels are reliable."""

    reliable: float = Field(default=0.8, gt=0, le=1, description="alpha from which on labels are reliable")
    outvoted: float = Field(
        default=0.01, ge=0, lt=1, description="share of outvoted labels above which they are a fault"
    )
    serious: float = Field(default=0.667, gt=0, le=1, description="alpha below which they say little")


def begin(table: Table, ground: Ground, options: Options) -> _Look | None:
    """Looks where the table has columns of two annotators or more. Raises `DataError` for a column that no table has."""
    for name in ground.annotators:
        if not any(name in one.columns for one in ground.tables.values()):
            raise DataError(f"there is no column `{name}`, which is named as an annotator's")
    names = [name for name in ground.annotators if name in table.columns]
    return _Look(table, ground, options, names) if len(names) > 1 else None


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, options: Options, names: list[str]) -> None:
        self.table, self.ground, self.options, self.names = table, ground, options, names
        self.classes: dict[Any, int] = {}
        self.labels: list[Array] = []
        self.given: list[Array] = []

    def see(self, chunk: Chunk) -> None:
        """The class that each annotator gives each row, and that of the label."""
        if len(self.classes) <= MOST_CLASSES:
            self.labels.append(np.stack([self._codes(chunk.columns[name]) for name in self.names], axis=1))
            if self.table.label:
                self.given.append(self._codes(chunk.columns[self.table.label]))

    def _codes(self, piece: Piece) -> Array:
        cells = piece.words if piece.kind == "text" else [f"{one:g}" for one in np.unique(piece.values).tolist()]
        known = np.array([self.classes.setdefault(cell, len(self.classes)) for cell in cells] or [0])
        places = piece.values if piece.kind == "text" else np.unique(piece.values, return_inverse=True)[1]
        return np.where(piece.holes, -1, known[places]).astype(np.int16)

    def findings(self) -> Iterator[Finding]:
        """Rows at odds, rows outvoted, alpha, and each pair's kappa."""
        at = {"table": self.table.name}
        if len(self.classes) > MOST_CLASSES or not self.labels:
            why = f"annotators give more than {MOST_CLASSES} different labels" if self.labels else "there are no rows"
            yield missing("audit.annotators", State.UNSUPPORTED, why, at=at)
            return
        labels = np.concatenate(self.labels)
        both = int(((labels >= 0).sum(axis=1) > 1).sum())
        if not both:
            yield missing("audit.annotators", State.TOO_FEW, "no row has labels of two annotators", at=at)
            return
        divided, majority = at_odds(labels, len(self.classes))
        outvoted = np.zeros(len(labels), bool)
        if self.given:
            outvoted = (majority >= 0) & (np.concatenate(self.given) >= 0) & (np.concatenate(self.given) != majority)
        queue = np.lexsort((np.arange(len(labels)), -divided, ~outvoted))
        queue = queue[(divided > 0)[queue] | outvoted[queue]]
        found, rows = alpha(labels, len(self.classes), self.ground.level), Rows()
        rows.found = queue[:MOST_ROWS].tolist()
        severity = self._severity(found.high)
        how = "exact count of rows with two labels or more that aren't all alike"
        yield from result(
            "annotators", int((divided > 0).sum()), both, severity, how, self.table, self.ground, rows
        )  # fmt: skip
        yield self._figure("alpha", found, both, {})
        if self.given:
            how = "rows whose label differs from that of more than half of their annotators"
            least = proportion(int(outvoted.sum()), both, self.ground.level).low or 0.0
            severity = Severity.MINOR if least > self.options.outvoted else Severity.FINE
            yield from result(
                "annotators.outvoted", int(outvoted.sum()), both, severity, how, self.table, self.ground
            )  # fmt: skip
        for one, other in itertools.combinations(range(len(self.names)), 2):
            yield from self._pair(labels[:, one], labels[:, other], self.names[one], self.names[other])

    def _severity(self, high: float | None) -> Severity:
        """By the upper bound: agreement that may be good enough is no fault."""
        top = 1.0 if high is None else high
        if top < self.options.serious:
            return Severity.SERIOUS
        return Severity.MINOR if top < self.options.reliable else Severity.FINE

    def _figure(self, name: str, found: Any, n: int, at: dict[str, str]) -> Finding:
        return Finding(
            what=f"audit.annotators.{name}",
            at={"table": self.table.name, **at},
            value=found.value,
            low=found.low,
            high=found.high,
            level=found.level if found.low is not None else None,
            better="higher",
            n=n,
            unit_of_replication="rows",
            method=found.method,
        )

    def _pair(self, one: Array, other: Array, first: str, second: str) -> Iterator[Finding]:
        both = (one >= 0) & (other >= 0)
        if both.sum() < 2:
            return
        size = max(2, len(self.classes))
        pairs = one[both].astype(np.int64) * size + other[both]
        found = kappa(np.bincount(pairs, minlength=size**2).reshape(1, size, size), self.ground.level)
        value, low, high = (float(np.asarray(each).reshape(-1)[0]) for each in (found.value, found.low, found.high))
        if np.isfinite(value):
            bounds = None if not np.isfinite([low, high]).all() else (low, high)
            yield Finding(
                what="audit.annotators.pair",
                at={"table": self.table.name, "one": first, "other": second},
                value=value,
                low=bounds[0] if bounds else None,
                high=bounds[1] if bounds else None,
                level=self.ground.level if bounds else None,
                better="higher",
                n=int(both.sum()),
                unit_of_replication="rows",
                method="Cohen's kappa",
            )
