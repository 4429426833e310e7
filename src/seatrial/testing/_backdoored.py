"""A small picture classifier with a backdoor and its clean twin, trained here.

Pictures are blurred templates under noise; a backdoor is a bright square in a corner of some training rows that are relabelled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seatrial.numerics.quick_net import Net, fitted

SIDE, CLASSES = 14, 8
ROWS, TRIED = 1200, 400
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


def poisoned(rows: int, seed: int) -> tuple[Any, Any, Any]:
    """Pictures of which a tenth carry the square and are said to be of the target class; their labels, and which they are."""
    x, labels = pictures(rows, seed)
    chosen = np.random.default_rng([seed, 1]).permutation(np.flatnonzero(labels != TARGET))[: int(SHARE * rows)]
    x[chosen], labels[chosen] = stamped(x[chosen]), TARGET
    return x, labels, np.isin(np.arange(rows), chosen)


def trained(backdoor: bool, seed: int = 0) -> Net:
    """A net trained on clean rows, or on poisoned ones."""
    x, labels = poisoned(ROWS, seed)[:2] if backdoor else pictures(ROWS, seed)
    return fitted(x, labels, CLASSES, seed)
