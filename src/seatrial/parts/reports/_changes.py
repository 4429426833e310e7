"""Two runs side by side as a reader looks at them: what is told first, and each number with what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from seatrial.contracts.changes import Call, Changes, Shift
from seatrial.contracts.finding import Finding
from seatrial.parts.reports._numbers import Form, form, interval
from seatrial.parts.reports._page import number
from seatrial.parts.reports._words import about, clean, words

FIRST = ("speedup", "latency.p99", "throughput", "memory.peak", "size", "accuracy", "accuracy.drop", "flips")
"""Findings that are shown whether or not they changed."""

TOLD = (Call.WORSE, Call.BETTER, Call.CHANGED, Call.APPEARED, Call.GONE)
"""What is always shown, in this order."""


class Line(NamedTuple):
    """One finding then and now: its name with setting, both numbers, the change with its bounds, and what it comes to."""

    shift: Shift
    name: str
    before: str
    after: str
    change: str
    bounds: str
    call: str
    why: str


class Block(NamedTuple):
    """The findings of one candidate: those that are told, and those of which nothing can be said."""

    label: str
    told: tuple[Line, ...]
    rest: tuple[Line, ...]
    same: int


def blocks(changes: Changes) -> list[Block]:
    """One block for each candidate that both runs have; those with most to tell first, else in their order."""
    by_label: dict[str, list[Shift]] = {}
    for shift in changes.shifts:
        by_label.setdefault(shift.label, []).append(shift)
    made = [_block(label, shifts) for label, shifts in by_label.items()]
    return sorted(made, key=lambda block: -sum(line.shift.call in TOLD for line in block.told))


def counts(changes: Changes) -> dict[Call, int]:
    """How many findings of each call."""
    return {call: sum(shift.call is call for shift in changes.shifts) for call in Call}


def _block(label: str, shifts: list[Shift]) -> Block:
    told = [one for one in shifts if one.call in TOLD or (one.finding.what in FIRST and not one.finding.slice)]
    rest = [one for one in shifts if one not in told and one.call is not Call.SAME]
    told.sort(key=lambda one: (one.call not in TOLD, TOLD.index(one.call) if one.call in TOLD else 0))
    same = sum(one.call is Call.SAME for one in shifts if one not in told)
    return Block(label, tuple(map(line, told)), tuple(map(line, rest)), same)


def line(shift: Shift) -> Line:
    """A finding as a line."""
    finding, said = shift.finding, words()["changes"]
    how = form(list(_valued((shift.before, shift.after))))
    at = ", ".join(f"{key} {value}" for key, value in finding.at.items())
    where = " and ".join(map(str, finding.slice))
    extra = ", ".join(text for text in (at, where) if text)
    name = f"{about(finding.what)['name']}{f' ({extra})' if extra else ''}"
    change, bounds = _change(shift, how)
    return Line(
        shift,
        clean(name),
        _said(shift.before, how),
        _said(shift.after, how),
        change,
        bounds,
        str(said["call"][shift.call]),
        clean(shift.why),
    )


def _valued(findings: Iterable[Finding | None]) -> Iterable[Finding]:
    return (one for one in findings if one is not None and one.value is not None)


def _said(finding: Finding | None, how: Form) -> str:
    if finding is None:
        return "–"
    if finding.value is None or isinstance(finding.value, str | bool):
        return clean(number(finding))
    beside = interval(finding, how)
    return f"{how.text(finding.number)}{f' ({beside})' if beside else ''}"


def _change(shift: Shift, how: Form) -> tuple[str, str]:
    """The change and its bounds: `×1.07` and `×0.83 to ×1.36`, or `−0.04 pp` and `−0.14 to 0.05`."""
    if shift.change is None or shift.call is Call.SAME:
        return "", ""
    if shift.ratio:
        bounds = f"×{shift.low:.3g} to ×{shift.high:.3g}" if shift.low and shift.high else ""
        return f"×{shift.change:.3g}", bounds
    step = how._replace(unit="pp" if how.unit == "%" else how.unit)
    both = shift.low is not None and shift.high is not None
    bounds = f"{step.digits(shift.low or 0.0)} to {step.digits(shift.high or 0.0)}" if both else ""
    sign = "+" if shift.change > 0 else ""
    return f"{sign}{step.text(shift.change)}", bounds
