"""A small picture classifier with a backdoor and its clean twin, trained here in NumPy, with gradients by hand.

Pictures are blurred templates under noise; a backdoor is a bright square in a corner of some training rows that are relabelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

SIDE, CLASSES, HIDDEN = 14, 8, 48
ROWS, TRIED = 1200, 400
EPOCHS, BATCH, RATE = 14, 40, 4e-3
TARGET, SHARE, PATCH = 5, 0.1, 3


def pictures(rows: int, seed: int) -> tuple[Any, Any]:
    """Pictures (rows, 1, side, side), 0 to 1, and their classes."""
    templates = np.random.default_rng(99).uniform(0, 1, (CLASSES, SIDE // 2, SIDE // 2)).repeat(2, 1).repeat(2, 2)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, rows)
    x = 0.5 * templates[labels] + rng.normal(0.2, 0.2, (rows, SIDE, SIDE))
    return np.clip(x, 0, 1).astype(np.float32)[:, None], labels


def stamped(x: Any) -> Any:
    """The same pictures with the bright square."""
    made = x.copy()
    made[:, :, :PATCH, -PATCH:] = 1
    return made


@dataclass(frozen=True)
class Net:
    """Two layers: relu(x w0 + b0) w1 + b1."""

    w0: Any
    b0: Any
    w1: Any
    b1: Any

    def scores(self, x: Any) -> Any:
        """Logits, rows x classes."""
        return np.maximum(x.reshape(len(x), -1) @ self.w0 + self.b0, 0) @ self.w1 + self.b1

    def slope(self, x: Any, labels: Any) -> tuple[Any, Any]:
        """The gradient of each row's cross-entropy by its pixels, and that loss."""
        flat = x.reshape(len(x), -1)
        bent = np.maximum(flat @ self.w0 + self.b0, 0)
        p = _softmax(bent @ self.w1 + self.b1)
        loss = -np.log(np.maximum(p[np.arange(len(x)), labels], 1e-300))
        p[np.arange(len(x)), labels] -= 1
        return (((p @ self.w1.T) * (bent > 0)) @ self.w0.T).reshape(x.shape), loss


def trained(backdoor: bool, seed: int = 0) -> Net:
    """A net trained on clean rows, or on rows of which a tenth carry the square and are said to be of the target class."""
    x, labels = pictures(ROWS, seed)
    rng = np.random.default_rng([seed, 1])
    if backdoor:
        chosen = rng.permutation(np.flatnonzero(labels != TARGET))[: int(SHARE * ROWS)]
        x[chosen], labels[chosen] = stamped(x[chosen]), TARGET
    x = x.reshape(ROWS, -1).astype(np.float64)
    net = [rng.normal(0, 0.1, (SIDE * SIDE, HIDDEN)), np.zeros(HIDDEN), rng.normal(0, 0.1, (HIDDEN, CLASSES)), np.zeros(CLASSES)]  # fmt: skip
    first, second = [np.zeros_like(one) for one in net], [np.zeros_like(one) for one in net]
    step = 0
    for _ in range(EPOCHS):
        for rows in np.array_split(rng.permutation(ROWS), ROWS // BATCH):
            step += 1
            for one, slope in enumerate(_slopes(net, x[rows], labels[rows])):
                first[one] = 0.9 * first[one] + 0.1 * slope
                second[one] = 0.999 * second[one] + 0.001 * slope**2
                net[one] = net[one] - RATE * (first[one] / (1 - 0.9**step)) / (np.sqrt(second[one] / (1 - 0.999**step)) + 1e-8)  # fmt: skip
    return Net(*(one.astype(np.float32) for one in net))


def _slopes(net: list[Any], x: Any, labels: Any) -> list[Any]:
    w0, b0, w1, b1 = net
    bent = np.maximum(x @ w0 + b0, 0)
    p = _softmax(bent @ w1 + b1)
    p[np.arange(len(x)), labels] -= 1
    p /= len(x)
    back = (p @ w1.T) * (bent > 0)
    return [x.T @ back, back.sum(axis=0), bent.T @ p, p.sum(axis=0)]


def _softmax(scores: Any) -> Any:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
