"""Rows in Arrow files (IPC, also called Feather): one file, a folder of them, or a pattern like `data/*.arrow`.

Only the columns that are needed are read, a chunk of rows at a time. Images and other tensors are nested list or array
columns whose lists are equally long, as in Parquet files. Arrow streams, which have no footer, must be saved as files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from seatrial.contracts.audit import Piece
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.parts.datasets._frames import Table
from seatrial.parts.datasets._limits import TableLimits

NEEDS = ("polars",)
GIVES = {"suffix": (".arrow", ".feather", ".ipc")}


class Options(PartOptions):
    """Where the rows are."""

    path: str = Field(description="an Arrow or Feather file, a folder of them, or a pattern; from the study's folder")
    fill: dict[str, float] = Field(
        default={}, description="columns of lists of unequal length, and the number with which they are filled up"
    )
    limits: TableLimits = Field(default=TableLimits(), description="what a file may ask for before it is refused")


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Column names with their types in words (`uint8 28x28`, `text`), from the files' footers."""
    return _table(options, folder).words()


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named columns in order, at most `rows` rows at a time. Raises `DataError` for nulls and lists of unequal length."""
    yield from _table(options, folder).chunks(names, rows)


def pieces(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Mapping[str, Piece]]:
    """The named columns as stored, holes and all: for audits."""
    yield from _table(options, folder).pieces(names, rows)


def _table(options: Options, folder: Path) -> Table:
    return Table("Arrow", options.path, folder, options.limits, ".arrow", ".feather", ".ipc", fill=options.fill)
