"""Squared calibration error without the bias that binning brings: whether probabilities are what they say, with an interval.

The mean squared distance between probability and observed share over bins, less what chance alone would give, so that a
calibrated model comes out around 0, and at times below it. Its lower bound is above 0 only where a test rejects perfect
calibration. Its square root would be on the scale of probabilities, but must not be taken of an estimate that can be negative.
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
VERSION = 1
USUAL = True

Options = Binned


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The debiased squared error."""
    for view in views(tally, options):
        found = squared_errors(tables(view, options), level)
        yield measure("calibration_error", view, found, "lower", "no bin holds two rows", level)
