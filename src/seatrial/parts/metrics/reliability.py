"""The reliability diagram: for each bin of the probability the share of rows for which it came true, with its interval.

What a calibrated model shows is the diagonal: of the rows given 70 %, seven in ten. Reports draw it; a slice has one, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.interval import Intervals
from seatrial.numerics.proportions import proportions
from seatrial.parts.metrics._calibration import Binned, tables, views
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("classification",), "answers": ("probabilities",)}
GIVES = {"finding": ("reliability", "reliability.score")}
COUNTS = ("confidence", "scores?")
VERSION = 1

Options = Binned


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """`reliability` {bin}: the observed share, and `reliability.score` {bin}: the mean probability in that bin."""
    for view in views(tally, options):
        diagrams = tables(view, options)
        counted = np.zeros((3, options.bins, len(diagrams)))
        for cell, one in enumerate(diagrams):
            counted[:, : len(one.n), cell] = one.n, one.hits, one.score
        rows, _, scores = counted
        shares = proportions(counted[1], rows, level)
        nothing = np.full(len(diagrams), np.nan)
        for place, n in enumerate(rows):
            at = view.at | {"bin": place}
            yield stated("reliability", of_bin(shares, place), n, None, "no such bin", at=at)
            middle = Intervals(
                np.where(n > 0, scores[place], np.nan), nothing, nothing, 0.95, "mean probability of the bin"
            )
            yield replace(stated("reliability.score", middle, n, None, "no such bin", at=at), level=None)


def of_bin(found: Intervals, place: int) -> Intervals:
    """The intervals of one bin out of intervals of shape (bins, cells)."""
    method = found.method if isinstance(found.method, str) else found.method[place]
    return Intervals(found.value[place], found.low[place], found.high[place], found.level, method)
