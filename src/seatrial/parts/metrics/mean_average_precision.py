"""How far up a search by vectors puts all that it should find: mean average precision of retrieval.

Going down the list of nearest rows, precision is taken at each right one and averaged: 1 when all right ones stand first. It
looks at the whole list, where `retrieval_recall` looks at its beginning. Relevance, queries and intervals are as there.
Not to be mixed up with the mAP of detection, which is called `map`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seatrial.contracts.quality import Batch, Figure
from seatrial.numerics import retrieval
from seatrial.parts.metrics._neighbours import Searched, by_row, mean_figure, ranked

WHOLE = True
ACCEPTS = {"task": ("embedding",)}
GIVES = {"finding": ("mean_average_precision",)}
VERSION = 1


class Options(Searched):
    """How rows are compared."""


def see(batch: Batch, options: Options) -> Any:
    """Each query's average precision."""
    asked, ranks = ranked(batch, options.near)
    return by_row(retrieval.average_precision(ranks), asked.queries, len(batch.answers["vectors"]))


def figures(seen: Any, weights: Any, options: Options) -> Iterable[Figure]:
    """Their mean."""
    return mean_figure("mean_average_precision", seen, weights)
