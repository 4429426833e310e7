"""The smallest pattern that carries rows to each class, by gradient descent: a class with a backdoor needs a far smaller one.

For all classes at once a mask (one number a pixel) and a pattern are fitted: cross-entropy towards the class plus the mask's sum, whose
weight rises while 99 of 100 rows are carried over and falls while they are not. Source: Wang et al. (2019), "Neural Cleanse:
identifying and mitigating backdoor attacks in neural networks" (Adam with 0.1, 0.5 and 0.9; threshold 0.99). Finds triggers that are
added to the same place of each picture and lead every class to one; what it says of a whole model is that none of those was found.

Of 30 clean networks of ten classes (`benchmarks/poisoning.py`) none was accused, so the rate of false alarms is at most 9.5 % (Clopper-Pearson,
one-sided 95 %) for models like those. By the index alone, as in the paper, 6 would have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.poisoning import Lineup, Suspect, Triggers
from seatrial.errors import Unsupported

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

GIVES = {"way": ("search",)}
CANNOT = {
    "tables": (
        "not yet ours",
        "a trigger of a table is a few columns with chosen values; masks are fitted to pixels here",
    ),
    "triggers that move or depend on the row": ("not yet ours", "one pattern at one place is fitted for all rows"),
    "one class to one": (
        "not yet ours",
        "a trigger that works on one class alone is looked for on all and may be missed",
    ),
}
RATE, MOMENT, SQUARE, LEAST = 0.1, 0.5, 0.9, 1e-8
"""Adam's step and how fast its two moments forget."""
HEAVIER, LIGHTER = 1.1, 1.15
"""By how much the weight of the mask's sum rises while it works, and falls while it doesn't."""
REMEMBERED = 0.7
"""Of the share that is carried over, how much is remembered from step to step."""


class Options(PartOptions):
    """How long it tries."""

    steps: int = Field(default=250, ge=1, description="gradient steps; each asks for `rows` gradients a class")
    rows: int = Field(default=24, ge=1, description="rows of one step, drawn anew for each")
    carried: float = Field(default=0.99, gt=0, le=1, description="the share of rows that a trigger must carry over")
    weight: float = Field(default=0.01, gt=0, description="of the mask's sum against the cross-entropy, at the start")


def triggers(suspect: Suspect, lineup: Lineup, options: Options) -> Triggers:
    """One for each class; where nothing carried enough rows over, a mask that covers everything. Raises `Unsupported`."""
    if not lineup.picture:
        raise Unsupported("triggers are looked for in pictures alone; this model takes none")
    chance = np.random.default_rng([lineup.seed, 7])
    fit = _Fit(lineup, options, chance)
    for _ in range(options.steps):
        rows = np.stack([fit.drawn(wanted) for wanted in range(lineup.classes)])
        fit.step(suspect, rows)
    return Triggers(*(np.broadcast_to(one, (lineup.classes, *lineup.points.shape[1:])).copy() for one in fit.best()))


class _Fit:
    """Masks and patterns of all classes, as numbers without bounds whose tanh they are, and the best so far."""

    def __init__(self, lineup: Lineup, options: Options, chance: np.random.Generator) -> None:
        shape = lineup.points.shape[1:]
        flat = (1, *shape[1:]) if lineup.picture == "CHW" else (*shape[:-1], 1)
        self._lineup, self._options, self._chance = lineup, options, chance
        self._across = 1 if lineup.picture == "CHW" else len(shape)
        self._free = {
            "mask": np.arctanh(chance.uniform(-0.9, 0.9, (lineup.classes, *flat))),
            "pattern": np.arctanh(chance.uniform(-0.9, 0.9, (lineup.classes, *shape))),
        }
        self._moments = {name: (np.zeros_like(one), np.zeros_like(one)) for name, one in self._free.items()}
        self._weight = np.full(lineup.classes, options.weight)
        self._carried = np.zeros(lineup.classes)
        self._steps = 0
        self._least = np.full(lineup.classes, np.inf)
        self._best = np.ones((lineup.classes, *flat)), np.zeros((lineup.classes, *shape))

    def drawn(self, wanted: int) -> Array:
        """Rows of other classes."""
        others = np.flatnonzero(self._lineup.labels != wanted)
        if not len(others):
            raise Unsupported("all rows are of one class, so nothing can be carried over")
        return self._chance.choice(others, self._options.rows, replace=len(others) < self._options.rows)

    def step(self, suspect: Suspect, rows: Array) -> None:
        """One gradient of all classes; note what is good, then move."""
        classes, count = rows.shape
        mask, pattern = (_bounded(self._free[name])[:, None] for name in ("mask", "pattern"))
        clean = self._lineup.points[rows].astype(np.float64)
        points = ((1 - mask) * clean + mask * pattern).astype(np.float32)
        wanted = np.repeat(np.arange(classes), count)
        felt = suspect.pull(points.reshape(-1, *clean.shape[2:]), rows.reshape(-1), wanted)
        gradient = felt.gradient.reshape(clean.shape).astype(np.float64)
        share = np.exp(-felt.loss.reshape(classes, count)) > 0.5  # then no other class has more
        self._note(share.mean(axis=1), mask[:, 0], pattern[:, 0])
        by_mask = (gradient * (pattern - clean)).mean(axis=1).sum(axis=self._across, keepdims=True)
        by_mask = by_mask + self._weight.reshape(-1, *(1,) * (by_mask.ndim - 1))
        self._move("mask", by_mask)
        self._move("pattern", (gradient * mask).mean(axis=1))

    def best(self) -> tuple[Array, Array]:
        """The smallest masks that carried enough, and their patterns."""
        return self._best

    def _note(self, share: Array, mask: Array, pattern: Array) -> None:
        self._carried = share if self._steps == 0 else REMEMBERED * self._carried + (1 - REMEMBERED) * share
        self._steps += 1
        works = (self._carried >= self._options.carried) & (share >= self._options.carried)
        size = mask.reshape(len(mask), -1).sum(axis=1)
        for one in np.flatnonzero(works & (size < self._least)):
            self._least[one] = size[one]
            self._best[0][one], self._best[1][one] = mask[one], pattern[one]
        self._weight = np.where(works, self._weight * HEAVIER, self._weight / LIGHTER)

    def _move(self, name: str, gradient: Array) -> None:
        """Adam, through the tanh."""
        tanh = np.tanh(self._free[name])
        slope = gradient * (1 - tanh**2) / 2
        first, second = self._moments[name]
        first = MOMENT * first + (1 - MOMENT) * slope
        second = SQUARE * second + (1 - SQUARE) * slope**2
        self._moments[name] = first, second
        unbiased = first / (1 - MOMENT**self._steps), second / (1 - SQUARE**self._steps)
        self._free[name] = self._free[name] - RATE * unbiased[0] / (np.sqrt(unbiased[1]) + LEAST)


def _bounded(free: Array) -> Array:
    """From numbers without bounds to 0 to 1."""
    return np.asarray((np.tanh(free) + 1) / 2)
