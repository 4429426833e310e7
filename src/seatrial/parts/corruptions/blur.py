"""Out of focus: a Gaussian blur, or the disc of an open lens (`kind: defocus`).

Gaussian: standard deviation 1 2 3 4 6 pixels at 224, .4 .6 .7 .8 1 at 32, cut at four of them. Defocus: a disc of radius
3 4 6 8 10 pixels at 224, pixels at its rim weighted by their share; at 32 pixels .65 .85 1.05 1.3 1.65, whose spread is about that
of CIFAR-10-C's kernels (they are partly discs, partly Gaussian). Lengths are scaled to the images; beyond the edge the
last pixel goes on. Source of the severities: Hendrycks & Dietterich (2019), ImageNet-C and CIFAR-10-C.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.parts.corruptions._images import Block, ImageOptions, convolve, learn_images, separable, spoil

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"input": ("image",)}
GIVES = {"chance": ("no",)}
LARGE, SMALL = (1.0, 2.0, 3.0, 4.0, 6.0), (0.4, 0.6, 0.7, 0.8, 1.0)
LARGE_DISC, SMALL_DISC = (3.0, 4.0, 6.0, 8.0, 10.0), (0.65, 0.85, 1.05, 1.3, 1.65)
CUT = 4.0
FINE = 32
"""Points a pixel and direction in which a disc is drawn."""


class Options(ImageOptions):
    """Which columns, and which blur."""

    kind: Literal["gaussian", "defocus"] = Field(default="gaussian", description="gaussian, or the disc of a lens")


learn = learn_images


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with blurred images."""
    return spoil(columns, damage, options, "blur", _soft if options.kind == "gaussian" else _defocused)


def _soft(block: Block) -> Array:
    return separable(block.pixels, gaussian(block.length(LARGE, SMALL)))


def _defocused(block: Block) -> Array:
    return convolve(block.pixels, disc(block.length(LARGE_DISC, SMALL_DISC)))


def gaussian(deviation: float) -> Array:
    """An odd number of weights that sum to one."""
    reach = int(CUT * deviation + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return np.asarray(weights / weights.sum())


def disc(radius: float) -> Array:
    """Odd x odd weights that sum to one: each pixel's share in a disc around the middle of the centre pixel."""
    reach = math.ceil(radius - 0.5)
    size = 2 * reach + 1
    points = ((np.arange(size * FINE) + 0.5) / FINE - size / 2) ** 2
    inside = points[:, None] + points[None, :] <= radius**2
    weights = inside.reshape(size, FINE, size, FINE).mean(axis=(1, 3))
    return np.asarray(weights / weights.sum())
