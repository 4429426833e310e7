"""Whether the candidate puts rows in the same order as the reference: Spearman's correlation of their scores of a class.

What is used to rank (whom to call first, which pages to show) may change although no answer flips, and keep its order although
all scores moved. It needs no labels. Scores are kept in 128 bins, rows of one bin count as tied: where scores are spread
smoothly that costs less than 0.01, nearly always towards 0, so 0.99 may stand for perfect agreement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.interval import Intervals
from seatrial.numerics.joint_ranks import rank_correlations
from seatrial.parts.metrics._stated import of_class, stated

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("rank_correlation",)}
COUNTS = ("pair_scores",)
CANNOT = {"ties": ("never", "scores in one of 128 bins count as tied, so changes within a bin aren't seen")}
VERSION = 1
NONE = "all rows are in one bin of either model's scores: there is no order to compare"


class Options(PartOptions):
    """Which statements to make."""

    of: tuple[Literal["class", "macro"], ...] = Field(
        default=("class", "macro"),
        description="`class`: each class's scores (of two classes the second's alone); `macro`: the plain mean over classes, of "
        "more than two",
    )


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The correlation, `{class: NAME}` and `{average: macro}`."""
    found, rows = rank_correlations(tally.sums["pair_scores"], level), tally.sums["rows"]
    names = tally.classes[1:] if len(tally.classes) == 2 else tally.classes
    if "class" in options.of or len(names) == 1:
        for place, name in enumerate(names):
            yield stated(
                "rank_correlation", of_class(found, place), rows, "higher", NONE, at={"class": name}, against=True
            )
    if "macro" in options.of and len(names) > 1:
        yield stated("rank_correlation", _mean(found), rows, "higher", NONE, at={"average": "macro"}, against=True)


def _mean(found: Intervals) -> Intervals:
    """The mean over classes; its bounds, the means of theirs, hold however much the classes go together."""
    value, low, high = (np.asarray(one).mean(axis=1) for one in (found.value, found.low, found.high))
    method = f"mean over classes of value and bounds; {found.method}" if found.level is not None else ""
    return Intervals(value, low, high, found.level, method)
