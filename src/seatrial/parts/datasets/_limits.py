"""What a data file may ask for before it is refused. Files say how large they are; none is believed beyond these limits.

Each part's `limits` block sets its own: `from: {npz: {path: rows.npz, limits: {growth: 1000}}}`.
"""

from __future__ import annotations

from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.quantity import Bytes
from seatrial.errors import DataError


class TableLimits(PartOptions):
    """Of Parquet and Arrow files: what a reader has to hold at once."""

    group: Bytes = Field(
        default=4 * 2**30,
        description="bytes of a group of rows once unpacked, in the columns that are read; rows are unpacked by groups where a table is gone through whole",
    )
    block: Bytes = Field(default=2**29, description="bytes of one packed block once unpacked: a page, or a buffer")
    cell: Bytes = Field(default=64 * 2**20, description="bytes of one text or list")


class HeldLimits(PartOptions):
    """Of tables that are held whole, to be joined."""

    held: Bytes = Field(default=8 * 2**30, description="bytes of a Parquet or Arrow table once unpacked")


class LineLimits(PartOptions):
    """Of files of separated values."""

    line: Bytes = Field(default=8 * 2**20, description="bytes of a line, and of a record that has several")
    lines: int = Field(default=1_000, ge=1, description="lines of one record, whose quoted cells may hold line ends")


class ArrayLimits(PartOptions):
    """Of NumPy's files and archives."""

    row: Bytes = Field(default=2**30, description="bytes of one row")
    whole: Bytes = Field(
        default=2**28, description="bytes of an array that has to be read at once, because it is stored column first"
    )
    small: Bytes = Field(default=2**28, description="bytes of an array that may be packed as tightly as it likes")
    growth: float = Field(default=100.0, gt=1, description="how many times its packed size a larger array may have")


class PictureLimits(LineLimits):
    """Of pictures, and of the list that names them."""

    pixels: int = Field(default=50_000_000, ge=1, description="pixels of one picture")


class BoxLimits(PictureLimits):
    """Of pictures with boxes, and of the JSON file that says where they are."""

    boxes: int = Field(
        default=5_000, ge=1, description="boxes of one picture; every picture is given room for those of the fullest"
    )
    file: Bytes = Field(default=2**30, description="bytes of the JSON file, which is read at once")


def beyond(what: str, limit: str, where: str, instead: str = "") -> DataError:
    """The refusal of what goes beyond a limit, with how to set it, and how to do without."""
    step = f"if the file is yours and right, set it: `limits: {{{limit}: ...}}`"
    return DataError(what, where=where, next_step=f"{step}; or {instead}" if instead else step)
