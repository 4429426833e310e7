"""What rows of a class look like, drawn from the model's answers alone: an input is moved until the model is surest of the class.

Steps follow an estimate of the slope from pairs of random changes (natural evolution strategies), kept near what the attacker's own rows look like on
average. It shows what the model holds of a class, not of one person in it. Fredrikson, Jha and Ristenpart (2015), Model
Inversion Attacks that Exploit Confidence Information; Ilyas et al. (2018) for the estimate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.privacy import Deployed, Known
from seatrial.errors import Unsupported
from seatrial.numerics.membership import log_probabilities

GIVES = {"learns": ("likeness",)}
CANNOT = {
    "showing it": ("never", "how like a class it is gets measured; what was drawn is in no report and isn't kept"),
    "gradients": ("not yet ours", "only answers are asked for, also where the artefact lies open"),
    "generative priors": ("not yet ours", "it knows the mean and spread of the attacker's own rows, no generator of such inputs"),
}  # fmt: skip
VERSION = 1


class Options(PartOptions):
    """How long and how far it looks."""

    steps: int = Field(default=60, ge=1, description="steps for each class")
    pairs: int = Field(default=20, ge=1, description="pairs of random changes that a slope is estimated from")
    reach: float = Field(default=0.5, gt=0, description="size of a random change, in spreads of the own rows")
    pull: float = Field(default=0.01, ge=0, description="how strongly it is held near the mean of the own rows")


def pry(target: Deployed, known: Known, options: Options) -> Any:
    """Classes x the first input's row."""
    name = next(iter(known.inputs))
    rows = known.inputs[name][known.own]
    if len(known.inputs) > 1 or rows.dtype.kind != "f":
        raise Unsupported("it draws models of one input of numbers")
    middle = rows.mean(axis=0)
    spread = np.maximum(rows.std(axis=0), 1e-6 + 0.1 * rows.std())
    rng = np.random.default_rng(known.seed)

    def sure(changes: Any, label: int) -> Any:
        """Log probability of the class less the pull, for each change (in spreads)."""
        points = (middle + spread * changes).astype(rows.dtype)
        told = log_probabilities(target.scores({name: points}))[:, label]
        return told - options.pull * (changes.reshape(len(changes), -1) ** 2).mean(axis=1)

    return np.stack([middle + spread * _climbed(sure, label, middle.shape, rng, options) for label in range(known.classes)])  # fmt: skip


def _climbed(sure: Any, label: int, shape: tuple[int, ...], rng: Any, options: Options) -> Any:
    """The change that the model is surest of, by steps of one length along the estimated slope; falling to a tenth."""
    at = np.zeros(shape)
    for step in range(options.steps):
        random = rng.normal(size=(options.pairs, *shape))
        ends = np.concatenate([at + options.reach * random, at - options.reach * random])
        told = sure(ends, label)
        weight = told[: options.pairs] - told[options.pairs :]
        slope = np.tensordot(weight, random, axes=1)
        length = np.sqrt((slope**2).mean())
        if length > 0:
            at = at + 0.3 * (1 - 0.9 * step / options.steps) * slope / length
    return at
