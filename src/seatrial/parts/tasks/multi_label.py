"""Any number of labels a row: outputs are a logit, probability or score of each label, labels a 0 or 1 for each.

    outputs: {y: {means: probabilities, classes: [cat, dog, indoors], threshold: 0.4}}
    outputs: {y: {means: logits, classes: [cat, dog], threshold: {cat: 0.3, dog: 0.6}}}

Answers are `scores` (rows x labels, as the model gave them), unless the outputs are mere scores `probabilities` (rows x labels,
float64), and `chosen` (rows x labels, whether each reaches its threshold). A threshold is a probability, 0.5 if left out; of mere
scores it is a score, 0 if left out. The label column has a 0 or 1 for each label in the order of the classes, or is text that
names a row's labels, apart by `|` (`-` for a row that has none).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.part import PartOptions
from seatrial.contracts.study import Output
from seatrial.contracts.values import Values
from seatrial.errors import DataError
from seatrial.parts.tasks._outputs import named, numbers, numeric_labels

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

GIVES = {
    "answers": ("scores", "probabilities", "chosen"),
    "means": ("logits", "probabilities", "scores"),
    "labels": ("many",),
    "gate": ("{what: jaccard, margin: 0.5 pp}",),
}
ACCEPTS = {"setting": ("threshold",)}
HALF = 0.5
TOLERANCE = 1e-6
APART, NONE = "|", "-"


class Options(PartOptions):
    """There are no options; thresholds are said of the output."""


def answers(raw: Values, outputs: Mapping[str, Output]) -> dict[str, Array]:
    """`scores`, `probabilities` and `chosen`, rows x labels. Raises `DataError` for NaN, wrong widths and what is no probability."""
    name, output = _stated(outputs)
    scores = _flat(numbers(named(raw, name), name), name)
    if output.classes and len(output.classes) != scores.shape[1]:
        raise DataError(
            f"the model gives {scores.shape[1]} labels, the study names {len(output.classes)}", where=f"outputs.{name}"
        )
    limits = _thresholds(output, scores.shape[1], name)
    if output.means == "scores":
        return {"scores": scores, "chosen": scores >= limits}
    made = _sigmoid(scores) if output.means == "logits" else _checked(scores, name)
    return {"scores": scores, "probabilities": made, "chosen": made >= limits}


def labels(column: Array, outputs: Mapping[str, Output]) -> NDArray[np.int8]:
    """Whether a row has each label, 0 or 1, rows x labels. Raises `DataError` for other numbers and unknown names."""
    classes = [str(one) for one in _stated(outputs)[1].classes]
    column = np.asarray(column)
    if column.ndim == 1 and column.dtype.kind in "OU":
        return _by_name(column, classes)
    given = numeric_labels(column, "give a 0 or 1 for each label")
    given = given[:, None] if given.ndim == 1 else given
    if given.ndim != 2 or (classes and given.shape[1] != len(classes)):
        wanted = f"{len(classes)} of them" if classes else "one for each label"
        raise DataError(f"a label is a row of 0 and 1, {wanted}, not of shape {given.shape[1:]}")
    if bad := int(((given != 0) & (given != 1)).any(axis=1).sum()):
        raise DataError(f"{bad} labels hold other numbers than 0 and 1", next_step="say 1 where a row has the label")
    return np.asarray(given, np.int8)


def _by_name(column: Array, classes: Sequence[str]) -> NDArray[np.int8]:
    """Names apart by `|`."""
    if bad := sum(value is None or value != value for value in column.tolist()):
        raise DataError(f"{bad} labels are missing", next_step=f"write `{NONE}` for a row that has no label")
    made = np.zeros((len(column), len(classes)), np.int8)
    places = {name: place for place, name in enumerate(classes)}
    for row, text in enumerate(column.tolist()):
        for name in (one.strip() for one in str(text).split(APART)):
            if name != NONE or NONE in places:
                made[row, _place(name, places)] = 1
    return made


def _place(name: str, places: Mapping[str, int]) -> int:
    if name in places:
        return places[name]
    near = difflib.get_close_matches(name, list(places), n=1, cutoff=0.5)
    listed = ", ".join(list(places)[:10]) or "none: name the `classes` of the output"
    step = f"did you mean `{near[0]}`?" if near else f"the labels are: {listed}"
    raise DataError(f"`{name}` is no label", next_step=step)


def _stated(outputs: Mapping[str, Output]) -> tuple[str, Output]:
    """The output that is read: the first that is logits, probabilities or scores."""
    for name, output in outputs.items():
        if output.means in GIVES["means"]:
            return name, output
    raise DataError("no output is stated as logits, probabilities or scores", where="outputs")


def _flat(array: Array, name: str) -> Array:
    """Rows x labels: a lone axis is a single label, further axes of length 1 go."""
    flat = array.reshape(len(array), math.prod(array.shape[1:]))
    if array.ndim > 2 and max(array.shape[1:]) != flat.shape[1]:
        raise DataError(f"has shape {array.shape}; there is one axis of labels", where=f"outputs.{name}")
    return flat if flat.dtype in (np.float32, np.float64) else flat.astype(np.float32)


def _thresholds(output: Output, width: int, name: str) -> NDArray[np.float64]:
    """The threshold of each label."""
    default = 0.0 if output.means == "scores" else HALF
    where = f"outputs.{name}.threshold"
    given = output.threshold
    if isinstance(given, dict):
        known = [str(one) for one in output.classes]
        if unknown := [one for one in given if one not in known]:
            raise DataError(
                f"`{unknown[0]}` is no label", where=where, next_step=f"the labels are: {', '.join(known[:10])}"
            )
        limits = [given.get(one, default) for one in known]
    else:
        limits = [default if given is None else given] * width
    if output.means != "scores" and not all(0 < one <= 1 for one in limits):
        raise DataError("a threshold is a probability above 0, at most 1", where=where, next_step="say one like 0.5")
    return np.asarray(limits, np.float64)


def _sigmoid(logits: Array) -> NDArray[np.float64]:
    """1 / (1 + exp(-z)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64))))


def _checked(given: Array, name: str) -> NDArray[np.float64]:
    """Probabilities that are ones: in [0, 1], each by itself."""
    outside = ((given < -TOLERANCE) | (given > 1 + TOLERANCE)).any(axis=1)
    if outside.any():
        row = int(outside.argmax())
        raise DataError(
            f"{int(outside.sum())} of {len(given)} rows are no probabilities (row {row} lies in {given[row].min():.3g} "
            f"to {given[row].max():.3g}); these look like logits",
            where=f"outputs.{name}",
            next_step="say `means: logits`, or `means: scores` if they are neither",
        )
    return np.asarray(np.clip(given.astype(np.float64), 0, 1))
