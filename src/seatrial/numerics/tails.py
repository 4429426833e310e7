"""How far out a value would have to lie not to belong to the others: the tail of a sample, carried on beyond it.

Of each side the distances d1, d2 and d3 from the median are read where 5 %, 1 % and 0.2 % lie farther out. Where the tail is of Weibull's
type (normal, exponential, gamma, uniform) log d grows with log log(1/p); where it is Pareto's (t, Cauchy) with log(1/p). Whichever d3
bears out is carried on to the p at which, of n values, one lies farther out with a chance of `alarm`. Positive values are also
looked at by their logarithms, and both must say so. Far values themselves, if fewer than 0.2 %, don't move these distances.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

TAILS = (0.05, 0.01, 0.002)
LEAST = 500
"""Values below which the tails of a sample can't be read."""
FEW = 5_000
"""Values below which the third distance bears nothing out, and a middle way between the two (their geometric mean) is taken."""
SLACK = 1.25
"""How much farther than the extrapolation a value must lie: what three quantiles of some thousand values leave open."""


def limits(sample: NDArray[np.float64], n: int, alarm: float) -> tuple[float, float]:
    """(low, high): beyond them none of `n` values like these would lie, but with a chance of about `alarm`. Infinite where nothing can be said."""
    values = sample[np.isfinite(sample)]
    if len(values) < LEAST or values.min() == values.max():
        return -math.inf, math.inf
    low, high = _raw(values, n, alarm)
    if values.min() > 0:
        logs_low, logs_high = _raw(np.log(values), n, alarm)
        low = min(low, math.exp(max(logs_low, -700.0)) if logs_low > -math.inf else -math.inf)
        high = max(high, math.exp(min(logs_high, 700.0)))
    return low, high


def _raw(values: NDArray[np.float64], n: int, alarm: float) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle - _reach(middle - values, n, alarm), middle + _reach(values - middle, n, alarm)


def _reach(distances: NDArray[np.float64], n: int, alarm: float) -> float:
    """How far a side reaches. Where most cells are the median itself, the others are looked at alone."""
    share = float((distances > 0).mean())
    beyond = distances[distances > 0]
    if len(beyond) < LEAST / 5:
        return math.inf
    if np.quantile(distances, 1 - TAILS[0]) <= 0:
        distances, n = beyond, max(1, round(n * share))
    first, second, third = (float(np.quantile(distances, 1 - tail)) for tail in TAILS)
    if first <= 0 or len(distances) < LEAST:
        return math.inf
    wanted = alarm / (2.0 * max(1, n))
    if wanted >= TAILS[1]:
        return math.inf
    weibull, pareto = _weibull(first, second), _pareto(first, second)
    near, far = weibull(wanted), max(weibull(wanted), pareto(wanted))
    heavy = third > 1.02 * weibull(TAILS[2])
    reach = math.sqrt(near * far) if len(distances) < FEW else far if heavy else near
    return SLACK * max(reach, third)


def _weibull(first: float, second: float) -> Callable[[float], float]:
    power = math.log(second / first) / math.log(math.log(TAILS[1]) / math.log(TAILS[0]))
    return lambda tail: second * (math.log(tail) / math.log(TAILS[1])) ** max(power, 0.05)


def _pareto(first: float, second: float) -> Callable[[float], float]:
    power = math.log(second / first) / math.log(TAILS[0] / TAILS[1])
    return lambda tail: second * (TAILS[1] / tail) ** max(power, 0.02)
