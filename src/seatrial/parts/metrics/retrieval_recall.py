"""Whether a search by vectors finds what it should among the k nearest: recall at k.

Rows with the same label should find each other; each row asks, and all others are searched, unless a second label column says
which rows ask and which are found. Of embeddings people call it recall at k when at least one right row is among the k nearest
(`counts: any`); `counts: all` is the share of all right rows that are, which small k can't bring near 1 where there are many.

    metrics: [{retrieval_recall: {k: [1, 10]}}]

The interval is over queries: other queries might have been asked, of the same rows to be found. Queries of one thing are alike:
name its column as the data's `group`, or the interval is too narrow. Of equally near rows the wrong ones count as nearer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from seatrial.contracts.quality import Batch, Figure
from seatrial.numerics import retrieval
from seatrial.parts.metrics._neighbours import Searched, by_row, mean_figure, ranked

WHOLE = True
USUAL = True
ACCEPTS = {"task": ("embedding",)}
GIVES = {"finding": ("retrieval_recall",)}
CANNOT = {
    "approximate search": ("never", "an index of its own would hide what the vectors do; it is searched row by row")
}
VERSION = 1


class Options(Searched):
    """How many are looked at, and what counts."""

    k: tuple[int, ...] = Field(default=(1, 5, 10), min_length=1, description="how many of the nearest are looked at")
    counts: Literal["any", "all"] = Field(
        default="any",
        description="`any`: whether a right one is among them; `all`: the share of the right ones that are",
    )

    @field_validator("k", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return [given] if isinstance(given, int) else given

    @field_validator("k")
    @classmethod
    def _positive(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if min(given) < 1:
            raise ValueError("`k` is 1 or more")
        return given


def see(batch: Batch, options: Options) -> dict[int, Any]:
    """Each query's recall at each k."""
    asked, ranks = ranked(batch, options.near)
    rows = len(batch.answers["vectors"])
    return {
        k: by_row(retrieval.recall(ranks, k, options.counts == "any"), asked.queries, rows)
        for k in dict.fromkeys(options.k)
    }


def figures(seen: dict[int, Any], weights: Any, options: Options) -> Iterable[Figure]:
    """The mean recall at each k."""
    for k, values in seen.items():
        yield from mean_figure("retrieval_recall", np.asarray(values), weights, at={"k": k})
