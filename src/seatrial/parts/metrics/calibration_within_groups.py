"""Gap between groups in what the favourable class's probability promises: whether a score means the same for everybody.

Of each group, the mean probability minus the share that truly has the class; the gap is the highest group's minus the lowest's.
Where it is large, the same score stands for different chances. Probabilities are counted in fine bins and stand for the bins'
middles, which the note bounds. `calibration_in_the_large` gives each group's own figure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.gaps import choices, mean_gap
from seatrial.numerics.interval import at_most
from seatrial.numerics.promised import promised
from seatrial.parts.metrics._groups import Favoured, favoured, measure, value_only

ACCEPTS = {"task": ("classification",), "answers": ("probabilities",)}
GIVES = {"finding": ("calibration_within_groups",)}
COUNTS = ("scores", "brier")
ACROSS = True
CANNOT = {"shape": ("never", "groups can be promised too much here and too little there, and be alike on the whole")}
VERSION = 1

Options = Favoured


def across(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """`calibration_within_groups`, the gap in mean probability minus share."""
    good = favoured(tally, options)
    scores = tally.sums["scores"]
    of = promised(scores[:, good if scores.shape[1] > 1 else 0])
    mean = -of.mean if scores.shape[1] == 1 and good == 0 else of.mean
    if level is None:
        large = mean[of.rows >= options.least]
        value = float(large.max() - large.min()) if len(large) > 1 else np.nan
        among = choices(mean, of.rows, options.least)
        yield value_only("calibration_within_groups", value, tally, good, of.rows, among)
        return
    gap = mean_gap(mean, of.variance, of.rows, level, options.least)
    made = measure("calibration_within_groups", gap, tally, good, of.rows, level)
    known = of.slack[of.rows >= options.least]
    most = 2 * known.max() if len(known) > 1 else 0.0
    said = f"binning moves it by at most {at_most(most)}" if most else ""
    yield replace(made, note="; ".join(one for one in (str(made.note), said) if one))
