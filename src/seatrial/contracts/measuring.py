"""What a study says under `measure`: how candidates are driven, what is read off and counted, and within what limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.candidate import Ref
from seatrial.contracts.confiding import Privacy
from seatrial.contracts.poisoning import Poisoning
from seatrial.contracts.quantity import Bytes, Seconds
from seatrial.contracts.record import Record, listed
from seatrial.contracts.securing import Security
from seatrial.contracts.selecting import Selecting, Skew


def _rounds(given: Any) -> Any:
    return {"least": given, "most": given} if isinstance(given, int) else given


class Rounds(Record):
    """How many interleaved rounds. With `least` < `most` they go on until every requirement is settled (bounds allow for it)."""

    least: int = Field(default=5, ge=1, description="rounds before anything is settled")
    most: int = Field(
        default=5, ge=1, description="rounds after which it ends; more than `least`: only as many as it takes"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.most < self.least:
            raise ValueError(f"`most` ({self.most}) is less than `least` ({self.least})")
        return self


class Limits(Record):
    """How long an order to a worker may take, and how much memory a worker may have."""

    make: Seconds = Field(default=600.0, description="to make a variant")
    open: Seconds = Field(default=300.0, description="to load a model and answer once")
    block: Seconds = Field(default=120.0, description="for one timed block")
    predict: Seconds = Field(default=600.0, description="to answer the evaluation rows")
    attack: Seconds = Field(default=1800.0, description="for one attack at one budget")
    memory: Bytes | None = Field(
        default=None, description="memory for data of one worker; all that the machine or the container has if left out"
    )


def _sliced(given: Any) -> Any:
    """`sex` is a column, `age >= 60` a condition."""
    if not isinstance(given, str):
        return given
    return {"where": given} if any(sign in given for sign in ("==", "!=", "<", ">", " in ")) else {"column": given}


class Slicing(Record):
    """Rows that are looked at apart: each value or bin of a column, those where a condition holds, or pictures by how they look."""

    column: str | None = Field(default=None, description="a column of the data: each of its values, or bins of numbers")
    where: str | None = Field(default=None, description="a condition: `age >= 60 and sex == 'F'`")
    image: Literal["brightness", "contrast", "blur"] | None = Field(
        default=None, description="how pictures look: of the column named under `column`, or of the only picture"
    )
    bins: int | tuple[float, ...] | None = Field(
        default=None, description="of numbers: how many bins of equally many rows, or the edges between bins"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.where is None) == (self.column is None and self.image is None):
            raise ValueError("say a `column`, an `image` property, or a condition under `where`")
        if self.where is not None and self.bins is not None:
            raise ValueError("a condition has no bins")
        if isinstance(self.bins, int) and self.bins < 2:
            raise ValueError("`bins` are at least 2")
        if isinstance(self.bins, tuple) and list(self.bins) != sorted(set(self.bins)):
            raise ValueError("the edges under `bins` rise from one to the next")
        return self


Sliced = Annotated[Slicing, BeforeValidator(_sliced)]


class Find(Record):
    """The search for slices that are served worse: all values and pairs (and triples) of values of these columns."""

    columns: tuple[str, ...] = Field(
        default=(), description="columns to combine; those under `slices` and `groups` if left out"
    )
    depth: int = Field(default=2, ge=1, le=3, description="how many conditions a slice may have")
    least: int = Field(default=50, ge=10, description="rows that a slice must have at least")
    most: int = Field(default=20, ge=1, description="slices that are put to the test on the other half of the rows")


class Robustness(Record):
    """How answers hold when inputs go bad: each corruption at each severity, on the same rows for every candidate."""

    corruptions: Annotated[tuple[Ref, ...], BeforeValidator(listed)] = Field(
        min_length=1, description="how inputs go bad"
    )
    severities: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], BeforeValidator(listed)] = Field(
        default=(1, 2, 3, 4, 5), description="how bad, 1 to 5"
    )
    rows: int = Field(default=1000, ge=20, description="evaluation rows that go bad, drawn by chance")


class Explanations(Record):
    """Whether the candidate answers for the same reasons: parts of an input are hidden, one at a time, and answers watched."""

    rows: int = Field(default=50, ge=10, description="evaluation rows that are explained, drawn by chance")
    parts: int = Field(default=49, ge=4, le=400, description="parts of an input that are hidden one at a time, at most")


class Shift(Record):
    """How far two data sets lie apart, column by column: all rows of each, with what chance alone would do."""

    between: tuple[str, str] = Field(description="two data sets by name: `[train, evaluation]`")
    columns: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=(), description="columns to compare; those that models, slices and groups read if left out"
    )

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.between[0] == self.between[1]:
            raise ValueError("`between` names two different data sets")
        return self


def _devices(given: Any) -> Any:
    return {"devices": given} if isinstance(given, str | list) else given


class Predicting(Record):
    """Devices that aren't here: what the study's models would do on them, by a roofline. No requirement passes on it."""

    devices: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        min_length=1, description="devices of the catalogue, as `seatrial hardware --catalogue` lists them"
    )
    precision: str | None = Field(
        default=None, description="numbers they would compute in; of each device its own of two bytes if left out"
    )


class Measure(Record):
    """What is measured, and how often."""

    loads: tuple[Ref, ...] = Field(
        default=("single_stream", "offline"), validate_default=True, description="how candidates are driven"
    )
    processing: Literal["outside", "inside"] = Field(
        default="outside",
        description="whether a query's time holds what stands before and after the model: rows as stored made ready, answers read as the task reads them",
    )
    meters: tuple[Ref, ...] = Field(
        default=("latency", "throughput", "memory", "cold_start", "size"),
        validate_default=True,
        description="what is read off while they run",
    )
    metrics: tuple[Ref, ...] = Field(default=(), description="how good their answers are")
    slices: Annotated[tuple[Sliced, ...], BeforeValidator(listed)] = Field(
        default=(), description="rows that are looked at apart: `sex`, `age >= 60`, `{column: age, bins: [25, 65]}`"
    )
    groups: tuple[Annotated[tuple[str, ...], BeforeValidator(listed)], ...] = Field(
        default=(),
        description="columns of the groups that fairness is measured between; `[sex, race]` in a list of its own: both",
    )
    robustness: Robustness | None = Field(
        default=None, description="how answers hold when inputs go bad: `{corruptions: [blur], severities: [1, 3, 5]}`"
    )
    explanations: Explanations | None = Field(
        default=None, description="whether the candidate answers for the same reasons as the reference"
    )
    security: Security | None = Field(
        default=None, description="whether somebody can fool it: `{linf: [0.03, 0.1]}`; `{}` with its defaults"
    )
    privacy: Privacy | None = Field(
        default=None,
        description="what it tells of the rows that it learnt from; needs the leave of whoever answers for them",
    )
    poisoning: Poisoning | None = Field(
        default=None, description="whether candidates carry a backdoor: `{}` with its defaults"
    )
    hold_back: bool = Field(
        default=False,
        description="state everything on either half of the rows, too: the best candidate of one half is confirmed on the other",
    )
    find: Find | None = Field(
        default=None, description="search for slices that are served worse; `{}` with its defaults"
    )
    features: Selecting | None = Field(
        default=None, description="what features are worth to the reference, and which it needs; `{}` with its defaults"
    )
    shift: Shift | None = Field(
        default=None, description="how far two data sets lie apart: `{between: [train, evaluation]}`"
    )
    skew: Skew | None = Field(
        default=None,
        description="whether two data sets say the same of the same rows: `{between: [offline, online], key: id}`",
    )
    predict: Annotated[Predicting | None, BeforeValidator(_devices)] = Field(
        default=None,
        description="what devices that aren't here would do: `[NVIDIA L4]`; predicted, so no requirement passes on it",
    )
    rounds: Annotated[Rounds, BeforeValidator(_rounds)] = Field(
        default=Rounds(), description="how many interleaved rounds; `rounds: 5` is short for five and no more"
    )
    search: Ref = Field(
        default="exhaustive",
        validate_default=True,
        description="which candidates are measured to the end: all, or those that may still be the one (`halving`)",
    )
    seed: int = Field(default=0, description="fixes every random choice, such as the order within rounds")
    limits: Limits = Field(default=Limits(), description="time and memory that a worker may take")
    executor: Ref = Field(default="process", validate_default=True, description="where workers run")
