"""What a worker does with a trainer: every figure by a clock of the test's own, and what a trainer may do wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seatrial.contracts.training import Job
from seatrial.errors import ModelError
from seatrial.flow.trainee import ENDLESS, Trainee

MS = 1_000_000


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def passes(self, milliseconds: float) -> None:
        self.now += int(milliseconds * MS)


def ready(train: Callable[[Job, Clock], Iterator[dict[str, Any]]], **settings: Any) -> tuple[Trainee, Job]:
    clock = Clock()
    job = Job(Path(), **settings)
    trainee = Trainee(clock)
    trainee.ready(SimpleNamespace(train=lambda job, _: train(job, clock)), job, None)
    return trainee, job


def steady(job: Job, clock: Clock) -> Iterator[dict[str, Any]]:
    """Set up in 100 ms, a first step of 50 ms, steps of 10 ms of which 4 ms are waiting, an evaluation of 30 ms after five steps."""
    clock.passes(100)
    yield {}
    clock.passes(40)
    for epoch in range(job.epochs):
        for _ in range(5):
            clock.passes(4)
            job.waited.total += 4 * MS
            clock.passes(6)
            yield {"loss": 1.0, "rows": 32, "tokens": 60, "padded": 80}
        clock.passes(30)
        yield {"accuracy": 0.5 + epoch / 10}


def test_set_up_and_the_first_step_stand_apart() -> None:
    trainee, _ = ready(steady, epochs=ENDLESS)
    assert trainee.begin() == {"set_up_s": 0.1, "first_step_s": 0.05, "rows": 32}


def test_steps_are_timed_without_evaluations_and_rows_are_counted() -> None:
    trainee, _ = ready(steady, epochs=ENDLESS)
    trainee.begin()
    for _ in range(2):  # it goes on where it stopped
        body = trainee.block(20)
        assert body["steps"] == pytest.approx([0.01] * 20)
        assert body["waits"] == pytest.approx([0.004] * 20)
        assert (body["rows"], body["tokens"], body["padded"]) == (640, 1200, 1600)
        assert body["rows"] / sum(body["steps"]) == pytest.approx(3200)  # rows over time, by event times


def test_a_whole_training_tells_its_curve_by_the_time_since_it_began() -> None:
    trainee, _ = ready(steady, epochs=3)
    body = trainee.through()
    seconds = [0.1 + 0.04 + 0.05 + 0.03, 0.1 + 0.04 + 2 * 0.08, 0.1 + 0.04 + 3 * 0.08]
    assert [point["seconds"] for point in body["curve"]] == pytest.approx(seconds)
    assert [point["measures"]["accuracy"] for point in body["curve"]] == pytest.approx([0.5, 0.6, 0.7])
    assert [point["steps"] for point in body["curve"]] == [5, 10, 15]
    assert body["seconds"] == pytest.approx(seconds[-1])
    assert len(body["steps"]) == 15


def test_it_is_said_whether_batches_are_taken_so_that_waiting_is_seen() -> None:
    def fed(job: Job, clock: Clock) -> Iterator[dict[str, Any]]:
        for _ in job.waiting(range(job.epochs)):
            clock.passes(1)
            yield {"rows": 1}

    for train, seen in ((fed, True), (steady, False)):
        trainee, _ = ready(train, epochs=9)
        trainee.begin()
        assert trainee.block(3)["fed"] is seen


def test_waiting_counts_what_the_batches_take() -> None:
    job = Job(Path())
    assert list(job.waiting([1, 2, 3])) == [1, 2, 3]
    assert job.waited.take() > 0
    assert job.waited.take() == 0


def told(*said: Any) -> Callable[[Job, Clock], Iterator[Any]]:
    def train(job: Job, clock: Clock) -> Iterator[Any]:
        for one in said:
            clock.passes(1)
            yield one

    return train


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (({"loss": 1.0, "rows": 2}, {"loss": float("nan"), "rows": 2}), r"`loss` became nan at step 2 \(seed 7\)"),
        (({"loss": float("inf"), "rows": 2},), "`loss` became inf at step 1"),
        (({"loss": 1.0, "rows": 2}, {"accuracy": float("nan")}), "`accuracy` became nan at step 1"),
        ((3.0,), "yields numbers by name, not 3.0"),
        (({"loss": "low", "rows": 2},), "yields numbers by name"),
        ((), "ended before its first step"),
    ],
)
def test_what_a_trainer_does_wrong_is_said(said: tuple[Any, ...], complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        ready(told(*said), seed=7)[0].through()


def test_a_training_that_ends_within_a_round_is_said() -> None:
    trainee, _ = ready(told({"rows": 1}, {"rows": 1}, {"rows": 1}))
    trainee.begin()
    with pytest.raises(ModelError, match="ended after 3 steps, within a round"):
        trainee.block(5)


def test_a_trainer_that_raises_is_let_through() -> None:
    def train(job: Job, clock: Clock) -> Iterator[dict[str, Any]]:
        yield {"loss": 1.0, "rows": 1}
        raise RuntimeError("planted")

    trainee, _ = ready(train)
    trainee.begin()
    with pytest.raises(RuntimeError, match="planted"):
        trainee.block(2)
