"""Columns in which two units are mixed: metres among centimetres, cents among euros, thousands among ones.

Positive numbers are put on a logarithmic scale. Where they fall into two clear heaps whose distance is that of two units, and either heap alone
is as wide as the other, part of the column was entered in another unit. Heaps that overlap (kilograms and pounds of grown people) can't be told.

audit.units            columns that look mixed
audit.units.cells      cells in the smaller heap {column, factor}
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seatrial.contracts.audit import Chunk, Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.parts.audits._shared import Rows, Sample, result

ACCEPTS = {"tables": ("one",)}
CANNOT = {
    "heaps that overlap": (
        "never",
        "kilograms and pounds of grown people lie among each other: the numbers alone don't tell",
    )
}
FACTORS = (10.0, 12.0, 24.0, 25.4, 30.48, 60.0, 100.0, 1000.0, 1024.0, 3600.0, 10_000.0, 86_400.0, 1e6, 1024.0**2, 1e9)
NEAR = 0.10
"""How far the ratio of the heaps' medians may be from a factor."""
LEAST_SHARE, LEAST_ROWS = 0.002, 10


def begin(table: Table, ground: Ground, options: object) -> _Look | None:
    """Looks at columns of numbers."""
    names = [name for name in table.features if table.columns[name].startswith(("int", "uint", "float", "decimal"))]
    names = [name for name in names if " " not in table.columns[name]]
    return _Look(table, ground, names) if names else None


class _Look:
    """A sample shows where heaps part; a second pass counts the smaller ones."""

    def __init__(self, table: Table, ground: Ground, names: list[str]) -> None:
        self.table, self.ground, self.names = table, ground, names
        self.sample = Sample(names, ground)
        self.heaps: dict[str, tuple[float, bool, float]] | None = None
        self.cells: dict[str, int] = {}
        self.rows = 0
        self.found = Rows()

    @property
    def again(self) -> bool:
        """Where there are two heaps their rows are counted."""
        if self.heaps is None:
            found = {name: _heaps(self.sample.columns[name]) for name in self.names}
            self.heaps = {name: one for name, one in found.items() if one is not None}
            return bool(self.heaps)
        return False

    def see(self, chunk: Chunk) -> None:
        """A sample first; then the cells of the smaller heaps."""
        if self.heaps is None:
            self.rows += len(chunk)
            self.sample.see(chunk)
            return
        anywhere = np.zeros(len(chunk), bool)
        for name, (edge, above, _) in self.heaps.items():
            values = chunk.columns[name].numbers()
            small = (values > edge) if above else (values > 0) & (values <= edge)
            self.cells[name] = self.cells.get(name, 0) + int(small.sum())
            anywhere |= small
        self.found.add(chunk, anywhere)

    def findings(self) -> Iterator[Finding]:
        """Columns by name, and the cells of each smaller heap."""
        heaps = self.heaps or {}
        severity = Severity.SERIOUS if heaps else Severity.FINE
        method = "two heaps on a logarithmic scale, a factor between units apart and alike in width"
        yield from result(
            "units", len(heaps), len(self.names), severity, method, self.table, self.ground, self.found, unit="columns"
        )  # fmt: skip
        for name, (_, _, factor) in heaps.items():
            yield Finding(
                what="audit.units.cells",
                at={"table": self.table.name, "column": name, "factor": factor},
                value=self.cells.get(name, 0),
                unit="cells",
                better="lower",
                n=self.rows,
                unit_of_replication="rows",
                severity=Severity.SERIOUS,
                method=method,
            )


def _heaps(sample: np.ndarray) -> tuple[float, bool, float] | None:
    """The value between two heaps, whether the smaller lies above, and the factor between units; None where there is one heap."""
    there = sample[np.isfinite(sample)]
    positive = there[there > 0]
    if len(positive) < 100 or len(positive) < 0.9 * len(there) or len(np.unique(positive)) < 30:
        return None
    logs = np.sort(np.log10(positive))
    least = max(LEAST_ROWS, int(LEAST_SHARE * len(logs)))
    gaps = np.diff(logs)[least - 1 : len(logs) - least]
    if not len(gaps):
        return None
    at = int(gaps.argmax()) + least
    low, high = logs[:at], logs[at:]
    widths = [float(np.subtract(*np.quantile(heap, [0.9, 0.1]))) for heap in (low, high)]
    if gaps.max() < 0.15 or gaps.max() < 5 * _usual_gap(logs, gaps.max()) or max(widths) > 2.5 * min(widths):
        return None
    ratio = 10 ** float(np.median(high) - np.median(low))
    factor = min(FACTORS, key=lambda one: abs(np.log(ratio / one)))
    if abs(np.log(ratio / factor)) > NEAR + 3 * widths[0] / np.sqrt(min(len(low), len(high))):
        return None
    return 10 ** float((low[-1] + high[0]) / 2), len(high) < len(low), factor


def _usual_gap(logs: np.ndarray, largest: float) -> float:
    """The second largest gap between neighbours in the middle 96 % of the values: whole numbers leave gaps of their own."""
    inner = np.sort(np.diff(logs[len(logs) // 50 : -max(1, len(logs) // 50)]))
    rest = inner[inner < largest]
    return float(rest[-1]) if len(rest) else 0.0
