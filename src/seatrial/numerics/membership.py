"""Who was a member: how suspicious each row is, and how many members such suspicion picks out at a stated rate of false names.

Rows are outcomes of one model, the target; `shadows` are models of the same recipe, each trained on half of the same rows. Sources:

* `confidence`: the logit of the label's probability, nearly normal over models: Carlini et al. (2022), Membership Inference
  Attacks From First Principles, section V.B.
* `likelihood_ratio`: LiRA, ibid., algorithm 1 (online) and section V.C (offline), with one variance for all rows (section VI.C).
* `relative_ratio`: RMIA, Zarifzadeh, Liu and Shokri (2024), Low-Cost High-Power Membership Inference Attacks, equations 2 to 5.
* `picked_out`: the rate of members above the threshold that names so many outsiders. Two things are uncertain, where the threshold lies
  and how many members lie above it; each is bounded by Clopper and Pearson at half of what may be missed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import binomial_cdf, normal_quantile, student_quantile
from seatrial.numerics.interval import Interval, tail
from seatrial.numerics.proportions import clopper_pearson
from seatrial.numerics.ranking import delong

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_FEW = 10
LEAST_SPREAD = 1e-6
"""The least standard deviation of a shadow's confidence: rows on which all shadows agree would else be infinitely sure."""


# --- how suspicious a row is ----------------------------------------------------------------------------------------------


def log_probabilities(scores: ArrayLike) -> Floats:
    """Logarithms of softmax probabilities of scores (..., classes); logarithms of probabilities stay as they are."""
    given = np.asarray(scores, np.float64)
    given = given - given.max(axis=-1, keepdims=True)
    return np.asarray(given - np.log(np.exp(given).sum(axis=-1, keepdims=True)))


def of_label(values: ArrayLike, labels: ArrayLike) -> Floats:
    """Each row's value of its own label: (..., rows, classes) to (..., rows)."""
    given = np.asarray(values, np.float64)
    place = np.broadcast_to(np.asarray(labels, np.int64)[:, None], (*given.shape[:-1], 1))
    return np.asarray(np.take_along_axis(given, place, axis=-1)[..., 0])


def confidence(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """log(p / (1 - p)) of the label's probability p, without rounding it to 1 first: (..., rows, classes) to (..., rows)."""
    given = log_probabilities(scores)
    own = of_label(given, labels)
    others = np.array(given)
    np.put_along_axis(others, np.broadcast_to(np.asarray(labels, np.int64)[:, None], (*given.shape[:-1], 1)), -np.inf, axis=-1)  # fmt: skip
    top = others.max(axis=-1)
    return np.asarray(own - (top + np.log(np.exp(others - top[..., None]).sum(axis=-1))))


def likelihood_ratio(
    target: ArrayLike, shadows: ArrayLike, inside: ArrayLike, online: bool = True, pooled: bool = True
) -> Floats:
    """LiRA of confidences: target (rows,), shadows (models, rows), inside (models, rows) where a shadow learnt from the row.

    Online: log N(target; of shadows that learnt from it) - log N(target; of those that didn't). Offline: by how many standard deviations the
    target lies above those that didn't, which orders rows as log P(Z <= target) does and isn't rounded. `pooled`: one
    variance over all rows, the mean of the rows' own; else each row's own. `ValueError` where a row lacks shadows.
    """
    seen, given, member = np.asarray(target, np.float64), np.asarray(shadows, np.float64), np.asarray(inside, bool)
    out_mean, out_spread = _normal(given, ~member, pooled)
    if not online:
        return np.asarray((seen - out_mean) / out_spread)
    in_mean, in_spread = _normal(given, member, pooled)
    return np.asarray(_log_normal(seen, in_mean, in_spread) - _log_normal(seen, out_mean, out_spread))


def _normal(given: Floats, where: Flags, pooled: bool) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each row over the models marked."""
    count = where.sum(axis=0)
    if (count < (1 if pooled else 2)).any():
        raise ValueError("every row needs shadows that learnt from it and shadows that didn't")
    mean = np.where(where, given, 0.0).sum(axis=0) / count
    squares = np.where(where, (given - mean) ** 2, 0.0).sum(axis=0)
    whole = np.full(mean.shape, squares.sum() / max(1, int((count - 1).sum())))
    variance = whole if pooled else squares / (count - 1)
    return mean, np.maximum(np.sqrt(variance), LEAST_SPREAD)


def _log_normal(x: Floats, mean: Floats, spread: Floats) -> Floats:
    return np.asarray(-0.5 * ((x - mean) / spread) ** 2 - np.log(spread) - 0.5 * math.log(2 * math.pi))


def relative_ratio(
    target: ArrayLike,
    shadows: ArrayLike,
    inside: ArrayLike,
    online: bool = True,
    offset: float = 0.3,
    gamma: float = 2.0,
) -> Floats:
    """RMIA: of all rows z, the share that the target favours at least `gamma` times less than this row, against what shadows expect.

    From probabilities of the label: target (rows,), shadows (models, rows). A row is favoured by p(row) / E p(row), the mean taken over
    shadows that learnt from it and shadows that didn't alike; offline over the latter alone, raised to
    ((1 + offset) mean + 1 - offset) / 2, the paper's stand-in for the former.
    """
    seen, given, member = np.asarray(target, np.float64), np.asarray(shadows, np.float64), np.asarray(inside, bool)
    outside = np.where(member, 0.0, given).sum(axis=0) / np.maximum(1, (~member).sum(axis=0))
    if online:
        expected = (np.where(member, given, 0.0).sum(axis=0) / np.maximum(1, member.sum(axis=0)) + outside) / 2
    else:
        expected = ((1 + offset) * outside + 1 - offset) / 2
    favoured = seen / np.maximum(expected, 1e-300)
    return np.asarray(np.searchsorted(np.sort(favoured), favoured / gamma, side="right") / len(favoured))


# --- what it comes to -------------------------------------------------------------------------------------------------------


class Picked(NamedTuple):
    """Members picked out at a rate of false names: both rates with bounds, and the threshold that was taken.

    `needed` says how many outsiders it takes for this rate to be resolved at all, where they are too few; then `members` has no bounds.
    """

    members: Interval
    outsiders: Interval
    threshold: float
    needed: int | None


def picked_out(members: ArrayLike, outsiders: ArrayLike, rate: float, level: float = 0.95) -> Picked:
    """The share of members more suspicious than all but `rate` of the outsiders.

    The value is at the threshold that names `floor(rate * outsiders)` of them. The true rate of a threshold is unknown: the lower bound is
    Clopper and Pearson's of the members above one that surely names no more than `rate` of outsiders, the upper one's of those above one
    that surely names no less. Each of the four tails may be missed with (1 - level) / 4, so that together they hold at least at `level`.
    """
    inner, outer = np.asarray(members, np.float64), np.sort(np.asarray(outsiders, np.float64))[::-1]
    many, few = len(outer), len(inner)
    if not many or not few:
        raise ValueError("there must be members and outsiders")
    level_each = 1 - (1 - level) / 2
    missed = tail(level_each)
    allowed = math.floor(rate * many + 1e-9)
    threshold = _above(outer, allowed)
    named = int((outer > threshold).sum())
    share = float((inner > threshold).mean())
    wrongly = clopper_pearson(named, many, level)
    how = f"share of {few} members above the threshold that {allowed} of {many} outsiders exceed"
    sure = _surely_below(many, rate, missed)
    if sure is None:
        return Picked(Interval(share, None, None, level, how), wrongly, threshold, outsiders_needed(rate, level))
    low = _bound(inner, _above(outer, sure), level_each)[0]
    high = _bound(inner, _above(outer, _surely_above(many, rate, missed)), level_each)[1]
    method = (
        f"{how}; Clopper-Pearson over members, at thresholds that surely name fewer and more outsiders than {rate:g}"
    )
    return Picked(Interval(share, min(low, share), max(high, share), level, method), wrongly, threshold, None)


def outsiders_needed(rate: float, level: float = 0.95) -> int:
    """How many outsiders it takes before naming none of them shows that fewer than `rate` would be named."""
    return math.ceil(math.log(tail(1 - (1 - level) / 2)) / math.log1p(-rate))


def _above(falling: Floats, count: int) -> float:
    """The threshold that at most `count` of these exceed: the next one itself."""
    return float(falling[count]) if count < len(falling) else -math.inf


def _surely_below(n: int, rate: float, missed: float) -> int | None:
    """The most of n outsiders that exceed a threshold of a true rate of `rate` or more with at most this probability; None: not even none."""
    if binomial_cdf(0, n, rate) > missed:
        return None
    count = 0
    while binomial_cdf(count + 1, n, rate) <= missed:
        count += 1
    return count


def _surely_above(n: int, rate: float, missed: float) -> int:
    """How many of n outsiders exceed a threshold of a true rate of `rate` or less with at most this probability."""
    count = math.floor(rate * n)
    while count < n and 1 - binomial_cdf(count - 1, n, rate) > missed:
        count += 1
    return count


def _bound(inner: Floats, threshold: float, level: float) -> tuple[float, float]:
    found = clopper_pearson(int((inner > threshold).sum()), len(inner), level)
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def told_apart(members: ArrayLike, outsiders: ArrayLike, level: float = 0.95) -> Interval:
    """The chance that a member is more suspicious than an outsider (AUC; a tie is half), DeLong's interval by Student's t.

    Where fewer than ten rows' worth of pairs are in one order, DeLong's covers too little: there it is the wider of it and a share's
    exact interval of as many rows as there are of the rarer kind.
    """
    inner, outer = np.asarray(members, np.float64), np.asarray(outsiders, np.float64)
    has = np.repeat([True, False], [len(inner), len(outer)])
    found = delong(np.concatenate([inner, outer])[None], has)
    half = _half(float(found.covariance[0, 0]), min(len(inner), len(outer)), level)
    value, fewer = float(found.auc[0]), min(len(inner), len(outer))
    low, high = max(0.0, value - half), min(1.0, value + half)
    if min(value, 1 - value) * fewer < _FEW:
        exact = clopper_pearson(value * fewer, fewer, level)
        assert exact.low is not None
        assert exact.high is not None
        low, high = min(low, exact.low), max(high, exact.high)
    return Interval(value, low, high, level, "DeLong's interval of the AUC")


def told_apart_change(
    own: tuple[ArrayLike, ArrayLike], other: tuple[ArrayLike, ArrayLike], level: float = 0.95
) -> Interval:
    """The AUC of `own` (members, outsiders) less that of `other` on the same rows, by DeLong's covariance."""
    has = np.repeat([True, False], [len(np.asarray(own[0])), len(np.asarray(own[1]))])
    found = delong(np.stack([np.concatenate([np.asarray(one, np.float64) for one in side]) for side in (own, other)]), has)  # fmt: skip
    variance = float(found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1])
    half = _half(max(0.0, variance), int(min(has.sum(), (~has).sum())), level)
    value = float(found.auc[0] - found.auc[1])
    return Interval(value, max(-1.0, value - half), min(1.0, value + half), level, "DeLong's interval of the difference of two AUCs on the same rows")  # fmt: skip


def _half(variance: float, fewer: int, level: float) -> float:
    return -student_quantile(tail(level), max(1, fewer - 1)) * math.sqrt(variance)


def picked_out_change(
    own: tuple[ArrayLike, ArrayLike],
    other: tuple[ArrayLike, ArrayLike],
    rate: float,
    level: float = 0.95,
    seed: int = 0,
    draws: int = 400,
) -> Interval:
    """How much larger the share of members picked out at `rate` is than of another model on the same rows.

    Members and outsiders are drawn anew with replacement, the same for both models, and thresholds set anew each time; the interval is normal
    with the spread of these draws, for percentiles of a figure that jumps by whole rows cover too little.
    """
    rng = np.random.default_rng(seed)
    sides = [tuple(np.asarray(one, np.float64) for one in side) for side in (own, other)]
    few, many = len(sides[0][0]), len(sides[0][1])

    def change(inner: NDArray[np.int64], outer: NDArray[np.int64]) -> float:
        allowed = math.floor(rate * many + 1e-9)
        shares = [float((side[0][inner] > np.partition(side[1][outer], many - 1 - allowed)[many - 1 - allowed]).mean()) for side in sides]  # fmt: skip
        return shares[0] - shares[1]

    value = change(np.arange(few), np.arange(many))
    drawn = [change(rng.integers(0, few, few), rng.integers(0, many, many)) for _ in range(draws)]
    least = math.sqrt(1.0 / few) / few  # no spread in the draws doesn't mean that there is none
    half = -normal_quantile(tail(level)) * max(float(np.std(drawn)), least)
    method = f"difference of shares on the same rows; normal interval, spread of {draws} draws of members and outsiders, thresholds set anew"
    return Interval(value, max(-1.0, value - half), min(1.0, value + half), level, method)
