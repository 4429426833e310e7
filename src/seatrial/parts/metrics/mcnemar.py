"""McNemar's test of no difference in accuracy to the reference on the same rows: the mid-p value.

A small value says that a difference as large as this one is surprising if there is none; it doesn't say how large the
difference is, and a large value doesn't say that there is none. It is here because people ask for it. No rule decides by
it: `drop` gives the difference with its bounds.

Source: Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.numerics.paired import mcnemar
from seatrial.parts.metrics._counts import add, too_few
from seatrial.parts.metrics._pairs import discordant

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("mcnemar",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1

Counted = dict[str, int]


class Options(PartOptions):
    """There is nothing to set."""


def count(batch: Batch, options: Options) -> Counted:
    """Rows, rows that only the reference has right, rows that only the candidate has right."""
    return discordant(batch)


merge = add


def findings(state: Counted, level: float, options: Options) -> Iterable[Finding]:
    """The p-value, in the unit `p`: a number that no limit is held against."""
    if state["rows"] == 0:
        yield too_few("mcnemar", None, against="reference", unit="p")
        return
    yield Finding(
        what="mcnemar",
        against="reference",
        value=mcnemar(state["lost"], state["gained"]),
        unit="p",
        n=state["rows"],
        unit_of_replication="rows",
        method="McNemar's test, two-sided mid-p",
        note=f"{state['lost']} rows lost and {state['gained']} gained",
    )
