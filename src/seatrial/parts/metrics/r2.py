"""R squared: how much of the labels' spread the predictions explain; 1 is perfect, 0 no better than always saying their mean.

Below 0 the model is worse than that mean. It depends on how much the labels of these rows differ: a slice of alike rows has a low
one with the same errors. Not defined where all labels are the same. The interval is a t interval on the log of what is left
unexplained (`numerics/regression.py`, with its simulated coverage); with a few rows that decide everything it covers less than it says.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import regression
from seatrial.parts.metrics._numbers import by_target

ACCEPTS = {"task": ("regression",), "answers": ("values",)}
GIVES = {"finding": ("r2",)}
COUNTS = ("variation",)
VERSION = 1
USUAL = True
NONE = "there are no two different labels"


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """R squared of each target."""
    sums, rows = tally.sums["variation"], tally.sums["rows"]
    return by_target("r2", tally, lambda target: regression.r2(sums[:, target], rows, level), "higher", none=NONE)
