"""Mean of -log of the probability given to the right class, in nats: how much the probabilities can be relied on.

Unlike accuracy it sees when a model grows more or less sure. One confident mistake weighs much, so the interval is corrected
for skewness. Probabilities are clipped at 1e-15: certain and wrong costs 34.5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import losses
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("log_loss",)}
COUNTS = ("log_loss",)
VERSION = 2
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The mean loss."""
    rows = tally.sums["rows"]
    found = losses.mean_intervals(tally.sums["log_loss"], rows, level, least=0.0, most=-math.log(losses.FLOOR))
    yield stated("log_loss", found, rows, "lower", unit="nats")
