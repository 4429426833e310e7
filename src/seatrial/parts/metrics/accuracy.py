"""Share of rows whose highest-scored class is the right one.

Wilson's interval, or Clopper-Pearson's with few errors. It hides which classes suffer (see `recall`) and whether two
models err on the same rows (see `flips`); whether a candidate is worse than the reference is for `drop` to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.proportions import proportions
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("accuracy",)}
COUNTS = ("right",)
VERSION = 2
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The share that is right."""
    rows = tally.sums["rows"]
    yield stated("accuracy", proportions(tally.sums["right"], rows, level), rows, "higher")
