"""Ordering candidates by one figure each: what the rules that rank share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seatrial.contracts.finding import Finding
from seatrial.contracts.protocols import Evidence
from seatrial.parts.rules._words import RATIO, figure, subject

Figure = Callable[[Evidence], Finding | None]
"""The number to rank a candidate by; None where it has none."""


def ordered(evidences: Sequence[Evidence], by: Figure, better: str | None) -> list[str]:
    """Ids, best first; equal ones, and those without a figure, in the order in which they came."""

    def place(evidence: Evidence) -> float:
        finding = by(evidence)
        if finding is None:
            return float("inf")
        return -finding.number if (better or finding.better) == "higher" else finding.number

    return [one.candidate for one in sorted(evidences, key=place)]


def said(finding: Finding | None) -> str:
    """The figure with its interval, `speedup 2.9x (2.7x to 3.1x)`; empty where there is none."""
    if finding is None:
        return ""
    value, low, high = (
        None if number is None else figure(float(number), finding.unit)
        for number in (finding.number, finding.low, finding.high)
    )
    return f"{subject(finding.what)} {RATIO.format(value=value, low=low, high=high) if low and high else value}"


def tied_with_the_best(evidences: Sequence[Evidence], by: Figure, better: str | None) -> list[str]:
    """Ids of candidates whose interval overlaps that of the best of them, in order, without the best itself."""
    found = {one.candidate: by(one) for one in evidences}
    first, *others = ordered(evidences, by, better) or [""]
    best = found.get(first)
    return [id_ for id_ in others if best and (other := found[id_]) and _overlap(best, other)]


def _overlap(one: Finding, other: Finding) -> bool:
    lows = [f.number if f.low is None else f.low for f in (one, other)]
    highs = [f.number if f.high is None else f.high for f in (one, other)]
    return max(lows) <= min(highs)
