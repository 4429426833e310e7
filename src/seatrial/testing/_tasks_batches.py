"""Made-up answers for the exams of metrics that aren't of classes: predicted numbers, and several labels a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from seatrial.contracts.quality import Batch

TARGETS = ("price", "no")
QUANTILES = (0.1, 0.5, 0.9)
LABELS = ("coat", "bag", "no", "3")
CENTRE = 40.0


def numbers(rows: int, seed: int = 0) -> Batch:
    """Two targets around 40, one with heavy tails, three quantiles each, and a reference that differs by noise."""
    rng = np.random.default_rng(seed)
    truth = CENTRE + 3.0 * rng.normal(size=(rows, len(TARGETS)))
    errors = np.stack([rng.normal(size=rows), rng.standard_t(4, size=rows)], axis=1)
    return numbers_of(truth, truth - errors, truth - errors + 0.1 * rng.normal(size=errors.shape))


def numbers_of(truth: Any, values: Any, reference: Any) -> Batch:
    """A batch of these numbers, (rows, 2) each; the outer quantiles lie 1.3 below and above the value."""
    return Batch(
        answers=_with_quantiles(np.asarray(values, np.float64)),
        labels=np.asarray(truth, np.float64),
        reference=_with_quantiles(np.asarray(reference, np.float64)),
        classes=TARGETS,
        about={"quantiles": QUANTILES, "centre": (CENTRE,) * len(TARGETS)},
    )


def number_extremes() -> Iterator[Batch]:
    """One row; two; labels all alike; no errors; errors all alike; labels of 0; huge and tiny numbers; a model that knows nothing."""
    rng = np.random.default_rng(9)
    truth, noise = CENTRE + rng.normal(size=(200, 2)), rng.normal(size=(200, 2))
    alike = np.full((200, 2), 0.1)
    yield numbers_of(truth[:1], truth[:1] + 1, truth[:1])
    yield numbers_of(truth[:2], truth[:2] + noise[:2], truth[:2])
    yield numbers_of(alike, alike + noise, alike)
    yield numbers_of(alike, alike, alike + 1)
    yield numbers_of(truth, truth, truth)
    yield numbers_of(truth, truth + 1, truth)
    yield numbers_of(np.zeros((200, 2)), noise, noise)
    yield numbers_of(np.where(truth > CENTRE, truth, 0.0), truth + noise, truth)
    yield numbers_of(1e29 * noise, 1e29 * truth, 1e29 * noise)
    yield numbers_of(1e-40 * noise, 1e-40 * truth, 1e-40 * noise)
    yield numbers_of(1e6 + 1e-3 * noise, np.full((200, 2), 1e6), np.full((200, 2), -1e6))


def sets(rows: int, seed: int = 0) -> Batch:
    """Four labels that go together, from common to rare, found two times in three, and a reference that differs by noise."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(rows, 1))
    truth = common + rng.normal(size=(rows, len(LABELS))) > np.array([0.0, 0.5, 1.0, 2.0])
    logits = 2.0 * truth - 1.0 + rng.normal(size=truth.shape) + 0.5 * common
    return sets_of(logits, truth, logits + rng.normal(scale=0.3, size=logits.shape))


def sets_of(logits: Any, truth: Any, reference: Any) -> Batch:
    """A batch of these logits, (rows, 4), each label chosen from 0 on."""
    return Batch(
        answers=_with_choices(np.asarray(logits, np.float64)),
        labels=np.asarray(truth, np.int8),
        reference=_with_choices(np.asarray(reference, np.float64)),
        classes=LABELS,
    )


def set_extremes() -> Iterator[Batch]:
    """One row; two; all right; all wrong; no labels at all; all labels; none chosen; a label that nobody has; mere chance."""
    rng = np.random.default_rng(9)
    truth, noise = rng.integers(0, 2, (200, 4)), rng.normal(size=(200, 4))
    sure = 1000.0 * (2 * truth - 1)
    yield sets_of(noise[:1], truth[:1], noise[:1])
    yield sets_of(noise[:2], truth[:2], noise[:2])
    yield sets_of(sure, truth, sure)
    yield sets_of(-sure, truth, sure)
    yield sets_of(np.full((200, 4), -1.0), np.zeros((200, 4)), sure)
    yield sets_of(noise, np.ones((200, 4)), sure)
    yield sets_of(np.full((200, 4), -1.0), truth, noise)
    yield sets_of(noise, truth * np.array([1, 0, 1, 0]), noise)
    yield sets_of(noise, truth, np.zeros((200, 4)))


def _with_quantiles(values: Any) -> dict[str, Any]:
    return {"values": values, "quantiles": values[:, :, None] + np.array([-1.3, 0.0, 1.3])}


def _with_choices(logits: Any) -> dict[str, Any]:
    made = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return {"scores": logits, "probabilities": made, "chosen": made >= 0.5}
