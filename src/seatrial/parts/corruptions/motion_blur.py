"""A camera that moved: each image smeared along a line, at an angle of its own between -45 and 45 degrees.

A pixel's light falls along the line with half a Gaussian: it ends after the radius of 10 15 15 15 20 pixels, with standard deviation
3 5 8 12 15 at 224; 6 6 6 8 9 and 1 1.5 2 2 2.5 at 32; scaled to the images. Points between pixels are shared among their
neighbours; angles come in steps of 5 degrees. Source of the severities: Hendrycks & Dietterich (2019), ImageNet-C and
CIFAR-10-C, who smear with ImageMagick.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions._images import Block, ImageOptions, convolve, learn_images, spoil

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("image",)}
GIVES = {"chance": ("yes",)}
RADIUS, DEVIATION = (10.0, 15.0, 15.0, 15.0, 20.0), (3.0, 5.0, 8.0, 12.0, 15.0)
SMALL_RADIUS, SMALL_DEVIATION = (6.0, 6.0, 6.0, 8.0, 9.0), (1.0, 1.5, 2.0, 2.0, 2.5)
ANGLES = tuple(range(-45, 46, 5))
STEP = 0.5
"""Pixels between the points of a line."""

Options = ImageOptions
learn = learn_images


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with smeared images."""
    return spoil(columns, damage, options, "motion_blur", _smeared)


def _smeared(block: Block) -> Array:
    picks = (block.draws.uniform(block.first, len(block.pixels))[:, 0] * len(ANGLES)).astype(np.int64)
    radius, deviation = block.length(RADIUS, SMALL_RADIUS), block.length(DEVIATION, SMALL_DEVIATION)
    out = np.empty_like(block.pixels)
    for pick in np.unique(picks):
        these = picks == pick
        out[these] = convolve(block.pixels[these], line(radius, deviation, ANGLES[pick]))
    return out


def line(radius: float, deviation: float, degrees: float) -> Array:
    """Odd x odd weights that sum to one: half a Gaussian from the centre outwards, at this angle to the width."""
    steps = np.arange(0.0, radius + 1e-9, STEP)
    weights = np.exp(-0.5 * (steps / deviation) ** 2)
    reach = math.ceil(radius)
    down = reach + steps * math.sin(math.radians(degrees))
    across = reach + steps * math.cos(math.radians(degrees))
    kernel = np.zeros((2 * reach + 2, 2 * reach + 2))
    top, left = np.floor(down).astype(np.int64), np.floor(across).astype(np.int64)
    for row, near_row in ((top, 1 - (down - top)), (top + 1, down - top)):
        for column, near_column in ((left, 1 - (across - left)), (left + 1, across - left)):
            np.add.at(kernel, (row, column), weights * near_row * near_column)
    kernel = kernel[:-1, :-1]
    return np.asarray(kernel / kernel.sum())
