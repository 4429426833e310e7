"""The pictures of the page as positions on axes. The templates draw them, and write the same numbers in a table beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._axis import Axis, axis
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._view import At, Row, View

HEIGHT = 340
"""Height of the scatter's plot in pixels; widths are per cent."""


class Tick(NamedTuple):
    """A round number on an axis."""

    at: float
    text: str


class Line(NamedTuple):
    """A line across the picture: a limit, or the reference."""

    at: float
    text: str
    kind: str


class Mark(NamedTuple):
    """One candidate in a picture: positions of its bounds and points; `finding` and `text` say the same in words."""

    row: Row
    low: float
    high: float
    points: tuple[float, ...]
    findings: tuple[Finding, ...]
    y: float = 0.0
    y_low: float = 0.0
    y_high: float = 0.0


class Chart(NamedTuple):
    """A picture: its marks, its ticks, the lines across it, and how its numbers are written."""

    kind: str
    what: str
    setting: At
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    form: Form
    log: bool
    y_ticks: tuple[Tick, ...] = ()
    y_lines: tuple[Line, ...] = ()
    y_form: Form = Form(1.0, "")


def charts(shown: View) -> list[Chart]:
    """The pictures for which there are numbers, in reading order."""
    made = (tradeoff(shown), speed(shown), latency(shown), quality(shown))
    return [chart for chart in made if chart is not None]


def speed(shown: View) -> Chart | None:
    """Speed against the reference with its interval, one row a candidate; the reference is the line at 1."""
    setting = shown.setting("speedup")
    pairs = _found(shown, "speedup", setting)
    if not pairs:
        return None
    scale = axis(_ends(pairs), log=True, around=(1.0,))
    lines = [Line(scale.at(1.0), "", "reference")]
    return _forest("speed", "speedup", setting, pairs, scale, lines)


def quality(shown: View) -> Chart | None:
    """The measure of quality with its interval, one row a candidate; limits and the reference are lines."""
    what = shown.quality
    pairs = _found(shown, what, {})
    if not pairs:
        return None
    limits, how = shown.limits(what), form([finding for _, finding in pairs])
    scale = axis(_ends(pairs), around=limits)
    reference = [finding.number for row, finding in pairs if row.entry.reference]
    lines = [Line(scale.at(limit), how.text(limit), "limit") for limit in limits]
    lines += [Line(scale.at(value), "", "reference") for value in reference]
    return _forest("quality", what, {}, pairs, scale, lines)


def latency(shown: View) -> Chart | None:
    """Median, p90 and p99 of latency with the bound of p99, one row a candidate; limits on p99 are lines."""
    setting = shown.latency_setting()
    names = ("latency.p50", "latency.p90", "latency.p99")
    rows = [(row, tuple(f for what in names if (f := _numeric(row, what, setting)))) for row in shown.measured]
    rows = [(row, found) for row, found in rows if found]
    if not rows:
        return None
    every = [finding for _, found in rows for finding in found]
    limits, how = shown.limits("latency.p99"), form(every)
    values = [end for finding in every for end in (finding.number, finding.high or finding.number)]
    near = [limit for limit in limits if limit < 20 * max(values)]
    scale = axis(values, log=max(values) > 4 * min(values), around=near if min(values) > 0 else (0.0, *near))
    lines = tuple(Line(scale.at(limit), how.text(limit), "limit") for limit in near)
    marks = tuple(_range(row, found, scale) for row, found in rows)
    return Chart("latency", "latency.p99", dict(setting), marks, _ticks(scale, how), lines, how, scale.log)


def tradeoff(shown: View) -> Chart | None:
    """Speed (to the right) against the drop in quality (downwards), with both intervals, and the margin as a line."""
    setting, what = shown.setting("speedup"), f"{shown.quality}.drop"
    both = [(row, _numeric(row, "speedup", setting), _numeric(row, what, {})) for row in shown.measured]
    pairs = [(row, fast, drop) for row, fast, drop in both if fast is not None and drop is not None]
    if not pairs:
        return None
    asked = ((shown.quality, "margin"), (what, "margin"), (what, "bound"))
    margins = list(dict.fromkeys(limit for name, key in asked for limit in shown.limits(name, key)))
    scale = axis(_ends([(row, fast) for row, fast, _ in pairs]), log=True, around=(1.0,))
    down = axis(_ends([(row, drop) for row, _, drop in pairs]), around=(0.0, *margins))
    how, y_how = form([fast for _, fast, _ in pairs]), form([drop for _, _, drop in pairs])
    marks = tuple(_point(row, fast, drop, scale, down) for row, fast, drop in pairs)
    limits = tuple(Line(_y(down, margin), y_how.text(margin), "limit") for margin in margins)
    nothing = Line(_y(down, 0.0), shown.reference.label if shown.reference else "", "reference")
    return Chart(
        "tradeoff",
        what,
        dict(setting),
        marks,
        _ticks(scale, how),
        (Line(scale.at(1.0), "", "reference"),),
        how,
        scale.log,
        tuple(Tick(_y(down, value), _short(y_how.digits(value))) for value in down.ticks()),
        (nothing, *limits),
        y_how,
    )


def _forest(
    kind: str, what: str, setting: At, pairs: list[tuple[Row, Finding]], scale: Axis, lines: list[Line]
) -> Chart:
    how = form([finding for _, finding in pairs])
    marks = tuple(_bar(row, finding, scale) for row, finding in pairs)
    return Chart(kind, what, dict(setting), marks, _ticks(scale, how), tuple(lines), how, scale.log)


def _bar(row: Row, finding: Finding, scale: Axis) -> Mark:
    low, high = _bounds(finding)
    return Mark(row, scale.at(low), scale.at(high), (scale.at(finding.number),), (finding,))


def _range(row: Row, found: tuple[Finding, ...], scale: Axis) -> Mark:
    points = tuple(scale.at(finding.number) for finding in found)
    return Mark(row, points[0], scale.at(_bounds(found[-1])[1]), points, found)


def _point(row: Row, fast: Finding, drop: Finding, scale: Axis, down: Axis) -> Mark:
    (low, high), (least, most) = _bounds(fast), _bounds(drop)
    across = (scale.at(low), scale.at(high), (scale.at(fast.number),), (fast, drop))
    return Mark(row, *across, _y(down, drop.number), _y(down, least), _y(down, most))


def _y(down: Axis, value: float) -> float:
    return round(down.at(value) * HEIGHT / 100, 1)


def _ticks(scale: Axis, how: Form) -> tuple[Tick, ...]:
    brief = how._replace(decimals=None)
    return tuple(Tick(scale.at(value), _short(brief.digits(value))) for value in scale.ticks())


def _short(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _found(shown: View, what: str, setting: At) -> list[tuple[Row, Finding]]:
    pairs = [(row, _numeric(row, what, setting)) for row in shown.measured]
    return [(row, finding) for row, finding in pairs if finding is not None]


def _numeric(row: Row, what: str, setting: At) -> Finding | None:
    finding = row.find(what, setting)
    return finding if finding and isinstance(finding.value, int | float) else None


def _bounds(finding: Finding) -> tuple[float, float]:
    value = finding.number
    return (value if finding.low is None else finding.low, value if finding.high is None else finding.high)


def _ends(pairs: Sequence[tuple[Row, Finding]]) -> list[float]:
    return [end for _, finding in pairs for end in (*_bounds(finding), finding.number)]
