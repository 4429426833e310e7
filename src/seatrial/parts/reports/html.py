"""One page for everybody: the verdict in plain words first, the numbers, pictures and methods behind it.

It is one file that asks for nothing from outside and needs no script: it can be mailed, kept, printed, and read on a phone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from pydantic import Field

from seatrial.contracts.audited import Audited
from seatrial.contracts.changes import Changes
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.part import PartOptions
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports import (
    _batching,
    _calibration,
    _effect,
    _fairness,
    _money,
    _page,
    _poisoning,
    _predicted,
    _privacy,
    _provenance,
    _robustness,
    _security,
    _sensitivity,
    _slices,
    _training,
)
from seatrial.parts.reports._audit import of_alone
from seatrial.parts.reports._audit import section as audit
from seatrial.parts.reports._candidate import crossed_cell, pages
from seatrial.parts.reports._cells import columns, grouped, marks
from seatrial.parts.reports._changes import blocks, counts
from seatrial.parts.reports._charts import HEIGHT, charts
from seatrial.parts.reports._first import first
from seatrial.parts.reports._numbers import count, form, interval, per_cent
from seatrial.parts.reports._served import worse
from seatrial.parts.reports._terms import terms
from seatrial.parts.reports._view import View, short_ids, view
from seatrial.parts.reports._words import TEMPLATES, about, cautions, clean, meaning, words

ACCEPTS = {"record": ("dossier", "changes", "audit")}
GIVES = {"suffix": ("html",), "file": ("report.html",)}
VERSION = 1


class Options(PartOptions):
    """What the page is called, what it calls a row, and how much it lists."""

    title: str | None = Field(default=None, description="the page's heading; the study's name if none is given")
    rows: str = Field(default="rows", description="what a row is for its readers, in the plural: `images`, `letters`")
    details: int = Field(
        default=250, ge=0, description="for how many candidates every number is listed; dossier.json has all of them"
    )
    most: int = Field(
        default=40,
        ge=1,
        description="how many candidates, the best, stand in tables before one asks for all, and in pictures",
    )


def render(dossier: Dossier, options: Options) -> str:
    """The whole page. Everything that comes from the dossier is escaped."""
    shown = view(dossier)
    page = _environment().get_template("report.html.jinja").render(_context(shown, options))
    return re.sub(r"\s*\n\s*", "\n", page)


def render_changes(changes: Changes, options: Options) -> str:
    """Two runs side by side, as a page of its own."""
    said = words()["changes"]
    page = _environment().get_template("changes.html.jinja")
    title = said["title"].format(before=changes.before.run.id, after=changes.after.run.id)
    given = {"changes": changes, "blocks": blocks(changes), "counts": counts(changes), "said": said}
    return re.sub(r"\s*\n\s*", "\n", page.render(given, title=title, options=options)).lstrip()


def render_audit(audited: Audited, options: Options) -> str:
    """What is wrong with data that was audited alone, as a page of its own."""
    title = options.title or words()["audit"]["page"].format(name=audited.name)
    page = _environment().get_template("audit.html.jinja")
    return re.sub(r"\s*\n\s*", "\n", page.render(audited=audited, content=of_alone(audited), title=title)).lstrip()


def _context(shown: View, options: Options) -> dict[str, Any]:
    dossier = shown.dossier
    told = {key: tell(shown, options) for key, tell in SECTIONS.items()}
    return {
        "options": options,
        "title": options.title or dossier.study.get("name") or "",
        "dossier": dossier,
        "view": shown,
        "verdict": dossier.verdict,
        "first": first(shown),
        "worse": worse(shown),
        "told": {key: content for key, content in told.items() if content is not None},
        "pages": pages(shown, options.details),
        "explained": len(shown.rows) <= options.most,
        "columns": columns(shown, list(shown.rows)),
        "fastest": _page.fastest(shown),
        "untested": _page.untested(shown),
        "passing": [row for row in shown.rows if row.entry.eligible and row.outcome is Outcome.PASS],
        "tried": [row for row in shown.rows if row.entry.eligible],
    }


# --- the sections of the page ------------------------------------------------------------------------------------------


def _left_out(shown: View) -> dict[str, list[str]]:
    names = short_ids(shown.dossier)
    return grouped((names[one.id], one.reason) for one in shown.dossier.dropped)


def _told_elsewhere(one: Finding) -> bool:
    """Whether it has a section of its own."""
    return "way" in one.at or one.what.startswith("predicted.") or _provenance.is_here(one)


def _where(shown: View) -> dict[str, Any]:
    return {
        "environment": _page.flat(shown.dossier.environment),
        "general": [one for one in _page.general(shown) if not _told_elsewhere(one)],
        "data": _page.data(shown),
        "made": _page.made(shown),
    }


SECTIONS: dict[str, Callable[[View, Options], Any]] = {
    "candidates": lambda shown, _: columns(shown, list(shown.rows)),
    "pictures": lambda shown, options: charts(shown.best(options.most)) or None,
    "batching": lambda shown, _: _batching.section(shown),
    "money": lambda shown, _: _money.section(shown),
    "sensitivity": lambda shown, _: _sensitivity.section(shown),
    "audit": lambda shown, _: audit(shown.dossier.findings),
    "effect": lambda shown, _: _effect.section(shown),
    "slices": lambda shown, _: _slices.section(shown),
    "fairness": lambda shown, _: _fairness.section(shown),
    "calibration": lambda shown, _: _calibration.section(shown),
    "robustness": lambda shown, _: _robustness.section(shown),
    "security": lambda shown, _: _security.section(shown),
    "privacy": lambda shown, _: _privacy.section(shown),
    "poisoning": lambda shown, _: _poisoning.section(shown),
    "provenance": lambda shown, _: _provenance.sources(shown),
    "features": lambda shown, _: _provenance.worth(shown),
    "training": lambda shown, _: _training.section(shown),
    "predicted": lambda shown, _: _predicted.section(shown),
    "requirements": lambda shown, _: _page.requirements(shown),
    "left_out": lambda shown, _: _left_out(shown),
    "untested": lambda shown, _: _page.untested(shown),
    "method": lambda shown, _: _page.methods(shown),
    "where": lambda shown, _: _where(shown),
    "terms": lambda shown, _: terms(shown),
}
"""The sections in reading order. Each has a template `_<key>.jinja`, which finds what its function gives as `content`, and its
name under `[nav]` in words.toml; it is left out where the function gives None."""


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
    made.globals.update(
        words=words(),
        Outcome=Outcome,
        State=State,
        about=about,
        meaning=meaning,
        count=count,
        height=HEIGHT,
        form=form,
        cautions=cautions,
    )
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
        crossed=crossed_cell,
        where=_slices.conditions,
        spoken=_slices.spoken,
        day=_day,
        term=_term,
        backdoor=_poisoning.sentence,
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


def _day(text: str) -> str:
    """`4 November 2026`."""
    return _date(text).split(",")[0]


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
