"""A filter before the model that takes small changes away: fewer levels, the median of neighbours, or JPEG; it is part of what is deployed.

It stops attacks that don't know of it, which a slope of zero leads nowhere, and hardly those that pass their gradient straight through
it: every attack here knows it, so that what is measured is what it is worth. `attack.flag` says where it only masks. Sources: Xu, Evans &
Qi (2018), "Feature squeezing"; Das et al. (2018), "Shield" (JPEG); broken by He et al. (2017) and Athalye, Carlini & Wagner (2018).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making, Session
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.numerics import filters
from seatrial.parts.variants import _through

NEEDS = ("PIL",)
EXTRA = "images"
ACCEPTS = {"ranges": ("study",)}
GIVES = {"step": ("before",)}
CANNOT = {
    "a filter's own slope": (
        "not yet ours",
        "gradients pass as if the filter did nothing; a closer stand-in may break it further",
    ),
    "export": ("not yet ours", "the filter stands around the model's session and isn't in its file"),
}
VERSION = 1
BYTES = 255

Array = NDArray[Any]


class Options(PartOptions):
    """Which filter, and how strong it is."""

    method: Literal["bits", "median", "jpeg"] = Field(
        default="bits", description="fewer levels; the median of neighbouring pixels; saved as JPEG and opened again"
    )
    bits: int = Field(default=4, ge=1, le=8, description="of `bits`: levels of each feature's range are 2 to the power of it")  # fmt: skip
    width: Literal[3, 5] = Field(default=3, description="of `median`: pixels along a side of the neighbourhood")
    quality: int = Field(default=75, ge=1, le=95, description="of `jpeg`: Pillow's quality")


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The same files with the filter before them. Raises `Unsupported` where there are no ranges, or no picture to filter."""
    space = _through.spaced("preprocessing", making)
    more: dict[str, Any] = {"low": _through.kept(space.low), "span": _through.kept(space.span)}
    if options.method != "bits":
        if space.axes not in ("CHW", "HWC"):
            raise Unsupported(f"`{options.method}` is for pictures, and the input is none", next_step="say `method: bits`")  # fmt: skip
        channels = next(iter(space.low.values())).shape[0 if space.axes == "CHW" else 2]
        if options.method == "jpeg" and channels not in (1, 3):
            raise Unsupported(f"a JPEG has one channel or three, and the picture has {channels}", next_step="say `method: bits`")  # fmt: skip
        more["axes"] = space.axes
    return _through.stepped("preprocessing", VERSION, artefact, making, options, more)


def around(session: Session, given: Mapping[str, Any]) -> Session:
    """A session that filters inputs first; `given` are the step's options."""
    ranges, squeeze = _through.Ranges(given["low"], given["span"]), _filter(given)

    def change(values: Values) -> Values:
        return ranges.changed(values, lambda name, points: squeeze(points))

    return _through.Through(session, f"preprocessing ({given['method']})", change)


def _filter(given: Mapping[str, Any]) -> Callable[[Array], Array]:
    """What is done to points."""
    if given["method"] == "bits":
        return lambda points: filters.fewer_levels(points, given["bits"])
    first = given["axes"] == "CHW"
    if given["method"] == "median":
        return lambda points: filters.median(points, given["width"], (2, 3) if first else (1, 2))
    return lambda points: _compressed(points, first, given["quality"])


def _compressed(points: Array, first: bool, quality: int) -> Array:
    """Each picture saved as JPEG and opened again, pixels as bytes between."""
    last = np.moveaxis(points, 1, 3) if first else points
    whole = np.rint(np.clip(last, 0, 1) * BYTES).astype(np.uint8)
    opened = np.stack([_opened(picture, quality) for picture in whole]).astype(np.float32) / BYTES
    return np.moveaxis(opened, 3, 1) if first else opened


def _opened(picture: Array, quality: int) -> Array:
    from PIL import Image

    file = io.BytesIO()
    grey = picture.shape[2] == 1
    Image.fromarray(picture[..., 0] if grey else picture).save(file, "JPEG", quality=quality)
    with Image.open(file) as opened:
        found = np.asarray(opened)
    return found[..., None] if grey else found
