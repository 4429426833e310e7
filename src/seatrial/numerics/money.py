"""Money: what a million queries cost, when a change pays back, and from which volume on one way is cheaper than another."""

import math
from collections.abc import Callable

_STEPS = 40  # halvings of the range of volumes, on a logarithmic scale
_GRID = 24


def per_million(month: float, queries: float) -> float:
    """Money for a million queries, of money a month and queries a month."""
    return 1e6 * month / queries


def payback_months(once: float, today: float, then: float) -> float | None:
    """Months until what is saved a month has paid what was spent once; None where nothing is saved. No discounting."""
    return once / (today - then) if today > then else None


def break_even(one: Callable[[float], float], other: Callable[[float], float], low: float, high: float) -> float | None:
    """The least volume between `low` and `high` from which on `one` costs less than `other` as far as is looked; None where it never does.

    Costs are money a month for queries a month and may rise in steps. Looked at on a grid of volumes, then halved in between;
    where `one` is cheaper throughout, that is `low`.
    """
    volumes = [low * math.pow(high / low, place / _GRID) for place in range(_GRID + 1)]
    cheaper = [one(volume) < other(volume) for volume in volumes]
    if not cheaper[-1]:
        return None
    first = len(cheaper) - next((back for back, held in enumerate(reversed(cheaper)) if not held), len(cheaper))
    if first == 0:
        return low
    below, above = volumes[first - 1], volumes[first]
    for _ in range(_STEPS):
        middle = math.sqrt(below * above)
        below, above = (below, middle) if one(middle) < other(middle) else (middle, above)
        if above / below < 1.005:
            break
    return above
