"""The verdict: what the requirements make of the findings."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.record import Record


class Outcome(StrEnum):
    """Three outcomes. Want of evidence never passes."""

    PASS = "pass"
    FAIL = "fail"
    OPEN = "not enough evidence"


class Judgement(Record):
    """One requirement on one candidate: the outcome, why, which findings decided, and what would settle an open one."""

    requirement: str = Field(description="the requirement in words")
    rule: str = Field(description="the rule that judged")
    candidate: str = Field(description="which candidate, by id")
    outcome: Outcome = Field(description="pass, fail or not enough evidence")
    reason: str = Field(description="why")
    findings: tuple[Finding, ...] = Field(default=(), description="the findings that decided")
    settle: str = Field(default="", description="what would settle an open one")


class CandidateVerdict(Record):
    """All requirements on one candidate. The reference isn't eligible unless the study says so."""

    candidate: str = Field(description="which candidate, by id")
    outcome: Outcome = Field(description="all requirements together")
    eligible: bool = Field(description="whether it may be recommended")
    judgements: tuple[Judgement, ...] = Field(default=(), description="one for each requirement")


class Verdict(Record):
    """The study's verdict. `recommended` is the preferred one of the eligible candidates that pass; `sentence` says it.

    `confidence` is one-sided and holds for all `compared` candidates together; `level` is what each bound needs for that.
    """

    outcome: Outcome = Field(description="of the study: pass if an eligible candidate passes everything")
    candidates: tuple[CandidateVerdict, ...] = Field(description="one for each candidate")
    recommended: str | None = Field(description="the preferred one of the eligible candidates that pass, by id")
    sentence: str = Field(description="the verdict in a sentence")
    confidence: float = Field(description="one-sided, for all compared candidates together")
    compared: int = Field(description="how many candidates share that confidence")
    level: float = Field(description="two-sided level of each bound")

    def of(self, candidate: str) -> CandidateVerdict | None:
        """The verdict on one candidate, by id."""
        return next((verdict for verdict in self.candidates if verdict.candidate == candidate), None)


def all_must_hold(outcomes: list[Outcome]) -> Outcome:
    """Fail if any fails, else open if any is open, else pass."""
    for outcome in (Outcome.FAIL, Outcome.OPEN):
        if outcome in outcomes:
            return outcome
    return Outcome.PASS


def any_may_hold(outcomes: list[Outcome]) -> Outcome:
    """Pass if any passes; fail if there are some and all fail; else open."""
    if Outcome.PASS in outcomes:
        return Outcome.PASS
    return Outcome.FAIL if outcomes and all(outcome is Outcome.FAIL for outcome in outcomes) else Outcome.OPEN
