"""The words that reports say, read from `templates/words.toml`: none of them stands in code."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates"


@cache
def words() -> dict[str, Any]:
    """All words by section: `what` (findings), `state`, `outcome`, `origin`, `terminal`, `untested`, `term`."""
    with (TEMPLATES / "words.toml").open("rb") as file:
        return tomllib.load(file)


def about(what: str) -> dict[str, str]:
    """What is known of a finding's name: `name`, `short`, `kind`, `plain`. One that isn't known is called as it is."""
    known: dict[str, str] = words()["what"].get(what, {})
    return {"name": what.replace(".", " ").replace("_", " "), "short": what, "kind": "", "plain": ""} | known


def clean(text: object) -> str:
    """The text without control characters, which could move a terminal's cursor or break a page."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in str(text)
    )
