"""What it tells of the rows that it learnt from, in plain words: both rates, how many were members, and whether a candidate tells more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.finding import Finding, State
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import clean, words

TPR, FPR, AUC, CHANGE = "privacy.tpr", "privacy.fpr", "privacy.auc", "privacy.tpr.change"
MAIN = (TPR, "privacy.attribute.gain", "privacy.extraction.agreement", "privacy.inversion.likeness")
WHOLE = (100, 1000, 10_000, 100_000)
"""Of how many rows a rate is spoken of: the first of which it is a whole one."""


class Said(NamedTuple):
    """One sentence: by the method that picks out most at this rate."""

    method: str
    text: str
    note: str


class Cell(NamedTuple):
    """What one method picks out of a candidate's members at one rate, and whether that is surely more than of the reference's."""

    finding: Finding
    more: bool
    less: bool


class Told(NamedTuple):
    """The section."""

    row: Row
    leave: Finding | None
    shadows: list[Finding]
    said: list[Said]
    more: list[str]
    columns: list[tuple[str, float]]
    lines: list[tuple[Row, list[Cell | None]]]
    unresolved: list[str]
    not_asked: list[tuple[Row, Finding]]


def section(shown: View) -> Told | None:
    """Sentences, table and what couldn't be told; None where nobody asked."""
    row, found = shown.focus, shown.dossier.findings
    everybody = [(one, _picked(one)) for one in shown.measured]
    not_asked = [(one, refused) for one in shown.measured if (refused := _refused(one))]
    if row is None or not any(one.what.startswith("privacy.") for each in shown.measured for one in each.listed):
        return None
    columns = sorted({key for _, own in everybody for key in own})
    return Told(
        row=row,
        leave=next((one for one in found if one.what == "privacy.permitted"), None),
        shadows=[one for one in found if one.what == "privacy.shadows" and one.value is not None],
        said=list(_sentences(row, shown.reference)),
        more=[*_guessed(row), *_copied(row)],
        columns=columns,
        lines=[(one, [_cell(one, own, key) for key in columns]) for one, own in everybody if own],
        unresolved=_unresolved(row),
        not_asked=not_asked,
    )


def brief(told: Told) -> Iterator[tuple[str, str]]:
    """The same in a few lines, each with its style."""
    said = words()["privacy"]
    yield said["title"], "bold"
    for one in told.said:
        yield f"  {clean(told.row.label)}: {clean(one.text)}", ""
    for sentence in told.more:
        yield f"  {clean(told.row.label)}: {clean(sentence)}", ""
    for sentence in told.unresolved:
        yield f"  {clean(sentence)}", "dim"
    for row, one in told.not_asked:
        yield f"  {clean(row.label)}: {said['not_asked']} {clean(one.note)}", "dim"


def _picked(row: Row) -> dict[tuple[str, float], Finding]:
    return {(str(one.at["method"]), float(one.at["fpr"])): one for one in row.listed if one.what == TPR and one.value is not None}  # fmt: skip


def _refused(row: Row) -> Finding | None:
    return next((one for one in row.listed if one.what == TPR and one.value is None and not one.at), None)


def _sentences(row: Row, reference: Row | None) -> Iterator[Said]:
    """At each rate what the method does that picks out most."""
    said, own = words()["privacy"], _picked(row)
    other = _picked(reference) if reference is not None and reference is not row else {}
    for rate in sorted({rate for _, rate in own}, reverse=True):
        method, one = max(((method, one) for (method, by), one in own.items() if by == rate), key=lambda each: each[1].number)  # fmt: skip
        of = next((whole for whole in WHOLE if rate * whole >= 0.999), WHOLE[-1])
        wrongly = next((found for found in row.listed if found.what == FPR and found.at == one.at), None)
        named = rate if wrongly is None else wrongly.number
        text = said["plain"].format(method=method, picked=f"{of * one.number:.3g}", wrongly=f"{of * named:.3g}", of=f"{of:,}")  # fmt: skip
        if one.low is not None and one.high is not None:
            text += " " + said["between"].format(low=f"{of * one.low:.3g}", high=f"{of * one.high:.3g}")
        if (method, rate) in other:
            text += said["reference"].format(count=f"{of * other[method, rate].number:.3g}")
        yield Said(method, text, one.note)


def _guessed(row: Row) -> Iterator[str]:
    """What the model adds to guessing a value, of members and of outsiders."""
    gains = {str(one.at["rows"]): one for one in row.listed if one.what == "privacy.attribute.gain" and one.value is not None}  # fmt: skip
    if {"members", "outsiders"} <= gains.keys():
        at = gains["members"].at
        share = {one.what.rpartition(".")[2]: 100 * one.number for one in row.listed if one.at == at and one.value is not None}  # fmt: skip
        yield words()["privacy"]["guessed"].format(
            column=at["column"],
            guessed=f"{share['guessed']:.3g}",
            imputed=f"{share['imputed']:.3g}",
            gain=f"{100 * gains['outsiders'].number:.2g}",
        )


def _copied(row: Row) -> Iterator[str]:
    """How good a copy is that was made from the most answers; how like its class is what is drawn."""
    said = words()["privacy"]
    copies = [one for one in row.listed if one.what == "privacy.extraction.agreement" and one.value is not None]
    if copies:
        curve = {int(one.at["queries"]): f"{100 * one.number:.3g}" for one in copies}
        yield said["copied"].format(curve=", ".join(f"{share} ({budget:,})" for budget, share in sorted(curve.items())))
    for one in row.listed:
        if one.what == "privacy.inversion.likeness" and one.value is not None:
            yield said["drawn"].format(likeness=f"{one.number:.2f}")
            break


def _cell(row: Row, own: dict[tuple[str, float], Finding], key: tuple[str, float]) -> Cell | None:
    if key not in own:
        return None
    change = next((one for one in row.listed if one.what == CHANGE and one.at == own[key].at), None)
    more = change is not None and change.low is not None and change.low > 0
    less = change is not None and change.high is not None and change.high < 0
    return Cell(own[key], more, less)


def _unresolved(row: Row) -> list[str]:
    """Why some rates or methods say nothing, each reason once."""
    notes = [one.note.split(";")[0] for one in row.listed if one.what in MAIN and one.value is None and one.at and one.state is State.TOO_FEW]  # fmt: skip
    others = [f"{one.at['method']}: {one.note}" for one in row.listed if one.what in MAIN and one.value is None and one.at and one.state is not State.TOO_FEW]  # fmt: skip
    return list(dict.fromkeys((*notes, *others)))
