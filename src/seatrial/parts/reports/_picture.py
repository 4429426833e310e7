"""One picture of a study as SVG that stands alone: speed to the right, lost answers downwards, both with their intervals."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from seatrial.parts.reports._axis import MARGIN
from seatrial.parts.reports._cells import marks
from seatrial.parts.reports._charts import HEIGHT, Chart, charts
from seatrial.parts.reports._page import number, range_
from seatrial.parts.reports._view import View
from seatrial.parts.reports._words import TEMPLATES, about, clean, words

ROW = 26
"""Height of one candidate in pixels where they stand below each other."""
NAME = 260
"""Width for the names beside."""


def picture(shown: View, width: int, most: int) -> str:
    """The picture of the best `most` candidates: the trade-off, else the first picture that there are numbers for."""
    drawn = charts(shown.best(most))
    chart = next((one for one in drawn if one.kind == "tradeoff"), drawn[0] if drawn else None)
    inside = {mark.row.number for mark in chart.marks} if chart else set()
    return str(
        _environment()
        .get_template("picture.svg.jinja")
        .render(
            chart=chart,
            view=shown,
            width=width,
            height=_height(chart),
            plot=HEIGHT,
            row_height=ROW,
            names=NAME,
            margin=MARGIN,
            title=str(shown.dossier.study.get("name") or ""),
            absent=[row for row in shown.rows if row.number not in inside],
            words=words(),
        )
    )


def _height(chart: Chart | None) -> int:
    if chart is None:
        return 40
    named = ROW * len(chart.marks)
    return HEIGHT + 60 + named if chart.kind == "tradeoff" else 50 + named


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
    made.globals.update(about=about)
    made.filters.update(number=number, range=range_, marks=marks)
    return made


def _safe(value: Any) -> Any:
    return clean(value) if type(value) is str else value
