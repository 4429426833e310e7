"""How it stands against somebody who means harm: what stood by budget beside the reference's, by attack, and what casts doubt on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._axis import Axis, axis
from seatrial.parts.reports._charts import Tick
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import clean, words

ACCURACY, DROP, FLAG, THREAT, UNION = "attack.accuracy", "attack.accuracy.drop", "attack.flag", "attack.threat", "all"
PROVED = ("certified.", "privacy.epsilon", "privacy.delta")
EXAMPLE, LATE = "attack.example", "attack.late"
MUCH_LATE = 0.2
"""The share of rows fooled late from above which more patience is advised."""
LEFT, WIDE = 18.0, 76.0
"""Where the first budget stands in the picture, and how wide all budgets are, in per cent."""
NORMS = {
    "linf": "every feature may change by so much of its range",
    "l2": "all features together may change by so much: the root of the sum of squares, in shares of their ranges",
    "characters": "so many characters of a text may be edited: put in, left out, changed, or swapped with the next",
    "words": "so many words of a text may be edited: put in, left out, replaced, or swapped with the next",
    "character_share": "such a share of a text's characters may be edited",
    "word_share": "such a share of a text's words may be edited",
}


class Point(NamedTuple):
    """What stood at one budget, and where it is in the picture, in per cent."""

    budget: float
    finding: Finding
    x: float
    y: float
    y_low: float
    y_high: float


class Curve(NamedTuple):
    """One norm: the candidate that is spoken of and the reference, by budget; and each attack for itself."""

    norm: str
    says: str
    own: list[Point]
    reference: list[Point]
    attacks: list[tuple[str, list[Finding | None]]]


class Cell(NamedTuple):
    """What stood of a candidate at one budget, and whether that is surely less than of the reference."""

    finding: Finding
    worse: bool


class Stand(NamedTuple):
    """The section."""

    row: Row
    threat: Finding | None
    curves: list[Curve]
    ticks: list[Tick]
    form: Form
    columns: list[tuple[str, float]]
    lines: list[tuple[Row, list[Cell | None]]]
    doubts: list[tuple[Row, list[Finding]]]
    not_attacked: list[tuple[Row, Finding]]
    examples: list[tuple[Row, list[Finding]]]
    advice: list[str]
    proved: list[tuple[Row, list[Finding]]]


def section(shown: View) -> Stand | None:
    """Curves, tables and doubts; None where nobody was attacked, or nobody asked."""
    row = shown.focus
    everybody = [(one, _union(one)) for one in shown.measured]
    if row is None or not any(found for _, found in everybody):
        return None
    reference = shown.reference if shown.reference is not row else None
    columns = sorted({key for _, found in everybody for key in found})
    known = [one for _, found in everybody for one in found.values()]
    ends = [end for one in known for end in (one.low, one.high, one.number) if end is not None]
    scale, how = axis((max(0.0, min(ends)), min(1.0, max(ends)))), form(known)
    curves = [
        _curve(norm, row, reference, [budget for by, budget in columns if by == norm], scale)
        for norm in dict.fromkeys(by for by, _ in columns)
    ]
    return Stand(
        row=row,
        threat=next((one for one in shown.dossier.findings if one.what == THREAT), None),
        curves=curves,
        ticks=[
            Tick(round(100 - scale.at(value), 2), how.say(f"{value / how.divisor:.4g}")) for value in scale.ticks(4)
        ],
        form=how,
        columns=columns,
        lines=[(one, [_cell(one, found, key) for key in columns]) for one, found in everybody if found],
        doubts=[(one, raised) for one in shown.measured if (raised := doubts(one))],
        not_attacked=[(one, refused) for one in shown.measured if (refused := _refused(one))],
        examples=[(one, shown_ones) for one in shown.measured if (shown_ones := examples(one))],
        advice=advice([row, *([reference] if reference else [])]),
        proved=[(one, found) for one in shown.measured if (found := proofs(one))],
    )


def brief(told: Stand) -> Iterator[tuple[str, str]]:
    """The same in a few lines, each with its style: what stood at each budget, and which signs were raised."""
    said = words()["security"]
    yield said["title"], "bold"
    for curve in told.curves:
        sides = ((told.row.label, curve.own), (words()["terminal"]["reference"], curve.reference))
        for name, points in sides:
            if points:
                stood = ", ".join(f"{told.form.text(one.finding.number)} at {one.budget:g}" for one in points)
                yield f"  {clean(name)}: {stood} ({curve.norm})", ""
    for row, proved in told.proved:
        for one in proved:
            yield (
                f"  {clean(row.label)}: {said['proofs'][one.what].format(budget=one.at.get('epsilon'))} {one.number:.3g}",
                "",
            )
    for row, raised in told.doubts:
        for one in raised:
            yield f"  {clean(row.label)}: {said['flags'][one.at['flag']]}", "dim"


def doubts(row: Row) -> list[Finding]:
    """The signs of weak attacks that were raised."""
    return [one for one in row.listed if one.what == FLAG and one.value is True]


def examples(row: Row) -> list[Finding]:
    """Inputs that fooled it, where the study asked to see them."""
    return [one for one in row.listed if one.what == EXAMPLE]


def advice(rows: list[Row]) -> list[str]:
    """What to do next, as keys of words.toml: what was seen of the candidate (the first row), and what is always so."""
    own = rows[0].listed
    raised = {str(one.at["flag"]) for one in doubts(rows[0])}
    lost = any(one.what == DROP and one.low is not None and one.low > 0 for one in own)
    late = any(one.what == LATE and one.value is not None and one.number > MUCH_LATE for one in own)
    said = ["worse"] if lost else []
    said += [flag for flag in ("masked_gradient", "depends_on_others", "random") if flag in raised]
    return [*said, *(["late"] if late else []), "always"]


def proofs(row: Row) -> list[Finding]:
    """What is proved of a candidate and not only tried."""
    return [one for one in row.listed if one.what.startswith(PROVED) and one.value is not None]


def _union(row: Row) -> dict[tuple[str, float], Finding]:
    return {
        (str(one.at["norm"]), float(one.at["epsilon"])): one
        for one in row.listed
        if one.what == ACCURACY and one.value is not None and one.at.get("attack") == UNION
    }


def _refused(row: Row) -> Finding | None:
    return next((one for one in row.listed if one.what == ACCURACY and one.value is None and not one.at), None)


def _cell(row: Row, found: dict[tuple[str, float], Finding], key: tuple[str, float]) -> Cell | None:
    if key not in found:
        return None
    at = found[key].at
    drop = next((one for one in row.listed if one.what == DROP and one.at == at), None)
    return Cell(found[key], drop is not None and drop.low is not None and drop.low > 0)


def _curve(norm: str, row: Row, reference: Row | None, budgets: list[float], scale: Axis) -> Curve:
    def points(of: Row | None) -> list[Point]:
        found = _union(of) if of else {}
        return [
            _point(found[norm, budget], budget, at / max(1, len(budgets) - 1), scale)
            for at, budget in enumerate(budgets)
            if (norm, budget) in found
        ]

    single: dict[str, dict[float, Finding]] = {}
    for one in row.listed:
        if one.what == ACCURACY and one.value is not None and one.at["norm"] == norm and one.at["attack"] != UNION:
            single.setdefault(str(one.at["attack"]), {})[float(one.at["epsilon"])] = one
    attacks = [(name, [by.get(budget) for budget in budgets]) for name, by in single.items()]
    return Curve(norm, NORMS.get(norm, norm), points(row), points(reference), attacks)


def _point(one: Finding, budget: float, share: float, scale: Axis) -> Point:
    ends = (one.number, one.number if one.low is None else one.low, one.number if one.high is None else one.high)
    return Point(budget, one, round(LEFT + WIDE * share, 2), *(round(100 - scale.at(end), 2) for end in ends))
