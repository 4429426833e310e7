"""Cells that are empty: NaN, or a stated value, or the median that a pipeline fills in.

5 10 20 30 50 percent of the cells, each on its own (missing completely at random). A type that has no empty value (whole
numbers) needs a `value`: without one such a column is left out, or refused if it was named. Text without a `value`
becomes None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.corruptions import _tables
from seatrial.parts.corruptions._draws import Draws
from seatrial.parts.corruptions._names import chosen

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("table",)}
GIVES = {"chance": ("yes",)}
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)


class Options(_tables.ColumnOptions):
    """Which columns, and what stands for nothing."""

    value: float | str | None = Field(
        default=None, description="what stands in empty cells: a number, a word, or `median`; left out: NaN"
    )


def learn(sample: Columns, options: Options) -> dict[str, Any]:
    """By column, what its empty cells hold. Raises `DataError` where its type has nothing for it."""
    names = chosen(sample, options.columns, lambda column: _cannot_miss(column, options), "a type with an empty value")
    return {name: {"empty": _empty(name, sample[name], options)} for name in names}


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with holes."""

    def emptied(cells: Array, draws: Draws, facts: Any) -> Array:
        out = cells.astype(object) if _tables.is_text(cells) else cells.copy()
        holes = _tables.hit(cells, draws, damage, SHARES)
        empty = np.array(facts["empty"], object if out.dtype == object else np.float64)
        values = np.broadcast_to(empty, out.shape)[holes]
        out[holes] = values if out.dtype == object else _tables.stored(values, out.dtype)
        return out

    return _tables.spoil_cells(columns, damage, "missing_values", emptied)


def _cannot_miss(column: Array, options: Options) -> str:
    """Why cells of this column can't be empty as the options have it; empty if they can."""
    if _tables.is_text(column):
        words = options.value is None or (isinstance(options.value, str) and options.value != "median")
        if not words:
            return f"holds text, which `{options.value}` is not"
        return "holds text of fixed width, which has no empty value: state `value`" if _fixed(column, options) else ""
    if why := _tables.no_numbers(column):
        return why
    if isinstance(options.value, str) and options.value != "median":
        return f"holds numbers, which `{options.value}` is not"
    if options.value is None and column.dtype.kind != "f":
        return f"is {column.dtype}, which has no NaN: state `value`, such as 0 or median"
    return ""


def _fixed(column: Array, options: Options) -> bool:
    return column.dtype.kind == "U" and options.value is None


def _empty(name: str, column: Array, options: Options) -> Any:
    """A word or None for text, a number for each number of a row else (NaN is kept as a number)."""
    if _tables.is_text(column):
        return options.value
    if options.value == "median":
        return _tables.moments(column)["median"]
    if options.value is None:
        return None
    value = float(options.value)
    if column.dtype.kind != "f":
        bounds = np.iinfo(column.dtype)
        if not value.is_integer() or not bounds.min <= value <= bounds.max:
            raise DataError(f"the `value` {value:g} doesn't fit into `{name}`, which is {column.dtype}", where="value")
    return value
