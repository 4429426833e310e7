"""Photon noise: each pixel counts a random number of photons, fewer at higher severity.

A pixel of brightness x (0 to 1) becomes Poisson(c x) / c with c = 60 25 12 5 3 for large images, 500 250 100 75 50 for
small ones: its mean is x and its variance x / c, until white is clipped. Source of the severities: Hendrycks &
Dietterich (2019), ImageNet-C and CIFAR-10-C.
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
LARGE, SMALL = (60.0, 25.0, 12.0, 5.0, 3.0), (500.0, 250.0, 100.0, 75.0, 50.0)

Options = ImageOptions
learn = learn_images


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with images as few photons make them, clipped to the range."""
    return spoil(columns, damage, options, "shot_noise", _counted)


def _counted(block: Block) -> Array:
    photons = block.level(LARGE, SMALL)
    rates = np.clip(block.pixels, 0, 1) * photons
    generators = block.draws.rows(block.first, len(rates))
    counts = [generator.poisson(rate) for rate, generator in zip(rates, generators, strict=True)]
    return np.asarray(np.stack(counts) / photons, block.pixels.dtype)
