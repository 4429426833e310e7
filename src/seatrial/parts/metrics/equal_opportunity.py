"""Gap and ratio between groups of how often those who belong to the favourable class are given it (true positive rate).

Hardt, Price & Srebro (2016). It looks at the deserving alone; `equalised_odds` looks at the others, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.parts.metrics._groups import Favoured, both, favoured, hit

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("equal_opportunity", "equal_opportunity.ratio")}
COUNTS = ("confusion",)
ACROSS = True
CANNOT = {"labels": ("never", "labels that are themselves unfair to a group make it look fair or unfair")}
VERSION = 2

Options = Favoured


def across(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """`equal_opportunity` (gap in true positive rates) and `equal_opportunity.ratio`."""
    good = favoured(tally, options)
    yield from both("equal_opportunity", *hit(tally, good), tally, good, level, options.least)
