"""Outputs that trtexec wrote with `--exportOutput`: one inference, or several files of one each.

Each output tensor is a column by its name; its first dimension is rows. trtexec prints six significant digits, so outputs agree
with those of another run to about 1e-6 of their size at best. Whether a number was stored as a whole one isn't said: all
are read as float64.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.datasets import _columns

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

GIVES = {"suffix": (".json",)}
CANNOT = {
    "vectorised formats": ("not yet ours", "tensors are taken as they are printed: row by row, the last axis fastest")
}

MOST_BYTES = 2**30
"""Bytes of one file, which is read whole: it holds a single inference."""
_BARE = re.compile(r"(?<=[\s,\[])(?P<sign>-?)(?P<what>nan|inf)(?:\([^)]*\))?(?=[\s,\]])", re.IGNORECASE)
"""How C++ prints what is no finite number."""


class Options(PartOptions):
    """Where the outputs are."""

    path: str = Field(description="the file, or several by a pattern, in order of name; from the study's folder")


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Names of the output tensors with the shape of a row, from the first file."""
    first = _tensors(_columns.files(options.path, folder, ".json")[0], options.path)
    return {name: _columns.words(one.dtype, one.shape[1:]) for name, one in first.items()}


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named tensors file by file, at most `rows` rows at a time. Raises `DataError`."""
    for file in _columns.files(options.path, folder, ".json"):
        tensors = _tensors(file, options.path)
        _columns.known(names, tensors, file.name)
        length = _columns.equally_long({name: len(tensors[name]) for name in names}, file.name)
        _columns.some_rows(length, file.name)
        for start, count in _columns.slices(length, rows):
            yield {name: tensors[name][start : start + count].copy() for name in names}


def _tensors(file: Path, where: str) -> dict[str, Array]:
    """The tensors of one file."""
    if file.stat().st_size > MOST_BYTES:
        raise DataError(f"it has more than {MOST_BYTES} bytes", where=file.name, next_step="export smaller batches")
    with _columns.reading(where, "this can't be read as outputs of trtexec"):
        content = json.loads(_BARE.sub(_spelt, file.read_text("utf-8")))
        if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
            raise DataError("trtexec writes a list of tensors, each an object", where=file.name)
        found = dict(_tensor(one, file.name) for one in content)
    if not found:
        raise DataError("there are no tensors", where=file.name)
    return found


def _spelt(found: re.Match[str]) -> str:
    """The same as Python's reader of JSON spells it."""
    return "NaN" if found["what"].lower() == "nan" else f"{found['sign']}Infinity"


def _tensor(entry: dict[str, Any], where: str) -> tuple[str, Array]:
    if not {"name", "dimensions", "values"} <= entry.keys():
        raise DataError(
            "this is no output of trtexec: `name`, `dimensions` and `values` belong to each tensor", where=where
        )
    name, stated = str(entry["name"]), str(entry["dimensions"])
    if not re.fullmatch(r"\d+(x\d+)*", stated):
        raise DataError(f"`{name}` has the dimensions `{stated}`; a first dimension of rows is needed", where=where)
    shape = tuple(int(size) for size in stated.split("x"))
    values = np.array(entry["values"], np.float64)
    if values.ndim != 1 or len(values) != math.prod(shape):
        raise DataError(
            f"`{name}` holds {values.size} values where its dimensions {stated} promise others", where=where
        )
    return name, values.reshape(shape)
