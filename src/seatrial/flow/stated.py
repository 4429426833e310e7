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
from seatrial.flow._reach import known, moved
from seatrial.flow._sampling import Sampling
from seatrial.flow.counted import Asked, Counted, Judged, Pieces, filled, independent, put_together, without_each
from seatrial.flow.measures import findings_of
from seatrial.numerics.replicates import FEWEST, difference, difference_of_worst, room_by_kind, widened

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
            yield from tried(one.info, lambda one=one: _drops(one, judged, own, reference, levels), quiet=True)  # type: ignore[misc]
        yield from tried(one.info, lambda one=one: _stated(one, pieces, judged, own, levels))  # type: ignore[misc]


def without(info: PartInfo, note: str, how: State = State.FAILED) -> list[Finding]:
    """Each finding that the metric would have given, missing and why."""
    return [missing(what, how, note) for what in info.gives.get("finding", (info.name,))]


def tried(
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
    if fault := own.faults.get(one.info.name):
        raise fault
    if not one.info.counts:
        yield from _counted_by_itself(one, pieces, judged, levels)
        return
    for question in _questions(one, judged):
        for level in levels:
            for number, measure in enumerate(question.bounded(own, level)):
                honest = measure if judged.sampling.plain else _widened(question, judged, own, measure, number)
                yield from _told(question, honest, judged, own.whole.classes)


def _told(question: _Question, measure: Measure, judged: Judged, classes: Sequence[str]) -> list[Finding]:
    """Findings of every cell, or the one of a partition's groups together."""
    if question.groups:
        return findings_of(replace(measure, at=dict(measure.at) | {"groups": question.groups}), [()])
    return _shown(measure, judged, classes)


def _shown(measure: Measure, judged: Judged, classes: Sequence[str]) -> list[Finding]:
    """The finding of all rows, and of slices unless there would be one for each of many classes; empty slices say nothing."""
    found = findings_of(measure, judged.cells)
    if "class" in measure.at and len(classes) > FEW_CLASSES:
        return found[:1]
    return [found[0], *(one for one in found[1:] if one.n)]


def _widened(question: _Question, judged: Judged, own: Counted, measure: Measure, number: int) -> Measure:
    """The measure with bounds that allow for weights and clusters; without bounds where that can't be had."""
    if measure.level is None:
        return measure
    if (why := own.undealt.get(question.one.info.name)) or own.dealt is None:
        nothing = np.full(np.shape(measure.value), np.nan)
        why = why or "its counts can't be dealt into groups"
        return replace(measure, low=nothing, high=nothing, method=f"rows are weighted or clustered, and {why}")
    again = _again(question, own)[number][:, : measure.value.size]
    groups, units = _evidence(question, judged, own, measure)
    low, high = widened(measure.value, measure.low, measure.high, again, groups, units, measure.level)
    return replace(measure, low=low, high=high, method=_methods(measure, judged.sampling))


def _evidence(question: _Question, judged: Judged, own: Counted, measure: Measure) -> tuple[Any, NDArray[np.float64]]:
    """How many groups have rows in each cell, and how many independent rows of equal weight its figure rests on."""
    groups = filled(own, question.cells)
    units = independent(judged, round(float(own.whole.sums["rows"][0])))[list(question.cells)]
    if question.groups:
        groups, units = groups.max(keepdims=True), units.sum(keepdims=True)
    return groups, np.minimum(measure.n, units) * judged.sampling.worth


def _methods(measure: Measure, sampling: Sampling) -> str | list[str]:
    what = f"{sampling.clusters} clusters" if sampling.clusters else "weighted rows"
    said = f"widened for {what} by a jackknife of {sampling.groups} groups, conservative: never narrowed"
    given = measure.method
    return f"{given}; {said}" if isinstance(given, str) else [f"{method}; {said}" if method else "" for method in given]


class _Question(NamedTuple):
    """What one metric is asked over some cells, or of a partition's groups together (`groups` names it)."""

    one: Asked
    cells: Sequence[int]
    groups: str = ""

    def values(self, tally: Tally, level: float | None) -> list[Measure]:
        """The metric's measures of these counts, without bounds where `level` is None."""
        metric, options = catalog.load(self.one.info), catalog.options(self.one.info, self.one.options)
        return list(metric.across(tally, level, options) if self.groups else metric.measures(tally, level, options))

    def bounded(self, side: Counted, level: float | None) -> list[Measure]:
        """The measures of one candidate."""
        return self.values(side.whole.take(list(self.cells)), level)


def _questions(one: Asked, judged: Judged) -> list[_Question]:
    if not one.info.across:
        return [_Question(one, range(len(judged.cells)))]
    return [_Question(one, judged.span(at), judged.sliced.names[at]) for at in judged.sliced.groups]


def _again(question: _Question, side: Counted) -> list[NDArray[np.float64]]:
    """Each measure's values without each group, (groups, cells), or (groups, 1) of groups of people together; remembered."""
    key = (question.one.info.name, str(question.one.options), question.groups)
    if key not in side.known:
        side.known[key] = _worked_out(question, side)
    found: list[NDArray[np.float64]] = side.known[key]
    return found


def _worked_out(question: _Question, side: Counted) -> list[NDArray[np.float64]]:
    """Where groups are counted in fewer bins than the whole, all move by as much as that moves the whole."""
    found, coarse = _asked_again(question, side), put_together(side, question.cells)
    if coarse is None:
        return found
    pairs = zip(question.bounded(side, None), question.values(coarse, None), strict=True)
    return [each + (whole.value - rough.value) for each, (whole, rough) in zip(found, pairs, strict=True)]


def _asked_again(question: _Question, side: Counted) -> list[NDArray[np.float64]]:
    replicates = without_each(side, question.cells, question.one.info.counts)
    if not question.groups:
        return [one.value.reshape(side.groups, -1) for one in question.values(replicates, None)]
    width = len(question.cells)
    pieces = (replicates.take(range(at * width, (at + 1) * width)) for at in range(side.groups))
    each = [[_with_choices(one) for one in question.values(piece, None)] for piece in pieces]
    return [np.stack(values) for values in zip(*each, strict=True)]


def _with_choices(measure: Measure) -> NDArray[np.float64]:
    """The value of groups together, and after it the figures of which it is the worst."""
    return measure.value if measure.among is None else np.append(measure.value, measure.among[:, 0])


# --- against the reference ------------------------------------------------------------------------------------------------


def _drops(one: Asked, judged: Judged, own: Counted, other: Counted, levels: Sequence[float]) -> Iterator[Finding]:
    """By how much worse than the reference on the same rows, for everything that has a better and a worse."""
    name = one.info.name
    if any(name in side.faults or name in side.undealt or side.dealt is None for side in (own, other)):
        return
    for question in _questions(one, judged):
        measures = question.bounded(own, None)
        if not any(measure.better for measure in measures):
            continue  # their values aren't worked out again
        pairs = zip(
            measures, question.bounded(other, None), _again(question, own), _again(question, other), strict=True
        )
        reached = _reached(question, judged, own)
        for number, pair in enumerate(pairs):
            reach = reached[number] if reached else None
            yield from _differences(question, judged, (own, other), pair, reach, levels)


def _reached(question: _Question, judged: Judged, own: Counted) -> list[NDArray[np.float64]] | None:
    """Of each measure, how far an independent row (or cluster) of each label moves it, (cells, labels); None where that isn't known."""
    if question.groups or not known(question.one.info, own.whole):
        return None
    cells = list(question.cells)
    labelled = np.asarray(own.whole.sums["confusion"])[cells].sum(axis=2)
    units = np.minimum(labelled, independent(judged, round(float(own.whole.sums["rows"][0])))[cells][:, None])
    rows = labelled / np.maximum(1e-9, units * judged.sampling.worth)
    found = moved(lambda tally: question.values(tally, None), own.whole.take(cells))
    return [one * np.maximum(1.0, rows) for one in found]


def _differences(
    question: _Question,
    judged: Judged,
    sides: tuple[Counted, Counted],
    pair: tuple[Measure, Measure, NDArray[np.float64], NDArray[np.float64]],
    reach: NDArray[np.float64] | None,
    levels: Sequence[float],
) -> Iterator[Finding]:
    """Candidate against reference in one measure, with the values of both without each group."""
    measure, reference, *without = pair
    if measure.better is None:
        return
    sign = -1.0 if measure.better == "higher" else 1.0
    groups, units = _evidence(question, judged, sides[0], measure)
    scale = 1.0 if measure.scale is None else measure.scale
    (mine, theirs, again, others), among = _figures(measure, reference, without, sign)
    for level in levels:
        if among is not None:
            bounds = difference_of_worst(mine, theirs, among, again, others, groups, units, level, scale)
        else:
            room = None
            if reach is not None:
                room = room_by_kind(reach, _tables(question, sides[0]), _tables(question, sides[1]), groups, level)
            bounds = difference(mine, theirs, again, others, groups, units, level, scale, room)
        widest = ", the widest over pairs of groups that may be farthest apart" if among is not None else ""
        made = _drop(measure, bounds, level, judged.sampling, widest)
        told = _told(question, made, judged, sides[0].whole.classes)
        yield from (found for found in told if question.groups or found.value is not None)


def _figures(
    measure: Measure, reference: Measure, without: list[NDArray[np.float64]], sign: float
) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_] | None]:
    """Candidate's and reference's figures and both without each group, the worse the higher; of the worst of some, all of these.

    Then, too, which of them take part on both sides.
    """
    if measure.among is None or reference.among is None:
        return [sign * one for one in (measure.value, reference.value, *without)], None
    own, other = np.asarray(measure.among), np.asarray(reference.among)
    found = [own[:, 0], other[:, 0], *(one[:, 1:] for one in without)]
    return [sign * one for one in found], (own[:, 1] > 0) & (other[:, 1] > 0)


def _tables(question: _Question, side: Counted) -> NDArray[np.float64]:
    """The confusion matrices in every replicate group, (groups, cells, labels, predictions)."""
    assert side.dealt is not None
    dealt = np.asarray(side.dealt.sums["confusion"])
    return dealt.reshape(-1, side.groups, *dealt.shape[1:])[list(question.cells)].swapaxes(0, 1)


def _drop(
    measure: Measure, bounds: tuple[Any, Any, Any], level: float, sampling: Sampling, widest: str = ""
) -> Measure:
    what = f" of {sampling.clusters} clusters" if sampling.clusters else ""
    method = f"paired difference, jackknife of {sampling.groups} groups{what}{widest}, with conservative room for changes not seen"
    few = f"fewer than {FEWEST} independent rows or groups of rows give no bounds"
    return replace(
        measure,
        what=f"{measure.what}.drop",
        value=bounds[0],
        low=bounds[1],
        high=bounds[2],
        level=level,
        method=list(np.where(np.isnan(bounds[1]), few, method)),
        better="lower",
        note="",
        against=True,
    )


# --- metrics with a counting of their own -----------------------------------------------------------------------------------


def _counted_by_itself(one: Asked, pieces: Pieces, judged: Judged, levels: Sequence[float]) -> Iterator[Finding]:
    """All rows, then each slice: the metric counts a slice's rows as it counts all rows."""
    metric, options = catalog.load(one.info), catalog.options(one.info, one.options)
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
