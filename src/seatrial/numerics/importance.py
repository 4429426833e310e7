"""What a feature is worth to a model: by how much its loss rises when the feature tells of another row (permutation importance).

The importance is E L(f(x with feature j of another row), y) - E L(f(x), y): "model reliance", Fisher, Rudin & Dominici (2019), JMLR 20(177).
It is estimated by a few permutations of the rows. A row has a part in it twice, as the one that is answered and as the one that
lends its value, and an interval that sees only the first is too narrow. So each row's part is worked out as for a U statistic of two
arguments (Hájek's projection): the rise of its own loss with lent values, plus the rise of others' where its value was lent, less the mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.interval import Interval
from seatrial.numerics.losses import Moments, mean_interval
from seatrial.numerics.ranks import midranks

Floats = NDArray[np.float64]


def permutations(rows: int, repeats: int, seed: int) -> NDArray[np.intp]:
    """Which row lends its value to which, (repeats, rows): shifts of one random order, so that no row lends to itself and no pair comes twice.

    At most rows - 1 repeats. Raises `ValueError` for fewer than two rows.
    """
    if rows < 2:
        raise ValueError("a value can be lent only where there are two rows")
    random = np.random.default_rng([seed, rows])
    order = random.permutation(rows)
    shifts = 1 + random.choice(rows - 1, min(repeats, rows - 1), replace=False)
    lenders = np.empty((len(shifts), rows), np.intp)
    for repeat, shift in enumerate(shifts):
        lenders[repeat, order] = np.roll(order, int(shift))
    return lenders


def parts(own: ArrayLike, lent: ArrayLike, lenders: ArrayLike) -> Floats:
    """Each row's part in the importance, (rows,): their mean is the importance.

    `own` are losses of the rows as they are (rows,), `lent` with the feature of the row that `lenders` names (repeats, rows).
    """
    rises = np.asarray(lent, np.float64) - np.asarray(own, np.float64)
    lending = np.zeros(rises.shape[1])
    for repeat, who in enumerate(np.asarray(lenders)):
        lending[who] += rises[repeat]
    return np.asarray(rises.mean(axis=0) + lending / len(rises) - rises.mean())


def importance(own: ArrayLike, lent: ArrayLike, lenders: ArrayLike, level: float = 0.95) -> Interval:
    """The importance with an interval over rows. Raises `ValueError` for no rows."""
    interval = mean_interval(Moments.of(parts(own, lent, lenders)), level)
    repeats = len(np.asarray(lent))
    method = f"mean rise of the loss when the value is another row's, {repeats} permutations; {interval.method}, both rows of a pair counted"
    return interval._replace(method=method)


def stability(each: ArrayLike, worth: float, resamples: int = 200, seed: int = 0) -> Floats:
    """In which share of resamples of the rows a feature's importance exceeds `worth`, (features,). `each` are `parts`, (rows, features)."""
    values = np.asarray(each, np.float64)
    rows = len(values)
    weights = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), resamples)
    return np.asarray((weights @ values / rows > worth).mean(axis=0))


def correlations(columns: ArrayLike) -> Floats:
    """Absolute rank correlations (Spearman) of columns (rows, columns), 0 where one doesn't vary; NaN counts as its column's median."""
    values = np.array(columns, np.float64)
    if values.size == 0:
        return np.zeros((values.shape[1], values.shape[1]))
    gone = np.isnan(values)
    known = [values[~gone[:, at], at] for at in range(values.shape[1])]
    values = np.where(gone, [np.median(one) if len(one) else 0.0 for one in known], values)
    ranks = midranks(values.T)
    ranks -= ranks.mean(axis=1, keepdims=True)
    size = np.sqrt((ranks**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        made = np.abs(ranks @ ranks.T) / np.outer(size, size)
    return np.asarray(np.where(np.isfinite(made), np.minimum(made, 1.0), 0.0))


def together(correlated: ArrayLike, least: float) -> list[list[int]]:
    """Columns in groups: those that are correlated by at least so much, directly or through others, in the order of the columns."""
    linked = np.asarray(correlated) >= least
    left, groups = list(range(len(linked))), []
    while left:
        group, queue = set[int](), [left[0]]
        while queue:
            one = queue.pop()
            if one not in group:
                group.add(one)
                queue += [other for other in left if linked[one, other] and other not in group]
        groups.append(sorted(group))
        left = [one for one in left if one not in group]
    return groups


def association(values: ArrayLike, labels: ArrayLike, classes: int) -> float:
    """How well a column alone tells the label, 0 to 1: of classes the largest |2 AUC - 1| of one against the rest, of numbers |Spearman|."""
    column = np.asarray(values, np.float64)
    known = np.isfinite(column)
    wanted = np.asarray(labels)[known]
    ranks = midranks(column[known][None, :])[0]
    if len(ranks) < 2:
        return 0.0
    if not classes:
        return float(correlations(np.stack([column[known], wanted.astype(np.float64)], axis=1))[0, 1])
    best = 0.0
    for one in np.unique(wanted):
        mine = wanted == one
        n = int(mine.sum())
        if 0 < n < len(mine):
            area = (ranks[mine].sum() - n * (n + 1) / 2) / (n * (len(mine) - n))
            best = max(best, abs(2 * area - 1))
    return best
