"""Intervals from replicate groups: for weighted or clustered rows, and for the difference of any two statistics on the same rows.

Rows (or whole clusters of rows) are dealt at random into G groups, and a statistic is computed again without each of them.
Delete-a-group jackknife, Kott (2001), J. Official Statistics 17, 521-526:

    variance = (G - 1) / G * sum over g of (value without group g - value)^2,    t with G - 1 degrees of freedom
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import normal_quantile, student_quantile

Floats = NDArray[np.float64]
GROUPS = 100
FEWEST = 10
"""Fewer groups than this give no interval: the variance itself would be too uncertain."""


def spread(values: ArrayLike, without: ArrayLike) -> Floats:
    """The jackknife standard error of `values` (...), given `without` (groups, ...), the values without each group.

    A group without which there is no value (NaN) makes the error NaN.
    """
    replicates = np.asarray(without, np.float64)
    groups = len(replicates)
    squares = (replicates - np.asarray(values, np.float64)) ** 2
    return np.asarray(np.sqrt((groups - 1) / groups * squares.sum(axis=0)))


def widened(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, error: ArrayLike, groups: int, level: float
) -> tuple[Floats, Floats]:
    """Bounds that were got as if rows were independent and alike, widened by what the jackknife `error` says they aren't.

    Each side is stretched by the ratio of the jackknife's half width to the stated one, by 1 at least, so that the shape
    of the interval stays; bounds that lay in [0, 1] stay there. A share of exactly 0 or 1 has no jackknife error: of it
    only `groups` independent groups are known (exact binomial bound). All arrays have one shape; NaN where there are no bounds.
    """
    middle, below, above = (np.asarray(one, np.float64) for one in (value, low, high))
    z, t = normal_quantile((1 + level) / 2), student_quantile((1 + level) / 2, groups - 1)
    own = (above - below) / (2 * z)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.maximum(1.0, np.asarray(error, np.float64) * t / (own * z))
    share = (below >= 0) & (above <= 1)
    down, up = middle - (middle - below) * ratio, middle + (above - middle) * ratio
    unseen = 1 - ((1 - level) / 2) ** (1 / groups)
    up = np.where(share & (middle == 0), np.maximum(up, unseen), up)
    down = np.where(share & (middle == 1), np.minimum(down, 1 - unseen), down)
    return np.where(share, np.maximum(down, 0), down), np.where(share, np.minimum(up, 1), up)


def difference(
    one: ArrayLike,
    other: ArrayLike,
    without_one: ArrayLike,
    without_other: ArrayLike,
    n: ArrayLike,
    level: float,
    scale: ArrayLike = 1.0,
) -> tuple[Floats, Floats, Floats]:
    """`one` - `other`, two statistics of the same rows, with its bounds; shapes (...), replicates (groups, ...).

    Where no group makes a difference, -ln((1 - level) / 2) rows (3.7 at .95) that weren't seen may still have changed it, out
    of the `n` that the statistic rests on, each by `scale`. Bounds are NaN with fewer than 10 groups.
    """
    value = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    replicates = np.asarray(without_one, np.float64) - np.asarray(without_other, np.float64)
    groups = len(replicates)
    if groups < FEWEST:
        nothing = np.full(value.shape, np.nan)
        return value, nothing, nothing
    half = student_quantile((1 + level) / 2, groups - 1) * spread(value, replicates)
    least = -math.log((1 - level) / 2) / np.maximum(1.0, np.asarray(n, np.float64)) * np.asarray(scale, np.float64)
    half = np.maximum(half, np.where(half == 0, least, 0.0))
    return value, value - half, value + half
