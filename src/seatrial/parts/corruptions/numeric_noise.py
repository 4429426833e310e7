"""Numbers that are a little off: normal noise on every cell, in standard deviations of its column.

.05 .1 .2 .4 .8 standard deviations of the clean sample. Whole numbers are rounded.
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
DEVIATIONS = (0.05, 0.1, 0.2, 0.4, 0.8)

Options = _tables.ColumnOptions
learn = _tables.quantities


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with noise."""

    def noisy(cells: Array, draws: Draws, facts: Any) -> Array:
        noise = draws.normal(damage.first, len(cells), cells.shape[1])
        return np.asarray(cells + noise * (DEVIATIONS[damage.severity - 1] * np.array(facts["deviation"])))

    return _tables.spoil_cells(columns, damage, "numeric_noise", noisy)
