"""Fixed-point numbers: how they are written, how large they become in a network, and how far they may be from float32.

A number v is kept as round(v 2^f). A product of two has 2f digits behind the point, of which f are cut off again, up or down by
chance (an error below one unit in the last place, 2^-f; Catrina & Saxena 2010). Bounds are those of interval arithmetic: they
hold for every row within the stated range, so that no value overflows. Float32's own error in sums of n terms in any order is
within gamma_n = n u / (1 - n u) of the sum of magnitudes (Higham 2002, chapter 3).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_UNIT = 2.0**-24
"""Half the distance from 1 to the next float32."""


class Bound(NamedTuple):
    """What is known of values: the largest magnitude and the largest error against float32, for each value; float64."""

    size: Floats
    error: Floats


def encode(values: Any, fraction: int) -> NDArray[np.int64]:
    """round(v 2^fraction), to even where in the middle. Raises `ValueError` where one isn't finite or beyond 62 bits."""
    scaled = np.asarray(values, np.float64) * 2.0**fraction
    if not np.isfinite(scaled).all() or (abs(scaled) >= 2.0**62).any():
        raise ValueError("a number is not finite, or too large for fixed point")
    return np.rint(scaled).astype(np.int64)


def start(low: float, high: float, shape: tuple[int, ...], fraction: int) -> Bound:
    """Inputs between `low` and `high`, rounded to `fraction` digits."""
    size = np.full(shape, max(abs(low), abs(high)))
    return Bound(size, np.full(shape, 2.0 ** -(fraction + 1)))


def linear(before: Bound, weights: Floats, bias: Floats, fraction: int) -> tuple[Bound, float]:
    """After x W + b with W rounded to `fraction` digits and b to twice as many, and the product cut; and its size before that.

    `before` has one row a window (windows x inputs), `weights` are inputs x outputs.
    """
    heavy, rounding = abs(weights), 2.0 ** -(fraction + 1)
    size = before.size @ heavy + abs(bias)
    terms = (len(weights) + 2) * _UNIT
    error = before.error @ heavy + (before.size + before.error).sum(axis=1, keepdims=True) * rounding
    error = error + 2.0 ** -(2 * fraction + 1) + 2.0**-fraction + terms / (1.0 - terms) * (size + before.error @ heavy)
    return Bound(size, error), float((size + error).max())


def averaged(before: Bound, fraction: int) -> tuple[Bound, float]:
    """After the mean of windows (windows x members) by a factor rounded to `fraction` digits, cut; and its size before that."""
    members = before.size.shape[1]
    factor = np.full((members, 1), 1.0 / members)
    return linear(before, factor, np.zeros(1), fraction)


def bits(size: float, fraction: int, differences: bool = False) -> int:
    """The least l so that numbers of this magnitude with `fraction` digits lie within ± 2^(l-1); `differences` of two of them, too."""
    return max(2, math.ceil(math.log2(size * 2.0**fraction + 2.0)) + (2 if differences else 1))


def windows(
    shape: tuple[int, int, int], window: tuple[int, int], stride: tuple[int, int], pads: tuple[int, ...]
) -> NDArray[np.int64]:
    """Where each window's members stand in a flattened (channels, height, width) row: places x channels x members.

    A member that stands in the padding has the place beyond the last one.
    """
    channels, height, width = shape
    grid = np.full((channels, height + pads[0] + pads[2], width + pads[1] + pads[3]), channels * height * width)
    grid[:, pads[0] : pads[0] + height, pads[1] : pads[1] + width] = np.arange(channels * height * width).reshape(shape)
    seen = np.lib.stride_tricks.sliding_window_view(grid, window, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    return np.asarray(seen.transpose(1, 2, 0, 3, 4).reshape(-1, channels, window[0] * window[1]), np.int64)
