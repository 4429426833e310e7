"""What the corruptions of tables share: which columns, what is known of them, cells that are hit, types that are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.parts.corruptions._draws import Draws
from seatrial.parts.corruptions._names import chosen

if TYPE_CHECKING:
    from seatrial.contracts.damage import Damage
    from seatrial.contracts.protocols import Columns
    from seatrial.contracts.values import Array


class ColumnOptions(PartOptions):
    """Which columns."""

    columns: tuple[str, ...] = Field(default=(), description="columns that go bad; left out: all that can")


def no_numbers(column: Array) -> str:
    """Why it isn't a column of numbers, or of equally many numbers a row; empty if it is."""
    if column.dtype.kind not in "iuf":
        return f"holds {'text' if is_text(column) else column.dtype}, no numbers"
    return "" if column.ndim <= 2 else "holds more than a list of numbers a row"


def no_quantity(column: Array) -> str:
    """Why it isn't a quantity: no numbers, or only two values, which are a flag."""
    if why := no_numbers(column):
        return why
    seen = column[np.isfinite(column)]
    return "" if seen.size and np.any((seen != seen.min()) & (seen != seen.max())) else "has no more than two values"


def is_text(column: Array) -> bool:
    """Whether it holds strings, possibly with nothing in some rows."""
    return column.dtype.kind in "UO"


def quantities(sample: Columns, options: ColumnOptions) -> dict[str, Any]:
    """By column of numbers: mean, standard deviation and median of each number of a row, without what is missing."""
    refusal = no_numbers if options.columns else no_quantity
    names = chosen(sample, options.columns, refusal, "numbers that take more than two values")
    return {name: moments(sample[name]) for name in names}


def moments(column: Array) -> dict[str, list[float]]:
    """Of each number of a row over the sample: mean, standard deviation, median; zeros where all are missing."""
    found: dict[str, list[float]] = {"mean": [], "deviation": [], "median": []}
    for values in wide(column).T:
        seen = values[np.isfinite(values)].astype(np.float64)
        some = seen if seen.size else np.zeros(1)
        for name, formula in (("mean", np.mean), ("deviation", np.std), ("median", np.median)):
            found[name].append(float(formula(some)))
    return found


def wide(column: Array) -> Array:
    """Rows x numbers a row."""
    return column.reshape(len(column), math.prod(column.shape[1:]))


Cells = Callable[["Array", Draws, Mapping[str, Any]], "Array"]
"""Changed cells (rows x numbers a row, in any type), of these cells, the column's draws, and what was learnt of it."""


def spoil_cells(columns: Columns, damage: Damage, name: str, change: Cells) -> dict[str, Array]:
    """All columns, those that were learnt changed, in the types they had."""
    spoilt = dict(columns)
    for column, facts in damage.learnt.items():
        cells = wide(columns[column])
        changed = change(cells, Draws(damage.seed, name, column), facts)
        spoilt[column] = stored(changed, columns[column].dtype).reshape(columns[column].shape)
    return spoilt


def hit(cells: Array, draws: Draws, damage: Damage, shares: tuple[float, ...]) -> Array:
    """Which cells are hit: this severity's share of them, each on its own; those of a lower severity among them."""
    return draws.uniform(damage.first, len(cells), cells.shape[1]) < shares[damage.severity - 1]


def stored(values: Array, dtype: np.dtype[Any]) -> Array:
    """In this type: rounded and kept within bounds for whole numbers, as wide as needed for text."""
    if dtype.kind == "U":
        return values.astype(np.str_)
    if dtype.kind not in "iu" or values.dtype == dtype:
        return values.astype(dtype, copy=False)
    bounds = np.iinfo(dtype)
    whole = np.rint(values)
    kept = np.clip(whole, bounds.min, bounds.max)
    with np.errstate(invalid="ignore"):
        exact = kept.astype(dtype)
    exact[whole >= float(bounds.max)] = bounds.max  # the float nearest to it may lie above it
    return exact
