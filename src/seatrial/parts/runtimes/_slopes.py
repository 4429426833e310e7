"""Gradients as runtimes hand them out: what a loss must be given, and a walk over any number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seatrial.contracts.protocols import Loss, Slope
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes._batches import in_sizes

LEAST = 1e-12
"""Where a probability or the distance between scores is cut off, so that it can be divided by."""

BESIDE = "\0of each row"
"""The name under which labels, cotangents and losses travel beside inputs and outputs."""

_CLASSES = {"dlr": 3, "targeted_dlr": 4}
"""The fewest classes that a loss needs."""

Each = Callable[[dict[str, Any]], dict[str, Any]]
"""Inputs and `BESIDE` in; under `gradient NAME`, `answers NAME` and `BESIDE` the gradients, the answers and the rows' losses out."""


def sloped(values: Values, loss: Loss, each: Each, sizes: tuple[int, ...]) -> Slope:
    """What `each` finds for all rows; `sizes` are the numbers of rows that it takes (none: any number).

    Raises `ModelError` where the loss lacks its labels or its cotangent.
    """
    extra = loss.cotangent if loss.kind == "cotangent" else loss.labels
    if extra is None:
        raise ModelError(f"`{loss.kind}` needs {'a cotangent' if loss.kind == 'cotangent' else 'labels'}")
    made = (in_sizes(each, sizes) if sizes else each)({**values, BESIDE: np.asarray(extra)})
    parts: dict[str, dict[str, Any]] = {"gradient": {}, "answers": {}}
    for name, value in made.items():
        if name != BESIDE:
            part, _, own = name.partition(" ")
            parts[part][own] = value
    return Slope(parts["gradient"], made[BESIDE], parts["answers"])


def wanted(loss: Loss, answers: Mapping[str, Any]) -> Any:
    """The output that the loss is of. Raises `ModelError` where there is none of that name."""
    if loss.output not in answers:
        raise ModelError(f"there is no output `{loss.output}`, only {', '.join(answers)}")
    return answers[loss.output]


def fits(shape: tuple[int, ...], loss: Loss, extra: Any) -> None:
    """Whether labels or cotangents (an array or a tensor) suit an output of this shape.

    Raises `ModelError` where they don't, `Unsupported` where the output has too few classes for the loss.
    """
    given = tuple(extra.shape)
    if loss.kind == "cotangent":
        if given != shape:
            raise ModelError(f"the cotangent has shape {given}, the output {shape}")
        return
    pairs = loss.kind == "targeted_dlr"
    if len(shape) != 2 or given != (*shape[:1], *((2,) if pairs else ())):
        raise ModelError(
            f"{loss.kind} takes scores rows x classes and {'two labels' if pairs else 'a label'} a row, not {shape} and {given}"
        )
    if bool(((extra < 0) | (extra >= shape[1])).any()):
        raise ModelError(f"labels are 0 to {shape[1] - 1}")
    if shape[1] < _CLASSES.get(loss.kind, 0):
        words = {3: "three", 4: "four"}[_CLASSES[loss.kind]]
        raise Unsupported(f"`{loss.kind}` needs {words} classes", next_step="take `margin`")
