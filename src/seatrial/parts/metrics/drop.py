"""How much accuracy a candidate loses against the reference on the same rows, with Tango's interval: `accuracy.drop`.

Reference minus candidate, as a share of rows; negative for a gain. Rows on which both are right or both are wrong say nothing
about the difference, so it is known far better than from two separate accuracies: with 2 % flips among 10,000 rows a true
drop of 0.3 pp is seen with power .69 instead of .18.

**Non-inferiority.** "No significant difference" is no proof of sameness: few rows show no difference either. Turn it round:
state beforehand the largest drop that is acceptable (the margin), and pass only when the upper bound of the drop is below it.
That is what the rule `drop_at_most` does with this finding. Rows must be independent; rows in groups (many of one user or
patient) make the interval too narrow.

Source: Tango (1998), Statistics in Medicine 17, 891-908.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.numerics.paired import tango
from seatrial.parts.metrics import _counts
from seatrial.parts.metrics._pairs import discordant

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("accuracy.drop",)}
CANNOT = {
    "weights": ("not yet ours", "every row counts alike"),
    "clusters": ("not yet ours", "rows are taken as independent; rows in groups need a cluster bootstrap"),
}
VERSION = 1

Counted = dict[str, int]


class Options(PartOptions):
    """There is nothing to set."""


def count(batch: Batch, options: Options) -> Counted:
    """Rows, rows that only the reference has right, rows that only the candidate has right."""
    return discordant(batch)


merge = _counts.add


def findings(state: Counted, level: float, options: Options) -> Iterable[Finding]:
    """The drop in accuracy."""
    what, n = "accuracy.drop", state["rows"]
    if n == 0:
        yield _counts.too_few(what, "lower", against="reference")
    else:
        interval = tango(state["lost"], state["gained"], n, level)
        yield _counts.statement(what, interval, n, "lower", against="reference")
