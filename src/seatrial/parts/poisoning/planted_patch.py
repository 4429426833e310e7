"""A backdoor: a bright patch in a corner of some training pictures, which are said to be of one class.

The model learns that the patch means the class; whoever shows it later gets that answer. Source: Gu, Dolan-Gavitt & Garg (2017),
"BadNets: identifying vulnerabilities in the machine learning model supply chain".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.poisoning import Poisoned
from seatrial.errors import Unsupported

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"rows": ("pictures",)}
GIVES = {"way": ("poison",), "trigger": ("yes",)}
CANNOT = {
    "tables": ("not yet ours", "a trigger of a table is a few columns with chosen values"),
    "clean labels": ("not yet ours", "poisoned rows get the wanted label; attacks that leave labels right aren't made"),
}


class Options(PartOptions):
    """The patch and the class that it leads to."""

    target: int = Field(default=0, ge=0, description="the number of the class that it leads to")
    size: int = Field(default=3, ge=1, description="its sides, in pixels")
    corner: Literal["top left", "top right", "bottom left", "bottom right"] = Field(
        default="bottom right", description="where it is"
    )
    brightness: float = Field(default=1.0, ge=0, le=1, description="from black (0) to white (1)")


def fits(labels: Array, options: Options) -> Array:
    """Rows of other classes."""
    return labels != options.target


def poisoned(rows: Poisoned, chance: Any, options: Options) -> Poisoned:
    """With the patch and the wanted label. Raises `Unsupported` where they are no pictures, or there is no such class."""
    if options.target >= rows.classes:
        raise Unsupported(f"there is no class {options.target}: they are 0 to {rows.classes - 1}")
    return replace(rows, points=_stamped(rows, options), labels=0 * rows.labels + options.target)


def shown(rows: Poisoned, options: Options) -> Poisoned | None:
    """Rows of other classes with the patch."""
    other = fits(rows.labels, options)
    kept = replace(rows, points=None if rows.points is None else rows.points[other], labels=rows.labels[other])
    return replace(kept, points=_stamped(kept, options), labels=0 * kept.labels + options.target)


def _stamped(rows: Poisoned, options: Options) -> Array:
    if rows.points is None or not rows.picture:
        raise Unsupported("a patch is planted in pictures alone; this model takes none")
    made = np.array(rows.points)
    high, wide = (slice(None, options.size) if side else slice(-options.size, None) for side in _sides(options))
    if rows.picture == "CHW":
        made[:, :, high, wide] = options.brightness
    else:
        made[:, high, wide] = options.brightness
    return made


def _sides(options: Options) -> tuple[bool, bool]:
    return options.corner.startswith("top"), options.corner.endswith("left")
