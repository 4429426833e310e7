"""Search by vectors: which rows lie nearest to a query, and how far up the ones stand that it should find.

Ranks are pessimistic: of equally near rows those that shouldn't be found come first, so that vectors that are all alike earn
nothing. The formulas are those of Manning, Raghavan & Schuetze (2008), Introduction to Information Retrieval, chapter 8:

    recall at k         share of a query's relevant rows among the k nearest; `any`: whether there is one
    average precision   mean over the relevant rows of (how many relevant up to its rank) / rank
    nDCG at k           sum over relevant rows among the k nearest of 1 / log2(rank + 1), over the largest that it could be
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Near = Literal["cosine", "dot", "euclidean"]
CHUNK_NUMBERS = 2**24
MOST_PAIRS = 4 * 10**9
"""Pairs of a query and a row that are looked at; a search by brute force takes minutes beyond."""


class Ranks(NamedTuple):
    """Where the relevant rows of each query stand, from 1: query i's are `flat[offsets[i]:offsets[i + 1]]`, rising."""

    flat: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def relevant(self) -> NDArray[np.int64]:
        """How many relevant rows each query has."""
        return np.diff(self.offsets)


def unit(vectors: ArrayLike) -> NDArray[np.float32]:
    """Rows of length 1; a row of zeros stays one."""
    given = np.asarray(vectors, np.float64)
    length = np.linalg.norm(given, axis=1, keepdims=True)
    return np.asarray(given / np.where(length > 0, length, 1.0), np.float32)


def nearness(
    vectors: ArrayLike, queries: NDArray[np.int64], gallery: NDArray[np.int64], near: Near
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """For some queries at a time: their numbers, and how near each row of the gallery is, -inf for the query itself."""
    given = unit(vectors) if near == "cosine" else np.asarray(vectors, np.float32)
    there = given[gallery]
    squares = np.square(there).sum(axis=1) if near == "euclidean" else None
    place = np.full(len(given), -1)
    place[gallery] = np.arange(len(gallery))
    step = max(1, CHUNK_NUMBERS // max(1, len(gallery)))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        close = given[some] @ there.T
        if squares is not None:
            close = 2 * close - squares  # the query's own square is the same for all rows
        itself = place[some]
        close[np.flatnonzero(itself >= 0), itself[itself >= 0]] = -np.inf
        yield some, close


def ranks(
    vectors: ArrayLike, items: NDArray[np.int64], queries: NDArray[np.int64], gallery: NDArray[np.int64], near: Near
) -> Ranks:
    """Where the rows of the gallery that have the query's item stand; a query is not its own answer. `items` (rows,)."""
    found: list[NDArray[np.int64]] = []
    for some, close in nearness(vectors, queries, gallery, near):
        for query, row in zip(some.tolist(), close, strict=True):
            same = (items[gallery] == items[query]) & np.isfinite(row)
            relevant = np.sort(row[same])[::-1]
            others = np.sort(row[~same])  # the query itself is -inf and stands behind all
            before = len(others) - np.searchsorted(others, relevant, "left")
            found.append(np.arange(1, len(relevant) + 1) + before)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
    return Ranks(np.concatenate([*found, np.zeros(0, np.int64)]).astype(np.int64), offsets)


def recall(ranked: Ranks, k: int, any_: bool) -> Floats:
    """Of each query the share of its relevant rows among the k nearest, or whether there is one; NaN where it has none."""
    hits = _summed(ranked, (ranked.flat <= k).astype(np.float64))
    shares = np.divide(hits, ranked.relevant, out=np.full(len(hits), np.nan), where=ranked.relevant > 0)
    return np.where(np.isnan(shares), np.nan, shares > 0) if any_ else shares


def average_precision(ranked: Ranks) -> Floats:
    """Of each query; NaN where nothing is relevant."""
    total = _summed(ranked, _turn(ranked) / np.maximum(1, ranked.flat))
    return np.asarray(np.divide(total, ranked.relevant, out=np.full(len(total), np.nan), where=ranked.relevant > 0))


def ndcg(ranked: Ranks, k: int) -> Floats:
    """Of each query, with gains of 1; NaN where nothing is relevant."""
    gains = _summed(ranked, np.where(ranked.flat <= k, 1 / np.log2(ranked.flat + 1.0), 0.0))
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(1, k + 1) + 1.0))])
    ideal = best[np.minimum(ranked.relevant, k)]
    return np.asarray(np.divide(gains, ideal, out=np.full(len(gains), np.nan), where=ideal > 0))


def nearest(
    vectors: ArrayLike, queries: NDArray[np.int64], gallery: NDArray[np.int64], near: Near, k: int
) -> NDArray[np.int64]:
    """The k nearest rows of the gallery for each query, in no order, (queries, k); k is less than the gallery's rows."""
    found = [
        gallery[np.argpartition(-close, k - 1, axis=1)[:, :k]] for _, close in nearness(vectors, queries, gallery, near)
    ]
    return np.concatenate([*found, np.zeros((0, k), np.int64)])


def overlap(one: NDArray[np.int64], other: NDArray[np.int64]) -> Floats:
    """Of each row the share of `one` (rows, k) that is in `other` (rows, k)."""
    both = np.sort(np.concatenate([one, other], axis=1), axis=1)
    return np.asarray((both[:, 1:] == both[:, :-1]).sum(axis=1) / max(1, one.shape[1]), np.float64)


def cosines(one: ArrayLike, other: ArrayLike) -> Floats:
    """The cosine of each row's two vectors, in [-1, 1]; 1 where both are zero, 0 where one is."""
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    nothing = (first == 0).all(axis=1) & (second == 0).all(axis=1)
    found = (first * second).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return np.clip(np.where(nothing, 1.0, found), -1.0, 1.0)


def _summed(ranked: Ranks, values: Floats) -> Floats:
    """The sum of values that belong to each query."""
    whole = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(whole[ranked.offsets[1:]] - whole[ranked.offsets[:-1]])


def _turn(ranked: Ranks) -> NDArray[np.int64]:
    """How many relevant rows there are up to each, itself included."""
    return np.asarray(np.arange(1, len(ranked.flat) + 1) - np.repeat(ranked.offsets[:-1], ranked.relevant))
