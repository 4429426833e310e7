"""One class out of several: outputs are logits, probabilities or scores of each class, labels are classes or their indices.

Answers are `scores` (rows x classes, as the model gave them) and, unless the outputs are mere scores, `probabilities`
(rows x classes, float64, each row summing to one). A model with a single output column is taken as binary: the column
speaks of the second class.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.part import PartOptions
from seatrial.contracts.record import Scalar
from seatrial.contracts.shown import shown as seen
from seatrial.contracts.study import Output
from seatrial.contracts.values import Values
from seatrial.errors import DataError

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS: dict[str, tuple[str, ...]] = {"setting": ()}
GIVES = {
    "answers": ("scores", "probabilities"),
    "means": ("logits", "probabilities", "scores"),
    "labels": ("class",),
    "gate": ("{what: accuracy, margin: 0.5 pp}",),
}
SUM_TOLERANCE = 1e-3
_MEANS = ("logits", "probabilities", "scores")


class Options(PartOptions):
    """Classification has no options."""


def answers(raw: Values, outputs: Mapping[str, Output]) -> dict[str, Array]:
    """`scores` and `probabilities`, rows x classes. Raises `DataError` for NaN, wrong widths and logits called probabilities."""
    name, output = _stated(outputs)
    if name not in raw:
        near = difflib.get_close_matches(name, list(raw), n=1, cutoff=0.5)
        step = f"did you mean `{near[0]}`?" if near else f"its outputs are: {', '.join(raw)}"
        raise DataError(f"the model has no output `{name}`", where=f"outputs.{name}", next_step=step)
    given = _finite(_flat(np.asarray(raw[name]), name), name)
    width = given.shape[1] if given.shape[1] > 1 else 2
    if output.classes and len(output.classes) != width:
        raise DataError(
            f"the model gives {width} classes, the study names {len(output.classes)}", where=f"outputs.{name}"
        )
    if output.means == "logits":
        scores = given if given.shape[1] > 1 else np.hstack([np.zeros_like(given), given])
        return {"scores": scores, "probabilities": softmax(scores)}
    if output.means == "scores":
        return {"scores": given if given.shape[1] > 1 else np.hstack([-given, given])}
    scores = given if given.shape[1] > 1 else np.hstack([1 - given, given])
    return {"scores": scores, "probabilities": _checked(scores, name)}


def labels(column: Array, outputs: Mapping[str, Output]) -> NDArray[np.int64]:
    """Class indices of a label column: of classes by their names, else whole numbers as they are. Raises `DataError` naming unknown ones."""
    classes = _stated(outputs)[1].classes
    column = np.asarray(column)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise DataError(f"a label is one value a row, not {column.shape[1:]} values")
    values, inverse = np.unique(_comparable(column), return_inverse=True)
    indices = [_index(value, classes) for value in values.tolist()]
    _all_known([value for value, index in zip(values.tolist(), indices, strict=True) if index is None], classes)
    return np.array(indices, dtype=np.int64)[inverse.reshape(-1)]


def softmax(logits: Array) -> NDArray[np.float64]:
    """Probabilities of logits (rows x classes): exp(z - max z) over its sum, in float64, so that nothing overflows."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _stated(outputs: Mapping[str, Output]) -> tuple[str, Output]:
    """The output that a classification reads: the first that is logits, probabilities or scores."""
    for name, output in outputs.items():
        if output.means in _MEANS:
            return name, output
    raise DataError("no output is stated as logits, probabilities or scores", where="outputs")


def _flat(array: Array, name: str) -> Array:
    """Rows x classes: a lone axis is a single column, further axes of length 1 go."""
    if array.dtype.kind not in "fiub":
        raise DataError(f"holds {array.dtype}, not numbers", where=f"outputs.{name}")
    flat = array.reshape(len(array), -1) if array.ndim != 2 else array
    if array.ndim > 2 and max(array.shape[1:]) != flat.shape[1]:
        raise DataError(f"has shape {array.shape}; a classification has one axis of classes", where=f"outputs.{name}")
    return flat if flat.dtype in (np.float32, np.float64) else flat.astype(np.float32)


def _finite(array: Array, name: str) -> Array:
    if bad := int(np.isnan(array).any(axis=1).sum()):
        raise DataError(f"{bad} of {len(array)} rows are NaN (not a number)", where=f"outputs.{name}")
    if bad := int(np.isinf(array).any(axis=1).sum()):
        raise DataError(f"{bad} of {len(array)} rows are infinite", where=f"outputs.{name}")
    return array


def _checked(given: Array, name: str) -> NDArray[np.float64]:
    """Probabilities that are ones: in [0, 1], each row summing to one within 1e-3; returned summing to one exactly."""
    sums = given.sum(axis=1, dtype=np.float64)
    outside = (given < -SUM_TOLERANCE).any(axis=1) | (given > 1 + SUM_TOLERANCE).any(axis=1)
    wrong = outside | (np.abs(sums - 1) > SUM_TOLERANCE)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{int(wrong.sum())} of {len(given)} rows are no probabilities (row {row} lies in "
            f"{given[row].min():.3g} to {given[row].max():.3g} and sums to {sums[row]:.4g}); these look like logits",
            where=f"outputs.{name}",
            next_step="say `means: logits`, or `means: scores` if they are neither",
        )
    inside = np.clip(given.astype(np.float64), 0, 1)
    return np.asarray(inside / inside.sum(axis=1, keepdims=True))


def _comparable(column: Array) -> Array:
    """A column whose values can be sorted: whole floats become integers, text stays. Raises `DataError` for missing labels."""
    if column.dtype.kind == "f":
        if bad := int((~np.isfinite(column)).sum()):
            raise DataError(f"{bad} labels are missing (not a number)")
        whole = column.astype(np.int64)
        return whole if np.array_equal(whole, column) else column
    if column.dtype.kind != "O":
        return column
    if bad := sum(value is None for value in column):
        raise DataError(f"{bad} labels are missing")
    return np.array(column.tolist())


def _index(value: Any, classes: Sequence[Scalar]) -> int | None:
    """A class by its name; where no class is a number, a whole number is the index itself."""
    named = _word(value)
    for index, one in enumerate(classes):
        if _word(one) == named:
            return index
    by_index = isinstance(value, int) and not any(_whole(one) for one in classes)
    return int(value) if by_index and 0 <= value < (len(classes) or np.inf) else None


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(one: Scalar) -> bool:
    return isinstance(one, int | float) or one.lstrip("+-").isdigit()


def _all_known(unknown: list[Any], classes: Sequence[Scalar]) -> None:
    if not unknown:
        return
    shown = ", ".join(f"`{seen(value)}`" for value in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    there = [str(one) for one in classes]
    near = difflib.get_close_matches(str(unknown[0]), there, n=1, cutoff=0.5)
    listed = f"{', '.join(there[:10])}{', ...' if len(there) > 10 else ''}"
    step = (
        f"did you mean `{near[0]}`?"
        if near
        else f"the classes are: {listed}"
        if there
        else "name the `classes` of the output"
    )
    raise DataError(f"{len(unknown)} labels are no class: {shown}", next_step=step)
