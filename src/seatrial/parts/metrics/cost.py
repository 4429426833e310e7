"""Mean cost of a row's decision by a matrix of costs, and what it saves against always deciding the same (`cost.saved`).

Where mistakes don't cost the same, this is what to decide by: overlooking a fraud isn't asking a customer once more. Say what
each decision costs for each label, in any unit; gains are below 0. `cost.saved` is the value of the model's decisions: the cost
of the best fixed decision minus the model's, a row. Below 0 the model does harm.

    metrics:
      - cost:
          matrix: [[0, 1], [50, 0]]     # a false alarm costs 1, an overlooked one 50
          unit: EUR
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.errors import DataError
from seatrial.numerics import costs
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("cost", "cost.saved")}
COUNTS = ("confusion",)
VERSION = 1


class Options(PartOptions):
    """What decisions cost."""

    matrix: tuple[tuple[float, ...], ...] = Field(
        description="costs, a row for each label and in it a number for each decision, classes in their order"
    )
    unit: str = Field(default="", description="what the costs are in: EUR, minutes; empty for plain numbers")


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """Cost a row, and the saving a row. Raises `DataError` for a matrix that doesn't fit the classes."""
    classes = len(tally.classes)
    if [len(row) for row in options.matrix] != [classes] * classes:
        raise DataError(f"the cost matrix has {len(options.matrix)} rows, not {classes} rows of {classes} costs each")
    table, prices, rows = tally.sums["confusion"], np.array(options.matrix), tally.sums["rows"]
    yield stated("cost", costs.mean_cost(table, prices, level), rows, "lower", unit=options.unit)
    yield stated("cost.saved", costs.saving(table, prices, level), rows, "higher", unit=options.unit)
