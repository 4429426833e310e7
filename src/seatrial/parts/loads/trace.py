"""Arrivals replayed from a file, one row a query: what users would have waited on a day that was recorded.

Arrivals are moments in seconds, rising: one a line of a text file, or a column of numbers (or of dates with times) of a CSV or Parquet
file; the first one counts as 0. Latency counts from the moment when a query was due, as for `server`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from seatrial.contracts.events import Events
from seatrial.contracts.protocols import Session
from seatrial.contracts.values import Values
from seatrial.errors import DataError
from seatrial.parts.loads._driving import on_schedule
from seatrial.parts.loads._driving import warm as warm
from seatrial.parts.loads._schedules import Scheduled

NEEDS = ("polars",)
GIVES = {"load": ("trace",), "instances": ("many",)}
CANNOT = {
    "rows": ("not yet ours", "when queries came is replayed, not which rows they asked for: those are drawn by chance"),
    "reading": (
        "not yet ours",
        "reading files and decoding pictures stand outside the clock; so do scaling and what is made of the answers, "
        "unless the study says `processing: inside`",
    ),
    "batching": (
        "not yet ours",
        "queries that wait are answered one by one, in their order; gathering them into batches comes with serving",
    ),
}


class Options(Scheduled):
    """Where the arrivals are, and how fast they are replayed."""

    path: str | None = Field(
        default=None, description="a text, CSV or Parquet file of arrivals; from the study's folder"
    )
    column: str | None = Field(default=None, description="its column of arrivals; the only one if left out")
    arrivals: tuple[float, ...] = Field(
        default=(), description="the arrivals themselves, in seconds, instead of a file"
    )
    speed: float = Field(default=1.0, gt=0, description="how many times as fast as they came they are replayed")

    @field_validator("arrivals")
    @classmethod
    def _rise(cls, arrivals: tuple[float, ...]) -> tuple[float, ...]:
        if not np.isfinite(arrivals).all() or (np.diff(arrivals) < 0).any():
            raise ValueError("arrivals are seconds that never fall")
        return arrivals


def prepare(options: Options, folder: Path) -> Options:
    """The same options with the file's arrivals in them, from 0. Raises `DataError` where there are none, or too many for a block."""
    arrivals = options.arrivals if options.path is None else _read(folder / options.path, options.column)
    if not len(arrivals):
        raise DataError("the load `trace` has no arrivals", next_step="say `path`: a file of moments in seconds")
    lasts = (arrivals[-1] - arrivals[0]) / options.speed
    if lasts >= options.most:
        raise DataError(
            f"the arrivals of the load `trace` last {lasts:g} s, and a block may last {options.most:g} s",
            next_step=f"say `most: {ceil(lasts) + 1}` (and `limits: {{block: {ceil(lasts) + 60} s}}`), a higher `speed`, or a shorter part of them",
        )
    return options.model_copy(update={"path": None, "arrivals": tuple(moment - arrivals[0] for moment in arrivals)})


def samples(batch: int) -> int:
    """One row a query, whatever the batch."""
    return 1


def drive(session: Session, queries: Sequence[Values], samples: int, options: Options) -> Events:
    """Send each query when it is due. The warm-up before it (`warm`) is back to back."""
    arrivals = np.array(prepare(options, Path()).arrivals) / options.speed
    seed = options.order_seed, options.round
    return on_schedule(session, queries, samples, [(None, arrivals)], seed, options.most, options.beside)


def _read(file: Path, column: str | None) -> list[float]:
    if not file.is_file():
        raise DataError(f"there is no file of arrivals {file}", next_step="check `path` of the load `trace`")
    table = {".csv": _csv, ".parquet": _parquet}.get(file.suffix.lower())
    values = _lines(file) if table is None else _moments(table(file), file, column)
    if not np.isfinite(values).all():
        raise DataError(f"{file}: arrival {1 + int(np.argmin(np.isfinite(values)))} is no number")
    falls = np.flatnonzero(np.diff(values) < 0)
    if falls.size:
        raise DataError(f"{file}: arrival {int(falls[0]) + 2} comes before the one above it", next_step="sort the file")
    listed: list[float] = values.tolist()
    return listed


def _lines(file: Path) -> NDArray[np.float64]:
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                found.append(float(line))
            except ValueError:
                raise DataError(f"{file}:{number}: `{line.strip()[:40]}` is no moment in seconds") from None
    return np.array(found)


def _csv(file: Path) -> Any:
    import polars

    table = polars.read_csv(file, try_parse_dates=True)
    if any(name.replace(".", "", 1).isdigit() for name in table.columns):
        raise DataError(
            f"{file}: the first line is no header: `{','.join(table.columns)[:40]}`", next_step="name its columns there"
        )
    return table


def _parquet(file: Path) -> Any:
    import polars

    return polars.read_parquet(file)


def _moments(table: Any, file: Path, column: str | None) -> NDArray[np.float64]:
    """A column as seconds, by its name or because it is the only one."""
    names = ", ".join(table.columns)
    if column not in table.columns and (column is not None or len(table.columns) != 1):
        raise DataError(f"{file} has the columns {names}", next_step="name one as `column` of the load `trace`")
    chosen = table[column or table.columns[0]]
    if chosen.dtype.is_temporal():
        chosen = chosen.dt.epoch("us") / 1e6
    if not chosen.dtype.is_numeric() or chosen.null_count():
        raise DataError(f"{file}: the column {chosen.name} isn't numbers or dates throughout")
    return np.asarray(chosen.to_numpy(), np.float64)
