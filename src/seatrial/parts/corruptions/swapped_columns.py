"""Columns in the wrong order: in some rows, two of one type have changed places.

5 10 25 50 100 percent of the rows. Without `pairs`, the first column changes places with the second of its type, the
third with the fourth, and so on; in a column that holds a list of numbers a row, so do its numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from seatrial.contracts.damage import Damage
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.corruptions._draws import Draws

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("table",)}
GIVES = {"chance": ("yes",)}
SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)


class Options(PartOptions):
    """Which columns change places."""

    pairs: tuple[tuple[str, str], ...] = Field(
        default=(), description="[one, other] columns that change places; left out: neighbours of one type"
    )


def learn(sample: Columns, options: Options) -> dict[str, Any]:
    """By column, the one that it changes places with; itself where numbers of one row do. Raises `DataError`."""
    pairs = options.pairs or _neighbours(sample)
    for one, other in options.pairs:
        _exchangeable(sample, one, other)
    found = dict(pairs) | {other: one for one, other in pairs}
    if len(found) != 2 * len(pairs):
        raise DataError("a column is in two pairs, or in a pair with itself", where="pairs")
    lists = {} if options.pairs else {name: name for name, column in sample.items() if _is_list(column)}
    if not found | lists:
        raise DataError("no two inputs have one type, so none can change places", where="pairs")
    return found | lists


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns, some rows of which are in the wrong order."""
    spoilt, rows = dict(columns), len(next(iter(columns.values()))) if columns else 0
    wrong = Draws(damage.seed, "swapped_columns").uniform(damage.first, rows)[:, 0] < SHARES[damage.severity - 1]
    for name, other in damage.learnt.items():
        out = columns[name].copy()
        out[wrong] = _reordered(out[wrong]) if name == other else columns[other][wrong]
        spoilt[name] = out
    return spoilt


def _reordered(rows: Array) -> Array:
    """The first number with the second, the third with the fourth; an odd one stays."""
    order = np.arange(rows.shape[1])
    even = len(order) // 2 * 2
    order[:even] = order[:even].reshape(-1, 2)[:, ::-1].ravel()
    return rows[:, order]


def _is_list(column: Array) -> bool:
    return column.ndim == 2 and column.shape[1] > 1


def _neighbours(sample: Columns) -> list[tuple[str, str]]:
    by_type: dict[str, list[str]] = {}
    for name, column in sample.items():
        if column.ndim == 1:
            by_type.setdefault(str(column.dtype), []).append(name)
    return [pair for names in by_type.values() for pair in zip(names[::2], names[1::2], strict=False)]


def _exchangeable(sample: Columns, one: str, other: str) -> None:
    for name in (one, other):
        if name not in sample:
            known = ", ".join(f"`{known}`" for known in sample)
            raise DataError(f"there is no input column `{name}`", where="pairs", next_step=f"the inputs are {known}")
    mine, theirs = sample[one], sample[other]
    if mine.dtype != theirs.dtype or mine.shape != theirs.shape:
        raise DataError(
            f"`{one}` is {mine.dtype} and `{other}` is {theirs.dtype}: they can't change places", where="pairs"
        )
