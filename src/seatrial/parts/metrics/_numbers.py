"""What metrics of predicted numbers share: a measure for each target, and who is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.interval import Intervals
from seatrial.parts.metrics._stated import NO_ROWS, Better, stated

Found = Callable[[int], Intervals]


def by_target(
    what: str,
    tally: Tally,
    found: Found,
    better: Better,
    n: ArrayLike | None = None,
    none: str = NO_ROWS,
    unit: bool = False,
    **more: Any,
) -> Iterable[Measure]:
    """A measure of each target: `{target: NAME}` where there are several. `n` has shape (cells, targets); all rows if left out.

    `unit` says that it is in the label's units: rows change by about as much as the measure is, and not by about 1.
    """
    rows = np.asarray(tally.sums["rows"])
    count = np.repeat(rows[:, None], len(tally.classes), axis=1) if n is None else np.asarray(n)
    at = more.pop("at", {})
    for place, name in enumerate(tally.classes):
        here = ({"target": name} if len(tally.classes) > 1 else {}) | at
        of_target = found(place)
        scale = np.where(of_target.value > 0, of_target.value, 1.0) if unit else None
        yield stated(what, of_target, count[:, place], better, none, at=here, scale=scale, **more)
