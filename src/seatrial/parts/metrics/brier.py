"""Mean squared distance of the probabilities from the truth, summed over classes: 0 is perfect, 2 is certain and wrong.

Like log-loss it judges probabilities and not only the highest one, but no single row can dominate it. For two classes it is
twice the score that is given for the probability of one class alone. Source: Brier (1950).
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import losses
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("brier",)}
COUNTS = ("brier",)
VERSION = 2


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The mean score."""
    rows = tally.sums["rows"]
    found = losses.mean_intervals(tally.sums["brier"], rows, level, least=0.0, most=2.0)
    yield stated("brier", found, rows, "lower")
