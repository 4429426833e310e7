"""The exam for metrics that are computed from shared counts: as for others, and every cell's are those of its rows alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import numpy as np

from seatrial.contracts.finding import Condition, Finding
from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Partition, Tally
from seatrial.flow.measures import findings_of
from seatrial.numerics.counting import tally
from seatrial.testing._batches import (
    LEVELS,
    ROWS,
    Made,
    are_statements,
    hold,
    made_for,
    random_batch,
    take,
    too_few,
    wider,
)


def exam(part: PartInfo, module: Any, options: Any) -> None:
    """Try a counted metric on made-up answers of each task that it accepts. Raises `AssertionError`."""
    for made in made_for(part):
        _exam(part, module, options, made)


def _exam(part: PartInfo, module: Any, options: Any, made: Made) -> None:
    counted = partial(tally, counters=part.counts)
    for seed in range(3):
        batch = made.random(ROWS, seed)
        whole = counted(batch, ())
        find = partial(findings, module, options, whole)
        are_statements(find, part.paired)
        _same(find(0.95), findings(module, options, _sharded(counted, batch, seed), 0.95), "merged shards")
        mixed = take(batch, np.random.default_rng(seed).permutation(ROWS))
        _same(find(0.95), findings(module, options, counted(mixed, ()), 0.95), "rows in another order")
        _cells_are_their_rows(counted, module, options, batch, seed)
        _weights_are_repeats(counted, module, options, batch, part)
        _values_alone_are_the_values(module, options, whole)
    too_few(findings(module, options, counted(take(made.random(5), np.arange(0)), ()), 0.95))
    for batch in made.extremes():
        for level in LEVELS:
            for one in findings(module, options, counted(batch, ()), level):
                hold(one)


def exam_of_groups(part: PartInfo, module: Any, options: Any) -> None:
    """Try a metric that compares groups (`ACROSS`): shards merge, values stand without a level, bounds hold and widen, no rows are survived."""
    rng = np.random.default_rng(5)
    for rows in (8 * ROWS, 12, 0):
        batch, groups = random_batch(rows, 1), rng.integers(0, 3, rows)
        cells = tuple((Condition(column="group", relation="==", value=one),) for one in range(3))
        halves = [
            tally(take(batch, half), [Partition(cells, groups[half])], part.counts)
            for half in np.split(np.arange(rows), [rows // 3])
        ]
        whole = tally(batch, [Partition(cells, groups)], part.counts).take(range(1, 4))
        found = {level: _across(module, options, whole, level) for level in LEVELS}
        _same(
            found[0.95], _across(module, options, halves[1].merge(halves[0]).take(range(1, 4)), 0.95), "merged shards"
        )
        assert found[0.95], "there is at least one finding"
        for narrow, wide in itertools.pairwise(LEVELS):
            for one, other in zip(found[narrow], found[wide], strict=True):
                hold(one)
                assert wider(other, one), f"{one.key}: bounds at {wide} aren't wider than at {narrow}"
        alone = [float(one.value[0]) for one in module.across(whole, None, options)]
        for value, one in zip(alone, found[0.95], strict=True):
            assert _close(None if math.isnan(value) else value, one.value), (
                f"{one.key}: without a level it has another value"
            )


def _across(module: Any, options: Any, groups: Tally, level: float) -> list[Finding]:
    return [one for measure in module.across(groups, level, options) for one in findings_of(measure, [()])]


def findings(module: Any, options: Any, counts: Tally, level: float) -> list[Finding]:
    """What a metric states of every cell of a tally."""
    return [one for measure in module.measures(counts, level, options) for one in findings_of(measure, counts.cells)]


def _sharded(counted: Any, batch: Batch, seed: int) -> Tally:
    """Any cut, empty shards among them, merged in any order."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, ROWS + 1, size=6))
    shards: list[Tally] = [counted(take(batch, rows), ()) for rows in np.split(np.arange(ROWS), [*cuts, ROWS])]
    return reduce(lambda one, other: one.merge(other) if rng.random() < 0.5 else other.merge(one), shards)


def _cells_are_their_rows(counted: Any, module: Any, options: Any, batch: Batch, seed: int) -> None:
    """Two columns, one with rows in none of its cells, and a cell without rows: what is said of a cell is said of its rows."""
    rng = np.random.default_rng(seed)
    columns = {"first": (rng.integers(-1, 3, ROWS), 4), "second": (rng.integers(0, 2, ROWS), 2)}
    partitions = [
        Partition(tuple((Condition(column=name, relation="==", value=one),) for one in range(cells)), codes)
        for name, (codes, cells) in columns.items()
    ]
    rows = [np.arange(ROWS)] + [
        np.flatnonzero(codes == cell) for codes, cells in columns.values() for cell in range(cells)
    ]
    counts = counted(batch, partitions)
    for measure in zip(
        *(findings_of(one, counts.cells) for one in module.measures(counts, 0.95, options)), strict=True
    ):
        cell = counts.cells.index(measure[0].slice)
        alone = findings(module, options, counted(take(batch, rows[cell]), ()), 0.95)
        _same([one.model_copy(update={"slice": ()}) for one in measure], alone, f"cell {cell} and its rows alone")


def _values_alone_are_the_values(module: Any, options: Any, counts: Tally) -> None:
    """Without a level there are the same values, and no bounds."""
    for one, other in zip(module.measures(counts, None, options), module.measures(counts, 0.95, options), strict=True):
        assert one.what == other.what
        assert np.array_equal(one.value, other.value, equal_nan=True), (
            f"{one.what}: without a level it has another value"
        )
        assert np.isnan(one.low).all(), f"{one.what}: without a level it has a bound"
        assert np.isnan(one.high).all(), f"{one.what}: without a level it has a bound"


def _weights_are_repeats(counted: Any, module: Any, options: Any, batch: Batch, part: PartInfo) -> None:
    """A row of weight 2 is two rows, as far as values go."""
    if "weights" in part.cannot:
        return
    weights = np.random.default_rng(1).integers(1, 3, ROWS)
    heavy = findings(module, options, counted(replace(batch, weights=weights.astype(float)), ()), 0.95)
    twice = findings(module, options, counted(take(batch, np.repeat(np.arange(ROWS), weights)), ()), 0.95)
    for one, other in zip(heavy, twice, strict=True):
        assert _close(one.value, other.value), f"{one.key}: a weight of 2 gives {one.value}, two rows {other.value}"


def _same(one: Sequence[Finding], other: Sequence[Finding], what: str) -> None:
    """Equal findings, numbers to rounding."""
    assert [f.key for f in one] == [f.key for f in other], f"{what}: other findings"
    for mine, theirs in zip(one, other, strict=True):
        for name in ("value", "low", "high"):
            first, second = getattr(mine, name), getattr(theirs, name)
            assert _close(first, second), f"{what}: {mine.key}, {name} is {first} and {second}"
        for name in ("n", "state", "method", "note"):
            assert getattr(mine, name) == getattr(theirs, name), f"{what}: {mine.key}, {name} differs"


def _close(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
