"""Whether what was said comes true as often as said: reliability diagrams, and the figures that sum them up."""

from __future__ import annotations

from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.contracts.record import Scalar
from seatrial.parts.reports._axis import Axis, axis
from seatrial.parts.reports._charts import Tick
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._sections import named
from seatrial.parts.reports._view import At, Row, View

SHARE, SAID, ECE = "reliability", "reliability.score", "ece"
MOST = 12
"""Diagrams of one kind that are drawn; tables have all."""


class Bin(NamedTuple):
    """One bin: what was said and what came true, and where both stand in the picture (per cent from left and top)."""

    said: Finding
    true: Finding
    x: float
    y: float
    y_low: float
    y_high: float


class Diagram(NamedTuple):
    """One candidate's diagram beside the reference's."""

    row: Row
    bins: list[Bin]
    reference: list[Bin]
    ticks: list[Tick]


class Kind(NamedTuple):
    """The diagrams of one kind of probability: the highest of each row, or one class's."""

    at: At
    diagrams: list[Diagram]
    hidden: int


class Figures(NamedTuple):
    """Figures of one kind of probability: a column each, a line a candidate. `chance` says what the biased one is by chance alone."""

    at: At
    columns: list[tuple[str, Form]]
    lines: list[tuple[Row, list[Finding | None]]]
    chance: str


class Calibration(NamedTuple):
    """The section."""

    views: list[Kind]
    figures: list[Figures]


def section(shown: View) -> Calibration | None:
    """Diagrams and figures; None where nothing was found of calibration."""
    made = Calibration(_views(shown), _figures(shown))
    return made if made.views or made.figures else None


def _views(shown: View) -> list[Kind]:
    """All candidates for the first kind; for other kinds (one a class) the candidate that is spoken of."""
    kinds = list({tuple(at.items()): at for row in shown.measured for at in _kinds(row)}.values())
    rows = [row for row in shown.measured if not row.entry.reference] or shown.measured
    drawn = [(at, rows if index == 0 else [shown.focus or rows[0]]) for index, at in enumerate(kinds)]
    return [_view(shown, at, those) for at, those in drawn[:MOST]]


def _kinds(row: Row) -> list[At]:
    return [_without_bin(one.at) for one in row.listed if one.what == SHARE and not one.slice]


def _without_bin(at: dict[str, Scalar]) -> At:
    return {key: value for key, value in at.items() if key != "bin"}


def _view(shown: View, at: At, rows: list[Row]) -> Kind:
    reference = shown.reference
    each = [(row, _pairs(row, at)) for row in rows]
    each = [(row, pairs) for row, pairs in each if pairs]
    before = _pairs(reference, at) if reference else []
    every = [*before, *(pair for _, pairs in each for pair in pairs)]
    ends = [end for said, true in every for end in (said.number, true.number, true.low, true.high) if end is not None]
    scale = axis((max(0.0, min(ends)), min(1.0, max(ends))), room=0.01) if ends else axis(())
    ticks = [Tick(scale.at(value), f"{100 * value:.4g}") for value in scale.ticks(4)] if every else []
    made = [
        Diagram(row, _bins(pairs, scale), _bins(before, scale) if row is not reference else [], ticks)
        for row, pairs in each[:MOST]
    ]
    return Kind(at, made, max(0, len(each) - MOST))


def _pairs(row: Row, at: At) -> list[tuple[Finding, Finding]]:
    """What was said and what came true, by bin."""
    found: dict[Scalar, dict[str, Finding]] = {}
    for one in row.listed:
        if one.what in (SHARE, SAID) and not one.slice and one.value is not None and _without_bin(one.at) == at:
            found.setdefault(one.at.get("bin", 0), {})[one.what] = one
    pairs = [(both[SAID], both[SHARE]) for both in found.values() if len(both) == 2]
    return sorted(pairs, key=lambda pair: pair[0].number)


def _bins(pairs: list[tuple[Finding, Finding]], scale: Axis) -> list[Bin]:
    def down(value: float | None, other: float) -> float:
        return round(100 - scale.at(other if value is None else value), 2)

    return [
        Bin(said, true, scale.at(said.number), *(down(end, true.number) for end in (true.number, true.low, true.high)))
        for said, true in pairs
    ]


def _figures(shown: View) -> list[Figures]:
    by_setting: dict[tuple[tuple[str, Scalar], ...], list[tuple[Row, Finding]]] = {}
    for row in shown.measured:
        for one in row.listed:
            if _figure(one):
                by_setting.setdefault(tuple(one.at.items()), []).append((row, one))
    return [_table(shown, dict(at), found) for at, found in by_setting.items()]


def _figure(one: Finding) -> bool:
    plain = not one.slice and "bin" not in one.at and isinstance(one.value, int | float)
    return plain and named(one.what) == "calibration" and not one.what.endswith(".drop")


def _table(shown: View, at: At, found: list[tuple[Row, Finding]]) -> Figures:
    names = dict.fromkeys(one.what for _, one in found)
    cells = {(row.number, one.what): one for row, one in found}
    rows = [row for row in shown.measured if any((row.number, what) in cells for what in names)]
    return Figures(
        at,
        [(what, form([one for _, one in found if one.what == what])) for what in names],
        [(row, [cells.get((row.number, what)) for what in names]) for row in rows],
        next((one.method for row, one in found if one.what == ECE and row is (shown.focus or row)), ""),
    )
