"""Something in front of the lens: one square of a single grey, at a place of its own in each image.

The square covers 5 10 20 30 50 percent of the image, at least one pixel and at most its shorter side. The severities are
ours: the occlusions that benchmarks use are for training, not for judging.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions._images import Block, ImageOptions, learn_images, spoil

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("image",)}
GIVES = {"chance": ("yes",)}
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)


class Options(ImageOptions):
    """Which columns, and what stands in front."""

    grey: float = Field(default=0.5, ge=0, le=1, description="of the square: 0 is black, 1 is white")


learn = learn_images


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with a square in each image."""
    return spoil(columns, damage, options, "occlusion", lambda block: _covered(block, options.grey))


def _covered(block: Block, grey: float) -> Array:
    rows, height, width, _ = block.pixels.shape
    side = max(1, min(height, width, round(math.sqrt(SHARES[block.severity - 1] * height * width))))
    room = np.array([height - side + 1, width - side + 1])
    corners = (block.draws.uniform(block.first, rows, 2) * room).astype(np.int64)
    out = block.pixels.copy()
    for image, (top, left) in zip(out, corners.tolist(), strict=True):
        image[top : top + side, left : left + side] = grey
    return out
