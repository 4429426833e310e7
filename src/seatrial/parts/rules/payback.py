"""Changing over must have paid back within so many months: what it costs once over what is saved a month against today.

It reads what a study finds that says under `money:` what is paid `today`, what a `change` costs once, and where the model would run.
Purchases count as spent once; interest isn't counted. Prices are declared, so the requirement says that it accepts that.

    require:
      - payback: {bound: 12, place: own, accept: declared}
"""

from __future__ import annotations

from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import Judgement
from seatrial.parts.rules import _bounds
from seatrial.parts.rules._limit import Accepted, Limit

VERSION = 1


class Options(PartOptions):
    """Within how many months, and where."""

    bound: float = Field(gt=0, description="the most months")
    place: str = Field(default="cloud", description="where it would run: `cloud`, `own` or `edge`")
    what: str = Field(default="money.payback", description="the finding that holds the months")
    accept: Accepted = ()


def needs(options: Options) -> tuple[str, dict[str, Scalar]]:
    """The months at that place."""
    return options.what, {"place": options.place}


def judge(evidence: Evidence, options: Options) -> Judgement:
    """Pass when the upper end is within the bound, fail when the lower end is above it."""
    what, at = needs(options)
    return _bounds.judge(evidence, Limit("payback", what, at, f"{options.bound:g}", most=True, accept=options.accept))
