"""Share of rows that are given a class: how often the model says so, right or wrong.

By group it shows who is chosen how often; whether groups differ is for `demographic_parity` to say, and who is right for
`precision` and `recall`.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics.proportions import proportions
from seatrial.parts.metrics._stated import stated

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("selection_rate",)}
COUNTS = ("confusion",)
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """The share given each class, `{class: NAME}`."""
    given, rows = tally.sums["confusion"].sum(axis=1), tally.sums["rows"]
    for index, name in enumerate(tally.classes):
        yield stated("selection_rate", proportions(given[:, index], rows, level), rows, None, at={"class": name})
