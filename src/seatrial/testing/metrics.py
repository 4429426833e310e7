"""The exam for metrics of classification: shards merge to the whole, order doesn't matter, bounds are bounds, nothing raises.

Metrics that are computed from shared counts (they declare `COUNTS`) sit it cell by cell, too (`testing/_counted.py`); those that look at
all rows at once (`WHOLE`) under several weightings (`testing/_whole.py`).

from seatrial import catalog
from seatrial.testing.metrics import exam

exam(catalog.find("metrics", "./my_metric.py"))
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch
from seatrial.testing import _counted as counted
from seatrial.testing import _whole as at_once
from seatrial.testing._batches import (
    CLASSES,
    LEVELS,
    ROWS,
    are_statements,
    batch_of,
    extremes,
    hold,
    random_batch,
    take,
    too_few,
)

__all__ = ["CLASSES", "LEVELS", "ROWS", "batch_of", "exam", "random_batch", "take"]


def exam(part: PartInfo, given: dict[str, Any] | None = None) -> None:
    """Try a metric on made-up answers of four classes, with `given` options. Raises `AssertionError`."""
    module = catalog.load(part)
    if "favourable" in catalog.options_type(module).model_fields:
        given = {"favourable": CLASSES[0]} | (given or {})
    options = catalog.options(part, given)
    if part.whole:
        at_once.exam(part, module, options)
        return
    if part.counts:
        (counted.exam_of_groups if part.across else counted.exam)(part, module, options)
        return
    for seed in range(3):
        batch = random_batch(ROWS, seed)
        _shards_merge_to_the_whole(module, options, batch, seed)
        _order_does_not_matter(module, options, batch, seed)
        state = module.count(batch, options)
        are_statements(lambda level, state=state: module.findings(state, level, options), part.paired)  # type: ignore[misc]
    _state_can_be_kept(module, options)
    _no_rows_is_too_few(module, options)
    _extremes_are_survived(module, options)


def _shards_merge_to_the_whole(module: Any, options: Any, batch: Batch, seed: int) -> None:
    """Any cut, empty shards among them, merged in any order; whole numbers exactly; what is merged stays as it was."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, ROWS + 1, size=6))
    shards = [module.count(take(batch, rows), options) for rows in np.split(np.arange(ROWS), [*cuts, ROWS])]
    before = json.dumps(shards)
    merged = shards[0]
    for shard in shards[1:]:
        merged = module.merge(merged, shard) if rng.random() < 0.5 else module.merge(shard, merged)
    assert json.dumps(shards) == before, "merge changed a state that it was given"
    _same(merged, module.count(batch, options), "merged shards and the whole")


def _order_does_not_matter(module: Any, options: Any, batch: Batch, seed: int) -> None:
    mixed = take(batch, np.random.default_rng(seed).permutation(ROWS))
    _same(module.count(mixed, options), module.count(batch, options), "rows in another order")


def _state_can_be_kept(module: Any, options: Any) -> None:
    """The state goes through JSON unchanged, and doesn't grow with the rows."""
    state = module.count(random_batch(2000), options)
    kept = json.loads(json.dumps(state, allow_nan=False))
    assert kept == state, "a state is plain numbers, lists and dicts with names as keys"
    assert list(module.findings(kept, 0.95, options)) == list(module.findings(state, 0.95, options))
    large = module.count(random_batch(20_000), options)
    assert len(json.dumps(large)) < 1.5 * len(json.dumps(state)) + 100, "the state grows with the rows"


def _no_rows_is_too_few(module: Any, options: Any) -> None:
    empty = module.count(take(random_batch(5), np.arange(0)), options)
    too_few(list(module.findings(empty, 0.95, options)))


def _extremes_are_survived(module: Any, options: Any) -> None:
    """Finite statements all, also from a state that was kept."""
    for batch in extremes():
        state = module.count(batch, options)
        for level in LEVELS:
            for one in module.findings(json.loads(json.dumps(state, allow_nan=False)), level, options):
                hold(one)


def _same(one: Any, other: Any, what: str) -> None:
    """Equal states: whole numbers exactly, others to rounding."""
    if isinstance(other, dict):
        assert one.keys() == other.keys(), f"{what}: {one.keys()} and {other.keys()}"
        for key in other:
            _same(one[key], other[key], f"{what}, {key}")
    elif isinstance(other, list):
        assert len(one) == len(other), what
        for mine, theirs in zip(one, other, strict=True):
            _same(mine, theirs, what)
    elif isinstance(other, float):
        assert math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9), f"{what}: {one} and {other}"
    else:
        assert one == other, f"{what}: {one} and {other}"
