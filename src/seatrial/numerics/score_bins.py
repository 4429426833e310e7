"""Fixed bins for probabilities and scores, so that histograms of shards merge: AUC and calibration are read off them.

A probability p goes by x = min(p, 1 - p), cut to 7 bits after the first down to 2^-13 and to 5 bits down to 2^-29: bins are
at most 1/128 of x wide above 1.2e-4 and 1/32 below, on both sides of 1/2, so rare classes with tiny probabilities are told
apart as well as common ones. All below 1.9e-9 is one bin. 4,096 bins in all.

Raw scores, which have no scale of their own, go by their sign and size, cut to 6 bits after the first between 2^-16 and 2^16:
what is smaller counts as zero's side, what is larger as that. A coarser grid joins neighbouring bins.

Rows of one bin count as tied. That moves an AUC by at most `sum(have * haven't) / (2 P N)` over bins, which every statement
can work out from its own histogram; where scores are spread smoothly it moves by about 1e-6.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

BINS = 4096
HALF = BINS // 2
FINE, DEEP = 13, 29  # the exponents of two down to which x keeps 7 bits, and 5 bits

Bins = NDArray[np.intp]


def probability_bins(values: NDArray[np.floating]) -> Bins:
    """The bin, 0 to 4095 and rising with the value, of each probability; shape as given."""
    p = np.asarray(values, np.float64)
    above = p >= 0.5
    kept = np.minimum(p, 1.0 - p).astype(np.float32).view(np.uint32) >> np.uint32(16)
    places = _table().take(kept, mode="clip")
    places ^= above.view(np.int8) * np.intp(BINS - 1)
    return np.asarray(places)


def score_bins(values: NDArray[np.floating]) -> Bins:
    """The bin, 0 to 4095 and rising with the value, of each raw score; shape as given."""
    s = np.asarray(values, np.float64)
    size = np.clip(np.abs(s), 2.0**-16, 2.0**16 * (1 - 2.0**-10)).astype(np.float32).view(np.uint32) >> np.uint32(17)
    places = size.astype(np.intp) - ((127 - 16) << 6)
    return np.asarray(np.where(s < 0.0, HALF - 1 - places, HALF + places))


@cache
def edges(bins: int = BINS) -> NDArray[np.float64]:
    """The lower edges of the probability bins and 1 at the end, shape (bins + 1,)."""
    fine = np.ldexp(1.0 + np.arange(128) / 128.0, np.arange(-FINE, -1)[:, None]).ravel()
    deep = np.ldexp(1.0 + np.arange(32) / 32.0, np.arange(-DEEP, -FINE)[:, None]).ravel()
    below = np.concatenate([deep, fine])
    below[0] = 0.0
    return np.asarray(np.concatenate([below, [0.5], 1.0 - below[:0:-1], [1.0]])[:: BINS // bins])


@cache
def centres(bins: int = BINS) -> NDArray[np.float64]:
    """The middle of each probability bin, shape (bins,)."""
    return np.asarray((edges(bins)[1:] + edges(bins)[:-1]) / 2.0)


@cache
def _table() -> Bins:
    """The bin of every float32 from 0 to 1/2 by its upper 16 bits (8 of exponent, 7 of fraction)."""
    starts = (np.arange(0x3F01, dtype=np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return np.asarray(np.minimum(np.searchsorted(edges()[1:HALF], starts, side="right"), HALF - 1), np.intp)
