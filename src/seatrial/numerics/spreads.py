"""Few rounds of many candidates: how much each one's figures vary, with what all the others' say about it.

Three rounds say next to nothing of one candidate's noise, but fifty candidates in the same three rounds have met a hundred of the machine's
moods. What all of a round share is taken away first (rows and columns, least squares); what is left of each is a variance of its own,
which is drawn towards that of all (Smyth 2004, "Linear models and empirical Bayes methods", Stat. Appl. Genet. Mol. Biol. 3(1):3): the less
they differ among each other, the more. Where they differ a lot, or where a few rounds were hit, little is drawn and bounds stay wide.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.interval import Interval, tail

Floats = NDArray[np.float64]
_SWEEPS = 30
"""Of fitting rows and columns in turn, which converges in a few where little is missing."""
_CLOSE = 1e-9
_LEAST = 1e-5
"""Share of the median below which no variance counts: times that happen to be equal aren't without noise."""


class Spreads(NamedTuple):
    """Of each candidate, shape (candidates,): the variance of a round's logarithm beside the others', and its degrees of freedom."""

    variances: Floats
    freedom: Floats


def spreads(logs: ArrayLike) -> Spreads | None:
    """From logarithms of figures above zero, shape (candidates, rounds), NaN where a round gave none.

    None where fewer than three candidates have two rounds or more: then there is nobody to learn from.
    """
    table = np.asarray(logs, np.float64)
    if table.ndim != 2 or np.isinf(table).any():
        raise ValueError(f"finite logarithms of shape (candidates, rounds) are needed, not of shape {table.shape}")
    counts = np.isfinite(table).sum(axis=1)
    known = counts >= 2
    if known.sum() < 3:
        return None
    raw, own = _alone(table[known])
    prior, before = _prior(raw, own)
    variances, freedom = np.full(len(table), before), np.full(len(table), prior)
    if math.isfinite(prior):
        variances[known] = (prior * before + own * raw) / (prior + own)
    freedom[known] += own
    return Spreads(variances, np.minimum(freedom, own.sum()))


def ratio_beside(
    one: ArrayLike, other: ArrayLike, spread: tuple[float, float], freedom: float, level: float
) -> Interval:
    """The geometric mean of one / other over common rounds, shape (rounds,), with variances that `spreads` told of both."""
    above, below = (np.asarray(side, np.float64) for side in (one, other))
    if above.ndim != 1 or above.shape != below.shape or above.size == 0 or min(above.min(), below.min()) <= 0.0:
        raise ValueError(f"one number above zero a round is needed of each, not shapes {above.shape} and {below.shape}")
    centre = float(np.mean(np.log(above) - np.log(below)))
    half = -_quantile(tail(level), freedom) * math.sqrt(sum(spread) / above.size)
    method = f"t interval on logarithms of {above.size} paired ratios, variances drawn towards those of all candidates"
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half), level, method)


@lru_cache(maxsize=1024)
def _quantile(outside: float, freedom: float) -> float:
    """A race asks for the same one a thousand times."""
    return student_quantile(outside, freedom)


def _alone(table: Floats) -> tuple[Floats, Floats]:
    """Each row's variance beside the columns' means, unbiased where all rows have the same; and its degrees of freedom."""
    seen = np.isfinite(table)
    columns = np.zeros(table.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # a round that nobody has: its mean is of nothing, and is not used
        for _ in range(_SWEEPS):
            rows = np.nanmean(table - columns, axis=1)
            last, columns = columns, np.nan_to_num(np.nanmean(table - rows[:, None], axis=0))
            if np.abs(columns - last).max() <= _CLOSE:
                break
    rest = np.where(seen, table - rows[:, None] - columns, 0.0)
    own = seen.sum(axis=1) - 1.0
    others = 1.0 - 1.0 / np.maximum(2, seen.sum(axis=0))  # the mean of a round holds a part of each figure in it
    share = (seen * others).sum(axis=1) / seen.sum(axis=1)
    return (rest**2).sum(axis=1) / (own * share), own


def _prior(raw: Floats, own: Floats) -> tuple[float, float]:
    """Degrees of freedom and value of the variance that all are drawn towards (Smyth 2004, section 6.2).

    How much true variances differ isn't known well from few candidates: a standard error more is allowed for, so that the degrees
    of freedom are never without end and bounds hold in their tails, too.
    """
    enough = own >= own.max() / 2  # the logarithm of a variance from two rounds may be anywhere
    raw, own = raw[enough], own[enough]
    middle = float(np.median(raw))
    if middle <= 0.0:
        return math.inf, float(np.mean(raw))
    logs = np.log(np.maximum(raw, _LEAST * middle))
    expected = logs - np.array([digamma(one / 2) - math.log(one / 2) for one in own])
    whole = float(np.var(expected, ddof=1))
    excess = whole - float(np.mean([trigamma(one / 2) for one in own]))
    doubt = max(excess, 0.0) + whole * math.sqrt(2.0 / max(1, len(raw) - 1))
    freedom = 2.0 * trigamma_inverse(doubt)
    if excess <= 0.0:
        return freedom, float((own * raw).sum() / own.sum())
    half = trigamma_inverse(excess)
    return freedom, math.exp(float(np.mean(expected)) + digamma(half) - math.log(half))


def digamma(x: float) -> float:
    """The derivative of log Gamma for x > 0 (Abramowitz & Stegun 6.3.5, 6.3.18)."""
    below = 0.0
    while x < 8.0:
        below, x = below + 1.0 / x, x + 1.0
    square = 1.0 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))
    return math.log(x) - 0.5 / x - series - below


def trigamma(x: float) -> float:
    """The second derivative of log Gamma for x > 0 (Abramowitz & Stegun 6.4.6, 6.4.12)."""
    below = 0.0
    while x < 8.0:
        below, x = below + 1.0 / (x * x), x + 1.0
    square = 1.0 / (x * x)
    series = 1.0 + square * (1 / 6 - square * (1 / 30 - square * (1 / 42 - square * (1 / 30 - square * 5 / 66))))
    return 0.5 * square + series / x + below


def trigamma_inverse(value: float) -> float:
    """x with trigamma(x) = value > 0, halved in on a logarithmic scale: trigamma falls."""
    low, high = 1e-8, 1e8
    if value >= trigamma(low):
        return low
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if trigamma(middle) > value else (low, middle)
    return math.sqrt(low * high)
