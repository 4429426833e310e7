"""The data must be clean: no audit may have found a serious fault, and none may have been kept from looking.

It reads what the study's `audit` block found. Faults that are known and accepted are named under `but`; with `minor` faults that are only
worth a look fail, too. An audit that could not look leaves the requirement open: nothing found is not the same as not looked at.

    audit: {}
    require:
      - clean_audit: {but: [imbalance]}
"""

from __future__ import annotations

from pydantic import Field

from seatrial.contracts.finding import Finding, Severity
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.parts.rules import _bounds
from seatrial.parts.rules._limit import Limit

VERSION = 1
SERIOUS = "audit.serious"
SUMMARY = (SERIOUS, "audit.minor")
MOST = 5


class Options(PartOptions):
    """What is still acceptable."""

    but: tuple[str, ...] = Field(default=(), description="audits whose faults are known and accepted: `[imbalance]`")
    minor: bool = Field(default=False, description="whether faults that are only worth a look fail, too")


def needs(options: Options) -> tuple[str, dict[str, Scalar]]:
    """How many audits found a serious fault."""
    return SERIOUS, {}


def judge(evidence: Evidence, options: Options) -> Judgement:
    """Fail where a fault is too severe; else open where some audit could not look, or none did; else pass."""
    counted = _bounds.judge(evidence, Limit("clean_audit", SERIOUS, {}, 0, most=True))
    bad = {Severity.SERIOUS, Severity.MINOR} if options.minor else {Severity.SERIOUS}
    found = [one for one in evidence.findings if _audit(one) and _audit(one) not in options.but]
    faults = [one for one in found if one.severity in bad and not one.what.endswith(".share")]
    lost = [one for one in found if one.value is None]
    outcome, reason, read = counted.outcome, counted.reason, counted.findings
    if faults:
        outcome, reason, read = Outcome.FAIL, _told(faults), tuple(_first(faults))
    elif outcome is Outcome.FAIL and options.but:  # all of what was counted is accepted
        outcome, reason = Outcome.PASS, f"the only serious faults are of {', '.join(options.but)}, which is accepted"
    if outcome is Outcome.PASS and lost:
        outcome, read = Outcome.OPEN, tuple(_first(lost))
        reason = "; ".join(f"{_audit(one)} could not look: {one.note}" for one in read)
    return counted.model_copy(
        update={
            "requirement": "a clean audit" + (f", but for {', '.join(options.but)}" if options.but else ""),
            "outcome": outcome,
            "reason": reason,
            "findings": read,
            "settle": (counted.settle or "audit the data") if outcome is Outcome.OPEN else "",
        }
    )


def _audit(one: Finding) -> str:
    """The audit that found it; empty for what no audit found, and for how many of them found something."""
    return one.what.split(".")[1] if one.what.startswith("audit.") and one.what not in SUMMARY else ""


def _first(found: list[Finding]) -> list[Finding]:
    """One of each audit and table, the most severe."""
    order = list(Severity)
    ranked = sorted(found, key=lambda one: -order.index(one.severity) if one.severity else 0)
    return list({(_audit(one), one.at.get("table")): one for one in reversed(ranked)}.values())[:MOST]


def _told(faults: list[Finding]) -> str:
    named = dict.fromkeys(
        f"{_audit(one).replace('_', ' ')}{f' in {table}' if (table := one.at.get('table')) else ''}" for one in faults
    )
    more = f" and {len(named) - MOST} more" if len(named) > MOST else ""
    return f"{len(named)} {'fault' if len(named) == 1 else 'faults'}: {', '.join(list(named)[:MOST])}{more}"
