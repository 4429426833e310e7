"""Spearman's rank correlation of two scores of the same rows, from counts of rows by the bins of both: shards merge.

Rows in one bin of a score count as tied. With 128 bins (`numerics/score_bins.py`, 32 of its bins joined) of scores that are
spread smoothly, over [0, 1] or as a normal law's, that moves the correlation by less than 0.01, nearly always towards 0.
Scores that crowd into a few bins are compared by these bins alone.

Bounds: Fisher's z, whose standard error is the larger of two. Bonett & Wright's (2000, Psychometrika 65, 23-28),
sqrt((1 + r^2 / 2) / (n - 3)), is for scores that are smooth together; where a few rows are far off and all others agree, as
after a fault, it is far too small. The other needs no such shape: by the influence of single rows (the delta method), on the
table with one row more that is spread over all bins as if there were no agreement, so that a perfect table isn't certain.
In simulation the two cover .93 to .98 together, and more above a correlation of .98, where what may have gone unseen weighs most:
500 rows in perfect order have a lower bound of .96.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import normal_quantile
from seatrial.numerics.interval import Intervals, alone, tail

Floats = NDArray[np.float64]
METHOD = "Spearman's correlation of scores in {bins} bins each, Fisher's z with the larger of two standard errors, conservative"


def rank_correlations(tables: ArrayLike, level: float | None = 0.95) -> Intervals:
    """Spearman's correlation of tables (..., B, B) of rows by both bins; values and bounds of shape (...).

    NaN where all rows are in one bin of either score; no bounds for fewer than four rows. `level` None: values alone.
    """
    counts = np.asarray(tables, np.float64)
    shape = counts.shape[:-2]
    flat = counts.reshape(-1, *counts.shape[-2:])
    value = np.array([_correlation(one) for one in flat]).reshape(shape)
    if level is None:
        return alone(value)
    bounds = np.array([_bounds(one, r, level) for one, r in zip(flat, value.ravel(), strict=True)]).reshape(*shape, 2)
    return Intervals(value, bounds[..., 0], bounds[..., 1], level, METHOD.format(bins=counts.shape[-1]))


def _correlation(table: Floats) -> float:
    """Pearson's correlation of mid-ranks."""
    rows = table.sum()
    one, other = table.sum(axis=1), table.sum(axis=0)
    if not rows or max(one.max(), other.max()) >= rows:
        return math.nan
    spread = _spread(one / rows) * _spread(other / rows)
    shared = float(_middle(one / rows) @ (table / rows) @ _middle(other / rows)) - 0.25
    return max(-1.0, min(1.0, shared / math.sqrt(spread)))


def _bounds(table: Floats, r: float, level: float) -> tuple[float, float]:
    rows = float(table.sum())
    if math.isnan(r) or rows < 4:
        return math.nan, math.nan
    smooth = table + np.outer(table.sum(axis=1), table.sum(axis=0)) / rows**2
    middle = _correlation(smooth)
    away = 1.0 - middle**2
    error = math.sqrt(_variance(smooth, middle) / (rows - 3.0)) / away
    error = max(error, math.sqrt((1.0 + middle**2 / 2.0) / (rows - 3.0)))
    half = -normal_quantile(tail(level)) * error
    ends = math.tanh(math.atanh(middle) - half), math.tanh(math.atanh(middle if abs(r) == 1.0 else r) + half)
    return min(r, ends[0]), 1.0 if r == 1.0 else max(r, ends[1])


def _variance(table: Floats, r: float) -> float:
    """Variance of one row's influence on the correlation, whose square root over rows is its standard error.

    With mid-distributions F and G of the bins: C = E F G - 1/4 changes with a row at (k, l) by F(k) G(l) + E[1(x > k) G] +
    E[F 1(y > l)] - 3 E F G (ties count half), and the variance (1 - sum p^3) / 12 of a score by (sum p^3 - p(k)^2) / 4.
    """
    p = table / table.sum()
    one, other = p.sum(axis=1), p.sum(axis=0)
    f, g = _middle(one), _middle(other)
    spread, other_spread = _spread(one), _spread(other)
    change = np.outer(f, g) + _above(p @ g)[:, None] + _above(f @ p)[None, :] - 3.0 * float(f @ p @ g)
    slope = change / math.sqrt(spread * other_spread)
    slope -= r / 2.0 * (((one**3).sum() - one**2) / (4.0 * spread))[:, None]
    slope -= r / 2.0 * (((other**3).sum() - other**2) / (4.0 * other_spread))[None, :]
    return float((p * slope**2).sum())


def _middle(shares: Floats) -> Floats:
    """The share of rows below each bin and half of those in it."""
    return np.asarray(np.cumsum(shares) - shares / 2.0)


def _above(mass: Floats) -> Floats:
    """What lies above each bin and half of what is in it."""
    return np.asarray(mass.sum() - np.cumsum(mass) + mass / 2.0)


def _spread(shares: Floats) -> float:
    """Variance of the mid-distribution of a score in bins."""
    return (1.0 - float((shares**3).sum())) / 12.0
