"""How far two data sets lie apart, column by column: effect sizes from mergeable counts, each with what chance alone does.

With a million rows any difference is significant: what counts is its size, and whether it is more than two samples of the
same rows would show (`above_chance`). Shards of counts are added; `Moments` have `merge`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seatrial.numerics.distributions import chi2_sf, normal_quantile
from seatrial.numerics.interval import Interval, tail

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

SMOOTHING = 0.5
"""Added to each count: an empty bin would make the stability index infinite, and chance would exceed what is said of it."""
FEW = 5.0
"""Expected rows below which bins are put together, as is usual for chi-square."""


# --- counts -----------------------------------------------------------------------------------------------------------------


def quantile_edges(sample: Array, bins: int = 10) -> Array:
    """Inner edges of bins with about as many rows of the sample each; fewer where values repeat, none where all are alike."""
    seen = np.asarray(sample, np.float64)
    seen = seen[np.isfinite(seen)]
    if not seen.size or bins < 2:
        return np.empty(0)
    edges = np.unique(np.quantile(seen, np.arange(1, bins) / bins, method="inverted_cdf"))
    return np.asarray(edges[edges < seen.max()])


def histogram(values: Array, edges: Array) -> Array:
    """Rows up to the first edge, up to the second .. above the last, and last of all the missing: int64 of edges + 2."""
    numbers = np.asarray(values, np.float64)
    missing = np.isnan(numbers)
    counts = np.bincount(np.searchsorted(edges, numbers[~missing], side="left"), minlength=len(edges) + 1)
    return np.append(counts, np.count_nonzero(missing)).astype(np.int64)


def aligned(one: Mapping[str, int], other: Mapping[str, int]) -> tuple[Array, Array]:
    """Counts by category of two data sets as arrays over the categories of both."""
    names = sorted(set(one) | set(other))
    return (
        np.array([one.get(name, 0) for name in names], np.int64),
        np.array([other.get(name, 0) for name in names], np.int64),
    )


# --- distances of two histograms --------------------------------------------------------------------------------------------


_Divergence = Callable[["Array", "Array"], float]


class Distance(NamedTuple):
    """A distance, what it stays below by chance (in a share `level` of pairs of samples of one population), and its p-value.

    A p-value near 0 says that there is a shift, never that it matters: read the distance.
    """

    value: float
    chance: float
    p: float
    level: float
    method: str

    @property
    def above_chance(self) -> bool:
        """Whether the distance is more than chance makes of as many rows."""
        return self.value > self.chance


def population_stability(one: Array, other: Array, level: float = 0.95) -> Distance:
    """The population stability index, sum (q - p) log(q / p) of the shares of bins: Jeffreys' divergence, in nats, from 0 up.

    Customs: below 0.1 little, above 0.25 much; but without a shift it is about chi-square with bins - 1 degrees of freedom
    times (1 / n + 1 / m) (Yurdakul & Naranjo 2020), whose quantile is `chance`. Bins in which fewer than five rows of the
    smaller set are expected are put together; half a row is added to each. ValueError for counts that aren't of the same bins.
    """
    return _distance(one, other, level, _jeffreys, 1.0, "population stability index")


def jensen_shannon(one: Array, other: Array, level: float = 0.95) -> Distance:
    """The Jensen-Shannon divergence in bits, from 0 (alike) to 1 (nothing in common); its root is a distance (Lin 1991).

    Without a shift it is about chi-square with bins - 1 degrees of freedom times (1 / n + 1 / m) / (8 log 2), by its
    expansion about equal shares. Bins are put together, and half a row is added, as for the stability index.
    """
    return _distance(one, other, level, _jensen, 8 * math.log(2), "Jensen-Shannon divergence")


def _distance(one: Array, other: Array, level: float, divergence: _Divergence, scale: float, name: str) -> Distance:
    """The divergence of both, with the chi-square approximation of `scale` times it."""
    first, second = _together(*_counts(one, other))
    n, m, freedom = int(first.sum()), int(second.sum()), len(first) - 1
    method = f"{name} of {len(first)} bins, chi-square approximation of chance, {n} and {m} rows"
    if freedom == 0:
        return Distance(0.0, 0.0, 1.0, level, method)
    value, unit = divergence(first, second), (1 / n + 1 / m) / scale
    return Distance(value, unit * _chi2_quantile(level, freedom), chi2_sf(value / unit, freedom), level, method)


def _counts(one: Array, other: Array) -> tuple[Array, Array]:
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"counts of the same bins are needed, not {first.shape} and {second.shape}")
    if min(first.min(initial=0), second.min(initial=0)) < 0 or not (first.sum() and second.sum()):
        raise ValueError("counts can't be negative, and each data set needs at least one row")
    return first, second


def _together(first: Array, second: Array) -> tuple[Array, Array]:
    """With bins put together in which the smaller set has fewer than five expected rows, from the emptiest on."""
    both = first + second
    order = np.argsort(both, kind="stable")
    expected = np.cumsum(both[order]) * min(first.sum(), second.sum()) / both.sum()
    single = both[order] * min(first.sum(), second.sum()) / both.sum()
    few = int(np.count_nonzero(single < FEW))
    if few and expected[few - 1] < FEW:
        few = min(len(order), few + 1)  # the bins put together are too few rows yet: the next one joins
    rare, kept = order[:few], np.sort(order[few:])
    sums = [np.append(counts[kept], counts[rare].sum() if few else []) for counts in (first, second)]
    filled = sums[0] + sums[1] > 0
    return sums[0][filled], sums[1][filled]


def _smooth(counts: Array) -> Array:
    return np.asarray((counts + SMOOTHING) / (counts + SMOOTHING).sum())


def _jeffreys(first: Array, second: Array) -> float:
    p, q = _smooth(first), _smooth(second)
    return float(np.sum((q - p) * np.log(q / p)))


def _jensen(first: Array, second: Array) -> float:
    p, q = _smooth(first), _smooth(second)
    middle = (p + q) / 2
    return max(0.0, float(np.sum(p * np.log2(p / middle) + q * np.log2(q / middle))) / 2)


@cache
def _chi2_quantile(level: float, freedom: int) -> float:
    """x with P[X <= x] = level, by bisection."""
    tail(level)
    low, high = 0.0, freedom + 10.0 * math.sqrt(2.0 * freedom) + 100.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if chi2_sf(middle, freedom) > 1 - level else (low, middle)
    return high


# --- means ------------------------------------------------------------------------------------------------------------------


class Moments(NamedTuple):
    """Of the finite numbers of a column: how many, their mean, and the sums of second to fourth powers about it."""

    n: int = 0
    mean: float = 0.0
    second: float = 0.0
    third: float = 0.0
    fourth: float = 0.0

    def merge(self, other: Moments) -> Moments:
        """Of both sets of rows together, exact to rounding. Source: Pebay (2008), SAND2008-6212, equations 2.1, 2.2 and 2.4."""
        n = self.n + other.n
        if not self.n or not other.n:
            return self if self.n else other
        gap, a, b = other.mean - self.mean, self.n / n, other.n / n
        second = self.second + other.second + gap**2 * self.n * b
        third = (
            self.third + other.third + gap**3 * self.n * b * (a - b) + 3 * gap * (a * other.second - b * self.second)
        )
        fourth = self.fourth + other.fourth + gap**4 * self.n * b * (a * a - a * b + b * b)
        fourth += 6 * gap**2 * (a * a * other.second + b * b * self.second) + 4 * gap * (
            a * other.third - b * self.third
        )
        return Moments(n, self.mean + gap * b, second, third, fourth)


def moments(values: Array) -> Moments:
    """Of one shard's numbers, without what isn't finite."""
    seen = np.asarray(values, np.float64).ravel()
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return Moments()
    mean = float(seen.mean())
    apart = seen - mean
    square = apart * apart
    return Moments(len(seen), mean, float(square.sum()), float((square * apart).sum()), float((square * square).sum()))


def standardised_difference(one: Moments, other: Moments, level: float = 0.95) -> Interval:
    """Mean of the other less mean of the one, in standard deviations (the root of both variances' mean: Austin 2009).

    The interval is by the delta method with third and fourth moments, so that neither equal spreads nor normal numbers are
    assumed. Both bounds are None where one set has fewer than two rows or nothing varies; the value is then 0 for equal
    means and infinite for others.
    """
    method = f"standardised mean difference, delta method, {one.n} and {other.n} rows"
    if min(one.n, other.n) < 2 or one.second + other.second <= 0:
        gap = other.mean - one.mean
        return Interval(math.copysign(math.inf, gap) if gap else 0.0, None, None, level, method)
    spreads = [each.second / (each.n - 1) for each in (one, other)]
    scale = math.sqrt(sum(spreads) / 2)
    value = (other.mean - one.mean) / scale
    variance = math.fsum(_share(each, sign, value, scale) for each, sign in ((one, -1.0), (other, 1.0)))
    half = -normal_quantile(tail(level)) * math.sqrt(max(0.0, variance))
    return Interval(value, value - half, value + half, level, method)


def _share(each: Moments, sign: float, value: float, scale: float) -> float:
    """What one set's sampling adds to the variance: of its mean, of its variance (a quarter of which is in scale^2), of both."""
    n, variance = each.n, each.second / (each.n - 1)
    of_mean = variance / scale**2
    of_spread = (each.fourth / n - variance**2) * (value / (4 * scale**2)) ** 2
    of_both = sign * each.third / n * value / (2 * scale**3)
    return (of_mean + of_spread - of_both) / n
