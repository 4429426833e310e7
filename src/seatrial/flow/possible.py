"""Inside the worker: points of an attack become inputs that can be, and stay within what an attacker can change.

A point is a row's float inputs with every feature from 0 (its least) to 1 (its most). What can be: no feature leaves its range (or
goes farther out than the clean row is), fixed features stay, whole numbers are whole, of each group of 0/1 columns exactly one is 1, and columns that hang together still do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.attack import SLACK, Norm
from seatrial.flow.tied import Tied
from seatrial.numerics.norms import distance, each, rounded

Array = NDArray[Any]
EDGE = 1e-9
TOUCH = 1e-3
"""How near to a whole number a whole one is, in shares of the way to the next: points are float32."""
TRIES = 8
"""How often a change is shortened until columns that hang together do so; then it is given up."""


@dataclass(frozen=True)
class Reach:
    """What an attacker can change, by input (arrays of the shape of a row, or that broadcast to it).

    An input's value is `low` + point x `span`. `unit` is the distance in points from one whole number to the next, 0 where any number
    will do; `zero` is the point of the number 0 and `step` how many points the number 1 is. `groups` are places in the row's
    numbers, all inputs laid end to end; `ties` say how columns hang together (flow/tied.py), sums before what rests on them.
    """

    low: Mapping[str, Array]
    span: Mapping[str, Array]
    free: Mapping[str, Array]
    unit: Mapping[str, Array]
    zero: Mapping[str, Array]
    groups: Sequence[Sequence[int]] = ()
    axes: str = ""
    step: Mapping[str, Array] = field(default_factory=dict)
    ties: Sequence[Mapping[str, Any]] = ()


class Possible:
    """Clean rows, and what can be made of them."""

    def __init__(self, inputs: Mapping[str, Array], reach: Reach, norm: Norm, budget: float | None) -> None:
        self._inputs, self._names = inputs, list(reach.low)
        self._norm, self._budget = norm, budget
        self.rows = len(next(iter(inputs.values())))
        shapes = [inputs[name].shape[1:] for name in self._names]
        self._cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])
        self.shape: tuple[int, ...] = shapes[0] if len(shapes) == 1 else (int(self._cuts[-1]),)
        self.picture = reach.axes if len(shapes) == 1 else ""
        self._low, self._span, self._unit, self._zero = (
            self._flat(of) for of in (reach.low, reach.span, reach.unit, reach.zero)
        )
        self._groups = [np.asarray(group, np.int64) for group in reach.groups]
        self._switch = budget is None or budget >= (1.0 if norm == "linf" else np.sqrt(2.0)) - EDGE
        free = self._flat({name: np.asarray(one, np.float64) for name, one in reach.free.items()}) > 0
        for group in self._groups:
            free[group] &= self._switch and bool(free[group].all())
        self._free = free & (self._span > 0)
        self._tied = Tied(reach.ties, self._zero, self._flat(reach.step), self._unit > 0) if reach.ties else None
        raw = np.concatenate([inputs[name].reshape(self.rows, -1) for name in self._names], axis=1).astype(np.float64)
        self._clean = ((raw - self._low) / np.where(self._span > 0, self._span, 1.0)).astype(np.float32)
        self._stuck = np.zeros((self.rows, 0), bool)
        if self._tied is not None:
            self._stuck = np.zeros(self._clean.shape, bool)
            self._stuck[np.ix_(self._tied.broken(self._clean), self._tied.places)] = True
            self._free &= ~self._tied.derived

    @property
    def clean(self) -> Array:
        """The clean rows as points, float32, in the shape of a row."""
        return self._clean.reshape(self.rows, *self.shape)

    @property
    def free(self) -> Array:
        """Which features may change at all."""
        return self._free.reshape(self.shape)

    def land(self, points: Array, rows: Array) -> Array:
        """The possible points nearest to these, float32, rows x features. A change that was within the budget still is."""
        clean = self._clean[rows]
        flat = np.asarray(points, np.float32).reshape(len(rows), -1)
        flat = np.where(np.isfinite(flat), flat, clean)
        return self._put(flat, clean) if self._tied is None else self._hung_together(self._tied, flat, rows)

    def _put(self, flat: Array, clean: Array) -> Array:
        """Every feature where it can be, each for itself and each group of 0/1 columns."""
        flat = np.clip(flat, np.minimum(clean, 0), np.maximum(clean, 1))
        flat = np.where(self._free, flat, clean)
        if self._unit.any():
            flat = self._whole(flat, clean)
        for group in self._groups:
            if self._free[group].all():
                one = np.zeros_like(flat[:, group])
                one[np.arange(len(flat)), flat[:, group].argmax(axis=1)] = 1
                flat[:, group] = one
        return flat

    def _hung_together(self, tied: Tied, flat: Array, rows: Array) -> Array:
        """Possible points in which columns hang together; where they can't so far out, a shorter change, or none.

        A row in which they don't before it is attacked keeps all columns that are tied.
        """
        clean, stuck = self._clean[rows], self._stuck[rows]
        flat = np.where(stuck, clean, flat)
        share, made, open_ = np.ones(len(rows)), clean.copy(), np.arange(len(rows))
        for _ in range(TRIES):
            own = clean[open_]
            short = own + each(share[open_].astype(np.float32), own) * (flat[open_] - own)
            tried = np.where(stuck[open_], own, tied.settled(self._put(short, own), own, self._free))
            far = distance(tried.astype(np.float64) - own, self._norm)
            good = self._fits(tied, tried, own, np.asarray(stuck[open_].any(axis=1)), far)
            made[open_[good]] = tried[good]
            most = np.inf if self._budget is None else self._budget
            over = (far > most) & (share[open_] == 1)
            share[open_] *= np.where(over, np.minimum(0.999999, most / np.maximum(far, EDGE)), 0.5)
            open_ = open_[~good]
            if not len(open_):
                break
        return made

    def _fits(self, tied: Tied, tried: Array, clean: Array, stuck: Array, far: Array) -> NDArray[np.bool_]:
        """Rows whose tied points are within range and budget, whole where they must be, and hang together."""
        inside = (tried >= np.minimum(clean, 0) - EDGE) & (tried <= np.maximum(clean, 1) + EDGE)
        steps = (tried - self._zero) / np.where(self._unit > 0, self._unit, 1.0)
        whole = (self._unit == 0) | (np.abs(steps - np.rint(steps)) < TOUCH) | (tried == clean)
        near = far <= (np.inf if self._budget is None else self._budget + SLACK / 2)
        return np.asarray(inside.all(axis=1) & whole.all(axis=1) & near & (stuck | ~tied.broken(tried, clean)))

    def far(self, landed: Array, rows: Array) -> NDArray[np.float64]:
        """How far landed points are from the clean ones."""
        return distance(landed.astype(np.float64) - self._clean[rows], self._norm)

    def inputs(self, landed: Array, rows: Array) -> dict[str, Array]:
        """What the model is given for landed points; a feature that didn't change has the very number that it had."""
        points = landed.astype(np.float64)
        whole = self._unit > 0
        if whole.any():
            unit = np.where(whole, self._unit, 1.0)
            points = np.where(whole, self._zero + np.rint((points - self._zero) / unit) * unit, points)
        values = self._low + points * self._span
        made = {name: one[rows] for name, one in self._inputs.items()}
        for name, part, moved in zip(self._names, *self._split(values, landed != self._clean[rows]), strict=True):
            own = made[name].reshape(len(rows), -1)
            made[name] = np.where(moved, part.astype(own.dtype), own).reshape(made[name].shape)
        return made

    def slope(self, gradient: Mapping[str, Array], landed: Array) -> Array:
        """A gradient by the inputs, at these landed points, as one by the points, in the shape of a row; 0 where nothing may change."""
        flat = np.concatenate([gradient[name].reshape(len(gradient[name]), -1) for name in self._names], axis=1)
        scaled = flat * self._span
        if self._tied is not None:
            scaled = self._tied.passed_on(scaled, landed)
        return np.where(self._free, scaled, 0.0).astype(np.float32).reshape(len(flat), *self.shape)

    def _whole(self, flat: Array, clean: Array) -> Array:
        """Whole numbers where they must be: the nearest, or where that leaves the range or the budget, the nearest on the clean side."""
        places = np.flatnonzero((self._unit > 0) & self._free)
        own = clean[:, places].astype(np.float64)
        nearest, towards = rounded(flat[:, places].astype(np.float64), self._zero[places], self._unit[places], own)
        outside = (nearest < np.minimum(own, 0) - EDGE) | (nearest > np.maximum(own, 1) + EDGE)
        made = flat.astype(np.float64)
        made[:, places] = np.where(outside, towards, nearest)
        if self._budget is not None:
            over = distance(made - clean, self._norm) > self._budget + EDGE
            made[np.ix_(over, places)] = towards[over]
        return made.astype(np.float32)

    def _flat(self, of: Mapping[str, Array]) -> Array:
        return np.concatenate(
            [np.broadcast_to(of[name], self._inputs[name].shape[1:]).reshape(-1) for name in self._names]
        ).astype(np.float64)

    def _split(self, *flat: Array) -> list[list[Array]]:
        return [np.split(one, self._cuts[:-1], axis=1) for one in flat]
