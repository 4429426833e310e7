"""What changed most: layers by how much each alone changes the answers, groups of rows and single rows; and what to leave in float."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._axis import Axis
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._slices import conditions
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import clean, words

LAYER, LEFT, ROWS = "sensitivity", "left_in_float", "most_changed"
CHANGES = ("flips", "output_difference.mean", "output_difference")
"""What tells how much a group of rows changed: the first of these that was counted."""
MOST, FEW = 25, 5
"""Layers that are drawn; groups of rows that are named."""


class Bar(NamedTuple):
    """One layer, how much it changes the answers, how long its bar is in per cent, and whether it was left in float."""

    layer: str
    finding: Finding
    width: float
    left: bool


class Change(NamedTuple):
    """What changed most in one candidate."""

    row: Row
    bars: list[Bar]
    more: int
    left: Finding | None
    advice: list[str]
    form: Form
    slices: list[tuple[str, Finding]]
    slice_form: Form
    rows: list[Finding]


def section(shown: View) -> list[Change] | None:
    """Each candidate whose layers were looked at or whose rows were named, best first; None where there is none."""
    found = [_change(row) for row in shown.measured if not row.entry.reference]
    return [one for one in found if one.bars or one.rows] or None


def brief(told: list[Change]) -> Iterator[tuple[str, str]]:
    """What to leave in float of each candidate whose layers were looked at, a line each with its style."""
    said, looked = words()["sensitivity"], [one for one in told if one.bars]
    if looked:
        yield said["title"], "bold"
    for one in looked:
        more = [said["more"].format(count=len(one.advice) - FEW)] if len(one.advice) > FEW else []
        names = ", ".join([*one.advice[:FEW], *more])
        text = said["leave"].format(layers=names) if names else said["all"]
        yield clean(f"  {one.row.label}: {text} {said['most'].format(layer=one.bars[0].layer)}"), ""


def _change(row: Row) -> Change:
    layers = [one for one in row.by_what.get(LAYER, ()) if isinstance(one.value, int | float)]
    layers.sort(key=lambda one: -one.number)
    left = row.find(LEFT)
    names = str(left.value).split(", ") if left and left.value not in (None, "none") else []
    scale = Axis(0.0, layers[0].number or 1.0) if layers else None
    bars = [Bar(str(one.at["layer"]), one, scale.at(one.number), str(one.at["layer"]) in names) for one in layers[:MOST]] if scale else []  # fmt: skip
    slices = _slices(row)
    return Change(
        row=row,
        bars=bars,
        more=len(layers) - len(bars),
        left=left,
        advice=names,
        form=form(layers),
        slices=slices,
        slice_form=form([one for _, one in slices]),
        rows=[one for one in row.by_what.get(ROWS, ()) if isinstance(one.value, int | float) and one.number > 0],
    )


def _slices(row: Row) -> list[tuple[str, Finding]]:
    """The groups of rows that changed most."""
    what = next((name for name in CHANGES if name in row.sliced), None)
    found = sorted(row.sliced[what], key=lambda one: -one.number) if what else []
    return [(conditions(one.slice), one) for one in found[:FEW]]
