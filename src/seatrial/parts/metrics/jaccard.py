"""Of the labels that a row has or was given, the share that are both, averaged over rows: 1 where all are right.

It doesn't reward labels that nobody has and nobody chose, as `hamming_loss` does. A row that has no label and was given none counts
as right, 1. The interval is corrected for skewness.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.losses import mean_intervals
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("multi_label",)}
GIVES = {"finding": ("jaccard",)}
COUNTS = ("jaccard",)
VERSION = 1
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The mean agreement of rows."""
    rows = tally.sums["rows"]
    yield stated("jaccard", mean_intervals(tally.sums["jaccard"], rows, level, least=0.0, most=1.0), rows, "higher")
