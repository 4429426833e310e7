"""What a label column says of the task: a class a row, any number of labels, numbers, boxes, or what a row shows; and what outputs then mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seatrial.contracts.artefact import TensorSpec

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

CLASS, MANY, NUMBERS, BOXES, SAME = "class", "many", "numbers", "boxes", "same"
"""As tasks say under `labels` what they read."""
APART = "|"
ROLES = {"query", "gallery", "both"}
BOX_NUMBERS = range(5, 8)
"""Corners, class, and where known crowd and area."""


class Said(NamedTuple):
    """An output's name, what is stated of it, and what a person should know."""

    name: str
    stated: dict[str, Any]
    note: str = ""


def kind(column: Array) -> str:
    """What the first rows of a label column hold: whole numbers and words are classes, fractions are numbers."""
    if column.ndim == 3 and column.shape[-1] in BOX_NUMBERS:
        return BOXES
    if column.ndim == 2:
        return MANY if np.isin(column, (0, 1)).all() else NUMBERS
    if column.dtype.kind == "f" and column.ndim == 1 and (column != np.floor(column)).any():
        return NUMBERS
    words = column.dtype.kind in "OU" and column.ndim == 1
    return MANY if words and any(APART in str(one) for one in column) else CLASS


def roles(columns: Mapping[str, Array]) -> str | None:
    """The column that says of each row whether it is looked for or found: `query`, `gallery` or `both`, not all the same."""
    for name, column in columns.items():
        if column.ndim == 1 and column.dtype.kind in "OU":
            there = {str(one) for one in column.tolist()}
            if there <= ROLES and len(there) > 1:
                return name
    return None


def vectors(specs: Sequence[TensorSpec]) -> TensorSpec | None:
    """The output that by its name is one vector a row, such as `embedding`; the only one of fractions where none is called so."""
    able = [one for one in specs if one.dtype.startswith("float") and len(_long(one)) == 1]
    return next((one for one in able if _called(one)), able[0] if len(able) == 1 else None)


def embeds(specs: Sequence[TensorSpec]) -> bool:
    """Whether an output is called a vector, and none is called something else that is judged."""
    found = vectors(specs)
    return found is not None and _called(found)


def _called(spec: TensorSpec) -> bool:
    return any(part in spec.name.lower() for part in ("embed", "vector"))


def width(column: Array) -> int:
    """Numbers that a row of a label column has."""
    return int(np.prod(column.shape[1:], dtype=int))


def outputs(kind: str, wide: int, specs: Sequence[TensorSpec], classes: Sequence[Any]) -> Iterator[Said]:
    """What the outputs mean for labels of this kind, `wide` numbers a row; none where none fits."""
    if kind == BOXES:
        yield from _boxes(specs)
        return
    if kind == SAME:
        found = vectors(specs)
        if found is not None:
            note = "" if _called(found) else "CHECK: vectors to be compared, as the roles of the rows suggest"
            yield Said(found.name, {"means": "vectors"}, note)
        return
    count = len(classes) if kind == MANY and classes else wide
    spec = next((one for one in specs if _long(one) == ([count] if count > 1 else [])), None)
    spec = spec or next((one for one in specs if None in _long(one) and len(_long(one)) == 1), None)
    if spec is None or not spec.dtype.startswith("float"):
        return
    if kind == NUMBERS:
        yield Said(spec.name, {"means": "values"})
        return
    named = "prob" in spec.name.lower() or "sigmoid" in spec.name.lower()
    note = "CHECK: logits or probabilities, by the name alone"
    note += "; classes in the order of the outputs, here they are sorted" if classes else ""
    yield Said(spec.name, {"means": "probabilities" if named else "logits", "classes": list(classes)}, note)


def _boxes(specs: Sequence[TensorSpec]) -> Iterator[Said]:
    """Boxes by their four numbers, and what goes with them by its shape and type."""
    found = {spec.name: spec.shape or () for spec in specs}
    boxes = next((spec for spec in specs if len(found[spec.name]) == 2 and found[spec.name][1] in (4, 6)), None)
    if boxes is None:
        return
    note = "CHECK: how boxes are written here and in the labels: `boxes: {format: xyxy, labels: xyxy}`, or others"
    yield Said(boxes.name, {"means": "boxes"}, note)
    for spec in specs:
        shape = found[spec.name]
        if spec is boxes or found[boxes.name][1] == 6:
            continue
        floats = spec.dtype.startswith("float")
        if floats and len(shape) in (1, 2):
            if "class" in spec.name.lower() or "label" in spec.name.lower():
                yield Said(spec.name, {"means": "classes"})
            else:
                yield Said(spec.name, {"means": "scores"}, "CHECK: a `threshold`, below which a box is none")
        elif not floats:
            yield Said(spec.name, {"means": "count" if shape in ((), (1,)) else "classes"})


def _long(spec: TensorSpec) -> list[int | None]:
    return [size for size in spec.shape or () if size != 1]
