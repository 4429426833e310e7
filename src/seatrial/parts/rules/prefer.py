"""Orders the candidates that pass by one finding, the best first: the study's `prefer`.

The order is by value, in the direction that the finding calls better. Candidates without a measured figure come last.
Where the intervals of two candidates overlap, their order may be chance: `tied` names those that can't be told from the best.

    prefer: {what: speedup, at: {load: offline}}

Another rule that orders is named under `rule`: `prefer: {rule: cheapest}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from seatrial.contracts.finding import Finding, Origin
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.parts.rules._evidence import pick
from seatrial.parts.rules._limit import Accepted, At
from seatrial.parts.rules._ranking import ordered, said, tied_with_the_best

VERSION = 1


class Options(PartOptions):
    """By which finding to rank."""

    what: str = Field(description="the finding to rank by, like `speedup` or `size`")
    at: At = {}
    accept: Accepted = ()
    better: Literal["higher", "lower"] | None = Field(
        default=None, description="which direction is better, where the finding doesn't say or you see it otherwise"
    )


def order(evidences: Sequence[Evidence], options: Options) -> list[str]:
    """Ids, best first; equal ones, and those without a figure, in the order in which they came."""
    return ordered(evidences, lambda one: _figure(one, options), options.better)


def words(evidence: Evidence, options: Options) -> str:
    """The candidate's figure with its interval, `speedup 2.9x (2.7x to 3.1x)`; empty where it has none."""
    return said(_figure(evidence, options))


def tied(evidences: Sequence[Evidence], options: Options) -> list[str]:
    """Ids of candidates whose interval overlaps that of the best of them, in order, without the best itself."""
    return tied_with_the_best(evidences, lambda one: _figure(one, options), options.better)


def _figure(evidence: Evidence, options: Options) -> Finding | None:
    """The measured number to rank by (or one that was declared, where that is accepted), where there is one with a direction."""
    finding, _ = pick(evidence, options.what, options.at)
    if finding is None or isinstance(finding.value, str) or not (options.better or finding.better):
        return None
    return finding if finding.origin in (Origin.MEASURED, Origin.IMPORTED, *options.accept) else None
