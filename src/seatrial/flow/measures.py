"""From what a metric states of all cells at once to findings, one a cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.tally import Measure, Slice


def findings_of(measure: Measure, cells: Sequence[Slice]) -> list[Finding]:
    """The finding of each cell, in order, without candidate, part and date. No value, or no bounds where there could be some: too few rows."""
    methods, notes = _texts(measure.method, len(cells)), _texts(measure.note, len(cells))
    numbers = zip(*(_numbers(x) for x in (measure.value, measure.low, measure.high, measure.n)), strict=True)
    return [
        _finding(measure, cell, value, low, high, n, method, note)
        for cell, (value, low, high, n), method, note in zip(cells, numbers, methods, notes, strict=True)
    ]


def _finding(
    measure: Measure,
    cell: Slice,
    value: float | None,
    low: float | None,
    high: float | None,
    n: float | None,
    method: str,
    note: str,
) -> Finding:
    said: dict[str, Any] = {
        "at": dict(measure.at),
        "slice": cell,
        "against": "reference" if measure.against else None,
        "unit": measure.unit,
        "better": measure.better,
        "n": round(n or 0),
        "unit_of_replication": "rows",
    }
    if value is None:
        return missing(measure.what, State.TOO_FEW, note or "there are no rows", **said)
    unbounded = measure.level is not None and low is None and high is None
    return Finding(
        what=measure.what,
        value=value,
        low=low,
        high=high,
        level=measure.level,
        method=method,
        state=State.TOO_FEW if unbounded else State.OK,
        note=note or (method if unbounded else ""),
        **said,
    )


def _numbers(array: Any) -> list[float | None]:
    return [float(one) if math.isfinite(one) else None for one in array]


def _texts(given: str | Sequence[str], count: int) -> list[str]:
    return [given] * count if isinstance(given, str) else list(given)
