"""Orders the candidates that pass by what they cost a month, each at the place where it is cheapest.

It reads what a study with a `money:` block finds: hired, own and edge machines for the stated traffic. Prices are declared; naming
this rule accepts that. A candidate that can't keep the bound of latency at any place comes last. Where the ranges of two candidates
overlap, `tied` says so.

    prefer: {rule: cheapest}
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from seatrial.contracts.finding import Finding, Origin
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.parts.rules._limit import At
from seatrial.parts.rules._ranking import ordered, said, tied_with_the_best

VERSION = 1
_STANDING = (Origin.MEASURED, Origin.IMPORTED, Origin.DECLARED)


class Options(PartOptions):
    """Which cost, and where."""

    what: str = Field(default="money.month", description="the cost: `money.month` or `money.per_million`")
    at: At = {}


def order(evidences: Sequence[Evidence], options: Options) -> list[str]:
    """Ids, cheapest first; equal ones, and those without a cost, in the order in which they came."""
    return ordered(evidences, lambda one: _least(one, options), None)


def words(evidence: Evidence, options: Options) -> str:
    """What the candidate costs, with its range and the place; empty where that isn't known."""
    found = _least(evidence, options)
    place = "" if found is None else str(found.at.get("place", ""))
    return f"{said(found)}{f' ({place})' if place else ''}"


def tied(evidences: Sequence[Evidence], options: Options) -> list[str]:
    """Ids of candidates whose range overlaps that of the cheapest, in order, without the cheapest itself."""
    return tied_with_the_best(evidences, lambda one: _least(one, options), None)


def _least(evidence: Evidence, options: Options) -> Finding | None:
    """The best cost among the places; of statements at several levels the one that fits."""
    found = [
        one
        for one in evidence.findings
        if one.what == options.what
        and not one.slice
        and one.better
        and one.origin in _STANDING
        and isinstance(one.value, int | float)
        and all(str(one.at.get(name)) == str(value) for name, value in options.at.items())
    ]
    found.sort(key=lambda one: (-one.number if one.better == "higher" else one.number, abs((one.level or 0) - evidence.level)))  # fmt: skip
    return next(iter(found), None)
