"""What metrics share that are the mean of a loss over rows: moments as state, and the interval of a skewed mean."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from seatrial.contracts.finding import Finding
from seatrial.numerics.interval import Interval
from seatrial.numerics.losses import Moments, mean_interval
from seatrial.numerics.proportions import proportion
from seatrial.parts.metrics._counts import statement, too_few

Kept = dict[str, list[float]]


def moments(losses: ArrayLike) -> Kept:
    """The state of these losses, shape (rows,): their count, mean, second and third moment."""
    return {"moments": list(Moments.of(losses))}


def merge(one: Kept, other: Kept) -> Kept:
    """The moments of both sets of rows; exact to rounding."""
    return {"moments": list(Moments(*_typed(one)).merge(Moments(*_typed(other))))}


def mean(what: str, state: Kept, level: float, most: float | None = None, **more: Any) -> Finding:
    """The mean loss, which is never below 0. `most` is the largest loss that a row can have, needed for bounds where all rows have the same.

    Without spread a t interval has no width, which would claim certainty. Then at least all but a share u of rows have this
    loss, where u is the upper bound of a share seen in none of n rows; what those others can cost at most is allowed for.
    """
    kept = Moments(*_typed(state))
    if kept.n == 0:
        return too_few(what, "lower", **more)
    interval = mean_interval(kept, level)
    if kept.n > 1 and interval.low == interval.high:
        interval = _without_spread(interval, kept.n, most)
    if interval.low is not None:
        interval = interval._replace(low=max(0.0, interval.low))
    return statement(what, interval, kept.n, "lower", **more)


def _without_spread(interval: Interval, n: int, most: float | None) -> Interval:
    value, level = interval.value, interval.level
    if most is None:
        return Interval(value, None, None, level, f"mean of {n} rows that are all alike: there are no bounds")
    others = proportion(0, n, level).high or 0.0
    method = f"mean of {n} rows that are all alike; bounds allow for others, at most {others:.2g} of all, unseen"
    return Interval(value, value * (1 - others), value + others * max(0.0, most - value), level, method)


def _typed(state: Kept) -> tuple[int, float, float, float]:
    n, centre, m2, m3 = state["moments"]
    return int(n), centre, m2, m3
