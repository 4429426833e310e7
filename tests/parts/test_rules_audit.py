"""A clean audit can be demanded: faults fail, what is accepted doesn't, and what could not be looked at leaves it open."""

from __future__ import annotations

import pytest

from seatrial.contracts.finding import Finding, Severity, State, missing
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.parts.rules import clean_audit


def fault(name: str, severity: Severity, table: str = "train") -> Finding:
    return Finding(what=f"audit.{name}", at={"table": table}, value=3, severity=severity, method="exact count")


def judged(*found: Finding, serious: int | None = None, **given: object) -> Judgement:
    count = sum(one.severity is Severity.SERIOUS for one in found) if serious is None else serious
    told = Finding(what="audit.serious", value=count, unit="results", method="exact count")
    return clean_audit.judge(Evidence("c", [*found, told], 0.95), clean_audit.Options(**given))


def test_serious_faults_fail_and_are_named() -> None:
    found = judged(fault("duplicates", Severity.SERIOUS), fault("imbalance", Severity.MINOR))
    assert found.outcome is Outcome.FAIL
    assert "duplicates in train" in found.reason
    assert "imbalance" not in found.reason
    assert [one.what for one in found.findings] == ["audit.duplicates"]


@pytest.mark.parametrize(("given", "outcome"), [({}, Outcome.PASS), ({"minor": True}, Outcome.FAIL)])
def test_minor_faults_fail_where_they_are_asked_for(given: dict[str, object], outcome: Outcome) -> None:
    assert judged(fault("imbalance", Severity.MINOR), **given).outcome is outcome


def test_accepted_faults_pass_and_others_do_not() -> None:
    both = fault("duplicates", Severity.SERIOUS), fault("leakage.groups", Severity.SERIOUS)
    assert judged(both[0], but=("duplicates",)).outcome is Outcome.PASS
    found = judged(*both, but=("duplicates",))
    assert found.outcome is Outcome.FAIL
    assert "leakage" in found.reason
    assert judged(*both, but=("duplicates", "leakage")).outcome is Outcome.PASS


def test_what_could_not_be_looked_at_is_open() -> None:
    lost = missing("audit.label_errors", State.FAILED, "it ran out of rows", at={"table": "train"})
    found = judged(fault("imbalance", Severity.FINE), lost)
    assert found.outcome is Outcome.OPEN
    assert "label_errors could not look: it ran out of rows" in found.reason
    assert found.settle
    assert judged(lost, but=("label_errors",)).outcome is Outcome.PASS
    assert judged(lost, fault("duplicates", Severity.SERIOUS)).outcome is Outcome.FAIL


def test_without_an_audit_it_is_open() -> None:
    found = clean_audit.judge(Evidence("c", [], 0.95), clean_audit.Options())
    assert found.outcome is Outcome.OPEN
