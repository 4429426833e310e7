"""The study: what the user asks. The study file is this, in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.audit import Auditing
from seatrial.contracts.boxes import Boxes as Boxes
from seatrial.contracts.candidate import Ref
from seatrial.contracts.money import Money
from seatrial.contracts.provenance import Approved
from seatrial.contracts.quantity import Bytes as Bytes
from seatrial.contracts.quantity import Seconds as Seconds
from seatrial.contracts.record import Record, Scalar
from seatrial.contracts.rows import Role
from seatrial.contracts.selecting import Selecting, Skew
from seatrial.contracts.training import Learning
from seatrial.contracts.values import ValueKind

SCHEMA = 1
STORE = "sqlite"
"""The store of a folder whose study names none."""


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else [given]


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
    tolerance: float = Field(default=1e-3, gt=0, description="largest difference at which two forms are the same model")
    conversions: Annotated[tuple[Ref, ...], BeforeValidator(_listed)] = Field(
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

    corruptions: Annotated[tuple[Ref, ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="how inputs go bad"
    )
    severities: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], BeforeValidator(_listed)] = Field(
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
    columns: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="columns to compare; those that models, slices and groups read if left out"
    )

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.between[0] == self.between[1]:
            raise ValueError("`between` names two different data sets")
        return self


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
    slices: Annotated[tuple[Sliced, ...], BeforeValidator(_listed)] = Field(
        default=(), description="rows that are looked at apart: `sex`, `age >= 60`, `{column: age, bins: [25, 65]}`"
    )
    groups: tuple[Annotated[tuple[str, ...], BeforeValidator(_listed)], ...] = Field(
        default=(),
        description="columns of the groups that fairness is measured between; `[sex, race]` in a list of its own: both",
    )
    robustness: Robustness | None = Field(
        default=None, description="how answers hold when inputs go bad: `{corruptions: [blur], severities: [1, 3, 5]}`"
    )
    explanations: Explanations | None = Field(
        default=None, description="whether the candidate answers for the same reasons as the reference"
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
