"""What batches do: throughput and latency of each size on one picture, the knee, and traffic that is gathered into batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._axis import axis
from seatrial.parts.reports._charts import Tick
from seatrial.parts.reports._numbers import Form, form
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import clean, words

SECONDS, RATE, KNEE, GATHERED = "batch.seconds", "throughput", "batch.knee", "batch.p99"
MOST = 6
"""Sweeps that are drawn, those of the best candidates first; of how many more there are it is said."""


class Point(NamedTuple):
    """One batch size: rows a second to the right, seconds of a batch upwards, in per cent of the picture."""

    row: Row
    batch: int
    rate: Finding
    seconds: Finding
    x: float
    y: float
    knee: bool


class Gathered(NamedTuple):
    """p99 at one share of the largest throughput: rows one by one (None where the queue grows without end) and gathered."""

    share: float
    batch: int
    alone: Finding | None
    together: Finding | None


class Sweep(NamedTuple):
    """Candidates that differ in their batch alone."""

    name: str
    knee: Finding
    points: list[Point]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    rate_form: Form
    seconds_form: Form
    gathered: list[Gathered]
    gathered_form: Form
    why: str

    @property
    def beyond(self) -> str:
        """That the knee may lie where nothing was measured; empty where it doesn't."""
        return clean(self.knee.note)


class Sweeps(NamedTuple):
    """Those that are drawn, and how many more there are."""

    drawn: list[Sweep]
    more: int


def section(shown: View) -> Sweeps | None:
    """The sweeps in reading order; None where no batch sizes were compared."""
    found = [(row, knee) for row in shown.measured for knee in row.by_what.get(KNEE, ()) if isinstance(knee.value, int | float)]  # fmt: skip
    return Sweeps([_sweep(shown, *one) for one in found[:MOST]], max(0, len(found) - MOST)) if found else None


def brief(told: Sweeps) -> Iterator[tuple[str, str]]:
    """Each sweep in a sentence, each line with its style."""
    said = words()["batching"]
    yield said["title"], "bold"
    for one in told.drawn:
        at = next(point for point in one.points if point.knee)
        rows = said["row" if at.batch == 1 else "rows"].format(count=at.batch)
        text = said["knee"].format(
            name=one.name,
            rows=rows,
            rate=one.rate_form.text(at.rate.number),
            took=one.seconds_form.text(at.seconds.number),
        )
        if one.knee.low is not None and one.knee.high is not None and one.knee.low != one.knee.high:
            text += said["range"].format(low=int(one.knee.low), high=int(one.knee.high))
        yield f"  {text}" + (said["beyond"].format(note=one.beyond) if one.beyond else ""), ""
    if told.more:
        yield f"  {said['more'].format(count=told.more).strip()}", ""


def _sweep(shown: View, row: Row, knee: Finding) -> Sweep:
    load = {"load": knee.at["load"]}
    own = row.entry.candidate.fields() | {"batch": None}
    alike = [one for one in shown.measured if one.entry.candidate.fields() | {"batch": None} == own]
    pairs = [(one, one.find(RATE, load), one.find(SECONDS, load)) for one in alike]
    known = sorted(
        ((one, rate, took) for one, rate, took in pairs if rate is not None and took is not None),
        key=lambda pair: pair[0].entry.candidate.batch,
    )
    rates, times = [rate for _, rate, _ in known], [took for _, _, took in known]
    across, up = axis([one.number for one in rates], log=True), axis([one.number for one in times], log=True)
    rate_form, seconds_form = form(rates), form(times)
    points = [
        Point(one, batch := one.entry.candidate.batch, rate, took, across.at(rate.number), round(100 - up.at(took.number), 2), batch == knee.value)
        for one, rate, took in known
    ]  # fmt: skip
    gathered, why = _gathered(row, load["load"])
    return Sweep(
        name=row.label,
        knee=knee,
        points=points,
        x_ticks=[Tick(across.at(value), _short(rate_form, value)) for value in across.ticks(4)],
        y_ticks=[Tick(round(100 - up.at(value), 2), seconds_form.say(_short(seconds_form, value))) for value in up.ticks(4)],
        rate_form=rate_form,
        seconds_form=seconds_form,
        gathered=gathered,
        gathered_form=form([one for pair in gathered for one in (pair.alone, pair.together) if one]),
        why=why,
    )  # fmt: skip


def _short(how: Form, value: float) -> str:
    shown = value / how.divisor
    return f"{shown:,.0f}" if shown >= 100 else f"{shown:.4g}"


def _gathered(row: Row, load: object) -> tuple[list[Gathered], str]:
    """p99 by share of the traffic, and why there is none where there is none."""
    found = [one for one in row.by_what.get(GATHERED, ()) if one.at.get("load") == load]
    sizes = {int(one.at["batch"]) for one in found if "batch" in one.at}
    by = {(one.at.get("share"), one.at.get("batch")): one if one.value is not None else None for one in found}
    shares = sorted({float(one.at["share"]) for one in found if "share" in one.at})
    most = max(sizes, default=1)
    told = [Gathered(share, most, by.get((share, 1)), by.get((share, most))) for share in shares]
    return told, next((one.note for one in found if "share" not in one.at), "")
