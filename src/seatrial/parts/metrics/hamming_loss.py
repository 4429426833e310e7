"""Share of labels that are wrong, missed ones and false ones alike, over all rows and labels.

It flatters where rows have few of many labels: choosing none is then nearly right. See `f1` and `jaccard` for what is chosen.
A row is what is drawn: labels of one row go together, and the interval, corrected for skewness, allows for that.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import multilabel
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("multi_label",)}
GIVES = {"finding": ("hamming_loss",)}
COUNTS = ("label_errors",)
VERSION = 1
USUAL = True


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The share of labels that are wrong."""
    counts = tally.sums["label_errors"]
    yield stated("hamming_loss", multilabel.hamming(counts, level), tally.sums["rows"], "lower")
