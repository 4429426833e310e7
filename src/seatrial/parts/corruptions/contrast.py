"""Fog and flat light: every pixel drawn towards the mean of its image.

The distance to the mean (of each channel) is multiplied by .4 .3 .2 .1 .05 for large images, .75 .5 .4 .3 .15 for small
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
GIVES = {"chance": ("no",)}
LARGE, SMALL = (0.4, 0.3, 0.2, 0.1, 0.05), (0.75, 0.5, 0.4, 0.3, 0.15)

Options = ImageOptions
learn = learn_images


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with flat images."""
    return spoil(columns, damage, options, "contrast", _flat)


def _flat(block: Block) -> Array:
    means = np.array([image.mean(axis=(0, 1)) for image in block.pixels])[:, None, None]  # each alone: sums round alike
    return np.asarray(means + (block.pixels - means) * block.pixels.dtype.type(block.level(LARGE, SMALL)))
