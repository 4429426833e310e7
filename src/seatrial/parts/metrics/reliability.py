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
        for place in range(options.bins):
            n, hits, score = (
                np.array([getattr(one, name)[place] if place < len(one.n) else 0.0 for one in diagrams])
                for name in ("n", "hits", "score")
            )
            at = view.at | {"bin": place}
            yield stated("reliability", proportions(hits, n, level), n, None, "no such bin", at=at)
            nothing = np.full(n.shape, np.nan)
            middle = Intervals(np.where(n > 0, score, np.nan), nothing, nothing, 0.95, "mean probability of the bin")
            yield replace(stated("reliability.score", middle, n, None, "no such bin", at=at), level=None)
