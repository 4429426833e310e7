"""Too bright (or, with `direction: darker`, too dark): the same amount on every pixel, hue and saturation kept.

The brightest channel of a pixel (the V of HSV) grows by .1 .2 .3 .4 .5 of the range for large images, .05 .1 .15 .2 .3
for small ones, up to white, and the other channels in proportion. Source of the severities: Hendrycks & Dietterich (2019),
ImageNet-C and CIFAR-10-C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions._images import Block, ImageOptions, learn_images, spoil

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("image",)}
GIVES = {"chance": ("no",)}
LARGE, SMALL = (0.1, 0.2, 0.3, 0.4, 0.5), (0.05, 0.1, 0.15, 0.2, 0.3)


class Options(ImageOptions):
    """Which columns, and which way."""

    direction: Literal["brighter", "darker"] = Field(default="brighter", description="which way it goes")


learn = learn_images


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with brighter or darker images."""
    sign = 1.0 if options.direction == "brighter" else -1.0
    return spoil(columns, damage, options, "brightness", lambda block: _lit(block, sign))


def _lit(block: Block, sign: float) -> Array:
    pixels = block.pixels
    value = pixels.max(axis=-1, keepdims=True)
    lit = np.clip(value + pixels.dtype.type(sign * block.level(LARGE, SMALL)), 0, 1)
    if pixels.shape[-1] == 1:
        return np.asarray(lit)
    black = value <= 0
    return np.asarray(np.where(black, lit, pixels * (lit / np.where(black, 1, value))))
