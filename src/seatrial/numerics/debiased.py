"""Sums of squared distances over bins without the bias that chance brings, with intervals, for many cells at once.

In a bin of n rows a share is seen that lies d + e from what it is held against: d is what is looked for, e is chance. The sum of
w (d + e)^2 is too high by the sum of w var(e), which is taken off: Kumar, Liang & Ma (2019), NeurIPS 32; Ferro & Fricker (2012),
QJRMS 138, 1954-1960. What is left may be below 0.

Bounds: the plain sum is a weighted sum of noncentral chi-squares, taken as a shifted gamma with the same three cumulants; bounds are
the true sums at which it would lie just that high or low, with d^2 spread over the bins as observed and as chance could hide it. A bin
of much chance that happens to be right isn't without error: the upper bound is the higher of that and of one with d^2 where chance is
greatest (var(e)^2). The lower bound is above 0 only where the test of d = 0 rejects. How many rows fall where is drawn, too: that
adds (sum of w d^4 - (sum of w d^2)^2) / n to the variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.numerics.distributions import normal_quantile
from seatrial.numerics.interval import tail

Floats = NDArray[np.float64]
MOST = 4.0
"""No sum of squared distances of shares is larger."""


class Observed(NamedTuple):
    """One cell's bins, shape (bins,): weights, which add to 1, observed distances, and the variance of their chance.

    `still` is that variance where nothing is to be found (d = 0), `noise` as it is; both are never 0. `drift` are the means of
    the plain sum that chance alone brings in both cases, without bias. `rows` are the cell's. `hidden` is how much of d^2 chance may
    hide in each bin: 0 where distances are large, so that they are taken as observed.
    """

    weight: Floats
    error: Floats
    still: Floats
    noise: Floats
    drift: tuple[float, float]
    rows: float
    hidden: Floats


def smooth(share: Floats, n: Floats) -> Floats:
    """Variance of the observed share of `n` rows, as if one more of each kind had been seen: never 0 (Agresti & Coull 1998)."""
    drawn = (share * n + 1) / (n + 2)
    return np.asarray(drawn * (1 - drawn) / n)


def bounds(cells: Sequence[Observed], level: float) -> tuple[Floats, Floats]:
    """Bounds of each cell's true sum of w d^2, shape (cells,)."""
    observed = np.array([float(one.weight @ one.error**2) for one in cells])
    nothing = _Sums.of([_cumulants(one, one.still, one.drift[0], one.still) for one in cells])
    something = _Sums.of([_cumulants(one, one.noise, one.drift[1], one.error**2 + one.hidden) for one in cells])
    hidden = _Sums.of([_cumulants(one, one.noise, one.drift[1], one.noise**2) for one in cells])
    limit = -normal_quantile(tail(level))
    rejected = nothing.reached(observed, np.zeros(len(cells))) >= limit
    low = np.where(rejected, _solved(something, observed, limit), 0.0)
    return low, np.maximum(_solved(something, observed, -limit), _solved(hidden, observed, -limit))


class _Sums(NamedTuple):
    """The sum of w (d + e)^2 of each cell: its cumulants are polynomials of the true sum, each of shape (cells, 3)."""

    mean: Floats
    variance: Floats
    third: Floats

    @classmethod
    def of(cls, cumulants: Sequence[Sequence[tuple[float, float, float]]]) -> _Sums:
        """The cells' together."""
        return cls(*(np.moveaxis(np.array(cumulants, np.float64).reshape(-1, 3, 3), 1, 0)))

    def reached(self, observed: Floats, true: Floats) -> Floats:
        """The normal quantile at which the observed sum lies, by Wilson and Hilferty's cube root on a gamma of the same cumulants."""
        mean, variance, third = (one[:, 0] + true * (one[:, 1] + true * one[:, 2]) for one in self)
        k, scale = 4 * variance**3 / third**2, third / (2 * variance)
        x = np.maximum(0.0, (observed - mean) / scale + k)
        return np.asarray((np.cbrt(x / k) - 1 + 1 / (9 * k)) * 3 * np.sqrt(k))


def _cumulants(one: Observed, noise: Floats, drift: float, likely: Floats) -> list[tuple[float, float, float]]:
    """Mean, variance and third cumulant where nothing is to be found, and what they gain by the true sum and by its square.

    The true distances squared are taken to be as `likely` (bins,), up to a factor.
    """
    total = float(one.weight @ likely)
    shape = likely / total if total > 0 else np.ones_like(one.weight)
    second, cube = one.weight**2 * noise, one.weight**3 * noise**2
    return [
        (drift, float(one.weight @ shape), 0.0),
        (2 * float(second @ noise), 4 * float(second @ shape), max(0.0, float(one.weight @ shape**2) - 1.0) / one.rows),
        (8 * float(cube @ noise), 24 * float(cube @ shape), 0.0),
    ]


def _solved(sums: _Sums, observed: Floats, limit: float) -> Floats:
    """The true sums at which the observed ones lie at the `limit` (a normal quantile), which falls as they rise; by bisection."""
    low, high = np.zeros(len(observed)), np.maximum(observed, 1e-12)
    while True:
        short = (sums.reached(observed, high) > limit) & (high < MOST)
        if not short.any():
            break
        high = np.where(short, 2 * high, high)
    for _ in range(40):
        middle = (low + high) / 2
        above = sums.reached(observed, middle) > limit
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high
