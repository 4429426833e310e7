"""A finding must not be above a limit: latency, memory, size, cold start.

It passes when the upper bound is within the limit and fails when the lower bound is above it; between them there is not
enough evidence. A percentile of latency, which has an upper bound alone, fails when the measured value itself is above.

    require:
      - at_most: {what: latency.p99, bound: 5 ms, at: {load: single_stream}}
"""

from __future__ import annotations

from seatrial.contracts.protocols import Evidence
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import Judgement
from seatrial.parts.rules import _bounds
from seatrial.parts.rules._limit import Limit, Limited

VERSION = 1


class Options(Limited):
    """Which finding, and the limit that it must not exceed."""


def needs(options: Options) -> tuple[str, dict[str, Scalar]]:
    """The limited finding."""
    return options.what, options.at


def judge(evidence: Evidence, options: Options) -> Judgement:
    """Pass when the upper bound is at most the limit, fail when the lower bound is above it."""
    limit = Limit("at_most", options.what, options.at, options.bound, most=True, accept=options.accept)
    return _bounds.judge(evidence, limit)
