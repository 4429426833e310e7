"""What it costs: places side by side, from which traffic on another one is cheaper, and which input would change the recommendation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.finding import Finding, Origin
from seatrial.parts.reports._axis import Axis, axis
from seatrial.parts.reports._cells import marks
from seatrial.parts.reports._numbers import Form, form, interval
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import clean, words

MONTH, MILLION, REPLICAS = "money.month", "money.per_million", "capacity.replicas"
IF, CHEAPEST, CROSSING, PRICE = "money.if", "money.if.cheapest", "money.break_even", "money.price"
COLUMNS = (REPLICAS, "capacity.latency", "capacity.busy", MONTH, MILLION, "money.payback")


class Cell(NamedTuple):
    """What stands in a cell: the number, its range, words where it isn't plainly measured; and why there is none."""

    text: str
    range: str = ""
    marks: tuple[str, ...] = ()
    why: str = ""


class Place(NamedTuple):
    """One place where it could run: its name, whether it is the cheapest, a cell a column, and why it can't be."""

    name: str
    best: bool
    cells: tuple[Cell, ...]
    why: str


class End(NamedTuple):
    """An input at one end: its words, the money a month in words, where that stands in the picture, and which place is then cheaper."""

    to: str
    text: str
    x: float | None
    other: str


class Bar(NamedTuple):
    """An input of the tornado, from where to where it moves the cost, in per cent of the picture."""

    name: str
    ends: tuple[End, ...]
    left: float
    right: float


class Told(NamedTuple):
    """The section, of the candidate `row`. `middle` is where the cost as it stands is in the picture."""

    row: Row
    price: Finding | None
    columns: tuple[tuple[str, str], ...]
    places: tuple[Place, ...]
    sentences: tuple[str, ...]
    bars: tuple[Bar, ...]
    middle: float
    now: str
    title: str


def section(shown: View) -> Told | None:
    """Of the recommended candidate, without one of the reference; None where the study speaks of no money."""
    rows = [one for one in (shown.recommended, shown.reference, *shown.measured) if one is not None]
    row = next((one for one in rows if MONTH in one.by_what), None)
    if row is None:
        return None
    found = {(str(one.at["place"]), one.what): one for one in row.listed if one.what in COLUMNS and _whole(one)}
    names = list(dict.fromkeys(place for place, _ in found))
    kept = [what for what in COLUMNS if any(found.get((name, what)) for name in names)]
    forms = {what: form([one for (_, of), one in found.items() if of == what]) for what in kept}
    forms |= {what: Form(1.0, "", 0) for what in kept if what == REPLICAS}
    months = {name: one for name in names if (one := found.get((name, MONTH))) and one.value is not None}
    best = min(months, key=lambda name: months[name].number, default="")
    bars, middle = _tornado(row, months[best], forms[MONTH]) if best else ((), 0.0)
    said = words()["money"]
    return Told(
        row=row,
        price=next((one for one in shown.dossier.findings if one.what == PRICE), None),
        columns=tuple((what, forms[what].unit) for what in kept),
        places=tuple(
            Place(
                _place(name),
                name == best,
                tuple(_cell(found.get((name, what)), forms[what]) for what in kept),
                _why(found.get((name, MONTH))),
            )
            for name in names
        ),
        sentences=tuple(text[:1].upper() + text[1:] for text in _sentences(row, bars)),
        bars=bars,
        middle=middle,
        now=forms[MONTH].text(months[best].number) if best else "",
        title=said["would"].format(place=_place(best)) if best else "",
    )


def brief(told: Told) -> Iterator[tuple[str, str]]:
    """The same in a few lines, each with its style."""
    said = words()["money"]
    yield said["title_of"].format(label=told.row.label), "bold"
    at = {what: number for number, (what, _) in enumerate(told.columns)}
    for place in told.places:
        cells = {what: place.cells[at[what]] for what in (REPLICAS, MONTH, MILLION) if what in at}
        month, replicas, million = (cells.get(what) for what in (MONTH, REPLICAS, MILLION))
        if month is None or not month.text or replicas is None:
            yield f"  {place.name}: {clean(place.why)}", "dim"
            continue
        each = said["million"].format(value=million.text) if million and million.text else ""
        unit = told.columns[at[MONTH]][1]
        ends = f" ({month.range})" if month.range else ""
        ends += "".join(f", {mark}" for mark in month.marks if mark != words()["origin"][Origin.DECLARED])
        yield f"  {said['place'].format(place=place.name, replicas=replicas.text, month=f'{month.text} {unit}{ends}')}{each}", ""  # fmt: skip
    for text in told.sentences:
        yield f"  {clean(text)}", ""
    if told.price is not None:
        hour = form([told.price]).text(told.price.number)
        about = ", ".join(filter(None, (hour, str(told.price.at["price"]), told.price.note)))
        yield f"  {said['price'].format(price=clean(about))}", "dim"


def _whole(finding: Finding) -> bool:
    """Whether it speaks of a place as such, and not of replicas that are hired by the hour."""
    return "place" in finding.at and "replicas" not in finding.at


def _place(name: str) -> str:
    return str(words()["place"].get(name, clean(name)))


def _why(month: Finding | None) -> str:
    return "" if month is None or month.value is not None else month.note


def _cell(finding: Finding | None, how: Form) -> Cell:
    if finding is None:
        return Cell("")
    if finding.value is None:
        return Cell("", why=finding.note)
    ends = "" if finding.low == finding.high else interval(finding, how)
    return Cell(how.digits(finding.number), ends, marks(finding))


def _sentences(row: Row, bars: tuple[Bar, ...]) -> Iterator[str]:
    said = words()["money"]
    for one in row.listed:
        if one.what != CROSSING:
            continue
        names = {"place": _place(str(one.at["place"])), "other": _place(str(one.at["against"]))}
        if one.value is None:
            yield said["never"].format(**names)
        elif one.note:
            yield said["always"].format(**names)
        else:
            how = form([one])
            ends = "" if one.low == one.high else f" ({interval(one, how)})"
            yield said["crossing"].format(volume=how.digits(one.number), range=ends, **names)
    turns = [(bar, end) for bar in bars for end in bar.ends if end.other]
    for bar, end in turns:
        yield said["turns"].format(input=bar.name, to=end.to, other=end.other)
    if bars and not turns:
        yield said["steady"]
    yield from (one.note for one in row.listed if one.what == IF and "input" not in one.at)


def _tornado(row: Row, now: Finding, how: Form) -> tuple[tuple[Bar, ...], float]:
    """The bars as they were found, the widest first, and where the cost as it stands is."""
    found: dict[str, list[Finding]] = {}
    for one in row.listed:
        if one.what == IF and "input" in one.at:
            found.setdefault(str(one.at["input"]), []).append(one)
    instead = {(one.at["input"], one.at["to"]): _place(str(one.value)) for one in row.listed if one.what == CHEAPEST}
    every = [one.number for ends in found.values() for one in ends if one.value is not None]
    scale = axis([*every, now.number])
    bars = [_bar(name, ends, instead, now, how, scale) for name, ends in found.items()]
    return tuple(bar for bar in bars if bar.right > bar.left or any(end.other for end in bar.ends)), scale.at(
        now.number
    )


def _bar(
    name: str, ends: list[Finding], instead: dict[tuple[object, object], str], now: Finding, how: Form, scale: Axis
) -> Bar:
    made = tuple(
        End(
            clean(one.at["to"]),
            words()["money"]["cannot"] if one.value is None else how.digits(one.number),
            None if one.value is None else scale.at(one.number),
            instead.get((one.at["input"], one.at["to"]), ""),
        )
        for one in ends
    )
    places = [scale.at(now.number), *(end.x for end in made if end.x is not None)]
    return Bar(clean(name), made, min(places), max(places))
