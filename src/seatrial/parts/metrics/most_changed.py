"""The rows whose outputs changed most against the reference, by their numbers: where to look first, and what to look for.

The change of a row is the root of its mean squared difference over all columns, as a share of the standard deviation of the reference's outputs over
all rows. Rows are numbered from 0 in the order in which they judge; what is in them is told nowhere. It needs no labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.quality import Batch, Figure

PAIRED = True
WHOLE = True
ACCEPTS = {"task": ("classification", "multi_label", "regression"), "answers": ("scores", "values")}
GIVES = {"finding": ("most_changed",)}
CANNOT = {"slices": ("never", "these are single rows; `output_difference` tells of groups of rows")}
VERSION = 1


class Options(PartOptions):
    """How many rows are named."""

    rows: int = Field(default=10, ge=1, le=1000, description="how many rows are named, those that changed most first")


def see(batch: Batch, options: Options) -> Any:
    """The change of every row."""
    assert batch.reference is not None
    name = "scores" if "scores" in batch.answers else "values"
    if not len(batch.answers[name]):
        return np.zeros(0)
    own, other = (np.asarray(side[name], np.float64).reshape(len(side[name]), -1) for side in (batch.answers, batch.reference))  # fmt: skip
    return np.sqrt(np.mean((own - other) ** 2, axis=1)) / (float(other.std()) or 1.0)


def figures(seen: Any, weights: Any, options: Options) -> Iterable[Figure]:
    """One figure a row; of rows that changed alike the first come first."""
    for row in np.argsort(-seen, kind="stable")[: options.rows]:
        alone = np.zeros(len(seen), bool)
        alone[row] = True
        yield Figure(
            what="most_changed",
            values=np.where(weights.any(axis=1), seen[row], np.nan),
            rows=alone,
            better="lower",
            at={"row": int(row)},
            share=False,
            exact=True,
            method="root mean square change of the row's outputs, over the standard deviation of the reference's outputs",
        )
