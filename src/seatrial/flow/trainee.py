"""What a worker does with a trainer: begin a training, time some of its steps, or carry one through and note its quality.

Everything here runs in the worker's process. A trainer yields after each step and after each evaluation, so the clock is read between
two yields: what a step takes includes the wait for its batch, and reading its loss waits for the device.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.contracts.training import STEP_KEYS, Job
from seatrial.errors import ModelError
from seatrial.flow import arrays
from seatrial.flow.quiet import Watcher

ENDLESS = 1_000_000_000
"""Passes of a training whose steps are timed: it goes on for as long as rounds do."""


class Told(NamedTuple):
    """What one yield was: nanoseconds before and after it, those that were waiting, and what the trainer said."""

    before: int
    after: int
    waited: int
    said: dict[str, float]

    @property
    def is_step(self) -> bool:
        """Whether rows were learnt from; else it was an evaluation, or a sign that all is set up."""
        return "rows" in self.said

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.after - self.before) / 1e9


class Trainee:
    """Holds the training between orders."""

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock, self._job, self._count = clock, Job(Path()), 0
        self._yields: Iterator[Mapping[str, Any]] = iter(())

    def answer(self, order: Order) -> dict[str, Any]:
        """What the order's settings say under `do`: `begin`, `block` or `through`."""
        if order.settings["do"] == "block":
            return self.block(order.settings["steps"])
        imported = self._prepare(order)
        return (self.begin if order.settings["do"] == "begin" else self.through)() | {"import_s": imported}

    def ready(self, trainer: Any, job: Job, options: Any) -> None:
        """Take a trainer. Nothing of it runs before the first yield is asked for."""
        self._job, self._count = job, 0
        self._yields = iter(trainer.train(job, options))

    def begin(self) -> dict[str, Any]:
        """Everything up to the first step, which is timed apart: it may compile."""
        set_up, told = 0.0, self._next()
        while told is not None and not told.is_step:
            set_up += told.seconds
            told = self._next()
        if told is None:
            raise ModelError("the training ended before its first step")
        return {"set_up_s": set_up, "first_step_s": told.seconds, "rows": told.said["rows"]}

    def block(self, steps: int) -> dict[str, Any]:
        """The next so many steps: seconds of each and of the wait in each, rows, tokens, and what disturbed them."""
        with self._watched() as watcher:
            found = _summed(list(self._some(steps)))
        return found | {"fed": self._job.waited.fed, "disturbance": watcher.seen(sum(found["waits"]))}

    def through(self) -> dict[str, Any]:
        """A whole training: what each step took, and the quality told after each evaluation with the seconds until then."""
        began, steps, curve = self._clock(), list[Told](), list[dict[str, Any]]()
        with self._watched() as watcher:
            while (told := self._next()) is not None:
                if told.is_step:
                    steps.append(told)
                elif told.said:
                    curve.append({"seconds": (told.after - began) / 1e9, "steps": len(steps), "measures": told.said})
            seconds = (self._clock() - began) / 1e9
        if not steps:
            raise ModelError("the training ended before its first step")
        found = _summed(steps)
        return found | {"seconds": seconds, "curve": curve, "disturbance": watcher.seen(sum(found["waits"]))}

    def _watched(self) -> Watcher:
        """Several workers wait for each other, so no one of them is on the processor all the time."""
        return Watcher(self._job.threads if self._job.workers == 1 else 2, self._job.device)

    def _prepare(self, order: Order) -> float:
        """Load the trainer and hand it its job; the seconds until it was loaded."""
        assert order.part is not None
        began = self._clock()
        info = catalog.find("trainers", order.part.name, Path(order.base))
        catalog.require(info)
        trainer, options = catalog.load(info), catalog.options(info, order.part.options)
        self.ready(trainer, _poisoned(_job(order), order), options)
        return (self._clock() - began) / 1e9

    def _some(self, steps: int) -> Iterator[Told]:
        while steps:
            told = self._next()
            if told is None:
                raise ModelError(
                    f"the training ended after {self._count} steps, within a round",
                    next_step="let it go on for `job.epochs` passes, however many those are",
                )
            if told.is_step:
                steps -= 1
                yield told

    def _next(self) -> Told | None:
        """The next yield, timed; None at the end. Raises `ModelError` for what can't be one, and for a loss that is no number."""
        self._job.waited.take()
        before = self._clock()
        try:
            said = next(self._yields)
        except StopIteration:
            return None
        after = self._clock()
        told = Told(before, after, self._job.waited.take(), _numbers(said))
        self._count += told.is_step
        for name, value in told.said.items():
            if not math.isfinite(value):
                raise ModelError(
                    f"`{name}` became {value} at step {self._count} (seed {self._job.seed})",
                    next_step="a smaller learning rate, or another precision; look for rows that aren't finite",
                )
        return told


def _numbers(said: Any) -> dict[str, float]:
    try:
        return {str(name): float(value) for name, value in said.items()}
    except (AttributeError, TypeError, ValueError) as error:
        step = 'yield {"loss": ..., "rows": ...} after a step, {"accuracy": ...} after an evaluation'
        raise ModelError(f"a trainer yields numbers by name, not {said!r:.80}", next_step=step) from error


def _summed(steps: list[Told]) -> dict[str, Any]:
    sums = {name: sum(one.said.get(name, 0.0) for one in steps) for name in STEP_KEYS if name != "loss"}
    return sums | {
        "steps": [one.seconds for one in steps],
        "waits": [one.waited / 1e9 for one in steps],
        "losses": [one.said["loss"] for one in steps if "loss" in one.said],
    }


def _wide(labels: Any) -> Any:
    """Class indices as frameworks take them; they are kept narrow."""
    return labels.astype("int64") if labels is not None and labels.dtype.kind in "iu" else labels


def _job(order: Order) -> Job:
    rows = {
        name: _wide(value) if name.endswith("labels") else value for name, value in arrays.unpack(order.train).items()
    }
    settings = {name: order.settings[name] for name in ("epochs", "rank", "workers", "meeting")}
    return Job(folder=Path(order.base), seed=order.seed, **order.setting, **settings, **rows)


def _poisoned(job: Job, order: Order) -> Job:
    """The job with rows poisoned as the order says, where it does."""
    if "poison" not in order.settings:
        return job
    from seatrial.flow.spoiled import spoiled  # it loads numpy, which no timed training is to have loaded for it

    return spoiled(job, order)
