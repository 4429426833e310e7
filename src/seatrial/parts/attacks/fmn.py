"""The smallest change that fools: steps along the gradient within a ball that shrinks when it fools and grows when it doesn't.

One run speaks of every budget at once: a row is broken at all budgets above the smallest change found. Source: Pintor et al.
(2021), "Fast minimum-norm adversarial attacks through adaptive norm constraints".
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seatrial.contracts.attack import Aim, Target
from seatrial.contracts.part import PartOptions
from seatrial.numerics.norms import LEAST, distance, each, steepest
from seatrial.parts.attacks._moves import near

ACCEPTS = {"norm": ("linf", "l2"), "knows": ("weights",)}
GIVES = {"budget": ("smallest",), "gradient": ("own",)}
LONGEST, SHORTEST = 1.0, 0.01
"""Of a step, in L2: at the start and at the end."""
FASTEST, SLOWEST = 0.05, 1e-4
"""By which share the ball shrinks or grows at a step: at the start and at the end."""


class Options(PartOptions):
    """How long it tries."""

    steps: int = Field(default=60, ge=1, description="steps")


def attack(target: Target, aim: Aim, options: Options) -> None:
    """`steps` gradients a row."""
    rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
    if not len(rows):
        return
    clean = aim.points[rows]
    points, radius = clean, np.full(len(rows), np.inf)
    best = np.full(len(rows), np.inf)
    dual = "l2"
    for number in range(options.steps):
        felt = target.slope(points, rows, "margin", aim.labels[rows])
        share = (1 + np.cos(np.pi * number / options.steps)) / 2
        faster = SLOWEST + (FASTEST - SLOWEST) * share
        length = distance(points - clean, aim.norm)
        best = np.where(felt.wrong, np.minimum(best, length), best)
        slope = felt.gradient.reshape(len(rows), -1).astype(np.float64)
        steep = np.abs(slope).sum(axis=1) if aim.norm == "linf" else distance(felt.gradient, dual)
        guessed = length + np.abs(felt.loss) / np.maximum(steep, LEAST)
        outside = np.where(np.isinf(best), guessed, radius * (1 + faster))
        radius = np.where(felt.wrong, np.minimum(np.minimum(radius, best), length) * (1 - faster), outside)
        step = SHORTEST + (LONGEST - SHORTEST) * share
        moved = points + np.float32(step) * steepest(felt.gradient, dual)
        points = near(np.asarray(moved, np.float32), rows, aim, np.minimum(radius, _most(aim)))
    target.scores(points, rows)


def _most(aim: Aim) -> float:
    """The length of a change of every feature by its whole range."""
    return 1.0 if aim.norm == "linf" else float(np.sqrt(max(1, each(aim.free, aim.points).size)))
