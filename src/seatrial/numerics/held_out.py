"""Probabilities of classes for rows that the model wasn't fitted to: ridge regression on features, by cross-validation.

All folds come from one sum of products a fold: what was fitted without a fold is the sum less the fold's. Time is rows x features^2,
memory features^2 a fold, and of the rows their scores.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.losses import softmax

Floats = NDArray[np.float64]
STEEPNESS = (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)


class Sums(NamedTuple):
    """Of some rows: products of features with each other (features, features), and with the classes (features, classes)."""

    features: Floats
    classes: Floats

    def add(self, other: Sums) -> Sums:
        """Of both sets of rows."""
        return Sums(self.features + other.features, self.classes + other.classes)

    def less(self, other: Sums) -> Sums:
        """Without those rows."""
        return Sums(self.features - other.features, self.classes - other.classes)


def sums(features: ArrayLike, labels: ArrayLike, classes: int) -> Sums:
    """Of some rows: features (rows, features), labels (rows,) places among the classes."""
    x, y = np.asarray(features), np.asarray(labels)
    hot = np.zeros((len(y), classes), x.dtype)
    hot[np.arange(len(y)), y] = 1
    return Sums((x.T @ x).astype(np.float64), (x.T @ hot).astype(np.float64))


def weights(found: Sums, ridge: float = 1e-4) -> Floats:
    """What least squares with a penalty of `ridge` mean squares of a feature makes of the sums, (features, classes)."""
    matrix = found.features.copy()
    size = len(matrix)
    matrix[np.diag_indices(size)] += ridge * float(np.trace(matrix)) / size + 1e-9
    return np.asarray(np.linalg.solve(matrix, found.classes))


def random_features(rows: ArrayLike, wide: int, seed: int, scale: float = 0.7) -> NDArray[np.float32]:
    """A one and `wide` random cosines of each row, (rows, 1 + wide): Rahimi & Recht (2007). Rows are of mean square 1 a column."""
    x = np.asarray(rows, np.float32)
    random = np.random.default_rng(seed)
    turn = random.normal(size=(x.shape[1], wide)).astype(np.float32) * np.float32(scale / np.sqrt(x.shape[1]))
    start = random.uniform(0, 2 * np.pi, wide).astype(np.float32)
    return np.concatenate([np.ones((len(x), 1), np.float32), np.cos(x @ turn + start)], axis=1)


def probabilities(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """Softmax of the scores as steep as makes the labels likeliest, (rows, classes)."""
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    some = slice(None, None, max(1, len(y) // 20_000))

    def surprise(steep: float) -> float:
        p = softmax(s[some] * steep)
        return float(-np.log(np.maximum(p[np.arange(len(p)), y[some]], 1e-12)).mean())

    return softmax(s * min(STEEPNESS, key=surprise))


def out_of_sample(features: ArrayLike, labels: ArrayLike, classes: int, seed: int = 0, folds: int = 5) -> Floats:
    """Probabilities of each row by what was fitted to the other folds, (rows, classes). ValueError with fewer rows than folds."""
    x, y = np.asarray(features), np.asarray(labels)
    if len(y) < folds:
        raise ValueError(f"{folds} folds need as many rows, not {len(y)}")
    fold = np.random.default_rng(seed).permutation(len(y)) % folds
    parts = [sums(x[fold == one], y[fold == one], classes) for one in range(folds)]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.add(part)
    scores = np.empty((len(y), classes))
    for one, part in enumerate(parts):
        scores[fold == one] = x[fold == one] @ weights(whole.less(part)).astype(x.dtype)
    return probabilities(scores, y)
