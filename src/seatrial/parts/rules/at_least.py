"""A finding must not be below a limit: accuracy, throughput, speed-up.

It passes when the lower bound is at least the limit and fails when the upper bound is below it; between them there is
not enough evidence.

    require:
      - at_least: {what: accuracy, bound: 0.88}
"""

from __future__ import annotations

from seatrial.contracts.protocols import Evidence
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import Judgement
from seatrial.parts.rules import _bounds
from seatrial.parts.rules._limit import Limit, Limited

VERSION = 1


class Options(Limited):
    """Which finding, and the limit that it must reach."""


def needs(options: Options) -> tuple[str, dict[str, Scalar]]:
    """The limited finding."""
    return options.what, options.at


def judge(evidence: Evidence, options: Options) -> Judgement:
    """Pass when the lower bound is at least the limit, fail when the upper bound is below it."""
    limit = Limit("at_least", options.what, options.at, options.bound, most=False, accept=options.accept)
    return _bounds.judge(evidence, limit)
