"""The words that a page explains: those that it uses."""

from __future__ import annotations

from typing import NamedTuple

from seatrial.contracts.finding import Origin
from seatrial.parts.reports._view import View
from seatrial.parts.reports._words import about, meaning, words


class Word(NamedTuple):
    """A word and what it means."""

    name: str
    meaning: str


class Terms(NamedTuple):
    """Words, and the names of findings, that are explained at the end of the page."""

    words: tuple[Word, ...]
    findings: tuple[str, ...]


def terms(shown: View) -> Terms:
    """What the glossary knows of the words, coordinates, states and findings that this dossier has."""
    listed = words()["terms"]
    names = dict.fromkeys([*listed["listed"], *(listed["ran"] if shown.ran else ())])
    for row in shown.rows:
        candidate = row.entry.candidate
        names |= dict.fromkeys((candidate.precision, *(link.name for link in candidate.variant.links)))
    names |= dict.fromkeys(str(finding.state) for finding in shown.dossier.findings)
    names |= dict.fromkeys(map(str, Origin))
    known = (Word(name, meaning(name)) for name in names)
    found = dict.fromkeys(finding.what for finding in shown.dossier.findings)
    return Terms(tuple(word for word in known if word.meaning), tuple(what for what in found if about(what)["plain"]))
