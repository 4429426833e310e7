"""Of the rows taken for a class, the share that are of it; per class and as the plain mean over classes.

Low where a class is called too often. A class that is never predicted has none, and the mean leaves it out and says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import agreement, tables
from seatrial.parts.metrics._averages import AveragedToo, by_class, by_label

ACCEPTS = {"task": ("classification", "multi_label")}
GIVES = {"finding": ("precision",)}
COUNTS = ("confusion", "label_sums?", "label_pairs?")
VERSION = 2


class Options(AveragedToo):
    """Which statements to make."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """Precision of each class, `{class: NAME}`, and averages, `{average: macro}`."""
    table = tally.sums["confusion"]
    if table.ndim == 4:
        return by_label("precision", tally, options.of, level)
    averages = {
        "micro": lambda: tables.accuracy(table, level),
        "macro": lambda: tables.macro_precision(table, level),
        "weighted": lambda: agreement.weighted_precision(table, level),
    }
    rows = tables.margins(table).predictions
    return by_class("precision", tally, options.of, lambda: tables.precision(table, level), averages, rows)
