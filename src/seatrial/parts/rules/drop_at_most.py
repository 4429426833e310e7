"""A candidate must not lose more than a margin against the reference on the same rows (non-inferiority).

It reads the paired difference that belongs to the metric, `accuracy.drop` for `accuracy`. It passes when the upper bound of
the drop is within the margin: the candidate is then shown not to be worse by more than that. No visible drop is no pass
by itself; with few rows the bound stays wide and there is not enough evidence. A margin of 0 asks for proof of a gain.

    require:
      - drop_at_most: {what: accuracy, margin: 0.5 pp}
"""

from __future__ import annotations

from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import Judgement
from seatrial.parts.rules import _bounds
from seatrial.parts.rules._limit import Accepted, At, Limit, Margin, shown

VERSION = 1


class Options(PartOptions):
    """Which metric may drop, and by how much."""

    what: str = Field(description="the metric that may drop, like `accuracy`; its paired difference is read")
    margin: Margin = Field(
        description="the largest drop that is still acceptable, like `0.5 pp`; chosen beforehand, by what it costs"
    )
    at: At = {}
    accept: Accepted = ()


def needs(options: Options) -> tuple[str, dict[str, Scalar]]:
    """The paired difference of the metric."""
    return f"{options.what.removesuffix('.drop')}.drop", options.at


def judge(evidence: Evidence, options: Options) -> Judgement:
    """Pass when the upper bound of the drop is at most the margin, fail when its lower bound is above it."""
    what, at = needs(options)
    limit = Limit("drop_at_most", what, at, options.margin, most=True, accept=options.accept, shown_in=shown(what))
    return _bounds.judge(evidence, limit)
