"""The search for slices must not confirm one that this candidate hurt, and must have been able to see harm of the stated size.

`measure.find` searches all combinations of the columns' values for rows where the candidate errs more often than the
reference, finds them on one half of the rows and confirms them on the other. A confirmed one that is shown to lose more than
the margin fails; none confirmed passes only where harm above the margin, in a slice of a twentieth of the rows, would most
likely have been found.

    require:
      - no_slice_hurt: {margin: 5 pp}
"""

from __future__ import annotations

from pydantic import Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.quantity import parse
from seatrial.contracts.record import Scalar
from seatrial.contracts.tally import Slice
from seatrial.contracts.verdict import Judgement, Outcome, all_must_hold
from seatrial.parts.rules import _bounds
from seatrial.parts.rules._limit import Limit, Written

VERSION = 1
HURT = "slice.hurt"
MORE = "more rows would settle it"


class Options(PartOptions):
    """How much harm in a slice is too much."""

    margin: Written = Field(
        default="0 pp", description="harm in a confirmed slice that is still acceptable, like `5 pp`"
    )
    least_seen: Written = Field(
        default="10 pp", description="harm in a twentieth of the rows that the search must have been able to see"
    )


def needs(options: Options) -> tuple[str, dict[str, Scalar]]:
    """The findings of the search."""
    return HURT, {}


def judge(evidence: Evidence, options: Options) -> Judgement:
    """Fail for a confirmed slice beyond the margin; pass where none is and the search had the power; else open."""
    limit = Limit("no_slice_hurt", HURT, {}, options.margin, most=True, shown_in="pp")
    slices: dict[Slice, list[Finding]] = {}
    for one in evidence.findings:
        if one.what == HURT:
            slices.setdefault(one.slice, []).append(one)
    judged = {where: _one(evidence, limit, found) for where, found in slices.items()}
    outcome = all_must_hold([one.outcome for one in judged.values()])
    deciding = [where for where, one in judged.items() if one.outcome is outcome]
    reason, settle = f"no slice is hurt by more than {options.margin}", ""
    if outcome is Outcome.FAIL:
        reason = _told([slices[where][0] for where in deciding])
    elif outcome is Outcome.OPEN:
        reason = "; ".join(f"{_words(where)}: {judged[where].reason}" for where in deciding[:3])
        settle = judged[deciding[0]].settle or MORE
    elif why := _blind(evidence, parse(options.least_seen).value, options):
        outcome, reason, settle = Outcome.OPEN, why, MORE
    return Judgement(
        requirement=f"no slice hurt by more than {options.margin}",
        rule="no_slice_hurt",
        candidate=evidence.candidate,
        outcome=outcome,
        reason=reason,
        findings=tuple(slices[where][0] for where in deciding[:5]),
        settle=settle,
    )


def _one(evidence: Evidence, limit: Limit, found: list[Finding]) -> Judgement:
    """The margin held against one slice's findings, as if they were of all rows."""
    alone = [one.model_copy(update={"slice": ()}) for one in found]
    return _bounds.judge(Evidence(evidence.candidate, alone, evidence.level), limit)


def _blind(evidence: Evidence, seen: float, options: Options) -> str:
    """Why the search could not have seen the harm; empty if it could."""
    by_name = {one.what: one for one in evidence.findings}
    if (count := by_name.get(f"{HURT}.count")) is None or count.value is None:
        return count.note if count is not None else "no search was made (`measure.find`)"
    least = by_name.get(f"{HURT}.detectable")
    if least is None or least.value is None:
        return "what the search could have seen isn't known"
    if least.number > seen:
        return f"the search could only have seen harm above {least.number * 100:.2g} pp, not {options.least_seen}"
    return ""


def _told(found: list[Finding]) -> str:
    worst = sorted(found, key=lambda one: -(one.low or 0.0))[:3]
    told = "; ".join(
        f"{_words(one.slice)}: {one.number * 100:.2g} pp worse, at least {(one.low or 0.0) * 100:.2g} pp"
        for one in worst
    )
    return f"{len(found)} {'slice is' if len(found) == 1 else 'slices are'} hurt: {told}"


def _words(where: Slice) -> str:
    return " and ".join(map(str, where)) or HURT
