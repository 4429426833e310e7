"""Which features a model needs, and whether they are served as they were trained on: what a study states of it."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.record import Record


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else [given]


class Selecting(Record):
    """What features are worth to the reference, on rows that it wasn't trained on; each is kept or dropped by these criteria."""

    columns: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="columns to look at; all that the model reads if left out"
    )
    rows: int = Field(
        default=2000, ge=40, description="evaluation rows, drawn by chance: half to choose on, half to judge the choice"
    )
    repeats: int = Field(default=5, ge=1, le=100, description="how many other rows' values each row is answered with")
    correlated: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="features are taken together from this rank correlation on: one alone shows nothing",
    )
    redundant: float = Field(
        default=0.98,
        gt=0,
        le=1,
        description="of features whose rank correlation is this or more one stays: the cheapest, then the one with fewest gaps, then the one that tells the label best by itself",
    )
    worth: float = Field(
        default=0.0, ge=0, description="a feature is dropped unless its loss may rise by more than this without it"
    )
    stable: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="a feature is dropped that is worth that much in a smaller share of resamples than this",
    )
    missing: float = Field(
        default=0.5, ge=0, le=1, description="a feature is dropped where more of its values than this are missing"
    )
    leaks: float = Field(
        default=0.98,
        gt=0,
        le=1,
        description="a feature that alone tells the label this well is dropped: it may not be known in time",
    )
    cost: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={},
        description="what a feature costs for a thousand answers, in the study's currency: `{bureau_score: 0.9}`",
    )
    per_cost: float | None = Field(
        default=None,
        ge=0,
        description="a feature with a cost is dropped where the loss rises by less than this for each unit of it",
    )
    keep: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="features that stay, whatever the criteria say"
    )


class Skew(Record):
    """Whether two data sets say the same of the same things, row by row: features as they were trained on and as they are served."""

    between: tuple[str, str] = Field(description="two data sets by name: `[offline, online]`")
    key: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="columns that name a row in both"
    )
    columns: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="columns to compare; all that both have if left out"
    )
    tolerance: float = Field(
        default=0.0,
        ge=0,
        description="by how much numbers may differ, as a share of the larger one, and still be the same",
    )

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.between[0] == self.between[1]:
            raise ValueError("`between` names two different data sets")
        return self
