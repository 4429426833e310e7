"""What training each way buys: a table of ways, and what follows from it in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from seatrial.contracts.finding import Finding, State
from seatrial.parts.reports._cells import marks
from seatrial.parts.reports._numbers import Form, form, interval, per_cent
from seatrial.parts.reports._view import View
from seatrial.parts.reports._words import clean, words

COLUMNS = (
    "training.step.p50",
    "training.throughput",
    "training.speedup",
    "training.first_step",
    "training.starved",
    "training.quality",
    "training.time_to_target",
    "training.money_to_target",
)
USUAL = 0.9
"""Confidence below which an interval says how sure it is, even in a sentence."""
STARVED, PADDED = 0.1, 0.1
"""From which share on waiting for data, or padding, is spoken of: below it there is little to win."""


class Cell(NamedTuple):
    """What stands in a cell: the number, its interval, words where it isn't plainly measured, and which column it is in."""

    text: str
    range: str = ""
    marks: tuple[str, ...] = ()
    column: int = 0


class Line(NamedTuple):
    """One way to train: its name, whether it is the reference, a cell a column."""

    label: str
    reference: bool
    cells: tuple[Cell, ...]


class Ways(NamedTuple):
    """The section: which findings have a column (with its unit), a line a way, sentences, and ways that failed with the reason."""

    columns: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    sentences: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    measure: str


def section(shown: View) -> Ways | None:
    """All ways to train in the order of the study; None where none was asked for."""
    found = _by_way(shown)
    if not found:
        return None
    reference = _reference(found)
    measure = _measure(found)
    kept = {what: column for what in COLUMNS if (column := _column(found, what, measure))}
    forms = {what: form(list(column.values())) for what, column in kept.items()}
    lines = [
        Line(
            clean(way),
            way == reference,
            tuple(_cell(kept[what].get(way), forms[what], at) for at, what in enumerate(kept)),
        )
        for way in found
        if any(way in column for column in kept.values())
    ]
    return Ways(
        tuple((what, forms[what].unit) for what in kept),
        tuple(lines),
        tuple(_sentences(found, measure)),
        tuple(_failed(found)),
        measure,
    )


def _by_way(shown: View) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in shown.dossier.findings:
        if one.what.startswith("training.") and "way" in one.at:
            found.setdefault(str(one.at["way"]), []).append(one)
    return found


def _reference(found: dict[str, list[Finding]]) -> str:
    compared = ("training.speedup", "training.quality.drop")
    return next((str(one.against) for those in found.values() for one in those if one.what in compared), "")


def _measure(found: dict[str, list[Finding]]) -> str:
    """The measure of quality that the table shows: the target's, else the first that was told."""
    listed = [one for those in found.values() for one in those]
    target = next((str(one.at["target"]).split()[0] for one in listed if "target" in one.at), "")
    return target or next((str(one.at["measure"]) for one in listed if "measure" in one.at), "")


def _column(found: dict[str, list[Finding]], what: str, measure: str) -> dict[str, Finding]:
    """The finding of each way; of qualities that in the one measure. Empty where no way has a number."""
    column = {way: one for way, those in found.items() for one in those if one.what == what and _shown(one, measure)}
    return column if any(one.value is not None for one in column.values()) else {}


def _shown(one: Finding, measure: str) -> bool:
    return one.at.get("measure", measure) == measure


def _cell(one: Finding | None, how: Form, column: int) -> Cell:
    if one is None:
        return Cell("", column=column)
    if one.value is None:
        return Cell("–", "", tuple(marks(one)), column)
    return Cell(how.digits(one.number), interval(one, how), tuple(marks(one)), column)


# --- in sentences ------------------------------------------------------------------------------------------------------------


def _sentences(found: dict[str, list[Finding]], measure: str) -> Iterator[str]:
    listed = [
        (clean(way), one)
        for way, those in found.items()
        for one in those
        if one.value is not None and _shown(one, measure)
    ]
    yield from _fastest(listed)
    yield from _soonest(listed)
    yield from _not_all(listed)
    yield from _never(found)
    yield from _unfed(found)
    for way, one in listed:
        if tell := _TELLERS.get(one.what):
            yield from (text + _busy(one) for text in tell(way, one))


def _fastest(listed: list[tuple[str, Finding]]) -> Iterator[str]:
    """The way that trains fastest, where it is more than chance."""
    ratios = [
        (one.number, way, one) for way, one in listed if one.what == "training.speedup" and (one.low or 0.0) > 1.0
    ]
    if ratios:
        _, way, one = max(ratios, key=lambda each: each[0])
        yield _say("fastest", way=way, against=clean(one.against), **_numbers(one)) + _busy(one)


def _soonest(listed: list[tuple[str, Finding]]) -> Iterator[str]:
    """The way that reaches the target soonest, with what it costs. Whether others are slower by chance isn't said by this."""
    times = [(one.number, way, one) for way, one in listed if one.what == "training.time_to_target"]
    if not times:
        return
    _, way, one = min(times, key=lambda each: each[0])
    money = next((cost for of, cost in listed if of == way and cost.what == "training.money_to_target"), None)
    costs = _say("costs", **_numbers(money)) if money else ""
    yield _say("soonest", way=way, target=clean(one.at["target"]), seeds=one.n, costs=costs, **_numbers(one)) + _busy(
        one
    )


def _not_all(listed: list[tuple[str, Finding]]) -> Iterator[str]:
    timed = {way for way, one in listed if one.what == "training.time_to_target"}
    for way, one in listed:
        if one.what == "training.reached" and one.n and 0.0 < one.number < 1.0 and way in timed:
            count = round(one.number * one.n)
            yield _say("not_all", way=way, target=clean(one.at["target"]), count=count, seeds=one.n)


def _starved(way: str, one: Finding) -> Iterator[str]:
    if one.number >= STARVED and (one.low is None or one.low >= STARVED / 2):
        yield _say("starved", way=way, **_numbers(one))


def _padding(way: str, one: Finding) -> Iterator[str]:
    if one.number >= PADDED:
        yield _say("padding", way=way, **_numbers(one))


def _scaling(way: str, one: Finding) -> Iterator[str]:
    workers = int(one.at["workers"])
    ends = [f"{workers * end:.2g}" for end in (one.low, one.high) if end is not None]
    worth = f"{workers * one.number:.2g}" + (f" ({'–'.join(ends)})" if ends else "")
    yield _say("scaling", way=way, workers=workers, worth=worth, **_numbers(one))


def _quality(way: str, one: Finding) -> Iterator[str]:
    """What the way does to the quality at the end: more than chance, or how far chance leaves it open."""
    given = {"way": way, "against": clean(one.against), "measure": clean(one.at["measure"]), "seeds": one.n}
    given["size"] = f"{abs(one.number):.2g}"
    low, high = (0.0 if end is None else end for end in (one.low, one.high))
    if one.low is None or one.high is None:
        yield _say("quality_once" if one.number else "quality_once_same", **given, than=_than(one.number))
    elif low > 0 or high < 0:
        yield _say("quality_differs", **given, than=_than(low))
    elif low == high == 0:
        yield _say("quality_same", **given)
    else:
        yield _say("quality_open", **given, worse=f"{high:.2g}", better=f"{-low:.2g}")


def _busy(one: Finding) -> str:
    """What a sentence adds where the machine did other things: it may be the machine that is told of."""
    return f" {words()['training']['busy']}" if one.state is State.DISTURBED else ""


def _than(worse: float) -> str:
    said = words()["training"]
    return str(said["worse"] if worse > 0 else said["better"])


def _sooner(way: str, one: Finding) -> Iterator[str]:
    """Where it is more than chance, whichever way."""
    if (one.low or 0.0) > 1.0 or (one.high is not None and one.high < 1.0):
        yield _say("sooner", way=way, against=clean(one.against), target=clean(one.at["target"]), **_numbers(one))


_TELLERS: dict[str, Any] = {
    "training.starved": _starved,
    "training.padding": _padding,
    "training.scaling_efficiency": _scaling,
    "training.batch_effect": _quality,
    "training.quality.drop": _quality,
    "training.target_speedup": _sooner,
}


def _never(found: dict[str, list[Finding]]) -> Iterator[str]:
    """Who reaches the target in no training, or in too few for a time."""
    for way, those in found.items():
        some = any(one.what == "training.reached" and one.value for one in those)
        for one in those:
            if one.what == "training.time_to_target" and one.value is None:
                key = "seldom" if some else "never"
                yield _say(key, way=clean(way), target=clean(one.at["target"]), why=clean(one.note))


def _unfed(found: dict[str, list[Finding]]) -> Iterator[str]:
    """Of whom it can't be told how long they wait for data."""
    for way, those in found.items():
        for one in those:
            if one.what == "training.starved" and one.value is None:
                yield _say("unfed", way=clean(way), why=clean(one.note))


def _failed(found: dict[str, list[Finding]]) -> Iterator[tuple[str, str]]:
    said = words()
    for way, those in found.items():
        for one in those:
            if one.what == "training.run" and one.value is None:
                seed = said["training"]["seed"].format(seed=one.at["seed"]) if "seed" in one.at else ""
                yield clean(way) + seed, f"{said['state'][one.state]}: {clean(one.note)}"


def _numbers(one: Finding) -> dict[str, str]:
    how = form([one])
    ends = interval(one, how)
    if ends and one.level and one.level < USUAL:
        ends += words()["training"]["sure"].format(level=per_cent(one.level))
    return {"value": how.text(one.number), "range": f" ({ends})" if ends else ""}


def _say(key: str, **given: Any) -> str:
    return str(words()["training"][key]).format(**given)
