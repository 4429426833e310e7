"""Gradient ascent towards each of the likeliest wrong classes, on a loss that large logits can't flatten.

The loss is the difference of logits ratio (DLR): how much the target's logit is above the label's, over how far the largest
logits lie apart, so that a model whose logits were scaled up, and whose cross-entropy has no gradient left, is attacked all
the same. With fewer than four classes it is the plain margin. Source: Croce & Hein (2020), the attack APGD-T of AutoAttack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from seatrial.contracts.attack import Aim, Felt, Target
from seatrial.contracts.part import PartOptions
from seatrial.parts.attacks._moves import climb, generator, started

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ACCEPTS = {"norm": ("linf", "l2"), "knows": ("weights",)}
GIVES = {"budget": ("given",), "nested": ("yes",), "gradient": ("own",)}
FEWEST = 4
"""Classes that the targeted loss needs."""


class Options(PartOptions):
    """How long it tries."""

    steps: int = Field(default=30, ge=1, description="steps towards each class")
    targets: int = Field(default=3, ge=1, description="wrong classes that are tried, the likeliest first")


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `steps` + 1 gradients for each class and row."""
    rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
    if not len(rows):
        return
    order = np.zeros((len(aim.points), aim.classes), np.int64)
    order[rows] = np.argsort(-_others(target.scores(aim.points[rows], rows), aim.labels[rows]), axis=1, kind="stable")
    tries = min(options.targets, aim.classes - 1) if aim.classes >= FEWEST else 1
    for number in range(tries):

        def ask(points: Array, rows: Array, number: int = number) -> Felt:
            if aim.classes < FEWEST:
                return target.slope(points, rows, "margin", aim.labels[rows])
            pairs = np.stack([aim.labels[rows], order[rows, number]], axis=1)
            return target.slope(points, rows, "targeted_dlr", pairs)

        rows = rows[target.left(rows)]
        if not len(rows):
            return
        climb(target, aim, ask, rows, started(rows, aim, generator(aim, 4, number)), options.steps)


def _others(scores: Array, labels: Array) -> Array:
    """Scores with the label's own put last."""
    made = np.array(scores, np.float64)
    made[np.arange(len(made)), labels] = -np.inf
    return made
