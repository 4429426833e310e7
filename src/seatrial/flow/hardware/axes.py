"""Free axes of an ONNX file's inputs get their lengths: the first is rows, others by name, or by the shape of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.errors import StudyError


def bind(
    inputs: Sequence[Any], batch: int, dimensions: Mapping[str, int], rows: Mapping[str, Sequence[int]], file: Path
) -> None:
    """Writes a length into every axis of these inputs. An axis without a name is called `input.place`.

    Raises `StudyError` for an axis that stays free, for a name that no free axis has, and for a batch that the file doesn't allow.
    """
    free = {_name(axis, one.name, place) for one, place, axis in _axes(inputs) if not _fixed(axis)}
    if unknown := sorted(set(dimensions) - free):
        known = ", ".join(f"`{name}`" for name in sorted(free)) or "none"
        raise StudyError(f"no free axis of {file} is called `{unknown[0]}`", next_step=f"free axes of it: {known}")
    lengths = dict(dimensions)
    for one, place, axis in _axes(inputs):
        row = rows.get(one.name, ())
        if place == 0:
            lengths.setdefault(_name(axis, one.name, place), batch)
        elif place <= len(row):
            lengths.setdefault(_name(axis, one.name, place), int(row[place - 1]))
    one_size = all(_fixed(axis) for _, place, axis in _axes(inputs) if place == 0)
    for one, place, axis in _axes(inputs):
        if _fixed(axis):
            if place == 0 and one_size and axis.dim_value != batch:
                raise _other_batch(axis.dim_value, batch, file)
            continue
        name = _name(axis, one.name, place)
        if name not in lengths:
            raise StudyError(
                f"axis {place} of the input `{one.name}` has no length in {file}",
                next_step=f"say one: `--axis {name}=128`",
            )
        axis.dim_value = lengths[name]


def _axes(inputs: Sequence[Any]) -> list[tuple[Any, int, Any]]:
    return [(one, place, axis) for one in inputs for place, axis in enumerate(one.type.tensor_type.shape.dim)]


def _fixed(axis: Any) -> bool:
    return bool(axis.HasField("dim_value") and axis.dim_value > 0)


def _name(axis: Any, of: str, place: int) -> str:
    return str(axis.dim_param or f"{of}.{place}")


def _other_batch(takes: int, batch: int, file: Path) -> StudyError:
    if takes > 1:
        return StudyError(f"{file} takes {takes} rows a call, not {batch}", next_step=f"`--batch {takes}`")
    return StudyError(
        f"{file} takes one row a call, not {batch}",
        next_step="`--batch 1`, or export the model with a free first axis",
    )
