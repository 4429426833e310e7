"""One step along the gradient, as long as the budget: the quickest attack, and a weak one.

A model that withstands this and falls to `pgd` is as most models are; one that falls to this and withstands `pgd` was attacked
wrongly. Source: Goodfellow, Shlens & Szegedy (2015), "Explaining and harnessing adversarial examples".
"""

from __future__ import annotations

import numpy as np

from seatrial.contracts.attack import Aim, Target
from seatrial.contracts.part import PartOptions
from seatrial.numerics.norms import steepest
from seatrial.parts.attacks._moves import near

ACCEPTS = {"norm": ("linf", "l2"), "knows": ("weights",)}
GIVES = {"budget": ("given",), "gradient": ("own",)}


class Options(PartOptions):
    """There is nothing to set."""


def attack(target: Target, aim: Aim, options: Options) -> None:
    """One gradient and one answer a row."""
    rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
    if not len(rows):
        return
    budget, clean = float(aim.budget or 0), aim.points[rows]
    felt = target.slope(clean, rows, "cross_entropy", aim.labels[rows])
    target.scores(near(clean + budget * steepest(felt.gradient, aim.norm), rows, aim, budget), rows)
