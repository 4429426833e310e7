"""MLPerf LoadGen's accuracy log, `mlperf_log_accuracy.json`: the answers of a run made elsewhere.

Columns: `qsl_idx`, the number of the sample in its library, which says whose answer it is; `seq_id`, the order in which queries were
made; `output`, the answer. LoadGen writes answers as the bytes they were, without their type, so `dtype` and `shape` say what they are:
the log of an image classifier often holds one float32 a row, the predicted class (then say `decided: true` where it is used).
Rows lie in the order in which they were answered: match them by `key: qsl_idx`. Unverified: reading a log makes no result of MLPerf.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.datasets import _columns
from seatrial.parts.datasets._entries import entries

GIVES = {"suffix": (".json",)}
CANNOT = {
    "answers of unequal length": ("not yet ours", "texts and lists of boxes have other lengths in every row"),
    "big-endian machines": ("not run here", "the bytes are read as little-endian, as x86 and ARM write them"),
}


class Options(PartOptions):
    """Where the log is, and what its bytes are."""

    path: str = Field(description="the log, or several by a pattern; from the study's folder")
    dtype: Literal["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64"] = Field(
        default="float32", description="type of the numbers that were written as bytes"
    )
    shape: tuple[int, ...] | None = Field(
        default=None, description="shape of one answer; left out: one number, or a list of as many as there are"
    )


def columns(options: Options, folder: Path) -> dict[str, str]:
    """The three columns, the answer with its type and shape as the first entry has it."""
    for chunk in chunks(options, folder, ("output",), 1):
        answer = chunk["output"]
        numbers = {"qsl_idx": "int64", "seq_id": "int64"}
        return numbers | {"output": _columns.words(answer.dtype, answer.shape[1:])}
    raise DataError("there are no rows", where=options.path)


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named columns in order, at most `rows` rows at a time. Raises `DataError` for what is no such log."""
    files = _columns.files(options.path, folder, ".json")
    _columns.known(names, ("qsl_idx", "seq_id", "output"), options.path)
    kept: list[dict[str, Any]] = []
    shape: tuple[int, ...] | None = options.shape
    count = 0
    with _columns.reading(options.path, "this can't be read as an accuracy log"):
        for file in files:
            for entry in entries(file):
                row = _row(entry, names, options.dtype, f"{file.name}, entry {count}")
                if "output" in row:
                    row["output"], shape = _shaped(row["output"], shape, f"{file.name}, entry {count}")
                kept.append(row)
                count += 1
                if len(kept) == rows:
                    yield _joined(kept, names)
                    kept = []
    _columns.some_rows(count, options.path)
    if kept:
        yield _joined(kept, names)


def _row(entry: dict[str, Any], names: Sequence[str], dtype: str, where: str) -> dict[str, Any]:
    """The named values of one entry."""
    if not {"seq_id", "qsl_idx", "data"} <= entry.keys():
        raise DataError("this is no accuracy log of LoadGen: `seq_id`, `qsl_idx` and `data` belong in it", where=where)
    row = {}
    for name in names:
        if name != "output":
            row[name] = np.int64(entry[name])
            continue
        try:
            data = bytes.fromhex(entry["data"])
        except (TypeError, ValueError) as error:
            raise DataError("`data` isn't written in hexadecimal digits", where=where) from error
        size = np.dtype(dtype).itemsize
        if not data or len(data) % size:
            step = "say what they are: `dtype: int64`, for example"
            raise DataError(f"{len(data)} bytes are no numbers of the type {dtype}", where=where, next_step=step)
        row[name] = np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype)
    return row


def _shaped(numbers: Any, shape: tuple[int, ...] | None, where: str) -> tuple[Any, tuple[int, ...]]:
    """An answer in the shape that is stated or that the first one had."""
    shape = (() if len(numbers) == 1 else (len(numbers),)) if shape is None else shape
    if len(numbers) != math.prod(shape):
        wanted = "x".join(map(str, shape)) or "one"
        raise DataError(f"it holds {len(numbers)} numbers where {wanted} are wanted", where=where)
    return numbers.reshape(shape), shape


def _joined(rows: list[dict[str, Any]], names: Sequence[str]) -> Columns:
    return {name: np.stack([row[name] for row in rows]) for name in names}
