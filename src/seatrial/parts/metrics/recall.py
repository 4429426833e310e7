"""Of the rows of a class, the share that are found; per class and as the plain mean over classes (balanced accuracy).

Low where a class is overlooked, which accuracy hides when the class is rare. A class without rows has none.
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
GIVES = {"finding": ("recall",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1


class Options(Averaged):
    """Which statements to make."""


def count(batch: Batch, options: Options) -> dict[str, Any]:
    """Rows by label and predicted class."""
    return confusion(batch)


merge = add


def findings(state: dict[str, Any], level: float, options: Options) -> Iterable[Finding]:
    """Recall of each class, `{class: NAME}`, and their plain mean, `{average: macro}`."""
    counts = table(state)
    rows = counts.sum(axis=1)
    return by_class("recall", state, level, options.of, classes.recall, classes.macro_recall, rows)
