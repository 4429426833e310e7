"""The verdict as workflow commands of GitHub Actions: annotations on the run's page and on the study file.

It is meant for a step's output: `seatrial report latest --as github`. The platform shows at most 10 errors, 10 warnings and
10 notices a step; what is beyond is gathered in the last one. A study that passes has no errors: candidates that failed are
noted together. A dossier doesn't know lines of the study file, so annotations name the file alone.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports._served import worse
from seatrial.parts.reports._view import Row, View, view
from seatrial.parts.reports._words import clean, words

VERSION = 1
MOST = 10
"""Annotations of one level that the platform shows for one step."""
TITLE, MESSAGE = 250, 8_000
"""Letters of a title and of a message; what is longer ends in `…`."""

_LEVELS = {Outcome.PASS: "notice", Outcome.FAIL: "error", Outcome.OPEN: "warning"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = _DATA | {":": "%3A", ",": "%2C"}


class Options(PartOptions):
    """Which file the annotations belong to, and how many candidates one names."""

    file: str | None = Field(
        default=None, description="the study file's path in the repository; as it was run if none is given"
    )
    names: int = Field(default=100, ge=1, description="most candidates that one annotation lists")


class Note(NamedTuple):
    """One annotation: `error`, `warning` or `notice`, its title and its message."""

    level: str
    title: str
    message: str


def render(dossier: Dossier, options: Options) -> str:
    """A line an annotation: the verdict, what is not met, what could not be measured, and the rest together."""
    shown = view(dossier)
    notes = [_verdict(dossier), *_served(shown), *_each(shown), *_together(shown, options)]
    file = dossier.run.study_file if options.file is None else options.file
    levels = dict.fromkeys((notes[0].level, "error", "warning", "notice"))  # the verdict comes first
    kept = [note for level in levels for note in _most(notes, level, options)]
    return "".join(f"{_command(note, file)}\n" for note in kept)


def _verdict(dossier: Dossier) -> Note:
    verdict = dossier.verdict
    name, outcome = clean(dossier.study.get("name", "")), words()["outcome"][verdict.outcome]
    title = words()["github"]["title"].format(name=name, outcome=outcome)
    return Note(_LEVELS[verdict.outcome], title, clean(verdict.sentence))


def _apart(shown: View, row: Row) -> bool:
    """Whether a candidate has an annotation of its own: it was not measured, or keeps the study from passing."""
    unmet = row.entry.eligible and row.outcome in (Outcome.FAIL, Outcome.OPEN)
    return not row.spared and (row.failure is not None or (unmet and shown.dossier.verdict.outcome is not Outcome.PASS))


def _served(shown: View) -> list[Note]:
    """A warning where the change hurt a group of rows, else a notice of who is served worse, if anybody is."""
    made = worse(shown)
    if made is None or made.sentences == made.quiet:
        return []
    title = words()["github"]["served"].format(label=made.row.label)
    return [Note("warning" if made.hurt else "notice", title, "\n".join(made.sentences))]


def _each(shown: View) -> list[Note]:
    return [_own(row) for row in shown.rows if _apart(shown, row)]


def _own(row: Row) -> Note:
    said = words()["github"]
    if row.failure is not None:
        state = words()["state"][row.failure.state]
        return Note("warning", said["broken"].format(label=row.label, state=state), clean(row.failure.note))
    reasons = [said["reason"].format(requirement=one.requirement, reason=one.reason) for one in row.unmet]
    title = said["candidate"].format(label=row.label, outcome=words()["outcome"][row.outcome or "none"])
    return Note(_LEVELS[row.outcome or Outcome.OPEN], title, clean("\n".join(reasons)))


def _together(shown: View, options: Options) -> list[Note]:
    """One notice an outcome with the names of all others."""
    by_outcome: dict[str, list[str]] = {}
    for row in shown.rows:
        if not _apart(shown, row):
            by_outcome.setdefault(row.outcome or "none", []).append(row.label)
    return [
        Note("notice", _group(words()["outcome"][outcome], labels), _names(labels, options.names))
        for outcome, labels in by_outcome.items()
    ]


def _group(outcome: str, labels: list[str]) -> str:
    return str(words()["github"]["group"].format(outcome=outcome, count=len(labels)))


def _most(notes: list[Note], level: str, options: Options) -> list[Note]:
    """The notes of one level; where there are more than are shown, the last one names the others by their titles."""
    found = [note for note in notes if note.level == level]
    if len(found) <= MOST:
        return found
    rest = found[MOST - 1 :]
    title = words()["github"]["more"].format(count=len(rest))
    return [*found[: MOST - 1], Note(level, title, _names([note.title for note in rest], options.names))]


def _names(labels: list[str], most: int) -> str:
    listed = ", ".join(labels[:most])
    return words()["github"]["names"].format(names=listed, count=len(labels) - most) if len(labels) > most else listed


def _command(note: Note, file: str) -> str:
    """The workflow command, escaped as the platform's own toolkit does it; an empty property would be no property."""
    given = {"file": clean(file), "title": _short(note.title, TITLE)}
    fields = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in given.items() if value)
    return f"::{note.level} {fields}::{_escaped(_short(note.message, MESSAGE), _DATA)}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _escaped(text: str, codes: dict[str, str]) -> str:
    return "".join(codes.get(letter, letter) for letter in text)
