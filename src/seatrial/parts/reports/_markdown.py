"""Markdown from templates: whatever is inserted is escaped, for Markdown and HTML alike."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from seatrial.parts.reports._words import TEMPLATES, clean

_LONGEST = 2_000
"""Letters of one text: names, reasons, the sentence."""
_MARKS = re.compile(r"[\\`*_\[\]|~$]|^[#+=-]|(?<=^\d)[.)](?=\s)")
"""What Markdown reads as markup: anywhere, and at the beginning of a line (a heading, a list)."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\N{ZERO WIDTH SPACE}"})


@cache
def environment() -> Environment:
    """Templates of Markdown, in which everything that is inserted is escaped."""
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
