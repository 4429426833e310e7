"""A datasheet of each data set, in Markdown: what its owner states, what was measured of it, and what nobody has said.

The questions are those of Gebru et al. (2021), Datasheets for datasets, Communications of the ACM 64(12), shortened: motivation, composition,
collection, preprocessing and labelling, uses, distribution, maintenance. What the owner states (`lineage.yaml`) is marked as stated; what audits
counted comes with its interval. No row is shown: classes are counted, not named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.parts.reports import _audit
from seatrial.parts.reports._markdown import environment
from seatrial.parts.reports._words import clean, words

GIVES = {"suffix": ("md",), "file": ("datasheet.md",)}
CANNOT = {
    "classes by name": (
        "never",
        "a class is something that stands in rows: how many there are is told, and how rare the rarest is",
    ),
}
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


class Answer(NamedTuple):
    """A question of the datasheet, its answer as the owner states it, or the field of the lineage in which it would stand."""

    question: str
    said: str
    field: str


class Sheet(NamedTuple):
    """One data set: where it comes from, sections of questions, its content, its columns by table, and what audits found."""

    name: str
    source: str
    sections: tuple[tuple[str, tuple[Answer, ...]], ...]
    facts: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    audit: _audit.Told | None


def render(dossier: Dossier, options: Options) -> str:
    """One sheet a data set, in the order of the study."""
    sheets = [_sheet(name, data, dossier.findings) for name, data in _data(dossier).items()]
    judged = [clean(one.label) for one in dossier.candidates]
    page = environment().get_template("datasheet.md.jinja")
    text = page.render(
        name=clean(dossier.study.get("name", "")),
        sheets=sheets,
        judged=judged,
        words=words(),
        said=words()["datasheet"],
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _data(dossier: Dossier) -> dict[str, Any]:
    known = dossier.study.get("data")
    return known if isinstance(known, dict) else {}


def _sheet(name: str, data: Any, findings: Sequence[Finding]) -> Sheet:
    mine = [one for one in findings if one.at.get("data") == name]
    audited = [one for one in findings if one.what.startswith("audit.") and _of(str(one.at.get("table", "")), name)]
    stated = {
        one.what.removeprefix("lineage."): str(one.value)
        for one in mine
        if one.what.startswith("lineage.") and one.value is not None
    }
    tables = dict.fromkeys(str(one.at["table"]) for one in audited)
    given = data if isinstance(data, dict) else {}
    return Sheet(
        clean(name),
        _source(given.get("source") or given.get("from")),
        tuple(_sections(stated)),
        tuple(_facts(mine, audited)),
        tuple((clean(table), tuple(_columns(table, audited))) for table in tables),
        _audit.section(audited) if audited else None,
    )


def _source(given: Any) -> str:
    """The part that reads it, with its file: `parquet, rows.parquet`."""
    if not isinstance(given, dict):
        return clean(given or "")
    options = given.get("options")
    path = options.get("path") if isinstance(options, dict) else None
    return ", ".join(clean(one) for one in (given.get("name"), path) if one)


def _of(table: str, name: str) -> bool:
    """Whether a table holds rows of a data set: it is called as that is, or by its role behind a dot."""
    return table == name or table.startswith(f"{name}.")


def _sections(stated: dict[str, str]) -> Iterator[tuple[str, tuple[Answer, ...]]]:
    for section in words()["datasheet"]["sections"]:
        yield (
            section["title"],
            tuple(
                Answer(one["question"], clean(stated.get(one["field"], "")), one["field"]) for one in section["asks"]
            ),
        )


def _facts(mine: Sequence[Finding], audited: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """What was measured of the whole: rows of each table, the content hash, whether it is as approved, how full the lineage is."""
    said = words()["datasheet"]
    for one in audited:
        if one.what == "audit.rows" and one.value is not None:
            yield said["rows"], f"{clean(one.at['table'])}: {int(one.number):,} ({clean(one.note)})"
    for one in mine:
        if one.what == "data.content" and one.value is not None:
            yield said["content"], clean(one.value)
        if one.what == "data.approved" and one.value is not None:
            yield said["approved"], said["yes"] if one.value else clean(one.note)
        if one.what == "lineage.stated" and one.value is not None:
            yield said["stated"], said["of"].format(count=int(one.number), n=one.n)
        if one.what == "lineage.overdue" and one.value:
            yield said["overdue"], clean(one.note)


def _columns(table: str, audited: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    for one in audited:
        if one.what == "audit.column" and one.at.get("table") == table:
            yield clean(one.at["column"]), clean(one.value)
