"""What the study's metrics make of answers: counted once for all of them and for all slices, then stated.

    plain rows                    a metric's own intervals
    weighted or clustered rows    the same, widened by replicate groups (`numerics/replicates.py`)
    against the reference         `<metric>.drop`: by how much worse than the reference on the same rows, by the same groups
    groups of people              metrics that compare groups (`ACROSS`), over each partition under `measure.groups`

A metric that raises, ours or the user's, leaves its findings missing and the study goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Measure, Tally
from seatrial.errors import SeatrialError, Unsupported
from seatrial.flow._sampling import Sampling
from seatrial.flow.counted import Asked, Counted, Judged, Pieces, without_each
from seatrial.flow.measures import findings_of
from seatrial.numerics.replicates import difference, spread, widened

FEW_CLASSES = 2
"""With more classes than this, slices are told of averages and not of every class."""
MOST_OWN_CELLS = 200
"""Slices that a metric with a counting of its own is counted in, one by one."""


def state(
    asked: Sequence[Asked],
    pieces: Pieces,
    judged: Judged,
    own: Counted,
    reference: Counted | None,
    levels: Sequence[float],
) -> Iterator[tuple[PartInfo, Finding]]:
    """All findings of one candidate, each with the metric that made it; paired ones where the reference was counted, too."""
    for one in asked:
        if reference is not None and not one.info.paired and one.info.counts:
            yield from _tried(one.info, lambda one=one: _drops(one, judged, own, reference, levels), quiet=True)  # type: ignore[misc]
        yield from _tried(one.info, lambda one=one: _stated(one, pieces, judged, own, levels))  # type: ignore[misc]


def without(info: PartInfo, note: str, how: State = State.FAILED) -> list[Finding]:
    """Each finding that the metric would have given, missing and why."""
    return [missing(what, how, note) for what in info.gives.get("finding", (info.name,))]


def _tried(
    info: PartInfo, make: Callable[[], Iterable[Finding]], quiet: bool = False
) -> Iterator[tuple[PartInfo, Finding]]:
    """What a metric states, or that it could not; `quiet` where the same metric says so elsewhere."""
    try:
        found = list(make())
    except SeatrialError as error:
        found = without(info, error.what, State.UNSUPPORTED if isinstance(error, Unsupported) else State.FAILED)
        found = [] if quiet else found
    except Exception as error:  # noqa: BLE001 - it becomes a finding
        found = [] if quiet else without(info, f"it raised {type(error).__name__}: {error}")
    yield from ((info, one) for one in found)


def _stated(one: Asked, pieces: Pieces, judged: Judged, own: Counted, levels: Sequence[float]) -> Iterator[Finding]:
    metric, options = catalog.load(one.info), catalog.options(one.info, one.options)
    if fault := own.faults.get(one.info.name):
        raise fault
    if not one.info.counts:
        yield from _counted_by_itself(metric, options, pieces, judged, levels)
        return
    assert own.whole is not None
    for level in levels:
        if one.info.across:
            yield from _across(one, metric, options, judged, own, level)
        else:
            for number, measure in enumerate(metric.measures(own.whole, level, options)):
                honest = (
                    measure if judged.sampling.plain else _widened(one, metric, options, judged, own, measure, number)
                )
                yield from _shown(honest, judged, own.whole.classes)


def _shown(measure: Measure, judged: Judged, classes: Sequence[str]) -> list[Finding]:
    """The finding of all rows, and of slices unless there would be one for each of many classes; empty slices say nothing."""
    found = findings_of(measure, judged.cells)
    if "class" in measure.at and len(classes) > FEW_CLASSES:
        return found[:1]
    return [found[0], *(one for one in found[1:] if one.n)]


def _widened(
    one: Asked, metric: Any, options: Any, judged: Judged, own: Counted, measure: Measure, number: int
) -> Measure:
    """The measure with bounds that allow for weights and clusters; without bounds where that can't be had."""
    if measure.level is None:
        return measure
    nothing = np.full(np.shape(measure.value), np.nan)
    replicates = None if one.info.name in own.undealt else without_each(own, range(len(judged.cells)))
    if replicates is None:
        why = own.undealt.get(one.info.name, "its counts can't be dealt into groups")
        return replace(measure, low=nothing, high=nothing, method=f"rows are weighted or clustered, and {why}")
    again = list(metric.measures(replicates, None, options))[number]
    error = spread(measure.value, again.value.reshape(own.groups, -1))
    low, high = widened(measure.value, measure.low, measure.high, error, own.groups, measure.level)
    return replace(measure, low=low, high=high, method=_methods(measure, judged.sampling))


def _methods(measure: Measure, sampling: Sampling) -> str | list[str]:
    what = f"{sampling.clusters} clusters" if sampling.clusters else "weighted rows"
    said = f"widened for {what} by a jackknife of {sampling.groups} groups"
    given = measure.method
    return f"{given}; {said}" if isinstance(given, str) else [f"{method}; {said}" if method else "" for method in given]


class _Question(NamedTuple):
    """One metric's values, over some cells, or of a partition's groups together (`groups` names it)."""

    key: tuple[str, str, str]
    values: Callable[[Tally], Iterable[Measure]]
    cells: Sequence[int]
    groups: str = ""


def _questions(one: Asked, judged: Judged) -> list[_Question]:
    metric, options = catalog.load(one.info), catalog.options(one.info, one.options)
    key = (one.info.name, str(one.options))
    if not one.info.across:
        return [_Question((*key, ""), lambda tally: metric.measures(tally, None, options), range(len(judged.cells)))]
    named = [(judged.sliced.names[at], judged.span(at)) for at in judged.sliced.groups]
    return [
        _Question((*key, name), lambda tally: metric.across(tally, None, options), span, name) for name, span in named
    ]


def _drops(one: Asked, judged: Judged, own: Counted, other: Counted, levels: Sequence[float]) -> Iterator[Finding]:
    """By how much worse than the reference on the same rows, for everything that has a better and a worse."""
    name = one.info.name
    if any(name in side.faults or name in side.undealt or side.dealt is None for side in (own, other)):
        return
    for question in _questions(one, judged):
        mine = _replicated(question, own)
        if any(measure.better for measure, _ in mine):
            yield from _differences(
                question, judged, own, list(zip(mine, _replicated(question, other), strict=True)), levels
            )


_Replicated = tuple[Measure, NDArray[np.float64]]


def _differences(
    question: _Question,
    judged: Judged,
    own: Counted,
    pairs: Sequence[tuple[_Replicated, _Replicated]],
    levels: Sequence[float],
) -> Iterator[Finding]:
    """Candidate against reference, each measure in turn."""
    assert own.whole is not None
    for (measure, replicates), (reference, others) in pairs:
        if measure.better is None:
            continue
        sign = -1.0 if measure.better == "higher" else 1.0
        one, other, without_one, without_other = (
            sign * each for each in (measure.value, reference.value, replicates, others)
        )
        for level in levels:
            scale = 1.0 if measure.scale is None else measure.scale
            bounds = difference(one, other, without_one, without_other, measure.n, level, scale)
            made = _drop(measure, bounds, level, judged.sampling)
            if question.groups:
                yield from findings_of(replace(made, at=dict(made.at) | {"groups": question.groups}), [()])
            else:
                yield from (found for found in _shown(made, judged, own.whole.classes) if found.value is not None)


def _drop(measure: Measure, bounds: tuple[Any, Any, Any], level: float, sampling: Sampling) -> Measure:
    what = f" of {sampling.clusters} clusters" if sampling.clusters else ""
    return replace(
        measure,
        what=f"{measure.what}.drop",
        value=bounds[0],
        low=bounds[1],
        high=bounds[2],
        level=level,
        method=f"paired difference, jackknife of {sampling.groups} groups{what}",
        better="lower",
        note="",
        against=True,
    )


def _replicated(question: _Question, side: Counted) -> list[_Replicated]:
    """Each measure, with its values without each group: (groups, cells), or (groups, 1) of groups of people together.

    Measures without a better and a worse are never held against anything: their values aren't worked out again.
    """
    if question.key not in side.known:
        assert side.whole is not None
        measured = list(question.values(side.whole.take(list(question.cells))))
        wanted = any(one.better for one in measured)
        side.known[question.key] = (
            _again(question, side, measured) if wanted else [(one, one.value) for one in measured]
        )
    found: list[_Replicated] = side.known[question.key]
    return found


def _again(question: _Question, side: Counted, measured: Sequence[Measure]) -> list[_Replicated]:
    replicates = without_each(side, question.cells)
    assert replicates is not None
    if not question.groups:
        again = [one.value.reshape(side.groups, -1) for one in question.values(replicates)]
        return list(zip(measured, again, strict=True))
    width = len(question.cells)
    pieces = (replicates.take(range(at * width, (at + 1) * width)) for at in range(side.groups))
    each = [[one.value for one in question.values(piece)] for piece in pieces]
    return [(one, np.stack([values[index] for values in each])) for index, one in enumerate(measured)]


def _across(one: Asked, metric: Any, options: Any, judged: Judged, own: Counted, level: float) -> Iterator[Finding]:
    """Gaps between the groups of each partition."""
    assert own.whole is not None
    for question in _questions(one, judged):
        again: list[_Replicated] = []
        if not judged.sampling.plain and one.info.name not in own.undealt:
            again = _again(question, own, list(question.values(own.whole.take(list(question.cells)))))
        for number, measure in enumerate(metric.across(own.whole.take(list(question.cells)), level, options)):
            honest = measure
            if again and measure.level is not None:
                error = spread(measure.value, again[number][1])
                low, high = widened(measure.value, measure.low, measure.high, error, own.groups, measure.level)
                honest = replace(measure, low=low, high=high, method=_methods(measure, judged.sampling))
            yield from findings_of(replace(honest, at=dict(measure.at) | {"groups": question.groups}), [()])


# --- metrics with a counting of their own -----------------------------------------------------------------------------------


def _counted_by_itself(
    metric: Any, options: Any, pieces: Pieces, judged: Judged, levels: Sequence[float]
) -> Iterator[Finding]:
    """All rows, then each slice: the metric counts a slice's rows as it counts all rows."""
    if not judged.sampling.plain:
        raise Unsupported("rows are weighted or clustered, which a metric with a counting of its own doesn't know")
    cells = judged.cells[: MOST_OWN_CELLS + 1]
    states: list[Any] = [None] * len(cells)
    for start, batch in pieces():
        rows = len(next(iter(batch.answers.values())))
        for at, members in enumerate(_members(judged, start, rows, len(cells))):
            if members is None or members.any():
                counted = metric.count(batch if members is None else _of(batch, members), options)
                states[at] = counted if states[at] is None else metric.merge(states[at], counted)
    for level in levels:
        for cell, kept in zip(cells, states, strict=True):
            if kept is not None:
                for found in metric.findings(kept, level, options):
                    yield found.model_copy(update={"slice": cell}) if cell else found


def _members(judged: Judged, start: int, rows: int, most: int) -> Iterator[NDArray[np.bool_] | None]:
    """Of each cell the rows of a piece that are in it; None for all."""
    yield None
    given = 1
    for partition in judged.partitions(start, start + rows):
        for code in range(len(partition.cells)):
            if given == most:
                return
            given += 1
            yield partition.codes == code


def _of(batch: Batch, members: NDArray[np.bool_]) -> Batch:
    """These rows of a batch."""
    return replace(
        batch,
        answers={name: values[members] for name, values in batch.answers.items()},
        labels=None if batch.labels is None else batch.labels[members],
        reference=None if batch.reference is None else {name: one[members] for name, one in batch.reference.items()},
    )
