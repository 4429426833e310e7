"""Percentiles of latency: one definition, upper bounds that keep their promise, and the number of queries they take.

Bounds by order statistics need no distribution but do need independence. Rounds that differ and queries that depend
on each other break it: five rounds of 400 with a spread of 2 % between them and the "99 %" bound covers 63 %. So
there is a test for dependence, and `percentile_over_rounds` for what is measured in practice.
Sources: David & Nagaraja, Order Statistics (2003), 7.1; MLPerf LoadGen's early stopping for its convention.
`p` is a fraction everywhere: 0.99, not 99.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import binomial_cdf, student_quantile
from seatrial.numerics.interval import Interval

_BLOCKS = 10  # into which one round is cut where its queries depend on each other
_SUSPICION = 0.01  # p-value below which queries count as dependent


class Dependence(NamedTuple):
    """Lag-1 autocorrelation of "slower than the percentile", and the p-value of no positive dependence."""

    value: float
    p_value: float


def percentile(samples: ArrayLike, p: float) -> float:
    """The sample at place int(n p) of the sorted samples, counted from 0: LoadGen's definition, nothing interpolated.

    Other tools take one place less or interpolate: compare percentiles only under one definition.
    """
    values = _samples(samples, p)
    place = min(int(values.size * p), values.size - 1)
    return float(np.partition(values, place)[place])


@lru_cache(maxsize=256)
def discards(n: int, p: float, confidence: float = 0.99) -> int | None:
    """How many of n independent samples may lie above an upper bound of the p-percentile; None where n is too small.

    The largest t with P[Binomial(n, 1 - p) <= t] <= 1 - confidence, so that the (t + 1)-th largest sample is a bound.
    """
    _fractions(p, confidence)
    least, most = -1, max(0, n)  # P[<= least] is small enough, P[<= most] = 1 is not
    while most - least > 1:
        middle = (least + most) // 2
        if binomial_cdf(middle, n, 1.0 - p) <= 1.0 - confidence:
            least = middle
        else:
            most = middle
    return None if least < 0 else least


def least_n(p: float, confidence: float = 0.99) -> int:
    """The fewest independent samples that have an upper bound of the p-percentile: their largest."""
    _fractions(p, confidence)
    n = max(1, math.floor(math.log1p(-confidence) / math.log(p)))  # all n stay below with probability p^n
    while discards(n, p, confidence) is None:
        n += 1
    return n


def loadgen_discards(n: int, p: float, confidence: float = 0.99) -> int | None:
    """LoadGen's count, one below `discards`: it takes the t-th largest sample where the (t + 1)-th would do."""
    t = discards(n, p, confidence)
    return t - 1 if t else None


def percentile_bound(samples: ArrayLike, p: float, confidence: float = 0.99) -> float | None:
    """An upper bound of the true p-percentile from independent samples of one distribution; None where too few."""
    values = _samples(samples, p)
    t = discards(values.size, p, confidence)
    return None if t is None else float(np.partition(values, values.size - 1 - t)[values.size - 1 - t])


def lag1(samples: ArrayLike, p: float = 0.9) -> Dependence:
    """Do slow queries follow slow queries? Autocorrelation of the exceedance of the p-percentile, samples in order.

    The test is exact whatever the distribution (Wald & Wolfowitz 1940): given how many exceed, the number of runs of
    exceedances is hypergeometric; dependence makes runs few. Mid-p, one-sided. No exceedance: value 0, p-value 1.
    """
    values = _samples(samples, p)
    return _dependence(values > percentile(values, p))


def percentile_over_rounds(rounds: Sequence[ArrayLike], p: float, confidence: float = 0.99) -> Interval:
    """The p-percentile of all queries in all such rounds, with a one-sided upper bound, from several rounds.

    Rounds are arrays of positive latencies in order of time, not necessarily equally long. The bound, on a log scale,
    is the order-statistic bound of the pooled queries plus t(confidence, R - 1) standard errors between the rounds;
    the standard error is the larger of that of the rounds' own percentiles and of the jackknife over rounds of the
    pooled percentile. It needs no independence within a round, only between rounds.

    Simulated coverage at confidence 0.99, 2 to 40 rounds: at least 0.99, mostly above 0.995, for independent queries,
    2 % spread between rounds, autocorrelation 0.5 and 0.9 within them, lognormal tails and 2 % slow queries. It falls
    below where rounds spread nearly as much as queries do: 0.985 with 2 % between rounds and 5 % within, 0.94 to 0.98
    with 2 % and 2 % (the bound is then short by a per cent or two): take more rounds there.

    One round: the order-statistic bound, or the above over ten blocks of it where its queries depend on each other;
    it then speaks of that round alone. Too few queries: no bound, and `method` says how many would do.
    `level` is 2 confidence - 1. ValueError for no rounds, an empty round, or a latency not above zero.
    """
    if not len(rounds):
        raise ValueError("at least one round is needed")
    _fractions(p, confidence)
    logs = [_logarithms(one, p) for one in rounds]
    pooled = np.concatenate(logs)
    value, level = math.exp(percentile(pooled, p)), 2.0 * confidence - 1.0
    inflation = max(_inflation(logs, p), _inflation(logs, min(p, 0.9)))  # few exceed a high percentile: look lower too
    needed = math.ceil(least_n(p, confidence) * inflation)
    bound = percentile_bound(pooled, p, confidence)
    if bound is None or pooled.size < needed:
        method = f"no upper bound from {pooled.size} queries: about {needed} are needed"
        return Interval(value, None, None, level, method)
    if len(logs) > 1:
        method = f"order-statistic bound plus t over {len(logs)} rounds on logarithms"
    elif inflation > 1.0:
        logs = np.array_split(pooled, _BLOCKS)
        method = f"order-statistic bound plus t over {_BLOCKS} blocks of one dependent round, of that round alone"
    else:
        return Interval(value, None, math.exp(bound), level, "order-statistic bound of one round, of that round alone")
    high = bound + student_quantile(confidence, len(logs) - 1) * _standard_error(logs, p)
    return Interval(value, None, math.exp(high), level, method)


def _standard_error(groups: Sequence[NDArray[np.float64]], p: float) -> float:
    """Of the pooled percentile, from groups independent of each other: between them, or by the delete-one jackknife."""
    count = len(groups)
    own = np.array([percentile(group, p) for group in groups])
    left = np.array([percentile(np.concatenate([*groups[:i], *groups[i + 1 :]]), p) for i in range(count)])
    return float(max(own.std(ddof=1) / math.sqrt(count), left.std() * math.sqrt(count - 1)))


def _inflation(logs: Sequence[NDArray[np.float64]], p: float) -> float:
    """By how much fewer the queries count than independent ones: 1, or (1 + r) / (1 - r) where they depend."""
    exceeds = _dependence(np.concatenate([one > percentile(one, p) for one in logs]))
    return (1.0 + exceeds.value) / (1.0 - exceeds.value) if exceeds.p_value < _SUSPICION else 1.0


def _dependence(exceeds: NDArray[np.bool_]) -> Dependence:
    n, above = exceeds.size, int(exceeds.sum())
    if above == 0 or above == n:
        return Dependence(0.0, 1.0)
    centred = exceeds - above / n
    value = float(np.dot(centred[1:], centred[:-1]) / np.dot(centred, centred))
    runs = int(exceeds[0]) + int(np.sum(exceeds[1:] & ~exceeds[:-1]))
    return Dependence(value, _few_runs(runs, above, n))


def _few_runs(runs: int, above: int, n: int) -> float:
    """P[fewer runs] + P[as many] / 2 with C(above - 1, r - 1) C(n - above + 1, r) / C(n, above) for r runs.

    Terms more than ten standard deviations (at most sqrt(n) / 2) from the mean are left out.
    """
    mean, far = above * (n - above + 1) / n, 5.0 * math.sqrt(n) + 10.0
    if runs > mean + far:
        return 1.0
    first = max(1, math.floor(min(runs, mean) - far))
    terms = [_log_choose(above - 1, r - 1) + _log_choose(n - above + 1, r) for r in range(first, runs + 1)]
    shares = np.exp(np.array(terms) - _log_choose(n, above))
    return float(min(1.0, shares[:-1].sum() + shares[-1] / 2.0))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) if 0 <= k <= n else -math.inf


def _fractions(*values: float) -> None:
    if not all(0.0 < value < 1.0 for value in values):
        raise ValueError(f"percentiles and confidences are fractions strictly between 0 and 1, not {values!r}")


def _samples(samples: ArrayLike, p: float) -> NDArray[np.float64]:
    _fractions(p)
    values = np.asarray(samples, np.float64)
    if values.ndim != 1 or values.size == 0 or np.isnan(values).any():
        raise ValueError(f"one non-empty row of numbers is needed, without NaN, not shape {values.shape}")
    return values


def _logarithms(samples: ArrayLike, p: float) -> NDArray[np.float64]:
    values = _samples(samples, p)
    if values.min() <= 0.0:
        raise ValueError("latencies must be above zero")
    return np.log(values)


def median_interval(samples: ArrayLike, level: float = 0.95) -> Interval:
    """The median with bounds by order statistics: the k-th smallest and k-th largest, k the largest with P[Bin(n, 1/2) < k] <= (1 - level) / 2.

    Samples may be infinite (beyond all that was tried): a bound among those isn't there. David & Nagaraja (2003), 7.1.
    """
    values = np.sort(np.asarray(samples, np.float64))
    n, k = values.size, 0
    while binomial_cdf(k, n, 0.5) <= (1 - level) / 2:
        k += 1
    ends = (None, None) if k == 0 else (float(values[k - 1]), float(values[n - k]))
    low, high = (end if end is not None and math.isfinite(end) else None for end in ends)
    return Interval(float(np.median(values)), low, high, level, "median, bounds by order statistics")
