"""What data sets of images share: files that stay in their folder, decoded within bounds, all of one form."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from seatrial.errors import DataError
from seatrial.parts.datasets import _columns
from seatrial.parts.datasets._limits import PictureLimits, beyond

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MODES = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "P": "RGB",
    "PA": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
}

Size = tuple[int, int] | None
"""Height and width that an image gets; as stored where there is none."""
Color = Literal["grey", "rgb"] | None


class Picture(NamedTuple):
    """A file in the folder of images."""

    root: Path
    file: str


def inside(root: Path, file: str) -> Path:
    """The real place of the file, which is within the folder. Raises `DataError` for links and paths that leave it."""
    with _columns.reading(f"{root.name}/{file[:200]}", "this path can't be followed"):
        place = (root / file).resolve()
    if not place.is_relative_to(root.resolve()):
        raise DataError(
            "this leads out of the folder of images", where=f"{root}, {file}", next_step="copy it into the folder"
        )
    return place


def decoded(image: Picture, limits: PictureLimits, size: Size, color: Color) -> Array:
    """Height x width, or height x width x 3. Raises `DataError` for what is damaged, huge, or no picture of bytes."""
    from PIL import Image, UnidentifiedImageError

    where, place = f"{image.root.name}/{image.file}", inside(image.root, image.file)
    with _columns.reading(where[:200], "this path can't be followed"):  # a name that is too long
        there = place.is_file()
    if not there:
        raise DataError("there is no such image", where=where[:200])
    with _columns.reading(where, "the image is damaged"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is damaged raises, or its pixels are there
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limits.pixels
        try:
            with Image.open(place, formats=FORMATS) as opened:
                _decodable(opened, where, limits)
                return _pixels(opened, size, color)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise _too_large(where, limits) from error
        except UnidentifiedImageError as error:
            raise DataError(f"this is no image of a known format ({', '.join(FORMATS)})", where=where) from error
        finally:
            Image.MAX_IMAGE_PIXELS = most


def _decodable(opened: Any, where: str, limits: PictureLimits) -> None:
    if opened.width * opened.height > limits.pixels:
        raise _too_large(where, limits)
    if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":  # photographs with a preview in them
        raise DataError(f"the file holds {opened.n_frames} pictures; a row takes one", where=where)
    if opened.mode not in MODES:
        step = "save it with 8 bits a channel"
        raise DataError(f"pixels of kind {opened.mode} are no bytes", where=where, next_step=step)


def _pixels(opened: Any, size: Size, color: Color) -> Array:
    from PIL import Image

    wanted = MODES[opened.mode] if color is None else {"grey": "L", "rgb": "RGB"}[color]
    made = opened.convert(wanted)
    if size is not None:
        height, width = size
        made = made.resize((width, height), Image.Resampling.BILINEAR)
    return np.array(made, dtype=np.uint8)


def _too_large(where: str, limits: PictureLimits) -> DataError:
    what = f"the image has more than {limits.pixels} pixels: it may be a decompression bomb"
    return beyond(what, "pixels", where, "make it smaller first")


def same(shape: tuple[int, ...], first: tuple[int, ...], image: Picture) -> None:
    if shape != first:
        is_, was = ("x".join(map(str, one)) for one in (shape, first))
        step = "state `size: [height, width]`" if shape[:2] != first[:2] else "state `color: grey` or `color: rgb`"
        raise DataError(
            f"the image is {is_}, the first one {was}", where=f"{image.root.name}/{image.file}", next_step=step
        )
