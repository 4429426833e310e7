"""Intervals for a proportion of independent rows: accuracy, precision, recall, a rate of refusals.

Never Wald's: with few rows in the smaller cell it covers far less than it says. Sources: Wilson (1927); Clopper &
Pearson (1934); Brown, Cai & DasGupta (2001) for the comparison. Rows that come in groups (users, documents) are not
independent and need a cluster bootstrap instead. Counts need not be whole: effective rows will do.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.betas import beta_quantiles
from seatrial.numerics.distributions import beta_quantile, normal_quantile
from seatrial.numerics.interval import Interval, Intervals, alone, tail

# The least threshold at which the worst coverage at nominal 0.95, over all p and n up to 1,000, stays above 0.93.
_SMALL_CELL = 14


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval: mean coverage at the nominal level, but down to 0.83 where fewer than one is expected."""
    _check(successes, n)
    z = -normal_quantile(tail(level))
    shrink, share = 1.0 + z * z / n, successes / n
    centre = (share + z * z / (2.0 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1.0 - share) / n + (z / (2.0 * n)) ** 2)
    low = 0.0 if successes == 0 else min(centre - half, share)
    high = 1.0 if successes == n else max(centre + half, share)
    return Interval(share, low, high, level, f"Wilson score interval, {n:g} rows")


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Interval:
    """The exact interval by inverting the binomial test: never covers less than its level, often more."""
    _check(successes, n)
    outside = tail(level)
    low = 0.0 if successes == 0 else beta_quantile(outside, successes, n - successes + 1)
    high = 1.0 if successes == n else 1.0 - beta_quantile(outside, n - successes, successes + 1)
    return Interval(successes / n, low, high, level, f"Clopper-Pearson exact interval, {n:g} rows")


def proportion(successes: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's interval, or Clopper-Pearson's where fewer than 14 rows succeeded or fewer than 14 failed.

    At nominal 0.95 the coverage never falls below 0.93, whatever the true share (checked exactly for n up to 1,000).
    """
    return (clopper_pearson if min(successes, n - successes) < _SMALL_CELL else wilson)(successes, n, level)


def proportions(successes: ArrayLike, n: ArrayLike, level: float | None = 0.95) -> Intervals:
    """`proportion` of many counts at once; shapes are broadcast. NaN where n is 0; `ValueError` for impossible counts.

    With `level` None the shares alone.
    """
    hits, rows = (np.array(x, np.float64) for x in np.broadcast_arrays(successes, n))
    if not ((hits >= 0) & (hits <= rows)).all():
        raise ValueError("successes must lie between 0 and n")
    there = rows > 0
    safe = np.where(there, rows, 1.0)
    share = np.array(np.where(there, hits / safe, np.nan))
    if level is None:
        return alone(share)
    z, outside = -normal_quantile(tail(level)), tail(level)
    shrink = 1.0 + z * z / safe
    centre = (share + z * z / (2.0 * safe)) / shrink
    half = z / shrink * np.sqrt(share * (1.0 - share) / safe + (z / (2.0 * safe)) ** 2)
    low, high = np.array(np.minimum(centre - half, share)), np.array(np.maximum(centre + half, share))
    small = there & (np.minimum(hits, safe - hits) < _SMALL_CELL)
    low[small], high[small] = _exact(hits[small], safe[small], outside)
    low, high = np.array(np.where(hits == 0, 0.0, low)), np.array(np.where(hits == safe, 1.0, high))
    low[~there], high[~there] = np.nan, np.nan
    named = np.where(small, "Clopper-Pearson exact interval", "Wilson score interval").astype(object)
    return Intervals(share, low, high, level, named)


def _exact(hits: NDArray[np.float64], rows: NDArray[np.float64], outside: float) -> tuple[NDArray[np.float64], ...]:
    """Clopper-Pearson's bounds; those at 0 and n mean nothing here."""
    some, most = np.where(hits > 0, hits, 1.0), np.where(hits < rows, rows - hits, 1.0)
    both = beta_quantiles(outside, np.concatenate([some, most]), np.concatenate([rows - hits + 1.0, hits + 1.0]))
    return both[: len(hits)], 1.0 - both[len(hits) :]


def _check(successes: float, n: float) -> None:
    if n <= 0:
        raise ValueError(f"a proportion needs at least one row, not n={n!r}")
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n={n!r}, not {successes!r}")
