"""A candidate must not lose more than a margin in any slice that the study names.

An accelerated model can keep its overall figure and fail one kind of row. Every slice with enough rows must hold by itself:
its upper bound within the margin. One slice that is shown to lose more fails the candidate; one that can't be told keeps it open.

    require:
      - drop_in_slices: {what: accuracy, margin: 3 pp, least: 100}
"""

from __future__ import annotations

import sys

from pydantic import Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.record import Scalar
from seatrial.contracts.tally import Slice
from seatrial.contracts.verdict import Judgement, Outcome, all_must_hold
from seatrial.parts.rules import _bounds
from seatrial.parts.rules._limit import At, Limit, Margin, shown

VERSION = 1


class Options(PartOptions):
    """Which metric may drop, by how much, and in which slices."""

    what: str = Field(description="the metric that may drop, like `accuracy`; its paired difference is read")
    margin: Margin = Field(description="the largest drop that is still acceptable in a slice, like `3 pp`")
    least: int = Field(default=100, ge=1, description="rows below which a slice is not judged; it is named as such")
    at: At = {}


def needs(options: Options) -> tuple[str, dict[str, Scalar]]:
    """The paired difference of the metric."""
    return f"{options.what.removesuffix('.drop')}.drop", options.at


def judge(evidence: Evidence, options: Options) -> Judgement:
    """Fail if any slice fails, else open if any is open, else pass; open, too, where there is no slice to judge."""
    what, at = needs(options)
    limit = Limit("drop_in_slices", what, at, options.margin, most=True, shown_in=shown(what))
    slices = _slices(evidence, what)
    judged = {where: _one(evidence, limit, found) for where, found in slices.items() if _rows(found) >= options.least}
    small = [_words(where) for where, found in slices.items() if _rows(found) < options.least]
    outcome = all_must_hold([one.outcome for one in judged.values()]) if judged else Outcome.OPEN
    deciding = {where: one for where, one in judged.items() if one.outcome is outcome}
    return Judgement(
        requirement=f"{limit.requirement} in every slice of {options.least:,} rows or more",
        rule="drop_in_slices",
        candidate=evidence.candidate,
        outcome=outcome,
        reason=_reason(outcome, judged, deciding, small),
        findings=tuple(finding for where in deciding for finding in slices[where][:1]),
        settle=next((one.settle for one in deciding.values() if one.settle), ""),
    )


def _slices(evidence: Evidence, what: str) -> dict[Slice, list[Finding]]:
    found: dict[Slice, list[Finding]] = {}
    for finding in evidence.findings:
        if finding.what == what and finding.slice:
            found.setdefault(finding.slice, []).append(finding)
    return found


def _rows(found: list[Finding]) -> int:
    return max(sys.maxsize if finding.n is None else finding.n for finding in found)


def _one(evidence: Evidence, limit: Limit, found: list[Finding]) -> Judgement:
    """The limit held against one slice's findings, as if they were of all rows."""
    alone = [finding.model_copy(update={"slice": ()}) for finding in found]
    return _bounds.judge(Evidence(evidence.candidate, alone, evidence.level), limit)


def _reason(
    outcome: Outcome, judged: dict[Slice, Judgement], deciding: dict[Slice, Judgement], small: list[str]
) -> str:
    if not judged:
        return "no slice is large enough to judge" if small else "the study names no slices (`measure.slices`)"
    left = f"; too few rows to judge: {', '.join(small)}" if small else ""
    if outcome is Outcome.PASS:
        return f"all {len(judged)} slices hold{left}"
    told = "; ".join(f"{_words(where)}: {one.reason}" for where, one in list(deciding.items())[:3])
    more = f", and {len(deciding) - 3} more" if len(deciding) > 3 else ""
    return f"{len(deciding)} of {len(judged)} slices, {told}{more}{left}"


def _words(where: Slice) -> str:
    return " and ".join(map(str, where))
