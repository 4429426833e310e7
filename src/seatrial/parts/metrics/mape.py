"""Mean absolute error as a share of the label: 0.1 is off by a tenth of the true number, on average.

Only for labels that are far from 0 and have one sign: a label near 0 makes a small error a huge share. Rows whose label is 0 have
none and are left out; the note says how many. With labels near 0 a few rows decide, and the interval covers far less than it says:
.55 of a nominal .95 in a simulation of 60 labels two and a half deviations above 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.losses import mean_intervals
from seatrial.parts.metrics._numbers import by_target

ACCEPTS = {"task": ("regression",), "answers": ("values",)}
GIVES = {"finding": ("mape",)}
COUNTS = ("relative_error",)
CANNOT = {"labels near 0": ("never", "a mean that few rows decide has no interval that holds: take `mae`")}
VERSION = 1
NONE = "there are no rows whose label isn't 0"


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The mean share of each target."""
    sums, rows = tally.sums["relative_error"], np.asarray(tally.sums["rows"])
    known = sums[:, :, 0]
    for place, measure in enumerate(
        by_target(
            "mape",
            tally,
            lambda target: mean_intervals(sums[:, target, 1:], known[:, target], level, least=0.0),
            "lower",
            known,
            NONE,
        )
    ):
        yield _said(measure, rows - known[:, place])


def _said(measure: Measure, left_out: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Measure:
    notes = [
        f"{some:g} rows whose label is 0 are left out" if some > 0 and not given else given
        for some, given in zip(left_out.tolist(), measure.note, strict=True)
    ]
    return replace(measure, note=notes)
