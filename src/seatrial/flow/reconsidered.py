"""Whether the verdict hangs on faults of the data: decided again with the figures that were had without them.

verdict.cleaned {without}   pass, fail or open, were the rows in doubt not there
verdict.reweighted          the same, were rows weighted so that they stand for the stated population
"""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.contracts.finding import Finding
from seatrial.contracts.plan import Plan
from seatrial.flow.cleaned import PREFIX, WITHOUT
from seatrial.flow.decide import decide
from seatrial.flow.representing import REWEIGHTED
from seatrial.flow.trial import now


def reconsidered(plan: Plan, findings: Sequence[Finding]) -> list[Finding]:
    """The outcome of the study with each kind of restated figures in the place of those of all rows; none where nothing is required."""
    if not plan.study.require:
        return []
    kinds = dict.fromkeys(kind for one in findings if (kind := _kind(one)) is not None)
    return [_again(plan, findings, kind) for kind in kinds]


def _again(plan: Plan, findings: Sequence[Finding], kind: str) -> Finding:
    instead = [_plain(one) for one in findings if _kind(one) == kind]
    known = {(one.candidate, one.key) for one in instead}
    others = [one for one in findings if (one.candidate, one.key) not in known]
    verdict = decide(plan, [*others, *instead])
    return Finding(
        what="verdict.cleaned" if kind else "verdict.reweighted",
        at={WITHOUT: kind} if kind else {},
        value=verdict.outcome.value,
        inputs=tuple(dict.fromkeys(one.key for one in findings if _kind(one) == kind and one.value is not None))[:50],
        method="all requirements held against these figures instead of those of all rows",
        note=verdict.sentence,
        measured_at=now(),
    )


def _kind(one: Finding) -> str | None:
    """Which doubt a figure was had without; empty for the population; None for a figure of all rows."""
    if one.what.startswith(PREFIX):
        return str(one.at[WITHOUT])
    return "" if one.what.startswith(REWEIGHTED) else None


def _plain(one: Finding) -> Finding:
    """The figure under the name it has of all rows."""
    at = {name: value for name, value in one.at.items() if name != WITHOUT}
    return one.model_copy(update={"what": one.what.removeprefix(PREFIX).removeprefix(REWEIGHTED), "at": at})
