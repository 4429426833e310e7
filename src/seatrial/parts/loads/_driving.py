"""What all loads share: the two loops that send queries, and the answers that are kept to be looked at afterwards.

`back_to_back` sends the next query when the last is answered. `on_schedule` sends each when it is due: one queue, first
come, first served, by one instance or by several that share it (`_meeting.py`), and the wait is a sleep until just before the moment and then a look at the clock over and over.
Only the session is inside the clock: its `predict`, from inputs in host memory to answers in host memory.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from time import perf_counter_ns, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.events import Bound, Events, Kept, Leg
from seatrial.contracts.protocols import Session
from seatrial.contracts.values import Values
from seatrial.parts.loads._meeting import Beside, Times, side

KEPT = 4
"""Answers of a block that are kept."""
SPIN_NS = 1_000_000
"""How long before a query is due the clock is watched: a sleep may end as late as that."""
_NEVER = 2**62


class Sample:
    """Answers drawn by chance, each as likely as any other, however many there will be (Li's algorithm L, 1994).

    `next` is the place of the next answer to keep, so that a loop compares one number. The draw can't be foreseen: a
    session that knew which answers are looked at could be right in those alone. Answers are copied, because a session may write the
    next one into the same memory.
    """

    def __init__(self, most: int = KEPT) -> None:
        self._random, self._most, self._weight = random.SystemRandom(), most, 1.0
        self._kept: list[Kept] = []
        self.next = 0

    def keep(self, query: int, answer: Values) -> None:
        """Copy the answer to the query at this place, in the room of an earlier one when there is no more."""
        one = Kept(query, {name: np.array(value) for name, value in answer.items()})
        if len(self._kept) < self._most:
            self._kept.append(one)
        else:
            self._kept[self._random.randrange(self._most)] = one
        self.next += 1 if len(self._kept) < self._most else self._skip()

    def _skip(self) -> int:
        self._weight *= self._uniform() ** (1.0 / self._most)
        return 1 + math.floor(math.log(self._uniform()) / math.log1p(-self._weight))

    def _uniform(self) -> float:
        return 1.0 - self._random.random()  # above 0

    def all(self) -> tuple[Kept, ...]:
        """What is kept."""
        return tuple(self._kept)


def back_to_back(
    session: Session, queries: Sequence[Values], samples: int, seconds: float, least: int, most: float = math.inf
) -> Events:
    """The next query when the last is answered, for `seconds` and `least` queries; no longer than `most` seconds.

    Nothing but the call, the clock, two appends and a comparison happens between two queries.
    """
    issued: list[int] = []
    done: list[int] = []
    sample = Sample()
    predict, now, start, stop = session.predict, perf_counter_ns, issued.append, done.append
    begin = now()
    enough, limit = begin + int(seconds * 1e9), begin + most * 1e9
    for count, query in enumerate(cycle(queries)):
        before = now()
        answer = predict(query)
        after = now()
        start(before)
        stop(after)
        if count == sample.next:
            sample.keep(count % len(queries), answer)
        if after >= enough and (count + 1 >= least or after >= limit):
            break
    return Events(issued=np.array(issued, np.int64), done=np.array(done, np.int64), samples=samples, kept=sample.all())


def warm(session: Session, queries: Sequence[Values], samples: int, options: Any) -> Events:
    """Before scheduled arrivals: the same queries back to back for a moment."""
    return back_to_back(session, queries, samples, 0.1, 3, options.most)


def on_schedule(
    session: Session,
    queries: Sequence[Values],
    samples: int,
    schedules: Sequence[tuple[float | None, NDArray[np.float64]]],
    seed: Sequence[int],
    most: float,
    beside: Beside | None = None,
) -> Events:
    """Send queries when they are due: each schedule is a rate and the arrivals in seconds, rising, from 0.

    Which query comes when is drawn with replacement from `seed`. Arrivals at `most` seconds and later are left out. A leg ends
    when all are answered, or at `most` seconds: what still waits then stays unsent, and no later leg is begun.
    """
    driver = Driver(session, queries, seed, most, beside)
    for rate, given in schedules:
        driver.leg(rate, given)
    return driver.events(samples)


class Driver:
    """Sends legs one after another and keeps their times. No leg of a stated rate is begun after one that left queries unsent."""

    def __init__(
        self,
        session: Session,
        queries: Sequence[Values],
        seed: Sequence[int],
        most: float,
        beside: Beside | None = None,
    ) -> None:
        self._predict, self._queries, self.most = session.predict, queries, most
        self._side, self._own = side(beside), 0
        self._picks = np.random.default_rng([*seed])
        self._sample = Sample()
        self._issued: list[int] = []
        self._done: list[int] = []
        self._scheduled: list[int] = []
        self._unsent: list[int] = []
        self._legs: list[Leg] = []
        self._slept = 0

    @property
    def overrun(self) -> bool:
        """Whether a leg left queries unsent."""
        return any(leg.unsent for leg in self._legs)

    def leg(
        self, rate: float | None, given: NDArray[np.float64], bound: Bound | None = None, may: int = 0
    ) -> NDArray[np.float64]:
        """One leg: latencies in seconds from when queries were due; those never sent are infinitely late.

        A probe (with a `bound`) ends when more than so many as `may` took longer than the bound: then it doesn't hold.
        """
        arrivals = given[given < self.most]
        order = self._picks.integers(0, len(self._queries), arrivals.size).tolist()
        if bound is None and self.overrun:
            self._legs.append(Leg(rate, 0, 0, perf_counter_ns()))
            return np.empty(0)
        zero, turns = self._side.begin(arrivals.size)
        due = (zero + np.round(arrivals * 1e9)).astype(np.int64)
        limit = zero + int(self.most * 1e9)
        late_from = (_NEVER, 0) if bound is None else (int(bound.latency * 1e9), may)
        kept = self._sample, self._own
        times, rested = _leg(self._predict, self._queries, order, due.tolist(), limit, turns, kept, late_from)
        self._own += len(times)
        self._slept += rested
        leg = Leg(rate, 0, 0, zero, bound, given.size - arrivals.size)
        return self._noted(leg, due, self._side.end(times))

    def _noted(self, leg: Leg, due: NDArray[np.int64], times: Times) -> NDArray[np.float64]:
        """Keep what all instances did in a leg, which has begun; latencies of its queries."""
        sent = [place for place, _, _ in times]
        left = np.ones(due.size, bool)
        left[sent] = False
        self._issued += [before for _, before, _ in times]
        self._done += [after for _, _, after in times]
        self._scheduled += due[sent].tolist()
        self._unsent += due[left].tolist()
        self._legs.append(leg._replace(sent=len(times), unsent=int(left.sum()), end=max(perf_counter_ns(), leg.end)))
        late = np.full(due.size, np.inf)
        late[sent] = [(after - due[place]) / 1e9 for place, _, after in times]
        return late

    def events(self, samples: int) -> Events:
        """All legs so far."""
        return Events(
            issued=np.array(self._issued, np.int64),
            done=np.array(self._done, np.int64),
            samples=samples,
            scheduled=np.array(self._scheduled, np.int64),
            legs=tuple(self._legs),
            unsent=np.array(self._unsent, np.int64),
            slept=self._slept + self._side.waited,
            kept=self._sample.all(),
            servers=self._side.count,
        )


def _leg(
    predict: Callable[[Mapping[str, Any]], Values],
    queries: Sequence[Values],
    order: Sequence[int],
    due: Sequence[int],
    limit: int,
    turns: Iterator[int],
    kept: tuple[Sample, int],
    late: tuple[int, int],
) -> tuple[list[tuple[int, int, int]], int]:
    """Place, issue and done of each query that was sent, and the nanoseconds slept. `kept`: the sample, and how many were sent before.

    `turns` gives the places of the queries to send, rising, the next one when it is asked for.

    `late` says from when on a query is late and how many may be: one more ends the leg.
    """
    times: list[tuple[int, int, int]] = []
    now, slept, (sample, before_these), (bound, may) = perf_counter_ns, 0, kept, late
    for count, turn in enumerate(turns, before_these):
        place, moment = order[turn], due[turn]
        left = moment - now()
        if left > SPIN_NS:
            asleep = now()
            sleep((left - SPIN_NS) / 1e9)
            slept += now() - asleep
        while now() < moment:
            pass
        before = now()
        if before >= limit:
            break
        answer = predict(queries[place])
        after = now()
        times.append((turn, before, after))
        if count == sample.next:
            sample.keep(place, answer)
        if after - moment > bound:
            may -= 1
            if may < 0:
                break
    return times, slept
