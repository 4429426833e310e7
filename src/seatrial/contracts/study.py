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


Seconds = Annotated[float, BeforeValidator(_in_seconds), Field(gt=0)]
Bytes = Annotated[int, BeforeValidator(_in_bytes), Field(gt=0)]


class Scale(Record):
    """How stored numbers become model inputs: (x / divide - mean) / std. `mean` and `std` may be one number a channel."""

    divide: float = 1.0
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0


class Layout(Record):
    """The axes of one row as stored and as the model wants them: `stored: HWC`, `model: CHW`. New axes have length 1."""

    stored: str
    model: str


class Input(Record):
    """One input of the model: which columns it comes from and how they become a tensor."""

    columns: Annotated[tuple[str, ...], BeforeValidator(_listed)]
    kind: ValueKind = ValueKind.DENSE
    dtype: str = "float32"
    shape: tuple[int, ...] | None = Field(
        default=None, description="shape of one row as stored, where columns are flat"
    )
    layout: Layout | None = None
    scale: Scale | None = None


class Output(Record):
    """One output of the model: what its numbers are, and the classes in their order."""

    means: Literal["logits", "probabilities", "scores", "values", "boxes", "tokens"]
    classes: tuple[Scalar, ...] = ()


class Model(Record):
    """A model: the forms in which it arrives, its task, its inputs and outputs."""

    forms: dict[str, dict[str, Any]] = Field(min_length=1, description="by subject: {onnx: {path: ...}, torch: {...}}")
    task: Ref
    inputs: dict[str, Input]
    outputs: dict[str, Output]
    tolerance: float = Field(default=1e-3, gt=0, description="largest difference at which two forms are the same model")


def _roles(given: Any) -> Any:
    return {"all": given} if isinstance(given, str) else given


class Roles(Record):
    """Roles of rows: one for `all`, or by a `column` that names them, or drawn in shares by a keyed hash of the row's group."""

    all: Role | None = None
    column: str | None = None
    draw: dict[Role, float] | None = None
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

    source: Ref = Field(alias="from")
    label: str | None = None
    roles: Annotated[Roles, BeforeValidator(_roles)] = Roles(all=Role.CONFIRM)
    group: str | None = Field(default=None, description="column of the user, patient or file a row belongs to")
    order: str | None = Field(default=None, description="column of the time or sequence of rows")


class Grid(Record):
    """Candidates: every combination of what is listed."""

    model: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    variant: Annotated[tuple[Ref, ...], BeforeValidator(_listed)] = Field(default=("as_is",), validate_default=True)
    runtime: Annotated[tuple[Ref, ...], BeforeValidator(_listed)]
    device: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ("cpu",)
    precision: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ("fp32",)
    threads: Annotated[tuple[int, ...], BeforeValidator(_listed)] = (1,)
    batch: Annotated[tuple[int, ...], BeforeValidator(_listed)] = (1,)
    machine: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ("local",)
    instances: Annotated[tuple[int, ...], BeforeValidator(_listed)] = (1,)


class Reference(Record):
    """The model that was approved, as it ran: what is stated must single out one candidate."""

    model: str | None = None
    variant: Ref | None = None
    runtime: Ref | None = None
    device: str | None = None
    precision: str | None = None
    threads: int | None = None
    batch: int | None = None
    eligible: bool = Field(default=False, description="whether the reference itself may be recommended")


def _rounds(given: Any) -> Any:
    return {"least": given, "most": given} if isinstance(given, int) else given


class Rounds(Record):
    """How many interleaved rounds. With `least` < `most` they go on until every requirement is settled (bounds allow for it)."""

    least: int = Field(default=5, ge=1)
    most: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.most < self.least:
            raise ValueError(f"`most` ({self.most}) is less than `least` ({self.least})")
        return self


class Limits(Record):
    """How long an order to a worker may take, and how much memory a worker may have."""

    make: Seconds = 600.0
    open: Seconds = 300.0
    block: Seconds = 120.0
    predict: Seconds = 600.0
    memory: Bytes | None = None


class Measure(Record):
    """What is measured, and how often."""

    loads: tuple[Ref, ...] = Field(default=("single_stream", "offline"), validate_default=True)
    meters: tuple[Ref, ...] = Field(
        default=("latency", "throughput", "memory", "cold_start", "size"), validate_default=True
    )
    metrics: tuple[Ref, ...] = ()
    rounds: Annotated[Rounds, BeforeValidator(_rounds)] = Rounds()
    seed: int = 0
    limits: Limits = Limits()
    executor: Ref = Field(default="process", validate_default=True)


class Study(Record):
    """What the user asks: models, data, ways to run them, requirements."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    name: str
    description: str = ""
    models: dict[str, Model] = Field(min_length=1)
    data: dict[str, Data] = Field(min_length=1)
    candidates: tuple[Grid, ...] = Field(min_length=1)
    reference: Reference
    measure: Measure = Measure()
    require: tuple[Ref, ...] = ()
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="one-sided, for all compared candidates together")
    prefer: dict[str, Any] | None = Field(
        default=None, description="options of the rule `prefer`: what to rank passing candidates by"
    )
    reports: tuple[Ref, ...] = Field(default=("json", "html"), validate_default=True)
