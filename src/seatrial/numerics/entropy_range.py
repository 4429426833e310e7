"""The range of numbers that few levels should cover, so that rounding and cutting off change their distribution least.

Of all cut-offs the one is taken at which the distribution that was cut off, and the same one rounded to `levels` levels, are nearest by
Kullback and Leibler's divergence: Migacz (2017), "8-bit inference with TensorRT". Zeros are left out: every range holds them exactly.
What is cut off is counted in the last bin that held something, so that an outlier alone costs as little as it weighs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 2048


def histogram(values: ArrayLike, top: float) -> NDArray[np.int64]:
    """How many of the absolute values other than 0 lie in each of `BINS` equal bins from 0 to `top`."""
    sizes = np.abs(np.asarray(values, np.float64).reshape(-1))
    return np.histogram(sizes[sizes > 0], bins=BINS, range=(0.0, top))[0].astype(np.int64)


def cut_off(counts: ArrayLike, top: float, levels: int) -> float:
    """Where to cut off absolute values that are counted in equal bins from 0 to `top`, when `levels` levels cover what stays.

    `top` itself where there are no more bins than levels, or nothing was counted. Of equal cut-offs the widest.
    """
    held = np.asarray(counts, np.float64)
    if held.size <= levels or not held.any():
        return float(top)
    sizes = range(levels, held.size + 1)
    apart = [divergence(held, size, levels) for size in sizes]
    best = len(apart) - 1 - int(np.argmin(apart[::-1]))
    return float(top) * float(sizes[best]) / held.size


def divergence(counts: NDArray[np.float64], size: int, levels: int) -> float:
    """Kullback and Leibler's divergence, in nats: the first `size` bins rounded to `levels`, from the same
    with all that lies beyond in the last of them that isn't empty."""
    cut = counts[:size].copy()
    starts = np.arange(levels) * size // levels
    held = cut > 0
    in_level = np.add.reduceat(cut, starts)
    filled = np.add.reduceat(held.astype(np.float64), starts)
    spread = np.divide(in_level, filled, out=np.zeros(levels), where=filled > 0)
    rounded = np.repeat(spread, np.diff(np.append(starts, size))) * held
    if not rounded.any():
        return float("inf")
    cut[np.flatnonzero(held)[-1]] += counts[size:].sum()
    p, q = cut / cut.sum(), rounded / rounded.sum()
    on = p > 0
    return float(np.sum(p[on] * np.log(p[on] / q[on])))
