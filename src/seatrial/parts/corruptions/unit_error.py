"""Numbers typed in the wrong unit: some cells ten or a thousand times too large, in inches for centimetres, and so on.

1 5 10 25 50 percent of the cells, each on its own. Whole numbers are rounded and kept within their type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions import _tables
from seatrial.parts.corruptions._draws import Draws

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("table",)}
GIVES = {"chance": ("yes",)}
SHARES = (0.01, 0.05, 0.1, 0.25, 0.5)
UNITS = {
    "x10": (10.0, 0.0),
    "x1000": (1000.0, 0.0),
    "per_10": (0.1, 0.0),
    "per_1000": (0.001, 0.0),
    "inch_to_cm": (2.54, 0.0),
    "cm_to_inch": (1 / 2.54, 0.0),
    "pound_to_kg": (0.45359237, 0.0),
    "kg_to_pound": (1 / 0.45359237, 0.0),
    "mile_to_km": (1.609344, 0.0),
    "km_to_mile": (1 / 1.609344, 0.0),
    "celsius_to_fahrenheit": (1.8, 32.0),
    "fahrenheit_to_celsius": (1 / 1.8, -32 / 1.8),
}
"""What a number is multiplied by, and what is added then. The inch, pound and mile are exact by definition (1959)."""


class Options(_tables.ColumnOptions):
    """Which columns, and which mistake."""

    unit: Literal[
        "x10",
        "x1000",
        "per_10",
        "per_1000",
        "inch_to_cm",
        "cm_to_inch",
        "pound_to_kg",
        "kg_to_pound",
        "mile_to_km",
        "km_to_mile",
        "celsius_to_fahrenheit",
        "fahrenheit_to_celsius",
    ] = Field(default="x10", description="what happens to a number that is hit")


learn = _tables.quantities


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with some cells in another unit."""
    factor, offset = UNITS[options.unit]

    def mistaken(cells: Array, draws: Draws, facts: Any) -> Array:
        out = cells.copy()
        wrong = _tables.hit(cells, draws, damage, SHARES)
        with np.errstate(over="ignore"):  # a half float may become infinite: so would the real mistake
            out[wrong] = _tables.stored(cells[wrong].astype(np.float64) * factor + offset, cells.dtype)
        return out

    return _tables.spoil_cells(columns, damage, "unit_error", mistaken)
