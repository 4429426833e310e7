"""Root of the mean squared error: how far predicted numbers are off, large errors weighing more, in the units of the label.

Always at least as large as `mae`; much larger where few rows cause most of the error. The interval is the root of that for the mean
squared error, corrected for skewness. Where squared errors have no finite spread (very heavy tails), it covers less than it says.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import regression
from seatrial.parts.metrics._numbers import by_target

ACCEPTS = {"task": ("regression",), "answers": ("values",)}
GIVES = {"finding": ("rmse",)}
COUNTS = ("squared_error",)
VERSION = 1
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The root mean squared error of each target."""
    sums, rows = tally.sums["squared_error"], tally.sums["rows"]
    return by_target("rmse", tally, lambda target: regression.rmse(sums[:, target], rows, level), "lower", unit=True)
