"""How far each row's vector turns from the reference's: one minus the cosine between the two, and how many turn far.

0 is the same direction. `cosine_drift` is the mean; `cosine_drift.beyond` is the share of rows that turn by more than a limit,
and `cosine_drift.most` the largest of these rows, an exact figure that says nothing of others. A small mean can hide a few rows that
are lost. It needs no labels. Vectors of two spaces can't be compared by this, however good both are: of a candidate with another
number of dimensions, or trained anew, look at `neighbour_overlap`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.quality import Batch, Figure
from seatrial.errors import Unsupported
from seatrial.numerics.resampled import weighted_means
from seatrial.numerics.retrieval import cosines

PAIRED = True
WHOLE = True
USUAL = True
ACCEPTS = {"task": ("embedding",)}
GIVES = {"finding": ("cosine_drift", "cosine_drift.beyond", "cosine_drift.most")}
VERSION = 1


class Options(PartOptions):
    """What is far."""

    beyond: tuple[float, ...] = Field(
        default=(0.001, 0.01, 0.1), description="limits of the drift beyond which rows are counted"
    )


def see(batch: Batch, options: Options) -> Any:
    """Each row's drift. Raises `Unsupported` for vectors of different lengths."""
    assert batch.reference is not None
    own, other = batch.answers["vectors"], batch.reference["vectors"]
    if own.shape != other.shape:
        told = f"the candidate's vectors have {own.shape[1]} numbers, the reference's {other.shape[1]}"
        raise Unsupported(f"{told}: they have no cosine", next_step="compare neighbours instead")
    return 1.0 - cosines(own, other)


def figures(seen: Any, weights: Any, options: Options) -> Iterable[Figure]:
    """The mean, the shares beyond each limit, and the largest."""
    every, some = np.ones(len(seen), bool), np.asarray(weights) > 0
    mean = weighted_means(seen, weights)
    yield Figure("cosine_drift", mean, every, "lower", share=False, method="mean over rows")
    for limit in options.beyond:
        share = weighted_means(seen > limit, weights)
        yield Figure("cosine_drift.beyond", share, every, "lower", at={"drift": limit}, method="share of rows")
    most = np.where(some.any(axis=1), np.where(some, seen, -np.inf).max(axis=1, initial=-np.inf), np.nan)
    yield Figure("cosine_drift.most", most, every, "lower", share=False, exact=True, method="the largest of these rows")
