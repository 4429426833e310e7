"""AUC of ROC and of precision and recall: from histograms of scores, many at once, and exactly from the scores of one sample.

A histogram is an array (..., 2, B) of counts by bin, bins in the order of the score: first the rows without the class,
then those with it. Rows of one bin count as tied.

* **AUC-ROC** is the chance that a row of the class scores higher than one that isn't (a tie is half). Its variance is that of
  DeLong, DeLong & Clarke-Pearson (1988), by midranks as in Sun & Xu (2014): the placements of either kind of row among the
  other.
* **Average precision** is the sum over thresholds of the gain in recall times the precision there, as scikit-learn defines
  it. Its variance is by the delta method over bins: how the figure moves with one row more in each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.betas import student_quantiles
from seatrial.numerics.interval import Intervals, alone, at_most, tail
from seatrial.numerics.proportions import proportions

_FEW, _FEW_FOUND, _MISSING = (
    10.0,
    25.0,
    6.0,
)  # rows' worth of wrong pairs, and of precision: with fewer, what was not seen decides

Floats = NDArray[np.float64]


class Placed(NamedTuple):
    """An AUC of each histogram, shape (...): value, the parts of its variance due to rows with and without the class, how many
    of these there are, by how much rows of one bin could move it if they were told apart, and by how much it is expected to
    be too high with so few rows."""

    value: Floats
    of_positives: Floats
    of_negatives: Floats
    positives: Floats
    negatives: Floats
    slack: Floats
    optimism: Floats


def roc(histogram: ArrayLike) -> Placed:
    """AUC-ROC with the parts of DeLong's variance; NaN where there are no rows of one kind."""
    counts = np.asarray(histogram)
    negative, positive = counts[..., 0, :].astype(np.float64), counts[..., 1, :].astype(np.float64)
    many, few = positive.sum(axis=-1), negative.sum(axis=-1)
    there = (many > 0) & (few > 0)
    plus, minus = np.where(many > 0, many, 1.0), np.where(few > 0, few, 1.0)
    below = (np.cumsum(negative, axis=-1) - negative / 2.0) / minus[..., None]
    value = (positive * below).sum(axis=-1) / plus
    spread = (positive * (below - value[..., None]) ** 2).sum(axis=-1)
    above = 1.0 - (np.cumsum(positive, axis=-1) - positive / 2.0) / plus[..., None]
    other = (negative * (above - value[..., None]) ** 2).sum(axis=-1)
    slack = (positive * negative).sum(axis=-1) / (2.0 * plus * minus)
    parts = (
        spread / plus / np.maximum(plus - 1.0, 1.0),
        other / minus / np.maximum(minus - 1.0, 1.0),
    )
    return Placed(np.where(there, value, np.nan), *parts, many, few, slack, np.zeros(slack.shape))


def average_precision(histogram: ArrayLike) -> Placed:
    """Average precision with the parts of its variance; NaN where there are no rows of the class.

    With T rows of the class and F others at or above bin j, a row of the class more in bin i adds
    (precision_i - value + sum over j <= i of positives_j F_j / (T_j + F_j)^2) / P, another row
    -(sum over j <= i of positives_j T_j / (T_j + F_j)^2) / P.

    Rows of one bin are ties where a neighbouring bin is empty (scores of few different values); else they are taken as spread
    evenly over the bin, for among a million rows of all scores the ties would cost as much as half a standard error.
    """
    counts = np.asarray(histogram)
    negative, positive = counts[..., 0, :].astype(np.float64), counts[..., 1, :].astype(np.float64)
    hits, false = (np.cumsum(x[..., ::-1], axis=-1)[..., ::-1] for x in (positive, negative))
    many, few = hits[..., 0], false[..., 0]
    plus = np.where(many > 0, many, 1.0)
    size = np.maximum(hits + false, 1e-300)
    precision = hits / size
    inside = _between_others(positive + negative)
    halves = (hits - positive / 2.0 + 0.5) / np.maximum(hits + false - (positive + negative) / 2.0 + 0.5, 1.0)
    precision = np.where(inside & (positive > 0), np.minimum(halves, 1.0), precision)
    value = (positive * precision).sum(axis=-1) / plus
    falling = positive / size
    gain = precision - value[..., None] + np.cumsum(falling * (1.0 - precision), axis=-1)
    loss = np.cumsum(falling * precision, axis=-1)
    parts = ((positive * gain**2).sum(axis=-1) / plus**2, (negative * loss**2).sum(axis=-1) / plus**2)
    first = hits / np.maximum(hits + false - negative, 1e-300)  # the bin's rows of the class before its others
    last = (hits - positive) / size  # and after them
    slack = (positive * (np.minimum(first, 1.0) - last)).sum(axis=-1) / plus
    optimism = (falling * (1.0 - precision) * (1.0 + precision)).sum(axis=-1) / plus
    return Placed(np.where(many > 0, value, np.nan), *parts, many, few, slack, optimism)


def auc_roc(histogram: ArrayLike, level: float | None = 0.95) -> Intervals:
    """AUC-ROC of each histogram with bounds, shape (...).

    DeLong's interval on the logit scale by Student's t covers .93 to .97 where enough pairs are in the wrong order. Where
    fewer than ten rows' worth are, `(1 - AUC) min(P, N) < 10`, it covers down to .65: rare rows with low scores weren't seen.
    There each bound is the wider of it and Newcombe's (2006) score interval under an exponential model, which alone fails for
    classes of unequal spread; together they cover .93 to .99.
    """
    found = roc(histogram)
    if level is None:
        return alone(found.value)
    low, high = _logit_bounds(found, level)
    with np.errstate(invalid="ignore"):
        few = (1.0 - found.value) * np.minimum(found.positives, found.negatives) < _FEW
    if few.any():
        under, over = _newcombe(found.value[few], found.positives[few], found.negatives[few], level)
        low[few], high[few] = np.fmin(low[few], under), np.fmax(high[few], over)
    method = np.where(
        few,
        "conservative, the wider of DeLong on the logit scale and Newcombe's score interval",
        "DeLong on the logit scale",
    )
    return Intervals(found.value, low, high, level, _binned(method, found.slack, np.shape(histogram)[-1]))


def auc_pr(histogram: ArrayLike, level: float | None = 0.95) -> Intervals:
    """Average precision of each histogram with bounds, shape (...).

    The delta method's interval on the logit scale by Student's t covers .93 to .97 with many rows, but down to .90 where the
    figure, or what it lacks, is worth fewer than 25 rows of the class, `min(AP, 1 - AP) P < 25`. There each bound is the wider
    of it and that of a share of the class's rows (Boyd, Eng & Page 2013), which covers .93 to 1. With few rows the figure is too
    high on average, since each row counts itself as found: the low bound allows for that, the value stays as it is defined.
    The variance is raised by 6 / min(P, N), 0.3 at most: by so much simulated values spread more than the delta method says.
    """
    found = average_precision(histogram)
    if level is None:
        return alone(found.value)
    short = 1.0 + np.minimum(_MISSING / np.maximum(np.minimum(found.positives, found.negatives), 1.0), 0.3)
    low, high = _logit_bounds(
        found._replace(of_positives=found.of_positives * short, of_negatives=found.of_negatives * short), level
    )
    near = np.minimum(found.value, 1.0 - found.value) * found.positives
    few = (found.positives > 0) & ((near < _FEW_FOUND) | np.isnan(low))
    if few.any():
        share = proportions(
            np.where(np.isnan(found.value), 0.0, found.value)[few] * found.positives[few], found.positives[few], level
        )
        low[few], high[few] = np.fmin(low[few], share.low), np.fmax(high[few], share.high)
    low = np.maximum(0.0, low - found.optimism)
    method = np.where(
        few,
        "conservative, the wider of the delta method on the logit scale and a share of the class's rows",
        "delta method on the logit scale",
    )
    return Intervals(found.value, low, high, level, _binned(method, found.slack, np.shape(histogram)[-1]))


def _binned(method: NDArray[np.str_], slack: Floats, bins: int) -> NDArray[np.object_]:
    """Methods with what is lost by counting scores in bins."""
    texts = [
        f"{one}; scores in {bins:,} bins, which move it by at most {at_most(most)}"
        for one, most in zip(method.ravel().tolist(), slack.ravel().tolist(), strict=True)
    ]
    return np.array(texts, object).reshape(method.shape)


def _logit_bounds(found: Placed, level: float) -> tuple[Floats, Floats]:
    """Value and error taken to the logit scale, Student's t by Satterthwaite's degrees of freedom; NaN at 0 and 1 or with one row."""
    variance = found.of_positives + found.of_negatives
    inside = (found.value > 0.0) & (found.value < 1.0) & (variance > 0.0)
    value = np.where(inside, found.value, 0.5)
    first, second = np.maximum(found.positives - 1.0, 1.0), np.maximum(found.negatives - 1.0, 1.0)
    apart = np.where(inside, found.of_positives**2 / first + found.of_negatives**2 / second, 1.0)
    freedom = np.maximum(np.where(inside, variance, 1.0) ** 2 / apart, 1.0)
    reach = (
        -student_quantiles(tail(level), np.where(inside, freedom, 1.0)) * np.sqrt(variance) / (value * (1.0 - value))
    )
    odds = value / (1.0 - value)
    low, high = 1.0 / (1.0 + np.exp(np.minimum(reach, 700.0)) / odds), 1.0 / (1.0 + np.exp(-reach) / odds)
    return np.array(np.where(inside, low, np.nan)), np.array(np.where(inside, high, np.nan))


def _newcombe(value: Floats, positives: Floats, negatives: Floats, level: float) -> tuple[Floats, Floats]:
    """Newcombe (2006), Statistics in Medicine 25, 559-573, method 5: the AUCs that the score test doesn't reject, by bisection.

    With Student's t by the rarer kind of row, 20 degrees of freedom at least, instead of the normal.
    """
    pairs, mean = positives * negatives, (positives + negatives) / 2.0 - 1.0
    t = -student_quantiles(tail(level), np.maximum(np.minimum(positives, negatives) - 1.0, 20.0))

    def rejected(auc: Floats) -> NDArray[np.bool_]:
        spread = auc * (1.0 - auc) * (1.0 + mean * (1.0 - auc) / (2.0 - auc) + mean * auc / (1.0 + auc))
        return np.asarray(np.abs(auc - value) > t * np.sqrt(np.maximum(spread, 0.0) / pairs))

    bounds = []
    for limit in (0.0, 1.0):
        inside, outside = value.copy(), np.full(value.shape, limit)
        for _ in range(60):
            middle = (inside + outside) / 2.0
            out = rejected(middle)
            inside, outside = np.where(out, inside, middle), np.where(out, middle, outside)
        bounds.append(inside)
    return bounds[0], bounds[1]


def _between_others(rows: Floats) -> NDArray[np.bool_]:
    """Bins whose neighbours on both sides have rows, too."""
    there = rows > 0
    inside = np.zeros(there.shape, bool)
    inside[..., 1:-1] = there[..., :-2] & there[..., 2:]
    return inside


class Exact(NamedTuple):
    """AUCs of several models on the same rows, shape (models,), and their covariance, (models, models)."""

    auc: Floats
    covariance: Floats


def delong(scores: ArrayLike, has: ArrayLike) -> Exact:
    """Exact AUCs of models' scores (models, rows) for rows that have the class or don't (rows,), with DeLong's covariance.

    By midranks, in time of a sort (Sun & Xu 2014, IEEE Signal Processing Letters 21, 1389-1393). The variance of a difference
    of two models is c00 + c11 - 2 c01. `ValueError` without rows of both kinds.
    """
    values, member = np.atleast_2d(np.asarray(scores, np.float64)), np.asarray(has, bool)
    many, few = int(member.sum()), int((~member).sum())
    if not many or not few:
        raise ValueError("an AUC needs rows of the class and rows that aren't of it")
    everyone = np.stack([_midranks(one) for one in values])
    among = np.stack([_midranks(one[member]) for one in values]), np.stack([_midranks(one[~member]) for one in values])
    above = (everyone[:, member] - among[0]) / few
    below = 1.0 - (everyone[:, ~member] - among[1]) / many
    covariance = sum(
        np.cov(one, ddof=1).reshape(len(values), -1) / one.shape[1] for one in (above, below) if one.shape[1] > 1
    )
    return Exact(above.mean(axis=1), np.asarray(covariance * np.ones((len(values), len(values)))))


def _midranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.append(starts[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts + 1 + ends) / 2.0, ends - starts)
    return ranks
