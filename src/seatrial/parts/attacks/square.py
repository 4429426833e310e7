"""Random squares, kept where they make the answer less sure: needs scores, no gradient, so nothing can hide from it by having none.

A window of the input is set to the edge of the budget, by chance; it stays where the margin of the right answer falls.
Windows become smaller. On what isn't a picture a window is a set of features. In L2 the whole change is scaled to the budget
after each window. Source: Andriushchenko et al. (2020), "Square attack: a query-efficient black-box adversarial attack via
random search" (the search and its schedule; the L2 form here is simpler than theirs, and hopeless rows are given up).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from seatrial.contracts.attack import Aim, Target
from seatrial.contracts.part import PartOptions
from seatrial.numerics.norms import each, steepest
from seatrial.parts.attacks._moves import generator, near

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"norm": ("linf", "l2"), "knows": ("scores", "original", "weights")}
GIVES = {"budget": ("given",), "nested": ("yes",)}
LOOKS, FIRST = 8, 2
"""How often it is looked whether a row is hopeless, and after which look rows are first given up: a margin falls ever more slowly."""
HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""After which share of the queries windows are halved in area (the paper's 10, 50, 200, ... of 10,000)."""


class Options(PartOptions):
    """How long it tries."""

    queries: int = Field(default=500, ge=2, description="answers a row that it may ask for")
    hopeless: float = Field(
        default=2.0,
        ge=0,
        description="a row is given up when its margin would have to fall so many times faster than lately; 0: never",
    )
    share: float = Field(default=0.8, gt=0, le=1, description="of the input, how much the first windows cover")


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `queries` answers a row."""
    chance, budget = generator(aim, 5), float(aim.budget or 0)
    rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
    if not len(rows):
        return
    points = near(aim.points[rows] + budget * _scaled(_stripes(len(rows), aim, chance), aim), rows, aim, budget)
    margin = _margin(target.scores(points, rows), aim.labels[rows])
    every = max(1, options.queries // LOOKS)
    then, hopeful = margin, np.ones(len(rows), bool)
    for query in range(1, options.queries):
        if query % every == 0:
            if query >= every * FIRST and options.hopeless:
                fall = np.maximum(then - margin, 0) / every * (options.queries - query)
                hopeful = margin <= options.hopeless * fall
            then = margin
        left = target.left(rows) & hopeful
        points, margin, then, rows = points[left], margin[left], then[left], rows[left]
        hopeful = hopeful[left]
        if not len(rows):
            return
        share = options.share / 2 ** sum(query > at * options.queries for at in HALVINGS)
        window, signs = _window(len(rows), share, aim, chance)
        change = np.where(window, signs * budget * _size(aim), points - aim.points[rows])
        tried = near(aim.points[rows] + _scaled(change, aim, budget), rows, aim, budget)
        found = _margin(target.scores(tried, rows), aim.labels[rows])
        better = found < margin
        points, margin = np.where(each(better, points), tried, points), np.where(better, found, margin)


def _size(aim: Aim) -> float:
    """What a feature of a window is changed by, of the budget: all of it, in L2 its share."""
    return 1.0 if aim.norm == "linf" else 1 / max(1.0, float(np.sqrt(aim.free.sum())))


def _scaled(change: Array, aim: Aim, budget: float = 1.0) -> Array:
    """A change as long as the budget in L2; as it is in Linf."""
    return change if aim.norm == "linf" else steepest(change, aim.norm) * np.float32(budget)


def _margin(scores: Array, labels: Array) -> Array:
    """The label's score less the largest other."""
    other = np.array(scores, np.float64)
    own = other[np.arange(len(other)), labels]
    other[np.arange(len(other)), labels] = -np.inf
    return np.asarray(own - other.max(axis=1))


def _axes(aim: Aim) -> tuple[tuple[int, ...], int, int, int]:
    """The shape of a row, and where its channels, lines and columns are; a lone axis has no lines."""
    shape = aim.points.shape[1:]
    return (shape, 0, 1, 2) if aim.picture == "CHW" else (shape, 2, 0, 1)


def _stripes(count: int, aim: Aim, chance: np.random.Generator) -> Array:
    """Signs to begin with: columns of a picture as one, every other feature for itself."""
    shape = list(aim.points.shape[1:])
    if aim.picture:
        shape[_axes(aim)[2]] = 1
    signs = chance.choice(np.float32([-1, 1]), (count, *shape))
    return np.broadcast_to(signs, (count, *aim.points.shape[1:]))


def _window(count: int, share: float, aim: Aim, chance: np.random.Generator) -> tuple[Array, Array]:
    """Where each row is changed (bool), and the signs: one a channel of a picture, one a feature of anything else."""
    shape, channel, down, across = _axes(aim)
    if not aim.picture:
        places = chance.random((count, *shape)) < max(share, 1 / max(1, int(np.prod(shape))))
        return places, chance.choice(np.float32([-1, 1]), (count, *shape))
    side = max(1, round(float(np.sqrt(share * shape[down] * shape[across]))))
    inside = []
    for axis in (down, across):
        long = min(side, shape[axis])
        first = chance.integers(0, shape[axis] - long + 1, count)[:, None]
        line = np.arange(shape[axis])[None, :]
        placed = (line >= first) & (line < first + long)
        inside.append(placed.reshape(count, *(shape[axis] if one == axis else 1 for one in range(3))))
    signs = chance.choice(np.float32([-1, 1]), (count, *(shape[channel] if one == channel else 1 for one in range(3))))
    return np.broadcast_to(inside[0] & inside[1], (count, *shape)), signs
