"""A category that the model never met: some rows of a column hold a word or code that was not there before.

5 10 20 30 50 percent of the rows. Left to itself it takes columns of text; columns of codes (whole numbers) have to be named,
and get one more than their highest, or `value`.
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
WORD = "never seen before"


class Options(_tables.ColumnOptions):
    """Which columns, and the new category."""

    value: str | int | None = Field(
        default=None, description="the new category; left out: a word of ours, or one more than the highest code"
    )


def learn(sample: Columns, options: Options) -> dict[str, Any]:
    """By column, its new category. Raises `DataError` where that is in the sample, or doesn't fit the column."""
    refusal = _no_codes if options.columns else _no_words
    names = chosen(sample, options.columns, refusal, "categories (text; codes when named)")
    return {name: {"new": _new(name, sample[name], options)} for name in names}


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with new categories."""

    def replaced(cells: Array, draws: Draws, facts: Any) -> Array:
        out = cells.astype(object) if _tables.is_text(cells) else cells.copy()
        out[_tables.hit(cells, draws, damage, SHARES)] = facts["new"]
        return out

    return _tables.spoil_cells(columns, damage, "unseen_category", replaced)


def _no_words(column: Array) -> str:
    return "" if _tables.is_text(column) and column.ndim == 1 else "isn't a column of text"


def _no_codes(column: Array) -> str:
    codes = column.dtype.kind in "iu" or (column.dtype.kind == "f" and _whole(column))
    return "" if column.ndim == 1 and (codes or _tables.is_text(column)) else "holds no categories"


def _whole(column: Array) -> bool:
    seen = column[np.isfinite(column)]
    return bool(np.array_equal(seen, np.trunc(seen)))


def _new(name: str, column: Array, options: Options) -> str | int:
    new = _word(options) if _tables.is_text(column) else _code(name, column, options)
    if new in column.tolist():
        raise DataError(f"`{new}` is a category of `{name}` already", where="value", next_step="state another `value`")
    return new


def _word(options: Options) -> str:
    return WORD if options.value is None else str(options.value)


def _code(name: str, column: Array, options: Options) -> int:
    """A whole number that fits into the column."""
    if isinstance(options.value, str):
        raise DataError(f"the codes of `{name}` are whole numbers, which `{options.value}` is not", where="value")
    seen = column[np.isfinite(column)]
    highest = int(seen.max()) if seen.size else -1
    code = highest + 1 if options.value is None else options.value
    if column.dtype.kind != "f" and not np.iinfo(column.dtype).min <= code <= np.iinfo(column.dtype).max:
        raise DataError(f"the code {code} doesn't fit into `{name}`, which is {column.dtype}", where="value")
    return code
