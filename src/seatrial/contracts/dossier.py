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

    id: str
    label: str
    candidate: Candidate
    reference: bool = False
    eligible: bool = True
    artefact: str | None = None


class Dropped(Record):
    """A combination that the plan left out, and why."""

    id: str
    reason: str


class Run(Record):
    """Which run made this dossier: times are UTC, `measured` and `reused` count blocks and predictions."""

    id: str
    study_file: str
    started: str
    finished: str
    seconds: float
    measured: int = 0
    reused: int = 0
    interrupted: bool = False
    seatrial: str = ""


class Dossier(Record):
    """Study, candidates, findings, verdict, environment and artefacts of one run."""

    schema_: int = Field(default=SCHEMA, alias="schema")
    run: Run
    study: dict[str, Any]
    candidates: tuple[Entry, ...]
    dropped: tuple[Dropped, ...] = ()
    findings: tuple[Finding, ...]
    verdict: Verdict
    environment: dict[str, Any]
    artefacts: dict[str, Artefact] = {}

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
