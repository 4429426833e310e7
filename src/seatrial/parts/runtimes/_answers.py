"""What runtimes share whose answers come from code that isn't ours: they are made arrays, and checked for every query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seatrial.contracts.artefact import TensorSpec
from seatrial.contracts.values import Values
from seatrial.errors import ModelError


def rows_of(values: Values, names: Sequence[str]) -> int:
    """The number of rows sent. Raises `ModelError` unless exactly the inputs of these names are there."""
    if set(values) != set(names):
        raise ModelError(f"its inputs are {', '.join(names)}; given are {', '.join(values) or 'none'}")
    return len(next(iter(values.values())))


def by_name(given: Any, specs: Sequence[TensorSpec], who: str) -> dict[str, Any]:
    """Answers by output name: those of a dict, or the lone one where the study names one output. Raises `ModelError`."""
    if isinstance(given, Mapping):
        if gone := [spec.name for spec in specs if spec.name not in given]:
            there = ", ".join(map(str, given)) or "nothing"
            raise ModelError(
                f"{who} gave no output `{gone[0]}` but {there}",
                next_step="name its outputs under `outputs` in the study",
            )
        return {spec.name: given[spec.name] for spec in specs}
    if given is None:
        raise ModelError(f"{who} gave nothing (None)", next_step="does it end with `return`?")
    if len(specs) != 1:
        named = ", ".join(spec.name for spec in specs)
        raise ModelError(f"{who} gave one answer without a name, the study names {len(specs)} outputs: {named}")
    return {specs[0].name: given}


def numbers(given: Any, name: str, rows: int, who: str) -> np.ndarray[Any, Any]:
    """One answer as an array of numbers with `rows` rows, in memory of its own. Raises `ModelError`."""
    try:
        array = np.array(given)
    except Exception as error:  # lists of unequal length, objects that raise when they are looked at
        raise ModelError(f"{who} gave something in `{name}` that is no array: {error}") from error
    if array.dtype.kind not in "biuf":
        what = type(given).__name__ if array.dtype.kind == "O" else f"values of the type {array.dtype}"
        raise ModelError(f"{who} gave {what} in `{name}`, not numbers")
    if array.ndim == 0 or len(array) != rows:
        raise ModelError(f"{who} gave `{name}` of shape {array.shape} for {rows} rows; the first axis must be the rows")
    return array


def steady(answers: Mapping[str, Any], shapes: dict[str, tuple[Any, ...]], who: str) -> None:
    """Raises `ModelError` where a row's answer has another shape or type than before; `shapes` remembers."""
    for name, array in answers.items():
        kind = (array.dtype, array.shape[1:])
        if shapes.setdefault(name, kind) != kind:
            before, after = (f"{dtype}{list(shape)}" for dtype, shape in (shapes[name], kind))
            raise ModelError(f"{who} gave rows of {after} in `{name}`, before they were {before}")
