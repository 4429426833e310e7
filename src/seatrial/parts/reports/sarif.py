"""The verdict as SARIF 2.1.0, which code scanning and editors show: a result for each requirement on each candidate.

What fails while the study doesn't pass is an error; what fails beside a candidate that passes is a note, for nothing has to
be done about it. A requirement for which there is not enough evidence is of the kind `open`, one that is met of the kind
`pass`; the standard gives both no level. A candidate that could not be measured is a warning. A dossier doesn't know lines of
the study file, so results name the file alone. Format: OASIS, Static Analysis Results Interchange Format 2.1.0 (2020).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from pydantic import Field

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions
from seatrial.contracts.record import digest
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports._served import worse
from seatrial.parts.reports._view import Row, View, view
from seatrial.parts.reports._words import clean, words

GIVES = {"suffix": ("sarif",), "file": ("seatrial.sarif",)}
VERSION = 1

_KINDS = {Outcome.PASS: "pass", Outcome.FAIL: "fail", Outcome.OPEN: "open"}
_VERDICT, _SERVED, _MEASURED = "verdict", "served", "measured"


class Options(PartOptions):
    """Which file the results belong to."""

    file: str | None = Field(
        default=None, description="the study file's path in the repository; as it was run if none is given"
    )


class Result(NamedTuple):
    """One result: the rule it belongs to, its kind and level, what it says and of which candidate."""

    rule: str
    kind: str
    level: str
    text: str
    about: str


def render(dossier: Dossier, options: Options) -> str:
    """The file's text: one run with a rule for each requirement. Raises nothing, whatever the texts of a study hold."""
    shown = view(dossier)
    results = [_verdict(dossier), *_served(shown), *_all(shown)]
    rules = list(dict.fromkeys(one.rule for one in results))
    file = quote(clean(dossier.run.study_file if options.file is None else options.file))
    run = {
        "tool": {"driver": _driver(dossier, rules)},
        "automationDetails": {"id": f"seatrial/{quote(clean(dossier.study.get('name', '')))}/"},
        "results": [_written(one, rules.index(one.rule), file) for one in results],
        "properties": {"run": clean(dossier.run.id), "started": clean(dossier.run.started)},
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _driver(dossier: Dossier, rules: list[str]) -> dict[str, Any]:
    told = [{"id": _identity(rule), "shortDescription": {"text": _title(rule)}} for rule in rules]
    return {"name": "Seatrial", "version": clean(dossier.run.seatrial), "rules": told}


def _title(rule: str) -> str:
    return str(words()["sarif"].get(rule, rule))


def _verdict(dossier: Dossier) -> Result:
    """The first result: what came of the study."""
    outcome = dossier.verdict.outcome
    text = clean(dossier.verdict.sentence).strip() or words()["outcome"][outcome]
    return Result(_VERDICT, _KINDS[outcome], _level(outcome, "error"), text, "")


def _served(shown: View) -> Iterator[Result]:
    """A warning where the change hurt a group of rows, a note where somebody is served worse anyway."""
    made = worse(shown)
    if made is not None and made.sentences != made.quiet:
        level = "warning" if made.hurt else "note"
        yield Result(_SERVED, "fail", level, clean("\n".join(made.sentences)), made.row.label)


def _all(shown: View) -> Iterator[Result]:
    """Candidate by candidate: why it could not be measured, or what became of each requirement."""
    counts = "note" if shown.dossier.verdict.outcome is Outcome.PASS else "error"
    for row in shown.rows:
        if row.failure is not None:
            yield _unmeasured(row)
        for one in row.verdict.judgements if row.verdict and row.failure is None else ():
            level = _level(one.outcome, counts if row.entry.eligible else "note")
            text = words()["sarif"]["judged"].format(label=row.label, requirement=one.requirement, reason=one.reason)
            yield Result(clean(one.requirement), _KINDS[one.outcome], level, clean(text), row.label)
        if row.outcome is None and row.failure is None:
            text = words()["sarif"]["unasked"].format(label=row.label)
            yield Result(_MEASURED, "informational", "none", text, row.label)


def _unmeasured(row: Row) -> Result:
    """A failure is a warning; whoever a search left out is told, and nothing is to be done."""
    assert row.failure is not None
    said = words()["github"]["broken"].format(label=row.label, state=words()["state"][row.failure.state])
    kind, level = ("notApplicable", "none") if row.spared else ("fail", "warning")
    return Result(_MEASURED, kind, level, clean(f"{said}. {row.failure.note}"), row.label)


def _level(outcome: Outcome, failing: str) -> str:
    """Only what fails has a level (the standard's section 3.27.10)."""
    return failing if outcome is Outcome.FAIL else "none"


def _written(one: Result, rule: int, file: str) -> dict[str, Any]:
    place = [{"physicalLocation": {"artifactLocation": {"uri": file}}}] if file else []
    return {
        "ruleId": _identity(one.rule),
        "ruleIndex": rule,
        "kind": one.kind,
        "level": one.level,
        "message": {"text": one.text},
        "locations": place,
        "partialFingerprints": {"seatrial/v1": digest([one.rule, one.about])},
    }


def _identity(rule: str) -> str:
    """A name for a rule that holds no spaces and stays the same from run to run."""
    return rule if rule in (_VERDICT, _SERVED, _MEASURED) else f"requirement/{quote(rule.replace(' ', '-'), safe='')}"
