"""Harmonic mean of precision and recall; per class and as the plain mean over classes.

One number for classes where both overlooking and false alarms hurt. The interval needs no bootstrap: F1 rises with the share of
hits among all rows that concern the class, which is a plain proportion (see `numerics/classes.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seatrial.contracts.finding import Finding
from seatrial.contracts.protocols import Batch
from seatrial.numerics import classes
from seatrial.parts.metrics._counts import add
from seatrial.parts.metrics._table import Averaged, by_class, confusion, table

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("f1",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1


class Options(Averaged):
    """Which statements to make."""


def count(batch: Batch, options: Options) -> dict[str, Any]:
    """Rows by label and predicted class."""
    return confusion(batch)


merge = add


def findings(state: dict[str, Any], level: float, options: Options) -> Iterable[Finding]:
    """F1 of each class, `{class: NAME}`, and their plain mean, `{average: macro}`."""
    counts = table(state)
    rows = counts.sum(axis=0) + counts.sum(axis=1) - counts.diagonal()
    return by_class("f1", state, level, options.of, classes.f1, classes.macro_f1, rows)
