"""The mean of a few numbers of one kind (one a seed, one a round) with a t interval."""

import math

import numpy as np
from numpy.typing import ArrayLike

from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.interval import Interval, tail


def mean(values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of independent numbers, shape (n,), with Student's t interval; one number has no bounds.

    For differences of pairs (the same seed trained in two ways) give the differences. The interval holds for roughly normal
    numbers, and well enough for others from about ten on. ValueError for other shapes, none, or numbers that aren't finite.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or numbers.size == 0 or not np.all(np.isfinite(numbers)):
        raise ValueError(f"one row of finite numbers is needed, not shape {numbers.shape}")
    centre, n = float(numbers.mean()), numbers.size
    if n == 1:
        return Interval(centre, None, None, level, "one number: its uncertainty is unknown")
    half = -student_quantile(tail(level), n - 1) * float(numbers.std(ddof=1)) / math.sqrt(n)
    return Interval(centre, centre - half, centre + half, level, f"mean of {n}, t interval")
