"""Do probabilities mean what they say? From counts of rows in fine bins of the score, for all cells (slices) at once or one by one.

Every function takes `n` and `hits`, rows and positive rows of each bin, shape (bins,), and `score`, the mean score in each bin.
Scores were binned finely before (some thousand bins), so what binning costs here is below a thousandth of a probability; the
coarse bins of a reliability diagram are put together from them. Coarse binning understates a model's true error: within a bin
errors of both signs cancel.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import normal_cdf, normal_quantile
from seatrial.numerics.interval import Interval, tail

Floats = NDArray[np.float64]
BINS = 15


class Reliability(NamedTuple):
    """Coarse bins that hold rows: rows, positive rows and mean score of each, all of shape (coarse bins,)."""

    n: Floats
    hits: Floats
    score: Floats

    @property
    def error(self) -> Floats:
        """Observed share minus mean score."""
        return np.asarray(self.hits / self.n - self.score)


class Brier(NamedTuple):
    """Murphy's parts of the Brier score: reliability - resolution + uncertainty, the first two corrected for their bias."""

    reliability: float
    resolution: float
    uncertainty: float


class Line(NamedTuple):
    """Cox's recalibration line logit(P(positive)) = intercept + slope * logit(score), and calibration in the large.

    `slope` below 1 is overconfident. `offset` is the intercept with the slope held at 1: above 0, scores are too low.
    """

    slope: Interval
    intercept: Interval
    offset: Interval


def reliability(n: ArrayLike, hits: ArrayLike, score: ArrayLike, bins: int = BINS, mass: bool = True) -> Reliability:
    """Fine bins joined to `bins` coarse ones: of about equally many rows (`mass`), or of equal width in [0, 1].

    Where a single fine bin holds more than its share of rows it stays whole, and fewer coarse bins come out. The last bin of
    equal width is closed on the right. Empty for no rows.
    """
    return reliabilities(np.asarray(n)[None], np.asarray(hits)[None], score, bins, mass)[0]


def reliabilities(
    n: ArrayLike, hits: ArrayLike, score: ArrayLike, bins: int = BINS, mass: bool = True
) -> list[Reliability]:
    """`reliability` of many cells at once: `n` and `hits` of shape (cells, bins)."""
    rows, positive, middle = (np.asarray(one, np.float64) for one in (n, hits, score))
    cells = len(rows)
    if mass:
        before = np.cumsum(rows, axis=1) - rows / 2
        total = np.maximum(rows.sum(axis=1, keepdims=True), 1.0)
        codes = np.minimum((before / total * bins).astype(np.int64), bins - 1)
    else:
        codes = np.broadcast_to(np.minimum((middle * bins).astype(np.int64), bins - 1), rows.shape)
    held = np.flatnonzero(rows)
    at = (codes + np.arange(cells)[:, None] * bins).ravel()[held]
    scored = (rows * middle).ravel()[held]
    sums = [
        np.bincount(at, weights, cells * bins).reshape(cells, bins)
        for weights in (rows.ravel()[held], positive.ravel()[held], scored)
    ]
    return [
        Reliability(own[some], hit[some], scores[some] / own[some])
        for own, hit, scores in zip(*sums, strict=True)
        for some in [own > 0]
    ]


def ece(table: Reliability) -> tuple[float, float]:
    """Expected calibration error, and what a perfectly calibrated model would score on as many rows: it is biased upward.

    The second number takes each bin's error as normal: sum of w sqrt(2 v / (pi n)), v the variance of a row in the bin.
    NaN for no rows.
    """
    if not len(table.n):
        return math.nan, math.nan
    weight = table.n / table.n.sum()
    chance = np.sqrt(2 * _variance(table) / (math.pi * table.n))
    return float(weight @ np.abs(table.error)), float(weight @ chance)


def squared_error(table: Reliability, level: float | None = 0.95) -> Interval:
    """Squared calibration error without its bias: sum of w ((observed - score)^2 - v / n). It may come out below 0.

    Kumar, Liang & Ma (2019), NeurIPS 32, for the estimate. Bounds: the plain sum is a weighted sum of noncentral chi-squares,
    taken as a shifted gamma with the same three cumulants; bounds are the true errors at which it would lie just that high or
    low, spread over the bins as observed. The lower bound is above 0 only where the test of perfect calibration rejects.
    Bins with one row give no variance and are left out. Interval's `value` is NaN for no rows. Without a `level`: no bounds.
    """
    held = table.n > 1
    table = Reliability(table.n[held], table.hits[held], table.score[held])
    method = f"debiased squared calibration error, {len(table.n)} bins, three-cumulant bounds"
    if not len(table.n):
        return Interval(math.nan, None, None, level or 0.95, "no bin holds two rows")
    weight = table.n / table.n.sum()
    if level is None:
        bias = float(weight @ (_variance(table) / (table.n - 1)))
        return Interval(float(weight @ table.error**2) - bias, None, None, 0.95, "")
    noise, null = _smooth(table.hits / table.n, table.n), _smooth(table.score, table.n)
    observed = float(weight @ table.error**2)
    shape = table.error**2 / observed if observed > 0 else np.ones_like(weight)

    calibrated, wrong = _Sum.of(weight, shape, null), _Sum.of(weight, shape, noise)

    def exceeds(true: float) -> float:
        return (wrong if true else calibrated).above(observed, true)

    outside = tail(level)
    low = 0.0 if exceeds(0.0) > outside else _solve(exceeds, outside, observed)
    high = _solve(exceeds, 1 - outside, observed)
    value = observed - float(weight @ (_variance(table) / (table.n - 1)))
    return Interval(value, min(low, value), max(high, value), level, method)


def brier_parts(table: Reliability) -> Brier:
    """Murphy's decomposition over coarse bins with the biases of Ferro & Fricker (2012), QJRMS 138, 1954-1960, removed. NaN for no rows."""
    if not len(table.n):
        return Brier(math.nan, math.nan, math.nan)
    total = table.n.sum()
    weight, share = table.n / total, table.hits / table.n
    base = float(table.hits.sum() / total)
    bias = float(weight @ np.where(table.n > 1, share * (1 - share) / np.maximum(table.n - 1, 1), 0.0))
    whole = base * (1 - base) / max(total - 1, 1)
    return Brier(
        float(weight @ table.error**2) - bias,
        float(weight @ (share - base) ** 2) - bias + whole,
        base * (1 - base) + whole,
    )


def line(n: ArrayLike, hits: ArrayLike, score: ArrayLike, level: float = 0.95) -> Line | None:
    """Cox's recalibration line by maximum likelihood on the fine bins, with Wald intervals. None where there is none.

    Cox (1958), Biometrika 45, 562-565. There is none without rows of both kinds, with a single score, or where scores part
    the rows perfectly. Scores are kept within 1e-7 of 0 and 1.
    """
    return lines(np.asarray(n)[None], np.asarray(hits)[None], score, level)[0]


def lines(n: ArrayLike, hits: ArrayLike, score: ArrayLike, level: float = 0.95) -> list[Line | None]:
    """`line` of many cells, shape (cells, bins). Each is sought from where the first one lies: slices are rarely far from all rows."""
    inside = np.clip(np.asarray(score, np.float64), 1e-7, 1 - 1e-7)
    logits = np.log(inside / (1 - inside))
    found: list[Line | None] = []
    begin = _CALIBRATED
    for own, positive in zip(np.asarray(n, np.float64), np.asarray(hits, np.float64), strict=True):
        held = np.flatnonzero(own)
        of = own[held], positive[held], logits[held]
        fits = _fits(*of, begin) or (None if begin is _CALIBRATED else _fits(*of, _CALIBRATED))
        if fits is None:
            found.append(None)
            continue
        begin = fits if begin is _CALIBRATED else begin
        words = f"logistic recalibration on {own.sum():g} rows, Wald"
        (intercept, slope), (offset,) = (_wald(*fit, level, words) for fit in fits)
        found.append(Line(slope, intercept, offset))
    return found


_Fit = tuple[Floats, Floats]
"""Coefficients and their standard errors."""

_CALIBRATED: tuple[_Fit, _Fit] = ((np.array([0.0, 1.0]), np.zeros(2)), (np.zeros(1), np.zeros(1)))


def _fits(rows: Floats, positive: Floats, logit: Floats, begin: tuple[_Fit, _Fit]) -> tuple[_Fit, _Fit] | None:
    """Intercept and slope, and the intercept alone; None where there is no line."""
    if not 0 < positive.sum() < rows.sum() or np.ptp(logit) == 0 or _parted(rows, positive):
        return None
    one = np.ones_like(logit)
    both = _logistic([one, logit], rows, positive, np.zeros_like(logit), begin[0][0])
    large = None if both is None else _logistic([one], rows, positive, logit, begin[1][0])
    return None if both is None or large is None else (both, large)


def _variance(table: Reliability) -> Floats:
    share = table.hits / table.n
    return np.asarray(share * (1 - share))


def _smooth(share: Floats, n: Floats) -> Floats:
    """Variance of the observed share of `n` rows, as if one more of each kind had been seen: never 0 (Agresti & Coull 1998)."""
    drawn = (share * n + 1) / (n + 2)
    return np.asarray(drawn * (1 - drawn) / n)


class _Sum(NamedTuple):
    """The sum of w (d + e)^2 over bins, for true squares d^2 = true x shape and normal e: its cumulants are lines in `true`.

    Each pair is what the mean, the variance and the third cumulant are where nothing is wrong, and what they gain a unit of `true`.
    """

    mean: tuple[float, float]
    variance: tuple[float, float]
    third: tuple[float, float]

    @classmethod
    def of(cls, weight: Floats, shape: Floats, noise: Floats) -> _Sum:
        """For `noise`, the variance of e in each bin, and errors that lie over the bins as `shape` does."""
        second, cube = weight**2 * noise, weight**3 * noise**2
        return cls(
            (float(weight @ noise), float(weight @ shape)),
            (2 * float(second @ noise), 4 * float(second @ shape)),
            (8 * float(cube @ noise), 24 * float(cube @ shape)),
        )

    def above(self, observed: float, true: float) -> float:
        """P(sum > observed), by Wilson and Hilferty's cube root on a shifted gamma of the same three cumulants."""
        mean, variance, third = (still + true * gain for still, gain in self)
        k, scale = 4 * variance**3 / third**2, third / (2 * variance)
        x = (observed - mean) / scale + k
        if x <= 0:
            return 1.0
        return 1 - normal_cdf(((x / k) ** (1 / 3) - 1 + 1 / (9 * k)) * 3 * math.sqrt(k))


def _solve(exceeds: object, probability: float, start: float) -> float:
    """The true error at which the observed one is exceeded with this probability (which rises with the true error)."""
    assert callable(exceeds)
    low, high = 0.0, max(start, 1e-12)
    while exceeds(high) < probability and high < 4:
        high *= 2
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if exceeds(middle) < probability else (low, middle)
    return high


def _parted(rows: Floats, positive: Floats) -> bool:
    """Whether some threshold on the score parts positive from negative rows; bins come in the order of their scores."""
    negative = rows - positive
    first, last = np.flatnonzero(positive)[[0, -1]]
    least, most = np.flatnonzero(negative)[[0, -1]]
    return bool(first > most or last < least)


def _logistic(
    columns: list[Floats], rows: Floats, positive: Floats, offset: Floats, begin: Floats
) -> tuple[Floats, Floats] | None:
    """Coefficients of the columns and their standard errors by Newton's method from `begin`; None if it doesn't settle.

    A step that changes no logit by more than 1 lies where Newton's method converges. A longer one is halved until it gains.
    """
    beta = begin.copy()
    eta = sum((part * column for part, column in zip(beta, columns, strict=True)), offset)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(eta, -500, 500)))
        spread = rows * p * (1 - p)
        moved = [spread * column for column in columns]
        information = np.array([[one @ other for other in columns] for one in moved])
        missed = positive - rows * p
        try:
            step = np.linalg.solve(information, np.array([missed @ column for column in columns]))
        except np.linalg.LinAlgError:
            return None
        change = sum((part * column for part, column in zip(step, columns, strict=True)), np.zeros(len(eta)))
        share = _shortened(eta, change, rows, positive)
        beta, eta = beta + share * step, eta + share * change
        if np.abs(share * step).max() < 1e-9:
            return beta, np.sqrt(np.diag(np.linalg.inv(information)))
    return None


def _shortened(eta: Floats, change: Floats, rows: Floats, positive: Floats) -> float:
    """The share of a step that is taken: all of it, or what of a long one makes the rows likelier."""
    share, longest = 1.0, float(np.abs(change).max())
    if not longest > 1:
        return share
    least = _likelihood(eta, rows, positive)
    while share * longest > 1e-12 and not _likelihood(eta + share * change, rows, positive) >= least:
        share /= 2
    return share


def _likelihood(eta: Floats, rows: Floats, positive: Floats) -> float:
    return float(positive @ eta - rows @ np.logaddexp(0, eta))


def _wald(beta: Floats, errors: Floats, level: float, words: str) -> list[Interval]:
    z = normal_quantile(1 - tail(level))
    return [
        Interval(value, value - z * error, value + z * error, level, words)
        for value, error in zip(beta.tolist(), errors.tolist(), strict=True)
    ]
