"""The shape of every uncertain number: a value, its bounds, their confidence, and how they were got."""

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Interval(NamedTuple):
    """A value with confidence bounds.

    `level` is the two-sided confidence (0.95: 2.5 % on either side). A bound that is None was not asked for or cannot
    be had; `method` says which, in words a statistician accepts. One bound of a two-sided interval, read alone, is a
    one-sided bound of confidence `(1 + level) / 2`.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    method: str


class Intervals(NamedTuple):
    """Many values of one kind with their bounds: arrays of one shape, NaN for a value or bound that there isn't.

    `method` is one text, or an array of texts of the same shape. `level` is None for values without bounds.
    """

    value: "NDArray[np.float64]"
    low: "NDArray[np.float64]"
    high: "NDArray[np.float64]"
    level: float | None
    method: "str | NDArray[np.object_]"


def alone(value: "NDArray[np.float64]") -> Intervals:
    """Values without bounds."""
    none = value * float("nan")
    return Intervals(value, none, none, None, "")


def tail(level: float) -> float:
    """The probability left outside on one side of a two-sided interval of this level; ValueError outside (0, 1)."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies strictly between 0 and 1, not {level!r}")
    return (1.0 - level) / 2.0


def at_most(bound: float) -> str:
    """A bound in one digit, rounded up: 0.00245 is `0.003`, since `at most 0.002` would not hold. 0 and what isn't finite as it is."""
    if bound == 0.0 or not math.isfinite(bound):
        return f"{bound:g}"
    unit = 10.0 ** math.floor(math.log10(abs(bound)))
    return f"{math.ceil(bound / unit * (1 - 1e-12)) * unit:.1g}"
