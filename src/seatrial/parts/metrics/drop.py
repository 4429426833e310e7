"""How much accuracy a candidate loses against the reference on the same rows, with Tango's interval: `accuracy.drop`.

Reference minus candidate, as a share of rows; negative for a gain. Rows on which both are right or both are wrong say nothing
about the difference, so it is known far better than from two separate accuracies: with 2 % flips among 10,000 rows a true
drop of 0.3 pp is seen with power .69 instead of .18.

**Non-inferiority.** "No significant difference" is no proof of sameness: few rows show no difference either. Turn it round:
state beforehand the largest drop that is acceptable (the margin), and pass only when the upper bound of the drop is below it.
That is what the rule `drop_at_most` does with this finding. Rows must be independent; rows in groups (many of one user or
patient) make the interval too narrow.

Source: Tango (1998), Statistics in Medicine 17, 891-908.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.paired import tangos
from seatrial.parts.metrics._stated import stated

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("accuracy.drop",)}
COUNTS = ("pair",)
VERSION = 2
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The drop in accuracy."""
    rows, pair = tally.sums["rows"], tally.sums["pair"]
    yield stated("accuracy.drop", tangos(pair[:, 1, 0], pair[:, 0, 1], rows, level), rows, "lower", against=True)
