"""What data sets of events share: tables of any format, moments as microseconds, values that aren't known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.errors import DataError
from seatrial.parts.datasets import _columns, _frames
from seatrial.parts.datasets._limits import HeldLimits, beyond

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".parquet", ".csv", ".arrow", ".ipc", ".feather")
MICRO = 1_000_000


def micros(series: pl.Series, where: str) -> pl.Series:
    """Microseconds since 1970: of dates, datetimes, texts that say them, or numbers of seconds. Raises `DataError`."""
    import polars as pl

    if series.dtype == pl.String:
        parsed = series.str.to_datetime(strict=False, time_unit="us", time_zone="UTC")
        if parsed.null_count() > series.null_count():
            raise DataError(
                f"`{series.name}` holds what is no time", where=where, next_step="write times as 2026-11-30T12:00:00"
            )
        return parsed.cast(pl.Int64)
    if isinstance(series.dtype, pl.Date | pl.Datetime):
        return series.cast(pl.Datetime("us")).cast(pl.Int64) if series.dtype == pl.Date else series.dt.epoch("us")
    if series.dtype.is_numeric():
        return (series.cast(pl.Float64) * MICRO).round().cast(pl.Int64)
    raise DataError(f"`{series.name}` is {series.dtype}, which is no time", where=where)


def filled(values: pl.Series, absent: str | None, where: str) -> pl.Series:
    """Numbers as float64, nan where there is none; of text what `absent` says. Raises `DataError` where it says nothing."""
    import polars as pl

    if values.dtype.is_numeric() or values.dtype == pl.Null:
        return values.cast(pl.Float64).fill_null(float("nan"))
    if not values.null_count():
        return values
    if absent is None or values.dtype != pl.String:
        step = "say `absent: unknown`, or another word" if values.dtype == pl.String else "leave the column out"
        raise DataError(f"`{values.name}` isn't known for {values.null_count()} events", where=where, next_step=step)
    return values.fill_null(absent)


def scan(path: str, folder: Path) -> pl.LazyFrame:
    """The table in files of one format."""
    import polars as pl

    found = _columns.files(path, folder, *SUFFIXES)
    readers: dict[str, Any] = {".parquet": pl.scan_parquet, ".csv": pl.scan_csv}
    with _frames.reading(path, "a table"):
        reader = readers.get(found[0].suffix.lower(), pl.scan_ipc)
        given: dict[str, Any] = {"try_parse_dates": True} if reader is pl.scan_csv else {}
        frame: pl.LazyFrame = reader(found, glob=False, **given)
        frame.collect_schema()
        return frame


def read(path: str, folder: Path, limits: HeldLimits) -> pl.DataFrame:
    """The whole table. Raises `DataError` where it would take more memory than the limits say."""
    with _frames.reading(path, "a table"):
        kinds = {".parquet": "Parquet", ".csv": ""}
        found = _columns.files(path, folder, *SUFFIXES)
        kind = kinds.get(found[0].suffix.lower(), "Arrow")
        size = sum(_frames.held(kind, file) for file in found) if kind else 0
        if size > limits.held:
            raise beyond(f"the table would take {size} bytes once unpacked, more than {limits.held}", "held", path)
        return scan(path, folder).collect()
