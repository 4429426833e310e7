"""Findings of values with bounds."""

from __future__ import annotations

from typing import Any, Literal

from seatrial.contracts.finding import Finding
from seatrial.numerics.interval import Interval


def bounded(
    what: str, interval: Interval, n: int, better: Literal["higher", "lower"] | None, of: str = "rows", **given: Any
) -> Finding:
    """The interval as a finding; `n` counts what was drawn independently, named by `of`. `given` are other fields, or stand in for the method."""
    return Finding(
        what=what,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        level=interval.level,
        better=better,
        n=n,
        unit_of_replication=of,
        **({"method": interval.method} | given),
    )
