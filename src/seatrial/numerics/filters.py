"""Filters of inputs that take small changes away: fewer levels, and the median of neighbours. Source: Xu, Evans & Qi (2018), "Feature squeezing"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def fewer_levels(points: Array, bits: int) -> Array:
    """The nearest of 2**bits evenly spaced levels, of which 0 and 1 are two; beyond them the steps go on. Same shape and type."""
    steps = float(2**bits - 1)
    return np.asarray((np.rint(points * steps) / steps).astype(points.dtype))


def median(pictures: Array, width: int, axes: tuple[int, int]) -> Array:
    """The median of the width x width neighbours (width odd) along two axes; at an edge the outermost pixel is repeated."""
    half = width // 2
    pad = [(half, half) if axis in axes else (0, 0) for axis in range(pictures.ndim)]
    wide = np.pad(pictures, pad, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (width, width), axis=axes)
    return np.asarray(np.median(windows.reshape(*windows.shape[:-2], -1), axis=-1).astype(pictures.dtype))
