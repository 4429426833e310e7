"""The smallest change that fools in L2, found from the class of the answer alone: no scores, no gradient.

It starts from another row that is answered otherwise, walks along the border between the classes, and feels where the border
lies by small random steps to both sides. One run speaks of every budget at once. Source: Chen, Jordan & Wainwright (2020),
"HopSkipJumpAttack: a query-efficient decision-based attack".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from seatrial.contracts.attack import Aim, Target
from seatrial.contracts.part import PartOptions
from seatrial.numerics.norms import distance, each, steepest
from seatrial.parts.attacks._moves import generator, near

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"norm": ("l2",), "knows": ("classes", "scores", "original", "weights")}
GIVES = {"budget": ("smallest",)}
CANNOT = {"linf": ("not yet ours", "`rays` looks for the smallest change of that kind from classes alone")}
STARTS = 8
"""How many starts a row is given: rows of other classes, near ones first, and then points by chance."""
SHORTEST = 1e-4
"""The least share of the way by which a step along the border is still tried."""


class Options(PartOptions):
    """How long it tries."""

    queries: int = Field(default=1000, ge=20, description="answers a row that it may ask for")
    first: int = Field(
        default=20, ge=4, description="small steps that feel for the border at first; more as it comes nearer"
    )
    probe: float = Field(default=0.02, gt=0, lt=1, description="how long a small step is, in shares of the change")
    tolerance: float = Field(default=1e-3, gt=0, description="how exactly the border is found, in shares of the change")


class _Walk:
    """Rows that have a wrong point (`points`), how far it is, and how many answers each has asked for."""

    def __init__(self, target: Target, aim: Aim, options: Options) -> None:
        self._target, self._aim, self._options = target, aim, options
        self._chance = generator(aim)
        self.rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
        self.points = aim.points[self.rows].copy()
        self.asked = np.zeros(len(self.rows), np.int64)

    def wrong(self, some: Array, points: Array) -> Array:
        """Whether these rows are answered wrongly at these points."""
        rows = self.rows[some]
        self.asked[some] += 1
        return np.asarray(self._target.scores(points, rows).argmax(axis=1) != self._aim.labels[rows])

    def put(self, points: Array, some: Array) -> Array:
        """Points that may be: between 0 and 1, what is fixed as it was."""
        return near(points, self.rows[some], self._aim, np.inf)

    def clean(self, some: Array) -> Array:
        """The clean rows, float32."""
        return self._aim.points[self.rows[some]]

    def left(self, some: Array) -> Array:
        """Those of these rows that may still ask."""
        return np.asarray(some[self.asked[some] < self._options.queries])

    def start(self) -> Array:
        """A wrong point of each row; the places of the rows that have one."""
        none = np.arange(len(self.rows))
        for number in range(STARTS):
            if not len(none):
                break
            tried = self.put(self._elsewhere(none, number), none)
            wrong = self.wrong(none, tried)
            self.points[none[wrong]] = tried[wrong]
            none = none[~wrong]
        return np.setdiff1d(np.arange(len(self.rows)), none)

    def _elsewhere(self, some: Array, number: int) -> Array:
        """Of each row the nearest row of another label (the next nearest at the next try), in the end points by chance."""
        points, labels = self._aim.points.reshape(len(self._aim.points), -1), self._aim.labels
        made = self._chance.random((len(some), *self._aim.points.shape[1:]), dtype=np.float32)
        if number >= STARTS // 2:
            return made
        for at, row in enumerate(self.rows[some]):
            others = np.flatnonzero(labels != labels[row])
            if len(others):
                far = distance(points[others] - points[row], "l2")
                made[at] = self._aim.points[others[np.argsort(far, kind="stable")[number % len(others)]]]
        return made

    def to_border(self, some: Array) -> None:
        """Bring wrong points towards the clean rows by halving, while they stay wrong."""
        clean, high = self.clean(some), np.ones(len(some))
        end, low = self.points[some], np.zeros(len(some))
        open_ = np.arange(len(some))
        while len(open_ := open_[(high[open_] - low[open_] > self._options.tolerance)]):
            open_ = open_[self.asked[some[open_]] < self._options.queries]
            if not len(open_):
                break
            middle = (low[open_] + high[open_]) / 2
            tried = _between(clean[open_], end[open_], middle)
            wrong = self.wrong(some[open_], tried)
            high[open_[wrong]], low[open_[~wrong]] = middle[wrong], middle[~wrong]
        self.points[some] = _between(clean, end, high)

    def across(self, some: Array, times: int) -> Array:
        """The way into the wrong side, as small steps by chance to both sides of the border tell it."""
        length = np.maximum(distance(self.points[some] - self.clean(some), "l2") * self._options.probe, 1e-6)
        sums, total, felt = np.zeros((2, *self.points[some].shape)), np.zeros(len(some)), np.zeros(len(some))
        for _ in range(times):
            drawn = self._chance.standard_normal(self.points[some].shape, dtype=np.float32) * self._aim.free
            aside = steepest(drawn, "l2")
            tried = self.put(self.points[some] + each(length.astype(np.float32), aside) * aside, some)
            went = steepest(tried - self.points[some], "l2")
            sign = np.where(self.wrong(some, tried), 1.0, -1.0)
            sums += np.stack([each(sign, went) * went, went])
            total, felt = total + sign, felt + 1
        mean = total / np.maximum(felt, 1)
        # where every step came out on one side the mean would take all away: then the steps themselves say where that side is
        one_sided = np.abs(mean) >= 1
        way = np.where(each(one_sided, sums[0]), sums[0], sums[0] - each(mean, sums[0]) * sums[1])
        return np.asarray(steepest(way.astype(np.float32), "l2"))

    def along(self, some: Array, way: Array, number: int) -> None:
        """As long a step on the wrong side as stays wrong: halved until it does."""
        share = np.full(len(some), 1 / np.sqrt(number + 1))
        far = distance(self.points[some] - self.clean(some), "l2")
        open_ = np.arange(len(some))
        while len(open_):
            step = (share * far)[open_].astype(np.float32)
            tried = self.put(self.points[some[open_]] + each(step, way[open_]) * way[open_], some[open_])
            wrong = self.wrong(some[open_], tried)
            self.points[some[open_[wrong]]] = tried[wrong]
            open_ = open_[~wrong]
            share[open_] /= 2
            open_ = open_[(share[open_] > SHORTEST) & (self.asked[some[open_]] < self._options.queries)]


def _between(clean: Array, end: Array, share: Array) -> Array:
    """Points that lie so far on the way from clean ones to others, float32."""
    return np.asarray(clean + each(share.astype(np.float32), clean) * (end - clean), np.float32)


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `queries` answers a row, but for those of the last round of small steps."""
    walk = _Walk(target, aim, options)
    some = walk.start()
    if not len(some):
        return
    walk.to_border(some)
    number = 0
    while len(some := walk.left(some)):
        times = int(options.first * np.sqrt(number + 1))
        way = walk.across(some, max(2, min(times, int(options.queries - walk.asked[some].max()))))
        walk.along(some, way, number)
        walk.to_border(some)
        number += 1
