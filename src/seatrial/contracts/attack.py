"""What an attack is told, what it may ask, and what is noted for it.

An attack moves in points: inputs whose every feature runs from 0 (the least that it can be) to 1 (the most), so that a budget
of 0.1 is a tenth of the range whatever the model's units are. `flow` turns points into inputs, keeps them possible (box,
fixed and whole numbers, one category at a time), asks the deployed artefact, and notes what fooled it within the budget:
an attack has nothing to prove and nothing to return. An attack on text moves in strings, and its budget is a number of edits
or their share (numerics/edits.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

Norm = Literal["linf", "l2", "characters", "words", "character_share", "word_share"]
"""How a change is measured: of numbers by the largest change of a feature or the root of the sum of squares, each in shares of
its range; of text by edits of characters or words, or their share of all."""
NUMBERS: tuple[Norm, ...] = ("linf", "l2")
Knows = Literal["classes", "scores", "original", "weights"]
"""What an attacker has, from least to most: the answer's class, its scores, the float model it came from, the artefact itself."""
SLACK = 1e-6
"""By how much rounding may carry a change past its budget."""


@dataclass(frozen=True)
class Space:
    """The room in which budgets are counted, by input that can be changed (arrays that broadcast to a row).

    An input's value is `low` + point x `span`; `free` features may change (bool). `axes` say how a picture lies (`CHW`, `HWC`), else
    they are empty.
    """

    low: Mapping[str, Array]
    span: Mapping[str, Array]
    free: Mapping[str, Array]
    axes: str = ""


@dataclass(frozen=True)
class Aim:
    """What is to be fooled: `points` (rows x ..., float32, 0 to 1; of text strings, objects), their `labels` (int64), how many `classes` there are.

    A change is measured by `norm` and may be at most `budget`; without one the smallest change that fools is looked for.
    `free` (the shape of a row, bool) are the features that may change; `picture` says that the last axes are an image's,
    `CHW` or `HWC`, else it is empty. `seed` fixes every random choice.
    """

    points: Array
    labels: Array
    classes: int
    norm: Norm
    budget: float | None
    free: Array
    picture: str = ""
    seed: int = 0


class Felt(NamedTuple):
    """What a slope is: the gradient by the points, the loss of each row, and whether the deployed artefact is wrong there."""

    gradient: Array
    loss: Array
    wrong: Array


class Target(Protocol):
    """What an attack may ask. `rows` are the places in `Aim.points` that the given points are of; each may stand once in a call."""

    def scores(self, points: Array, rows: Array) -> Array:
        """The deployed artefact's scores, rows x classes (logits, or logarithms of probabilities); 1 for its answer and
        0 for the rest where the attacker sees no more."""
        ...

    def slope(self, points: Array, rows: Array, loss: str, labels: Array) -> Felt:
        """The gradient of a loss (`contracts/slope.py`), lent by a form that has one. Raises `Unsupported` where none has."""
        ...

    def left(self, rows: Array) -> Array:
        """Which of these rows have yet to be fooled within the budget (bool); without a budget all of them, always."""
        ...


class Attack(Protocol):
    """`parts/attacks`: a way to make a model answer wrongly.

    `ACCEPTS = {"norm": ("linf", "l2"), "knows": ("weights",)}`: the norms it can measure by (of numbers, or of text), and who can do it; `GIVES = {"budget":
    ("given",)}`, or `("smallest",)` where it looks for the smallest change. `GIVES = {"gradient": ("own",)}` where it asks for the gradient
    of the deployed artefact, `("reference",)` for the float reference's; without it it gets none. `GIVES = {"nested": ("yes",)}`: what it leaves standing within a
    budget it needn't try within a smaller one.
    """

    def attack(self, target: Target, aim: Aim, options: Any) -> None:
        """Ask the target until it is fooled or patience ends. Stops for rows that are no longer `left`."""
        ...
