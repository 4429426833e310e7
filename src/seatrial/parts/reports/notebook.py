"""What a notebook shows of a dossier: the verdict, the table of candidates and a picture, as a piece of HTML."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import Field

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions
from seatrial.parts.reports._cells import columns
from seatrial.parts.reports._picture import picture
from seatrial.parts.reports._view import view
from seatrial.parts.reports._words import TEMPLATES, about, cautions, clean, words

VERSION = 1


class Options(PartOptions):
    """How much is shown."""

    most: int = Field(default=25, ge=1, description="how many candidates, the best, stand in table and picture")
    width: int = Field(default=820, ge=400, le=4000, description="width of the picture in pixels")


def render(dossier: Dossier, options: Options) -> str:
    """A piece of HTML without script or style sheet. Everything that comes from the dossier is escaped."""
    shown = view(dossier)
    rows = list(shown.rows)
    text = (
        _environment()
        .get_template("notebook.html.jinja")
        .render(
            dossier=dossier,
            view=shown,
            columns=columns(shown, rows),
            most=options.most,
            drawn=Markup(picture(shown, options.width, options.most)),  # noqa: S704 - escaped where it was made
        )
    )
    return re.sub(r"\s*\n\s*", "\n", text).strip() + "\n"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    made.globals.update(words=words(), about=about, cautions=cautions)
    return made
