"""Groups of rows: how a candidate does on each that the study names, and those that a search found to be served worse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from statistics import NormalDist
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.contracts.record import Scalar
from seatrial.contracts.tally import Slice
from seatrial.parts.reports._axis import Axis, axis
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._page import UNSLICED
from seatrial.parts.reports._view import At, Row, View
from seatrial.parts.reports._words import clean, words

EXCESS, HURT = "slice.excess", "slice.hurt"
_SIDES = re.compile(r"(-?[\d.]+(?:e[+-]?\d+)?) inside, (-?[\d.]+(?:e[+-]?\d+)?) outside")
_LOOK = re.compile(r"rows to look at: ([\d, ]+)")


class Served(NamedTuple):
    """One named group of rows: the measure there, the reference's, and how much worse it became.

    `low` and `high` bound that drop and allow for all groups that were looked at; `hurt` where even `low` is above 0,
    `behind` where the measure is worse than over all rows, with the same allowance.
    """

    where: Slice
    found: Finding | None
    reference: Finding | None
    drop: Finding | None
    low: float | None
    high: float | None
    hurt: bool
    behind: bool

    @property
    def rows(self) -> int:
        """How many rows are in the group."""
        return next((one.n for one in (self.found, self.drop) if one and one.n), 0)


class Found(NamedTuple):
    """A group that the search found and confirmed: share of errors inside and outside (of more errors, for `slice.hurt`)."""

    where: Slice
    finding: Finding
    inside: float | None
    outside: float | None
    look: str


class Total(NamedTuple):
    """A candidate over all its groups: the one that lost most, how many were hurt, what the search found and would have found."""

    row: Row
    worst: Served | None
    hurt: int
    found: Finding | None
    detectable: Finding | None


class Groups(NamedTuple):
    """The section: the groups of the candidate that is spoken of, what was found of each candidate, and all in total."""

    row: Row
    what: str
    at: At
    named: list[Served]
    counted: int
    form: Form
    drop_form: Form
    scale: Axis
    drop_scale: Axis
    overall: Finding | None
    found: list[tuple[Row, str, Found]]
    totals: list[Total]
    unsliced: list[str]
    hundred: Form = Form(0.01, "", 1)


def section(shown: View) -> Groups | None:
    """All of it; None where nothing was counted on groups of rows."""
    row, (what, at) = shown.focus, shown.group_measure
    found = list(_told(shown))
    totals = [_total(shown, one) for one in shown.measured]
    if row is None or not (what or found or any(one.found for one in totals)):
        return None
    listed = named(shown, row)
    values = [one.found for one in listed if one.found]
    drops = [one.drop for one in listed if one.drop]
    return Groups(
        row=row,
        what=what,
        at=at,
        named=listed,
        counted=len(drops),
        form=form(values),
        drop_form=form(drops),
        scale=axis(_ends(values)),
        drop_scale=axis(side for one in listed for side in (one.low, one.high, 0.0) if side is not None),
        overall=row.find(what, at),
        found=found,
        totals=[one for one in totals if one.worst or one.found],
        unsliced=[str(f.value) for f in shown.dossier.findings if f.what == UNSLICED and f.value is not None],
    )


def _told(shown: View) -> Iterator[tuple[Row, str, Found]]:
    """What the search found: groups hurt, of every candidate; groups with more errors, of the one that is spoken of and the reference."""
    yield from ((row, HURT, one) for row in shown.measured for one in searched(row, HURT))
    both = [row for row in shown.measured if row is shown.focus or row.entry.reference]
    yield from ((row, EXCESS, one) for row in both for one in searched(row, EXCESS))


def named(shown: View, row: Row) -> list[Served]:
    """The groups that the study names, what matters first: those hurt, those behind, then by drop."""
    what, at = shown.group_measure
    values, drops = _by_slice(row, what, at), _by_slice(row, f"{what}.drop", at)
    before = _by_slice(shown.reference, what, at) if shown.reference and shown.reference is not row else {}
    overall = row.find(what, at)
    made = [
        _served(where, values.get(where), before.get(where), drops.get(where), overall, len(values), len(drops))
        for where in dict.fromkeys([*values, *drops])
    ]
    return sorted(made, key=_order)


def hurt(shown: View, row: Row) -> list[Served]:
    """The named groups that the change hurt, with an allowance for how many were looked at."""
    return [one for one in named(shown, row) if one.hurt]


def searched(row: Row, what: str) -> list[Found]:
    """The groups that a search found of a candidate, the largest effect first."""
    found = [_found(one) for one in row.listed if one.what == what and one.slice and one.value is not None]
    return sorted(found, key=lambda one: -one.finding.number)


def allowing(finding: Finding, looked: int) -> tuple[float | None, float | None]:
    """Its bounds, stretched so that they hold for all of so many that were looked at (Bonferroni)."""
    outside = 1 - (finding.level or 0.95)
    quantile = NormalDist().inv_cdf
    times = quantile(1 - outside / 2 / max(1, looked)) / quantile(1 - outside / 2)
    low, high = (
        None if end is None else finding.number + (end - finding.number) * times for end in (finding.low, finding.high)
    )
    return low, high


def conditions(where: Slice) -> str:
    """A group as the study writes it: `age >= 60 and sex == F`."""
    return clean(" and ".join(map(str, where)))


def spoken(where: Slice) -> str:
    """A group in words: `age is at least 30 and below 60 and town is c`."""
    said, text, before = words()["relation"], "", ""
    for one in where:
        value = ", ".join(map(_value, one.value)) if isinstance(one.value, tuple) else _value(one.value)
        begin = "" if one.column == before else f"{one.column} {said['begin']} "
        text += f"{' and ' if text else ''}{begin}{said[one.relation].format(value=value)}"
        before = one.column
    return clean(text)


def _value(value: Scalar) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _served(
    where: Slice,
    found: Finding | None,
    reference: Finding | None,
    drop: Finding | None,
    overall: Finding | None,
    values: int,
    drops: int,
) -> Served:
    low, high = allowing(drop, drops) if drop else (None, None)
    behind = bool(found and overall and _behind(found, overall, values))
    return Served(where, found, reference, drop, low, high, (low or 0.0) > 0, behind)


def _behind(found: Finding, overall: Finding, looked: int) -> bool:
    """Whether a group is worse than all rows together, its interval wide enough for all groups and beside that of all rows."""
    low, high = allowing(found, looked)
    if found.better == "higher":
        return high is not None and high < (overall.number if overall.low is None else overall.low)
    return low is not None and low > (overall.number if overall.high is None else overall.high)


def _order(one: Served) -> tuple[bool, bool, float, float]:
    """Those hurt first, the largest drop on top; then those behind, the worst on top; then by drop and value."""
    worse = 0.0
    if one.found is not None:
        worse = one.found.number if one.found.better == "higher" else -one.found.number
    drop = -(one.drop.number if one.drop else 0.0)
    return not one.hurt, not one.behind, *((worse, drop) if one.behind and not one.hurt else (drop, worse))


def _by_slice(row: Row | None, what: str, at: Mapping[str, Scalar]) -> dict[Slice, Finding]:
    found = row.sliced.get(what, ()) if row else ()
    return {one.slice: one for one in found if one.at == at}


def _found(finding: Finding) -> Found:
    sides, look = _SIDES.search(finding.note), _LOOK.search(finding.note)
    inside, outside = map(float, sides.groups()) if sides else (None, None)
    return Found(finding.slice, finding, inside, outside, look[1] if look else "")


def _total(shown: View, row: Row) -> Total:
    listed = [one for one in named(shown, row) if one.drop]
    kind = EXCESS if row.entry.reference else HURT
    found, detectable = row.find(f"{kind}.count"), row.find(f"{kind}.detectable")
    worst = max(listed, key=lambda one: one.drop.number if one.drop else 0.0, default=None)
    return Total(row, worst, sum(one.hurt for one in listed), found, detectable)


def _ends(findings: Iterable[Finding]) -> Iterator[float]:
    for one in findings:
        yield from (end for end in (one.low, one.high, one.number) if end is not None)
