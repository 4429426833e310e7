"""The exam for metrics of classification: shards merge to the whole, order doesn't matter, bounds are bounds, nothing raises.

from seatrial import catalog
from seatrial.testing.metrics import exam

exam(catalog.find("metrics", "./my_metric.py"))
"""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Batch

CLASSES = ("coat", "bag", "no", "3")
ROWS = 700
LEVELS = (0.5, 0.9, 0.95, 0.998)


def exam(part: PartInfo, given: dict[str, Any] | None = None) -> None:
    """Try a metric on made-up answers of four classes, with `given` options. Raises `AssertionError`."""
    module, options = catalog.load(part), catalog.options(part, given)
    for seed in range(3):
        batch = random_batch(ROWS, seed)
        _shards_merge_to_the_whole(module, options, batch, seed)
        _order_does_not_matter(module, options, batch, seed)
        _findings_are_statements(module, options, batch, part.paired)
    _state_can_be_kept(module, options)
    _no_rows_is_too_few(module, options)
    _extremes_are_survived(module, options)


def random_batch(rows: int, seed: int = 0) -> Batch:
    """Answers right two times in three, a reference that differs by noise, labels of all classes but unevenly."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(CLASSES), size=rows, p=[0.5, 0.3, 0.15, 0.05])
    logits = rng.normal(size=(rows, len(CLASSES))) + 1.5 * np.eye(len(CLASSES))[truth]
    return batch_of(logits, truth, logits + rng.normal(scale=0.3, size=logits.shape))


def batch_of(logits: Any, truth: Any, reference: Any) -> Batch:
    """A batch of these logits, shapes (rows, 4), with the probabilities that belong to them; `truth` has shape (rows,)."""
    return Batch(
        answers=_answers(np.asarray(logits, np.float64)),
        labels=np.asarray(truth, np.int64),
        reference=_answers(np.asarray(reference, np.float64)),
        classes=CLASSES,
    )


def take(batch: Batch, rows: Any) -> Batch:
    """These rows of a batch."""
    assert batch.labels is not None
    assert batch.reference is not None
    return Batch(
        answers={name: values[rows] for name, values in batch.answers.items()},
        labels=batch.labels[rows],
        reference={name: values[rows] for name, values in batch.reference.items()},
        classes=batch.classes,
    )


def _answers(logits: Any) -> dict[str, Any]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return {"scores": logits, "probabilities": powers / powers.sum(axis=1, keepdims=True)}


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


def _findings_are_statements(module: Any, options: Any, batch: Batch, paired: bool) -> None:
    """Each says its n, replication and method; bounds hold the value and widen with the level; classes go by their names."""
    state = module.count(batch, options)
    found = {level: list(module.findings(state, level, options)) for level in LEVELS}
    assert found[0.95], "there is at least one finding"
    keys = [finding.key for finding in found[0.95]]
    assert len(set(keys)) == len(keys), f"two findings say the same thing: {keys}"
    for level, statements in found.items():
        for one in statements:
            _is_statement(one, level, paired)
    for narrow, wide in itertools.pairwise(LEVELS):
        for one, other in zip(found[narrow], found[wide], strict=True):
            assert one.key == other.key
            assert one.value == other.value, f"{one.key}: the value depends on the level"
            assert _wider(other, one), f"{one.key}: bounds at {wide} aren't wider than at {narrow}"


def _is_statement(one: Finding, level: float, paired: bool) -> None:
    assert one.n == ROWS or ("class" in one.at and 0 < (one.n or 0) <= ROWS), f"{one.key}: n is {one.n}, not {ROWS}"
    assert one.unit_of_replication == "rows"
    assert one.method, f"{one.key}: the method is said"
    assert (one.against == "reference") == paired, f"{one.key}: against {one.against}"
    assert one.candidate is None, "the flow fills in the candidate"
    assert one.at.get("class", CLASSES[0]) in CLASSES, f"{one.key}: a class goes by its name"
    bounds = [number for number in (one.low, one.high) if number is not None]
    assert not bounds or one.level == level, f"{one.key}: level {one.level} instead of {level}"
    assert one.low is None or one.low <= one.number, f"{one.key}: the value lies below its low bound"
    assert one.high is None or one.number <= one.high, f"{one.key}: the value lies above its high bound"


def _wider(wide: Finding, narrow: Finding) -> bool:
    pairs = ((wide.low, narrow.low), (narrow.high, wide.high))
    return all(least is None or most is None or least <= most + 1e-12 for least, most in pairs)


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
    found = list(module.findings(empty, 0.95, options))
    assert found, "no rows are said"
    assert all(one.value is None and one.state is State.TOO_FEW and one.note for one in found), "no rows are too few"


def _extremes_are_survived(module: Any, options: Any) -> None:
    """One row; an absent class; a perfect, a constant and a random classifier; certain and wrong: finite statements all."""
    rng = np.random.default_rng(9)
    truth, two = rng.integers(0, 4, 200), rng.integers(0, 2, 200)
    sure, constant = 1000.0 * np.eye(4), np.tile([3.0, 0, 0, 0], (200, 1))
    for batch in (
        take(random_batch(3), np.arange(1)),
        take(random_batch(3), np.arange(2)),
        batch_of(sure[truth], truth, sure[truth]),
        batch_of(sure[(truth + 1) % 4], truth, sure[truth]),
        batch_of(sure[two], two, constant),
        batch_of(constant, truth, sure[truth]),
        batch_of(rng.normal(size=(200, 4)), two, rng.normal(size=(200, 4))),
    ):
        state = module.count(batch, options)
        for level in LEVELS:
            for one in module.findings(json.loads(json.dumps(state, allow_nan=False)), level, options):
                assert one.value is not None or one.note, f"{one.key}: a missing finding says why"
                assert one.low is None or one.low <= one.number
                assert one.high is None or one.number <= one.high


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
