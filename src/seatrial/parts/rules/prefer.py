"""Orders the candidates that pass by one finding, the best first: the study's `prefer`.

The order is by value, in the direction that the finding calls better. Candidates without a measured figure come last.
Where the intervals of two candidates overlap, their order may be chance: `tied` names those that can't be told from the best.

    prefer: {what: speedup, at: {load: offline}}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from seatrial.contracts.finding import Finding, Origin
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.parts.rules._evidence import pick
from seatrial.parts.rules._limit import At
from seatrial.parts.rules._words import RATIO, figure, subject

VERSION = 1


class Options(PartOptions):
    """By which finding to rank."""

    what: str = Field(description="the finding to rank by, like `speedup` or `size`")
    at: At = {}
    better: Literal["higher", "lower"] | None = Field(
        default=None, description="which direction is better, where the finding doesn't say or you see it otherwise"
    )


def order(evidences: Sequence[Evidence], options: Options) -> list[str]:
    """Ids, best first; equal ones, and those without a figure, in the order in which they came."""
    return [one.candidate for one in sorted(evidences, key=lambda one: _place(one, options))]


def words(evidence: Evidence, options: Options) -> str:
    """The candidate's figure with its interval, `speedup 2.9x (2.7x to 3.1x)`; empty where it has none."""
    finding = _figure(evidence, options)
    return "" if finding is None else f"{subject(finding.what)} {_with_bounds(finding)}"


def tied(evidences: Sequence[Evidence], options: Options) -> list[str]:
    """Ids of candidates whose interval overlaps that of the best of them, in order, without the best itself."""
    found = {one.candidate: _figure(one, options) for one in evidences}
    first, *others = order(evidences, options) or [""]
    best = found.get(first)
    return [id_ for id_ in others if best and (other := found[id_]) and _overlap(best, other)]


def _figure(evidence: Evidence, options: Options) -> Finding | None:
    """The measured number to rank by, where there is one with a direction."""
    finding, _ = pick(evidence, options.what, options.at)
    if finding is None or isinstance(finding.value, str) or not (options.better or finding.better):
        return None
    return finding if finding.origin in (Origin.MEASURED, Origin.IMPORTED) else None


def _place(evidence: Evidence, options: Options) -> float:
    """Sorts the best first and those without a figure last."""
    finding = _figure(evidence, options)
    if finding is None:
        return float("inf")
    return -finding.number if (options.better or finding.better) == "higher" else finding.number


def _with_bounds(finding: Finding) -> str:
    value, low, high = (
        None if number is None else figure(float(number), finding.unit)
        for number in (finding.number, finding.low, finding.high)
    )
    return RATIO.format(value=value, low=low, high=high) if low and high else str(value)


def _overlap(one: Finding, other: Finding) -> bool:
    lows = [f.number if f.low is None else f.low for f in (one, other)]
    highs = [f.number if f.high is None else f.high for f in (one, other)]
    return max(lows) <= min(highs)
