"""Rank correlation, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def spearman(one: ArrayLike, other: ArrayLike) -> Floats:
    """Spearman's rank correlation of each row of two arrays (rows, numbers), with midranks for ties; shape (rows,).

    1 where both rows are the same constant-free order; NaN where all numbers of a row are equal on either side.
    """
    first, second = (_centred(np.asarray(side, np.float64)) for side in (one, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
        return np.asarray(np.where(size > 0, (first * second).sum(axis=1) / size, np.nan))


def midranks(values: ArrayLike) -> Floats:
    """Ranks from 1 within each row (rows, numbers), equal numbers sharing their mean rank."""
    array = np.asarray(values, np.float64)
    order = np.argsort(array, axis=1, kind="stable")
    ordered = np.take_along_axis(array, order, axis=1)
    places = np.arange(array.shape[1])
    starts = np.concatenate([np.ones((len(array), 1), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    ends = np.concatenate([starts[:, 1:], np.ones((len(array), 1), bool)], axis=1)
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, array.shape[1])[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty_like(array)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    return ranks


def _centred(values: Floats) -> Floats:
    ranks = midranks(values)
    return np.asarray(ranks - ranks.mean(axis=1, keepdims=True))
