"""What metrics share: a quantity of all cells of a tally as a measure.

Metrics are computed from counts that `flow` makes once for all of them and for all slices (`numerics/counting.py`). No metric
knows of slices: a tally has cells, and a measure has a value for each.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.contracts.tally import Measure
from seatrial.numerics.interval import Intervals

Better = Literal["higher", "lower"]
NO_ROWS = "there are no rows"


def stated(
    what: str,
    found: Intervals,
    n: ArrayLike,
    better: Better,
    none: str | NDArray[np.object_] = NO_ROWS,
    note: NDArray[np.object_] | None = None,
    **more: Any,
) -> Measure:
    """The intervals, of shape (cells,), as a measure on `n` rows each. `none` says why a cell has no value."""
    value = np.asarray(found.value, np.float64)
    notes = np.full(value.shape, "", object) if note is None else note
    method = found.method if isinstance(found.method, str) else list(found.method)
    return Measure(
        what=what,
        value=value,
        low=np.asarray(found.low, np.float64),
        high=np.asarray(found.high, np.float64),
        n=np.asarray(n, np.float64),
        method=method,
        better=better,
        note=list(np.where(np.isnan(value), none, notes)),
        level=found.level,
        **more,
    )


def of_class(found: Intervals, place: int) -> Intervals:
    """The intervals of one class out of intervals of shape (cells, classes)."""
    method = found.method if isinstance(found.method, str) else found.method[:, place]
    return Intervals(found.value[:, place], found.low[:, place], found.high[:, place], found.level, method)
