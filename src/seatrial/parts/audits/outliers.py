"""Numbers that lie so far from the others of their column that they hardly belong to them.

The tail of each column is carried on beyond what a sample of 20,000 rows shows (`numerics/tails.py`); what lies farther out than any of so
many rows would is an outlier. Long tails (incomes, times, counts) are no fault and raise none. What is far out may be wrong, or the most
important row there is: look before you delete.

audit.outliers               rows with at least one; the rows to look at
audit.outliers.column        cells of one column {column}
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Table
from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.numerics.tails import LEAST, limits
from seatrial.parts.audits._shared import MOST_COLUMNS, Rows, Sample, grade, listed, result, where

ACCEPTS = {"tables": ("one",)}
CANNOT = {
    "several columns together": ("not yet ours", "a row whose every number is usual and whose combination is not"),
    "images and text": ("not yet ours", "they want an embedding first"),
}


class Options(PartOptions):
    """From where on outliers matter."""

    serious: float = Field(default=0.001, gt=0, le=1, description="share of a column's cells that is serious")


def begin(table: Table, ground: Ground, options: Options) -> _Look | None:
    """Looks at columns of numbers."""
    names = [name for name in table.features if table.columns[name].startswith(("int", "uint", "float", "decimal"))]
    names = [name for name in names if " " not in table.columns[name]]
    return _Look(table, ground, options, names) if names else None


class _Look:
    def __init__(self, table: Table, ground: Ground, options: Options, names: list[str]) -> None:
        self.table, self.ground, self.options = table, ground, options
        self.sample = Sample(names, ground)
        self.limits: dict[str, tuple[float, float]] = {}
        self.far: dict[str, int] = dict.fromkeys(names, 0)
        self.seen = self.count = self.rows = 0
        self.found = Rows()

    @property
    def again(self) -> bool:
        """After the first pass the limits are set, and rows are looked at with them."""
        if not self.limits:
            alarm = self.ground.alarm / max(1, len(self.far))
            self.limits = {name: limits(self.sample.columns[name], self.rows, alarm) for name in self.far}
            return any(np.isfinite(bound) for pair in self.limits.values() for bound in pair)
        return False

    def see(self, chunk: Chunk) -> None:
        """A sample first; then what lies beyond the limits."""
        if not self.limits:
            self.sample.see(chunk)
            self.rows += len(chunk)
            return
        any_ = np.zeros(len(chunk), bool)
        for name, (low, high) in self.limits.items():
            values = chunk.columns[name].numbers()
            beyond = (values < low) | (values > high)
            if count := int(beyond.sum()):
                self.far[name] += count
                any_ |= beyond
        self.count += int(any_.sum())
        self.found.add(chunk, any_)

    def findings(self) -> Iterator[Finding]:
        """Rows with outliers, and the columns they are in."""
        bare = [name for name, pair in self.limits.items() if not np.isfinite(pair).any()]
        most = max(self.far.values(), default=0) / max(1, self.rows)
        method = f"beyond where the column's own tail, carried on, would reach among so many rows: false alarms in about {self.ground.alarm:.2g} of tables"
        note = f"too few different values to read a tail (fewer than {LEAST}): {listed(bare)}" if bare else ""
        severity = grade(most, 0.0, self.options.serious)
        yield from result(
            "outliers", self.count, self.rows, severity, method, self.table, self.ground, self.found, note=note
        )
        for name in where(self.far, 0)[:MOST_COLUMNS]:
            yield Finding(
                what="audit.outliers.column",
                at={"table": self.table.name, "column": name},
                value=self.far[name],
                unit="cells",
                better="lower",
                n=self.rows,
                unit_of_replication="rows",
                severity=grade(self.far[name] / self.rows, 0.0, self.options.serious),
                method=method,
            )
