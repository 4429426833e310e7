"""Vectors that are compared with each other: outputs are one vector a row, labels say which rows belong together.

    outputs: {embedding: {means: vectors}}
    data: {pairs: {from: {parquet: {path: rows.parquet}}, label: product}}
    data: {pairs: {from: {parquet: {path: rows.parquet}}, labels: [product, role]}}

Rows with the same label should be found by each other. Where queries and the rows to be found aren't the same, a second label
column says of each row `query`, `gallery` or `both`; every row is both if it is left out. Answers are `vectors`
(rows x dimensions, float32, as the model gave them: whether they are compared by cosine is said of the metric). Models of
several vectors a row (one a word, say) are joined to one where the model is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.part import PartOptions
from seatrial.contracts.shown import shown as seen
from seatrial.contracts.study import Output
from seatrial.contracts.values import Values
from seatrial.errors import DataError
from seatrial.parts.tasks._outputs import named, numbers, numeric_labels

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS: dict[str, tuple[str, ...]] = {"setting": ()}
GIVES = {
    "answers": ("vectors",),
    "means": ("vectors",),
    "labels": ("same",),
    "gate": ("{what: retrieval_recall, at: {k: 1}, margin: 1 pp}",),
}
CANNOT = {
    "several vectors a row": (
        "not yet ours",
        "late interaction compares sets of vectors; join them to one in the model",
    ),
}
ROLES = {"both": 0, "query": 1, "gallery": 2}


class Options(PartOptions):
    """There are no options."""


def answers(raw: Values, outputs: Mapping[str, Output]) -> dict[str, Array]:
    """`vectors`, rows x dimensions. Raises `DataError` for NaN, for single numbers and for several vectors a row."""
    name = next((name for name, output in outputs.items() if output.means == "vectors"), None)
    if name is None:
        raise DataError("no output is stated as vectors", where="outputs", next_step="say `means: vectors`")
    given = numbers(named(raw, name), name)
    long = [size for size in given.shape[1:] if size != 1]
    if len(long) > 1:
        step = "let the model join them to one (their mean, or the first), and export it again"
        raise DataError(f"has shape {given.shape}: several vectors a row", where=f"outputs.{name}", next_step=step)
    if not long and len(given):
        raise DataError("a vector has more than one number", where=f"outputs.{name}")
    return {"vectors": np.ascontiguousarray(given.reshape(len(given), *(long or [0])), np.float32)}


def labels(column: Array, outputs: Mapping[str, Output]) -> NDArray[np.int64]:
    """What a row shows, as a number that is the same for the same thing, and its role (0 both, 1 query, 2 gallery): rows x 2."""
    column = np.asarray(column)
    column = column[:, None] if column.ndim == 1 else column
    if column.ndim != 2 or column.shape[1] > 2:
        raise DataError(f"a label is one value a row, or a value and a role, not {column.shape[1:]} values")
    items = _items(column[:, 0])
    roles = _roles(column[:, 1]) if column.shape[1] == 2 else np.zeros(len(column), np.int64)
    return np.stack([items, roles], axis=1)


def _items(column: Array) -> NDArray[np.int64]:
    """Whole numbers as they are; words by 63 bits of their hash, the same in every piece of the rows."""
    if column.dtype.kind in "OU" and not all(isinstance(one, int | float) for one in column.tolist()):
        if bad := sum(one is None or one != one for one in column.tolist()):
            raise DataError(f"{bad} labels are missing")
        words, place = np.unique(column.astype(str), return_inverse=True)
        numbers_ = [
            int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8).digest()) >> 1 for one in words.tolist()
        ]
        return np.array(numbers_, np.int64)[place.reshape(-1)]
    given = numeric_labels(column, "name what the row shows: a word or a whole number")
    if given.dtype.kind == "f" and not np.array_equal(given, np.trunc(given)):
        raise DataError("a label is a word or a whole number", next_step="is this the column of what a row shows?")
    return np.asarray(given, np.int64)


def _roles(column: Array) -> NDArray[np.int64]:
    unknown = sorted({str(one) for one in column.tolist()} - set(ROLES))
    if unknown:
        raise DataError(f"`{seen(unknown[0])}` is no role", next_step=f"say one of: {', '.join(ROLES)}")
    return np.array([ROLES[str(one)] for one in column.tolist()], np.int64)
