"""Is the mean loss of a slice above that of the other rows? One-sided tests and intervals that hold at small counts.

Rows must not have been used to choose the slice, and be independent unless they come with clusters. Three kinds of loss, told apart by their
values: 0/1 (Fisher's exact test), paired -1/0/1 (candidate's error minus reference's), and real numbers.
"""

import math

import numpy as np
from numpy.typing import NDArray

from seatrial.numerics.distributions import binomial_cdf, normal_cdf, student_cdf, student_quantile
from seatrial.numerics.interval import Interval, tail
from seatrial.numerics.losses import Moments, mean_interval
from seatrial.numerics.paired import tango
from seatrial.numerics.proportions import proportion

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_FEW = 200  # rows of a slice up to which real losses are tested by permutation too
_TIMES, _AT_ONCE = 10, 1_000  # permutations: ten thousand


def binary_above(errors: int, n: int, errors_outside: int, n_outside: int) -> float:
    """One-sided p of Fisher's exact test: this many errors or more in the slice, were it like the other rows.

    Conditional on all margins; never above its nominal size. Source: Fisher (1935), JRSS 98, 39-82.
    """
    return _hypergeometric_tail(errors, n, errors + errors_outside, n + n_outside)


def signed_above(inside: tuple[int, int, int], outside: tuple[int, int, int]) -> float:
    """One-sided p that a slice lost no more than the other rows, each given as (lost, gained, rows).

    The larger of two: a score test with the slice's variance at its constrained likelihood maximum (Tango 1998), and
    the exact binomial test of lost among flipped rows, which few flips need and which takes the mean elsewhere as zero
    where it is negative: a slice that the candidate improved less than others is not hurt.
    """
    (lost, gained, n), (lost_outside, gained_outside, n_outside) = inside, outside
    if min(n, n_outside) == 0 or lost == 0:
        return 1.0
    drop, rate = (lost_outside - gained_outside) / n_outside, (lost_outside + gained_outside) / n_outside
    spread = _constrained_variance(lost, gained, n, drop) / n + (rate - drop * drop) / n_outside
    distance = (lost - gained) / n - drop
    score = distance / math.sqrt(spread) if spread > 0.0 else math.copysign(math.inf, distance)
    flips = lost + gained
    share = min(1.0, (1.0 + max(0.0, drop) * n / flips) / 2.0)
    return max(normal_cdf(-score), 1.0 - binomial_cdf(lost - 1, flips, share))


def mean_above(inside: Floats, outside: Floats) -> float:
    """One-sided p that the mean inside is no higher than outside: real losses, each of shape (rows,).

    The larger of Welch's t corrected for skewness by Hall's transformation, and of the test with pooled variance (by
    permutation for slices of up to 200 rows): the second guards against slices whose rows happen not to spread.
    Sources: Welch (1947); Hall (1992), JRSS B 54, 221-228. Permutations are drawn with replacement, seeded.
    """
    if min(inside.size, outside.size) < 2:
        return 1.0
    one, other = Moments.of(inside), Moments.of(outside)
    both = one.merge(other)
    distance = one.mean - other.mean
    if distance <= 0.0:
        return 1.0
    pooled = math.sqrt(both.m2 / (both.n - 1) * (1.0 / one.n + 1.0 / other.n))
    p = max(_welch_hall(one, other), normal_cdf(-distance / pooled))
    if one.n > _FEW or p > 0.2:
        return p
    return max(p, _permuted(inside, np.concatenate([inside, outside])))


def _permuted(inside: Floats, everything: Floats) -> float:
    rng, threshold = np.random.default_rng(inside.size), inside.sum() - 1e-9 * np.abs(inside).sum()
    reached = 0
    for _ in range(_TIMES):
        drawn = everything[rng.integers(0, everything.size, (_AT_ONCE, inside.size))]
        reached += int(np.count_nonzero(drawn.sum(axis=1) >= threshold))
    return (1 + reached) / (1 + _TIMES * _AT_ONCE)


def binary_difference(errors: int, n: int, errors_outside: int, n_outside: int, level: float) -> Interval:
    """Error rate inside minus outside: Newcombe's interval from those of each (1998, Statistics in Medicine 17, 873)."""
    return _apart(proportion(errors, n, level), proportion(errors_outside, n_outside, level))


def signed_difference(inside: tuple[int, int, int], outside: tuple[int, int, int], level: float) -> Interval:
    """Mean paired loss inside minus outside, each given as (lost, gained, rows), from Tango's interval for each."""
    return _apart(tango(*inside, level=level), tango(*outside, level=level))


def mean_difference(inside: Floats, outside: Floats, level: float) -> Interval:
    """Mean inside minus outside of real losses, from Hall's interval for each; without spread inside, that of all rows."""
    one, other = Moments.of(inside), Moments.of(outside)
    if one.m2 <= 0.0:
        one = one._replace(m2=one.merge(other).m2 * one.n / (one.n + other.n))
    return _apart(mean_interval(one, level), mean_interval(other, level))


def clustered_above(
    inside: Floats, outside: Floats, clusters_inside: Places, clusters_outside: Places, level: float
) -> tuple[float, Interval]:
    """One-sided p and interval of mean inside minus outside where rows of a cluster depend on each other.

    Losses and numbers of clusters (from 0 up), each of shape (rows,). The difference is linear in sums over clusters,
    whose squares give its variance (Huber 1967; Liang & Zeger 1986, Biometrika 73, 13); t with as many degrees of freedom
    as clusters touch the slice, less one; the p value is corrected for skewness as in `mean_above`.
    """
    value, touched = float(inside.mean() - outside.mean()), np.unique(clusters_inside).size
    if touched < 2:
        return 1.0, Interval(value, None, None, level, "one cluster: its uncertainty is unknown")
    last = 1 + max(int(clusters_inside.max()), int(clusters_outside.max()))
    sums = np.bincount(clusters_inside, (inside - inside.mean()) / inside.size, last)
    sums -= np.bincount(clusters_outside, (outside - outside.mean()) / outside.size, last)
    squares = float(np.dot(sums, sums)) * touched / (touched - 1)
    error, freedom = math.sqrt(squares), touched - 1
    method = f"t interval with variance between clusters, {touched} clusters"
    half = -student_quantile(tail(level), freedom) * error
    p = float(value <= 0.0)
    if error > 0.0:
        a = float(np.dot(sums * sums, sums)) / error**3 / 3.0
        p = student_cdf(-_transformed(value / error, a), freedom)
    return p, Interval(value, value - half, value + half, level, method)


def _apart(one: Interval, other: Interval) -> Interval:
    """The difference of two independent estimates from an interval of each. Source: Zou & Donner (2008), SiM 27, 1693."""
    value = one.value - other.value
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Interval(value, None, None, one.level, "one row: its uncertainty is unknown")
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, low, high, one.level, f"difference recovered from both intervals: {one.method}")


def _constrained_variance(lost: int, gained: int, n: int, drop: float) -> float:
    """Variance of one paired loss with mean `drop`, the share of gained rows at its likelihood maximum (Tango 1998)."""
    b, c = (2.0 * n - lost + gained) * drop - lost - gained, -gained * drop * (1.0 - drop)
    root = math.sqrt(max(0.0, b * b - 8.0 * n * c))
    share = (root - b) / (4.0 * n) if b <= 0.0 else -2.0 * c / (root + b)
    return max(0.0, 2.0 * share + drop * (1.0 - drop))


def _welch_hall(one: Moments, other: Moments) -> float:
    spreads = [each.m2 / (each.n - 1) / each.n for each in (one, other)]
    error = math.sqrt(sum(spreads))
    if error == 0.0:
        return 0.0
    t = (one.mean - other.mean) / error
    freedom = sum(spreads) ** 2 / sum(s * s / (m.n - 1) for s, m in zip(spreads, (one, other), strict=True))
    a = (one.m3 / one.n**3 - other.m3 / other.n**3) / error**3 / 3.0
    return student_cdf(-_transformed(t, a), freedom)


def _transformed(t: float, a: float) -> float:
    """Hall's cubic transformation of t, a third of whose skewness (with the sign of the sample's) is a."""
    return t + a * t * t + a * a * t**3 / 3.0 + a / 2.0


def _hypergeometric_tail(k: int, n: int, marked: int, total: int) -> float:
    """P[X >= k] for X marked rows among n drawn of `total`, `marked` of which are."""
    if k <= max(0, n + marked - total):
        return 1.0
    if k * total < n * marked:
        return 1.0 - _hypergeometric_tail(n - k + 1, n, total - marked, total)
    log_first = _log_choose(marked, k) + _log_choose(total - marked, n - k) - _log_choose(total, n)
    x = np.arange(k, min(n, marked), dtype=np.float64)
    ratios = np.log((marked - x) * (n - x)) - np.log((x + 1.0) * (total - marked - n + x + 1.0))
    return min(1.0, math.exp(log_first) * (1.0 + float(np.exp(np.cumsum(ratios)).sum())))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
