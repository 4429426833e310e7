"""Outputs that were made elsewhere: where they lie, and which row of theirs is which row of the study's data.

An artefact of such outputs carries a `Recorded` as JSON in its `entry`. A runtime that stands for them says
`GIVES = {"outputs": ("imported",)}`: nothing is run, and what is found from them has the origin `imported`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from seatrial.contracts.candidate import Ref
from seatrial.contracts.finding import Origin
from seatrial.contracts.record import Record

if TYPE_CHECKING:
    from seatrial.contracts.part import PartInfo


class Recorded(Record):
    """Which columns of which data set hold the outputs, and the column that names rows in both (`key`)."""

    source: Ref = Field(alias="from", description="the data set that holds them: `{parquet: {path: outputs.parquet}}`")
    columns: dict[str, tuple[str, ...]] | tuple[str, ...] = Field(
        default=(),
        description="columns that hold the output, in the order of its classes; several outputs: `{name: [columns]}`; "
        "left out: the column called like the output",
    )
    key: str | None = Field(
        default=None,
        description="column that names each row, here and in the data; left out: rows are in the same order",
    )
    data_key: str | None = Field(default=None, description="what that column is called in the data, where it differs")
    decided: bool = Field(
        default=False, description="whether the column holds the predicted class, not a number for each class"
    )


def made_elsewhere(runtime: PartInfo) -> bool:
    """Whether this runtime stands for outputs that were made elsewhere, so that nothing is run."""
    return Origin.IMPORTED in runtime.gives.get("outputs", ())
