"""What the corruptions of images share: pixels as numbers from 0 to 1 whatever they are stored as, and constants by size.

Severities are those of Hendrycks & Dietterich (2019), "Benchmarking neural network robustness to common corruptions
and perturbations" (arXiv 1903.12261): ImageNet-C's for 224 pixels, CIFAR-10-C's for 32. Images whose shorter side has up to
85 pixels (the geometric mean of both) take the latter. Lengths (of a blur) are scaled by the shorter side over 224 or
32, but not below that of 28 pixels, where a blur would do nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.errors import DataError
from seatrial.parts.corruptions._draws import Draws
from seatrial.parts.corruptions._names import chosen

if TYPE_CHECKING:
    from seatrial.contracts.damage import Damage
    from seatrial.contracts.protocols import Columns
    from seatrial.contracts.values import Array

PIXELS_AT_ONCE = 1 << 18
SMALL, LARGE, BORDER, LEAST = 32, 224, 85, 28
ROUNDING = 1e-3
"""Of the range: a float this little outside it is rounding, and is clipped."""


class ImageOptions(PartOptions):
    """Which columns, how their pixels are stored, and whose severities."""

    columns: tuple[str, ...] = Field(default=(), description="columns that go bad; left out: all columns of images")
    layout: Literal["HW", "HWC", "CHW"] | None = Field(
        default=None, description="axes of a stored row (height, width, channels); found out where it is clear"
    )
    shape: tuple[int, ...] | None = Field(
        default=None, description="for rows stored flat: the lengths of `layout`'s axes, such as [28, 28]"
    )
    range: tuple[float, float] | None = Field(
        default=None, description="[black, white]; 0 to 255 for bytes; for floats found out where it is clear"
    )
    constants: Literal["by_size", "imagenet_c", "cifar_10_c"] = Field(
        default="by_size", description="whose severities: those for large images, for small ones, or by their size"
    )


class Block(NamedTuple):
    """Some images: `pixels` rows x height x width x channels from 0 to 1, the index of the first, draws, `severity`."""

    pixels: Array
    first: int
    draws: Draws
    severity: int
    small: bool

    def level(self, large: tuple[float, ...], small: tuple[float, ...]) -> float:
        """The constant of this severity: ImageNet-C's or CIFAR-10-C's."""
        return (small if self.small else large)[self.severity - 1]

    def length(self, large: tuple[float, ...], small: tuple[float, ...]) -> float:
        """The same for a length, scaled to the size of these images, in pixels."""
        _, height, width, _ = self.pixels.shape
        side = float(max(LEAST, min(height, width)))
        return self.level(large, small) * side / (SMALL if self.small else LARGE)


Change = Callable[[Block], "Array"]
"""Changed pixels of a block, about 0 to 1 (they are clipped), which must not be changed in place."""


def learn_images(sample: Columns, options: ImageOptions) -> dict[str, Any]:
    """By column: axes, their lengths, and the values of black and white. Raises `DataError` where these aren't clear."""
    names = chosen(sample, options.columns, lambda column: _no_images(column, options), "images")
    return {name: _described(name, sample[name], options) for name in names}


def spoil(columns: Columns, damage: Damage, options: ImageOptions, name: str, change: Change) -> dict[str, Array]:
    """All columns, those of images changed: non-finite values stay where they are, the range and the type are kept."""
    spoilt = dict(columns)
    for column, facts in damage.learnt.items():
        draws = Draws(damage.seed, name, column)
        side = min(facts["shape"][facts["layout"].index(axis)] for axis in "HW")
        small = options.constants == "cifar_10_c" or (options.constants == "by_size" and side <= BORDER)
        rows, out = columns[column], np.empty_like(columns[column])
        step = max(1, PIXELS_AT_ONCE // max(1, math.prod(facts["shape"])))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            pixels = _opened(column, some, facts)
            changed = change(Block(pixels, damage.first + start, draws, damage.severity, small))
            out[start : start + step] = _closed(some, changed, facts)
        spoilt[column] = out
    return spoilt


def _no_images(column: Array, options: ImageOptions) -> str:
    if column.dtype.kind not in "uif":
        return "holds no numbers"
    if options.shape is not None:
        fits = math.prod(column.shape[1:]) == math.prod(options.shape)
        return "" if fits else f"holds {math.prod(column.shape[1:])} numbers a row, not {options.shape}"
    return "" if column.ndim in (3, 4) else "isn't rows x height x width (x channels)"


def _described(name: str, column: Array, options: ImageOptions) -> dict[str, Any]:
    shape = tuple(options.shape or column.shape[1:])
    layout = options.layout or _layout(name, shape)
    if len(layout) != len(shape):
        raise DataError(f"`layout` {layout} doesn't fit rows of {'x'.join(map(str, shape))} in `{name}`")
    low, high = options.range or _range(name, column)
    if not low < high:
        raise DataError(f"`range` is [black, white], not [{low:g}, {high:g}]", where="range")
    return {"layout": layout, "shape": list(shape), "low": float(low), "high": float(high)}


def _layout(name: str, shape: tuple[int, ...]) -> str:
    fits = ["HW"] if len(shape) == 2 else []
    if len(shape) == 3:
        fits = [axes for axes, channels in (("HWC", shape[2]), ("CHW", shape[0])) if channels in (1, 3)]
    if len(fits) != 1:
        there = "x".join(map(str, shape))
        raise DataError(f"which axis of `{name}` ({there}) is what isn't clear", next_step="state `layout`, like HWC")
    return fits[0]


def _range(name: str, column: Array) -> tuple[float, float]:
    """Black and white: bytes 0 to 255; floats 0 to 1 or 0 to 255 if the sample shows which."""
    if column.dtype == np.uint8:
        return 0.0, 255.0
    seen = column[np.isfinite(column)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    if column.dtype.kind == "f" and low >= 0 and 0 < high <= 1:
        return 0.0, 1.0
    if low >= 0 and SMALL * 4 <= high <= 255:
        return 0.0, 255.0
    step = "state `range: [black, white]` as stored, before `scale`"
    raise DataError(f"pixels of `{name}` run from {low:g} to {high:g}: black and white aren't clear", next_step=step)


def _opened(name: str, rows: Array, facts: dict[str, Any]) -> Array:
    """Rows x height x width x channels, 0 to 1; what isn't finite is black for now."""
    low, high = facts["low"], facts["high"]
    pixels = rows.reshape(len(rows), *facts["shape"]).astype(np.float64 if rows.dtype.itemsize > 4 else np.float32)
    pixels = np.nan_to_num((pixels - low) / (high - low), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if pixels.size and (pixels.min() < -ROUNDING or pixels.max() > 1 + ROUNDING):
        step = "state `range: [black, white]` as stored"
        raise DataError(f"pixels of `{name}` lie outside {low:g} to {high:g}", where="range", next_step=step)
    if facts["layout"] == "HW":
        return np.asarray(pixels[..., None])
    return np.ascontiguousarray(np.moveaxis(pixels, 1, -1) if facts["layout"] == "CHW" else pixels)


def _closed(rows: Array, pixels: Array, facts: dict[str, Any]) -> Array:
    """As stored: clipped to the range, rounded where the type has whole numbers."""
    low, high = facts["low"], facts["high"]
    stored = np.clip(pixels, 0, 1) * (high - low) + low
    stored = np.moveaxis(stored, -1, 1) if facts["layout"] == "CHW" else stored
    stored = stored.reshape(rows.shape)
    if rows.dtype.kind != "f":
        return np.asarray(np.rint(stored).astype(rows.dtype))
    return np.where(np.isfinite(rows), stored, rows).astype(rows.dtype)


# --- convolution ------------------------------------------------------------------------------------------------------------


def convolve(pixels: Array, kernel: Array) -> Array:
    """Each channel with an odd x odd kernel; the edge goes on as it is. Adds shifted images: no sum depends on other rows."""
    (high, wide), (height, width) = (length // 2 for length in kernel.shape), pixels.shape[1:3]
    padded = np.pad(pixels, ((0, 0), (high, high), (wide, wide), (0, 0)), mode="edge")
    out = np.zeros_like(pixels)
    for (row, column), weight in np.ndenumerate(np.ascontiguousarray(kernel[::-1, ::-1])):
        if weight > 0:
            out += pixels.dtype.type(weight) * padded[:, row : row + height, column : column + width]
    return out


def separable(pixels: Array, taps: Array) -> Array:
    """Along the height and then the width with the same odd number of taps."""
    return convolve(convolve(pixels, taps[:, None]), taps[None, :])
