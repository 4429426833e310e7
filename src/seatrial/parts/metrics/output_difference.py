"""How far the candidate's raw outputs are from the reference's on the same rows: the largest difference and the mean one.

In the units of the model's output. The largest over all rows and columns is an exact figure of these rows and says nothing of
others; the mean (`output_difference.mean`) is over columns, then rows, with an interval. It needs no labels.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.losses import mean_intervals
from seatrial.parts.metrics._stated import NO_ROWS, stated

PAIRED = True
ACCEPTS = {"task": ("classification", "multi_label", "regression"), "answers": ("scores", "values")}
GIVES = {"finding": ("output_difference", "output_difference.mean")}
COUNTS = ("output_difference",)
VERSION = 2
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The largest and the mean absolute difference."""
    rows = tally.sums["rows"]
    bounds, some = np.full(len(rows), np.nan), rows > 0
    largest = tally.peaks.get("output_difference", bounds)  # sums without some of the rows have no largest value
    yield Measure(
        what="output_difference",
        value=np.where(some, largest, np.nan),
        low=bounds,
        high=bounds,
        n=rows,
        method="largest absolute difference of raw outputs over these rows and all columns",
        better="lower",
        note=list(np.where(some, "", NO_ROWS)),
        against=True,
    )
    found = mean_intervals(tally.sums["output_difference"], rows, level, least=0.0)
    yield stated("output_difference.mean", found, rows, "lower", against=True)
