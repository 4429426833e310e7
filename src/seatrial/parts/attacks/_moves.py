"""What attacks share: staying near the clean points, and going up a slope with steps that shrink when they no longer help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.attack import Aim, Felt, Target
from seatrial.numerics.norms import at_random, each, steepest, within

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

Ask = Callable[[Any, Any], Felt]
"""Points and their rows to a slope."""
MOMENTUM = 0.75
LEAST_INCREASES = 0.75
"""Of the steps between two looks, how many must raise the loss for the step to stay as long as it is."""


def generator(aim: Aim, *more: int) -> np.random.Generator:
    """Random numbers that are the same for the same seed, norm and budget."""
    return np.random.default_rng([aim.seed, aim.norm == "l2", round(1e6 * (aim.budget or 0)), *more])


def near(points: Array, rows: Array, aim: Aim, budget: Array | float) -> Array:
    """The nearest points within the budget of the clean ones, between 0 and 1 (or where the clean ones lie), fixed features as they are."""
    clean = aim.points[rows]
    moved = clean + within(points - clean, budget, aim.norm)
    inside = np.clip(moved, np.minimum(clean, 0), np.maximum(clean, 1))
    return np.asarray(np.where(aim.free, inside, clean).astype(np.float32))


def started(rows: Array, aim: Aim, chance: np.random.Generator) -> Array:
    """Points by chance within the budget."""
    clean = aim.points[rows]
    return near(clean + at_random(clean.shape, float(aim.budget or 0), aim.norm, chance), rows, aim, aim.budget or 0)


class _Climb:
    """The state of each row that is still attacked; everything is shortened together when rows are done."""

    def __init__(self, rows: Array, points: Array, felt: Felt, step: float) -> None:
        self.of: dict[str, Any] = {
            "rows": rows,
            "points": points,
            "before": points,
            "best": points,
            "slope": felt.gradient,
            "best_slope": felt.gradient,
            "loss": felt.loss,
            "best_loss": felt.loss,
            "step": np.full(len(rows), step, np.float32),
            "rises": np.zeros(len(rows), np.int64),
            "then": felt.loss,
            "shrunk": np.ones(len(rows), bool),
        }

    def keep(self, left: Array) -> None:
        if not left.all():
            self.of = {name: value[left] for name, value in self.of.items()}

    def note(self, points: Array, felt: Felt) -> None:
        """Go on to these points; remember the best."""
        of = self.of
        of["rises"] = of["rises"] + (felt.loss > of["loss"])
        of["before"], of["points"], of["slope"], of["loss"] = of["points"], points, felt.gradient, felt.loss
        better = felt.loss > of["best_loss"]
        wide = each(better, points)
        of["best"] = np.where(wide, points, of["best"])
        of["best_slope"] = np.where(wide, felt.gradient, of["best_slope"])
        of["best_loss"] = np.where(better, felt.loss, of["best_loss"])

    def look(self, steps: int) -> None:
        """Halve the step, and go back to the best points, where it rose too seldom or nothing new was reached since the last look."""
        of = self.of
        stuck = ~of["shrunk"] & (of["best_loss"] <= of["then"])
        shrink = (of["rises"] < LEAST_INCREASES * steps) | stuck
        wide = each(shrink, of["points"])
        of["step"] = np.where(shrink, of["step"] / 2, of["step"]).astype(np.float32)
        of["points"] = np.where(wide, of["best"], of["points"])
        of["before"] = np.where(wide, of["best"], of["before"])
        of["slope"] = np.where(wide, of["best_slope"], of["slope"])
        of["loss"] = np.where(shrink, of["best_loss"], of["loss"])
        of["rises"], of["then"], of["shrunk"] = np.zeros_like(of["rises"]), of["best_loss"], shrink


def looks(steps: int) -> dict[int, int]:
    """After which step the length of steps is looked at, and how many steps were made since the look before."""
    made: dict[int, int] = {}
    share, before, last = 0.22, 0.0, 0
    while share <= 1:
        at = int(np.ceil(share * steps))
        if at > last:
            made[at], last = at - last, at
        share, before = share + max(share - before - 0.03, 0.06), share
    return made


def climb(target: Target, aim: Aim, ask: Ask, rows: Array, points: Array, steps: int) -> None:
    """Auto-PGD: gradient ascent with momentum whose step is halved at looks that come ever closer.

    Croce & Hein (2020), "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
    algorithm 1 (alpha 0.75, rho 0.75, first step twice the budget).
    """
    state = _Climb(rows, points, ask(points, rows), 2 * float(aim.budget or 0))
    shrinking = looks(steps)
    for number in range(steps):
        state.keep(target.left(state.of["rows"]))
        of = state.of
        if not len(of["rows"]):
            return
        moved = near(of["points"] + each(of["step"], of["points"]) * steepest(of["slope"], aim.norm), of["rows"], aim, aim.budget or 0)  # fmt: skip
        share = MOMENTUM if number else 1.0
        pushed = of["points"] + share * (moved - of["points"]) + (1 - share) * (of["points"] - of["before"])
        made = near(pushed, of["rows"], aim, aim.budget or 0)
        state.note(made, ask(made, of["rows"]))
        if number + 1 in shrinking:
            state.look(shrinking[number + 1])
