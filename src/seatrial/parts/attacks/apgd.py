"""Gradient ascent that finds its own step length, on the cross-entropy.

Auto-PGD needs no step to be chosen: the step is halved where it no longer helps, and the best points are gone back to. It
breaks defences that a badly set `pgd` doesn't. Source: Croce & Hein (2020), the attack APGD-CE of AutoAttack.
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


class Options(PartOptions):
    """How long it tries."""

    steps: int = Field(default=50, ge=1, description="steps of each try")
    restarts: int = Field(default=1, ge=1, description="how often it begins anew, each time elsewhere")


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `steps` + 1 gradients a row and try."""

    def ask(points: Array, rows: Array) -> Felt:
        return target.slope(points, rows, "cross_entropy", aim.labels[rows])

    for restart in range(options.restarts):
        rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
        if len(rows):
            climb(target, aim, ask, rows, started(rows, aim, generator(aim, 2, restart)), options.steps)
