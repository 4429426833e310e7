"""Few rounds on a noisy machine: the ratio of a candidate to its reference, paired round by round.

What disturbs the machine hits both members of a round alike and cancels in their ratio. A t interval on the logarithms
of five such ratios covers 0.94 at nominal 0.95 where a bootstrap of them covers 0.81.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from seatrial.numerics.distributions import student_quantile
from seatrial.numerics.interval import Interval, tail


def paired_ratio(candidate: ArrayLike, reference: ArrayLike, level: float = 0.95) -> Interval:
    """The geometric mean of candidate / reference, with a t interval on the logarithms.

    Both are one positive number a round (a time, a throughput), in the same order of rounds, shape (rounds,). With one
    round there is a value and no bounds. ValueError for other shapes, for no rounds, or for numbers not above zero.
    """
    above, below = np.asarray(candidate, np.float64), np.asarray(reference, np.float64)
    if above.ndim != 1 or above.shape != below.shape or above.size == 0:
        raise ValueError(f"one number a round is needed from each, not shapes {above.shape} and {below.shape}")
    if not (np.all(np.isfinite(above) & np.isfinite(below)) and np.all(above > 0.0) and np.all(below > 0.0)):
        raise ValueError("ratios on a log scale need finite numbers above zero")
    logs, outside = np.log(above) - np.log(below), tail(level)
    rounds, centre = logs.size, float(logs.mean())
    if rounds == 1:
        return Interval(math.exp(centre), None, None, level, "ratio of one round: its uncertainty is unknown")
    half = -student_quantile(outside, rounds - 1) * float(logs.std(ddof=1)) / math.sqrt(rounds)
    method = f"t interval on logarithms of paired ratios, {rounds} rounds"
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half), level, method)


def ratio_apart(one: ArrayLike, other: ArrayLike, level: float = 0.95) -> Interval:
    """The ratio of the geometric means of numbers from different rounds, which nothing pairs: Welch's interval on logarithms.

    Shapes (rounds,) and (other rounds,); the degrees of freedom are those of the smaller sample, fewer than Welch's and
    so on the safe side. One number on either side gives a value and no bounds. ValueError as for `paired_ratio`.
    """
    sides = [np.asarray(side, np.float64) for side in (one, other)]
    if any(side.ndim != 1 or side.size == 0 or not np.all(np.isfinite(side) & (side > 0.0)) for side in sides):
        raise ValueError("ratios on a log scale need finite numbers above zero")
    logs = [np.log(side) for side in sides]
    centre, fewest = float(logs[0].mean() - logs[1].mean()), min(side.size for side in logs)
    if fewest == 1:
        return Interval(math.exp(centre), None, None, level, "ratio of single rounds: its uncertainty is unknown")
    error = math.sqrt(sum(float(side.var(ddof=1)) / side.size for side in logs))
    half = -student_quantile(tail(level), fewest - 1) * error
    method = f"t interval on logarithms of unpaired rounds, {logs[0].size} and {logs[1].size}"
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half), level, method)


def rounds_to_settle(ratio: Interval, limit: float, rounds: int) -> int | None:
    """Rounds at which the bound of a `paired_ratio` on the limit's side would reach it, if value and spread stayed.

    Unlike `rows_to_settle` it counts that t quantiles shrink with the rounds too. None where the limit is not beyond
    the value on that side, where there are no bounds yet, or where 100,000 rounds would not do.
    """
    bound = ratio.high if limit > ratio.value else ratio.low
    if bound is None or rounds < 2 or limit <= 0.0 or limit == ratio.value:
        return None
    spread = abs(math.log(bound / ratio.value)) * math.sqrt(rounds) / _quantile(ratio.level, rounds)
    distance = abs(math.log(limit / ratio.value))
    fewest, most = 2, 100_000
    if _quantile(ratio.level, most) * spread / math.sqrt(most) > distance:
        return None
    while fewest < most:
        middle = (fewest + most) // 2
        if _quantile(ratio.level, middle) * spread / math.sqrt(middle) > distance:
            fewest = middle + 1
        else:
            most = middle
    return most


def _quantile(level: float, rounds: int) -> float:
    return -student_quantile(tail(level), rounds - 1)
