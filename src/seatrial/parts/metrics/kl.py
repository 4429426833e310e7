"""How far the candidate's probabilities are from the reference's on the same rows: mean KL(reference || candidate), in nats.

It sees changes that accuracy and flips don't: a model that is as right as before but less sure. It needs no labels.
Probabilities are clipped at 1e-15.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import losses
from seatrial.parts.metrics._stated import stated

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("kl",)}
COUNTS = ("kl",)
VERSION = 2
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The mean divergence."""
    rows = tally.sums["rows"]
    found = losses.mean_intervals(tally.sums["kl"], rows, level, least=0.0, most=-math.log(losses.FLOOR))
    yield stated("kl", found, rows, "lower", unit="nats", against=True)
