"""What decisions cost, from confusion matrices and a matrix of costs, both (K, K): rows are labels, columns are decisions.

The mean cost is that of a bounded quantity. Its interval is that of a proportion (how far it lies between the least and the
largest cost) of as many effective rows as have its variance (`numerics/agreement.py`): with costs 0 and 1 the interval of an
error rate, and never too sure where a dear mistake has not been seen yet. Rows must be independent.

Of a cost with more than two classes the wider is taken of that and of the intervals of how often each price is paid, combined by MOVER (Zou &
Donner 2008): a few dear mistakes among many cheap ones are as skewed as their own count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.agreement import switched
from seatrial.numerics.interval import Intervals
from seatrial.numerics.proportions import proportions
from seatrial.numerics.tables import margins

Floats = NDArray[np.float64]


def mean_cost(table: ArrayLike, costs: ArrayLike, level: float | None = 0.95) -> Intervals:
    """Cost a row, shape (...), of tables (..., K, K). `ValueError` for a matrix of another shape."""
    return _mean(np.asarray(table, np.float64), _prices(table, costs), level, by_price=True)


def saving(table: ArrayLike, costs: ArrayLike, level: float | None = 0.95) -> Intervals:
    """What a row's decision saves against the best fixed one (always the same class, whatever the row), shape (...).

    Below 0 the model does harm. Which fixed decision is the best isn't known for sure either: the bounds are the widest over
    the two cheapest on these rows, unless the second is dearer beyond doubt.
    """
    prices, counts = _prices(table, costs), np.asarray(table, np.float64)
    ranked = np.argsort(margins(counts).labels @ prices, axis=-1, kind="stable")
    best, second = (_against(counts, ranked[..., place], prices, level) for place in (0, min(1, prices.shape[0] - 1)))
    if level is None:
        return best
    with np.errstate(invalid="ignore"):
        doubtful = second.low <= best.high
    low = np.where(doubtful, np.minimum(best.low, second.low), best.low)
    high = np.where(doubtful, np.maximum(best.high, second.high), best.high)
    return best._replace(low=low, high=high)


def _against(counts: Floats, fixed: NDArray[np.intp], prices: Floats, level: float | None) -> Intervals:
    """What is saved against always deciding `fixed`, a class for each table."""
    value, low, high = (np.full(fixed.shape, np.nan) for _ in range(3))
    method = np.full(fixed.shape, "", object)
    for place in np.unique(fixed):
        at, worth = fixed == place, prices[:, place][:, None] - prices
        found = _mean(counts[at], worth, level)
        value[at], low[at], high[at], method[at] = found.value, found.low, found.high, found.method
    return Intervals(value, low, high, level, method)


def _prices(table: ArrayLike, costs: ArrayLike) -> Floats:
    prices, shape = np.asarray(costs, np.float64), np.shape(table)
    if prices.shape != shape[-2:] or not np.isfinite(prices).all():
        raise ValueError(f"costs of shape {shape[-2:]} are needed, finite all, not of shape {prices.shape}")
    return prices


def _mean(counts: Floats, worth: Floats, level: float | None, by_price: bool = False) -> Intervals:
    """The mean over rows of what each cell of a table (K, K) is worth."""
    least = worth.min()
    scale = np.ptp(worth) or 1.0
    shares = (worth - least) / scale

    def graded(tables: Floats) -> tuple[Floats, Floats]:
        rows = margins(tables).rows
        safe = np.where(rows > 0.0, rows, 1.0)
        value = np.where(rows > 0.0, (tables * shares).sum(axis=(-1, -2)) / safe, np.nan)
        return value, (shares - value[..., None, None]) / safe[..., None, None]

    found = switched(counts, graded, 0.0, level)
    if by_price and level is not None and worth.shape[0] > 2:
        found = _by_price(found, counts, shares, level)
    value, low, high = (least + scale * one for one in found[:3])
    return found._replace(value=value, low=low, high=high)


def _by_price(found: Intervals, counts: Floats, shares: Floats, level: float) -> Intervals:
    """The interval, widened to what the rows at each price give together."""
    prices = np.unique(shares[shares > 0.0])
    rows = margins(counts).rows
    paid = np.stack([(counts * (shares == price)).sum(axis=(-1, -2)) for price in prices], axis=-1)
    each = proportions(np.minimum(paid, rows[..., None]), rows[..., None], level)
    sides = (each.value - each.low, each.high - each.value)
    down, up = (np.sqrt(((prices * side) ** 2).sum(axis=-1)) for side in sides)
    words = np.add(
        np.asarray(found.method, object), ", or MOVER over prices where that is wider, conservative", dtype=object
    )
    low, high = np.fmin(found.low, found.value - down), np.fmax(found.high, found.value + up)
    return found._replace(low=np.maximum(0.0, low), high=np.minimum(1.0, high), method=words)
