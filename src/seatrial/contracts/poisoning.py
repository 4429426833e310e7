"""Poisoned training: what a study asks, and what is given to those who look for a backdoor and to those who plant one.

A backdoor is a small pattern (a trigger) that makes a model answer one class whatever else is in the picture; it gets there by
training rows that carry it. Points are as in `contracts/attack.py`: inputs whose every feature runs from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol

from pydantic import BeforeValidator, Field

from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.quantity import Seconds
from seatrial.contracts.record import Record, listed
from seatrial.contracts.training import TrainerRef

if TYPE_CHECKING:
    from seatrial.contracts.values import Array


# --- what a study says ---------------------------------------------------------------------------------------------------


class Twins(Record):
    """What poisoned rows would do to training: from each seed a model is trained on clean rows and twins of it on poisoned ones."""

    trainer: TrainerRef = Field(description="what trains: a trainer, or a function of yours as `./train.py:fit`")
    model: str | None = Field(
        default=None, description="the model whose inputs and labels it is given; the study's only one if left out"
    )
    poisons: Annotated[tuple[Ref, ...], BeforeValidator(listed)] = Field(
        default=(PartRef(name="flipped_labels"), PartRef(name="planted_patch")),
        description="what is done to the rows",
    )
    shares: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], BeforeValidator(listed)] = Field(
        default=(0.01, 0.05, 0.1), description="to which share of the rows with the role `train`"
    )
    seeds: int = Field(default=5, ge=2, description="how many times, each time from another seed and with other rows")
    epochs: int = Field(default=5, ge=1, description="passes through the rows of one training")
    batch: int = Field(default=32, ge=1, description="rows of one step")
    threads: int = Field(default=1, ge=1, description="processor threads")
    limit: Seconds = Field(default=1800.0, description="how long one training may take")


class Poisoning(Record):
    """Whether a candidate carries a backdoor, a trigger that makes it answer one class whatever it is shown; and what poison would do to training."""

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
    pictures: bool = Field(default=False, description="show the triggers of suspected classes in the report")
    twins: Twins | None = Field(
        default=None,
        description="what poisoned rows would do to training: `{trainer: {torch_module: {module: net.py:net}}}`",
    )


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


# --- what poison is given --------------------------------------------------------------------------------------------------


class Poison(Protocol):
    """`parts/poisoning`: what somebody does to rows that a model will be trained on. `GIVES = {"way": ("poison",)}`.

    `GIVES = {"trigger": ("yes",)}` where it plants one; `ACCEPTS = {"rows": ("pictures",)}` where it takes nothing else. Points are rows x a picture,
    0 to 1, or None where the rows are none; `picture` says how their axes lie.
    """

    def fits(self, labels: Array, options: Any) -> Array:
        """Which rows may be drawn for it (bool)."""
        ...

    def poisoned(self, rows: Poisoned, chance: Any, options: Any) -> Poisoned:
        """The drawn rows as the model will be trained on them. `chance` is a `numpy.random.Generator`."""
        ...

    def shown(self, rows: Poisoned, options: Any) -> Poisoned | None:
        """Of rows that judge those that an attacker would show, with the trigger, and the class that is wanted; None where there is none."""
        ...


@dataclass(frozen=True)
class Poisoned:
    """Rows in the hands of whoever poisons: `points` (None where they are no pictures), class `labels` (int64), how many `classes`, and `picture`."""

    points: Array | None
    labels: Array
    classes: int
    picture: str = ""
