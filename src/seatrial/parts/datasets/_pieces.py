"""Columns of polars as pieces for audits: as stored, holes and all. Nothing is refused but what can't be read at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.audit import Piece
from seatrial.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from seatrial.contracts.values import Array


def plain(series: pl.Series) -> Piece:
    """The piece of a series of text, truth values or numbers."""
    import polars as pl

    if isinstance(series.dtype, pl.String):
        return text(series)
    if isinstance(series.dtype, pl.Boolean):
        return Piece("truth", series.fill_null(value=False).to_numpy(), _holes(series))
    return _numbers(series)


def piece(series: pl.Series, where: str, array: Callable[[pl.Series, str], Array]) -> Piece:
    """The piece of a series; `array` makes nested lists of equal length an array. Raises `DataError` for what is neither numbers, times, text nor lists of them."""
    import polars as pl

    dtype = series.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return text(series)
    if isinstance(dtype, pl.Decimal):
        return _numbers(series.cast(pl.Float64))
    if isinstance(dtype, pl.String | pl.Boolean) or dtype.is_numeric():
        return plain(series)
    if isinstance(dtype, pl.Null):
        return Piece("number", np.zeros(len(series)), np.ones(len(series), bool))
    if dtype.is_temporal():
        return _times(series)
    if isinstance(dtype, pl.List | pl.Array):
        return _lists(series, where, array)
    if isinstance(dtype, pl.Struct):
        return text(series.struct.json_encode())
    raise DataError(f"columns of {str(dtype).split('(')[0].lower()} can't be audited", where=where)


def text(series: pl.Series) -> Piece:
    """Different words, and the place of each cell among them."""
    import polars as pl

    words = series if isinstance(series.dtype, pl.String) else series.cast(pl.String)
    different = words.drop_nulls().unique(maintain_order=True)
    if len(different) == 0:
        return Piece("text", np.zeros(len(words), np.int32), np.ones(len(words), bool))
    places = words.cast(pl.Enum(different)).to_physical().cast(pl.Int32)
    return Piece("text", places.fill_null(0).to_numpy(), _holes(words), different.to_list())


def _holes(series: pl.Series) -> Any:
    return series.is_null().to_numpy() if series.null_count() else None


def _numbers(series: pl.Series) -> Piece:
    if series.null_count() == 0 and not series.dtype.is_float():
        return Piece("number", np.ascontiguousarray(series.to_numpy()))
    missing = series.is_null()
    if series.dtype.is_float():
        missing = missing | series.is_nan().fill_null(value=False)
    holes = missing.to_numpy() if missing.any() else None
    values = series.fill_null(0)
    values = values.fill_nan(0) if series.dtype.is_float() else values
    return Piece("number", np.ascontiguousarray(values.to_numpy()), holes)


def _times(series: pl.Series) -> Piece:
    """Microseconds since 1970 UTC; of times of day since midnight, of durations their length."""
    import polars as pl

    if isinstance(series.dtype, pl.Date | pl.Datetime):
        series = series.cast(pl.Datetime("us")) if isinstance(series.dtype, pl.Date) else series.dt.cast_time_unit("us")
        counts = series.cast(pl.Int64)
    elif isinstance(series.dtype, pl.Duration):
        counts = series.dt.total_microseconds()
    else:
        counts = series.cast(pl.Int64) // 1000
    return Piece("time", counts.fill_null(0).to_numpy(), _holes(series))


def _lists(series: pl.Series, where: str, array: Callable[[pl.Series, str], Array]) -> Piece:
    """Tensors where all lists are equally long, else their content as text."""
    import polars as pl

    try:
        return Piece("tensor", array(series, where))
    except DataError:
        return text(series.map_elements(lambda cell: repr(cell.to_list()), return_dtype=pl.String))
