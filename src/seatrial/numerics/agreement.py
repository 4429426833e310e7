"""F-beta, MCC, Cohen's kappa and weighted averages with intervals: functions of a confusion matrix that are no proportions.

Tables are arrays (..., K, K), rows are labels, columns predictions. Two methods, by the smallest cell:

* **Effective rows**: the variance by the delta method makes the figure a proportion of so many rows, whose interval
  (Wilson's, or Clopper-Pearson's) is taken (Korn & Graubard 1998). The variance is that of the table with one row more,
  spread evenly, so that a perfect table isn't certain. It covers .93 to .965 in simulation, but down to .89 where a cell of
  a table of two classes is small.
* **Jeffreys draws** there, for two classes (or one class against the rest) where a cell has fewer than 100 rows: 1,000
  tables drawn from the Dirichlet posterior under Jeffreys' prior (1/2 in each cell), and their quantiles. A bootstrap of the
  table covers .86 to .92 there, since an empty cell stays empty in it; these cover .92 to .96 alone. On each side the wider
  of the two is taken. The draws are the same for every table, so a slice's bounds don't depend on other slices.

Sources: Goutte & Gaussier (2005) for the posterior of F; Gorodkin (2004) for MCC of K classes; Cohen (1960) and Fleiss, Cohen
& Everitt (1969) for kappa. Rows must be independent.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.distributions import normal_quantile
from seatrial.numerics.interval import Intervals, alone, tail
from seatrial.numerics.proportions import proportions
from seatrial.numerics.tables import Margins, margins, mover

Floats = NDArray[np.float64]
Figure = Callable[[Floats], Floats]
Graded = Callable[[Floats], tuple[Floats, Floats]]
"""Of tables (..., K, K), the value (...) and its derivative by each count (..., K, K)."""

REPLICATES = 1000
FEW = 100
_BLOCK = 128  # tables drawn at once
_SEED = 20261123
JEFFREYS = f"conservative, the wider of quantiles of {REPLICATES:,} tables drawn from the Jeffreys posterior and effective rows"


def f_beta(table: ArrayLike, beta: float, level: float | None = 0.95) -> Intervals:
    """Per class, (1 + beta^2) precision recall / (beta^2 precision + recall), shape (..., K); NaN for a class that never occurs."""
    return switched(one_against_rest(table), _graded_f(beta), 0.0, level)


def macro_f_beta(table: ArrayLike, beta: float, level: float | None = 0.95) -> Intervals:
    """The plain mean of the classes' F-beta, over classes labelled or predicted; shape (...).

    Of more than two classes the wider of effective rows, which know of one size alone, and of the classes' own intervals combined by
    MOVER (`numerics/tables.py`): beside common classes one of nine rows has few and skewed counts.
    """
    counts = _counts(table)
    found = switched(counts, _graded_macro_f(beta), 0.0, level)
    if level is None or counts.shape[-1] == 2:
        return found
    parts = f_beta(counts, beta, level)
    down, up = mover(parts, ~np.isnan(parts.value), _covariance_f(counts, beta))
    words = np.add(
        np.asarray(found.method, object), ", or MOVER over classes where that is wider, conservative", dtype=object
    )
    low, high = np.maximum(0.0, found.value - down), np.minimum(1.0, found.value + up)
    return found._replace(low=np.fmin(found.low, low), high=np.fmax(found.high, high), method=words)


def mcc(table: ArrayLike, level: float | None = 0.95) -> Intervals:
    """Matthews' correlation of labels and predictions, -1 to 1, shape (...); 0 where one class is always predicted.

    NaN where all labels are of one class.
    """
    return switched(_counts(table), _graded_mcc, -1.0, level)


def kappa(table: ArrayLike, level: float | None = 0.95) -> Intervals:
    """Cohen's kappa, agreement beyond chance, shape (...); NaN where all rows lie in one cell of the diagonal."""
    return switched(_counts(table), _graded_kappa, -1.0, level)


def weighted_recall(table: ArrayLike, level: float | None = 0.95) -> Intervals:
    """The mean of the classes' recalls weighted by their labels, which is the accuracy; shape (...)."""
    of = margins(table)
    return proportions(of.hits.sum(axis=-1), of.rows, level)


def weighted_precision(table: ArrayLike, level: float | None = 0.95) -> Intervals:
    """The mean of the classes' precisions weighted by their labels, over classes that were predicted; shape (...)."""
    return weighted_f_beta(table, 0.0, level)


def weighted_f1(table: ArrayLike, level: float | None = 0.95) -> Intervals:
    """The mean of the classes' F1 weighted by their labels; shape (...)."""
    return weighted_f_beta(table, 1.0, level)


def weighted_f_beta(table: ArrayLike, beta: float, level: float | None = 0.95) -> Intervals:
    """The mean of the classes' F-beta (beta 0: precision) weighted by their labels; shape (...)."""
    return switched(_counts(table), lambda tables: _graded_weighted(tables, beta), 0.0, level)


def one_against_rest(table: ArrayLike) -> Floats:
    """Each class's table of two classes, shape (..., K, 2, 2): the second is the class."""
    of = margins(table)
    missed, false = of.labels - of.hits, of.predictions - of.hits
    rest = np.maximum(0.0, of.rows[..., None] - of.labels - false)
    return np.stack([np.stack([rest, false], axis=-1), np.stack([missed, of.hits], axis=-1)], axis=-2)


def switched(tables: Floats, graded: Graded, least: float, level: float | None) -> Intervals:
    """The figure's value and bounds, `least` to 1, by the method that suits the smallest cell."""
    found = effective(tables, graded, least, level)
    few = (tables.min(axis=(-1, -2)) < FEW) & ~np.isnan(found.value)
    if level is None or tables.shape[-1] != 2 or not few.any():
        return found
    low, high = jeffreys(tables[few], lambda drawn: graded(drawn)[0], level)
    method = np.asarray(found.method, object).reshape(few.shape)
    found.low[few] = np.fmin(low, found.low[few])
    found.high[few] = np.fmax(high, found.high[few])
    method[few] = JEFFREYS
    return found._replace(method=method)


def effective(tables: Floats, graded: Graded, least: float, level: float | None) -> Intervals:
    """The figure's value, and the interval of a proportion of as many rows as have its variance; shape (...)."""
    value = np.asarray(graded(tables)[0])
    if level is None:
        return alone(value)
    smooth = tables + 1.0 / tables.shape[-1] ** 2
    middle, slope = graded(smooth)
    variance = (smooth * slope**2).sum(axis=(-1, -2)) / (1.0 - least) ** 2
    share, typical = (value - least) / (1.0 - least), (middle - least) / (1.0 - least)
    there = ~np.isnan(value)
    rows = np.where(there & (variance > 0.0), typical * (1.0 - typical) / np.where(variance > 0.0, variance, 1.0), 0.0)
    rows = np.where(there & (rows <= 0.0), 1.0, rows)  # a figure at its limit: as little as one row says
    hits = np.clip(np.where(there, share, 0.0), 0.0, 1.0) * rows
    found = proportions(hits, rows, level)
    method = np.add(np.asarray(found.method, object), ", effective rows by the delta method", dtype=object)
    low, high = least + (1.0 - least) * found.low, least + (1.0 - least) * found.high
    return Intervals(value, np.array(np.minimum(low, value)), np.array(np.maximum(high, value)), level, method)


def jeffreys(tables: Floats, figure: Figure, level: float) -> tuple[Floats, Floats]:
    """Bounds of a figure from draws of the tables (n, ...) under Jeffreys' prior; `figure` takes (draws, n, ...)."""
    bounds = np.empty((2, len(tables)))
    for start in range(0, len(tables), _BLOCK):
        drawn = figure(_drawn(tables[start : start + _BLOCK]))
        figures = np.ascontiguousarray(drawn.T)  # a table's draws side by side: quantiles are six times as fast
        bounds[:, start : start + _BLOCK] = np.quantile(figures, [tail(level), 1.0 - tail(level)], axis=1)
    return bounds[0], bounds[1]


def _drawn(tables: Floats) -> Floats:
    """Gamma variables of shape count + 1/2, (draws, n, ...): their shares are Dirichlet.

    By Wilson & Hilferty's cube of a normal for shape + 1, times a uniform to the power 1 / shape, which brings it down by one.
    """
    normal, uniform = _noise(int(np.prod(tables.shape[1:])))
    noise = normal.reshape(REPLICATES, 1, *tables.shape[1:])
    shape = tables + 0.5
    spread = 1.0 / (3.0 * np.sqrt(shape + 1.0))
    cubed = np.maximum(0.0, 1.0 - spread**2 + spread * noise)
    lowered = np.exp(uniform.reshape(noise.shape) / shape)
    return np.asarray((shape + 1.0) * cubed * cubed * cubed * lowered)


@cache
def _noise(cells: int) -> tuple[Floats, Floats]:
    """Normal variables and logarithms of uniform ones, the same for all tables; shape (draws, cells).

    Each cell has one draw from each of as many equally likely ranges (Latin hypercube), so few draws give even quantiles.
    """
    rng = np.random.default_rng(_SEED)
    middles = (np.arange(REPLICATES) + 0.5) / REPLICATES
    normal = np.array([normal_quantile(one) for one in middles.tolist()])
    columns = range(cells)
    return (
        np.stack([rng.permutation(normal) for _ in columns], axis=1),
        np.stack([rng.permutation(np.log(middles)) for _ in columns], axis=1),
    )


def _counts(table: ArrayLike) -> Floats:
    margins(table)
    return np.asarray(table, np.float64)


def _diagonal(of: Margins) -> Floats:
    return np.eye(of.hits.shape[-1])


def _graded_f(beta: float) -> Graded:
    """F-beta of the second of two classes: w TP / D, w = 1 + beta^2, D = w TP + beta^2 FN + FP."""
    weight = 1.0 + beta * beta

    def graded(tables: Floats) -> tuple[Floats, Floats]:
        hits, missed, false = tables[..., 1, 1], tables[..., 1, 0], tables[..., 0, 1]
        size = weight * hits + beta * beta * missed + false
        there = size > 0.0
        safe = np.where(there, size, 1.0)
        value = np.where(there, weight * hits / safe, np.nan)
        slope = np.zeros(tables.shape)
        slope[..., 1, 1], slope[..., 1, 0] = weight * (1.0 - value) / safe, -beta * beta * value / safe
        slope[..., 0, 1] = -value / safe
        return value, slope

    return graded


def _graded_macro_f(beta: float) -> Graded:
    weight = 1.0 + beta * beta

    def graded(tables: Floats) -> tuple[Floats, Floats]:
        of = margins(tables)
        size = beta * beta * of.labels + of.predictions
        there = size > 0.0
        safe, count = np.where(there, size, 1.0), there.sum(axis=-1)
        each = weight * of.hits / safe
        value = np.where(count > 0, each.sum(axis=-1) / np.maximum(count, 1), np.nan)
        slope = -(beta * beta * each / safe)[..., :, None] - (each / safe)[..., None, :]
        slope = slope + _diagonal(of) * (weight / safe)[..., :, None]
        return value, slope / np.maximum(count, 1)[..., None, None]

    return graded


def _covariance_f(tables: Floats, beta: float) -> Floats:
    """Of the classes' F-beta, (..., K, K), by the delta method: two classes share the rows confused between them."""
    of = margins(tables)
    size = beta * beta * of.labels + of.predictions
    safe = np.where(size > 0.0, size, 1.0)
    value = (1.0 + beta * beta) * of.hits / safe
    fall = value / safe
    shared = beta * beta * (tables + np.swapaxes(tables, -1, -2)) * fall[..., :, None] * fall[..., None, :]
    gain = (1.0 + beta * beta) * (1.0 - value) / safe
    missed, false = of.labels - of.hits, of.predictions - of.hits
    own = of.hits * gain**2 + (missed * beta**4 + false) * fall**2
    return np.asarray(shared * (1.0 - _diagonal(of)) + own[..., :, None] * _diagonal(of))


def _graded_mcc(tables: Floats) -> tuple[Floats, Floats]:
    """(c n - S) / sqrt(B C): c on the diagonal, S = sum of labels x predictions, B and C = n^2 - squared predictions, labels."""
    of = margins(tables)
    n, right = of.rows, of.hits.sum(axis=-1)
    above = right * n - (of.labels * of.predictions).sum(axis=-1)
    guesses, truths = n * n - (of.predictions**2).sum(axis=-1), n * n - (of.labels**2).sum(axis=-1)
    below = np.sqrt(np.maximum(guesses, 0.0)) * np.sqrt(np.maximum(truths, 0.0))
    safe, guess, truth = (np.where(below > 0.0, x, 1.0)[..., None, None] for x in (below, guesses, truths))
    value = np.where(truths > 0.0, above / safe[..., 0, 0] * (below > 0.0), np.nan)
    rows, by_label, by_guess = n[..., None, None], of.labels[..., :, None], of.predictions[..., None, :]
    up = _diagonal(of) * rows + right[..., None, None] - of.predictions[..., :, None] - of.labels[..., None, :]
    down = (rows - by_guess) / guess + (rows - by_label) / truth
    return value, up / safe - value[..., None, None] * down


def _graded_kappa(tables: Floats) -> tuple[Floats, Floats]:
    """(c n - S) / (n^2 - S), with c and S as for MCC."""
    of = margins(tables)
    n, right = of.rows, of.hits.sum(axis=-1)
    chance = (of.labels * of.predictions).sum(axis=-1)
    below = n * n - chance
    safe = np.where(below > 0.0, below, 1.0)
    value = np.where(below > 0.0, (right * n - chance) / safe, np.nan)
    rows = n[..., None, None]
    change = of.predictions[..., :, None] + of.labels[..., None, :]
    up = _diagonal(of) * rows + right[..., None, None] - change
    return value, (up - value[..., None, None] * (2.0 * rows - change)) / safe[..., None, None]


def _graded_weighted(tables: Floats, beta: float) -> tuple[Floats, Floats]:
    """The mean, weighted by labels, of hits / size with size = (beta^2 labels + predictions) / (1 + beta^2)."""
    of = margins(tables)
    part = beta * beta / (1.0 + beta * beta)
    size = part * of.labels + (1.0 - part) * of.predictions
    there = size > 0.0
    safe = np.where(there, size, 1.0)
    each, weights = of.hits / safe, np.where(there, of.labels, 0.0)
    total = weights.sum(axis=-1)[..., None]
    whole = np.where(total > 0.0, total, 1.0)
    mean = (weights * each).sum(axis=-1)[..., None] / whole
    fall = weights * each / safe
    by_label = there * (each - mean) - part * fall
    slope = by_label[..., :, None] - (1.0 - part) * fall[..., None, :]
    slope = slope + _diagonal(of) * (weights / safe)[..., :, None]
    return np.where(total > 0.0, mean, np.nan)[..., 0], slope / whole[..., None]
