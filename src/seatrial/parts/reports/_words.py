"""The words that reports say: from `templates/words.toml`, and what names mean from the glossary. None of them stands in code."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from seatrial.contracts.dossier import Run
from seatrial.contracts.glossary import FINDINGS, WORDS

TEMPLATES = Path(__file__).parent / "templates"


@cache
def words() -> dict[str, Any]:
    """All words by section: `state`, `outcome`, `origin`, and one for each report."""
    with (TEMPLATES / "words.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def about(what: str) -> dict[str, str]:
    """What is known of a finding's name: `name`, `short`, `kind`, `plain`. One that isn't known is called as it is.

    The drop of something known is known: `f1.drop` is the drop in F1.
    """
    if known := FINDINGS.get(what):
        return {"name": known.name, "short": known.short or what, "kind": known.kind, "plain": known.meaning}
    for prefix, said in words()["instead"].items():
        if what.startswith(f"{prefix}.") and what != f"{prefix}.":
            of = about(what.removeprefix(f"{prefix}."))
            return {
                **of,
                "name": said["name"].format(name=of["name"]),
                "short": said["short"].format(short=of["short"]),
            }
    base, said = FINDINGS.get(what.removesuffix(".drop")), words()["drop"]
    if base and what.endswith(".drop"):
        kind = "change" if base.kind in ("share", "change") else ""
        said = said["higher" if base.better == "lower" else "lower"]
        return {"name": said["name"].format(name=base.name), "short": said["short"], "kind": kind, "plain": said["plain"].format(name=base.name)}  # fmt: skip
    return {"name": what.replace(".", " ").replace("_", " "), "short": what, "kind": "", "plain": ""}


def meaning(word: str) -> str:
    """What the glossary says of a word; empty where it knows none."""
    return WORDS.get(word, "")


def cautions(run: Run) -> list[str]:
    """What is to be known of a run that did not go as planned, a sentence each."""
    return [said for name, said in words()["run"].items() if getattr(run, name)]


def clean(text: object) -> str:
    """The text without control characters, which could move a terminal's cursor or break a page."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in str(text)
    )
