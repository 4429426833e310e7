"""Of the rows that aren't of a class, the share that weren't taken for it; per class and as the plain mean over classes.

One minus the rate of false alarms. Beside a rare class it is high for nearly every model: `precision` says how many of the
alarms are right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import tables
from seatrial.parts.metrics._averages import by_class

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("specificity",)}
COUNTS = ("confusion",)
VERSION = 1


class Options(PartOptions):
    """Which statements to make."""

    of: tuple[Literal["class", "macro"], ...] = Field(
        default=("class", "macro"),
        description="`class`: each class; `macro`: their plain mean, each class counting alike",
    )


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """Specificity of each class, `{class: NAME}`, and their plain mean, `{average: macro}`."""
    table = tally.sums["confusion"]
    others = np.asarray(tally.sums["rows"])[:, None] - tables.margins(table).labels
    averages = {"macro": lambda: tables.macro_specificity(table, level)}
    return by_class("specificity", tally, options.of, lambda: tables.specificity(table, level), averages, others)
