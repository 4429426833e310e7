"""What each kind of part offers. A part is a module: its functions are these, its `Options` class is what they receive.

Each protocol has at most three methods; the bookkeeping is done by `flow`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.attack import Space
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding
from seatrial.contracts.inspection import Bounds, Look
from seatrial.contracts.messages import Order
from seatrial.contracts.race import Leaving, Race, Rungs
from seatrial.contracts.slope import Loss as Loss
from seatrial.contracts.slope import Slope as Slope
from seatrial.contracts.study import Output
from seatrial.contracts.timing import Feed as Feed
from seatrial.contracts.timing import Load as Load
from seatrial.contracts.timing import Meter as Meter
from seatrial.contracts.timing import Probe as Probe
from seatrial.contracts.timing import Reading as Reading
from seatrial.contracts.timing import Round as Round
from seatrial.contracts.training import Job
from seatrial.contracts.values import Values
from seatrial.contracts.verdict import Judgement

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

Columns = Mapping[str, "Array"]
"""Columns by name, equally long; the first axis is rows. A column of images is rows x height x width (x channels)."""


# --- how a model and its data arrive ---------------------------------------------------------------------------------


class Subject(Protocol):
    """`parts/subjects`: one form in which a model arrives."""

    def read(self, options: Any, folder: Path) -> Artefact:
        """Check the files named in `options` (relative to `folder`) and describe them. Raises `ModelError`. Runs no user code."""
        ...


class Format(Protocol):
    """`parts/formats`: a kind of model file, looked at without loading it."""

    def recognises(self, path: Path, start: bytes) -> bool:
        """Whether this file, which begins with these bytes (4,096 at most), is of this format. Raises nothing."""
        ...

    def look(self, path: Path, bounds: Bounds) -> Look:
        """What is in the file, read within these bounds. Runs and unpickles nothing. Raises `ModelError`."""
        ...


class Dataset(Protocol):
    """`parts/datasets`: one way in which rows arrive.

    Optional: `pieces(options, folder, names, rows) -> Iterator[Mapping[str, Piece]]`, as `chunks` but as stored, holes and all: for audits
    (`contracts/audit.py`). Nothing is refused that can be read at all. `stated(options, folder)`: by table of features what is stated of it, by
    word (`version`, `owner`, `approval`; empty where nothing is). `naming(options, folder) -> tuple[str, ...]`: columns that only name a row, by which
    rows are in order: audits draw nothing from either. For `init`, where `GIVES = {"known": suffixes}`: `known(path) -> bool`, by what
    is in the file, and `ways(path, shapes) -> list`, options that read it, the likeliest first, for a model with inputs of these shapes.
    """

    def columns(self, options: Any, folder: Path) -> dict[str, str]:
        """Column names with their types in words, without reading the rows. Raises `DataError`."""
        ...

    def chunks(self, options: Any, folder: Path, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named columns in order, at most `rows` rows at a time. Raises `DataError`."""
        ...


class Task(Protocol):
    """`parts/tasks`: what answers mean."""

    def answers(self, raw: Values, outputs: Mapping[str, Output]) -> dict[str, Array]:
        """The model's raw outputs in the task's terms (`scores`, `probabilities`, ...). Raises `DataError` where they can't be."""
        ...

    def labels(self, column: Array, outputs: Mapping[str, Output]) -> Array:
        """The label column in the task's terms (class indices, int64; numbers, float64). Raises `DataError` naming unknown ones."""
        ...


# --- what is made and run ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Training:
    """Rows with the role `train`: model inputs, labels in the task's terms, the columns that the variant's options name (words).

    `classes` are the names of the classes; a label is a place in them.
    """

    inputs: Values
    labels: Array | None
    groups: Mapping[str, Array] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Making:
    """What a variant or a conversion may use: where to write, a seed, and rows as model inputs (None: there are none).

    `calibration` is what a variant may fit itself to, `train` what it may fit the model to anew. `examples` are a few rows that show a conversion what inputs look like;
    nothing may be fitted to them. A variant that names runtimes in its `USES` is given `answer`, which gives a model's answers to the
    calibration rows in the task's terms, and the rows' `labels` where there are any; and `run`, which gives a model's raw answers to any
    rows. `outputs` say what the model's outputs mean. `wanted` is the format to make, where a variant gives several; `base` is the
    folder of the study, which its options' files are relative to. A variant that declares `ACCEPTS = {"ranges": ("study",)}` is
    given `space`: what an attacker's budgets are shares of.
    """

    folder: Path
    seed: int
    calibration: Values | None = None
    rows_hash: str | None = None
    examples: Values | None = None
    train: Training | None = None
    labels: Array | None = None
    answer: Callable[[Artefact], Mapping[str, Any]] | None = None
    run: Callable[[Artefact, Values], Values] | None = None
    outputs: Mapping[str, Output] = field(default_factory=dict)
    wanted: str | None = None
    base: Path | None = None
    space: Space | None = None


class Conversion(Protocol):
    """`parts/conversions`: one format into another. The answers must stay the same: `flow` compares them before use."""

    def convert(self, artefact: Artefact, making: Making, options: Any) -> Artefact:
        """The same model in another format, its files under `making.folder`, with the same inputs and outputs.

        Raises `Unsupported` with the reason where there is no way.
        """
        ...


class Variant(Protocol):
    """`parts/variants`: something done to a model.

    Optional: `files(options, folder) -> dict[str, str]`, the files of the user's that it runs, with their SHA-256: they are part of
    what is made. Raises `ModelError`. Runs none of them. `GIVES = {"chance": ("secret",)}`: it draws by chance that nobody may know, so that
    the same seed doesn't give the same model; made once, it is kept.
    """

    def make(self, artefact: Artefact, making: Making, options: Any) -> Artefact:
        """The changed model, its files under `making.folder`. Raises `PartError` with the reason where it can't be made."""
        ...


class Beforehand(Protocol):
    """`parts/variants`: one that is a step before the model and changes no file: `GIVES = {"step": ("before",)}`; its `make` adds the step."""

    def around(self, session: Session, given: Mapping[str, Any]) -> Session:
        """A session that passes inputs through the step; `given` are the step's options. Its `gradient`, where the session has one, is the
        one by the inputs that an attacker would take who knows the step. With `GIVES = {"certificate": ("l2",)}` it also has
        `votes(values, copies, seed)`: how many of so many noisy copies of each row are given each class (rows x classes, int64)."""
        ...


class Trainer(Protocol):
    """`parts/trainers`: something that fits a model, one step at a time."""

    def absent(self, device: str) -> str | None:
        """Why this device can't be used on this machine, found without loading the framework; None when it seems there."""
        ...

    def files(self, options: Any, folder: Path) -> dict[str, str]:
        """The files of the user's that it runs, with their SHA-256: they are its identity. Raises `ModelError`. Runs none of them."""
        ...

    def train(self, job: Job, options: Any) -> Iterator[Mapping[str, Any]]:
        """Train, and yield after each step `loss` and `rows` (of text `tokens` and `padded`, too), after each evaluation its measures.

        `job` holds seed, rows and settings; the same seed gives the same losses. Nothing runs between two yields being asked for.
        """
        ...


@dataclass(frozen=True)
class Setting:
    """How to run: what of a candidate the runtime needs to know."""

    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1
    batch: int = 1


@dataclass(frozen=True)
class Facts:
    """What really runs, found out and not assumed: `precision` and `device` as executed, and details in words.

    `precision` is the lowest among the heavy operators (matrix products, convolutions): fp32, bf16, fp16, int8 or `unknown`.
    `fell_back` says in one sentence what isn't as it was asked for; empty when all is.
    """

    device: str
    precision: str
    fell_back: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class Session(Protocol):
    """A model ready to answer. `predict` returns when the answers lie in host memory.

    Optional: `spent() -> Mapping`, where the time of the queries went since it was last asked; asked before and after each
    timed block, outside the clock. Means a query, in seconds: `query` in all, `wire` from sending to the last byte received, and of that
    `server` by its own word or the `round_trip` of an empty request; `way` says how that was got. Or `device`, what the device worked. Empty where it can't be told.

    Optional: `gradient(values, loss: Loss) -> Slope`, the gradient of the loss, summed over rows, by each float input: rows in, rows out.
    Raises `ModelError` where labels or output don't fit, `Unsupported` where there is no gradient. It is of the very model that answers, in its precision.
    """

    def predict(self, values: Values) -> Values:
        """Answers by output name, for inputs by input name."""
        ...

    def facts(self) -> Facts:
        """What really runs. Called after at least one `predict`."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class Runtime(Protocol):
    """`parts/runtimes`: something that runs models. Also `stage(name)` as it opens: see `Opening`."""

    def absent(self, device: str) -> str | None:
        """Why this device can't be used on this machine, found without loading the framework; None when it seems there."""
        ...

    def open(self, artefact: Artefact, setting: Setting, options: Any) -> Session:
        """A session. Raises `Unsupported` rather than running elsewhere or in another precision than asked."""
        ...


# --- how one decides and what is told -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """What a rule may read: one candidate's findings, and the two-sided level its bounds need."""

    candidate: str
    findings: Sequence[Finding]
    level: float


class Rule(Protocol):
    """`parts/rules`: one requirement."""

    def needs(self, options: Any) -> tuple[str, dict[str, Any]]:
        """The finding it reads: `what` and `at`."""
        ...

    def judge(self, evidence: Evidence, options: Any) -> Judgement:
        """Pass, fail or not enough evidence, by bounds and not by point values."""
        ...


class Chooser(Protocol):
    """A rule that orders candidates instead of judging them (`prefer`)."""

    def order(self, evidences: Sequence[Evidence], options: Any) -> list[str]:
        """Ids, best first."""
        ...

    def words(self, evidence: Evidence, options: Any) -> str:
        """The figure that a candidate is ranked by, with its interval, in words; empty where it has none."""
        ...

    def tied(self, evidences: Sequence[Evidence], options: Any) -> list[str]:
        """Ids that can't be told from the best of them, without the best itself."""
        ...


class Search(Protocol):
    """`parts/searches`: which candidates to measure, in what order, when to stop."""

    def order(self, candidates: Sequence[Candidate], options: Any) -> list[str]:
        """Ids in the order in which to open them: a hint of what may be best, never a reason to leave one out."""
        ...

    def rungs(self, options: Any) -> Rungs:
        """After how many short rounds it looks, and how short they are; no counts where nothing is ever left out."""
        ...

    def leave(self, race: Race, options: Any) -> list[Leaving]:
        """Those that need not be measured on, each with the reason. Called at each rung with what is known then."""
        ...


class Report(Protocol):
    """`parts/reports`: something told from a dossier. `GIVES = {"suffix": ("html",)}` says what it writes."""

    def render(self, dossier: Dossier, options: Any) -> str:
        """The whole text. Reads the dossier alone."""
        ...


# --- where things are kept and run --------------------------------------------------------------------------------------


class Store(Protocol):
    """An open store of keyed JSON bodies, each in a `shelf` (`round`, `prediction`, `artefact`, `run`, `finding`)."""

    def put(self, entries: Sequence[tuple[str, str, Any]]) -> None:
        """Keep (shelf, key, body) entries, all or none; an entry with the same shelf and key is replaced."""
        ...

    def get(self, shelf: str, key: str) -> Any | None:
        """One body, or None."""
        ...

    def all(self, shelf: str, prefix: str = "") -> list[tuple[str, Any]]:
        """Keys that start with `prefix` and their bodies, oldest first."""
        ...


class Stores(Protocol):
    """`parts/stores`: a place for findings."""

    def open(self, folder: Path, options: Any) -> Store:
        """The store in this folder, made or migrated where needed. Raises `StoreError`."""
        ...


class Link(Protocol):
    """A line to one worker."""

    pid: int

    def ask(self, order: Order, seconds: float) -> dict[str, Any]:
        """Send an order and wait for its answer. Raises a `WorkerError` when none comes in time or the worker is gone."""
        ...

    def close(self) -> None:
        """End the worker, by force if it doesn't go."""
        ...


class Executor(Protocol):
    """`parts/executors`: a place where workers run."""

    def start(self, log: Path, memory: int | None, options: Any) -> Link:
        """A fresh worker whose own output goes to `log`, limited to `memory` bytes where given."""
        ...
