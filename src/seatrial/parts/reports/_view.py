"""The dossier as a reader looks at it: one row a candidate, best first, with its findings at hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from seatrial.contracts.dossier import Dossier, Entry
from seatrial.contracts.finding import Finding, Origin, State
from seatrial.contracts.quantity import parse
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import CandidateVerdict, Judgement, Outcome
from seatrial.parts.reports._sections import named
from seatrial.parts.reports._words import clean, words

At = dict[str, Scalar]


@dataclass(frozen=True)
class Row:
    """One candidate: its findings, what was judged, and its `number` in tables and pictures."""

    entry: Entry
    findings: tuple[Finding, ...]
    verdict: CandidateVerdict | None
    recommended: bool
    number: int = 0

    @property
    def label(self) -> str:
        """The candidate's short name, safe to print."""
        return clean(self.entry.label)

    @property
    def outcome(self) -> Outcome | None:
        """What the requirements made of it; None where nothing was asked."""
        return self.verdict.outcome if self.verdict and self.verdict.judgements else None

    @property
    def failure(self) -> Finding | None:
        """Why it could not be measured at all, if it couldn't."""
        return next((finding for finding in self.findings if finding.what == "run" and finding.value is None), None)

    @property
    def spared(self) -> bool:
        """Whether a search left it out."""
        return self.failure is not None and self.failure.state is State.LEFT_OUT

    @property
    def unmet(self) -> list[Judgement]:
        """The judgements that don't pass, failing ones first."""
        judgements = self.verdict.judgements if self.verdict else ()
        return [one for outcome in (Outcome.FAIL, Outcome.OPEN) for one in judgements if one.outcome is outcome]

    def find(self, what: str, at: At | None = None, level: float = 0.95) -> Finding | None:
        """The finding of that name without slice, `at` contained in its setting, at the level nearest to `level`."""
        found = [f for f in self.by_what.get(what, ()) if (at or {}).items() <= f.at.items()]
        return min(found, key=lambda f: abs((f.level or level) - level), default=None)

    @cached_property
    def listed(self) -> list[Finding]:
        """Each finding once, slices too, at the level at which numbers are shown."""
        best: dict[str, Finding] = {}
        for finding in self.findings:
            key = finding.key
            if key not in best or _off(finding) < _off(best[key]):
                best[key] = finding
        return list(best.values())

    @cached_property
    def sliced(self) -> dict[str, list[Finding]]:
        """Numbers counted on the groups of rows that the study names, by name; not those that a search found."""
        by_name: dict[str, list[Finding]] = defaultdict(list)
        for one in self.listed:
            if one.slice and isinstance(one.value, int | float) and not one.what.startswith("slice."):
                by_name[one.what].append(one)
        return dict(by_name)

    @cached_property
    def by_what(self) -> dict[str, list[Finding]]:
        """Overall findings (no slice) by name."""
        named = defaultdict(list)
        for finding in self.findings:
            if not finding.slice:
                named[finding.what].append(finding)
        return dict(named)


@dataclass(frozen=True)
class View:
    """All rows in reading order: the reference, what is recommended, what passes, what is open, what fails."""

    dossier: Dossier
    rows: tuple[Row, ...] = field(default=())

    @property
    def measured(self) -> list[Row]:
        """Rows of candidates that could be measured."""
        return [row for row in self.rows if row.failure is None]

    def best(self, most: int) -> View:
        """The same with the first `most` rows alone."""
        return View(self.dossier, self.rows[:most])

    @property
    def broken(self) -> list[Row]:
        """Rows of candidates that could not."""
        return [row for row in self.rows if row.failure is not None and not row.spared]

    @property
    def spared(self) -> list[Row]:
        """Rows of candidates that a search measured no further."""
        return [row for row in self.rows if row.spared]

    @property
    def searched(self) -> str:
        """How many candidates the study's search left out, and what it could not go by; empty without a search."""
        one = next((one for one in self.dossier.findings if one.what == "search.left_out"), None)
        if one is None:
            return ""
        note = f": {clean(one.note)}" if one.note else ""
        return str(words()["search"]["outcome"].format(gone=one.value, count=one.n, note=note))

    @cached_property
    def ran(self) -> bool:
        """Whether anything was run: not where all that is known was read from files made elsewhere."""
        origins = {finding.origin for finding in self.dossier.findings} - {Origin.MISSING}
        return any(row.entry.artefact for row in self.rows) or origins != {Origin.IMPORTED}

    @property
    def reference(self) -> Row | None:
        """The row of the reference."""
        return next((row for row in self.rows if row.entry.reference), None)

    @cached_property
    def focus(self) -> Row | None:
        """The row that is spoken of: what is recommended, else the best measured one, the reference only where it is alone."""
        others = [row for row in self.measured if not row.entry.reference]
        return self.recommended or next(iter(others or self.measured), None)

    @property
    def recommended(self) -> Row | None:
        """The row of the candidate that is recommended, if one is."""
        return next((row for row in self.rows if row.recommended), None)

    @cached_property
    def requirements(self) -> list[dict[str, Any]]:
        """Options of the study's requirements that name a finding."""
        listed = [rule.get("options", {}) if "name" in rule else next(iter(rule.values()), {}) for rule in _asked(self)]
        return [options for options in listed if isinstance(options, dict) and "what" in options]

    def setting(self, what: str) -> At:
        """Under which setting this finding is shown: the one that is preferred or required, else the first measured."""
        asked = [one for one in (self.dossier.study.get("prefer"), *self.requirements) if isinstance(one, dict)]
        for one in asked:
            if one.get("what") == what and one.get("at"):
                return dict(one["at"])
        return next((dict(f.at) for row in self.rows for f in row.by_what.get(what, ())), {})

    def latency_setting(self) -> At:
        """The setting in which latencies are shown."""
        percentiles = ("latency.p99", "latency.p90", "latency.p50")
        return next((at for what in percentiles if (at := self.setting(what))), {})

    def limits(self, what: str, key: str = "bound") -> list[float]:
        """The bounds (or margins) that requirements set on this finding, in its base unit."""
        return [parse(one[key]).value for one in self.requirements if one["what"] == what and _readable(one.get(key))]

    @cached_property
    def group_measure(self) -> tuple[str, At]:
        """The measure by which groups of rows are told apart, and its setting: that of quality, else the first that was counted."""
        counted = [found for row in self.measured for those in row.sliced.values() for found in those]
        named_ = dict.fromkeys([self.quality, *(found.what.removesuffix(".drop") for found in counted)])
        settings = {found.what.removesuffix(".drop"): dict(found.at) for found in reversed(counted)}
        return next(((what, settings[what]) for what in named_ if what in settings), ("", {}))

    @cached_property
    def quality(self) -> str:
        """The measure of quality whose drop is shown: `accuracy`, unless the study measured another one's drop alone."""
        known = {finding.what for finding in self.dossier.findings}
        dropped = sorted(what.removesuffix(".drop") for what in known if what.endswith(".drop"))
        dropping = [what for what in dropped if named(what) in ("quality", "other")]
        return "accuracy" if "accuracy" in known or not dropping else dropping[0]


def view(dossier: Dossier) -> View:
    """Arrange a dossier for reading. Rows are numbered from 1."""
    by_candidate = defaultdict(list)
    for finding in dossier.findings:
        by_candidate[finding.candidate].append(finding)
    verdicts = {verdict.candidate: verdict for verdict in dossier.verdict.candidates}
    rows = [
        Row(entry, tuple(by_candidate[entry.id]), verdicts.get(entry.id), entry.id == dossier.verdict.recommended)
        for entry in dossier.candidates
    ]
    speed = View(dossier, tuple(rows)).setting("speedup")
    rows.sort(key=lambda row: (_rank(row), -_number(row.find("speedup", speed))))
    return View(dossier, tuple(Row(r.entry, r.findings, r.verdict, r.recommended, i) for i, r in enumerate(rows, 1)))


def short_ids(dossier: Dossier) -> dict[str, str]:
    """What was left out, by id: its coordinates without those that are the same for everything."""
    ids = [*(one.id for one in dossier.dropped), *(one.id for one in dossier.candidates)]
    split = [id_.split("/") for id_ in ids]
    same = {len(parts) for parts in split}
    if len(same) != 1:
        return {id_: clean(id_) for id_ in ids}
    differing = [index for index in range(same.pop()) if len({parts[index] for parts in split}) > 1]
    return {
        id_: clean(" ".join(parts[index] for index in differing) or id_) for id_, parts in zip(ids, split, strict=True)
    }


def _off(finding: Finding) -> float:
    return abs((finding.level or 0.95) - 0.95)


def _rank(row: Row) -> int:
    if row.failure is not None:
        return 6
    if row.entry.reference or row.recommended:
        return 0 if row.entry.reference else 1
    return {Outcome.PASS: 2, Outcome.OPEN: 3, Outcome.FAIL: 4, None: 5}[row.outcome]


def _number(finding: Finding | None) -> float:
    return finding.number if finding and isinstance(finding.value, int | float) else 0.0


def _asked(shown: View) -> list[dict[str, Any]]:
    listed = shown.dossier.study.get("require") or ()
    return [rule for rule in listed if isinstance(rule, dict)]


def _readable(given: Any) -> bool:
    if not isinstance(given, str | int | float):
        return False
    try:
        parse(given)
    except ValueError:
        return False
    return True
