"""How many replicas a traffic needs so that a percentile of latency keeps a bound, by simulation from measured service times."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.interval import Interval
from seatrial.numerics.queueing import (
    Batching,
    Least,
    Times,
    in_batches,
    least_replications,
    least_servers,
    over_replications,
    percentiles,
    poisson,
    resampled,
    responses,
)

BUSIEST = 0.95
"""Replicas are never planned to be busier: above, a queue takes longer to show itself than can be simulated, or waited for."""
_WARM_UP, _EACH = 5, 100  # queries: a window's share before it that doesn't count; a window's, for each server
LONGEST = 100_000
"""Arrivals of a trace that are simulated at most: of a longer one, so many in a row that come in the shortest time."""
_GROUP = 150  # servers' worth of work in one queue at most


class Effort(NamedTuple):
    """How much is simulated: so many replications of windows of so many queries each."""

    replications: int = 199
    queries: int = 5000


FULL, BRIEF = Effort(), Effort(79)
"""What is told; and what is enough to look for a volume. Of so many replications 2.5 % and no less lie beyond either end of a 95 % range."""


class Question(NamedTuple):
    """`bound` on the `p` percentile (a fraction) of latency at `rate` queries a second, or at given `arrivals` (seconds, rising).

    `level` is how many replications keep it, two-sided: 0.95 lets 2.5 % of them break it. `slower` stretches all service times.
    Of given arrivals each of `share` places meets its part, drawn by chance and anew in each replication; `rate` is then that of one place.
    """

    rate: float
    bound: float
    p: float = 0.99
    level: float = 0.95
    slower: float = 1.0
    batching: Batching | None = None
    arrivals: NDArray[np.float64] | None = None
    share: int = 1


class Supply:
    """Queries and service times, drawn once: whatever number of replicas is tried meets the same ones."""

    def __init__(self, rounds: Sequence[ArrayLike], asked: Question, effort: Effort = FULL, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        least = least_replications(asked.level)
        count, n = _sized(effort, asked.rate * asked.slower * _mean(rounds), least)
        self.skip = 0
        if asked.arrivals is None:
            self.skip = n // _WARM_UP
            self.arrivals = poisson(asked.rate, n, count, random)
        else:
            trace = _busiest(np.asarray(asked.arrivals, np.float64))
            n = max(1, trace.size // asked.share)
            count = max(least, min(count, effort.replications * effort.queries // n))
            self.arrivals = _dealt(trace - trace[0], n, count, random)
        self.service = resampled(rounds, n, count, random) * asked.slower
        self.batching = None
        if asked.batching is not None and asked.batching.most > 1:
            seconds = tuple(asked.slower * one for one in asked.batching.seconds)
            self.batching = asked.batching._replace(seconds=seconds)
        self.relative = self.service / self.service.mean() if self.batching else self.service

    def took(self, servers: int) -> Times:
        """Seconds from arrival to answer with so many servers, shape (replications, queries)."""
        if self.batching is None:
            return responses(self.arrivals, self.service, servers)
        return in_batches(self.arrivals, self.relative, servers, self.batching)[0]

    def busy(self, servers: int) -> float:
        """Share of the time in which so many servers answer batches."""
        assert self.batching is not None
        took, seconds = in_batches(self.arrivals, self.relative, servers, self.batching)
        ends = (self.arrivals + took).max(axis=1)
        return float((seconds.sum(axis=1) / (servers * (ends - self.arrivals[:, 0]))).mean())

    @property
    def work(self) -> float:
        """Seconds of work that come in a second: with batches, the least that they can be."""
        span = float((self.arrivals[:, -1] - self.arrivals[:, 0]).mean())
        rate = (self.arrivals.shape[1] - 1) / span if span > 0 else 0.0
        if self.batching is None:
            return rate * float(self.service.mean())
        return rate * min(one / (size + 1) for size, one in enumerate(self.batching.seconds))


def replicas(rounds: Sequence[ArrayLike], asked: Question, effort: Effort = FULL, seed: int = 0) -> Least:
    """The fewest replicas that keep the bound, from rounds of service times measured one query at a time (seconds).

    Counted are windows of `effort.queries` queries, or a hundred for each server, after a warm-up (of a trace: all of it): a window
    breaks the bound when its percentile lies above. No replica is planned to be busy for more than 95 % of the time. Work for more than
    150 servers is dealt to groups with a queue of their own, which takes a few more. With batches a few replicas more may not be
    faster; the search takes it that they are.
    """
    groups, part = _grouped(rounds, asked)
    supply = Supply(rounds, part, effort, seed)
    count = len(supply.arrivals)
    start = max(1, math.ceil(supply.work / BUSIEST))

    def tried(servers: int) -> Times:
        return percentiles(supply.took(servers), part.p, supply.skip)

    plenty = supply.service if supply.batching is None else supply.took(2 * start + 8)
    alone = over_replications(percentiles(plenty, part.p, supply.skip), part.level)
    found = least_servers(tried, start, part.bound, alone, supply.work, level=part.level)
    if found.servers is None or found.fewest is None:
        return found._replace(replications=count)
    busy = supply.busy(found.servers) if supply.batching else found.busy
    servers, fewest = groups * found.servers, groups * found.fewest
    return found._replace(servers=servers, fewest=fewest, busy=busy, replications=count)


def at_replicas(rounds: Sequence[ArrayLike], asked: Question, servers: int, effort: Effort = FULL) -> Interval:
    """The percentile with this many replicas, with its range; those that groups can't share equally stand idle."""
    groups, part = _grouped(rounds, asked)
    supply = Supply(rounds, part, effort)
    times = supply.took(max(1, servers // groups))
    return over_replications(percentiles(times, part.p, supply.skip), part.level)


def _grouped(rounds: Sequence[ArrayLike], asked: Question) -> tuple[int, Question]:
    """How many queues share the traffic, and what one of them meets."""
    groups = max(1, math.ceil(asked.rate * asked.slower * _mean(rounds) / _GROUP))
    arrivals = None if asked.arrivals is None else asked.arrivals[::groups]
    return groups, asked._replace(rate=asked.rate / groups, arrivals=arrivals)


def _mean(rounds: Sequence[ArrayLike]) -> float:
    return float(np.mean(np.concatenate([np.asarray(one, np.float64) for one in rounds])))


def _sized(effort: Effort, work: float, least: int) -> tuple[int, int]:
    """Replications and queries, warm-up included: longer windows for many servers, and then fewer of them, `least` at the least."""
    window = max(effort.queries, math.ceil(_EACH * work))
    count = max(least, effort.replications * effort.queries // window)
    return count, window + window // (_WARM_UP - 1)


def _busiest(trace: Times) -> Times:
    """As many arrivals in a row as are simulated, those that come in the shortest time; all of a shorter trace."""
    if trace.size <= LONGEST:
        return trace
    spans = trace[LONGEST - 1 :] - trace[: trace.size - LONGEST + 1]
    first = int(spans.argmin())
    return trace[first : first + LONGEST]


def _dealt(trace: Times, n: int, count: int, random: np.random.Generator) -> Times:
    """Arrivals at one place, shape (count, n): the whole trace each time, or so many of it by chance."""
    if n == trace.size:
        return np.asarray(np.broadcast_to(trace, (count, n)))
    drawn: Times = np.stack([np.sort(random.choice(trace, n, replace=False, shuffle=False)) for _ in range(count)])
    return np.asarray(drawn - drawn[:, :1], np.float64)
