"""What somebody who wants to learn of the rows behind a model is told, and what they hand back.

Unlike an attack (`contracts/attack.py`), which moves points until answers are wrong, this needs rows that the model learnt from, rows that it
didn't, and models of the same recipe to compare with (shadows). What is learnt is one array, whose meaning the part declares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from seatrial.contracts.values import Array, Values

Learns = Literal["member", "hidden", "likeness", "copy"]
"""What is learnt: whether a row was learnt from, a value that was left out, what a class looks like, the model itself."""


@dataclass(frozen=True)
class Shadows:
    """Models of the same recipe, each trained on some of the same rows.

    `scores` (models x rows x classes) are their answers, as logits; `inside` (models x rows, bool) says which rows each learnt from:
    every row is inside half of them.
    """

    scores: Array
    inside: Array


@dataclass(frozen=True)
class Known:
    """What the attacker has beside the model: rows with labels, in no order that tells anything, and the model's answers to them.

    `inputs` by name (rows x ...), `labels` (int64), `scores` (rows x classes: logits, or logarithms of probabilities), `classes` how many.
    `own` marks the rows that are theirs (bool): what they know whole, and may learn from. `shadows`: None where there are none.
    Of a value that was left out: `hidden` names the input and the place in its row, `choices` are the values that it may have, as the
    model takes them (float64); in `inputs` it is 0 outside `own`. `budgets` are numbers of questions, rising.
    """

    inputs: Values
    labels: Array
    scores: Array
    classes: int
    own: Array
    shadows: Shadows | None = None
    hidden: tuple[str, int] | None = None
    choices: Array | None = None
    budgets: tuple[int, ...] = ()
    seed: int = 0


class Deployed(Protocol):
    """The deployed artefact, as anybody may ask it."""

    def scores(self, inputs: Values) -> Array:
        """Its answers to these rows: rows x classes, logits or logarithms of probabilities. Every row counts as a question."""
        ...


class Prying(Protocol):
    """`parts/privacy`: a way to learn of the rows behind a model.

    `GIVES = {"learns": ("member",)}` says what it hands back:
    member: a number for each row, higher for rows that seem more like ones learnt from;
    hidden: for each row the index of one of the `choices`, twice (2 x rows): guessed without the model, and with it;
    likeness: for each class what a row of it looks like (classes x the first input's row);
    copy: for each budget the class that a copy of the model, made from so many answers, gives to each row (budgets x rows).
    `ACCEPTS = {"shadows": ("needed",)}` where it makes nothing of rows without them.
    """

    def pry(self, target: Deployed, known: Known, options: Any) -> Array:
        """What was learnt. The same for the same seed."""
        ...
