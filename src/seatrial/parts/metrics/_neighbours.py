"""What metrics of vectors share: which rows ask and which are found, and ranks that are worked out once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.quality import Batch, Figure
from seatrial.errors import DataError, Unsupported
from seatrial.numerics import retrieval
from seatrial.numerics.resampled import weighted_means

QUERY, GALLERY = 1, 2


class Searched(PartOptions):
    """How rows are compared."""

    near: Literal["cosine", "dot", "euclidean"] = Field(
        default="cosine", description="what near is: the cosine, the product of the vectors, or their distance"
    )


class Asked(NamedTuple):
    """The rows that ask, the rows among which is searched, and what each row shows (None: unlabelled)."""

    queries: NDArray[np.int64]
    gallery: NDArray[np.int64]
    items: NDArray[np.int64] | None


def asked(batch: Batch) -> Asked:
    """By the labels' roles; without labels every row asks and is found. Raises `Unsupported` for too many pairs."""
    rows = len(batch.answers["vectors"])
    if batch.labels is None:
        roles, items = np.zeros(rows, np.int64), None
    else:
        labels = np.asarray(batch.labels)
        items, roles = labels[:, 0], labels[:, 1]
    found = Asked(np.flatnonzero(roles != GALLERY), np.flatnonzero(roles != QUERY), items)
    if len(found.queries) * len(found.gallery) > retrieval.MOST_PAIRS:
        raise Unsupported(
            f"{len(found.queries):,} queries among {len(found.gallery):,} rows are too many to be searched one by one",
            next_step="say which rows ask and which are found: `labels: [LABEL, role]`",
        )
    return found


def ranked(batch: Batch, near: retrieval.Near) -> tuple[Asked, retrieval.Ranks]:
    """Where the rows that should be found stand. Raises `DataError` without labels."""
    if batch.labels is None:
        raise DataError("this metric needs labels", next_step="name the `label` column of the evaluation data")
    given = np.ascontiguousarray(batch.answers["vectors"])
    key = hashlib.blake2b(given.tobytes() + np.ascontiguousarray(batch.labels).tobytes()).hexdigest()
    return _ranked(_Held(key, near, batch))


class _Held:
    """A batch that is known by its content."""

    def __init__(self, key: str, near: retrieval.Near, batch: Batch) -> None:
        self.key, self.near, self.batch = (key, near), near, batch

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.key == other.key


@lru_cache(maxsize=4)
def _ranked(held: _Held) -> tuple[Asked, retrieval.Ranks]:
    one = asked(held.batch)
    assert one.items is not None
    made = retrieval.ranks(held.batch.answers["vectors"], one.items, one.queries, one.gallery, held.near)
    held.batch = Batch({}, None)  # what was worked out is kept, not the vectors
    return one, made


def by_row(values: Any, queries: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    """The queries' values at their rows' places, NaN elsewhere."""
    made = np.full(rows, np.nan)
    made[queries] = values
    return made


def mean_figure(what: str, values: NDArray[np.float64], weights: Any, **more: Any) -> Iterable[Figure]:
    """The mean over the rows that have a value, with the rows to be found as they are."""
    rows = ~np.isnan(values)
    lacking = "" if rows.any() else "no row has another one that it should find"
    method = more.pop("method", "mean over queries, the rows to be found as given")
    better = more.pop("better", "higher")
    yield Figure(what, weighted_means(values, weights), rows, better, note=lacking, method=method, **more)
