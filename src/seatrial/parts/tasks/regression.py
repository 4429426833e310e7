"""Predicted numbers: outputs are values, one a row or one for each target, or quantiles of them; labels are numbers.

    outputs: {price: {means: values}}                                            one number a row
    outputs: {y: {means: values, classes: [price, rent]}}                        two targets, by name
    outputs: {y: {means: values, quantiles: [0.05, 0.5, 0.95]}}                  one target, three quantiles of it
    outputs: {mean: {means: values}, band: {means: values, quantiles: [0.05, 0.95]}}

Answers are `values` (rows x targets, float64) and, where the study says so, `quantiles` (rows x targets x quantiles). A median
among the quantiles is the value where no output gives one by itself. Quantiles of several targets have three axes: rows, targets,
quantiles. Labels are one number a row, or a column of as many numbers a row as there are targets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.part import PartOptions
from seatrial.contracts.study import Output
from seatrial.contracts.values import Values
from seatrial.errors import DataError
from seatrial.numerics.regression import LARGEST
from seatrial.parts.tasks._outputs import named, numbers, numeric_labels

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS: dict[str, tuple[str, ...]] = {"setting": ()}
GIVES = {
    "answers": ("values", "quantiles"),
    "means": ("values",),
    "labels": ("numbers",),
    "gate": ("{what: mae, margin: 0.1}",),
}
MEDIAN = 0.5


class Options(PartOptions):
    """Regression has no options; what the numbers are is said of the outputs."""


def answers(raw: Values, outputs: Mapping[str, Output]) -> dict[str, Array]:
    """`values` (rows, targets) and `quantiles` (rows, targets, quantiles). Raises `DataError` for NaN and widths that don't fit."""
    stated = {name: output for name, output in outputs.items() if output.means == "values"}
    if not stated:
        raise DataError("no output is stated as values", where="outputs", next_step="say `means: values`")
    found: dict[str, Array] = {}
    for name, output in stated.items():
        given = _small(numbers(named(raw, name), name), name)
        if output.quantiles and "quantiles" not in found:
            found["quantiles"] = _quantiles(given, output, name)
        elif not output.quantiles and "values" not in found:
            found["values"] = _values(given, output, name)
    levels = next((output.quantiles for output in stated.values() if output.quantiles), ())
    if "values" not in found and MEDIAN in levels:
        found["values"] = found["quantiles"][:, :, levels.index(MEDIAN)]
    if len({array.shape[1] for array in found.values()}) > 1:
        told = " and ".join(f"{array.shape[1]} {name}" for name, array in found.items())
        raise DataError(f"a row has {told}: there must be as many targets of both", where="outputs")
    return found


def labels(column: Array, outputs: Mapping[str, Output]) -> NDArray[np.float64]:
    """The numbers, (rows,) or (rows, targets). Raises `DataError` for text and for missing ones."""
    numeric = numeric_labels(column, "name a column of numbers as `label`, or another task").astype(np.float64)
    if numeric.ndim > 2 or numeric.ndim == 0:
        raise DataError(f"a label is one number a row, or one for each target, not {numeric.shape[1:]}")
    if numeric.ndim == 2 and numeric.shape[1] == 1:
        numeric = numeric[:, 0]
    if numeric.size and (largest := float(np.abs(numeric).max())) > LARGEST:
        raise DataError(f"labels up to {largest:.3g} are too large to be squared and summed")
    return np.asarray(numeric, np.float64)


def _small(given: Array, name: str) -> NDArray[np.float64]:
    made = given.astype(np.float64)
    if made.size and (largest := float(np.abs(made).max())) > LARGEST:
        raise DataError(f"numbers up to {largest:.3g} are too large to be squared and summed", where=f"outputs.{name}")
    return np.asarray(made)


def _values(given: NDArray[np.float64], output: Output, name: str) -> NDArray[np.float64]:
    """Rows x targets; a lone axis is a single target, further axes of length 1 go."""
    flat = given.reshape(len(given), math.prod(given.shape[1:]))
    if given.ndim > 2 and max(given.shape[1:]) != flat.shape[1]:
        step = "say which quantiles these are, if they are: `quantiles: [...]`"
        raise DataError(
            f"has shape {given.shape}; values have one axis of targets", where=f"outputs.{name}", next_step=step
        )
    _named_targets(flat.shape[1], output, name)
    return flat


def _quantiles(given: NDArray[np.float64], output: Output, name: str) -> NDArray[np.float64]:
    """Rows x targets x quantiles."""
    wanted = len(output.quantiles)
    made = given[:, None] if given.ndim == 1 else given
    made = made[:, None, :] if made.ndim == 2 else made
    if made.ndim != 3 or made.shape[2] != wanted:
        raise DataError(
            f"has shape {given.shape}; {wanted} quantiles are {wanted} numbers a row, or targets x {wanted}",
            where=f"outputs.{name}",
        )
    _named_targets(made.shape[1], output, name)
    return made


def _named_targets(width: int, output: Output, name: str) -> None:
    if output.classes and len(output.classes) != width:
        raise DataError(
            f"the model gives {width} numbers a row, the study names {len(output.classes)} targets",
            where=f"outputs.{name}",
            next_step="name each under `classes`, in their order",
        )
