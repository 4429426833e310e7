"""A variant against its reference on the same rows: lost rows, gained rows, and how many rows would settle it.

`lost` counts rows the reference has right and the variant wrong, `gained` the reverse; the drop in accuracy is
(lost - gained) / n. Rows on which both agree carry no information about it. Rows must be independent: for rows in
groups use a cluster bootstrap.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import binomial_cdf, normal_quantile
from seatrial.numerics.interval import Interval, Intervals, alone, tail

Floats = NDArray[np.float64]


def tango(lost: int, gained: int, n: int, level: float = 0.95) -> Interval:
    """Tango's score interval for the drop (lost - gained) / n of `n` paired rows.

    For a non-inferiority gate with a one-sided 95 % bound take level 0.90 and compare `high` with the margin.
    Works with no flips at all. Source: Tango (1998), Statistics in Medicine 17, 891-908. ValueError for counts that
    do not fit n.
    """
    if n <= 0 or lost < 0 or gained < 0 or lost + gained > n:
        raise ValueError(f"paired counts must fit n > 0 rows, not lost={lost!r}, gained={gained!r}, n={n!r}")
    z = -normal_quantile(tail(level))
    low, high = -_upper(gained, lost, n, z), _upper(lost, gained, n, z)
    return Interval((lost - gained) / n, low, high, level, f"Tango score interval for paired proportions, {n} rows")


def _upper(lost: int, gained: int, n: int, z: float) -> float:
    """The largest drop the score test at z does not reject, by bisection (the statistic falls in the drop)."""
    inside, outside = (lost - gained) / n, 1.0
    for _ in range(100):
        middle = (inside + outside) / 2.0
        if middle in (inside, outside):
            break
        if _score(middle, lost, gained, n) >= -z:
            inside = middle
        else:
            outside = middle
    return inside


def _score(drop: float, lost: int, gained: int, n: int) -> float:
    """Tango's statistic for a hypothetical drop, with the share of gained rows at its constrained likelihood maximum."""
    b = (2.0 * n - lost + gained) * drop - lost - gained
    c = -gained * drop * (1.0 - drop)
    root = math.sqrt(max(0.0, b * b - 8.0 * n * c))
    share = (root - b) / (4.0 * n) if b <= 0.0 else -2.0 * c / (root + b)
    variance = n * (2.0 * share + drop * (1.0 - drop))
    distance = lost - gained - n * drop
    return distance / math.sqrt(variance) if variance > 0.0 else math.copysign(math.inf, distance)


def tangos(lost: ArrayLike, gained: ArrayLike, n: ArrayLike, level: float | None = 0.95) -> Intervals:
    """`tango` of many counts at once, one shape; NaN where n is 0. `ValueError` for counts that do not fit n.

    With `level` None the drops alone.
    """
    lost, gained, n = (np.asarray(x, np.float64) for x in (lost, gained, n))
    if (np.minimum(lost, gained) < 0).any() or (lost + gained > n * (1.0 + 1e-9)).any():
        raise ValueError("paired counts must fit the rows")
    safe = np.where(n > 0, n, 1.0)
    if level is None:
        return alone(np.where(n > 0, (lost - gained) / safe, np.nan))
    z = -normal_quantile(tail(level))
    low, high = -_uppers(gained, lost, safe, z), _uppers(lost, gained, safe, z)
    value = (lost - gained) / safe
    found = [np.where(n > 0, x, np.nan) for x in (value, np.minimum(low, value), np.maximum(high, value))]
    return Intervals(found[0], found[1], found[2], level, "Tango score interval for paired proportions")


def _uppers(lost: Floats, gained: Floats, n: Floats, z: float) -> Floats:
    """`_upper`, for all counts together."""
    inside, outside = (lost - gained) / n, np.ones(n.shape)
    for _ in range(100):
        middle = (inside + outside) / 2.0
        if ((middle == inside) | (middle == outside)).all():
            break
        kept = _scores(middle, lost, gained, n) >= -z
        inside, outside = np.where(kept, middle, inside), np.where(kept, outside, middle)
    return inside


def _scores(drop: Floats, lost: Floats, gained: Floats, n: Floats) -> Floats:
    """`_score`, for all counts together."""
    b = (2.0 * n - lost + gained) * drop - lost - gained
    c = -gained * drop * (1.0 - drop)
    root = np.sqrt(np.maximum(0.0, b * b - 8.0 * n * c))
    away = np.where(root + b > 0.0, root + b, 1.0)
    share = np.where(b <= 0.0, (root - b) / (4.0 * n), -2.0 * c / away)
    variance = n * (2.0 * share + drop * (1.0 - drop))
    distance = lost - gained - n * drop
    certain = np.copysign(np.inf, distance)
    return np.where(variance > 0.0, distance / np.sqrt(np.where(variance > 0.0, variance, 1.0)), certain)


def mcnemar(lost: int, gained: int) -> float:
    """Two-sided mid-p value of McNemar's test of no difference.

    Close to its nominal size where the exact test is timid, and safe with few flips where the asymptotic one is not.
    Source: Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91.
    """
    if lost < 0 or gained < 0:
        raise ValueError(f"counts cannot be negative: lost={lost!r}, gained={gained!r}")
    flips, fewer = lost + gained, min(lost, gained)
    return min(1.0, binomial_cdf(fewer, flips, 0.5) + binomial_cdf(fewer - 1, flips, 0.5))


def rows_needed(
    flip_rate: float, margin: float, expected_drop: float = 0.0, confidence: float = 0.95, power: float = 0.8
) -> int | None:
    """Rows with which a gate (one-sided bound of the drop below the margin) passes with the given power.

    n = (z_confidence + z_power)^2 flip_rate / (margin - expected_drop)^2: the variance of a paired difference is its
    flip rate less the squared drop, which is left out. None where the expected drop is at or beyond the margin: no
    number of rows is enough.
    """
    if not 0.0 <= flip_rate <= 1.0:
        raise ValueError(f"a flip rate lies between 0 and 1, not {flip_rate!r}")
    if expected_drop >= margin:
        return None
    z = normal_quantile(confidence) + normal_quantile(power)
    return max(1, math.ceil(z * z * flip_rate / (margin - expected_drop) ** 2))


def rows_to_settle(value: float, bound: float, limit: float, n: int) -> int | None:
    """Rows (or rounds) at which a bound now at `bound` would reach `limit`, if the value stayed where it is.

    The distance of a bound from its value shrinks with the square root of n. None where the limit lies at the value
    or on its other side: more rows would not help. Fewer than `n` where the limit is met already.
    """
    if (bound - value) * (limit - value) <= 0.0:
        return None if bound != value or limit == value else n
    return max(1, math.ceil(n * ((bound - value) / (limit - value)) ** 2))
