"""What metrics of fairness share: the favourable class, rates of groups, and a gap as a measure that names who is undecided."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.record import Scalar
from seatrial.contracts.tally import Measure, Tally
from seatrial.errors import DataError
from seatrial.numerics.gaps import LEAST, Gap, choices, share_gap, share_ratio

Counts = NDArray[np.float64]


class Favoured(PartOptions):
    """Which class is the good one to be given, and when a group is too small to speak of."""

    favourable: Scalar | None = Field(
        default=None, description="the class that it is good to be given; the second of two if left out"
    )
    least: int = Field(default=LEAST, ge=2, description="rows below which a group is undecided and left out of the gap")


def favoured(tally: Tally, options: Favoured) -> int:
    """The index of the favourable class. Raises `DataError` where it isn't stated or isn't there."""
    if options.favourable is None:
        if len(tally.classes) == 2:
            return 1
        step = f"say `favourable:` one of {', '.join(tally.classes[:20])}"
        raise DataError(f"which of {len(tally.classes)} classes is the favourable one isn't stated", next_step=step)
    if str(options.favourable) not in tally.classes:
        step = f"the classes are {', '.join(tally.classes[:20])}"
        raise DataError(f"`{options.favourable}` is no class of the model", next_step=step)
    return tally.classes.index(str(options.favourable))


def selected(tally: Tally, favourable: int) -> tuple[Counts, Counts]:
    """Of each group: rows given the favourable class, and rows."""
    table = tally.sums["confusion"].astype(np.float64)
    return table[:, :, favourable].sum(axis=1), table.sum(axis=(1, 2))


def hit(tally: Tally, favourable: int) -> tuple[Counts, Counts]:
    """Of each group: rows of the favourable class that were given it, and rows of that class (true positive rate)."""
    table = tally.sums["confusion"].astype(np.float64)
    return table[:, favourable, favourable], table[:, favourable].sum(axis=1)


def undeserved(tally: Tally, favourable: int) -> tuple[Counts, Counts]:
    """Of each group: rows of other classes that were given the favourable one, and rows of others (false positive rate)."""
    given, rows = selected(tally, favourable)
    right, positive = hit(tally, favourable)
    return given - right, rows - positive


def labelled(tally: Tally, favourable: int) -> tuple[Counts, Counts]:
    """Of each group: rows that belong to the favourable class, and rows."""
    return hit(tally, favourable)[1], selected(tally, favourable)[1]


def plain_gap(hits: Counts, rows: Counts, least: int, ratio: bool = False) -> float:
    """The gap (or ratio) of the groups that are large enough, without bounds."""
    known = rows >= least
    if known.sum() < 2:
        return math.nan
    shares = hits[known] / rows[known]
    if not ratio:
        return float(shares.max() - shares.min())
    return float(shares.min() / shares.max()) if shares.max() > 0 else math.nan


def measure(
    what: str, gap: Gap, tally: Tally, favourable: int, n: Counts, level: float, higher: bool = False
) -> Measure:
    """One gap over all groups, with the groups farthest apart and those left undecided in its note."""
    told = []
    if gap.highest >= 0:
        told.append(f"highest {_name(tally, gap.highest)}, lowest {_name(tally, gap.lowest)}")
    if gap.undecided:
        named = ", ".join(f"{_name(tally, index)} ({n[index]:g} rows)" for index in gap.undecided)
        told.append(f"undecided, too few rows: {named}")
    if math.isnan(gap.value):
        told.append(gap.method)
    bounds = (gap.value, gap.low, gap.high)
    made = _one(what, bounds, n, gap.method, tally.classes[favourable], "; ".join(told), higher)
    return replace(made, level=level)


def both(
    what: str, hits: Counts, rows: Counts, tally: Tally, favourable: int, level: float | None, least: int
) -> Iterator[Measure]:
    """The gap of a share between groups, `what`, and its ratio, `what`.ratio."""
    for name, of, ratio in ((what, share_gap, False), (f"{what}.ratio", share_ratio, True)):
        if level is None:
            value = plain_gap(hits, rows, least, ratio=ratio)
            among = choices(hits / np.maximum(rows, 1), rows, least, ratio)
            yield value_only(name, value, tally, favourable, rows, among, higher=ratio)
        else:
            yield measure(name, of(hits, rows, level, least), tally, favourable, rows, level, higher=ratio)


def value_only(
    what: str, value: float, tally: Tally, favourable: int, n: Counts, among: Counts, higher: bool = False
) -> Measure:
    """The value without bounds, with the pairs' figures of which it is the worst."""
    made = _one(what, (value, math.nan, math.nan), n, "", tally.classes[favourable], "", higher)
    return replace(made, among=among)


def _one(
    what: str, bounds: tuple[float, float, float], n: Counts, method: str, favourable: str, note: str, higher: bool
) -> Measure:
    value, low, high = (np.array([one]) for one in bounds)
    rows = np.array([int(n.sum())])
    decided = n[n >= LEAST] if (n >= LEAST).any() else rows
    scale = rows / max(1.0, decided.min())  # a row of the smallest group changes the gap most
    better = "higher" if higher else "lower"
    at = {"favourable": favourable}
    return Measure(what, value, low, high, rows, method, better, at, note=note, scale=scale)


def _name(tally: Tally, index: int) -> str:
    return " and ".join(str(one.value) for one in tally.cells[index])
