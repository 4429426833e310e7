"""A finding: one number or state that somebody can rely on, with its uncertainty and how it was got."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from seatrial.contracts.record import Record, Scalar


class Origin(StrEnum):
    """How a value was got, strongest first. Derived findings carry the weakest origin of their inputs."""

    MEASURED = "measured"
    IMPORTED = "imported"
    ESTIMATED = "estimated"
    PREDICTED = "predicted"
    DECLARED = "declared"
    MISSING = "missing"


class State(StrEnum):
    """What became of the attempt. Only `ok` findings are clean; all but the first three have no value."""

    OK = "ok"
    DISTURBED = "disturbed"  # measured while the machine did other things
    UNSTABLE = "unstable"  # measured before it had become steady
    TOO_FEW = "too_few"  # not enough rows, queries or rounds for this statement
    FAILED = "failed"
    CRASHED = "crashed"
    HUNG = "hung"
    OUT_OF_MEMORY = "out_of_memory"
    NOT_INSTALLED = "not_installed"
    NOT_HERE = "not_here"  # the device isn't on this machine
    UNSUPPORTED = "unsupported"
    REFUSED = "refused"  # unsafe, or not the same model
    LEFT_OUT = "left_out"  # a search saw that it isn't the one, and measured it no further
    WITHHELD = "withheld"  # personal or otherwise not to be shown


class Severity(StrEnum):
    """How much a fault of the data matters."""

    FINE = "fine"  # nothing was found, or so little that it changes nothing
    MINOR = "minor"  # worth a look
    SERIOUS = "serious"  # figures that rest on these rows mean less than they seem to, or something mustn't be there


class Condition(Record):
    """One clause of a slice: `column` `relation` `value`, as in `age >= 60`."""

    column: str = Field(description="the column")
    relation: Literal["==", "!=", "<", "<=", ">", ">=", "in", "is"] = Field(
        description="how it is compared; `is` stands before `missing`"
    )
    value: Scalar | tuple[Scalar, ...] = Field(description="with what")

    def __str__(self) -> str:
        return f"{self.column} {self.relation} {self.value}"


class Finding(Record):
    """One number or state. There is no value if and only if `origin` is `missing`; then `state` and `note` say why.

    `what` is dotted (`latency.p99`), `at` says under which setting (`{"load": "offline"}`), `level` is the two-sided
    confidence of `low` and `high`; a bound that is `None` makes the other one-sided, at (1 + level) / 2.
    `against` names the reference candidate of a paired difference or ratio.
    """

    what: str = Field(description="what was found, dotted: `latency.p99`")
    at: dict[str, Scalar] = Field(default_factory=dict, description="under which setting: `{load: offline}`")
    slice: tuple[Condition, ...] = Field(
        default=(), description="on which rows, where not on all: conditions that all hold"
    )
    candidate: str | None = Field(
        default=None, description="which candidate it is about, by id; empty for the study as a whole"
    )
    against: str | None = Field(default=None, description="the reference candidate of a paired difference or ratio")
    value: float | int | bool | str | None = Field(
        default=None, description="the number, word or truth; empty if and only if `origin` is `missing`"
    )
    low: float | None = Field(default=None, description="lower bound")
    high: float | None = Field(default=None, description="upper bound")
    level: float | None = Field(
        default=None,
        description="two-sided confidence of the bounds; with one bound alone it holds one-sided at (1 + level) / 2",
    )
    unit: str = Field(default="", description="unit of value and bounds; empty for a share or a plain number")
    better: Literal["higher", "lower"] | None = Field(default=None, description="which way is better")
    n: int | None = Field(default=None, description="how many it rests on")
    unit_of_replication: str = Field(default="", description="how many of what: rows, queries, rounds, clusters")
    window: str | None = Field(default=None, description="over which time, in production")
    method: str = Field(default="", description="how value and bounds were got, in words a statistician accepts")
    origin: Origin = Field(default=Origin.MEASURED, description="how the value was got")
    inputs: tuple[str, ...] = Field(default=(), description="keys of the findings that it was derived from")
    state: State = Field(default=State.OK, description="what became of the attempt")
    severity: Severity | None = Field(default=None, description="of a fault of the data: how much it matters")
    note: str = Field(default="", description="why, in words")
    part: str = Field(default="", description="name of the part that found it")
    part_version: int = Field(default=1, description="the version of that part")
    measured_at: str = Field(default="", description="when, UTC")
    artefacts: dict[str, str] = Field(
        default_factory=dict, description="tables and pictures that belong to it, by name"
    )

    @field_validator("at")
    @classmethod
    def _sorted(cls, at: dict[str, Scalar]) -> dict[str, Scalar]:
        return dict(sorted(at.items()))

    @field_validator("value", "low", "high")
    @classmethod
    def _finite(cls, number: Any) -> Any:
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError("a finding holds finite numbers; say `missing` and why")
        return number

    @model_validator(mode="after")
    def _missing_iff_no_value(self) -> Self:
        if (self.value is None) != (self.origin is Origin.MISSING):
            raise ValueError(f"{self.what}: a finding has no value if and only if its origin is `missing`")
        if self.value is None and self.state is State.OK:
            raise ValueError(f"{self.what}: a missing finding says why in its state")
        return self

    @property
    def key(self) -> str:
        """What this finding is about, as one readable string: equal keys speak of the same quantity."""
        at = ",".join(f"{name}={value}" for name, value in self.at.items())
        where = " and ".join(map(str, self.slice))
        return f"{self.what}{f'{{{at}}}' if at else ''}{f'[{where}]' if where else ''}"

    @property
    def number(self) -> float:
        """The value as a float; raises `TypeError` when it is missing or a word."""
        if self.value is None or isinstance(self.value, str):
            raise TypeError(f"{self.key} is no number: {self.value!r}")
        return float(self.value)


def missing(what: str, state: State, note: str, **fields: Any) -> Finding:
    """A finding without a value: what was looked for, and why there is none."""
    return Finding(what=what, origin=Origin.MISSING, state=state, note=note, **fields)


def weakest(origins: tuple[Origin, ...]) -> Origin:
    """The origin of a finding derived from inputs of these origins (`measured` when there are none)."""
    order = list(Origin)
    return max(origins, key=order.index, default=Origin.MEASURED)
