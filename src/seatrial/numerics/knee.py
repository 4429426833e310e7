"""The knee of a curve of throughput and latency: beyond it, a little more throughput costs much more latency.

It is where throughput over latency is largest (Kleinrock 1979, "Power and deterministic rules of thumb"; Jain 1991, section 3.3). Where a batch
of b rows takes a + c b seconds, that is b = a / c: where the part that every call costs, and the part of its rows, are alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Knee(NamedTuple):
    """The batch at the knee, and the least and the largest that can't be told from it."""

    batch: int
    least: int
    most: int


def knee(batches: ArrayLike, rates: ArrayLike, lows: ArrayLike, highs: ArrayLike) -> Knee:
    """The knee of batch sizes (n,) with rows a second `rates`, and their bounds, when one batch is answered after the other.

    A batch of b rows then takes b / rate seconds, so that throughput over latency is rate squared over b. A batch can't be told from the knee
    where its upper bound reaches the knee's lower one. Raises `ValueError` for fewer than three sizes.
    """
    size, rate, low, high = (np.asarray(one, np.float64) for one in (batches, rates, lows, highs))
    if size.size < 3 or np.unique(size).size < size.size:
        raise ValueError("a knee needs three different batch sizes or more")
    best = int(np.argmax(rate**2 / size))
    near = high**2 / size >= low[best] ** 2 / size[best]
    near[best] = True
    return Knee(int(size[best]), int(size[near].min()), int(size[near].max()))
