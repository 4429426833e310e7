"""Whether rows of one class fall into two groups, and what the smaller one has in common that the rest hasn't.

Sources: Tran, Li & Madry (2018), "Spectral signatures in backdoor attacks" (the top singular direction of what is learnt of a class);
Chen et al. (2018), "Detecting backdoor attacks on deep neural networks by activation clustering" (two means of a few directions).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
STARTS, ROUNDS = 4, 50
FLOOR = 0.02
"""Added to a variance, in units of the variance of all numbers together, so that what never varies doesn't count without end."""


def directions(rows: ArrayLike, count: int) -> Floats:
    """Rows (n, d) less their mean, along their `count` directions of most variance: (n, at most `count`)."""
    centred = np.asarray(rows, np.float64)
    centred = centred - centred.mean(axis=0)
    _, _, ways = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(centred @ ways[:count].T)


def smaller_half(points: ArrayLike, seed: int = 0) -> NDArray[np.bool_]:
    """Two means (Lloyd 1982) of points (n, d), the best of a few starts: which points are in the smaller of the two groups, (n,)."""
    given = np.asarray(points, np.float64)
    chance = np.random.default_rng(seed)
    starts = [given[:, 0] > np.median(given[:, 0])]
    starts += [_nearer(given, given[chance.choice(len(given), 2, replace=False)]) for _ in range(STARTS)]
    made = [_settled(given, start) for start in starts]
    best = min(made, key=lambda one: _spread(given, one))
    return best if best.sum() * 2 <= len(best) else ~best


def in_common(group: ArrayLike, *others: ArrayLike, count: int) -> tuple[NDArray[np.int64], Floats]:
    """The `count` features in which a group (n, d) is most alike and most unlike each of the others (m, d): their places, and the group's means there.

    By the squared difference of means over the variance within the group, from those others to which it is least.
    """
    own = np.asarray(group, np.float64)
    means, spread = own.mean(axis=0), own.var(axis=0) + FLOOR
    apart = np.min([(means - np.asarray(one, np.float64).mean(axis=0)) ** 2 / spread for one in others], axis=0)
    places = np.argsort(-apart, kind="stable")[:count]
    return places, means[places]


def _nearer(points: Floats, centres: Floats) -> NDArray[np.bool_]:
    """Which points are nearer to the second centre."""
    first, second = (((points - one) ** 2).sum(axis=1) for one in centres)
    return np.asarray(second < first)


def _settled(points: Floats, group: NDArray[np.bool_]) -> NDArray[np.bool_]:
    for _ in range(ROUNDS):
        if group.all() or not group.any():
            return group
        after = _nearer(points, np.stack([points[~group].mean(axis=0), points[group].mean(axis=0)]))
        if np.array_equal(after, group):
            return group
        group = after
    return group


def _spread(points: Floats, group: NDArray[np.bool_]) -> float:
    """The sum of squared distances from the mean of one's group."""
    return float(sum(((part - part.mean(axis=0)) ** 2).sum() for part in (points[group], points[~group]) if len(part)))
