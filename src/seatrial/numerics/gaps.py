"""Gaps between groups: the largest difference and the smallest ratio of shares, or the largest difference of means.

The largest observed gap is biased upward, the more so the smaller the groups: it comes with an interval that holds for all
pairs of groups at once (Bonferroni), so that picking the largest costs nothing. Groups that are too small are named as
undecided and take no part. The bounds follow from those of the pairs: the true gap is at least every pair's lower bound, and
it is some pair's true difference, so at most the largest upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.interval import Interval
from seatrial.numerics.proportions import proportion

LEAST = 30
"""Rows below which a group is undecided: none of 30 only bounds a share below 12 %."""


class Gap(NamedTuple):
    """The value with its bounds, which groups lie farthest apart (`highest`, `lowest`), and which are undecided, by index.

    Without two decided groups there is no value (NaN), and the groups are -1.
    """

    value: float
    low: float
    high: float
    highest: int
    lowest: int
    undecided: tuple[int, ...]
    method: str


Bounds = tuple[float, float]
Pair = Callable[[int, int, float], Bounds]


def share_gap(successes: ArrayLike, n: ArrayLike, level: float = 0.95, least: int = LEAST) -> Gap:
    """The largest difference of shares between groups; `successes` and `n` have shape (groups,).

    Pairs: Newcombe (1998), Statistics in Medicine 17, 873-890, method 10, from Wilson's or the exact limits of each share.
    """
    hits, rows = _counts(successes, n)

    @cache
    def limits(group: int, at: float) -> Interval:
        return proportion(float(hits[group]), float(rows[group]), at)

    def pair(one: int, other: int, at: float) -> Bounds:
        first, second = limits(one, at), limits(other, at)
        apart = first.value - second.value
        down = math.hypot(first.value - (first.low or 0.0), (second.high or 0.0) - second.value)
        up = math.hypot((first.high or 0.0) - first.value, second.value - (second.low or 0.0))
        return apart - down, apart + up

    return _widest(hits / np.maximum(rows, 1), rows, pair, level, least, "Newcombe intervals of shares", most=1.0)


def share_ratio(successes: ArrayLike, n: ArrayLike, level: float = 0.95, least: int = LEAST) -> Gap:
    """The smallest ratio of two groups' shares, in [0, 1]; shapes (groups,). No value where every share is 0.

    Pairs: MOVER-R, Donner & Zou (2012), Statistical Methods in Medical Research 21, 347-359, from the same limits.
    """
    hits, rows = _counts(successes, n)
    known = [index for index in range(len(rows)) if rows[index] >= least]
    undecided = tuple(index for index in range(len(rows)) if rows[index] < least)
    shares = hits / np.maximum(rows, 1)
    if len(known) < 2 or not shares[known].any():
        return Gap(math.nan, math.nan, math.nan, -1, -1, undecided, _nothing(known, "there is no ratio of zeros"))
    highest, lowest = max(known, key=shares.__getitem__), min(known, key=shares.__getitem__)
    pairs = list(permutations(known, 2))
    at = 1 - (1 - level) / (len(pairs) / 2)
    limits = {group: proportion(float(hits[group]), float(rows[group]), at) for group in known}
    bounds = [_ratio(limits[a], limits[b]) for a, b in pairs]
    low, high = min(one[0] for one in bounds), min(1.0, *(one[1] for one in bounds))
    method = f"smallest of {len(pairs) // 2} ratios, MOVER intervals at once (Bonferroni, conservative)"
    return Gap(float(shares[lowest] / shares[highest]), low, high, highest, lowest, undecided, method)


def mean_gap(means: ArrayLike, variances: ArrayLike, n: ArrayLike, level: float = 0.95, least: int = LEAST) -> Gap:
    """The largest difference of means between groups; shapes (groups,), `variances` of single rows. Pairs: Welch's t."""
    middle, spread, rows = (np.asarray(one, np.float64) for one in (means, variances, n))

    def pair(one: int, other: int, at: float) -> Bounds:
        parts = [spread[group] / rows[group] for group in (one, other)]
        squared = sum(part**2 / (rows[group] - 1) for part, group in zip(parts, (one, other), strict=True))
        freedom = sum(parts) ** 2 / squared if squared else rows[one] + rows[other] - 2
        half = student_quantile((1 + at) / 2, float(freedom)) * math.sqrt(sum(parts))
        apart = float(middle[one] - middle[other])
        return apart - half, apart + half

    return _widest(middle, rows, pair, level, max(2, least), "Welch intervals of means")


def choices(figures: ArrayLike, n: ArrayLike, least: int, ratio: bool = False) -> NDArray[np.float64]:
    """Each ordered pair's signed difference (or ratio) of two groups' figures, of which the gap is the largest (the ratio the smallest).

    `figures` and `n` have shape (groups,); shape (pairs, 2): the second column is 1 where both groups have `least` rows.
    """
    values, rows = (np.asarray(one, np.float64) for one in (figures, n))
    one, other = _pairs(len(rows))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = values[one] / values[other] if ratio else values[one] - values[other]
    there = np.isfinite(found) & (np.minimum(rows[one], rows[other]) >= least)
    return np.stack([np.where(np.isfinite(found), found, 0.0), there], axis=1)


@cache
def _pairs(groups: int) -> NDArray[np.int64]:
    return np.array(list(permutations(range(groups), 2)), np.int64).reshape(-1, 2).T


def _widest(
    values: NDArray[np.float64],
    rows: NDArray[np.float64],
    pair: Pair,
    level: float,
    least: int,
    words: str,
    most: float = math.inf,
) -> Gap:
    known = [index for index in range(len(rows)) if rows[index] >= least]
    undecided = tuple(index for index in range(len(rows)) if rows[index] < least)
    if len(known) < 2:
        return Gap(math.nan, math.nan, math.nan, -1, -1, undecided, _nothing(known, ""))
    highest, lowest = max(known, key=values.__getitem__), min(known, key=values.__getitem__)
    pairs = list(permutations(known, 2))
    at = 1 - (1 - level) / (len(pairs) / 2)
    bounds = [pair(one, other, at) for one, other in pairs]
    low, high = max(0.0, *(one[0] for one in bounds)), min(most, max(one[1] for one in bounds))
    value = float(values[highest] - values[lowest])
    count = len(pairs) // 2
    method = f"largest of {count} differences, {words} at once (Bonferroni, conservative)" if count > 1 else words
    return Gap(value, low, max(high, value), highest, lowest, undecided, method)


def _nothing(known: Sequence[int], otherwise: str) -> str:
    return otherwise if len(known) > 1 else f"{len(known)} of the groups have enough rows; a gap needs two"


def _ratio(one: Interval, other: Interval) -> Bounds:
    """Bounds of one share over another; the upper one is infinite where the other may be 0."""
    p, q = one.value, other.value
    l1, u1, l2, u2 = one.low or 0.0, one.high or 0.0, other.low or 0.0, other.high or 0.0
    low_under, high_under = u2 * (2 * q - u2), l2 * (2 * q - l2)
    low = _root(p * q, l1 * (2 * p - l1), low_under, -1) if low_under else 0.0
    high = _root(p * q, u1 * (2 * p - u1), high_under, 1) if high_under > 0 else math.inf
    return max(0.0, low), high


def _root(product: float, over: float, under: float, sign: int) -> float:
    return (product + sign * math.sqrt(max(0.0, product**2 - over * under))) / under


def _counts(successes: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hits, rows = np.asarray(successes, np.float64), np.asarray(n, np.float64)
    if hits.shape != rows.shape or hits.ndim != 1 or (hits < 0).any() or (hits > rows).any():
        raise ValueError("successes and rows of each group are needed, successes between 0 and rows")
    return hits, rows
