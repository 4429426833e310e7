"""Share of rows whose predicted class changed against the reference; with labels also those lost and those gained.

Two models of equal accuracy may answer one row in ten differently: users see the changes, not the average.
`flips.lost` were right and are wrong now, `flips.gained` the reverse; the rest changed from one wrong class to another.

Source: "Accuracy is Not All You Need", arXiv 2407.09141.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.parts.metrics._counts import Better, add, predicted, reference, share
from seatrial.parts.metrics._pairs import discordant

PAIRED = True
ACCEPTS = {"task": ("classification",)}
GIVES = {"finding": ("flips", "flips.lost", "flips.gained")}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1

Counted = dict[str, int]


class Options(PartOptions):
    """There is nothing to set."""


def count(batch: Batch, options: Options) -> Counted:
    """Rows and flips, and among them the lost and the gained where there are labels."""
    changed = predicted(batch.answers) != predicted(reference(batch))
    known = {} if batch.labels is None else discordant(batch)
    return known | {"rows": len(changed), "flips": int(changed.sum())}


merge = add


def findings(state: Counted, level: float, options: Options) -> Iterable[Finding]:
    """Shares of rows that flipped, were lost, were gained."""
    for what, key in (("flips", "flips"), ("flips.lost", "lost"), ("flips.gained", "gained")):
        if key in state:
            better: Better = "higher" if key == "gained" else "lower"
            yield share(what, state[key], state["rows"], level, better, against="reference")
