"""Share of rows whose highest-scored class is the right one.

Wilson's interval, or Clopper-Pearson's with few errors. It hides which classes suffer (see `recall`) and whether two
models err on the same rows (see `flips`); whether a candidate is worse than the reference is for `drop` to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.parts.metrics._counts import add, labels, predicted, share

ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("accuracy",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1

Counted = dict[str, int]


class Options(PartOptions):
    """There is nothing to set."""


def count(batch: Batch, options: Options) -> Counted:
    """Rows, and rows that are right."""
    right = predicted(batch.answers) == labels(batch)
    return {"rows": len(right), "right": int(right.sum())}


merge = add


def findings(state: Counted, level: float, options: Options) -> Iterable[Finding]:
    """The share that is right."""
    yield share("accuracy", state["right"], state["rows"], level, "higher")
