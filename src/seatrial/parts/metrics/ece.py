"""Expected calibration error: how far probabilities lie from what happens, on average over bins. Known to be biased upward.

A perfectly calibrated model doesn't score 0 but some .06 on 500 rows and .01 on 10,000: the method says what it would score
here by chance alone. To decide by calibration, take `calibration_error`, which has no such bias and has an interval. Binning
understates the true error, too. Source: Naeini, Cooper & Hauskrecht (2015), AAAI.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import calibration
from seatrial.parts.metrics._calibration import Binned, bare, measure, tables, views

ACCEPTS = {"task": ("classification",), "answers": ("probabilities",)}
GIVES = {"finding": ("ece",)}
COUNTS = ("confidence", "scores?")
CANNOT = {"interval": ("never", "its bias depends on the unknown truth; `calibration_error` has an interval")}
VERSION = 1

Options = Binned


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The error, and in its method what chance alone would give."""
    for view in views(tally, options):
        found = []
        for table in tables(view, options):
            value, chance = calibration.ece(table)
            found.append(bare(value, f"{len(table.n)} bins; biased upward: {chance:.2g} by chance alone"))
        yield measure("ece", view, found, "lower", "there are no rows")
