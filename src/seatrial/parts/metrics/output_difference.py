"""How far the candidate's raw scores are from the reference's on the same rows: the largest difference and the mean one.

In the units of the model's output. The largest over all rows and classes is an exact figure of these rows and says nothing of
others; the mean (`output_difference.mean`) is over classes, then rows, with an interval. It needs no labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.parts.metrics import _mean
from seatrial.parts.metrics._counts import reference, scores, too_few

PAIRED = True
ACCEPTS = {"task": ("classification",), "answers": ("scores",)}
GIVES = {"finding": ("output_difference", "output_difference.mean")}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def count(batch: Batch, options: Options) -> dict[str, Any]:
    """Rows, the largest difference, and the moments of each row's mean difference."""
    difference = np.abs(scores(batch.answers) - scores(reference(batch)))
    largest = float(difference.max(initial=0.0))
    return _mean.moments(difference.mean(axis=1)) | {"rows": len(difference), "largest": largest}


def merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The larger of both, and the moments of all rows."""
    rows, largest = one["rows"] + other["rows"], max(one["largest"], other["largest"])
    return _mean.merge(one, other) | {"rows": rows, "largest": largest}


def findings(state: dict[str, Any], level: float, options: Options) -> Iterable[Finding]:
    """The largest and the mean absolute difference."""
    if state["rows"] == 0:
        yield too_few("output_difference", "lower", against="reference")
    else:
        yield Finding(
            what="output_difference",
            against="reference",
            value=state["largest"],
            better="lower",
            n=state["rows"],
            unit_of_replication="rows",
            method="largest absolute difference of raw scores over these rows and all classes",
        )
    yield _mean.mean("output_difference.mean", state, level, against="reference")
