"""Matthews' correlation between labels and predicted classes: 1 is perfect, 0 is no better than chance, -1 is the reverse.

It is high only where all four cells of the table are good, so a rare class can't be bought off with a common one. A model that
always says the same class has 0. Source: Matthews (1975); Gorodkin (2004) for more than two classes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import agreement
from seatrial.parts.metrics._stated import NO_ROWS, stated

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("mcc",)}
COUNTS = ("confusion",)
VERSION = 1

NONE = "all labels are of one class: nothing can go with them"


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The figure over all classes."""
    rows = np.asarray(tally.sums["rows"])
    none = np.where(rows > 0, NONE, NO_ROWS).astype(object)
    yield stated("mcc", agreement.mcc(tally.sums["confusion"], level), rows, "higher", none)
