"""Share of rows whose predicted class changed against the reference; with labels also those lost and those gained.

Two models of equal accuracy may answer one row in ten differently: users see the changes, not the average.
`flips.lost` were right and are wrong now, `flips.gained` the reverse; the rest changed from one wrong class to another.

Source: "Accuracy is Not All You Need", arXiv 2407.09141.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.proportions import proportions
from seatrial.parts.metrics._stated import stated

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("flips", "flips.lost", "flips.gained")}
COUNTS = ("changed", "pair?")
VERSION = 2
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """Shares of rows that flipped and, where there are labels, of those lost and those gained."""
    rows, pair = tally.sums["rows"], tally.sums.get("pair")
    yield stated("flips", proportions(tally.sums["changed"], rows, level), rows, "lower", against=True)
    if pair is not None:
        yield stated("flips.lost", proportions(pair[:, 1, 0], rows, level), rows, "lower", against=True)
        yield stated("flips.gained", proportions(pair[:, 0, 1], rows, level), rows, "higher", against=True)
