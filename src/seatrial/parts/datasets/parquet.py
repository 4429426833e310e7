"""Rows in Parquet files: one file, a folder of them, or a pattern like `data/*.parquet`.

Only the columns that are needed are read, a chunk of rows at a time. Images and other tensors are nested list or array
columns whose lists are equally long: `list[list[uint8]]` of 28 x 28 becomes rows x 28 x 28.
"""

from __future__ import annotations

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
    import polars as pl

NEEDS = ("polars",)
GIVES = {"suffix": (".parquet",)}


class Options(PartOptions):
    """Where the rows are."""

    path: str = Field(description="a Parquet file, a folder of them, or a pattern; from the study's folder")


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Column names with their types in words (`uint8 28x28`, `text`), from the files' footers."""
    _, schema = _scan(options, folder)
    return {name: _words(dtype) for name, dtype in schema.items()}


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named columns in order, at most `rows` rows at a time. Raises `DataError` for nulls and lists of unequal length."""
    import polars as pl

    frame, schema = _scan(options, folder)
    _columns.known(names, schema, options.path)
    picked = frame.select(names)
    for start, count in _columns.slices(_rows(frame, options.path), rows):
        try:
            part = picked.slice(start, count).collect()
        except pl.exceptions.PolarsError as error:
            raise _unreadable(error, options.path) from error
        yield {name: _array(part[name], f"{options.path}, column `{name}`", start) for name in names}


def _scan(options: Options, folder: Path) -> tuple[pl.LazyFrame, pl.Schema]:
    import polars as pl

    found = _columns.files(options.path, folder, ".parquet")
    try:
        frame = pl.scan_parquet(found, glob=False)
        return frame, frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(error, options.path) from error


def _unreadable(error: Exception, where: str) -> DataError:
    return DataError(f"this can't be read as Parquet: {str(error).splitlines()[0]}", where=where)


def _rows(frame: pl.LazyFrame, where: str) -> int:
    import polars as pl

    return _columns.some_rows(int(frame.select(pl.len()).collect().item()), where)


def _words(dtype: pl.DataType) -> str:
    import polars as pl

    if isinstance(dtype, pl.Array):
        inner: Any = dtype
        while isinstance(inner, pl.Array):
            inner = inner.inner
        return f"{_words(inner)} {'x'.join(map(str, dtype.shape))}"
    if isinstance(dtype, pl.List):
        return f"list of {_words(dtype.inner)}"  # type: ignore[arg-type]
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    return str(dtype).lower()


def _array(series: pl.Series, where: str, start: int) -> np.ndarray[Any, Any]:
    """The column as an array, rows first; nested lists become further axes."""
    import polars as pl

    shape = [len(series)]
    _no_nulls(series, where, start)
    while isinstance(series.dtype, pl.List | pl.Array):
        shape.append(_width(series, where))
        series = series.explode()
        _no_nulls(series, where, None)
    if isinstance(series.dtype, pl.Struct | pl.Object):
        raise DataError(f"columns of {str(series.dtype).split('(')[0].lower()} can't be used", where=where)
    if isinstance(series.dtype, pl.Decimal):
        series = series.cast(pl.Float64)
    if isinstance(series.dtype, pl.Categorical | pl.Enum):
        series = series.cast(pl.String)
    return _columns.plain(series.to_numpy().reshape(shape))


def _width(series: pl.Series, where: str) -> int:
    """The one length of all lists."""
    import polars as pl

    if isinstance(series.dtype, pl.Array):
        return series.dtype.size
    lengths = series.list.len()
    least, most = int(lengths.min()), int(lengths.max())  # type: ignore[arg-type]
    if least != most or most == 0:
        raise DataError(f"its lists hold {least} to {most} values; all must be equally long and not empty", where=where)
    return most


def _no_nulls(series: pl.Series, where: str, start: int | None) -> None:
    if count := series.null_count():
        at = "" if start is None else f", the first in row {start + int(series.is_null().arg_max() or 0)}"
        step = "fill them or leave those rows out"
        raise DataError(f"{count} values are null{at}", where=where, next_step=step)
