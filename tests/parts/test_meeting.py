"""Arrivals that several instances share: one queue, first come, first served, against the formulas of such queues on a clock of the test's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.events import Events
from seatrial.contracts.protocols import Probe, Round
from seatrial.errors import WorkerError
from seatrial.numerics.queueing import responses
from seatrial.parts.loads import _driving, _meeting
from seatrial.parts.loads._meeting import Beside
from seatrial.parts.loads._schedules import poisson

ROWS = 400
QUERIES = [{"x": np.full((1, 1), place, np.float32)} for place in range(ROWS)]


def part(kind: str, name: str) -> Any:
    return catalog.load(catalog.find(kind, name))


class World:
    """Each instance has a clock of its own, which moves when it waits or works; queries are drawn by whoever's clock is behind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, service: Callable[[int], float], count: int) -> None:
        self._service, self._here, self._turn = service, threading.local(), threading.Condition()
        self._at: dict[int, int | None] = dict.fromkeys(range(count))  # None: at work
        monkeypatch.setattr(_driving, "perf_counter_ns", self._look)
        monkeypatch.setattr(_meeting, "perf_counter_ns", self._look)
        monkeypatch.setattr(_driving, "sleep", self._pass)
        drawn, told, tell = (getattr(_meeting.Together, name) for name in ("_turns", "_told", "_tell"))

        def turns(side: Any, queries: int) -> Iterator[int]:
            it = drawn(side, queries)
            while True:
                self._wait(side._place)
                if (turn := next(it, None)) is None:
                    return
                yield turn

        def heard(side: Any, what: str, place: int) -> Any:
            numbers = told(side, what, place)
            if what == "zero":
                self._here.now = int(numbers[0]) - 1000
            return numbers

        def said(side: Any, what: str, numbers: Any) -> None:
            self._set(side._place, {"here": None, "times": 2**62}.get(what))  # nobody waits for one that draws no more
            tell(side, what, numbers)

        for name, done in (("_turns", turns), ("_told", heard), ("_tell", said)):
            monkeypatch.setattr(_meeting.Together, name, done)

    def predict(self, values: Any) -> Any:
        self._pass(self._service(int(values["x"].item())))
        return values

    def instance(self, act: Callable[[], Events], place: int) -> Events:
        self._here.now = 0
        return act()

    def _look(self) -> int:
        self._here.now += 1_000
        return int(self._here.now)

    def _pass(self, seconds: float) -> None:
        self._here.now += int(seconds * 1e9)

    def _wait(self, place: int) -> None:
        """Until every other instance waits, too, and none of them is earlier."""
        with self._turn:
            self._at[place] = self._here.now
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._first() == place, timeout=20)
            self._at[place] = None

    def _set(self, place: int, at: int | None) -> None:
        with self._turn:
            self._at[place] = at
            self._turn.notify_all()

    def _first(self) -> int | None:
        if None in self._at.values():
            return None
        return min(self._at, key=lambda one: (self._at[one], one))


def driven(
    act: Callable[[Beside], Events], folder: Path, count: int, around: Callable[..., Events] | None = None
) -> list[Events]:
    """What each of so many instances says."""
    besides = [Beside(folder=str(folder), place=place, count=count) for place in range(count)]
    with ThreadPoolExecutor(count) as pool:
        futures = [
            pool.submit(around, lambda one=one: act(one), one.place) if around else pool.submit(act, one)
            for one in besides
        ]
        return [one.result() for one in futures]


@pytest.mark.parametrize(("count", "load"), [(2, 0.6), (3, 0.9), (4, 1.1)])
def test_waits_are_those_of_one_queue_before_several_servers(monkeypatch, tmp_path, count: int, load: float) -> None:
    """Against the recursion of Kiefer and Wolfowitz on the same arrivals and times, which is held to Erlang's formula elsewhere."""
    times = np.random.default_rng(1).exponential(0.01, ROWS)
    arrivals = poisson(load * count / 0.01, 1.0, 600, (7,))
    order = np.random.default_rng([3, 0]).integers(0, ROWS, arrivals.size)
    world = World(monkeypatch, lambda place: times[place], count)

    def act(beside: Beside) -> Events:
        return _driving.on_schedule(world, QUERIES, 1, [(100.0, arrivals)], (3, 0), 1e6, beside)

    said = driven(act, tmp_path, count, world.instance)
    assert all(np.array_equal(one.done, said[0].done) for one in said), "each knows the whole"
    got = (said[0].done - said[0].start) / 1e9
    assert got.size == arrivals.size
    assert got == pytest.approx(responses(arrivals[None], times[order][None], count)[0], abs=1e-3)
    assert said[0].servers == count


def test_the_highest_rate_is_found_by_all_of_them_alike(monkeypatch, tmp_path) -> None:
    load, found = part("loads", "server"), {}
    for count in (1, 2):
        world = World(monkeypatch, lambda place: 0.01, count)
        folder = tmp_path / str(count)
        folder.mkdir()

        def act(beside: Beside, world: World = world) -> Events:
            given = load.Options(rate=20, find={"latency": 0.05, "step": 0.1}, most=300, beside=beside)
            return load.drive(world, QUERIES, 1, given)

        said = driven(act, folder, count, world.instance)
        assert {tuple((one.rate, one.sent) for one in events.legs) for events in said} == {tuple((one.rate, one.sent) for one in said[0].legs)}  # fmt: skip
        meter = part("meters", "rate_at_bound")
        read = meter.together([meter.read(Probe(events, {}, None, "cpu")) for events in said])
        found[count] = next(iter(meter.findings([Round(0, read)], "server", 0.95, meter.Options()))).number
        monkeypatch.undo()
    assert 30 < found[1] < 100
    assert 2 < found[2] / found[1] < 5, (
        "two servers of one queue bear more than twice as much: they help each other out"
    )


def test_the_queue_of_two_is_full_at_twice_the_rate(monkeypatch, tmp_path) -> None:
    meter, load = part("meters", "latency"), part("loads", "server")
    for rate, full in ((150, False), (260, True)):
        world = World(monkeypatch, lambda place: 0.01, 2)
        folder = tmp_path / str(rate)
        folder.mkdir()

        def act(beside: Beside, world: World = world, rate: int = rate) -> Events:
            return load.drive(world, QUERIES, 1, load.Options(rate=rate, seconds=3, beside=beside))

        said = driven(act, folder, 2, world.instance)
        read = meter.together([meter.read(Probe(events, {}, None, "cpu")) for events in said])
        assert read["legs"][0]["busy"] == pytest.approx(rate * 0.01 / 2, rel=0.15)
        (p99,) = [one for one in meter.findings([Round(0, read)] * 2, "server", 0.95, meter.Options()) if one.what == "latency.p99"]  # fmt: skip
        assert ("the queue outgrew the time" in p99.note) is full
        monkeypatch.undo()


class Sleeper:
    """Takes so long, in real time."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.asked = seconds, []

    def predict(self, values: Any) -> Any:
        self.asked.append(int(values["x"].item()))
        time.sleep(self.seconds)
        return values


@pytest.mark.parametrize("name", ["server", "bursts", "trace"])
def test_a_slow_instance_takes_fewer_and_holds_none_of_the_others_up(tmp_path, name: str) -> None:
    """In real time, each query once, none before it is due; the planted slow one is busy while the other empties the queue."""
    load, sessions = part("loads", name), [Sleeper(0.001), Sleeper(0.08)]
    how = {"server": {"rate": 100, "seconds": 0.4, "queries": 40}, "bursts": {"rate": 200, "seconds": 0.4, "queries": 40}, "trace": {"arrivals": np.arange(40) / 100}}[name]  # fmt: skip
    said = driven(lambda beside: load.drive(sessions[beside.place], QUERIES, 1, load.Options(beside=beside, **how)), tmp_path, 2)  # fmt: skip
    fast, slow = (len(one.asked) for one in sessions)
    events = said[0]
    assert fast + slow == len(events.done) >= 40
    assert 0 < slow < fast
    assert (events.issued >= events.start).all()
    assert (np.diff(events.start) >= 0).all()
    assert np.array_equal(events.done, said[1].done)
    assert {len(one.kept) > 0 for one in said} == {True}, "answers of each are looked at"


def test_what_is_left_when_the_time_is_up_is_counted_once(monkeypatch, tmp_path) -> None:
    world = World(monkeypatch, lambda place: 0.5, 2)
    arrivals = np.arange(20) / 100
    said = driven(lambda beside: _driving.on_schedule(world, QUERIES, 1, [(100.0, arrivals), (200.0, arrivals)], (0, 0), 2.0, beside), tmp_path, 2, world.instance)  # fmt: skip
    for events in said:
        first, second = events.legs
        assert first.sent + first.unsent == 20
        assert len(events.unsent) == first.unsent > 0
        assert second.sent == 0, "no higher rate is begun"


def test_time_in_which_one_waits_for_the_others_counts_as_slept(tmp_path) -> None:
    """Else a block of instances that share arrivals would always look disturbed: on the processor only half of the time."""
    side = _meeting.Together(Beside(folder=str(tmp_path), place=1, count=2))
    late = threading.Timer(0.15, lambda: (np.save(tmp_path / "zero.npy", np.array([5])), (tmp_path / "zero.npy").rename(tmp_path / "zero-0-0")))  # fmt: skip
    late.start()
    assert side.begin(3)[0] == 5
    assert side.waited >= 0.1e9
    assert _meeting.Alone().waited == 0


def test_an_instance_that_does_not_come_is_told(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(_meeting, "WAIT_S", 0.05)
    side = _meeting.Together(Beside(folder=str(tmp_path), place=0, count=2))
    with pytest.raises(WorkerError, match="instance 1 beside this one didn't come"):
        side.begin(3)
