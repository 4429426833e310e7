"""McNemar's test of no difference in accuracy to the reference on the same rows: the mid-p value.

A small value says that a difference as large as this one is surprising if there is none; it doesn't say how large the
difference is, and a large value doesn't say that there is none. It is here because people ask for it. No rule decides by
it: `drop` gives the difference with its bounds.

Source: Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.paired import mcnemar

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("mcnemar",)}
COUNTS = ("pair",)
CANNOT = {"weights": ("never", "a test on counts of rows has no weighted form; `drop` has an interval")}
VERSION = 2
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The p-value, in the unit `p`: a number that no limit is held against."""
    rows, pair = tally.sums["rows"], tally.sums["pair"]
    whole = pair.dtype.kind == "i"
    lost, gained = pair[:, 1, 0].tolist(), pair[:, 0, 1].tolist()
    flips = list(zip(rows.tolist(), lost, gained, strict=True))
    bounds = np.full(len(rows), np.nan)
    yield Measure(
        what="mcnemar",
        value=np.array([mcnemar(down, up) if n and whole else np.nan for n, down, up in flips]),
        low=bounds,
        high=bounds,
        n=rows,
        method="McNemar's test, two-sided mid-p",
        better=None,
        unit="p",
        note=[_note(n, down, up, whole) for n, down, up in flips],
        against=True,
    )


def _note(rows: float, lost: float, gained: float, whole: bool) -> str:
    if not whole:
        return "rows have weights: the test is of counts; see `accuracy.drop`"
    return f"{lost} rows lost and {gained} gained" if rows else "there are no rows"
