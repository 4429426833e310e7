"""Mean probability of a class minus the share of rows that have it: whether probabilities are too high or too low as a whole.

0 is calibrated in the large; above 0 the class is promised more often than it comes. By group it shows for whom; whether groups
differ is for `calibration_within_groups` to say. Probabilities are counted in fine bins and stand for the bins' middles; the
method says how much that can move the value at most.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.promised import promised
from seatrial.parts.metrics._stated import of_class, stated

ACCEPTS = {"task": ("classification",), "answers": ("probabilities",)}
GIVES = {"finding": ("calibration_in_the_large",)}
COUNTS = ("scores", "brier")
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """Mean probability minus share, `{class: NAME}`; of two classes the second's, which says the other's, too."""
    found, rows = promised(tally.sums["scores"]).excess(level), tally.sums["rows"]
    for place, name in enumerate(tally.classes[1:] if len(tally.classes) == 2 else tally.classes):
        yield stated("calibration_in_the_large", of_class(found, place), rows, None, at={"class": name})
