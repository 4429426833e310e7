"""Of the rows of a class, the share that are found; per class and as the plain mean over classes (balanced accuracy).

Low where a class is overlooked, which accuracy hides when the class is rare. A class without rows has none.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import agreement, tables
from seatrial.parts.metrics._averages import AveragedToo, by_class, by_label

ACCEPTS = {"task": ("classification", "multi_label")}
GIVES = {"finding": ("recall",)}
COUNTS = ("confusion", "label_sums?", "label_pairs?")
VERSION = 2


class Options(AveragedToo):
    """Which statements to make."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """Recall of each class, `{class: NAME}`, and averages, `{average: macro}`."""
    table = tally.sums["confusion"]
    if table.ndim == 4:
        return by_label("recall", tally, options.of, level)
    averages = {
        "micro": lambda: tables.accuracy(table, level),
        "macro": lambda: tables.macro_recall(table, level),
        "weighted": lambda: agreement.weighted_recall(table, level),
    }
    rows = tables.margins(table).labels
    return by_class("recall", tally, options.of, lambda: tables.recall(table, level), averages, rows)
