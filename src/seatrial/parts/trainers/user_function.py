"""A training function of yours that says after each step what it did, as `trainer: ./train.py:fit`.

It is a generator: it yields after each step and after each evaluation, and Seatrial takes the time between.

    def fit(job):
        torch.manual_seed(job.seed)
        model, optimiser = ...
        yield {}
        for _ in range(job.epochs):
            for x, y in job.waiting(loader):
                loss = ...
                yield {"loss": loss.item(), "rows": len(x)}
            yield {"accuracy": accuracy(model)}

`yield {}` says that all is set up, so that the first step is timed without that; it may be left out.
`job` has `seed`, `epochs`, `batch` (rows of a step over all workers), `precision`, `device`, `threads`, the rows that the study names
(`inputs`, `labels`, `judge_inputs`, `judge_labels`) and, where `workers` is more than 1, `rank`, `workers` and `meeting` for
`torch.distributed.init_process_group("gloo", init_method=job.meeting, rank=job.rank, world_size=job.workers)`. What it makes of
them is its own affair: Seatrial can't see in which precision it computes. What is taken from `job.waiting(...)`
counts as waiting for data; where no batch ever is, how long it waits isn't known, and is missing. A step of padded text also says `tokens` (those that are text) and `padded` (all of them).
The file runs in the workers that train and nowhere else; reading a study looks only whether the function is there.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from seatrial.contracts.part import PartOptions
from seatrial.contracts.training import Job
from seatrial.errors import ModelError
from seatrial.parts.trainers._code import check_name, file_of, imported

CANNOT = {
    "plain functions": ("never", "a function that returns when all is trained shows no step; one that yields does"),
    "imported modules": ("not yet ours", "the function's file is its identity, what it imports isn't"),
}
VERSION = 2


class Options(PartOptions):
    """Which function, and what else it is given."""

    call: str = Field(description="the function: `./train.py:fit`")
    arguments: dict[str, Any] = Field(default={}, description="further keyword arguments")

    _named = field_validator("call")(check_name)


def absent(device: str) -> str | None:
    """The function knows which devices it takes; nothing is known against any."""
    return None


def files(options: Options, folder: Path) -> dict[str, str]:
    """The function's file with its SHA-256. Raises `ModelError`. Runs nothing of the user's."""
    return file_of(options.call, folder)


def train(job: Job, options: Options) -> Iterator[Mapping[str, Any]]:
    """What the function yields. Raises `ModelError` where it yields nothing to measure."""
    steps = imported(options.call, job.folder)(job, **options.arguments)
    if not inspect.isgenerator(steps):
        raise ModelError(
            f"`{options.call}` gave {type(steps).__name__} where steps are wanted",
            next_step='let it `yield {"loss": ..., "rows": ...}` after each step: `seatrial explain user_function`',
        )
    return steps
