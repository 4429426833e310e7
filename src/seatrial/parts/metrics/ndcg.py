"""How far up a search by vectors puts what it should find, the first places counting most: normalised discounted gain at k.

A right row at rank r is worth 1 / log2(r + 1); the sum over the k nearest is divided by the largest that it could be. Relevance,
queries and intervals are those of `retrieval_recall`.

Source: Jarvelin & Kekalainen (2002), ACM Transactions on Information Systems 20, 422-446.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from seatrial.contracts.quality import Batch, Figure
from seatrial.numerics import retrieval
from seatrial.parts.metrics._neighbours import Searched, by_row, mean_figure, ranked

WHOLE = True
ACCEPTS = {"task": ("embedding",)}
GIVES = {"finding": ("ndcg",)}
CANNOT = {"degrees of relevance": ("not yet ours", "a row is right or it isn't")}
VERSION = 1


class Options(Searched):
    """How many are looked at."""

    k: int = Field(default=10, ge=1, description="how many of the nearest are looked at")


def see(batch: Batch, options: Options) -> Any:
    """Each query's gain."""
    asked, ranks = ranked(batch, options.near)
    return by_row(retrieval.ndcg(ranks, options.k), asked.queries, len(batch.answers["vectors"]))


def figures(seen: Any, weights: Any, options: Options) -> Iterable[Figure]:
    """Their mean."""
    return mean_figure("ndcg", seen, weights, at={"k": options.k})
