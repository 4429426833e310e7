"""The study: what the user asks. The study file is this, in YAML."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.candidate import Ref
from seatrial.contracts.quantity import parse
from seatrial.contracts.record import Record, Scalar
from seatrial.contracts.rows import Role
from seatrial.contracts.values import ValueKind

SCHEMA = 1
STORE = "sqlite"
"""The store of a folder whose study names none."""


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else [given]


def _in_seconds(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    quantity = parse(given)
    if quantity.unit not in ("s", ""):
        raise ValueError(f"`{given}` is not a time, like `90 s` or `10m`")
    return quantity.value


def _in_bytes(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    quantity = parse(given)
    if quantity.unit not in ("B", ""):
        raise ValueError(f"`{given}` is not a size, like `4 GiB`")
    return int(quantity.value)


Seconds = Annotated[float, BeforeValidator(_in_seconds), Field(gt=0, le=1_000_000)]  # the system waits no longer
Bytes = Annotated[int, BeforeValidator(_in_bytes), Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Scale(Record):
    """How stored numbers become model inputs: (x / divide - mean) / std. `mean` and `std` may be one number a channel."""

    divide: float = Field(default=1.0, description="what stored numbers are divided by, such as 255")
    mean: float | tuple[float, ...] = Field(default=0.0, description="what is then taken away")
    std: float | tuple[float, ...] = Field(default=1.0, description="what the rest is divided by")


class Layout(Record):
    """The axes of one row as stored and as the model wants them: `stored: HWC`, `model: CHW`. New axes have length 1."""

    stored: str = Field(description="axes as stored, one letter each: H height, W width, C channel")
    model: str = Field(description="axes as the model wants them")


class Input(Record):
    """One input of the model: which columns it comes from and how they become a tensor."""

    columns: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(description="columns of the data, in order")
    kind: ValueKind = Field(default=ValueKind.DENSE, description="tensors, ragged lists, text, or state between calls")
    dtype: str = Field(default="float32", description="type of number that the model takes")
    shape: tuple[int, ...] | None = Field(
        default=None, description="shape of one row as stored, where columns are flat"
    )
    layout: Layout | None = Field(default=None, description="axes, where the model wants them in another order")
    scale: Scale | None = Field(default=None, description="how stored numbers become inputs")


class Output(Record):
    """One output of the model: what its numbers are, and the classes in their order."""

    means: Literal["logits", "probabilities", "scores", "values", "boxes", "tokens"] = Field(
        description="what its numbers are"
    )
    classes: tuple[Scalar, ...] = Field(default=(), description="names of the classes, in the order of the output")


class Model(Record):
    """A model: the forms in which it arrives, its task, its inputs and outputs."""

    forms: dict[str, dict[str, Any]] = Field(min_length=1, description="by subject: {onnx: {path: ...}, torch: {...}}")
    task: Ref = Field(description="what its answers mean")
    inputs: dict[str, Input] = Field(description="by the name of the input in the model")
    outputs: dict[str, Output] = Field(description="by the name of the output in the model")
    tolerance: float = Field(default=1e-3, gt=0, description="largest difference at which two forms are the same model")


def _roles(given: Any) -> Any:
    return {"all": given} if isinstance(given, str) else given


class Roles(Record):
    """Roles of rows: one for `all`, or by a `column` that names them, or drawn in shares by a keyed hash of the row's group."""

    all: Role | None = Field(default=None, description="one role for all rows; `roles: confirm` says the same")
    column: str | None = Field(default=None, description="column that names each row's role")
    draw: dict[Role, float] | None = Field(
        default=None, description="shares that add up to 1: `{calibrate: 0.1, confirm: 0.9}`"
    )
    key: str = Field(default="seatrial", description="the key of the draw: the same key draws the same rows everywhere")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.all, self.column, self.draw)) != 1:
            raise ValueError("say one of: a role, `column`, or `draw`")
        if self.draw is not None and abs(sum(self.draw.values()) - 1) > 1e-9:
            raise ValueError(f"the shares to draw add up to {sum(self.draw.values()):g}, not to 1")
        return self


class Data(Record):
    """A data set: where it is, its label column, what its rows may be used for; which rows belong together and their order."""

    source: Ref = Field(alias="from", description="where the rows are: `{parquet: {path: rows.parquet}}`")
    label: str | None = Field(default=None, description="column of the right answer")
    roles: Annotated[Roles, BeforeValidator(_roles)] = Field(
        default=Roles(all=Role.CONFIRM), description="what its rows may be used for"
    )
    group: str | None = Field(default=None, description="column of the user, patient or file a row belongs to")
    order: str | None = Field(default=None, description="column of the time or sequence of rows")


class Grid(Record):
    """Candidates: every combination of what is listed."""

    model: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="models by name; all if left out"
    )
    variant: Annotated[tuple[Ref, ...], BeforeValidator(_listed)] = Field(
        default=("as_is",), validate_default=True, description="what is done to the model first"
    )
    runtime: Annotated[tuple[Ref, ...], BeforeValidator(_listed)] = Field(description="what runs it")
    device: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(default=("cpu",), description="where it runs")
    precision: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=("fp32",), description="numbers it computes in"
    )
    threads: Annotated[tuple[int, ...], BeforeValidator(_listed)] = Field(default=(1,), description="processor threads")
    batch: Annotated[tuple[int, ...], BeforeValidator(_listed)] = Field(
        default=(1,), description="rows in one call, where the load batches"
    )
    machine: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=("local",), description="which machine"
    )
    instances: Annotated[tuple[int, ...], BeforeValidator(_listed)] = Field(
        default=(1,), description="copies side by side"
    )


class Reference(Record):
    """The model that was approved, as it ran: what is stated must single out one candidate."""

    model: str | None = Field(default=None, description="the model's name; needed where there are several")
    variant: Ref | None = Field(default=None, description="its variant")
    runtime: Ref | None = Field(default=None, description="its runtime")
    device: str | None = Field(default=None, description="its device")
    precision: str | None = Field(default=None, description="its precision")
    threads: int | None = Field(default=None, description="its threads")
    batch: int | None = Field(default=None, description="its batch")
    eligible: bool = Field(default=False, description="whether the reference itself may be recommended")


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
    memory: Bytes | None = Field(default=None, description="memory of one worker; no limit if left out")


class Measure(Record):
    """What is measured, and how often."""

    loads: tuple[Ref, ...] = Field(
        default=("single_stream", "offline"), validate_default=True, description="how candidates are driven"
    )
    meters: tuple[Ref, ...] = Field(
        default=("latency", "throughput", "memory", "cold_start", "size"),
        validate_default=True,
        description="what is read off while they run",
    )
    metrics: tuple[Ref, ...] = Field(default=(), description="how good their answers are")
    rounds: Annotated[Rounds, BeforeValidator(_rounds)] = Field(
        default=Rounds(), description="how many interleaved rounds; `rounds: 5` is short for five and no more"
    )
    seed: int = Field(default=0, description="fixes every random choice, such as the order within rounds")
    limits: Limits = Field(default=Limits(), description="time and memory that a worker may take")
    executor: Ref = Field(default="process", validate_default=True, description="where workers run")


class Study(Record):
    """What the user asks: models, data, ways to run them, requirements."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of the study file")
    name: str = Field(description="what reports call it")
    description: str = Field(default="", description="what it is about, for people")
    models: dict[str, Model] = Field(min_length=1, description="the models to try, by a name of your choice")
    data: dict[str, Data] = Field(min_length=1, description="the data sets, by a name of your choice")
    candidates: tuple[Grid, ...] = Field(
        min_length=1, description="the ways to run them: every combination of each block"
    )
    reference: Reference = Field(
        description="the candidate that all others are compared with: the model that was approved"
    )
    measure: Measure = Field(default=Measure(), description="what is measured, and how often")
    require: tuple[Ref, ...] = Field(
        default=(), description="the requirements; a candidate passes when all of them hold"
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="one-sided, for all compared candidates together")
    prefer: dict[str, Any] | None = Field(
        default=None, description="options of the rule `prefer`: what to rank passing candidates by"
    )
    store: Ref = Field(default=STORE, validate_default=True, description="where findings are kept")
    reports: tuple[Ref, ...] = Field(
        default=("json", "html"), validate_default=True, description="what is written when it ends"
    )
