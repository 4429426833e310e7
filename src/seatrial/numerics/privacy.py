"""How much one person's row can show in what was trained with noise: Renyi differential privacy of the subsampled Gaussian mechanism.

Sources: Mironov, Talwar & Zhang (2019), "Renyi differential privacy of the sampled Gaussian mechanism", section 3.3 (whole orders);
from orders to (epsilon, delta): Canonne, Kamath & Steinke (2020), "The discrete Gaussian for differential privacy", proposition 12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ORDERS: tuple[int, ...] = (*range(2, 65), *range(68, 257, 4), *range(272, 513, 16))
"""Orders that are tried; each gives an upper bound, the smallest of which counts."""


def renyi(order: int, share: float, noise: float) -> float:
    """The Renyi divergence of one step, of a whole order from 2 on, natural logarithm.

    Each row takes part with the probability `share` (Poisson sampling), its gradient is cut to length C, and normal noise of
    standard deviation `noise` x C is added to the sum.
    """
    if order < 2 or not 0 <= share <= 1 or noise <= 0:
        raise ValueError("an order from 2, a share from 0 to 1 and noise above 0 are needed")
    if share in (0.0, 1.0):
        return share * order / (2 * noise**2)
    terms = [
        math.lgamma(order + 1) - math.lgamma(k + 1) - math.lgamma(order - k + 1)
        + k * math.log(share) + (order - k) * math.log1p(-share) + (k * k - k) / (2 * noise**2)
        for k in range(order + 1)
    ]  # fmt: skip
    most = max(terms)
    return (most + math.log(sum(math.exp(one - most) for one in terms))) / (order - 1)


def epsilon(share: float, noise: float, steps: int, delta: float, orders: Sequence[int] = ORDERS) -> float:
    """An upper bound of epsilon after so many steps, at this delta; the smallest over the orders, never below 0."""
    if not 0 < delta < 1:
        raise ValueError("delta lies between 0 and 1")
    bounds = [
        steps * renyi(order, share, noise)
        + math.log1p(-1 / order)
        - (math.log(delta) + math.log(order)) / (order - 1)
        for order in orders
    ]  # fmt: skip
    return max(0.0, min(bounds))


def noise(target: float, share: float, steps: int, delta: float) -> float:
    """The least noise, to a ten-thousandth, with which `epsilon` is at most the target."""
    low, high = 1e-2, 1.0
    while epsilon(share, high, steps, delta) > target:
        low, high = high, 2 * high
        if high > 1e6:
            raise ValueError("no noise is enough for that")
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if epsilon(share, middle, steps, delta) > target else (low, middle)
    return high
