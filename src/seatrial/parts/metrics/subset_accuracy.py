"""Share of rows whose labels are all right: none missed, none false. The strictest figure of several labels a row."""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.proportions import proportions
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("multi_label",)}
GIVES = {"finding": ("subset_accuracy",)}
COUNTS = ("label_errors",)
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The share of rows without a wrong label."""
    rows = tally.sums["rows"]
    yield stated("subset_accuracy", proportions(tally.sums["label_errors"][:, 0], rows, level), rows, "higher")
