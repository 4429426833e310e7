"""A page for each candidate: all that was found, what was required of it, where it comes from, and how to use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.finding import Finding
from seatrial.parts.reports._numbers import Form, form, interval
from seatrial.parts.reports._page import listed, setting
from seatrial.parts.reports._sections import Section, grouped
from seatrial.parts.reports._slices import conditions
from seatrial.parts.reports._view import Row, View

FEW = 4
"""Values of one setting from which on they make rows of a table of their own."""

HOME = ".seatrial"
"""The folder beside the study in which made models lie."""


GROUPS = "group of rows"
"""What heads the rows of a table in which findings on groups of rows are crossed."""

EVERY = 40
"""For how many candidates, the best, every measure stands beside each group of rows; for others the main one and its drop."""


class Crossed(NamedTuple):
    """Findings that differ in one setting alone: a row for each value of it (`class`), a column for each name.

    `settings` says of each column what else its findings have in common; `hidden` how many columns stand in dossier.json alone.
    """

    setting: str
    columns: tuple[tuple[str, Form], ...]
    rows: tuple[tuple[str, tuple[Finding | None, ...]], ...]
    settings: tuple[str, ...] = ()
    hidden: int = 0


class Group(NamedTuple):
    """The findings of one section: in a list, and crossed where they differ in one setting alone."""

    section: Section
    single: tuple[Finding, ...]
    crossed: tuple[Crossed, ...]


class File(NamedTuple):
    """One file of the model: its role, where it lies as seen from the study, and its SHA-256."""

    role: str
    path: str
    sha256: str


class Page(NamedTuple):
    """All that the page of one candidate says."""

    row: Row
    groups: tuple[Group, ...]
    lineage: tuple[tuple[str, Artefact], ...]
    files: tuple[File, ...]
    settings: tuple[tuple[str, str], ...]


def pages(shown: View, most: int) -> list[Page]:
    """The pages in reading order; findings and files of the first `most`."""
    return [_page(shown, row, whole=index < most) for index, row in enumerate(shown.rows)]


def _page(shown: View, row: Row, whole: bool) -> Page:
    known = shown.dossier.artefacts
    artefact = known.get(row.entry.artefact or "")
    return Page(
        row=row,
        groups=tuple(_group(one, found, _kept(shown, row)) for one, found in grouped(listed(row)).items())
        if whole
        else (),
        lineage=tuple(_lineage(row.entry.artefact, known)),
        files=tuple(_files(artefact, shown.dossier.run.study_file)) if artefact else (),
        settings=tuple(_settings(shown, row)) if shown.ran else (),
    )


def _kept(shown: View, row: Row) -> set[str] | None:
    """The names that stand beside each group of rows; None for all."""
    return None if row.number <= EVERY else {shown.quality, f"{shown.quality}.drop"}


def _group(section: Section, found: list[Finding], kept: set[str] | None) -> Group:
    by_setting: dict[str, list[Finding]] = {}
    for finding in found:
        by_setting.setdefault(_crossing(finding), []).append(finding)
    many = {key for key, those in by_setting.items() if key and len({_value(key, f) for f in those}) >= FEW}
    crossed = tuple(_crossed(key, by_setting[key], kept) for key in by_setting if key in many)
    told = {id(finding) for key in many for finding in by_setting[key]}
    return Group(section, tuple(finding for finding in found if id(finding) not in told), crossed)


def _crossing(finding: Finding) -> str:
    """What the rows of a table with it would be: groups of rows, or the settings it has; empty for none."""
    if not isinstance(finding.value, int | float) or isinstance(finding.value, bool):
        return ""
    if finding.slice:
        return "" if finding.what.startswith("slice.") else GROUPS
    return ", ".join(finding.at)


def _value(key: str, finding: Finding) -> str:
    return conditions(finding.slice) if key == GROUPS else ", ".join(map(str, finding.at.values()))


def _crossed(key: str, found: list[Finding], kept: set[str] | None) -> Crossed:
    def column(finding: Finding) -> tuple[str, str]:
        return finding.what, setting(finding.at) if key == GROUPS else ""

    columns = list(dict.fromkeys(map(column, found)))
    shown = [one for one in columns if key != GROUPS or (one[0] in kept if kept else "bin " not in one[1])]
    cells = {(column(finding), _value(key, finding)): finding for finding in found}
    values = dict.fromkeys(_value(key, finding) for finding in found)
    return Crossed(
        key,
        tuple((one[0], form([finding for finding in found if column(finding) == one])) for one in shown),
        tuple((value, tuple(cells.get((one, value)) for one in shown)) for value in values),
        tuple(one[1] for one in shown),
        len(columns) - len(shown),
    )


def crossed_cell(finding: Finding | None, how: Form) -> tuple[str, str]:
    """A number of a crossed table, and its interval."""
    return ("", "") if finding is None else (how.digits(finding.number), interval(finding, how))


def _lineage(key: str | None, known: Mapping[str, Artefact]) -> Iterable[tuple[str, Artefact]]:
    """From the artefact that ran back to what was given."""
    seen = set()
    while key and key in known and key not in seen:
        seen.add(key)
        yield key, known[key]
        key = known[key].lineage.parent


def _files(artefact: Artefact, study_file: str) -> Iterable[File]:
    for role, path in artefact.files.items():
        yield File(role, _inside(path, study_file), artefact.hashes.get(role, ""))


def _inside(path: str, study_file: str) -> str:
    """The path as seen from the study's folder; elsewhere the name alone, so that a report tells nothing of a machine."""
    file, home = PurePath(path), PurePath(study_file).parent
    if not file.is_absolute():
        return path
    if HOME in file.parts:
        return str(PurePath(*file.parts[file.parts.index(HOME) :]))
    return str(file.relative_to(home)) if home.is_absolute() and file.is_relative_to(home) else file.name


def _settings(shown: View, row: Row) -> Iterable[tuple[str, str]]:
    """What to set, and to what: as it was measured."""
    candidate, packages = row.entry.candidate, shown.dossier.environment.get("packages")
    version = packages.get(candidate.runtime.name, "") if isinstance(packages, Mapping) else ""
    fields: dict[str, Any] = candidate.fields() | {"runtime": f"{candidate.runtime.name} {version}".strip()}
    fields |= {f"{candidate.runtime.name}: {name}": value for name, value in candidate.runtime.options.items()}
    for name, value in fields.items():
        if name in ("machine", "instances") and value in ("local", 1):
            continue
        yield name, str(value)
