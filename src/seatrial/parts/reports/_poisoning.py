"""Backdoors and poison: what was searched and what is suspected, the triggers where the study asks to see them, and what poisoned rows would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._numbers import Form, form, interval
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import clean, words

FOUND, SIZE, FLIPS, INDEX = "backdoor.found", "backdoor.size", "backdoor.flips", "backdoor.index"
DROP, SUCCESS, CLEAN, RUN = "poisoning.accuracy.drop", "poisoning.success", "poisoning.accuracy", "poisoning.run"
TRIGGER = "trigger"
"""The artefact of a finding that is a picture: its rows as hexadecimal digits, 0 black to f white, a dot where nothing is covered."""


class Class(NamedTuple):
    """A class in a candidate: its smallest trigger's size, what it carries over, its index, and the picture as rows of shades (None: see through)."""

    name: str
    size: Finding
    flips: Finding | None
    index: Finding | None
    picture: list[list[int | None]]


class Searched(NamedTuple):
    """One candidate and one search: how many classes are suspected, and the class with the smallest trigger."""

    row: Row
    found: Finding
    least: Class | None


class Poison(NamedTuple):
    """One poison at one share: accuracy lost, and how often the trigger is obeyed."""

    kind: str
    share: float
    drop: Finding | None
    success: Finding | None


class Told(NamedTuple):
    """The section."""

    searched: list[Searched]
    twins: list[Poison]
    clean: Finding | None
    failed: list[Finding]
    share: Form
    drop: Form


def section(shown: View) -> Told | None:
    """Searches and twins; None where the study asked for neither."""
    searched = [one for row in shown.measured for one in _searched(row)]
    whole = [one for one in shown.dossier.findings if one.what.startswith("poisoning.") and one.candidate is None]
    if not searched and not whole:
        return None
    twins = list(_twins(whole))
    return Told(
        searched=searched,
        twins=twins,
        clean=next((one for one in whole if one.what == CLEAN and one.value is not None), None),
        failed=[one for one in whole if one.value is None],
        share=form([one for twin in twins if (one := twin.success)]),
        drop=form([one for twin in twins if (one := twin.drop)]),
    )


def brief(told: Told) -> Iterator[tuple[str, str]]:
    """The same in a few lines, each with its style."""
    said = words()["poisoning"]
    yield said["title"], "bold"
    for one in told.searched:
        yield f"  {clean(one.row.label)}: {sentence(one)}", ""
    for twin in told.twins:
        parts = [said["lost"].format(value=told.drop.text(twin.drop.number), range=interval(twin.drop, told.drop))] if twin.drop else []  # fmt: skip
        parts += [said["obeyed"].format(value=told.share.text(twin.success.number), range=interval(twin.success, told.share))] if twin.success else []  # fmt: skip
        yield f"  {clean(twin.kind)}, {twin.share:.0%}: {'; '.join(parts)}", ""


def sentence(one: Searched) -> str:
    """What a search came to."""
    said = words()["poisoning"]
    if one.found.value is None:
        return f"{said['not_searched']} {clean(one.found.note)}"
    if one.found.number:
        return f"{said['suspected']} {clean(one.found.note)}"
    return str(said["nothing"].format(classes=one.found.n))


def _searched(row: Row) -> Iterator[Searched]:
    for found in row.by_what.get(FOUND, ()):
        sizes = [one for one in row.by_what.get(SIZE, ()) if one.at.items() >= found.at.items()]
        least = min(sizes, key=lambda one: one.number, default=None)
        yield Searched(row, found, _class(row, least) if least else None)


def _class(row: Row, size: Finding) -> Class:
    drawn = [
        [None if digit == "." else 17 * int(digit, 16) for digit in line]
        for line in size.artefacts.get(TRIGGER, "").split()
    ]
    return Class(str(size.at["class"]), size, row.find(FLIPS, size.at), row.find(INDEX, size.at), drawn)


def _twins(found: list[Finding]) -> Iterator[Poison]:
    by = {(one.what, str(one.at.get("kind")), one.at.get("share")): one for one in found if one.value is not None}
    for _, kind, share in dict.fromkeys(("", kind, share) for what, kind, share in by if what in (DROP, SUCCESS)):
        yield Poison(kind, float(share or 0), by.get((DROP, kind, share)), by.get((SUCCESS, kind, share)))
