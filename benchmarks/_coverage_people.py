"""Populations whose every figure is known, from which `coverage.py` draws rows: answers, labels, and a reference's answers.

A population is finite and large; rows are drawn from it with replacement, so that its own figure is the truth exactly. Rows of
a cluster stand next to each other, all clusters alike in size. `weight` is what a row weighs where rows are drawn by chances of
one over it, so that weighted rows stand for the population.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.quality import Batch

Floats = NDArray[np.float64]
ROWS = 100_000
EACH = 8
"""Rows of a cluster."""


class People(NamedTuple):
    """All rows, which of some groups of people each belongs to (rows,), and what it weighs where rows are weighted (rows,)."""

    batch: Batch
    group: NDArray[np.int64]
    weight: Floats


Make = Callable[[], People]


def two(
    rate: float, sharp: float = 2.0, bent: float = 1.2, noise: float = 0.3, groups: tuple[float, ...] = (1.0,)
) -> Make:
    """Two classes: `rate` of the rows have the second; the truth's logit is `sharp` times a normal, the model's `bent` times that.

    `noise` is how far the candidate's logits are from the reference's. Groups have these shares of the rows, each later one
    is served a little worse.
    """
    return partial(_two, rate, sharp, bent, noise, groups)


def _two(rate: float, sharp: float, bent: float, noise: float, groups: tuple[float, ...]) -> People:
    rng = np.random.default_rng(1)
    group = rng.choice(len(groups), p=groups, size=ROWS)
    z = sharp * _together(rng, ROWS)
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _expit(z + middle).mean() < rate else (low, middle)
    logit = z + low
    truth = (rng.random(ROWS) < _expit(logit)).astype(np.int64)
    reference = bent * logit + 0.3 * rng.normal(size=ROWS)
    own = reference + noise * (_together(rng, ROWS) + 0.3 * group) - 0.1 * noise
    batch = Batch(_of_two(own), truth, _of_two(reference), classes=("no", "yes"))
    return People(batch, group, _weights(rng, truth))


def several(shares: tuple[float, ...], clear: float = 2.0) -> Make:
    """One of several classes, as common as `shares`; the label's logit is `clear` higher."""
    return partial(_several, shares, clear)


def _several(shares: tuple[float, ...], clear: float) -> People:
    rng = np.random.default_rng(2)
    count = len(shares)
    truth = rng.choice(count, p=np.array(shares) / sum(shares), size=ROWS)
    logits = (
        rng.normal(size=(ROWS, count))
        + clear * np.eye(count)[truth]
        + 0.5 * _together(rng, ROWS)[:, None] * np.eye(count)[0]
    )
    reference = 1.3 * logits + np.log(np.array(shares) / sum(shares))
    own = reference + 0.3 * rng.normal(size=logits.shape)
    batch = Batch(_of_several(own), truth, _of_several(reference), classes=tuple("abcdefghijkl"[:count]))
    return People(batch, rng.integers(0, 2, ROWS), _weights(rng, truth == count - 1))


def sets(shares: tuple[float, ...]) -> Make:
    """Any number of labels a row, as common as `shares`, that go together."""
    return partial(_sets, shares)


def _sets(shares: tuple[float, ...]) -> People:
    rng = np.random.default_rng(3)
    common = _together(rng, ROWS)[:, None]
    latent = 0.5 * common + np.sqrt(0.75) * rng.normal(size=(ROWS, len(shares)))
    cuts = np.array([np.quantile(latent[:, place], 1 - share) for place, share in enumerate(shares)])
    truth = (latent > cuts).astype(np.int8)
    reference = 4.0 * (latent - cuts) + rng.normal(size=latent.shape)
    own = reference + 0.4 * rng.normal(size=latent.shape)
    batch = Batch(_of_sets(own), truth, _of_sets(reference), classes=tuple("abcdefgh"[: len(shares)]))
    return People(batch, rng.integers(0, 2, ROWS), _weights(rng, truth[:, -1]))


def numbers(law: str, quantiles: tuple[float, ...] = ()) -> Make:
    """Predicted numbers whose errors follow a law: normal, `t5` (heavy tails), `skewed` (labels log-normal,
    errors by their size). No label is near 0.

    With `quantiles` these are what is predicted, for some rows farther apart than for others.
    """
    return partial(_numbers, law, quantiles)


def _numbers(law: str, quantiles: tuple[float, ...]) -> People:
    rng = np.random.default_rng(4)
    middle = 2.0 * _together(rng, ROWS)
    error = rng.standard_t(5, ROWS) if law == "t5" else rng.normal(size=ROWS)
    label, middle = middle + 0.5 * error + 20.0, middle + 20.0
    if law == "skewed":
        label, middle = (np.exp(0.3 * (one - 15.0)) for one in (label, middle))
    predicted, reference = (middle + spread * rng.normal(size=ROWS) for spread in (0.2, 0.1))
    if quantiles:
        from seatrial.numerics.distributions import normal_quantile

        away = 0.5 * np.array([normal_quantile(one) for one in quantiles])
        wide = np.exp(0.3 * rng.normal(size=(ROWS, 1)))
        sides = ((predicted, wide * np.exp(0.1 * rng.normal(size=(ROWS, 1)))), (reference, wide))
        own, other = ({"quantiles": (one[:, None] + away * by)[:, None, :]} for one, by in sides)
    else:
        own, other = ({"values": one[:, None]} for one in (predicted, reference))
    about = {"centre": (float(label[:1000].mean()),)} | ({"quantiles": quantiles} if quantiles else {})
    batch = Batch(own, label, other, classes=("y",), about=about)
    return People(batch, rng.integers(0, 2, ROWS), _weights(rng, label > np.quantile(label, 0.9)))


GALLERY = 400


def vectors(spread: float) -> Make:
    """Vectors near one of 40 middles; the first 400 rows are found, all others ask."""
    return partial(_vectors, spread)


def _vectors(spread: float) -> People:
    rng = np.random.default_rng(5)
    rows = 20_000
    items = rng.integers(0, 40, rows)
    made = (
        rng.normal(size=(40, 8))[items]
        + spread * rng.normal(size=(rows, 8))
        + 0.5 * spread * _together(rng, rows)[:, None]
    )
    near = made + 0.1 * rng.standard_t(3, size=made.shape)
    role = np.where(np.arange(rows) < GALLERY, 2, 1)
    labels = np.stack([items, role], axis=1)
    batch = Batch({"vectors": near.astype(np.float32)}, labels, {"vectors": made.astype(np.float32)})
    return People(batch, rng.integers(0, 2, rows), np.ones(rows))


def boxes(noise: float) -> Make:
    """Up to three boxes of two classes an image, one of them rare; the candidate's are farther off."""
    return partial(_boxes, noise)


def _boxes(noise: float) -> People:
    rng = np.random.default_rng(6)
    rows = 4_000
    corner, size = rng.uniform(0, 60, (rows, 3, 2)), rng.uniform(15, 120, (rows, 3, 2))
    truth = np.concatenate([corner, corner + size], axis=2)
    kind = np.where(rng.random((rows, 3)) < 0.7, (rng.random((rows, 3)) < 0.25).astype(int), -1)
    labels = np.concatenate([truth, kind[..., None], np.zeros((rows, 3, 1)), size.prod(axis=2)[..., None]], axis=2)
    moved = truth + rng.normal(scale=noise, size=truth.shape)
    seen = np.where(rng.random((rows, 3)) < 0.9, np.where(kind < 0, (rng.random((rows, 3)) < 0.3) - 1, kind), -1)
    confidence = np.clip(0.5 + 0.25 * (kind >= 0) + 0.2 * rng.normal(size=(rows, 3)), 0.01, 0.99)
    reference = {"boxes": moved, "confidence": confidence, "found": seen}
    own = {
        "boxes": moved + rng.normal(scale=0.3 * noise, size=truth.shape),
        "confidence": np.clip(confidence + 0.05 * rng.normal(size=(rows, 3)), 0.01, 0.99),
        "found": np.where(rng.random((rows, 3)) < 0.97, seen, -1),
    }
    return People(Batch(own, labels, reference, classes=("cat", "dog")), rng.integers(0, 2, rows), np.ones(rows))


def _together(rng: np.random.Generator, rows: int) -> Floats:
    """Normal numbers, a third of whose variance rows of a cluster share."""
    shared = np.repeat(rng.normal(size=-(-rows // EACH)), EACH)[:rows]
    return np.asarray(np.sqrt(1 / 3) * shared + np.sqrt(2 / 3) * rng.normal(size=rows))


def _weights(rng: np.random.Generator, rare: NDArray[np.generic]) -> Floats:
    """Rows of the rare kind are drawn twice as often and weigh half; and weights differ by chance."""
    return np.asarray(rng.lognormal(sigma=0.4, size=len(rare)) * np.where(np.asarray(rare) > 0, 0.5, 1.0))


def _of_two(logit: Floats) -> dict[str, Floats]:
    p = _expit(logit)
    both = np.stack([1.0 - p, p], axis=1)
    return {"scores": both, "probabilities": both}


def _of_several(logits: Floats) -> dict[str, Floats]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return {"scores": logits, "probabilities": powers / powers.sum(axis=1, keepdims=True)}


def _of_sets(logits: Floats) -> dict[str, Floats]:
    p = _expit(logits)
    return {"scores": p, "probabilities": p, "chosen": p >= 0.5}  # type: ignore[dict-item]


def _expit(logit: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -700, 700))))
