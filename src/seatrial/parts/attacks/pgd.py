"""Many small steps along the gradient from points drawn by chance, begun anew several times.

The attack that most defences are trained against. Source: Madry et al. (2018), "Towards deep learning models resistant to
adversarial attacks"; steps of 2.5 budgets over the number of steps.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seatrial.contracts.attack import Aim, Target
from seatrial.contracts.part import PartOptions
from seatrial.numerics.norms import steepest
from seatrial.parts.attacks._moves import generator, near, started

ACCEPTS = {"norm": ("linf", "l2"), "knows": ("weights",)}
GIVES = {"budget": ("given",), "nested": ("yes",), "gradient": ("own",)}
REACH = 2.5
"""How many budgets all steps together could go."""


class Options(PartOptions):
    """How long it tries."""

    steps: int = Field(default=40, ge=1, description="steps of each try")
    restarts: int = Field(default=2, ge=1, description="how often it begins anew, each time elsewhere")


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `steps` x `restarts` gradients a row."""
    budget = float(aim.budget or 0)
    for restart in range(options.restarts):
        rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
        points = started(rows, aim, generator(aim, 1, restart))
        for _ in range(options.steps):
            if not len(rows):
                return
            felt = target.slope(points, rows, "cross_entropy", aim.labels[rows])
            left = target.left(rows)
            step = REACH * budget / options.steps * steepest(felt.gradient, aim.norm)
            points = near(points + step, rows, aim, budget)[left]
            rows = rows[left]
        if len(rows):
            target.scores(points, rows)
