"""The verdict, the table and the reasons as Markdown: for the summary of a pipeline step, or a merge request.

GitHub takes 1,024 kB a step; this stays below whatever the study holds: rows are cut and the cut is said. Everything that
comes from the study is escaped.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from seatrial.contracts.audited import Audited
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions
from seatrial.parts.reports import _audit, _effect, _predicted
from seatrial.parts.reports._cells import columns, grouped
from seatrial.parts.reports._markdown import environment
from seatrial.parts.reports._numbers import per_cent
from seatrial.parts.reports._served import worse
from seatrial.parts.reports._training import section
from seatrial.parts.reports._view import View, short_ids, view
from seatrial.parts.reports._words import about, cautions, words

ACCEPTS = {"record": ("dossier", "audit")}
GIVES = {"suffix": ("md",), "file": ("summary.md",)}
VERSION = 1


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
    page = environment().get_template("audit.md.jinja")
    text = page.render(title=title, audit=_audit.of_alone(audited), words=words())
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _written(shown: View, rows: int) -> str:
    text = environment().get_template("summary.md.jinja").render(_context(shown, rows))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _context(shown: View, rows: int) -> dict[str, Any]:
    dossier = shown.dossier
    kept, names = shown.measured[:rows], short_ids(dossier)
    broken = [(row.label, row.failure) for row in shown.broken]
    return {
        "dossier": dossier,
        "said": words()["markdown"],
        "words": words(),
        "cautions": cautions(dossier.run),
        "listed": list(kept),
        "columns": columns(shown, kept),
        "level": per_cent((1 + dossier.verdict.level) / 2),
        "served": worse(shown),
        "audit": _audit.section(dossier.findings),
        "effect": _effect.section(shown),
        "training": section(shown),
        "searched": shown.searched,
        "predicted": _predicted_lines(shown),
        "about": about,
        "hidden": len(shown.measured) - len(kept),
        "unmet": [row for row in kept if row.unmet],
        "broken": _cut(grouped((n, f"{words()['state'][f.state]}: {f.note}") for n, f in broken if f), rows),
        "spared": _cut(grouped((row.label, row.failure.note) for row in shown.spared if row.failure), rows),
        "dropped": _cut(grouped((names[one.id], one.reason) for one in dossier.dropped), rows),
    }


def _predicted_lines(shown: View) -> list[str]:
    """What devices that aren't here would do: a heading, then a line each; nothing where nothing was predicted."""
    told = _predicted.section(shown)
    return [text.strip() for text, _ in _predicted.brief(told)] if told else []


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
