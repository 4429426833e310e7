"""What tasks share: finding an output by its name, and refusing what is no number."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.shown import shown as seen
from seatrial.contracts.values import Values
from seatrial.errors import DataError

if TYPE_CHECKING:
    from seatrial.contracts.values import Array


def named(raw: Values, name: str) -> Array:
    """The output of that name. Raises `DataError`, with the nearest name, where there is none."""
    if name in raw:
        return np.asarray(raw[name])
    near = difflib.get_close_matches(name, list(raw), n=1, cutoff=0.5)
    step = f"did you mean `{near[0]}`?" if near else f"its outputs are: {', '.join(raw)}"
    raise DataError(f"the model has no output `{name}`", where=f"outputs.{name}", next_step=step)


def numbers(array: Array, name: str) -> Array:
    """The array as it is, where it holds finite numbers, rows first. Raises `DataError`, with how many rows don't."""
    where = f"outputs.{name}"
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise DataError(f"holds {array.dtype}, not numbers", where=where)
    flat = array.reshape(len(array), math.prod(array.shape[1:]))
    if array.dtype.kind == "f" and not np.isfinite(flat).all():
        for test, word in ((np.isnan, "NaN (not a number)"), (np.isinf, "infinite")):
            if bad := int(test(flat).any(axis=1).sum()):
                raise DataError(f"{bad} of {len(array)} rows are {word}", where=where)
    return array


def numeric_labels(column: Any, wanted: str) -> Array:
    """A label column of numbers. Raises `DataError` for text, with `wanted` as the next step, and for missing labels."""
    column = np.asarray(column)
    if column.dtype.kind == "O":
        if bad := sum(one is None for one in column.reshape(-1)):
            raise DataError(f"{bad} labels are missing")
        column = np.array(column.tolist())
    if column.dtype.kind not in "fiub":
        shown = ", ".join(f"`{seen(one)}`" for one in dict.fromkeys(column.reshape(-1)[:3].tolist()))
        raise DataError(f"labels are {'text' if column.dtype.kind == 'U' else column.dtype}: {shown}", next_step=wanted)
    if column.dtype.kind == "f" and (bad := int((~np.isfinite(column)).sum())):
        raise DataError(f"{bad} labels are missing (not a number)")
    return column
