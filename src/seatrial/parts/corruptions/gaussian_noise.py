"""Normal noise on every pixel, as a sensor has it in low light.

Standard deviation, of the range from black to white: .08 .12 .18 .26 .38 for large images, .04 .06 .08 .09 .10 for small
ones. Source of the severities: Hendrycks & Dietterich (2019), ImageNet-C and CIFAR-10-C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions._images import Block, ImageOptions, learn_images, spoil

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("image",)}
GIVES = {"chance": ("yes",)}
LARGE, SMALL = (0.08, 0.12, 0.18, 0.26, 0.38), (0.04, 0.06, 0.08, 0.09, 0.10)

Options = ImageOptions
learn = learn_images


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with noisy images, clipped to the range."""
    return spoil(columns, damage, options, "gaussian_noise", _noisy)


def _noisy(block: Block) -> Array:
    noise = np.empty_like(block.pixels)
    for row, generator in zip(noise, block.draws.rows(block.first, len(noise)), strict=True):
        generator.standard_normal(out=row, dtype=noise.dtype.type)
    noise *= noise.dtype.type(block.level(LARGE, SMALL))
    noise += block.pixels
    return noise
