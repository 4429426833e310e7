"""What metrics that look at all rows at once make of answers: values, bounds by replicate groups, differences from the reference.

Every statement is the metric asked again under other weights of the rows: those of a slice, and those without each replicate
group (`numerics/replicates.py`), the same groups for the candidate and the reference. Metrics that say `CANNOT` of `slices`
are asked of all rows alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch, Figure
from seatrial.contracts.tally import Measure
from seatrial.flow.counted import Asked, Judged, Pieces, independent
from seatrial.flow.measures import findings_of
from seatrial.flow.stated import tried
from seatrial.numerics.replicates import difference
from seatrial.numerics.resampled import FEW, bounds, flattered

Floats = NDArray[np.float64]
MOST_CELLS = 60
"""Slices that such a metric is asked of."""


class Side(NamedTuple):
    """One model's figures in each cell, with all its rows and without each replicate group: `values` (1 + groups,).

    `counts` are the rows that each figure rests on, `filled` how many groups have rows in the cell.
    """

    figures: list[list[Figure]]
    counts: list[list[int]]
    filled: list[int]
    rows: int


def whole(pieces: Pieces) -> Batch:
    """All rows in one batch."""
    batches = [batch for _, batch in pieces()]
    first = batches[0]

    def joined(sides: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
        if sides[0] is None:
            return None
        return {name: np.concatenate([np.asarray(side[name]) for side in sides if side]) for name in sides[0]}

    labels = None if first.labels is None else np.concatenate([np.asarray(one.labels) for one in batches])
    answers = joined([one.answers for one in batches]) or {}
    return replace(first, answers=answers, labels=labels, reference=joined([one.reference for one in batches]))


def look(one: Asked, batch: Batch, judged: Judged) -> Side:
    """The metric's figures of these rows under all weightings. Raises what the metric raises."""
    metric, options = catalog.load(one.info), catalog.options(one.info, one.options)
    rows = len(next(iter(batch.answers.values())))
    seen = metric.see(batch, options)
    weight = judged.sampling.weight(0, rows)
    base = np.ones(rows) if weight is None else np.asarray(weight, np.float64)
    group = judged.sampling.group(0, rows)
    side = Side([], [], [], rows)
    for members in _cells(one, judged, rows):
        own = base * members
        alone = (group[None, :] != np.arange(judged.sampling.groups)[:, None]) * own
        found = list(metric.figures(seen, np.vstack([own, alone]), options))
        side.figures.append(found)
        side.counts.append([int(np.count_nonzero(figure.rows & (own > 0))) for figure in found])
        side.filled.append(len(np.unique(group[own > 0])))
    return side


def _places(one: Asked, judged: Judged) -> list[int]:
    """Numbers of the cells that the metric is asked of."""
    cells = len(judged.cells)
    slices = cells - judged.aside
    asked = 1 if "slices" in one.info.cannot else min(slices, MOST_CELLS + 1)
    return [*range(asked), *range(slices, cells)]


def _cells(one: Asked, judged: Judged, rows: int) -> Iterator[NDArray[np.bool_]]:
    """The rows of each of these cells."""
    partitions = judged.partitions(0, rows)
    found = [np.ones(rows, bool)]
    found += [partition.codes == code for partition in partitions for code in range(len(partition.cells))]
    yield from (found[place] for place in _places(one, judged))


def state(
    asked: Sequence[Asked], pieces: Pieces, reference: Pieces | None, judged: Judged, levels: Sequence[float], key: Any
) -> Iterator[tuple[PartInfo, Finding]]:
    """All findings of such metrics of one candidate, each with its metric. The reference, known by its `key`, is looked at once."""
    if not asked:
        return
    batch = whole(pieces)
    for one in asked:

        def made(one: Asked = one) -> Iterator[Finding]:
            own = look(one, batch, judged)
            other = None if reference is None or one.info.paired else _reference(one, reference, judged, key)
            return _stated(one, own, other, judged, levels)

        yield from tried(one.info, made)


def _reference(one: Asked, pieces: Pieces, judged: Judged, key: Any) -> Side:
    known = ("whole", one.info.name, str(one.options), key)
    if known not in judged.known:
        judged.known[known] = look(one, whole(pieces), judged)
    found: Side = judged.known[known]
    return found


def _stated(one: Asked, own: Side, other: Side | None, judged: Judged, levels: Sequence[float]) -> Iterator[Finding]:
    """Findings of every figure in every cell, and how much worse than `other`, the reference, each is."""
    places = _places(one, judged)
    units = independent(judged, own.rows)
    for at, place in enumerate(places):
        cell = judged.cells[place]
        for number, figure in enumerate(own.figures[at]):
            n = own.counts[at][number]
            if place and not n:
                continue
            theirs = other.figures[at][number] if other is not None and not one.info.paired else None
            worth = np.array([min(n, units[place]) * judged.sampling.worth])
            for level in levels:
                yield from findings_of(_value(one, figure, own.filled[at], worth, level, n), [cell])
                if theirs is not None and np.isfinite(figure.values[0]) and np.isfinite(theirs.values[0]):
                    yield from findings_of(_drop(figure, theirs, own.filled[at], worth, level, n, judged), [cell])


def _value(one: Asked, figure: Figure, filled: int, worth: Floats, level: float, n: int) -> Measure:
    value, without = figure.values[:1], figure.values[1:, None]
    nothing = np.full(1, np.nan)
    if figure.exact or np.isnan(value[0]):
        return _measure(one, figure, value, nothing, nothing, n, figure.method, None)
    if figure.flattering:
        found = flattered(value, without, np.array([filled]), worth, level)
    else:
        found = bounds(value, without, np.array([filled]), worth, level, figure.share)
    method = str(np.ravel(found.method)[0])
    told = method if method == FEW else f"{figure.method}; {method}" if figure.method else method
    return _measure(one, figure, value, found.low, found.high, n, told, level)


def _measure(
    one: Asked, figure: Figure, value: Floats, low: Floats, high: Floats, n: int, method: str, level: float | None
) -> Measure:
    return Measure(
        what=figure.what,
        value=value,
        low=low,
        high=high,
        n=np.array([n]),
        method=method,
        better=figure.better,
        at=figure.at,
        note=figure.note,
        against=one.info.paired,
        level=level,
    )


def _drop(figure: Figure, theirs: Figure, filled: int, worth: Floats, level: float, n: int, judged: Judged) -> Measure:
    """By how much worse than the reference, with the groups that both were asked again without."""
    sign = -1.0 if figure.better == "higher" else 1.0
    mine, other = sign * np.asarray(figure.values), sign * np.asarray(theirs.values)
    again = [np.where(np.isnan(one), one[0], one)[1:, None] for one in (mine, other)]
    scale = 1.0 if figure.share else np.abs(other[:1])
    value, low, high = difference(mine[:1], other[:1], again[0], again[1], np.array([filled]), worth, level, scale)
    if figure.exact:
        low = high = np.full(1, np.nan)
    what = f" of {judged.sampling.clusters} clusters" if judged.sampling.clusters else ""
    told = f"paired difference, jackknife of {filled} groups{what}, with conservative room for changes not seen"
    return Measure(
        what=f"{figure.what}.drop",
        value=value,
        low=low,
        high=high,
        n=np.array([n]),
        method="difference of these rows alone" if figure.exact else FEW if np.isnan(low[0]) else told,
        better="lower",
        at=figure.at,
        against=True,
        level=None if figure.exact else level,
    )
