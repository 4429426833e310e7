"""How a limit is held against a finding. Bounds decide, not values. For a requirement `at most` the limit:

    value --- high  limit           pass: even the upper bound is within it
    limit  low --- value            fail: even the lower bound is beyond it
    low --- limit --- high          not enough evidence, said with what would settle it

Where the method gives no bound on the failing side (a percentile of latency has an upper bound alone), a measured value
beyond the limit fails, and the reason says that the value decided: such a requirement could otherwise never fail, while
a pass is still owed its bound. A finding with neither bounds nor a level is an exact statement (a size, a counted
maximum), and its value decides. A bound counts only at the confidence that the decision needs.
"""

from __future__ import annotations

from seatrial.contracts.finding import Finding
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.numerics.interval import Interval
from seatrial.numerics.paired import rows_to_settle
from seatrial.numerics.ratios import rounds_to_settle
from seatrial.parts.rules._evidence import pick, unusable
from seatrial.parts.rules._limit import Limit
from seatrial.parts.rules._words import REASONS, REMEDIES, SETTLES, about, confidence, count, subject

_PATIENCE = 1000.0
"""The bound would have to come this many times nearer, with a million times the rows: that is never."""


def judge(evidence: Evidence, limit: Limit) -> Judgement:
    """Hold the limit against the candidate's finding; the finding that was read stands in the judgement."""
    finding, reason = pick(evidence, limit.what, limit.at)
    outcome, settle = Outcome.OPEN, ""
    if finding is not None and (reason := unusable(finding, limit, evidence.level)):
        settle = REMEDIES.get(finding.state, "").format(units=_units(finding))
    elif finding is not None:
        outcome, name = _decide(finding, limit)
        reason = _reason(name, finding, limit)
        settle = _settle(finding, limit) if outcome is Outcome.OPEN else ""
    return Judgement(
        requirement=limit.requirement,
        rule=limit.rule,
        candidate=evidence.candidate,
        outcome=outcome,
        reason=reason,
        findings=() if finding is None else (finding,),
        settle=settle,
    )


def _decide(finding: Finding, limit: Limit) -> tuple[Outcome, str]:
    """The outcome, and the name of the sentence that gives its reason."""
    near, far, value = limit.near(finding), limit.far(finding), finding.number
    if near is None and far is None:
        return (Outcome.FAIL, "exact fail") if limit.beyond(value) else (Outcome.PASS, "exact pass")
    if near is not None and not limit.beyond(near):
        return Outcome.PASS, "pass"
    if far is not None and limit.beyond(far):
        return Outcome.FAIL, "fail"
    if far is None and limit.beyond(value):
        return Outcome.FAIL, "value fails"
    return Outcome.OPEN, "no bound" if near is None else "reaches" if far is None else "between"


def _reason(name: str, finding: Finding, limit: Limit) -> str:
    unit = finding.unit
    return REASONS[name].format(
        subject=subject(finding.what),
        value=limit.say(finding.number, unit),
        near=limit.say(limit.near(finding), unit),
        far=limit.say(limit.far(finding), unit),
        low=limit.say(finding.low, unit),
        high=limit.say(finding.high, unit),
        limit=limit.written,
        side=limit.side,
        other_side="at least" if limit.most else "at most",
        which="upper" if limit.most else "lower",
        confidence="" if finding.level is None else confidence(finding.level),
        method=finding.method or "an exact figure",
        n=count(finding),
    )


def _settle(finding: Finding, limit: Limit) -> str:
    """How many more rows, rounds or queries would bring the bound to the limit if the value stayed; or that none would."""
    units = _units(finding)
    bound = limit.far(finding) if limit.beyond(finding.number) else limit.near(finding)
    if bound is None:
        return SETTLES["no bound"].format(units=units, which="upper" if limit.most else "lower")
    if finding.n is None:
        return SETTLES["unknown"].format(units=units)
    total = _total(finding, finding.n, bound, limit.value)
    if total is None:
        return SETTLES["never"].format(units=units)
    more = max(1, total - finding.n)
    return SETTLES["more"].format(more=about(more), total=about(finding.n + more), units=units)


def _units(finding: Finding) -> str:
    return finding.unit_of_replication or "measurements"


def _total(finding: Finding, n: int, bound: float, limit: float) -> int | None:
    """Replications at which the bound would reach the limit. Rounds are few, and their intervals those of logarithms."""
    low, high, level = finding.low, finding.high, finding.level
    if abs(limit - finding.number) < abs(bound - finding.number) / _PATIENCE:
        return None
    if finding.unit_of_replication == "rounds" and low is not None and low > 0 and high is not None and level:
        return rounds_to_settle(Interval(finding.number, low, high, level, finding.method), limit, n)
    return rows_to_settle(finding.number, bound, limit, n)
