"""What a study says of privacy: whose leave there is, which rows were learnt from, how the model was trained."""

from __future__ import annotations

import datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.record import Record, listed
from seatrial.contracts.training import TrainerRef

USUAL: tuple[str, ...] = ("loss_threshold", "lira", "rmia")
"""What is tried where a study names nothing."""


class Permission(Record):
    """The written leave of whoever answers for the rows: without it nobody tries what a model gives away of them."""

    owner: str = Field(min_length=1, description="who answers for the rows, by name")
    dated: datetime.date = Field(description="the day of the writing")
    words: str = Field(min_length=20, description="what was written")


Rates = Annotated[tuple[Annotated[float, Field(gt=0, lt=0.5)], ...], BeforeValidator(listed)]


class Privacy(Record):
    """What the model tells of the rows that it learnt from: rows with the role `train` against rows that judge, each candidate by its own answers.

    Shadows are models of the same recipe, trained here on halves of those rows; without a `trainer` there are none, and what needs
    them isn't tried.
    """

    permitted: Permission | None = Field(
        default=None, description="the written leave of whoever answers for the rows; nothing is tried without it"
    )
    methods: Annotated[tuple[Ref, ...], BeforeValidator(listed)] = Field(
        default=tuple(PartRef(name=name) for name in USUAL), description="ways to learn of the rows"
    )
    members: int = Field(default=2000, ge=20, description="rows with the role `train` that are asked about, drawn by chance")  # fmt: skip
    outsiders: int = Field(default=5000, ge=20, description="rows that judge that are asked about, drawn by chance")
    rates: Rates = Field(
        default=(0.01, 0.001), description="shares of outsiders that may be named wrongly, at which members picked out are counted"
    )  # fmt: skip
    memberships: bool = Field(
        default=False, description="write how suspicious each single row is into the run's folder (`memberships.csv`)"
    )
    attribute: str | None = Field(
        default=None,
        description="a column of few values, one of the model's inputs, that somebody may want to guess of a row",
    )
    budgets: Annotated[tuple[Annotated[int, Field(ge=10)], ...], BeforeValidator(listed)] = Field(
        default=(100, 300, 1000), description="how many answers somebody buys who copies the model"
    )
    trainer: TrainerRef | None = Field(default=None, description="how the model was trained: shadows are trained so")
    epochs: int = Field(default=10, ge=1, description="passes through the rows in which a shadow is trained")
    batch: int = Field(default=32, ge=1, description="rows of one step of a shadow's training")
    threads: int = Field(default=1, ge=1, description="processor threads that train shadows")
    shadows: int = Field(
        default=16, ge=4, description="how many shadows; an even number, so that each row is in half of them"
    )

    @model_validator(mode="after")
    def _even(self) -> Self:
        if self.shadows % 2:
            raise ValueError(f"`shadows` is {self.shadows}; it must be even, so that each row is in half of them")
        return self
