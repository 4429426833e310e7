"""How a model and its labels write boxes around things."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seatrial.contracts.record import Record

Form = Literal["xyxy", "xywh", "cxcywh", "yxyx"]


class Boxes(Record):
    """How boxes are written: the order of their four numbers, and of what they are shares where they aren't pixels."""

    format: Form = Field(
        default="xyxy",
        description="corners `xyxy` or `yxyx`; corner and size `xywh`; middle and size `cxcywh`",
    )
    share_of: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = Field(
        default=None, description="[width, height] of which coordinates are shares; pixels if left out"
    )
    labels: Form = Field(default="xyxy", description="the same of the boxes in the label column")
    labels_are_shares: bool = Field(
        default=False, description="whether the label's boxes are shares of `share_of`, too; pixels if not"
    )
