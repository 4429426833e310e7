"""The smallest change that fools, found from the class of the answer alone: no scores, no gradient.

A direction of pluses and minuses, one a feature; blocks of it are turned over, large ones first, and kept where the answer is
wrong nearer by. One run speaks of every budget at once. Source: Chen & Gu (2020), "RayS: a ray searching method for hard-label
adversarial attack".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from seatrial.contracts.attack import Aim, Target
from seatrial.contracts.part import PartOptions
from seatrial.numerics.norms import each
from seatrial.parts.attacks._moves import near

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"norm": ("linf",), "knows": ("classes", "scores", "original", "weights")}
GIVES = {"budget": ("smallest",)}
CANNOT = {"l2": ("never", "its directions have every feature change by as much, which is what Linf measures")}
WHOLE = 1.0
"""The range of a feature: no change is larger."""


class Options(PartOptions):
    """How long it tries."""

    queries: int = Field(default=500, ge=2, description="answers a row that it may ask for")
    tolerance: float = Field(default=1e-3, gt=0, description="how exactly the smallest change is found")


class _Rays:
    """Each row's direction and how far along it the answer turns wrong (infinite: nowhere yet)."""

    def __init__(self, target: Target, aim: Aim, options: Options) -> None:
        self._target, self._aim, self._options = target, aim, options
        self.rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
        size = int(np.prod(aim.points.shape[1:]))
        self.signs = np.ones((len(self.rows), size), np.float32)
        self.radius = np.full(len(self.rows), np.inf)
        self.asked = np.zeros(len(self.rows), np.int64)
        self.level, self.block = np.zeros(len(self.rows), np.int64), np.zeros(len(self.rows), np.int64)

    def wrong(self, some: Array, signs: Array, radius: Array) -> Array:
        """Whether these rows are answered wrongly so far along these directions."""
        rows = self.rows[some]
        change = signs.reshape(len(some), *self._aim.points.shape[1:])
        points = near(
            self._aim.points[rows] + each(radius.astype(np.float32), change) * change, rows, self._aim, radius
        )
        self.asked[some] += 1
        return np.asarray(self._target.scores(points, rows).argmax(axis=1) != self._aim.labels[rows])

    def turned(self, some: Array) -> Array:
        """Directions with the next block turned over; blocks are halved when all were tried."""
        size = self.signs.shape[1]
        long = -(-size // 2 ** self.level[some])
        first = self.block[some] * long
        place = np.arange(size)[None, :]
        inside = (place >= first[:, None]) & (place < (first + long)[:, None])
        self.block[some] += 1
        done = self.block[some] * long >= size
        deeper = self.level[some] + (done & (long > 1))
        self.block[some] = np.where(done, 0, self.block[some])
        self.level[some] = np.where(done & (long <= 1), 0, deeper)
        return np.where(inside, -self.signs[some], self.signs[some])

    def nearest(self, some: Array, signs: Array, known: Array) -> None:
        """Where the answer turns wrong along directions that are wrong at `known`, by halving."""
        low, high = np.zeros(len(some)), known.astype(np.float64)
        open_ = np.arange(len(some))
        while len(open_):
            open_ = open_[(high[open_] - low[open_] > self._options.tolerance) & (self.asked[some[open_]] < self._options.queries)]  # fmt: skip
            if len(open_):
                middle = (low[open_] + high[open_]) / 2
                wrong = self.wrong(some[open_], signs[open_], middle)
                high[open_[wrong]], low[open_[~wrong]] = middle[wrong], middle[~wrong]
        self.signs[some], self.radius[some] = signs, high


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `queries` answers a row."""
    rays = _Rays(target, aim, options)
    everything = np.arange(len(rays.rows))
    signs, reach = rays.signs.copy(), np.full(len(everything), WHOLE)
    some = everything
    while len(some):
        wrong = rays.wrong(some, signs, reach)
        if wrong.any():
            rays.nearest(some[wrong], signs[wrong], reach[wrong])
        some = everything[rays.asked < options.queries]
        signs = rays.turned(some)
        reach = np.minimum(rays.radius[some], WHOLE)
