"""What an attacker can change of a model's inputs: the range of each feature, what is fixed, whole, or one of a kind.

Ranges are those that the study states, else black to white of a picture, else the least and the most in the evaluation rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.securing import Changeable, Security
from seatrial.contracts.study import Input, Model, Study
from seatrial.contracts.values import ValueKind
from seatrial.errors import DataError, Unsupported
from seatrial.flow import _inputs, arrays
from seatrial.flow._formulas import Formula
from seatrial.flow.changed import stored_rows

Array = NDArray[Any]
BYTES = 255.0
PIECE = 4096
SAMPLE = 512
"""Rows that tell how columns are stored."""


def reach(study: Study, folder: Path, model: Model, inputs: Mapping[str, ArrayRef]) -> dict[str, Any]:
    """The fields of a `Reach` (flow/possible.py) for this model. Raises `DataError` for columns that don't fit, `Unsupported`
    where no input is of numbers that can change a little."""
    asked = study.measure.security or Security()
    moved = {name: one for name, one in model.inputs.items() if _moves(one)}
    if not moved:
        raise Unsupported("no input is of fractions (float32), so there is nothing that can be changed a little")
    _known(asked, model)
    rows = np.arange(min(SAMPLE, next(iter(inputs.values())).shape[0]))
    sample = stored_rows(study, folder, model, rows)
    made: dict[str, Any] = {name: {} for name in ("low", "span", "free", "unit", "zero", "step")}
    places: dict[str, list[int]] = {}
    start = 0
    for name, one in moved.items():
        ends, at = _ends(asked, one, name, sample, inputs[name]), _columns(one, name, sample)
        for field, value in _described(asked, one, name, sample, ends, at).items():
            made[field][name] = value
        for number, column in enumerate(one.columns):
            places.setdefault(column, []).extend((start + np.flatnonzero(at.reshape(-1) == number)).tolist())
        start += int(np.prod(inputs[name].shape[1:]))
    pictures = [_picture(one, sample) for one in moved.values()]
    groups = _groups(asked, places)
    ties = _ties(asked, places, {place for group in groups for place in group})
    return made | {"groups": groups, "ties": ties, "axes": pictures[0] if len(pictures) == 1 else ""}


def _moves(one: Input) -> bool:
    return one.kind is ValueKind.DENSE and one.dtype.startswith("float")


def _known(asked: Security, model: Model) -> None:
    columns = {column for one in model.inputs.values() for column in one.columns}
    tied = [name for one in asked.ties for name in (one.column, *Formula(one.stated[1]).names)]
    for name in [*asked.columns, *(name for group in asked.one_hot for name in group), *tied]:
        if name not in columns:
            step = f"its columns are: {', '.join(sorted(columns))}"
            raise DataError(f"the model reads no column `{name}`", where="measure.security", next_step=step)


def _ready(one: Input, name: str, stored: Mapping[str, Array]) -> Array:
    """One row as the model takes it, float64 for want of rounding."""
    exact = one.model_copy(update={"dtype": "float64"})
    return np.asarray(_inputs.ready(exact, _inputs.stored(exact, stored), name)[0])


def _filled(one: Input, sample: Mapping[str, Array], values: Mapping[str, Array | float]) -> dict[str, Array]:
    """A row as stored whose columns hold these values."""
    return {
        column: np.broadcast_to(np.asarray(values[column], np.float64), (1, *sample[column].shape[1:])).copy()
        for column in one.columns
    }


def _columns(one: Input, name: str, sample: Mapping[str, Array]) -> Array:
    """Which column, by its place in the input's list, each number of a row comes from."""
    bare = one.model_copy(update={"scale": None})
    return np.rint(_ready(bare, name, _filled(one, sample, {column: at for at, column in enumerate(one.columns)})))


def _ends(asked: Security, one: Input, name: str, sample: Mapping[str, Array], ref: ArrayRef) -> tuple[Array, Array]:
    """The least and the most of each number of a row, as the model takes it."""
    stated = {column: _range(asked.columns.get(column), sample[column]) for column in one.columns}
    low, high = _span_of(ref)
    if all(stated.values()):
        ends = [
            _ready(one, name, _filled(one, sample, {column: (stated[column] or (0, 1))[end] for column in one.columns}))
            for end in (0, 1)
        ]
        return np.minimum(*ends), np.maximum(*ends)
    at = _columns(one, name, sample)
    for number, column in enumerate(one.columns):
        if stated[column]:
            both = [
                _ready(one, name, _filled(one, sample, dict.fromkeys(one.columns, (stated[column] or (0, 1))[end])))
                for end in (0, 1)
            ]
            low = np.where(at == number, np.minimum(*both), low)
            high = np.where(at == number, np.maximum(*both), high)
    return low, high


def _range(stated: Changeable | None, column: Array) -> tuple[float, float] | None:
    """What the study states of a column; of a picture black to white; else None."""
    if stated is not None and stated.range is not None:
        return stated.range
    if column.ndim < 3:
        return None
    if column.dtype == np.uint8:
        return 0.0, BYTES
    least, most = float(np.nanmin(column)), float(np.nanmax(column))
    return None if least < 0 or most > BYTES else (0.0, 1.0 if most <= 1 else BYTES)


def _span_of(ref: ArrayRef) -> tuple[Array, Array]:
    """The least and the most of each number of a row among all evaluation rows."""
    low, high = np.full(ref.shape[1:], np.inf), np.full(ref.shape[1:], -np.inf)
    for start in range(0, ref.shape[0], PIECE):
        piece = arrays.load(ref, start, start + PIECE).astype(np.float64)
        low = np.fmin(low, np.fmin.reduce(piece, axis=0))
        high = np.fmax(high, np.fmax.reduce(piece, axis=0))
    return np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)


def _described(
    asked: Security, one: Input, name: str, sample: Mapping[str, Array], ends: tuple[Array, Array], at: Array
) -> dict[str, Array]:
    """Low, span, and what is fixed or whole, each with the shape of a row."""
    low, span = ends[0], ends[1] - ends[0]
    free, unit = np.ones(low.shape, bool), np.zeros(low.shape)
    zero = _ready(one, name, _filled(one, sample, dict.fromkeys(one.columns, 0.0)))
    size = _ready(one, name, _filled(one, sample, dict.fromkeys(one.columns, 1.0))) - zero
    wide = np.where(span > 0, span, 1.0)
    for number, column in enumerate(one.columns):
        mine, told = at == number, asked.columns.get(column, Changeable())
        kept_whole = sample[column].ndim < 3 and sample[column].dtype.kind in "biu"
        if kept_whole if told.whole is None else told.whole:
            unit = np.where(mine, np.abs(size) / wide, unit)
        if told.fixed:
            free = free & ~mine
    return {"low": low, "span": span, "free": free, "unit": unit, "zero": (zero - low) / wide, "step": size / wide}


def _groups(asked: Security, places: Mapping[str, list[int]]) -> list[list[int]]:
    """Places of the columns of each group. Raises `DataError` for a column that isn't one number."""
    for column in (column for group in asked.one_hot for column in group):
        _single(column, places, "one_hot")
    return [[places[column][0] for column in group] for group in asked.one_hot]


def _single(column: str, places: Mapping[str, list[int]], where: str) -> int:
    """The place of a column's one number. Raises `DataError` for a column that isn't one number."""
    if len(places.get(column, ())) != 1:
        what = f"the column `{column}` isn't one number a row that a model takes as a fraction"
        raise DataError(what, where=f"measure.security.{where}")
    return places[column][0]


def _ties(asked: Security, places: Mapping[str, list[int]], grouped: set[int]) -> list[dict[str, Any]]:
    """How columns hang together, by place; sums in an order in which each rests on those before it. Raises `DataError`."""
    made = []
    for tie in asked.ties:
        relation, text = tie.stated
        formula, place = Formula(text), _single(tie.column, places, "ties")
        if place in grouped:
            raise DataError(f"the column `{tie.column}` is one of a group of 0 and 1 already", where="measure.security.ties")  # fmt: skip
        if relation == "==" and asked.columns.get(tie.column, Changeable()).fixed:
            raise DataError(f"the column `{tie.column}` can't be fixed and follow from others", where="measure.security.ties")  # fmt: skip
        others = {name: _single(name, places, "ties") for name in formula.names}
        made.append({"place": place, "relation": relation, "formula": text, "others": others})
    return [*_ordered([one for one in made if one["relation"] == "=="]), *(one for one in made if one["relation"] != "==")]  # fmt: skip


def _ordered(sums: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums after all that they rest on. Raises `DataError` for a column that is worked out twice, or from itself."""
    derived = [one["place"] for one in sums]
    if len(set(derived)) < len(derived):
        raise DataError("a column can't equal two formulas", where="measure.security.ties")
    made: list[dict[str, Any]] = []
    while len(made) < len(sums):
        known = {one["place"] for one in made}
        able = [one for one in sums if one["place"] not in known and not (set(one["others"].values()) & set(derived)) - known]  # fmt: skip
        if not able:
            raise DataError("columns are worked out from one another in a circle", where="measure.security.ties")
        made += able
    return made


def _picture(one: Input, sample: Mapping[str, Array]) -> str:
    """How a picture's axes lie as the model takes them; empty where it is none."""
    if len(one.columns) != 1 or sample[one.columns[0]].ndim < 3:
        return ""
    axes = one.layout.model if one.layout else ""
    if axes in ("CHW", "HWC"):
        return axes
    size = sample[one.columns[0]].shape[1:]
    return "" if axes or len(size) != 3 else "CHW" if size[0] <= 4 < size[2] else "HWC" if size[2] <= 4 else ""
