"""What changed between two runs: all that a report on both may read."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from seatrial.contracts.dossier import Run
from seatrial.contracts.finding import Finding
from seatrial.contracts.record import Record
from seatrial.contracts.verdict import Outcome

SCHEMA = 1


class Call(StrEnum):
    """What can be said of a finding that both runs were asked for."""

    BETTER = "better"
    WORSE = "worse"
    CHANGED = "changed"  # where neither way is better
    SAME = "same"  # the very same number or word
    UNCLEAR = "unclear"  # chance alone could have made the difference, or nothing tells how much chance there is
    APPEARED = "appeared"  # only the second run has a value
    GONE = "gone"  # only the first run has a value


class Side(Record):
    """One of the two runs: what it was, and what it came to."""

    run: Run = Field(description="which run")
    study: str = Field(description="the study's name")
    outcome: Outcome = Field(description="of the study")
    recommended: str | None = Field(default=None, description="label of what it recommended, if anything")
    sentence: str = Field(description="its verdict in a sentence")


class Fact(Record):
    """Something that is stated as a word: of the machine, the versions, the rows, an artefact. Empty where there is none."""

    what: str = Field(description="what it is, dotted: `environment.packages.torch`")
    before: str = Field(default="", description="in the first run")
    after: str = Field(default="", description="in the second run")


class Shift(Record):
    """One finding in both runs, side by side, and the difference that the two intervals allow to speak of."""

    candidate: str = Field(description="which candidate, by id")
    label: str = Field(description="its short name")
    before: Finding | None = Field(default=None, description="in the first run")
    after: Finding | None = Field(default=None, description="in the second run")
    call: Call = Field(description="what can be said of it")
    change: float | None = Field(
        default=None, description="second less first, or second over first where `ratio` is true"
    )
    low: float | None = Field(default=None, description="lower bound of the change")
    high: float | None = Field(default=None, description="upper bound of the change")
    level: float | None = Field(default=None, description="two-sided confidence of these bounds")
    ratio: bool = Field(default=False, description="whether the change is a ratio")
    method: str = Field(default="", description="how the bounds were got, in words a statistician accepts")
    why: str = Field(default="", description="what keeps it from being called, or what else could have made the change")

    @property
    def finding(self) -> Finding:
        """The finding that there is, the later one first."""
        found = self.after or self.before
        assert found is not None, "a shift has a finding"
        return found


class Turn(Record):
    """The verdict on a candidate that both runs have, then and now."""

    candidate: str = Field(description="which candidate, by id")
    label: str = Field(description="its short name")
    before: Outcome | None = Field(default=None, description="in the first run; empty where nothing was required")
    after: Outcome | None = Field(default=None, description="in the second run")
    reasons: tuple[str, ...] = Field(default=(), description="requirements whose outcome changed, and why now")


class Changes(Record):
    """What changed from one run to another: surroundings, artefacts, candidates, findings, verdicts."""

    schema_: int = Field(default=SCHEMA, alias="schema", description="version of this record")
    before: Side = Field(description="the first run")
    after: Side = Field(description="the second run")
    facts: tuple[Fact, ...] = Field(description="surroundings, rows and artefacts that differ")
    added: tuple[str, ...] = Field(description="candidates of the second run alone, by label")
    removed: tuple[str, ...] = Field(description="candidates of the first run alone, by label")
    shifts: tuple[Shift, ...] = Field(description="findings of candidates that both have")
    turns: tuple[Turn, ...] = Field(description="verdicts on candidates that both have")
    tested: int = Field(description="how many differences were held against chance")
    by_chance: float = Field(
        description="how many of these would be called changed by chance alone, at most on average"
    )
    notes: tuple[str, ...] = Field(default=(), description="what to know before reading on")
