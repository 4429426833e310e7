"""How far one input is from another, and what lies within a budget: the geometry of attacks.

Two norms: `linf` (the largest change of any one feature) and `l2` (the root of the sum of squares). Arrays are rows x ...; a
row is one vector, whatever its shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LEAST = 1e-12
"""Below this length a gradient has no direction."""


def each(values: Array, rows: Array) -> Array:
    """One number a row, shaped so that it can be multiplied with `rows`."""
    return np.asarray(values).reshape(-1, *(1,) * (rows.ndim - 1))


def distance(change: Array, norm: str) -> NDArray[np.float64]:
    """The norm of each row, float64."""
    flat = change.reshape(len(change), -1).astype(np.float64)
    if norm == "linf":
        return np.asarray(np.abs(flat).max(axis=1, initial=0.0))
    return np.asarray(np.sqrt((flat**2).sum(axis=1)))


def within(change: Array, budget: Array | float, norm: str) -> Array:
    """The nearest change whose norm is at most the budget (one for all, or one a row), in the type of `change`."""
    most = each(np.broadcast_to(np.asarray(budget, change.dtype), (len(change),)), change)
    if norm == "linf":
        return np.clip(change, -most, most)
    length = each(distance(change, norm), change)
    shrink = np.minimum(1.0, most / np.maximum(length, LEAST))
    return np.asarray((change * shrink).astype(change.dtype))


def steepest(gradient: Array, norm: str) -> Array:
    """The change of norm 1 along which a function with this gradient rises fastest; 0 where there is no gradient."""
    if norm == "linf":
        return np.sign(gradient)
    length = each(distance(gradient, norm), gradient)
    return np.asarray(np.where(length > LEAST, gradient / np.maximum(length, LEAST), 0.0).astype(gradient.dtype))


def at_random(shape: tuple[int, ...], budget: float, norm: str, generator: np.random.Generator) -> Array:
    """Changes within the budget by chance: evenly in the cube of `linf`; in `l2` in an even direction, of the budget's length."""
    if norm == "linf":
        return generator.uniform(-budget, budget, shape).astype(np.float32)
    drawn = generator.standard_normal(shape, dtype=np.float32)
    return np.asarray(steepest(drawn, norm) * np.float32(budget))


def rounded(values: Array, zero: Array, unit: Array, near: Array) -> tuple[Array, Array]:
    """Values on the grid zero + k unit: the nearest, and the nearest that isn't farther from `near` (itself on the grid) than they are."""
    steps = (values - zero) / unit
    own = np.rint((near - zero) / unit)
    towards = np.where(steps >= own, np.floor(steps + 1e-9), np.ceil(steps - 1e-9))
    return zero + np.rint(steps) * unit, zero + towards * unit
