"""The study: what the user asks. The study file is this, in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.audit import Auditing
from seatrial.contracts.boxes import Boxes as Boxes
from seatrial.contracts.candidate import Ref
from seatrial.contracts.measuring import Explanations as Explanations
from seatrial.contracts.measuring import Find as Find
from seatrial.contracts.measuring import Limits as Limits
from seatrial.contracts.measuring import Measure as Measure
from seatrial.contracts.measuring import Robustness as Robustness
from seatrial.contracts.measuring import Rounds as Rounds
from seatrial.contracts.measuring import Shift as Shift
from seatrial.contracts.measuring import Sliced as Sliced
from seatrial.contracts.measuring import Slicing as Slicing
from seatrial.contracts.money import Money
from seatrial.contracts.provenance import Approved
from seatrial.contracts.quantity import Bytes as Bytes
from seatrial.contracts.quantity import Seconds as Seconds
from seatrial.contracts.record import Record, Scalar, listed
from seatrial.contracts.rows import Role
from seatrial.contracts.training import Learning
from seatrial.contracts.values import ValueKind

SCHEMA = 1
STORE = "sqlite"
"""The store of a folder whose study names none."""


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

    columns: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(description="columns of the data, in order")
    kind: ValueKind = Field(default=ValueKind.DENSE, description="tensors, ragged lists, text, or state between calls")
    dtype: str = Field(default="float32", description="type of number that the model takes")
    shape: tuple[int, ...] | None = Field(
        default=None, description="shape of one row as stored, where columns are flat"
    )
    layout: Layout | None = Field(default=None, description="axes, where the model wants them in another order")
    scale: Scale | None = Field(default=None, description="how stored numbers become inputs")


class Output(Record):
    """One output of the model: what its numbers are, and the classes in their order (of predicted numbers: the targets)."""

    means: Literal["logits", "probabilities", "scores", "values", "vectors", "boxes", "classes", "count", "tokens"] = (
        Field(description="what its numbers are")
    )
    classes: tuple[Scalar, ...] = Field(default=(), description="names of the classes, in the order of the output")
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(), description="of predicted numbers: which quantiles they are, in the order of the output"
    )
    threshold: float | dict[str, float] | None = Field(
        default=None, description="of labels that are chosen one by one: from where on; one for all, or by label"
    )
    boxes: Boxes | None = Field(
        default=None, description="of boxes: how they are written; corners in pixels if left out"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError("`quantiles` rise from one to the next, like `[0.1, 0.5, 0.9]`")
        if self.quantiles and self.means != "values":
            raise ValueError("`quantiles` are of predicted numbers: say `means: values`")
        if self.threshold is not None and self.means not in ("logits", "probabilities", "scores"):
            raise ValueError("a `threshold` is for logits, probabilities or scores of labels")
        if self.boxes is not None and self.means != "boxes":
            raise ValueError("how `boxes` are written is for an output of boxes: say `means: boxes`")
        return self


def classes_of(outputs: Mapping[str, Output]) -> tuple[str, ...]:
    """The names of the classes, where an output has any."""
    return next((tuple(map(str, output.classes)) for output in outputs.values() if output.classes), ())


class Model(Record):
    """A model: the forms in which it arrives, its task, its inputs and outputs."""

    forms: dict[str, dict[str, Any]] = Field(min_length=1, description="by subject: {onnx: {path: ...}, torch: {...}}")
    task: Ref = Field(description="what its answers mean")
    inputs: dict[str, Input] = Field(
        default={}, description="by the name of the input in the model; outputs made elsewhere need none"
    )
    outputs: dict[str, Output] = Field(description="by the name of the output in the model")
    tolerance: float = Field(
        default=1e-3, gt=0, description="largest difference at which two forms are the same model, as a share of the largest number in an output"
    )  # fmt: skip
    conversions: Annotated[tuple[Ref, ...], BeforeValidator(listed)] = Field(
        default=(), description="what may convert a form that a runtime doesn't take; all that are known if left out"
    )


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
    labels: tuple[str, ...] = Field(
        default=(),
        description="instead of `label`: columns side by side, one for each label or target, in the order of the output",
    )
    roles: Annotated[Roles, BeforeValidator(_roles)] = Field(
        default=Roles(all=Role.CONFIRM), description="what its rows may be used for"
    )
    group: str | None = Field(default=None, description="column of the user, patient or file a row belongs to")
    order: str | None = Field(default=None, description="column of the time or sequence of rows")
    weight: str | None = Field(default=None, description="column of how many rows of the population a row stands for")
    approved: Approved | None = Field(
        default=None, description="content hash of the rows that were approved; other rows are told"
    )
    lineage: str | None = Field(
        default=None, description="a YAML file in which the owner says where the rows come from"
    )

    @property
    def answers(self) -> tuple[str, ...]:
        """The columns of the right answer; none where there is none."""
        return self.labels or ((self.label,) if self.label else ())

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.label is not None and self.labels:
            raise ValueError("say `label` for one column, or `labels` for several")
        return self


class Grid(Record):
    """Candidates: every combination of what is listed."""

    model: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=(), description="models by name; all if left out"
    )
    variant: Annotated[tuple[Ref, ...], BeforeValidator(listed)] = Field(
        default=("as_is",), validate_default=True, description="what is done to the model first"
    )
    runtime: Annotated[tuple[Ref, ...], BeforeValidator(listed)] = Field(description="what runs it")
    device: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(default=("cpu",), description="where it runs")
    precision: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=("fp32",), description="numbers it computes in"
    )
    threads: Annotated[tuple[int, ...], BeforeValidator(listed)] = Field(default=(1,), description="processor threads")
    batch: Annotated[tuple[int, ...], BeforeValidator(listed)] = Field(
        default=(1,), description="rows in one call, where the load batches"
    )
    machine: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=("local",), description="which machine"
    )
    instances: Annotated[tuple[int, ...], BeforeValidator(listed)] = Field(
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
    instances: int | None = Field(default=None, description="its copies side by side")
    eligible: bool = Field(default=False, description="whether the reference itself may be recommended")


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
    audit: Auditing | None = Field(
        default=None, description="what is looked for in the data before anything is measured; `{}` with its defaults"
    )
    measure: Measure = Field(default=Measure(), description="what is measured, and how often")
    training: Learning | None = Field(default=None, description="training as a load: how fast, how long, for how much")
    require: tuple[Ref, ...] = Field(
        default=(), description="the requirements; a candidate passes when all of them hold"
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="one-sided, for all compared candidates together")
    prefer: dict[str, Any] | None = Field(
        default=None,
        description="what to rank passing candidates by: options of the rule `prefer`, or of the one named as `rule`",
    )
    money: Money | None = Field(
        default=None, description="what it takes and costs: traffic, prices, and places to compare; all of it declared"
    )
    store: Ref = Field(default=STORE, validate_default=True, description="where findings are kept")
    reports: tuple[Ref, ...] = Field(
        default=("json", "html"), validate_default=True, description="what is written when it ends"
    )
