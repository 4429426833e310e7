"""How long until a target is reached, where some trainings don't reach it: the median, with bounds that allow for those.

A training that ends without reaching its target is censored: it would have taken longer than it lasted, and nobody knows how
much. Leaving it out, or counting it with its length, makes training look faster than it is.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from seatrial.numerics.distributions import binomial_cdf
from seatrial.numerics.interval import Interval, tail


def median_time(times: ArrayLike, reached: ArrayLike, level: float = 0.95) -> Interval | None:
    """The time within which half of the trainings reach their target; None where fewer than half do.

    `times` (trainings,) are seconds, until the target where `reached`, else until the training ended. The value counts a censored
    training as longer than all others; where all are censored at one limit that is the median of the product-limit
    estimate (Kaplan & Meier 1958, JASA 53, 457-481), where some ended early for reasons of their own it errs upwards. The
    bounds are order statistics, which need no distribution (David & Nagaraja, Order Statistics, 2003, 7.1): the lower one
    counts a censored training with the time that it lasted, the upper one as never reaching, so they hold however
    trainings came to be censored. An upper bound that would be a censored training is None. Where there are too few trainings for `level`,
    the bounds are the least and the largest, and `level` is what those have, 1 - 2^(1 - n). `bounds_alone` gives the bounds
    where there is no median.
    """
    seconds, there = _checked(times, reached)
    value = float(np.sort(np.where(there, seconds, np.inf))[(seconds.size - 1) // 2])
    if not math.isfinite(value):
        return None
    low, high, held = bounds_alone(seconds, there, level)
    method = f"median of {there.size} trainings, order-statistic interval"
    if not there.all():
        method += f"; {there.size - int(there.sum())} censored, which count as longer: they did not reach it"
    return Interval(value, low, high, held, method)


def bounds_alone(times: ArrayLike, reached: ArrayLike, level: float = 0.95) -> tuple[float | None, float | None, float]:
    """Lower and upper bound of the median, and the two-sided level that they have; None and None for a single training."""
    seconds, there = _checked(times, reached)
    place, held = _place(seconds.size, level)
    if place is None:
        return None, None, level
    low = float(np.sort(seconds)[place])
    high = float(np.sort(np.where(there, seconds, np.inf))[-1 - place])
    return low, high if math.isfinite(high) else None, held


def _place(n: int, level: float) -> tuple[int | None, float]:
    """How many of n sorted times to leave out on either side, and the level that this gives."""
    if n < 2:
        return None, level
    outside, place = tail(level), 0
    while binomial_cdf(place + 1, n, 0.5) <= outside:
        place += 1
    return place, 1.0 - 2.0 * binomial_cdf(place, n, 0.5)


def _checked(times: ArrayLike, reached: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    seconds, there = np.asarray(times, np.float64), np.asarray(reached, np.bool_)
    if seconds.ndim != 1 or seconds.size == 0 or seconds.shape != there.shape:
        raise ValueError(f"one time and one word a training are needed, not shapes {seconds.shape} and {there.shape}")
    if not np.all(np.isfinite(seconds) & (seconds >= 0.0)):
        raise ValueError("times are finite and not below zero")
    return seconds, there
