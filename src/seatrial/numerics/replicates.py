"""Intervals from replicate groups: for weighted or clustered rows, and for the difference of any two statistics on the same rows.

Rows (or whole clusters of rows) are dealt at random into G groups, and a statistic is computed again without each of them.
Delete-a-group jackknife, Kott (2001), J. Official Statistics 17, 521-526:

    variance = (m - 1) / m * sum over g of (value without group g - value)^2,    t with m - 1 degrees of freedom

A small slice has rows in some of the groups alone: m counts those (`filled`), not G. What lies in few groups, a handful of
changed rows among thousands, has a variance that says little of the rows that weren't seen. `units` independent rows
(or clusters) none of which changed leave room for -ln((1 - level) / 2) that do (3.7 at .95, the exact binomial bound's
limit), and that room enters in quadrature, by the share of the groups in which nothing was seen to change: 1 - 3 d / m
with d = (sum q)^2 / sum q^2 of the squares q above, as many groups as carry the variance; of a normal law d is m / 3.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.betas import student_quantiles
from seatrial.numerics.interval import Interval
from seatrial.numerics.proportions import proportion

Floats = NDArray[np.float64]
GROUPS = 100
FEWEST = 10
"""Fewer groups than this give no interval: the variance itself would be too uncertain."""


def spread(values: ArrayLike, without: ArrayLike, filled: ArrayLike) -> Floats:
    """The jackknife standard error of `values` (...), given `without` (groups, ...), the values without each group.

    `filled` (...) is how many groups have rows. A group without which there is no value (NaN) makes the error NaN.
    """
    squares = (np.asarray(without, np.float64) - np.asarray(values, np.float64)) ** 2
    m = np.maximum(1.0, np.asarray(filled, np.float64))
    return np.asarray(np.sqrt((m - 1) / m * squares.sum(axis=0)))


def widened(
    value: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    without: ArrayLike,
    filled: ArrayLike,
    units: ArrayLike,
    level: float,
) -> tuple[Floats, Floats]:
    """Bounds that were got as if rows were independent and alike, widened by what the jackknife says they aren't.

    Each side is stretched by the ratio of the jackknife's half width to the stated one, by 1 at least, so that the shape
    of the interval stays; bounds that lay in [0, 1] stay there. A share of exactly 0 or 1 has no jackknife error: of it only
    `units` independent rows are known (exact binomial bound). All arrays but `without` (groups, ...) have one shape; NaN
    where there are no bounds, or fewer than 10 groups with rows.
    """
    middle, below, above = (np.asarray(one, np.float64) for one in (value, low, high))
    with np.errstate(invalid="ignore", divide="ignore"):
        half = _student(filled, level) * spread(middle, without, filled)
        ratio = np.maximum(1.0, 2.0 * half / (above - below))
    ratio = np.where(np.isnan(half), np.nan, ratio)
    share = (below >= 0) & (above <= 1)
    down, up = middle - (middle - below) * ratio, middle + (above - middle) * ratio
    unseen = 1 - ((1 - level) / 2) ** (1 / np.maximum(1.0, np.asarray(units, np.float64)))
    up = np.where(share & (middle == 0), np.maximum(up, unseen), up)
    down = np.where(share & (middle == 1), np.minimum(down, 1 - unseen), down)
    return np.where(share, np.maximum(down, 0), down), np.where(share, np.minimum(up, 1), up)


def difference(
    one: ArrayLike,
    other: ArrayLike,
    without_one: ArrayLike,
    without_other: ArrayLike,
    filled: ArrayLike,
    units: ArrayLike,
    level: float,
    scale: ArrayLike = 1.0,
    room: ArrayLike | None = None,
) -> tuple[Floats, Floats, Floats]:
    """`one` - `other`, two statistics of the same rows, with its bounds; shapes (...), replicates (groups, ...).

    `scale` is how much one row changes by where it changes; `room` (...), where given, the room itself (`room_by_kind`). Bounds
    are NaN with fewer than 10 groups with rows, or units.
    Simulated coverage of paired shares at .95 with .5 to 40 changes expected, all for the worse or both ways: .95 to 1 for
    30 to 10,000 rows, .92 to .99 for 12 to 1,000 clusters that change as a whole.
    """
    value = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    replicates = np.asarray(without_one, np.float64) - np.asarray(without_other, np.float64)
    least = np.minimum(filled, units)
    own = _student(least, level) * spread(value, replicates, filled)
    if room is None:
        each = np.asarray(scale, np.float64) / np.maximum(1.0, np.asarray(units, np.float64))
        room = _changes(level) * each * np.sqrt(_unseen((replicates - value) ** 2, filled))
    half = np.hypot(own, room)
    return value, value - half, value + half


def difference_of_worst(
    one: ArrayLike,
    other: ArrayLike,
    taking_part: ArrayLike,
    without_one: ArrayLike,
    without_other: ArrayLike,
    filled: ArrayLike,
    units: ArrayLike,
    level: float,
    scale: ArrayLike = 1.0,
) -> tuple[Floats, Floats, Floats]:
    """The largest of the figures `one` minus the largest of the figures `other`, with its bounds; shapes (1,).

    Figures have shape (choices,), replicates (groups, choices); `taking_part` (choices,) bool. Which of them truly is the largest is
    doubtful where several are close, and a plain jackknife of the largest then covers down to .87. With c the choice that is truly
    the largest of `one`, max one - max other <= one_c - other_c; with r that of `other`, it is >= one_r - other_r. So the bounds are
    the widest of the choices' own differences, over those that may be the largest: that don't lie below the one seen to be so by a
    jackknife test of a quarter of the error that the level leaves.
    """
    among = np.asarray(taking_part, bool)
    if not among.any():
        nothing = np.full(1, math.nan)
        return nothing, nothing, nothing
    sides = [(np.asarray(side, np.float64)[among], np.asarray(without, np.float64)[:, among]) for side, without in ((one, without_one), (other, without_other))]  # fmt: skip
    (mine, again), (theirs, others) = sides
    _, low, high = difference(mine, theirs, again, others, filled, units, level, scale)
    value = mine.max() - theirs.max()
    highest, lowest = (_may_be_largest(*side, filled, level) for side in sides)
    ends = min(value, low[lowest].min()), max(value, high[highest].max())
    return np.array([value]), np.array([ends[0]]), np.array([ends[1]])


def _may_be_largest(figures: Floats, without: Floats, filled: ArrayLike, level: float) -> NDArray[np.bool_]:
    """Choices that aren't shown to lie below the largest."""
    top = int(figures.argmax())
    short = figures[top] - figures
    error = spread(short, without[:, top : top + 1] - without, filled)
    return np.asarray(short <= _student(filled, 1 - (1 - level) / 2) * error)


def room_by_kind(reach: ArrayLike, one: ArrayLike, other: ArrayLike, filled: ArrayLike, level: float) -> Floats:
    """Room for changes not seen where rows of several kinds (labels) move a statistic by `reach` (..., kinds) each, shape (...).

    `one` and `other` (groups, ..., kinds, outcomes) are two models' counts of every kind in each replicate group: a kind of which
    rows changed in few groups, however many others did, leaves the room of its own reach. The largest room of a kind is taken.
    """
    changed = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    unseen = _unseen((changed**2).sum(axis=-1), np.asarray(filled)[..., None])
    return np.asarray((_changes(level) * np.asarray(reach, np.float64) * np.sqrt(unseen)).max(axis=-1))


def mean_by_group(
    values: ArrayLike, weights: ArrayLike, groups: ArrayLike, units: float, level: float, scale: float = 0.0
) -> Interval:
    """The weighted mean of `values` (rows,) whose rows, or clusters of rows, were dealt into `groups` (rows,), from 0 up.

    `scale` is that of `difference` where most values are 0: by how much a row changes where it does. 0 for any other values.
    """
    value, without, filled = _means(values, weights, groups)
    _, low, high = difference(value, 0.0, without, np.zeros(len(without)), filled, units, level, scale)
    return _interval(value, low, high, filled, level, ", with conservative room for changes not seen" if scale else "")


def share_by_group(hits: ArrayLike, weights: ArrayLike, groups: ArrayLike, units: float, level: float) -> Interval:
    """The weighted share of `hits` (rows,) bool, as `mean_by_group`: the interval of a proportion, `widened`."""
    value, without, filled = _means(hits, weights, groups)
    rows = np.size(hits)
    own = proportion(min(value, 1.0) * rows, rows, level)
    assert own.low is not None
    assert own.high is not None
    low, high = widened(value, own.low, own.high, without, filled, units, level)
    return _interval(value, low, high, filled, level)


def _means(values: ArrayLike, weights: ArrayLike, groups: ArrayLike) -> tuple[float, Floats, int]:
    """The mean, the mean without each group, and how many groups have rows."""
    total, mass = (np.bincount(groups, one) for one in (np.multiply(weights, values), weights))
    with np.errstate(invalid="ignore", divide="ignore"):
        without = (total.sum() - total) / (mass.sum() - mass)
    return float(total.sum() / mass.sum()), np.asarray(without), int((mass > 0).sum())


def _interval(value: float, low: Floats, high: Floats, filled: int, level: float, more: str = "") -> Interval:
    if not math.isfinite(low):
        why = f"fewer than {FEWEST} independent rows or groups of rows give no bounds"
        return Interval(value, None, None, level, why)
    return Interval(value, float(low), float(high), level, f"jackknife of {filled} groups{more}")


def _changes(level: float) -> float:
    """As many changes may be expected where none was seen."""
    return -math.log((1 - level) / 2)


def _unseen(squares: Floats, filled: ArrayLike) -> Floats:
    """The share of the groups in which nothing was seen to change, from what each adds to the variance, (groups, ...)."""
    m, whole = np.maximum(1.0, np.asarray(filled, np.float64)), (squares**2).sum(axis=0)
    carrying = np.where(whole > 0, squares.sum(axis=0) ** 2 / np.where(whole > 0, whole, 1.0), 0.0)
    return np.asarray(np.clip(1 - 3 * carrying / m, 0.0, 1.0))


def _student(filled: ArrayLike, level: float) -> Floats:
    """The quantile of Student's t for so many groups with rows; NaN for fewer than 10."""
    counts = np.asarray(filled, np.float64)
    quantiles = -student_quantiles((1 - level) / 2, np.maximum(counts, FEWEST) - 1)
    return np.asarray(np.where(counts >= FEWEST, quantiles, math.nan))
