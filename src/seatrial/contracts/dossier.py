"""The dossier: all that a report may read. It is the product, readable when every part is gone."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.finding import Finding
from seatrial.contracts.record import Record
from seatrial.contracts.verdict import Verdict

SCHEMA = 1


class Entry(Record):
    """A candidate of the study as it was run: its short `label`, its artefact's hash, and whether it is the reference."""

    id: str = Field(description="unique in the study")
    label: str = Field(description="short name for people")
    candidate: Candidate = Field(description="its coordinates")
    reference: bool = Field(default=False, description="whether it is the reference")
    eligible: bool = Field(default=True, description="whether it may be recommended")
    artefact: str | None = Field(default=None, description="hash of the artefact that it ran")


class Dropped(Record):
    """A combination that the plan left out, and why."""

    id: str = Field(description="the combination")
    reason: str = Field(description="why it was left out")


class Run(Record):
    """Which run made this dossier: times are UTC, `measured` and `reused` count blocks and predictions."""

    id: str = Field(description="name of the run")
    study_file: str = Field(description="the study file")
    started: str = Field(description="UTC")
    finished: str = Field(description="UTC")
    seconds: float = Field(description="how long it took")
    measured: int = Field(default=0, description="blocks and predictions that were measured")
    reused: int = Field(default=0, description="blocks and predictions that were kept from before")
    interrupted: bool = Field(default=False, description="whether it was stopped before its end")
    out_of_time: bool = Field(default=False, description="whether its budget was spent before all was measured")
    informal: bool = Field(default=False, description="whether it was a first look in few rounds (`--quick`)")
    seatrial: str = Field(default="", description="version of seatrial")


class Dossier(Record):
    """Study, candidates, findings, verdict, environment and artefacts of one run."""

    schema_: int = Field(default=SCHEMA, alias="schema", description="version of the dossier")
    run: Run = Field(description="which run this is")
    study: dict[str, Any] = Field(description="the study as it was read")
    candidates: tuple[Entry, ...] = Field(description="the candidates as they were run")
    dropped: tuple[Dropped, ...] = Field(default=(), description="combinations that were left out")
    findings: tuple[Finding, ...] = Field(description="everything that was found")
    verdict: Verdict = Field(description="what the requirements make of it")
    environment: dict[str, Any] = Field(description="machine, versions, settings")
    artefacts: dict[str, Artefact] = Field(default={}, description="the models that were run, by hash")

    def entry(self, candidate: str) -> Entry:
        """The candidate with this id or label. Raises `KeyError`."""
        for entry in self.candidates:
            if candidate in (entry.id, entry.label):
                return entry
        raise KeyError(candidate)

    def reference(self) -> Entry:
        """The reference candidate."""
        return next(entry for entry in self.candidates if entry.reference)

    def find(self, what: str, candidate: str | None = None, level: float | None = None, **at: Any) -> Finding | None:
        """The overall finding of that name (no slice), with `at` containing these settings.

        Where it is stated at several levels, the one nearest to `level` (.95 if none is given).
        """
        found = [
            finding
            for finding in self.findings
            if finding.what == what
            and finding.candidate == candidate
            and not finding.slice
            and all(finding.at.get(key) == value for key, value in at.items())
        ]
        wanted = 0.95 if level is None else level
        return min(found, key=lambda finding: abs((finding.level or wanted) - wanted), default=None)
