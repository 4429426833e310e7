"""Weights with which rows have the shares of a population in each of several columns: raking, iterative proportional fitting.

Source: Deming & Stephan (1940), Annals of Mathematical Statistics 11, 427-444. With one column it is post-stratification.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
NEAR = 1e-9


def rake(cells: ArrayLike, counts: ArrayLike, targets: Sequence[ArrayLike], most: int = 1000) -> Floats:
    """A weight for each kind of row, (kinds,), so that weighted shares are the targets; the weighted rows are as many as the rows.

    `cells` (kinds, columns) are places among the levels of each column, -1 for a level that no share is stated of; `counts` (kinds,) how
    many rows there are of each kind. `targets` are shares of the levels, (levels,) a column; levels without a row are left out and the
    others scaled up. Rows of an unstated level keep their share. ValueError where it doesn't settle: no weights have all these shares.
    """
    places, n = np.asarray(cells, np.int64), np.asarray(counts, np.float64)
    weights = np.ones(len(n))
    wanted = [_reachable(places[:, at], n, np.asarray(target, np.float64)) for at, target in enumerate(targets)]
    for _ in range(most):
        worst = 0.0
        for at, target in enumerate(wanted):
            known = places[:, at] >= 0
            sums = np.bincount(places[known, at], (weights * n)[known], len(target))
            factor = np.divide(target * sums.sum(), sums, out=np.ones(len(target)), where=sums > 0)
            worst = max(worst, float(np.abs(factor - 1).max(initial=0.0)))
            weights[known] *= factor[places[known, at]]
        if worst < NEAR:
            return np.asarray(weights * n.sum() / (weights * n).sum())
    raise ValueError("no weights of these rows have all the stated shares at once")


def _reachable(places: NDArray[np.int64], n: Floats, target: Floats) -> Floats:
    """The target among levels that have rows."""
    there = np.bincount(places[places >= 0], n[places >= 0], len(target)) > 0
    kept = np.where(there, target, 0.0)
    return np.asarray(kept / kept.sum() if kept.sum() > 0 else kept)
