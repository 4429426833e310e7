"""Harmonic mean of precision and recall; per class and as the plain mean over classes.

One number for classes where both overlooking and false alarms hurt. The interval needs no bootstrap: F1 rises with the share of
hits among all rows that concern the class, which is a plain proportion (see `numerics/tables.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.tally import Measure, Tally
from seatrial.numerics import agreement, tables
from seatrial.parts.metrics._averages import AveragedToo, by_class, by_label

ACCEPTS = {"task": ("classification", "multi_label")}
GIVES = {"finding": ("f1",)}
COUNTS = ("confusion", "label_sums?", "label_pairs?")
VERSION = 2
USUAL = True


class Options(AveragedToo):
    """Which statements to make."""


def measures(tally: Tally, level: float | None, options: Options) -> Iterable[Measure]:
    """F1 of each class, `{class: NAME}`, and averages, `{average: macro}`."""
    table = tally.sums["confusion"]
    if table.ndim == 4:
        return by_label("f1", tally, options.of, level)
    averages = {
        "micro": lambda: tables.accuracy(table, level),
        "macro": lambda: tables.macro_f1(table, level),
        "weighted": lambda: agreement.weighted_f1(table, level),
    }
    of = tables.margins(table)
    rows = of.labels + of.predictions - of.hits
    return by_class("f1", tally, options.of, lambda: tables.f1(table, level), averages, rows)
