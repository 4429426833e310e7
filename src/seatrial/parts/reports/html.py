"""One page for everybody: the verdict in plain words first, the numbers, pictures and methods behind it.

It is one file that asks for nothing from outside and needs no script: it can be mailed, kept, printed, and read on a phone.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from pydantic import Field

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import State
from seatrial.contracts.part import PartOptions
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports import _page
from seatrial.parts.reports._cells import columns, grouped, marks
from seatrial.parts.reports._charts import HEIGHT, charts
from seatrial.parts.reports._numbers import count, form, interval, per_cent
from seatrial.parts.reports._view import View, short_ids, view
from seatrial.parts.reports._words import TEMPLATES, about, clean, words

GIVES = {"suffix": ("html",), "file": ("report.html",)}
VERSION = 1


class Options(PartOptions):
    """What the page is called, what it calls a row, and how much it lists."""

    title: str | None = Field(default=None, description="the page's heading; the study's name if none is given")
    rows: str = Field(default="rows", description="what a row is for its readers, in the plural: `images`, `letters`")
    details: int = Field(
        default=40, ge=0, description="for how many candidates every number is listed; dossier.json has all of them"
    )


def render(dossier: Dossier, options: Options) -> str:
    """The whole page. Everything that comes from the dossier is escaped."""
    shown = view(dossier)
    page = _environment().get_template("report.html.jinja").render(_context(shown, options))
    return re.sub(r"\n\s*\n+", "\n", page)


def _context(shown: View, options: Options) -> dict[str, Any]:
    dossier = shown.dossier
    names = short_ids(dossier)
    return {
        "options": options,
        "title": options.title or dossier.study.get("name") or "",
        "dossier": dossier,
        "view": shown,
        "verdict": dossier.verdict,
        "columns": columns(shown, list(shown.rows)),
        "charts": charts(shown),
        "requirements": _page.requirements(shown),
        "methods": _page.methods(shown),
        "general": _page.general(shown),
        "untested": _page.untested(shown),
        "made": _page.made(shown),
        "fastest": _page.fastest(shown),
        "left_out": grouped((names[one.id], one.reason) for one in dossier.dropped),
        "environment": _page.flat(dossier.environment),
        "data": _page.data(shown),
        "passing": [row for row in shown.rows if row.entry.eligible and row.outcome is Outcome.PASS],
        "tried": [row for row in shown.rows if row.entry.eligible],
        "found": {finding.what for finding in dossier.findings},
    }


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_safe,
    )
    made.globals.update(words=words(), Outcome=Outcome, State=State, about=about, count=count, height=HEIGHT)
    made.filters.update(
        number=_page.number,
        range=_page.range_,
        confidence=_page.confidence,
        setting=_page.setting,
        marks=marks,
        interval=interval,
        form=form,
        per_cent=per_cent,
        date=_date,
        ticks=_ticks,
        listed=_page.listed,
        term=_term,
    )
    return made


def _safe(value: Any) -> Any:
    """Text of a dossier without control characters; markup is escaped by the environment."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _date(text: str) -> str:
    """`4 November 2026, 10:15 UTC`; the text itself where it is no date."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _ticks(text: str) -> Markup:
    """A sentence whose names stand between backticks, with those as code."""
    pieces = clean(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 and index < len(pieces) - 1 else escape(piece)
        for index, piece in enumerate(pieces)
    )


def _term(name: str) -> str:
    """The place of a term on the page."""
    return "term-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
