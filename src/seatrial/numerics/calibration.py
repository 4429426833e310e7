"""Do probabilities mean what they say? From counts of rows in fine bins of the score, for all cells (slices) at once or one by one.

Every function takes `n` and `hits`, rows and positive rows of each bin, shape (bins,), and `score`, the mean score in each bin.
Scores were binned finely before (some thousand bins), so what binning costs here is below a thousandth of a probability; the
coarse bins of a reliability diagram are put together from them. Coarse binning understates a model's true error: within a bin
errors of both signs cancel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.debiased import Observed, bounds, smooth
from seatrial.numerics.distributions import normal_quantile
from seatrial.numerics.interval import Interval, tail
from seatrial.numerics.proportions import proportions

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

    reliability: Interval
    resolution: Interval
    uncertainty: Interval


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
    """`squared_errors` of one table."""
    return squared_errors([table], level)[0]


def squared_errors(tables: Sequence[Reliability], level: float | None = 0.95) -> list[Interval]:
    """Squared calibration error without its bias: sum of w ((observed - score)^2 - v / n). It may come out below 0.

    Estimate and bounds are those of `numerics/debiased.py`: the lower bound is above 0 only where the test of perfect calibration
    rejects. Bins with one row give no variance and are left out. An interval's `value` is NaN where no bin holds two rows.
    Without a `level`: no bounds.
    """
    held = [_of_two(table) for table in tables]
    bins = [len(table.n) for table in held]
    values = [_squared(table) if len(table.n) else math.nan for table in held]
    methods = [f"debiased squared calibration error, {some} bins, conservative three-cumulant bounds" for some in bins]
    return _bounded(values, [_missed(table) if len(table.n) else None for table in held], methods, level)


def brier_parts(table: Reliability, level: float | None = 0.95) -> Brier:
    """`briers_parts` of one table."""
    return briers_parts([table], level)[0]


def briers_parts(tables: Sequence[Reliability], level: float | None = 0.95) -> list[Brier]:
    """Murphy's decomposition over coarse bins with the biases of Ferro & Fricker (2012) removed. NaN for no rows.

    Bounds: of the reliability those of `squared_errors`, which it is; of the resolution the same way, for a share's distance from
    the overall one instead of from the score; of the uncertainty p (1 - p) those of the share p. Without a `level`: no bounds.
    """
    parts = [_parts(table) for table in tables]
    reliable, sharp, unsure = ([one[place] for one in parts] for place in range(3))
    held = [_of_two(table) for table in tables]
    missed, apart = ([of(one) if len(one.n) else None for one in held] for of in (_missed, _apart))
    words = "decomposition over bins, biases removed"
    bounded = f"{words}; conservative three-cumulant bounds"
    rows, hits = (
        np.array([float(one.sum()) for one in many]) for many in zip(*((t.n, t.hits) for t in tables), strict=True)
    )
    return [
        Brier(*three)
        for three in zip(
            _bounded(reliable, missed, [bounded] * len(parts), level),
            _bounded(sharp, apart, [bounded] * len(parts), level),
            _uncertainties(unsure, hits, rows, words, level),
            strict=True,
        )
    ]


def _of_two(table: Reliability) -> Reliability:
    """The bins with two rows and more."""
    held = table.n > 1
    return Reliability(table.n[held], table.hits[held], table.score[held])


def _squared(table: Reliability) -> float:
    weight = table.n / table.n.sum()
    return float(weight @ table.error**2) - float(weight @ (_variance(table) / (table.n - 1)))


def _parts(table: Reliability) -> tuple[float, float, float]:
    """Reliability, resolution and uncertainty."""
    if not len(table.n):
        return math.nan, math.nan, math.nan
    total = table.n.sum()
    weight, share = table.n / total, table.hits / table.n
    base = float(table.hits.sum() / total)
    bias = float(weight @ np.where(table.n > 1, share * (1 - share) / np.maximum(table.n - 1, 1), 0.0))
    whole = base * (1 - base) / max(total - 1, 1)
    return (
        float(weight @ table.error**2) - bias,
        float(weight @ (share - base) ** 2) - bias + whole,
        base * (1 - base) + whole,
    )


def _missed(table: Reliability) -> Observed:
    """Observed shares held against scores."""
    weight = table.n / table.n.sum()
    drift = float(weight @ (table.score * (1 - table.score) / table.n)), _noise(table, weight)
    still = smooth(table.score, table.n)
    noise = np.maximum(
        still, smooth(table.hits / table.n, table.n)
    )  # few rows in a bin may show too little of their chance
    return Observed(weight, table.error, still, noise, drift, float(table.n.sum()), hidden=noise)


def _apart(table: Reliability) -> Observed:
    """Observed shares held against the overall one, which has a part of their chance in it."""
    weight = table.n / table.n.sum()
    base = np.full(len(weight), float(table.hits.sum() / table.n.sum()))
    still, share = smooth(base, table.n), table.hits / table.n
    own = float(weight**2 @ still)
    drift = float(weight @ (base * (1 - base) / table.n)) - own, _noise(table, weight) - own
    noise = smooth(share, table.n)
    return Observed(weight, share - base, still, noise, drift, float(table.n.sum()), hidden=np.zeros_like(noise))


def _noise(table: Reliability, weight: Floats) -> float:
    """What chance adds to a sum of squared distances of shares, without bias."""
    return float(weight @ (_variance(table) / (table.n - 1)))


def _bounded(
    values: Sequence[float], observed: Sequence[Observed | None], methods: Sequence[str], level: float | None
) -> list[Interval]:
    """Values with bounds of `debiased`; none for cells without a bin of two rows."""
    if level is None:
        return [Interval(value, None, None, 0.95, "") for value in values]
    ends: Iterator[tuple[float, float]] = iter(())
    if known := [one for one in observed if one is not None]:
        ends = iter(zip(*(side.tolist() for side in bounds(known, level)), strict=True))
    made = []
    for value, one, method in zip(values, observed, methods, strict=True):
        if one is None:
            made.append(Interval(value, None, None, level, "no bin holds two rows"))
        else:
            low, high = next(ends)
            made.append(Interval(value, min(low, value), max(high, value), level, method))
    return made


def _uncertainties(
    values: Sequence[float], hits: Floats, rows: Floats, words: str, level: float | None
) -> list[Interval]:
    """p (1 - p) with the bounds of p carried over: highest at 1/2."""
    if level is None:
        return [Interval(value, None, None, 0.95, "") for value in values]
    own = proportions(np.minimum(hits, rows), rows, level)
    made = []
    for value, low, high, method in zip(values, own.low.tolist(), own.high.tolist(), own.method, strict=True):
        if math.isnan(value):
            made.append(Interval(value, None, None, level, "there are no rows"))
            continue
        ends = [low * (1 - low), high * (1 - high)]
        most = 0.25 if low <= 0.5 <= high else max(ends)
        made.append(Interval(value, min(*ends, value), max(most, value), level, f"{words}; {method} of the share"))
    return made


def line(n: ArrayLike, hits: ArrayLike, score: ArrayLike, level: float = 0.95) -> Line | None:
    """Cox's recalibration line by maximum likelihood on the fine bins, with Wald intervals. None where there is none.

    Errors are the larger of the model's own and of those that don't take the line for the truth (Huber 1967, White 1982).

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
        words = f"logistic recalibration on {own.sum():g} rows, Wald with the larger of the model's and robust errors, conservative"
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
            return beta, _errors(information, columns, positive * (1 - p) ** 2 + (rows - positive) * p**2)
    return None


def _errors(information: Floats, columns: list[Floats], squares: Floats) -> Floats:
    """Standard errors: the larger of the model's own and of Huber's and White's, which don't take the line for the truth.

    `squares` are the sums of squared residuals in each bin. The slope held at 1 is wrong of most models, and the model's own
    error of the offset is too small then.
    """
    inverse = np.linalg.inv(information)
    spread = np.array([[(squares * one) @ other for other in columns] for one in columns])
    return np.asarray(np.sqrt(np.maximum(np.diag(inverse), np.diag(inverse @ spread @ inverse))))


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
