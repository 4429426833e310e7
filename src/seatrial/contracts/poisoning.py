"""Poisoned training: what a study asks, and what is given to those who look for a backdoor.

A backdoor is a small pattern (a trigger) that makes a model answer one class whatever else is in the picture; it gets there by
training rows that carry it. Points are as in `contracts/attack.py`: inputs whose every feature runs from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol

from pydantic import BeforeValidator, Field

from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.record import Record, listed

if TYPE_CHECKING:
    from seatrial.contracts.values import Array


# --- what a study says ---------------------------------------------------------------------------------------------------


class Poisoning(Record):
    """Whether a candidate carries a backdoor: a trigger that makes it answer one class whatever it is shown."""

    look_for: Annotated[tuple[Ref, ...], BeforeValidator(listed)] = Field(
        default=(PartRef(name="trigger_inversion"),), description="how backdoors are looked for"
    )
    rows: int = Field(
        default=128,
        ge=40,
        description="evaluation rows, drawn by chance: half to find triggers with, half to try them on",
    )
    index: float = Field(
        default=2.0, gt=0, description="the anomaly index above which a trigger is too small for chance"
    )
    flips: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="the share of rows of other classes that a trigger must carry to its class",
    )
    pictures: bool = Field(default=False, description="show the triggers that were found in the report")


# --- what a search is given ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lineup:
    """Rows to look with: `points` (rows x ..., float32, 0 to 1), their `labels` (int64), how many `classes` there are.

    `picture` says how the last axes lie, `CHW` or `HWC`. `seed` fixes every random choice.
    """

    points: Array
    labels: Array
    classes: int
    picture: str
    seed: int = 0


class Pull(NamedTuple):
    """How a model feels about being asked for one class: the gradient of its cross-entropy by the points, and that loss, a number a point."""

    gradient: Array
    loss: Array


class Suspect(Protocol):
    """What a search may ask."""

    def pull(self, points: Array, rows: Array, wanted: Array) -> Pull:
        """The cross-entropy towards the `wanted` class (int64, one a point) and its gradient, lent by a form that has one.

        `rows` are the places in `Lineup.points` that the points are of; one may stand several times. Raises `Unsupported`.
        """
        ...


@dataclass(frozen=True)
class Triggers:
    """The smallest trigger found for each class: a point becomes (1 - mask) x point + mask x pattern.

    `masks` and `patterns` are classes x a point's shape, 0 to 1.
    """

    masks: Array
    patterns: Array


class Search(Protocol):
    """`parts/poisoning`: a way to look for a backdoor in a model. `GIVES = {"way": ("search",)}`.

    `flow` tries what is found on rows that the search hasn't seen, and says whether it is too small for chance.
    """

    def triggers(self, suspect: Suspect, lineup: Lineup, options: Any) -> Triggers:
        """The smallest change that carries rows of other classes to each class."""
        ...
