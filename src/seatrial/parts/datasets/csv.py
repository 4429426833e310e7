"""Rows in CSV files (values separated by commas, semicolons, tabs): one file, a folder of them, or a pattern like `data/*.csv`.

The type of each column is found from all of its cells: whole numbers, numbers, truth values (`true`, `false`), else
text. A column in which numbers and words are mixed is refused with the lines where that happens, as is one with empty
cells; columns that aren't needed may hold anything. Files are UTF-8 and are read in blocks, twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from seatrial.contracts.audit import Piece
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Columns
from seatrial.parts.datasets import _columns
from seatrial.parts.datasets._delimited import Form, Sheet
from seatrial.parts.datasets._limits import LineLimits

NEEDS = ("polars",)
GIVES = {"suffix": (".csv", ".tsv"), "columns": ("numbers", "text")}


class Options(PartOptions):
    """Where the rows are and how they are written."""

    path: str = Field(description="a CSV file, a folder of them, or a pattern; from the study's folder")
    separator: str | None = Field(
        default=None,
        pattern=r"^[\t !#-/:-@\[-`{-~]$",
        description="what stands between cells; if left out the one of , ; tab | that is most frequent in the first line",
    )
    decimal: Literal[".", ","] = Field(default=".", description="the mark before decimals")
    nulls: tuple[str, ...] = Field(default=(), description="words that mean an empty cell, such as NA")
    header: bool = Field(
        default=True, description="whether the first line names the columns; else column_1, column_2, ..."
    )
    text: tuple[str, ...] = Field(default=(), description="columns whose numbers are names, such as postal codes")
    limits: LineLimits = Field(default=LineLimits(), description="what a file may ask for before it is refused")


def columns(options: Options, folder: Path) -> dict[str, str]:
    """Column names with their types in words (`int64`, `text`), by the first thousand rows of the first file."""
    return _sheet(options, folder).words()


def chunks(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
    """The named columns in order, at most `rows` rows at a time. Raises `DataError` for mixed types and empty cells, with lines."""
    yield from _sheet(options, folder).chunks(names, rows)


def pieces(options: Options, folder: Path, names: Sequence[str], rows: int) -> Iterator[Mapping[str, Piece]]:
    """The named columns, holes and all, columns of mixed types as text: for audits. What isn't UTF-8 becomes `\N{REPLACEMENT CHARACTER}`."""
    yield from _sheet(options, folder).pieces(names, rows)


def _sheet(options: Options, folder: Path) -> Sheet:
    form = Form(options.separator, options.decimal, options.nulls, options.header, options.text, options.limits)
    return Sheet(_columns.files(options.path, folder, ".csv", ".tsv"), options.path, form)
