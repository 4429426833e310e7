"""The verdict, the table and the reasons as Markdown: for the summary of a pipeline step, or a merge request.

GitHub takes 1,024 kB a step; this stays below whatever the study holds: rows are cut and the cut is said. Everything that
comes from the study is escaped.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import Field

from seatrial.contracts.audited import Audited
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions
from seatrial.parts.reports import _audit, _effect
from seatrial.parts.reports._cells import columns, grouped
from seatrial.parts.reports._numbers import per_cent
from seatrial.parts.reports._served import worse
from seatrial.parts.reports._training import section
from seatrial.parts.reports._view import View, short_ids, view
from seatrial.parts.reports._words import TEMPLATES, about, clean, words

ACCEPTS = {"record": ("dossier", "audit")}
GIVES = {"suffix": ("md",), "file": ("summary.md",)}
VERSION = 1

_LONGEST = 2_000
"""Letters of one text: names, reasons, the sentence."""
_MARKS = re.compile(r"[\\`*_\[\]|~$]|^[#+=-]|(?<=^\d)[.)](?=\s)")
"""What Markdown reads as markup: anywhere, and at the beginning of a line (a heading, a list)."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\N{ZERO WIDTH SPACE}"})


class Options(PartOptions):
    """How much of a large study is shown."""

    rows: int = Field(default=100, ge=1, description="most candidates in the table, and most lines of a list")
    size: int = Field(default=1_000_000, ge=20_000, le=1_000_000, description="most bytes; rows are cut until it fits")


def render(dossier: Dossier, options: Options) -> str:
    """The summary, in at most `options.size` bytes of UTF-8."""
    shown, rows = view(dossier), min(options.rows, len(dossier.candidates) + len(dossier.dropped))
    text = _written(shown, rows)
    while len(text.encode()) > options.size and rows:
        rows //= 2
        text = _written(shown, rows)
    return text


def render_audit(audited: Audited, options: Options) -> str:
    """What is wrong with data that was audited alone."""
    title = words()["audit"]["page"].format(name=audited.name)
    page = _environment().get_template("audit.md.jinja")
    text = page.render(title=title, audit=_audit.of_alone(audited), words=words())
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _written(shown: View, rows: int) -> str:
    text = _environment().get_template("summary.md.jinja").render(_context(shown, rows))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _context(shown: View, rows: int) -> dict[str, Any]:
    dossier = shown.dossier
    kept, names = shown.measured[:rows], short_ids(dossier)
    broken = [(row.label, row.failure) for row in shown.broken]
    return {
        "dossier": dossier,
        "said": words()["markdown"],
        "words": words(),
        "listed": list(kept),
        "columns": columns(shown, kept),
        "level": per_cent((1 + dossier.verdict.level) / 2),
        "served": worse(shown),
        "audit": _audit.section(dossier.findings),
        "effect": _effect.section(shown),
        "training": section(shown),
        "about": about,
        "hidden": len(shown.measured) - len(kept),
        "unmet": [row for row in kept if row.unmet],
        "broken": _cut(grouped((n, f"{words()['state'][f.state]}: {f.note}") for n, f in broken if f), rows),
        "spared": _cut(grouped((row.label, row.failure.note) for row in shown.spared if row.failure), rows),
        "dropped": _cut(grouped((names[one.id], one.reason) for one in dossier.dropped), rows),
    }


def _cut(groups: dict[str, list[str]], most: int) -> dict[str, Any]:
    """At most so many reasons, each with at most so many of the names it holds for; and how many are left out."""
    others = words()["markdown"]["others"]
    lines = {
        reason: ", ".join(names)
        if len(names) <= most
        else others.format(names=", ".join(names[:most]), count=len(names) - most)
        for reason, names in list(groups.items())[:most]
    }
    return {"lines": lines, "hidden": max(0, len(groups) - most)}


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701 - this is no HTML; `finalize` escapes what is inserted for Markdown and HTML alike
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, _Ready) else _escaped(value),
    )
    made.filters.update(ticks=_ticks)
    return made


class _Ready(str):
    """Markdown that is escaped already."""

    __slots__ = ()


def _escaped(value: object) -> str:
    """Text on one line that Markdown and HTML show as it is, cut where it is too long."""
    text = str(value)
    text = " ".join(clean(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…").split())
    return _MARKS.sub(r"\\\g<0>", text).translate(_ENTITIES)


def _ticks(text: object) -> _Ready:
    """A sentence whose names stand between backticks, with those as code."""
    pieces = clean(str(text)[:_LONGEST]).split("`")
    last = len(pieces) - 1
    return _Ready(
        "".join(
            f"<code>{_escaped(piece)}</code>" if index % 2 and index < last else _spaced(piece)
            for index, piece in enumerate(pieces)
        ).strip()
    )


def _spaced(piece: str) -> str:
    """Escaped, with the blank that parts it from the code beside it."""
    return f"{' ' * piece[:1].isspace()}{_escaped(piece)}{' ' * piece[-1:].isspace()}"
