"""The plain mean of the classes' recalls: accuracy in which a rare class counts as much as a common one.

A model that always says the most common class scores 1/2 with two classes, however rare the other. It is `recall` with
`average: macro`, under the name that people look for.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import tables
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("balanced_accuracy",)}
COUNTS = ("confusion",)
VERSION = 1
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The mean recall."""
    found = tables.macro_recall(tally.sums["confusion"], level)
    yield stated("balanced_accuracy", found, tally.sums["rows"], "higher")
