"""Saved too small: compressed as JPEG and opened again.

Pillow's quality is 25 18 15 10 7 for large images, 80 65 58 50 40 for small ones; pixels go through bytes. One channel is
saved as grey, three as colour. Source of the severities: Hendrycks & Dietterich (2019), ImageNet-C and CIFAR-10-C.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.damage import Damage
from seatrial.contracts.protocols import Columns
from seatrial.errors import DataError
from seatrial.parts.corruptions._images import Block, ImageOptions, learn_images, spoil

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

NEEDS = ("PIL",)
EXTRA = "images"
ACCEPTS = {"input": ("image",)}
GIVES = {"chance": ("no",)}
SQUARE, TALLEST = 8, 65_500
"""Pixels: what is compressed at once, and the height that a JPEG can have."""

LARGE, SMALL = (25, 18, 15, 10, 7), (80, 65, 58, 50, 40)

Options = ImageOptions


def learn(sample: Columns, options: Options) -> dict[str, Any]:
    """Axes and range by column. Raises `DataError` for images that have neither one channel nor three."""
    found = learn_images(sample, options)
    for name, facts in found.items():
        channels = facts["shape"][facts["layout"].index("C")] if "C" in facts["layout"] else 1
        if channels not in (1, 3):
            raise DataError(f"a JPEG has one channel or three; `{name}` has {channels}", where="columns")
    return found


def corrupt(columns: Columns, damage: Damage, options: Options) -> Columns:
    """The columns with images as JPEG leaves them."""
    return spoil(columns, damage, options, "jpeg", _saved)


def _saved(block: Block) -> Array:
    quality = int(block.level(LARGE, SMALL))
    whole = np.rint(np.clip(block.pixels, 0, 1) * 255).astype(np.uint8)
    opened = np.stack([_opened(image, quality) for image in whole]) if whole.shape[-1] == 3 else _grey(whole, quality)
    return np.asarray(opened.astype(block.pixels.dtype) / 255)


def _grey(images: Array, quality: int) -> Array:
    """Many images as one: without colour, squares of 8 x 8 are compressed each on its own, so nothing mixes."""
    rows, height, width, _ = images.shape
    padded = np.pad(images[..., 0], ((0, 0), (0, -height % SQUARE), (0, -width % SQUARE)), mode="edge")
    most = max(1, TALLEST // padded.shape[1])
    pieces = [padded[start : start + most].reshape(-1, padded.shape[2]) for start in range(0, rows, most)]
    opened = np.concatenate([_opened(piece, quality) for piece in pieces]).reshape(padded.shape)
    return opened[:, :height, :width, None]


def _opened(image: Array, quality: int) -> Array:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    with Image.open(file) as opened:
        return np.asarray(opened)
