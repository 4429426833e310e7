"""Made-up answers of four classes for the exams of metrics, and what every finding must be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from seatrial.contracts.finding import Finding, State
from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch
from seatrial.testing import _tasks_batches as others

CLASSES = ("coat", "bag", "no", "3")
ROWS = 700
LEVELS = (0.5, 0.9, 0.95, 0.998)

Find = Callable[[float], Sequence[Finding]]
"""The findings of some rows at a level."""


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


class Made(NamedTuple):
    """Made-up answers of one task: random ones of so many rows (and a seed), and extreme ones."""

    random: Callable[..., Batch]
    extremes: Callable[[], Iterator[Batch]]


def made_for(part: PartInfo) -> list[Made]:
    """Made-up answers of each task that a metric accepts; of classes where it doesn't say."""
    tasks = part.accepts.get("task", ("classification",))
    known = {
        "classification": Made(random_batch, extremes),
        "regression": Made(others.numbers, others.number_extremes),
        "multi_label": Made(others.sets, others.set_extremes),
    }
    return [known[task] for task in tasks if task in known]


def take(batch: Batch, rows: Any) -> Batch:
    """These rows of a batch."""
    return replace(
        batch,
        answers={name: values[rows] for name, values in batch.answers.items()},
        labels=None if batch.labels is None else batch.labels[rows],
        reference=None if batch.reference is None else {name: values[rows] for name, values in batch.reference.items()},
        weights=None if batch.weights is None else batch.weights[rows],
    )


def extremes() -> Iterator[Batch]:
    """One row; two; a perfect and a wholly wrong model, both certain; two of four classes; all scores alike; mere chance."""
    rng = np.random.default_rng(9)
    truth, two = rng.integers(0, 4, 200), rng.integers(0, 2, 200)
    sure, constant = 1000.0 * np.eye(4), np.tile([3.0, 0, 0, 0], (200, 1))
    yield take(random_batch(3), np.arange(1))
    yield take(random_batch(3), np.arange(2))
    yield batch_of(sure[truth], truth, sure[truth])
    yield batch_of(sure[(truth + 1) % 4], truth, sure[truth])
    yield batch_of(sure[two], two, constant)
    yield batch_of(constant, truth, sure[truth])
    yield batch_of(np.zeros((200, 4)), truth, constant)
    yield batch_of(sure[np.zeros(200, int)], np.zeros(200, int), sure[truth])
    yield batch_of(rng.normal(size=(200, 4)), two, rng.normal(size=(200, 4)))


def are_statements(find: Find, paired: bool) -> None:
    """Each says its n, replication and method; bounds hold the value and widen with the level; classes go by their names."""
    found = {level: list(find(level)) for level in LEVELS}
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
            assert wider(other, one), f"{one.key}: bounds at {wide} aren't wider than at {narrow}"


def _is_statement(one: Finding, level: float, paired: bool) -> None:
    part = {"class", "bin"} & one.at.keys()  # a statement on some of the rows says on which
    assert one.n == ROWS or (part and 0 < (one.n or 0) <= ROWS), f"{one.key}: n is {one.n}, not {ROWS}"
    assert one.unit_of_replication == "rows"
    assert one.method, f"{one.key}: the method is said"
    assert (one.against == "reference") == paired, f"{one.key}: against {one.against}"
    assert one.candidate is None, "the flow fills in the candidate"
    assert one.at.get("class", CLASSES[0]) in CLASSES, f"{one.key}: a class goes by its name"
    assert one.at.get("target", others.TARGETS[0]) in others.TARGETS, f"{one.key}: a target goes by its name"
    bounds = [number for number in (one.low, one.high) if number is not None]
    assert not bounds or one.level == level, f"{one.key}: level {one.level} instead of {level}"
    hold(one)


def hold(one: Finding) -> None:
    """A value within its bounds, or a note that says why there is none."""
    assert one.value is not None or one.note, f"{one.key}: a missing finding says why"
    assert one.low is None or one.low <= one.number, f"{one.key}: the value lies below its low bound"
    assert one.high is None or one.number <= one.high, f"{one.key}: the value lies above its high bound"


def too_few(found: Sequence[Finding]) -> None:
    """No rows are said, and nothing is made up of them."""
    assert found, "no rows are said"
    assert all(one.value is None and one.state is State.TOO_FEW and one.note for one in found), "no rows are too few"


def wider(wide: Finding, narrow: Finding) -> bool:
    """Whether the bounds of one finding lie within those of the other."""
    pairs = ((wide.low, narrow.low), (narrow.high, wide.high))
    return all(least is None or most is None or least <= most + 1e-12 for least, most in pairs)


def _answers(logits: Any) -> dict[str, Any]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return {"scores": logits, "probabilities": powers / powers.sum(axis=1, keepdims=True)}
