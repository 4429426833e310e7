"""The columns of the table of candidates, the same in every report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from seatrial.contracts.finding import Finding, Origin, State
from seatrial.parts.reports._numbers import Form, bound, form, interval
from seatrial.parts.reports._view import At, Row, View
from seatrial.parts.reports._words import about, words


class Cell(NamedTuple):
    """One number of the table: `value`, its `bound` or interval, `marks` for what isn't plainly measured, and why."""

    value: str
    bound: str = ""
    marks: tuple[str, ...] = ()
    note: str = ""
    number: float | None = None


class Column(NamedTuple):
    """One column: what it shows (`key` tells templates which), its unit, and a cell for each row."""

    key: str
    what: str
    name: str
    unit: str
    cells: tuple[Cell, ...]


def columns(shown: View, rows: list[Row]) -> list[Column]:
    """Speed, p90 and p99 of latency, memory, size, quality, drop and flips; only those for which there is a finding."""
    latency, quality = shown.latency_setting(), shown.quality
    wanted: tuple[tuple[str, str, At, str], ...] = (
        ("speed", "speedup", shown.setting("speedup"), "interval"),
        ("p90", "latency.p90", latency, "bound"),
        ("p99", "latency.p99", latency, "bound"),
        ("memory", "memory.peak", {}, "none"),
        ("size", "size", {}, "none"),
        ("quality", quality, {}, "interval"),
        ("drop", f"{quality}.drop", {}, "bound"),
        ("flips", "flips", {}, "none"),
    )
    made = (_column(key, what, [row.find(what, at) for row in rows], style) for key, what, at, style in wanted)
    return [column for column in made if any(cell.value for cell in column.cells)]


def _column(key: str, what: str, findings: list[Finding | None], style: str) -> Column:
    how = form([finding for finding in findings if finding is not None])
    return Column(key, what, about(what)["short"], how.unit, tuple(cell(finding, how, style) for finding in findings))


def cell(finding: Finding | None, how: Form, style: str = "interval") -> Cell:
    """One finding in the column's way of writing; empty where there is none, the state in words where it has no value."""
    if finding is None:
        return Cell("")
    if finding.value is None:
        return Cell("–", marks=(words()["state"][finding.state],), note=finding.note)
    if isinstance(finding.value, str | bool):
        return Cell(str(finding.value), marks=marks(finding), note=finding.note)
    second = {"interval": interval, "bound": bound}.get(style)
    beside = second(finding, how) if second else ""
    return Cell(how.digits(finding.number), beside, marks(finding), finding.note, finding.number)


def marks(finding: Finding) -> tuple[str, ...]:
    """Words for what isn't plain: an origin other than measured, a state other than good."""
    origin = () if finding.origin is Origin.MEASURED else (words()["origin"][finding.origin],)
    state = () if finding.state is State.OK else (words()["state"][finding.state],)
    return origin + state


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Names by reason, in order of first appearance: many things left out for one reason make one line."""
    groups: dict[str, list[str]] = {}
    for name, reason in pairs:
        groups.setdefault(reason, []).append(name)
    return groups
