"""Squared calibration error without the bias that binning brings: whether probabilities are what they say, with an interval.

The mean squared distance between probability and observed share over bins, less what chance alone would give, so that a
calibrated model comes out around 0, and at times below it. Its lower bound is above 0 only where a test rejects perfect
calibration. Its square root would be on the scale of probabilities, but must not be taken of an estimate that can be negative.
Bins of equally many rows are the default. Of equal width (`mass: false`), many hold few rows where a class is rare: a bin of one row
says nothing of its chance and is left out, and intervals hold less often than they say.
Source: Kumar, Liang & Ma (2019), NeurIPS 32.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.calibration import squared_errors
from seatrial.parts.metrics._calibration import Binned, measure, tables, views

ACCEPTS = {"task": ("classification",), "answers": ("probabilities",)}
GIVES = {"finding": ("calibration_error",)}
COUNTS = ("confidence", "scores?")
CANNOT = {
    "bins of few rows": (
        "never",
        "with bins of equal width and a rare class many bins hold one row or two: simulated with 15 positives of 1,000 rows, intervals at "
        ".95 held .90; bins of equally many rows hold",
    )
}
VERSION = 1
USUAL = True

Options = Binned


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The debiased squared error."""
    for view in views(tally, options):
        found = squared_errors(tables(view, options), level)
        yield measure("calibration_error", view, found, "lower", "no bin holds two rows", level)
