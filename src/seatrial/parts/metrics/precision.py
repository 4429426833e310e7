"""Of the rows taken for a class, the share that are of it; per class and as the plain mean over classes.

Low where a class is called too often. A class that is never predicted has none, and the mean leaves it out and says so.
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
GIVES = {"finding": ("precision",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1


class Options(Averaged):
    """Which statements to make."""


def count(batch: Batch, options: Options) -> dict[str, Any]:
    """Rows by label and predicted class."""
    return confusion(batch)


merge = add


def findings(state: dict[str, Any], level: float, options: Options) -> Iterable[Finding]:
    """Precision of each class, `{class: NAME}`, and their plain mean, `{average: macro}`."""
    counts = table(state)
    rows = counts.sum(axis=0)
    return by_class("precision", state, level, options.of, classes.precision, classes.macro_precision, rows)
