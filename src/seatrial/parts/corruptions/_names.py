"""Which columns go bad: those that the options name, or all that a corruption can touch."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from seatrial.errors import DataError

if TYPE_CHECKING:
    from seatrial.contracts.protocols import Columns
    from seatrial.contracts.values import Array

Refusal = Callable[["Array"], str]
"""Why a column can't go bad in this way, in words; empty if it can."""


def chosen(sample: Columns, named: Sequence[str], refusal: Refusal, what: str) -> list[str]:
    """The named columns, each of which must do; without names, all that do. Raises `DataError`, also where none does."""
    for name in named:
        if name not in sample:
            near = difflib.get_close_matches(name, list(sample), 1, 0.5)
            step = f"did you mean `{near[0]}`?" if near else f"the inputs are {_listed(sample)}"
            raise DataError(f"there is no input column `{name}`", where="columns", next_step=step)
        if why := refusal(sample[name]):
            raise DataError(f"the column `{name}` {why}", where="columns", next_step=f"name columns of {what}")
    found = list(named) or [name for name, column in sample.items() if not refusal(column)]
    if not found:
        reasons = "; ".join(f"`{name}` {refusal(column)}" for name, column in sample.items())
        raise DataError(f"no input is {what}" + (f": {reasons}" if reasons else ""), where="columns")
    return found


def _listed(sample: Columns) -> str:
    return ", ".join(f"`{name}`" for name in sample)
