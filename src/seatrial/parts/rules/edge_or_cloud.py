"""One place must cost at most so many times as much as another: the edge against the cloud, or either against a machine of one's own.

It reads what a study finds that compares places under `money:`, each with as many machines as keep the bound of latency there: the
cloud behind its network, the edge with its slower devices. Where one of them can't be (data that mustn't leave, a network that
takes too long) there is no ratio, and the reason says so. Prices are declared, so the requirement says that it accepts that.

    require:
      - edge_or_cloud: {take: edge, against: cloud, accept: declared}
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import Judgement
from seatrial.parts.rules import _bounds
from seatrial.parts.rules._limit import Accepted, Limit

VERSION = 1
Place = Literal["cloud", "own", "edge"]


class Options(PartOptions):
    """Which place, against which, and how much more it may cost."""

    take: Place = Field(default="edge", description="the place that is to be taken")
    against: Place = Field(default="cloud", description="the other one")
    bound: float = Field(default=1.0, gt=0, description="how many times the other's cost it may cost")
    what: str = Field(default="money.ratio", description="the finding that holds the ratio")
    accept: Accepted = ()


def needs(options: Options) -> tuple[str, dict[str, Scalar]]:
    """The ratio between the two places."""
    return options.what, {"place": options.take, "against": options.against}


def judge(evidence: Evidence, options: Options) -> Judgement:
    """Pass when the upper end of the ratio is within the bound, fail when the lower end is above it."""
    what, at = needs(options)
    return _bounds.judge(
        evidence, Limit("edge_or_cloud", what, at, f"{options.bound:g}", most=True, accept=options.accept)
    )
