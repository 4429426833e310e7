"""Stored columns become one input of a model: joined, shaped, axes in the model's order, scaled, in its type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.study import Input, Scale
from seatrial.contracts.values import ValueKind
from seatrial.errors import DataError

Array = NDArray[Any]


def stored(wanted: Input, chunk: Mapping[str, Array]) -> Array:
    """Rows x ... as they lie in the data: one column as it is, several joined to rows x features. Text as strings of NumPy."""
    if wanted.kind is ValueKind.TEXT:
        return _text(wanted, chunk)
    for name in wanted.columns:
        if chunk[name].dtype.kind not in "biuf":
            step = "leave it out, or store it as the numbers the model was trained with; `1,5` is a number with `decimal: ','`"
            raise DataError(
                f"the column `{name}` holds {_words(chunk[name])}; a tensor takes numbers",
                where="inputs",
                next_step=step,
            )
    if len(wanted.columns) == 1:
        return chunk[wanted.columns[0]]
    for name in wanted.columns:
        if chunk[name].ndim > 2:
            shape = "x".join(map(str, chunk[name].shape[1:]))
            raise DataError(f"several columns are joined to features, but a row of `{name}` is {shape}", where="inputs")
    return np.concatenate(
        [chunk[name].reshape(len(chunk[name]), math.prod(chunk[name].shape[1:])) for name in wanted.columns], axis=1
    )


def _text(wanted: Input, chunk: Mapping[str, Array]) -> Array:
    """One column as rows, several as rows x columns. Raises `DataError` where text is missing."""
    for name in wanted.columns:
        if count := sum(one is None or one != one for one in chunk[name].tolist()):
            raise DataError(
                f"{count} values of the column `{name}` are missing, and text that a model takes can't be",
                where="inputs",
                next_step="fill them in with a word that the model knows, or leave those rows out",
            )
    columns = [chunk[name].astype(str) for name in wanted.columns]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def ready(wanted: Input, rows: Array, name: str) -> Array:
    """Rows x ... as the model takes them. Raises `DataError` where shape, layout, scale or type don't fit."""
    where = f"inputs.{name}"
    if wanted.kind is ValueKind.TEXT:
        return np.ascontiguousarray(_shaped(wanted, rows, where))
    if wanted.kind is not ValueKind.DENSE:
        raise DataError(f"{wanted.kind} inputs can't be made from columns yet; dense ones and text can", where=where)
    shaped = _laid_out(wanted, _shaped(wanted, rows, where), where)
    if wanted.scale is not None:
        shaped = _scaled(wanted, wanted.scale, shaped, where)
    return np.ascontiguousarray(_cast(shaped, wanted.dtype, where))


def _shaped(wanted: Input, rows: Array, where: str) -> Array:
    if wanted.shape is None:
        return rows
    if math.prod(wanted.shape) != math.prod(rows.shape[1:]):
        stated, there = ("x".join(map(str, shape)) for shape in (wanted.shape, rows.shape[1:] or (1,)))
        raise DataError(f"`shape` says {stated}, but a row holds {there}", where=where)
    return rows.reshape(len(rows), *wanted.shape)


def _laid_out(wanted: Input, rows: Array, where: str) -> Array:
    """Axes in the model's order; new ones of length 1."""
    if wanted.layout is None:
        return rows
    axes, model = wanted.layout.stored, wanted.layout.model
    if len(axes) != rows.ndim - 1:
        there = "x".join(map(str, rows.shape[1:])) or "one number"
        raise DataError(f"`layout` names {len(axes)} stored axes ({axes}), but a row is {there}", where=where)
    if set(axes) - set(model) or len(set(model)) < len(model):
        raise DataError(f"`layout` can't turn {axes} into {model}", where=where)
    known = [axis for axis in model if axis in axes]
    moved = rows.transpose(0, *(1 + axes.index(axis) for axis in known))
    new = [1 + position for position, axis in enumerate(model) if axis not in axes]
    return np.expand_dims(moved, new)


def _scaled(wanted: Input, scale: Scale, rows: Array, where: str) -> Array:
    """(x / divide - mean) / std in float64; several means or deviations are one a channel."""
    mean, std = (_per_channel(wanted, value, rows, where) for value in (scale.mean, scale.std))
    if scale.divide == 0 or not np.all(std):
        raise DataError("`scale` divides by zero", where=where)
    return np.asarray((rows.astype(np.float64) / scale.divide - mean) / std)


def _per_channel(wanted: Input, value: float | tuple[float, ...], rows: Array, where: str) -> Array:
    if isinstance(value, int | float):
        return np.float64(value)  # type: ignore[return-value]
    model = wanted.layout.model if wanted.layout else ""
    axis = 1 + model.index("C") if "C" in model else rows.ndim - 1
    if rows.ndim < 2 or rows.shape[axis] != len(value):
        there = "x".join(map(str, rows.shape[1:])) or "one number"
        step = "name the channel axis C in `layout`"
        raise DataError(f"`scale` gives {len(value)} values, but a row is {there}", where=where, next_step=step)
    return np.array(value, np.float64).reshape([-1 if one == axis else 1 for one in range(rows.ndim)])


def _cast(rows: Array, name: str, where: str) -> Array:
    """In the model's type, where no value is lost by it."""
    try:
        dtype = np.dtype(name)
    except TypeError:
        raise DataError(f"`{name}` is no type of numbers, like float32 or int64", where=where) from None
    if dtype.kind in "iub" and rows.dtype != dtype:
        whole = np.array_equal(rows, np.trunc(rows)) if rows.dtype.kind == "f" else True
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not whole or (rows.size and (rows.min() < low or rows.max() > high)):
            raise DataError(f"the values don't fit into {name}: whole numbers from {low} to {high}", where=where)
    return rows.astype(dtype, copy=False)


MUCH = 100
"""Dividing by this or more is meant for bytes."""


class Look:
    """What one sees of an input while its rows pass: values that are no numbers, and bytes that look unscaled."""

    def __init__(self, wanted: Input) -> None:
        self._wanted = wanted
        self._bad_rows = self._bad = 0
        self._low, self._high = math.inf, -math.inf
        self._like_bytes = True

    def see(self, rows: Array, made: Array) -> None:
        """Look at a chunk as stored and as made."""
        if made.dtype.kind == "f" and made.size:
            bad = ~np.isfinite(made.reshape(len(made), -1))
            self._bad += int(bad.sum())
            self._bad_rows += int(bad.any(axis=1).sum())
        if rows.size:
            self._low, self._high = min(self._low, float(rows.min())), max(self._high, float(rows.max()))
        if self._wanted.scale is None and self._like_bytes and rows.size:
            self._like_bytes = rows.dtype == np.uint8 or (
                rows.ndim > 2 and bool(np.array_equal(rows, np.trunc(rows.astype(np.float64))))
            )

    def sentences(self, name: str) -> list[str]:
        """What looks wrong."""
        found = []
        if self._bad:
            found.append(f"input `{name}`: {self._bad} values in {self._bad_rows} rows are not finite numbers")
        floating = self._wanted.dtype.startswith("float")
        if self._wanted.scale is None and floating and self._like_bytes and self._low >= 0 and 128 <= self._high <= 255:
            found.append(
                f"input `{name}` runs from {self._low:g} to {self._high:g} and no `scale` is stated; many models take 0 to 1, "
                "and this is then the likely cause of wrong answers (scale: {divide: 255})"
            )
        scale = self._wanted.scale
        if scale is not None and scale.divide >= MUCH and -1 <= self._low < self._high <= 1:
            found.append(
                f"input `{name}` runs from {self._low:g} to {self._high:g} before `scale` divides it by {scale.divide:g}: it seems "
                "to be scaled already, which is the likely cause of wrong answers (leave `divide` out)"
            )
        return found


def _words(column: Array) -> str:
    return "text" if column.dtype.kind in "OUT" else str(column.dtype)
