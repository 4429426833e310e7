"""Gap between groups in how often those who belong to the favourable class are given it (true positive rate).

Hardt, Price & Srebro (2016). It looks at the deserving alone; `equalised_odds` looks at the others, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.gaps import share_gap
from seatrial.parts.metrics._groups import Favoured, favoured, hit, measure, plain_gap, value_only

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("equal_opportunity",)}
COUNTS = ("confusion",)
ACROSS = True
CANNOT = {"labels": ("never", "labels that are themselves unfair to a group make it look fair or unfair")}
VERSION = 1

Options = Favoured


def across(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The gap in true positive rates."""
    good = favoured(tally, options)
    hits, rows = hit(tally, good)
    if level is None:
        yield value_only("equal_opportunity", plain_gap(hits, rows, options.least), tally, good, rows)
    else:
        yield measure("equal_opportunity", share_gap(hits, rows, level, options.least), tally, good, rows, level)
