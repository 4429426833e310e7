"""Where the data comes from, as approved and as stated; and what features are worth, criterion by criterion."""

from __future__ import annotations

from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._view import View

LINEAGE, DATA, FEATURE, SKEW = "lineage.", "data.", "feature.", "skew."
CHOSEN, DROP = "features.quality.", ".drop"
CRITERIA = ("importance", "stability", "redundancy", "missing", "association", "cost")
LEFT, WIDE = 4.0, 92.0
"""Where the picture of importances begins, and how wide it is, in per cent."""


class Source(NamedTuple):
    """One data set: its content, whether it is as approved, what is stated, what nobody has said."""

    name: str
    content: Finding | None
    approved: Finding | None
    checked: list[Finding]
    stated: list[tuple[str, Finding]]
    asked: list[tuple[str, Finding]]


class Line(NamedTuple):
    """One feature, or several that go together: each criterion, whether it is kept, and its bar in the picture."""

    name: str
    model: str
    cells: list[Finding | None]
    kept: Finding
    x: float
    x_low: float
    x_high: float


class Compared(NamedTuple):
    """Two data sets held against each other row by row: each column's share of rows that differ and largest difference."""

    names: tuple[str, str]
    unmatched: Finding | None
    columns: list[tuple[str, Finding, Finding | None]]


class Metric(NamedTuple):
    """A metric with the chosen features alone, and by how much worse than with all."""

    what: str
    at: str
    chosen: Finding
    drop: Finding | None


class Worth(NamedTuple):
    """The table of features, the most important first; where zero stands in the picture; the loss and what leaving out costs; metrics with
    the chosen ones, and how those were got; who answers for them; skew."""

    lines: list[Line]
    forms: list[Form]
    zero: float
    loss: list[Finding]
    metrics: list[Metric]
    how: str
    tables: list[tuple[str, dict[str, Finding]]]
    compared: list[Compared]


def _own(shown: View) -> list[Finding]:
    return [one for one in shown.dossier.findings if one.candidate is None]


def is_here(finding: Finding) -> bool:
    """Whether one of these sections tells it."""
    return finding.what.startswith((LINEAGE, DATA, FEATURE, SKEW, "features."))


def sources(shown: View) -> list[Source] | None:
    """The data sets of which anything is said; None where nothing is."""
    found = [one for one in _own(shown) if one.what.startswith((LINEAGE, DATA)) and "data" in one.at]
    names = dict.fromkeys(str(one.at["data"]) for one in found)
    return [_source(name, [one for one in found if str(one.at["data"]) == name]) for name in names] or None


def _source(name: str, found: list[Finding]) -> Source:
    by = {one.what: one for one in found}
    fields = [one for one in found if one.what.startswith(LINEAGE)]
    checked = [one for one in fields if one.what.partition(".")[2] in ("files", "overdue", "stated") and _told(one)]
    stated = [(one.what.partition(".")[2], one) for one in fields if one.value is not None and one not in checked]
    asked = [(one.what.partition(".")[2], one) for one in fields if one.value is None and one not in checked]
    return Source(name, by.get("data.content"), by.get("data.approved"), checked, stated, asked)


def _told(one: Finding) -> bool:
    """Whether something is known: files that are named and can't be checked have been said, too."""
    return one.value is not None or (one.what == "lineage.files" and not one.note.startswith("nobody has said"))


def worth(shown: View) -> Worth | None:
    """The features that were looked at; None where there are none."""
    found = [one for one in _own(shown) if one.what.startswith(FEATURE) and "feature" in one.at]
    by: dict[tuple[str, str], dict[str, Finding]] = {}
    for one in found:
        by.setdefault((str(one.at.get("model", "")), str(one.at["feature"])), {})[one.what.removeprefix(FEATURE)] = one
    looked = {key: held for key, held in by.items() if "kept" in held and "importance" in held}
    tables = [(name, held) for (model, name), held in by.items() if not model]
    loss = [one for one in _own(shown) if one.what.startswith("features.") and not one.what.startswith(CHOSEN)]
    metrics = _metrics([one for one in _own(shown) if one.what.startswith(CHOSEN) and one.value is not None])
    compared = _compared([one for one in _own(shown) if one.what.startswith(SKEW)])
    if not (looked or tables or loss or compared):
        return None
    each = [held["importance"] for held in looked.values()]
    least = min([0.0, *(_low(one) for one in each)])
    most = max([1e-12, *(_high(one) for one in each)])
    lines = [_line(key, held, least, most) for key, held in looked.items()]
    lines.sort(key=lambda line: -(line.cells[0].number if line.cells[0] else 0.0))
    forms = [form([line.cells[at] for line in lines if line.cells[at]]) for at in range(len(CRITERIA))]  # type: ignore[misc]
    how = next((one.chosen.note.rpartition("; ")[2] for one in metrics), "")
    return Worth(lines, forms, _place(0.0, least, most), loss, metrics, how, tables, compared)


def _metrics(found: list[Finding]) -> list[Metric]:
    drops = {(one.what.removesuffix(DROP), str(one.at)): one for one in found if one.what.endswith(DROP)}
    made = []
    for one in found:
        if not one.what.endswith(DROP):
            where = ", ".join(f"{name} {value}" for name, value in one.at.items() if name != "model")
            made.append(Metric(one.what.removeprefix(CHOSEN), where, one, drops.get((one.what, str(one.at)))))
    return made


def _compared(found: list[Finding]) -> list[Compared]:
    made = []
    for names in dict.fromkeys((str(one.at.get("from", "")), str(one.at.get("to", ""))) for one in found):
        mine = [one for one in found if (str(one.at.get("from", "")), str(one.at.get("to", ""))) == names]
        largest = {one.at.get("column"): one for one in mine if one.what == "skew.largest"}
        columns = [(str(one.at.get("column", "")), one, largest.get(one.at.get("column"))) for one in mine if one.what == "skew.rows"]  # fmt: skip
        columns.sort(key=lambda one: -one[1].number if one[1].value is not None else 1.0)
        made.append(Compared(names, next((one for one in mine if one.what == "skew.unmatched"), None), columns))
    return made


def _line(key: tuple[str, str], held: dict[str, Finding], least: float, most: float) -> Line:
    one = held["importance"]
    places = [_place(value, least, most) for value in (one.number, _low(one), _high(one))]
    return Line(key[1], key[0], [held.get(name) for name in CRITERIA], held["kept"], *places)


def _low(one: Finding) -> float:
    return one.number if one.low is None else one.low


def _high(one: Finding) -> float:
    return one.number if one.high is None else one.high


def _place(value: float, least: float, most: float) -> float:
    return round(LEFT + WIDE * (value - least) / (most - least), 2)
