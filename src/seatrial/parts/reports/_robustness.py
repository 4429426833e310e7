"""How it answers inputs that went bad: accuracy by severity beside the reference's, and who falls faster than it."""

from __future__ import annotations

from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._axis import Axis, axis
from seatrial.parts.reports._charts import Tick
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._slices import allowing
from seatrial.parts.reports._view import Row, View

ACCURACY, EXTRA, CLEAN = "corrupted.accuracy", "corrupted.extra_drop", "clean"
LEFT, WIDE = 18.0, 76.0
"""Where severity 0 stands in the picture, and how wide all severities are, in per cent."""


class Point(NamedTuple):
    """Accuracy at one severity (0: clean rows), and where it stands in the picture, in per cent."""

    severity: int
    finding: Finding
    x: float
    y: float
    y_low: float
    y_high: float


class Curve(NamedTuple):
    """One corruption: the candidate that is spoken of, the reference, and whether the candidate falls faster."""

    corruption: str
    own: list[Point]
    reference: list[Point]
    extra: Finding | None
    faster: bool


class Falls(NamedTuple):
    """The section: curves on one axis, and every candidate's extra fall by corruption."""

    row: Row
    curves: list[Curve]
    ticks: list[Tick]
    form: Form
    corruptions: list[str]
    extra_form: Form
    lines: list[tuple[Row, list[tuple[Finding, bool] | None]]]
    clean: Finding | None


def section(shown: View) -> Falls | None:
    """Curves and table; None where no inputs were spoilt."""
    row = shown.focus
    if row is None or not any(_points(one) for one in shown.measured):
        return None
    reference = shown.reference
    own, other = _points(row), _points(reference) if reference and reference is not row else {}
    names = [name for name in dict.fromkeys([*own, *other]) if name != CLEAN]
    found = [one for side in (own, other) for those in side.values() for one in those]
    ends = [end for one in found for end in (one.low, one.high, one.number) if end is not None]
    scale, how = axis((max(0.0, min(ends, default=0.0)), min(1.0, max(ends, default=1.0)))), form(found)
    worst = max((_severity(one) for one in found), default=1)
    curves = [_curve(name, row, own, other, scale, worst) for name in names]
    lines = [(one, [_extra(one, name) for name in names]) for one in shown.measured if not one.entry.reference]
    extras = [cell[0] for _, cells in lines for cell in cells if cell]
    return Falls(
        row=row,
        curves=curves,
        ticks=[
            Tick(round(100 - scale.at(value), 2), how.say(f"{value / how.divisor:.4g}")) for value in scale.ticks(4)
        ],
        form=how,
        corruptions=names if extras else [],
        extra_form=form(extras),
        lines=[line for line in lines if any(line[1])],
        clean=next(iter(own.get(CLEAN, ())), None),
    )


def faster(row: Row) -> list[str]:
    """The corruptions under which a candidate falls faster than the reference, allowing for how many were tried."""
    return [str(one.at["corruption"]) for one in _extras(row) if _beyond(row, one)]


def _points(row: Row) -> dict[str, list[Finding]]:
    """Accuracy by corruption, in order of severity."""
    found: dict[str, list[Finding]] = {}
    for one in row.listed:
        if one.what == ACCURACY and isinstance(one.value, int | float):
            found.setdefault(str(one.at.get("corruption", "")), []).append(one)
    return {name: sorted(those, key=_severity) for name, those in found.items()}


def _severity(one: Finding) -> int:
    return int(one.at.get("severity", 0) or 0)


def _curve(
    name: str, row: Row, own: dict[str, list[Finding]], other: dict[str, list[Finding]], scale: Axis, worst: int
) -> Curve:
    def placed(side: dict[str, list[Finding]]) -> list[Point]:
        return [_point(one, scale, worst) for one in (*side.get(CLEAN, ()), *side.get(name, ()))]

    extra = _extra(row, name)
    return Curve(name, placed(own), placed(other), extra[0] if extra else None, bool(extra and extra[1]))


def _point(one: Finding, scale: Axis, worst: int) -> Point:
    ends = (one.number, one.number if one.low is None else one.low, one.number if one.high is None else one.high)
    severity = _severity(one)
    return Point(
        severity,
        one,
        round(LEFT + WIDE * severity / max(1, worst), 2),
        *(round(100 - scale.at(end), 2) for end in ends),
    )


def _extras(row: Row) -> list[Finding]:
    return [one for one in row.listed if one.what == EXTRA and isinstance(one.value, int | float)]


def _extra(row: Row, name: str) -> tuple[Finding, bool] | None:
    one = next((one for one in _extras(row) if str(one.at.get("corruption")) == name), None)
    return (one, _beyond(row, one)) if one else None


def _beyond(row: Row, one: Finding) -> bool:
    return (allowing(one, len(_extras(row)))[0] or 0.0) > 0
