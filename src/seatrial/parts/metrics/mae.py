"""Mean absolute error: by how much a predicted number is off, on average, in the units of the label.

It weighs every unit alike, so a few rows that are far off don't drive it as they drive `rmse`. Several targets have one figure each.
The interval is corrected for skewness.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.losses import mean_intervals
from seatrial.parts.metrics._numbers import by_target

ACCEPTS = {"task": ("regression",), "answers": ("values",)}
GIVES = {"finding": ("mae",)}
COUNTS = ("absolute_error",)
VERSION = 1
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The mean absolute error of each target."""
    sums, rows = tally.sums["absolute_error"], tally.sums["rows"]
    return by_target(
        "mae", tally, lambda target: mean_intervals(sums[:, target], rows, level, least=0.0), "lower", unit=True
    )
