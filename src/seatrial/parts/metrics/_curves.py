"""What metrics of score histograms share: one figure for two classes, else one a class and their mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.interval import Intervals
from seatrial.parts.metrics._stated import of_class, stated

Area = Callable[[NDArray[Any], float | None], Intervals]


class Curves(PartOptions):
    """Which statements to make where there are more than two classes."""

    of: tuple[Literal["class", "macro"], ...] = Field(
        default=("class", "macro"),
        description="`class`: each class against the rest; `macro`: their plain mean, each class counting alike",
    )


def by_curve(
    what: str, tally: Tally, area: Area, level: float | None, of: tuple[str, ...], none: str
) -> Iterable[Measure]:
    """Measures of histograms (cells, M, 2, bins)."""
    rows, found = np.asarray(tally.sums["rows"]), area(np.asarray(tally.sums["scores"]), level)
    if found.value.shape[1] == 1 and len(tally.classes) == 2:
        yield stated(what, of_class(found, 0), rows, "higher", none)
        return
    if "class" in of:
        for place, name in enumerate(tally.classes):
            yield stated(what, of_class(found, place), rows, "higher", none, at={"class": name})
    if "macro" in of:
        yield stated(what, mean(found), rows, "higher", none, at={"average": "macro"})


def mean(found: Intervals) -> Intervals:
    """The mean over the classes that have a figure, and the means of their bounds: never too narrow, however the classes go together."""
    there = ~np.isnan(found.value)
    count = there.sum(axis=1)
    some = np.where(count > 0, count, 1)
    value, low, high = (np.where(there, one, 0.0).sum(axis=1) / some for one in found[:3])
    value, low, high = (np.where(count > 0, one, np.nan) for one in (value, low, high))
    method = [
        f"mean over {one} of {there.shape[1]} classes of the value and, conservative, of its bounds"
        for one in count.tolist()
    ]
    return Intervals(value, low, high, found.level, np.array(method, object))
