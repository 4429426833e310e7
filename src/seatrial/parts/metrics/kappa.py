"""Cohen's kappa: how much more often labels and predictions agree than by chance, given how often each class is used.

1 is perfect, 0 is chance. It depends on how common the classes are, so compare it on the same rows only. Source: Cohen (1960).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import agreement
from seatrial.parts.metrics._stated import NO_ROWS, stated

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("kappa",)}
COUNTS = ("confusion",)
VERSION = 1

NONE = "one class alone was labelled and predicted: all agreement is chance"


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The figure over all classes."""
    rows = np.asarray(tally.sums["rows"])
    none = np.where(rows > 0, NONE, NO_ROWS).astype(object)
    yield stated("kappa", agreement.kappa(tally.sums["confusion"], level), rows, "higher", none)
