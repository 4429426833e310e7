"""Training as a study asks for it, and what a trainer is given: the ways to train, a target, seeds; a job with its rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.money import Hourly
from seatrial.contracts.quantity import Seconds
from seatrial.contracts.record import Record

if TYPE_CHECKING:
    from seatrial.contracts.values import Array, Values


def trainer_as_written(given: Any) -> Any:
    """`./train.py:fit` is short for the trainer that runs a function of the user's."""
    if isinstance(given, str) and ".py:" in given:
        return {"name": "user_function", "options": {"call": given}}
    return given


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else [given]


TrainerRef = Annotated[Ref, BeforeValidator(trainer_as_written)]
Count = Annotated[int, Field(ge=1)]


# --- what a study says ---------------------------------------------------------------------------------------------------


class Way(Record):
    """One way to train: what trains, on what, in which numbers, with how many rows a step and how many workers."""

    trainer: TrainerRef = Field(description="what trains")
    device: str = Field(default="cpu", description="where it trains")
    precision: str = Field(default="fp32", description="numbers it computes in")
    threads: int = Field(default=1, ge=1, description="processor threads of one worker")
    batch: int = Field(default=32, ge=1, description="rows of one step, of all workers together")
    workers: int = Field(default=1, ge=1, description="data-parallel workers, each with its share of every batch")

    @property
    def id(self) -> str:
        """Readable and unique in a study."""
        return f"{self.trainer}/{self.device}/{self.precision}/t{self.threads}/b{self.batch}/w{self.workers}"


class Ways(Record):
    """Ways to train: every combination of what is listed."""

    trainer: Annotated[tuple[TrainerRef, ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="what trains: a trainer, or a function of yours as `./train.py:fit`"
    )
    device: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=("cpu",), description="where it trains"
    )
    precision: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=("fp32",), description="numbers it computes in"
    )
    threads: Annotated[tuple[Count, ...], BeforeValidator(_listed)] = Field(
        default=(1,), description="processor threads of one worker"
    )
    batch: Annotated[tuple[Count, ...], BeforeValidator(_listed)] = Field(
        default=(32,), description="rows of one step, of all workers together"
    )
    workers: Annotated[tuple[Count, ...], BeforeValidator(_listed)] = Field(
        default=(1,), description="data-parallel workers, each with its share of every batch"
    )


class WayReference(Record):
    """The way to train that others are compared with: what is stated must single out one."""

    trainer: TrainerRef | None = Field(default=None, description="its trainer")
    device: str | None = Field(default=None, description="its device")
    precision: str | None = Field(default=None, description="its precision")
    threads: int | None = Field(default=None, description="its threads")
    batch: int | None = Field(default=None, description="its batch")
    workers: int | None = Field(default=None, description="its workers")


class Target(Record):
    """The quality at which training is done: a measure that the trainer tells, and how good it must be."""

    measure: str = Field(description="a measure that the trainer tells, such as `accuracy` or `loss`")
    at_least: float | None = Field(default=None, description="reached when it is this or more")
    at_most: float | None = Field(default=None, description="reached when it is this or less")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("say one of `at_least` and `at_most`")
        return self

    def reached(self, told: Mapping[str, float]) -> bool:
        """Whether these measures reach it."""
        value = told.get(self.measure)
        if value is None:
            return False
        return value >= self.at_least if self.at_least is not None else value <= (self.at_most or 0.0)

    def __str__(self) -> str:
        bound = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        return f"{self.measure} {bound}"


class Learning(Record):
    """Training as a load: how fast each way trains, and how long and for how much money until it is good enough."""

    model: str | None = Field(
        default=None,
        description="the model whose inputs and labels the trainer is given: rows with the role `train` to learn from, those that judge to "
        "tell its quality on; a function that brings its own rows needs none",
    )
    ways: tuple[Ways, ...] = Field(min_length=1, description="the ways to train: every combination of each block")
    reference: WayReference | None = Field(
        default=None, description="the way that others are compared with; the first one if left out"
    )
    rounds: int = Field(default=5, ge=1, description="interleaved rounds in which steps are timed")
    steps: int = Field(default=20, ge=2, description="steps of one way in one round")
    seeds: int = Field(
        default=0,
        ge=0,
        description="how many times each way is trained from the beginning, each time with another seed",
    )
    epochs: int = Field(default=5, ge=1, description="how long each of these trainings lasts: passes through the rows")
    target: Target | None = Field(default=None, description="the quality that training is for")
    limit: Seconds = Field(default=1800.0, description="how long one training from the beginning may take")
    price_per_hour: Hourly | None = Field(
        default=None,
        description="what an hour of the machine costs: `1.20`, `29/day`; without a price no money is stated",
    )
    price: str | None = Field(default=None, description="a row of the price table instead: `aws/g6.4xlarge`")
    currency: str = Field(default="USD", description="in what money")

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if self.price_per_hour is not None and self.price is not None:
            raise ValueError("say `price_per_hour` for a price, or `price` for a row of the price table")
        return self

    @model_validator(mode="after")
    def _seeds_for_a_target(self) -> Self:
        if self.target is not None and self.seeds < 1:
            raise ValueError(
                "a `target` needs `seeds`: how many times to train from the beginning (6 give a 95 % interval)"
            )
        return self


# --- what a trainer is given ---------------------------------------------------------------------------------------------


@dataclass
class Waited:
    """How long was waited for batches, in nanoseconds since it was last taken; and whether any was ever asked for through it."""

    total: int = 0
    fed: bool = False

    def take(self) -> int:
        """The time since the last call."""
        taken, self.total = self.total, 0
        return taken


@dataclass(frozen=True)
class Job:
    """One training: its settings, its rows, and a way to say that a batch is waited for.

    `batch` counts rows of a step over all `workers`; this is number `rank` of them, and they meet at `meeting` (what
    `torch.distributed` calls an init method). `inputs` and `labels` are the rows to learn from (empty: bring your own),
    `judge_inputs` and `judge_labels` those to tell quality on, as arrays whose first axis is rows. On `aside_inputs` and `aside_labels`,
    where there are any, each measure is told apart, as `aside.accuracy`.
    """

    folder: Path
    seed: int = 0
    epochs: int = 1
    batch: int = 32
    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1
    rank: int = 0
    workers: int = 1
    meeting: str = ""
    inputs: Values = field(default_factory=dict)
    labels: Array | None = None
    judge_inputs: Values = field(default_factory=dict)
    judge_labels: Array | None = None
    aside_inputs: Values = field(default_factory=dict)
    aside_labels: Array | None = None
    waited: Waited = field(default_factory=Waited)

    def waiting(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The same batches; the time until each is there counts as waiting for data."""
        source, self.waited.fed = iter(batches), True
        while True:
            before = time.perf_counter_ns()
            try:
                batch = next(source)
            except StopIteration:
                return
            finally:
                self.waited.total += time.perf_counter_ns() - before
            yield batch


@dataclass(frozen=True)
class Several:
    """Models of one recipe, each trained on some of the same rows: `scores` (models x rows x ...) are their answers to all rows.

    `together` says whether they were trained in one pass; `why` says why not, where they were trained one after another.
    """

    scores: Array
    together: bool
    why: str = ""


STEP_KEYS = ("loss", "rows", "tokens", "padded")
"""What a trainer says of a step: its loss, the rows of this worker, and of text the tokens without and with padding."""
RIGHT, ASIDE = "accuracy", "aside."
"""What a trainer calls the share of rows that are right, and what stands before measures of rows aside."""

__all__ = [
    "ASIDE",
    "RIGHT",
    "STEP_KEYS",
    "Job",
    "Learning",
    "PartRef",
    "Several",
    "Target",
    "TrainerRef",
    "Waited",
    "Way",
    "WayReference",
    "Ways",
]
