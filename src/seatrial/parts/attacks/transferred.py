"""What fools the float model that this one was made of, tried on this one: needs no gradient of the deployed artefact.

An attacker who has the published original, but not the quantised or compiled artefact, does this; it is why an integer
runtime without gradients is no defence. Auto-PGD climbs the reference's cross-entropy, and every point is tried on the
deployed artefact. Source: Papernot, McDaniel & Goodfellow (2016), "Transferability in machine learning".
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

ACCEPTS = {"norm": ("linf", "l2"), "knows": ("original", "weights")}
GIVES = {"budget": ("given",), "nested": ("yes",), "gradient": ("reference",)}


class Options(PartOptions):
    """How long it tries."""

    steps: int = Field(default=50, ge=1, description="steps")


def attack(target: Target, aim: Aim, options: Options) -> None:
    """At most `steps` + 1 gradients of the reference and as many answers a row."""

    def ask(points: Array, rows: Array) -> Felt:
        return target.slope(points, rows, "cross_entropy", aim.labels[rows])

    rows = np.flatnonzero(target.left(np.arange(len(aim.points))))
    if len(rows):
        climb(target, aim, ask, rows, started(rows, aim, generator(aim, 3)), options.steps)
