"""A small network for classes, fitted quickly: one hidden layer, cross-entropy, Adam. For looking at rows, not for answering with.

What its hidden layer makes of a row is a representation that was learnt from the rows themselves, poisoned ones included.
Source of the optimiser: Kingma & Ba (2015), "Adam: a method for stochastic optimization".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
FIRST, SECOND, LEAST = 0.9, 0.999, 1e-8
"""How fast Adam's moments forget, and what keeps its step finite."""


class Net(NamedTuple):
    """relu(x w0 + b0) w1 + b1."""

    w0: Floats
    b0: Floats
    w1: Floats
    b1: Floats

    def hidden(self, x: ArrayLike) -> Floats:
        """What the hidden layer makes of each row, (rows, hidden)."""
        flat = np.asarray(x, np.float32)
        return np.asarray(np.maximum(flat.reshape(len(flat), -1) @ self.w0 + self.b0, 0))

    def scores(self, x: ArrayLike) -> Floats:
        """Logits, (rows, classes)."""
        return self.hidden(x) @ self.w1 + self.b1

    def slope(self, x: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.float64]]:
        """The gradient of each row's cross-entropy by the row, in its shape, and that loss."""
        flat, wanted = np.asarray(x, np.float32), np.asarray(labels, np.int64)
        at = np.arange(len(wanted))
        bent = self.hidden(flat)
        p = _softmax(bent @ self.w1 + self.b1)
        loss = -np.log(np.maximum(p[at, wanted].astype(np.float64), 1e-300))
        p[at, wanted] -= 1
        slope = ((p @ self.w1.T) * (bent > 0)) @ self.w0.T
        return np.asarray(slope, np.float32).reshape(flat.shape), np.asarray(loss)


def fitted(
    x: ArrayLike,
    labels: ArrayLike,
    classes: int,
    seed: int = 0,
    *,
    hidden: int = 48,
    epochs: int = 14,
    batch: int = 40,
    rate: float = 4e-3,
) -> Net:
    """A net fitted to rows (rows, ...) and labels (rows,) from 0 to `classes` - 1; the same for the same seed.

    `rate` is the first step's, which falls to a tenth along a cosine.
    """
    rows, y = np.asarray(x, np.float32), np.asarray(labels)
    rows, chance = rows.reshape(len(rows), -1), np.random.default_rng(seed)
    shapes = ((rows.shape[1], hidden), (hidden,), (hidden, classes), (classes,))
    net = [np.asarray(chance.normal(0, shape[0] ** -0.5, shape) if len(shape) > 1 else np.zeros(shape), np.float32) for shape in shapes]  # fmt: skip
    moments = [(np.zeros_like(one), np.zeros_like(one)) for one in net]
    pieces = max(1, len(rows) // batch)
    step, most = 0, epochs * pieces
    for _ in range(epochs):
        for drawn in np.array_split(chance.permutation(len(rows)), pieces):
            step += 1
            pace = rate * (0.1 + 0.9 * (1 + np.cos(np.pi * step / most)) / 2)
            for at, slope in enumerate(_slopes(net, rows[drawn], y[drawn])):
                first = FIRST * moments[at][0] + (1 - FIRST) * slope
                second = SECOND * moments[at][1] + (1 - SECOND) * slope**2
                moments[at] = first, second
                move = first / (1 - FIRST**step) / (np.sqrt(second / (1 - SECOND**step)) + LEAST)
                net[at] = (net[at] - pace * move).astype(np.float32)
    return Net(*net)


def _slopes(net: list[Floats], x: Floats, labels: NDArray[np.int64]) -> list[Floats]:
    w0, b0, w1, b1 = net
    bent = np.maximum(x @ w0 + b0, 0)
    p = _softmax(bent @ w1 + b1)
    p[np.arange(len(x)), labels] -= 1
    p /= len(x)
    back = (p @ w1.T) * (bent > 0)
    return [x.T @ back, back.sum(axis=0), bent.T @ p, p.sum(axis=0)]


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
