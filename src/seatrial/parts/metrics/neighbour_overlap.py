"""Whether rows keep their neighbours: the share of the reference's k nearest rows that are the candidate's k nearest, too.

A search built on the vectors answers with neighbours, so this is what users would see change. It needs no labels, and the two
models may have vectors of different lengths (a distilled student, say). Where rows lie equally near, which of them is among the k
is a matter of chance, and the overlap stays below 1 for no good reason: look at `retrieval_recall`, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from seatrial.contracts.quality import Batch, Figure
from seatrial.errors import Unsupported
from seatrial.numerics import retrieval
from seatrial.parts.metrics._neighbours import Searched, asked, by_row, mean_figure

PAIRED = True
WHOLE = True
ACCEPTS = {"task": ("embedding",)}
GIVES = {"finding": ("neighbour_overlap",)}
VERSION = 1


class Options(Searched):
    """How many neighbours."""

    k: int = Field(default=10, ge=1, description="how many of the nearest rows are a row's neighbours")


def see(batch: Batch, options: Options) -> Any:
    """Each query's overlap. Raises `Unsupported` where there are too few rows to choose k of."""
    assert batch.reference is not None
    one, rows = asked(batch), len(batch.answers["vectors"])
    if len(one.gallery) < options.k + 2:
        raise Unsupported(
            f"{options.k} neighbours can't be chosen among {len(one.gallery)} rows", next_step="say a smaller `k`"
        )
    sides = (side["vectors"] for side in (batch.answers, batch.reference))
    own, other = (retrieval.nearest(side, one.queries, one.gallery, options.near, options.k) for side in sides)
    return by_row(retrieval.overlap(own, other), one.queries, rows)


def figures(seen: Any, weights: Any, options: Options) -> Iterable[Figure]:
    """The mean overlap."""
    return mean_figure("neighbour_overlap", seen, weights, at={"k": options.k})
