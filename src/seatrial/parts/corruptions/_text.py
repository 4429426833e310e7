"""What the corruptions of text share: which columns, and one edit of each string."""

from __future__ import annotations

from collections.abc import Callable
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


class TextOptions(PartOptions):
    """Which columns."""

    columns: tuple[str, ...] = Field(default=(), description="columns that go bad; left out: all columns of text")


Edit = Callable[[str, np.random.Generator], str]
"""The changed string. It takes as many random numbers at every severity, so that severities share them."""


def learn_text(sample: Columns, options: TextOptions) -> dict[str, Any]:
    """The columns of text. Raises `DataError` where there are none."""
    return {name: {} for name in chosen(sample, options.columns, _no_text, "text")}


def spoil(columns: Columns, damage: Damage, name: str, edit: Edit) -> dict[str, Array]:
    """All columns, each string of those that were learnt edited; what is no string (a missing one) stays."""
    spoilt = dict(columns)
    for column in damage.learnt:
        strings = columns[column]
        generators = Draws(damage.seed, name, column).rows(damage.first, len(strings))
        edited = np.empty(len(strings), dtype=object)
        for row, (text, generator) in enumerate(zip(strings.tolist(), generators, strict=True)):
            edited[row] = edit(text, generator) if isinstance(text, str) else text
        spoilt[column] = edited if strings.dtype == object else edited.astype(np.str_)
    return spoilt


def _no_text(column: Array) -> str:
    if column.ndim != 1 or column.dtype.kind not in "UO":
        return "holds no text"
    if column.dtype == object and not all(isinstance(text, str) or text is None for text in column):
        return "holds more than text"
    return ""
