"""The exam for loads: every call is timed, in order, on one clock, and nothing is sent that isn't in the queries.

Loads with a schedule send nothing before it is due, count from when it was due, draw schedule and order from seeds of their own,
and end in time when the queue doesn't. All keep a few answers as they were given.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.events import Events
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Facts, Feed
from seatrial.contracts.values import Values

BRIEF = {"seconds": 0.05, "queries": 10, "rate": 400.0, "arrivals": tuple(0.002 * place for place in range(20))}
"""Options that make a block short, and those that a load may need."""


class Echo:
    """A session that answers its input after a short wait, and remembers what it was sent."""

    def __init__(self, wait: float = 0.0, fail_at: int | None = None) -> None:
        self.sent: list[Values] = []
        self._wait = wait
        self._fail_at = fail_at

    def predict(self, values: Values) -> Values:
        """The input; raises at the call that it was told to fail at."""
        self.sent.append(values)
        if self._fail_at == len(self.sent):
            raise RuntimeError("planted")
        time.sleep(self._wait)
        return values

    def facts(self) -> Facts:
        """A processor in fp32."""
        return Facts("cpu", "fp32")

    def close(self) -> None:
        """Nothing to give back."""


def exam(part: PartInfo) -> None:
    """Raises `AssertionError` where the load doesn't do what loads do."""
    load = catalog.load(part)
    options = _brief(part)
    for batch in (1, 8):
        samples = load.samples(batch)
        assert 1 <= samples <= batch, f"{samples} rows a query for a batch of {batch}"
        queries = Feed({"x": np.arange(80, dtype=np.float32).reshape(40, 2)}, 40).queries(samples)
        echo = Echo(wait=0.002)
        begin = time.perf_counter_ns()
        events = load.drive(echo, queries, samples, options)
        end = time.perf_counter_ns()
        calls = len(echo.sent) // len(events.issued)
        assert len(events.issued) == len(events.done) > 0, "not every query has its two times"
        assert len(echo.sent) == calls * len(events.issued), "not every query is as many calls"
        assert events.samples == calls * samples, "more or fewer rows were sent than is said"
        assert all(sent["x"].shape == (samples, 2) for sent in echo.sent), "a query was changed on its way"
        assert begin <= events.issued.min(), "a query was issued before the load began"
        assert events.done.max() <= end, "a query was done after the load ended"
        assert (events.done - events.issued >= 1_900_000 * calls).all(), "a call took less time than the session slept"
        assert (np.diff(events.issued) >= 0).all(), "queries are not in order of issue"
        assert (events.issued[1:] >= events.done[:-1]).all(), "a query was issued before the last was done"
        assert events.issued.dtype == events.done.dtype == np.int64
        _schedule_is_kept(events)
    _lets_errors_through(load, options)
    _keeps_answers(load, options)
    if events.legs:
        _seeds_are_apart(load, options)
        _ends_in_time(load, options)


def _brief(part: PartInfo) -> Any:
    known = catalog.options_type(catalog.load(part)).model_fields
    return catalog.options(part, {name: value for name, value in BRIEF.items() if name in known})


def _lets_errors_through(load: Any, options: Any) -> None:
    echo = Echo(fail_at=3)
    try:
        load.drive(echo, [{"x": np.zeros((1, 1), np.float32)}], 1, options)
    except RuntimeError:
        return
    raise AssertionError("an error of the session was swallowed")


def _schedule_is_kept(events: Events) -> None:
    if events.scheduled is None:
        assert not events.legs, "there are legs and no schedule"
        return
    assert len(events.scheduled) == len(events.issued) == sum(leg.sent for leg in events.legs)
    assert (events.issued >= events.scheduled).all(), "a query was issued before it was due"
    assert (np.diff(events.scheduled) >= 0).all(), "first come is not first served"
    assert events.unsent is not None
    assert len(events.unsent) == sum(leg.unsent for leg in events.legs), "not all that was never sent is said"


def _keeps_answers(load: Any, options: Any) -> None:
    """Answers are those to the query that they are said to be of, copied before the next one is written over them."""

    class Reuses(Echo):
        answer = np.zeros((1, 1), np.float32)

        def predict(self, values: Values) -> Values:
            self.answer[:] = values["x"]
            return {"y": self.answer}

    queries: list[Values] = [{"x": np.full((1, 1), place, np.float32)} for place in range(7)]
    events = load.drive(Reuses(), queries, 1, options)
    assert 0 < len(events.kept) <= 16, "no answers are kept, or without end"
    assert all(one.answer["y"].item() == one.query for one in events.kept), "an answer is not that of its query"


def _seeds_are_apart(load: Any, options: Any) -> None:
    same, other = _sent(load, options), _sent(load, options)
    assert same == other, "the same seeds don't give the same queries at the same times"
    schedule, order = _sent(load, options.model_copy(update={"order_seed": 1}))
    assert schedule == same[0], "the seed of the order changes the schedule"
    assert order != same[1], "the seed of the order changes no order"
    schedule, order = _sent(load, options.model_copy(update={"schedule_seed": 1}))
    assert order == same[1][: len(order)] or order[: len(same[1])] == same[1], (
        "the seed of the schedule changes the order"
    )
    assert _sent(load, options.model_copy(update={"round": 1}))[1][: len(order)] != order, "all rounds are alike"


def _sent(load: Any, options: Any) -> tuple[list[int], list[float]]:
    """When queries were due, from the first one, and which they were."""
    echo = Echo()
    queries: list[Values] = [{"x": np.full((1, 1), place, np.float32)} for place in range(50)]
    events = load.drive(echo, queries, 1, options)
    return (events.scheduled - events.scheduled[0]).tolist(), [one["x"].item() for one in echo.sent]


def _ends_in_time(load: Any, options: Any) -> None:
    """A session that is slower than queries come: the block ends, and what came and was never sent is said."""
    echo = Echo(wait=0.02)
    queries: list[Values] = [{"x": np.zeros((1, 1), np.float32)}]
    events = load.drive(echo, queries, 1, options.model_copy(update={"most": 0.05}))
    assert events.unsent.size > 0, "the queue outgrew the time, and it isn't said"
    assert events.unsent.max() <= events.legs[0].end, "a query that was not due yet counts as unsent"
    assert len(echo.sent) == len(events.issued)
