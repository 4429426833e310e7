"""The exam for metrics that look at all rows at once: weights are weights, order doesn't matter, nothing raises, no row is no value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch, Figure
from seatrial.testing._batches import Made, made_for, take

ROWS, DIMENSIONS, ITEMS = 160, 6, 20


def exam(part: PartInfo, module: Any, options: Any) -> None:
    """Try a metric on made-up answers of each task that it accepts. Raises `AssertionError`."""
    own = {"embedding": vectors, "detection": boxes}
    tasks = part.accepts.get("task", ())
    made = [Made(own[task], lambda make=own[task]: _extremes(make)) for task in tasks if task in own] + made_for(part)
    for random, extremes in made:
        for seed in range(3):
            batch = random(ROWS, seed)
            found = _figures(module, options, batch, np.ones((1, ROWS)))
            assert found, "there is at least one figure"
            _are_statements(part, found)
            _order_does_not_matter(module, options, batch, seed)
            _weights_stand_alone(module, options, batch, seed)
            _only_the_scale_of_weights(module, options, batch)
        for batch in (take(random(40, 0), np.arange(0)), *extremes()):
            rows = len(next(iter(batch.answers.values())))
            for one in _figures(module, options, batch, np.ones((2, rows))):
                assert np.shape(one.values) == (2,), f"{one.what}: one value for each weighting"
                assert rows or np.isnan(one.values).all(), f"{one.what}: no rows have no value"


def vectors(rows: int, seed: int = 0) -> Batch:
    """Vectors near one of twenty middles, and a reference whose vectors are near them."""
    rng = np.random.default_rng(seed)
    items = rng.integers(0, ITEMS, rows)
    made = rng.normal(size=(ITEMS, DIMENSIONS))[items] + rng.normal(scale=0.6, size=(rows, DIMENSIONS))
    near = made + rng.normal(scale=0.1, size=made.shape)
    labels = np.stack([items, np.zeros(rows, np.int64)], axis=1)
    return Batch({"vectors": made.astype(np.float32)}, labels, {"vectors": near.astype(np.float32)})


def boxes(rows: int, seed: int = 0) -> Batch:
    """Up to three boxes a row of two classes, found more or less well, one of them sometimes a crowd."""
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 60, (rows, 3, 2)), rng.uniform(5, 120, (rows, 3, 2))
    truth = np.concatenate([corner, corner + size], axis=2)
    kind = np.where(rng.random((rows, 3)) < 0.7, rng.integers(0, 2, (rows, 3)), -1)
    crowd, area = rng.random((rows, 3)) < 0.1, size.prod(axis=2)
    labels = np.concatenate([truth, kind[..., None], crowd[..., None], area[..., None]], axis=2)

    def found(noise: float) -> dict[str, Any]:
        moved = truth + rng.normal(scale=noise, size=truth.shape)
        guessed = np.where(rng.random((rows, 3)) < 0.9, np.where(kind < 0, 0, kind), -1)
        return {"boxes": moved, "confidence": rng.random((rows, 3)), "found": guessed}

    return Batch(found(4.0), labels, found(3.0), classes=("cat", "dog"))


def _extremes(make: Any) -> Iterator[Batch]:
    """One row; all answers alike; nothing that is labelled alike, or nothing labelled at all."""
    yield take(make(40, 1), np.arange(1))
    batch = make(40, 1)
    yield take(batch, np.zeros(40, np.int64))
    labels = np.array(batch.labels)
    if labels.ndim == 2:
        labels[:, 0] = np.arange(40)
    else:
        labels[..., 4] = -1
    yield replace(batch, labels=labels)


def _figures(module: Any, options: Any, batch: Batch, weights: Any) -> list[Figure]:
    try:
        return list(module.figures(module.see(batch, options), weights, options))
    except Exception as error:
        from seatrial.errors import SeatrialError

        if isinstance(error, SeatrialError):
            return []  # a refusal in words, such as too few rows
        raise


def _are_statements(part: PartInfo, found: list[Figure]) -> None:
    keys = [(one.what, str(one.at)) for one in found]
    assert len(set(keys)) == len(keys), f"two figures say the same thing: {keys}"
    for one in found:
        assert one.what in part.gives["finding"], f"{one.what} isn't among the findings that GIVES names"
        assert np.shape(one.values) == (1,), f"{one.what}: one value for each weighting"
        assert np.shape(one.rows) == (ROWS,), f"{one.what}: says of each row whether it counts"
        assert one.method, f"{one.what}: the method is said"
        assert np.isfinite(one.values).all(), f"{one.what}: there is a value"
        assert not one.share or (0 <= one.values[0] <= 1), f"{one.what}: a share lies in 0 to 1"


def _order_does_not_matter(module: Any, options: Any, batch: Batch, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(ROWS)
    weights = np.random.default_rng(seed).integers(0, 3, (2, ROWS)).astype(float)
    given = _figures(module, options, batch, weights)
    mixed = _figures(module, options, take(batch, order), weights[:, order])
    for one, other in zip(given, mixed, strict=True):
        assert np.allclose(one.values, other.values, atol=1e-6), f"{one.what}: depends on the order of rows"


def _weights_stand_alone(module: Any, options: Any, batch: Batch, seed: int) -> None:
    """Several weightings at once are as good as one after the other; all rows left out is no value."""
    weights = np.random.default_rng(seed).integers(0, 3, (3, ROWS)).astype(float)
    weights[2] = 0
    together = _figures(module, options, batch, weights)
    for place in range(3):
        alone = _figures(module, options, batch, weights[place : place + 1])
        for one, other in zip(together, alone, strict=True):
            assert np.allclose(one.values[place], other.values[0], equal_nan=True), f"{one.what}: weightings mix"
    for one in together:
        assert np.isnan(one.values[2]), f"{one.what}: without any row there is no value"


def _only_the_scale_of_weights(module: Any, options: Any, batch: Batch) -> None:
    one, three = (_figures(module, options, batch, np.full((1, ROWS), weight)) for weight in (1.0, 3.0))
    for first, second in zip(one, three, strict=True):
        assert np.allclose(first.values, second.values), f"{first.what}: three times the weight is another value"
