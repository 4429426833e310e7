"""What a study says of attacks: who is to be feared, how far inputs may be changed, and whose leave there is."""

from __future__ import annotations

import datetime
from typing import Annotated, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.attack import Knows, Norm
from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.record import Record, listed

STANDARD: tuple[PartRef, ...] = (
    *(PartRef(name=name) for name in ("fgsm", "pgd", "apgd", "apgd_targeted", "transferred", "square", "fmn")),
    PartRef(name="rays", options={"queries": 300}),
    *(PartRef(name=name) for name in ("hop_skip_jump", "changed_characters", "changed_words")),
)
"""The set that a study gets that names no attacks, less what its attacker couldn't do."""


class Threat(Record):
    """Who attacks, what they know and can do. What they know chooses the attacks; the rest is printed with the results."""

    who: str = Field(default="anybody who can send inputs", description="who attacks, in words")
    wants: str = Field(default="a wrong answer to an input that people would see as unchanged", description="what for")
    knows: Knows = Field(
        default="weights",
        description="what they have: the answer's class, its scores, the float original, or the deployed weights; each has what comes before it, too",
    )


class Changeable(Record):
    """What an attacker can do to one column of the data."""

    fixed: bool = Field(default=False, description="it can't be changed")
    whole: bool | None = Field(
        default=None, description="whole numbers only; where left out, so are columns of a table that are stored so"
    )
    range: tuple[float, float] | None = Field(
        default=None,
        description="the least and the most that it can be, as stored; what is found in the rows if left out",
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("`range` is the least and then the most, like `[0, 120]`")
        return self


class Tie(Record):
    """How one column hangs on others: `{column: total, equals: "a + b"}`, `{column: net, at_most: gross}`."""

    column: str = Field(description="the column, by its name")
    equals: str | None = Field(
        default=None, description="a formula that it always equals; it is worked out anew, not changed for itself"
    )
    at_most: str | None = Field(default=None, description="a formula that it never exceeds")
    at_least: str | None = Field(default=None, description="a formula that it never falls below")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.equals, self.at_most, self.at_least)) != 1:
            raise ValueError("say one of `equals`, `at_most` and `at_least`; for two bounds, two entries")
        return self

    @property
    def stated(self) -> tuple[str, str]:
        """The relation (==, <=, >=), and its formula."""
        told = {"==": self.equals, "<=": self.at_most, ">=": self.at_least}
        return next((relation, formula) for relation, formula in told.items() if formula is not None)


class Leave(Record):
    """The written leave of whoever owns a served model: without it nothing that answers over a network is attacked."""

    owner: str = Field(min_length=1, description="who owns it, by name")
    dated: datetime.date = Field(description="the day of the writing")
    endpoint: str = Field(min_length=1, description="the address that may be attacked")
    words: str = Field(min_length=20, description="what was written")
    per_second: float = Field(default=10.0, gt=0, description="questions a second that it allows, at most")


Budgets = Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(listed)]
Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(listed)]
Shares = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], BeforeValidator(listed)]


class Security(Record):
    """Whether somebody can make it answer wrongly by changing inputs a little: the same rows and attacks for every candidate.

    Budgets of numbers are in shares of a feature's range: `linf: 0.1` lets every pixel change by a tenth of the way from black to
    white. Budgets of text are edits: `words: 2` lets two words be put in, left out, replaced or swapped. Each model is attacked by
    the budgets that its inputs have.
    """

    threat: Threat = Field(default=Threat(), description="who attacks, what they know and can do")
    attacks: Annotated[tuple[Ref, ...], BeforeValidator(listed)] = Field(
        default=STANDARD,
        description="attacks; the standard set, less what the attacker couldn't do, if left out",
    )
    linf: Budgets = Field(default=(0.01, 0.03, 0.1), description="how far every feature may change, each")
    l2: Budgets = Field(default=(), description="how far all features together may change: root of the sum of squares")
    characters: Counts = Field(default=(2, 5), description="of a text, how many characters may be edited")
    words: Counts = Field(default=(1, 3), description="of a text, how many words may be edited")
    character_share: Shares = Field(default=(), description="the same as a share of its characters, rounded down")
    word_share: Shares = Field(default=(), description="the same as a share of its words, rounded down")
    rows: int = Field(default=200, ge=20, description="evaluation rows that are attacked, drawn by chance")
    examples: int = Field(
        default=0,
        ge=0,
        le=12,
        description="inputs that fooled it, before and after, shown of each candidate and norm: contents of rows, so none unless asked",
    )
    columns: dict[str, Changeable] = Field(default={}, description="what can be done to a column, by its name")
    one_hot: tuple[tuple[str, ...], ...] = Field(
        default=(), description="columns of 0 and 1 of which exactly one is 1, in a list each: `[[red, green, blue]]`"
    )
    ties: tuple[Tie, ...] = Field(
        default=(),
        description="columns that hang together, by formulas of numbers, columns, + - * /, min, max and abs, in units as stored",
    )
    authorisation: Leave | None = Field(
        default=None, description="the owner's written leave to attack what answers over a network"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not any(self.budgets.values()):
            raise ValueError("say how far inputs may change: `linf`, `l2`, `characters` or `words`")
        return self

    @property
    def budgets(self) -> dict[Norm, tuple[float, ...]]:
        """By norm, small ones first."""
        return {norm: tuple(sorted(getattr(self, norm))) for norm in get_args(Norm)}
