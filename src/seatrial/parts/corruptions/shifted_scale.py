"""A sensor that drifts: every number of a column grows in spread and moves by part of its standard deviation.

x becomes mean + gain (x - mean) + shift, with gain 1.02 1.05 1.1 1.2 1.4 and shift .1 .2 .4 .7 1 standard deviations of the clean
sample; up or down is drawn for each column once by the seed. All rows alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions import _tables
from seatrial.parts.corruptions._draws import Draws

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("table",)}
GIVES = {"chance": ("yes",)}
GAINS, SHIFTS = (1.02, 1.05, 1.1, 1.2, 1.4), (0.1, 0.2, 0.4, 0.7, 1.0)

Options = _tables.ColumnOptions
learn = _tables.quantities


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns after the drift."""

    def drifted(cells: Array, draws: Draws, facts: Any) -> Array:
        mean, deviation = (np.array(facts[word]) for word in ("mean", "deviation"))
        side = np.where(draws.uniform(0, 1, cells.shape[1]) < 0.5, -1.0, 1.0)  # the same for all rows
        gain, shift = GAINS[damage.severity - 1], side * SHIFTS[damage.severity - 1] * deviation
        return np.asarray(mean + gain * (cells.astype(np.float64) - mean) + shift)

    return _tables.spoil_cells(columns, damage, "shifted_scale", drifted)
