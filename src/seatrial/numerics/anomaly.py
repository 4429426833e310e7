"""How far the small values among a few lie below the rest: the median absolute deviation as a yardstick that outliers don't bend.

Source: Hampel (1974), "The influence curve and its role in robust estimation"; used for triggers by Wang et al. (2019), "Neural Cleanse".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

NORMAL = 1.4826
"""Makes the median absolute deviation of a normal distribution its standard deviation."""


SMALL = 0.4
"""A value that stands out is at most this share of the median: of ten that are nearly alike one often lies two deviations below."""


def low_anomaly(values: ArrayLike) -> NDArray[np.float64]:
    """For each value how many deviations it lies below the median: 0 at or above it, 0 for all where most are equal.

    Of normal values a given one is above 2 in about 2 of 100 cases; of K values the smallest is so more often, and of few values
    far more often, as their own deviation is uncertain: the share of false alarms has to be measured.
    """
    given = np.asarray(values, np.float64)
    below = np.median(given) - given
    spread = NORMAL * float(np.median(np.abs(below)))
    return np.maximum(below, 0.0) / spread if spread > 0 else np.zeros_like(given)


def standing_out(values: ArrayLike, index: float) -> NDArray[np.bool_]:
    """Which values lie more than `index` deviations below the median and are at most two fifths of it."""
    given = np.asarray(values, np.float64)
    return np.asarray((low_anomaly(given) > index) & (given <= SMALL * np.median(given)))
