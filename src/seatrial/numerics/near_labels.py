"""Which labels the nearest rows have: a row whose neighbours are all of one other class may bear a wrong label.

Source: Wilson (1972), "Asymptotic properties of nearest neighbor rules using edited data". Distances are Euclidean, each row is left out of its own
neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK = 1024
"""Rows whose distances to all others are held at once."""


def neighbour_counts(rows: ArrayLike, labels: ArrayLike, classes: int, count: int) -> NDArray[np.int64]:
    """How many of the `count` nearest other rows have each label: rows (n, d), labels (n,) to (n, classes)."""
    x, y = np.asarray(rows, np.float32), np.asarray(labels)
    if len(x) <= count:
        raise ValueError(f"{count} neighbours want more than {len(x)} rows")
    squares = (x.astype(np.float64) ** 2).sum(axis=1).astype(np.float32)
    found = np.zeros((len(x), classes), np.int64)
    for first in range(0, len(x), BLOCK):
        here = np.arange(first, min(first + BLOCK, len(x)))
        far = squares[None, :] - 2 * (x[here] @ x.T)
        far[np.arange(len(here)), here] = np.inf
        near = np.argpartition(far, count - 1, axis=1)[:, :count]
        for place in range(count):
            found[here, y[near[:, place]]] += 1
    return found
