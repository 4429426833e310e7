"""What faults of the data do to the verdict: figures of all rows beside those without rows in doubt, and weighted like the population."""

from __future__ import annotations

from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.contracts.record import Scalar
from seatrial.contracts.verdict import Outcome
from seatrial.parts.reports._numbers import Form, form, interval
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import about, clean, words

CLEANED, REWEIGHTED, WITHOUT = "cleaned.", "reweighted.", "without"
POPULATION = "population"
MOST = 12
"""Figures that stand side by side; the files for programs have all."""


class Line(NamedTuple):
    """One figure: of all rows, then under each head; None where it could not be had."""

    name: str
    form: Form
    all: Finding
    others: tuple[Finding | None, ...]

    @property
    def cells(self) -> tuple[Finding | None, ...]:
        """All of them, in the order of the columns."""
        return (self.all, *self.others)

    def cell(self, one: Finding | None) -> str:
        """The number with its interval."""
        if one is None or not isinstance(one.value, int | float):
            return "–"
        beside = interval(one, self.form)
        return f"{self.form.text(one.number)}{f' ({beside})' if beside else ''}"


class Effect(NamedTuple):
    """The table: whose figures, the heads in words, how many rows each rests on, the lines, and the verdict under each head."""

    label: str
    heads: tuple[str, ...]
    rows: tuple[str, ...]
    lines: tuple[Line, ...]
    verdicts: tuple[Outcome | None, ...]
    more: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The heads of all columns but the first."""
        return (words()["audit"]["all"], *self.heads)


def section(shown: View) -> Effect | None:
    """Of the candidate that is spoken of; None where no figure was had again."""
    row = shown.focus
    kinds = dict.fromkeys(kind for one in (row.listed if row else ()) if (kind := _kind(one)))
    if row is None or not kinds:
        return None
    lines = [line for one in row.listed if (line := _line(row, one, list(kinds)))]
    verdicts = {
        _kind(one): Outcome(str(one.value)) for one in shown.dossier.findings if one.what.startswith("verdict.")
    }
    said = words()["audit"]["instead"]
    counts = [max((one.n or 0 for line in lines if (one := line.others[at])), default=0) for at in range(len(kinds))]
    return Effect(
        row.label,
        tuple(said.get(kind, clean(kind)) for kind in kinds),
        tuple(f"{count:,}" for count in counts),
        tuple(lines[:MOST]),
        (shown.dossier.verdict.outcome, *(verdicts.get(kind) for kind in kinds)) if verdicts else (),
        max(0, len(lines) - MOST),
    )


def _kind(one: Finding) -> str:
    if one.what.startswith((CLEANED, "verdict.cleaned")):
        return str(one.at.get(WITHOUT, ""))
    return POPULATION if one.what.startswith((REWEIGHTED, "verdict.reweighted")) else ""


def _line(row: Row, one: Finding, kinds: list[str]) -> Line | None:
    """The figure of all rows with its others; None where there are none."""
    if one.slice or not isinstance(one.value, int | float) or isinstance(one.value, bool) or _kind(one):
        return None
    others = tuple(_other(row, one, kind) for kind in kinds)
    if not any(others):
        return None
    at = ", ".join(f"{key} {value}" for key, value in one.at.items())
    name = about(one.what)["name"] + (f", {clean(at)}" if at else "")
    return Line(name, form([one, *(each for each in others if each)]), one, others)


def _other(row: Row, one: Finding, kind: str) -> Finding | None:
    at: dict[str, Scalar] = dict(one.at) if kind == POPULATION else {**one.at, WITHOUT: kind}
    what = (REWEIGHTED if kind == POPULATION else CLEANED) + one.what
    return next((each for each in row.listed if each.what == what and each.at == at and each.value is not None), None)
