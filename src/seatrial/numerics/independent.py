"""Two numbers from independent studies: the difference between them, or their ratio, from their two intervals alone.

The method of variance estimates recovery: each limit of the difference uses the distance of that limit from its value, so
that skewed intervals stay skewed. Source: Zou & Donner (2008), "Construction of confidence limits about effect measures: a
general approach", Statistics in Medicine 27, 1693-1702; for two Wilson intervals it is method 10 of Newcombe (1998), "Interval
estimation for the difference between independent proportions", Statistics in Medicine 17, 873-890.

Of two t intervals with few rounds it covers more than its level, as it takes no credit for their joint degrees of freedom.
"""

import math

from seatrial.numerics.interval import Interval

METHOD = "difference of two independent intervals (Zou & Donner 2008)"
RATIO_METHOD = "ratio of two independent intervals, on logarithms (Zou & Donner 2008)"


def difference(first: Interval, second: Interval) -> Interval:
    """`second` minus `first`, at their level. ValueError where a bound is missing or the levels differ."""
    low, high = _limits(_bounded(first), _bounded(second))
    return Interval(second.value - first.value, low, high, _level(first, second), METHOD)


def ratio(first: Interval, second: Interval) -> Interval:
    """`second` / `first`, at their level. ValueError where a bound is missing or not above zero, or the levels differ."""
    ends = [_bounded(one) for one in (first, second)]
    if min(min(triple) for triple in ends) <= 0.0:
        raise ValueError("a ratio on a log scale needs numbers above zero")
    logs = [(math.log(value), math.log(low), math.log(high)) for value, low, high in ends]
    low, high = _limits(*logs)
    return Interval(second.value / first.value, math.exp(low), math.exp(high), _level(first, second), RATIO_METHOD)


def _limits(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float]:
    (one, one_low, one_high), (two, two_low, two_high) = first, second
    centre = two - one
    return centre - math.hypot(two - two_low, one_high - one), centre + math.hypot(two_high - two, one - one_low)


def _bounded(one: Interval) -> tuple[float, float, float]:
    if one.low is None or one.high is None:
        raise ValueError("a difference needs both bounds of both intervals")
    return one.value, one.low, one.high


def _level(first: Interval, second: Interval) -> float:
    if not math.isclose(first.level, second.level):
        raise ValueError(
            f"intervals of {first.level} and {second.level} can't be taken together: state both at one level"
        )
    return first.level
