"""Queries at several servers, simulated: how long they take when they arrive by chance or by a trace, one by one or in batches.

One queue, first come, first served: the next query goes to the server that is free first. Many replications are simulated at
once, one row each. With one server Lindley's recursion (1952) needs no loop: a wait is what the work brought so far is above its
lowest point. With several servers the loop runs over queries (or batches), the arrays over replications.
Measured service times are drawn in blocks of neighbours (Künsch 1989), from rounds that are drawn first, so that what follows
itself in a round, and what differs between rounds, does so in a replication too.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seatrial.numerics.interval import Interval, tail

Times = NDArray[np.float64]
_FEWEST_BLOCKS = 4  # of which a round consists at least, so that blocks differ
_FEWEST = 30  # times that are enough to look for dependence


class Batching(NamedTuple):
    """Queries that wait are answered together: at most `most` (at least 2), or whoever is there when the first has waited `wait` seconds.

    `seconds` is the mean time of a batch of 1, 2, ... `most` queries.
    """

    most: int
    wait: float
    seconds: tuple[float, ...]


class Least(NamedTuple):
    """The fewest servers with which a percentile keeps its bound up to the end of its range, and what it is then.

    `servers` is None where no number of them does; `alone` is the percentile when nobody waits. `fewest` would keep it in
    half of the replications. `value` has the range over `replications` many, `busy` is the share of the servers' time.
    """

    servers: int | None
    fewest: int | None
    value: Interval | None
    alone: Interval
    busy: float
    replications: int = 0


def poisson(rate: float, n: int, replications: int, random: np.random.Generator) -> Times:
    """Arrivals in seconds of a Poisson process, shape (replications, n)."""
    return np.asarray(np.cumsum(random.exponential(1.0 / rate, (replications, n)), axis=1))


def resampled(rounds: Sequence[ArrayLike], n: int, replications: int, random: np.random.Generator) -> Times:
    """Service times drawn from measured rounds, in blocks of neighbours; shape (replications, n).

    Each replication first draws as many rounds as there are, with replacement, then blocks from those; a block that reaches the
    end of its round goes on at its beginning. `block_length` says how long blocks are. ValueError for no rounds or an empty one.
    """
    times = [np.asarray(one, np.float64) for one in rounds]
    if not times or any(one.size == 0 for one in times):
        raise ValueError("at least one round of at least one service time is needed")
    length = min(max(block_length(one) for one in times), n)
    count, sizes = -(-n // length), np.array([one.size for one in times])
    drawn = random.integers(0, len(times), (replications, len(times)))
    of = np.take_along_axis(drawn, random.integers(0, len(times), (replications, count)), axis=1)
    first = (random.random((replications, count)) * sizes[of]).astype(np.int64)
    places = (first[:, :, None] + np.arange(length)) % sizes[of][:, :, None]
    base = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    pool = np.concatenate(times)
    return np.asarray(pool[(places + base[of][:, :, None]).reshape(replications, -1)[:, :n]])


def block_length(times: ArrayLike) -> int:
    """How many neighbours are drawn together: Politis and White's choice for circular blocks (2004, corrected 2009).

    (2 G^2 / D)^(1/3) n^(1/3), where G weighs the autocovariances by their lag and D is 4/3 of the squared spectrum at 0, both through a
    flat-top window that reaches twice as far as the autocorrelation does; at least the square root of n, which costs
    nothing where times don't depend on each other, and at most a quarter of the round.
    """
    values = np.asarray(times, np.float64)
    n = values.size
    least, most = math.isqrt(n), max(1, n // _FEWEST_BLOCKS)
    centred = values - values.mean()
    if n < _FEWEST or not centred.any():
        return max(1, min(least, most))
    spectrum = np.fft.rfft(centred, 2 * n)
    covariance = np.fft.irfft(spectrum * spectrum.conj(), 2 * n)[:n] / n
    reach = min(2 * _reach(covariance / covariance[0], n), n - 1)
    lags = np.arange(1, reach + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - lags / (reach + 1)))
    weighed = 2.0 * float(np.sum(window * lags * covariance[1 : reach + 1]))
    at_zero = float(covariance[0] + 2.0 * np.sum(window * covariance[1 : reach + 1]))
    wanted = math.cbrt(2.0 * weighed**2 / (4.0 / 3.0 * at_zero**2) * n) if at_zero > 0 else float(most)
    return max(1, min(max(math.ceil(wanted), least), most))


def _reach(correlation: Times, n: int) -> int:
    """The lag from which on several autocorrelations in a row are no larger than chance makes them."""
    row, chance = max(5, math.isqrt(int(math.log10(n)))), 2.0 * math.sqrt(math.log10(n) / n)
    small = np.abs(correlation[1:]) < chance
    runs = np.convolve(small, np.ones(row), "valid") == row
    return int(np.argmax(runs)) + 1 if runs.any() else n // _FEWEST_BLOCKS


def responses(arrivals: Times, service: Times, servers: int) -> Times:
    """Seconds from arrival to answer of each query; arguments of shape (replications, queries), arrivals rising from 0.

    One server takes no loop: 13 ns a query, where the cumulative sum alone takes 3. Several take one step a query for all
    replications together: with 200 of them 45 ns a query for 4 servers and 75 for 64, where a heap in plain Python takes 190.
    """
    if servers == 1:
        work = np.cumsum(service, axis=1)
        free = work - service - arrivals  # the server's earliest start if it never idled, less the arrival
        return np.asarray(free - np.minimum.accumulate(free, axis=1) + service)
    rows = np.arange(len(arrivals))
    free_at = np.full((len(arrivals), servers), -np.inf)
    done = np.empty_like(arrivals)
    for query in range(arrivals.shape[1]):
        first = free_at.argmin(axis=1)
        end = np.maximum(arrivals[:, query], free_at[rows, first]) + service[:, query]
        free_at[rows, first] = end
        done[:, query] = end
    return np.asarray(done - arrivals)


def in_batches(arrivals: Times, relative: Times, servers: int, how: Batching) -> tuple[Times, Times]:
    """Seconds from arrival to answer, and the seconds that servers were busy with each batch (zeros where there is none).

    A batch begins when a server is free and `most` queries are there or the first has waited `wait` seconds, whichever
    is earlier. It takes the mean time of its size times one entry of `relative` (mean 1), in the order of batches. Shapes
    (replications, queries). A step serves one batch in every replication.
    """
    replications, queries = arrivals.shape
    rows, means = np.arange(replications), np.asarray(how.seconds)
    ahead = np.concatenate([arrivals, np.full((replications, how.most), np.inf)], axis=1)
    free_at = np.full((replications, servers), -np.inf)
    at, step = np.zeros(replications, np.int64), 0
    done, busy = np.zeros((replications, queries + how.most)), np.zeros((replications, queries))
    while (live := at < queries).any():
        server = free_at.argmin(axis=1)
        waiting = ahead[rows[:, None], at[:, None] + np.arange(how.most)]
        begin = np.maximum(free_at[rows, server], np.minimum(waiting[:, 0] + how.wait, waiting[:, -1]))
        begin = np.maximum(begin, waiting[:, 0])
        size = np.maximum((waiting <= begin[:, None]).sum(axis=1), 1)
        seconds = means[size - 1] * relative[:, step]
        end = begin + seconds
        places = at[:, None] + np.arange(how.most)
        inside = (np.arange(how.most) < size[:, None]) & live[:, None]
        done[np.broadcast_to(rows[:, None], inside.shape)[inside], places[inside]] = np.repeat(end, inside.sum(axis=1))
        free_at[rows[live], server[live]] = end[live]
        busy[live, step] = seconds[live]
        at = np.where(live, np.minimum(at + size, queries), at)
        step += 1
    return done[:, :queries] - arrivals, busy


def over_replications(values: ArrayLike, level: float = 0.95) -> Interval:
    """The median of one number a replication, with the range in which a further one lies with probability `level`.

    Between the k-th smallest and the k-th largest of R lies a further one, exchangeable with them, with probability
    1 - 2 k / (R + 1). Fewer than 2 / (1 - level) replications give their smallest and largest.
    """
    found = np.sort(np.asarray(values, np.float64))
    k = max(1, math.floor((found.size + 1) * tail(level) + 1e-9))
    middle = float(np.quantile(found, 0.5, method="inverted_cdf"))
    method = f"simulated queue: median of {found.size} replications, range of the middle {100 * level:g} % of them"
    return Interval(middle, float(found[k - 1]), float(found[-k]), level, method)


def least_replications(level: float) -> int:
    """How many replications a range of this level takes at least: its ends are then the least and the largest of them."""
    return math.ceil(1.0 / tail(level) - 1e-9) - 1


def percentiles(times: Times, p: float, skip: int = 0) -> Times:
    """The p-percentile of each replication without its first `skip` queries, which find an empty queue."""
    kept = times[:, skip:]
    place = min(int(kept.shape[1] * p), kept.shape[1] - 1)
    return np.asarray(np.partition(kept, place, axis=1)[:, place])


def least_servers(
    try_: Callable[[int], Times],
    start: int,
    bound: float,
    alone: Interval,
    work: float,
    *,
    most: int = 1 << 14,
    level: float = 0.95,
) -> Least:
    """The least number of servers from `start` on with which a percentile is within `bound`.

    `try_` gives the percentile of each replication for so many servers, on the same arrivals and service times whatever their
    number, so that more servers are never slower. `alone` is the percentile without waiting: where that is above the bound no
    number helps. `work` is the seconds of work that come in a second.
    """
    if alone.high is None or alone.high > bound:
        return Least(None, None, None, alone, 0.0)
    known: dict[int, Interval] = {}

    def at(servers: int) -> Interval:
        if servers not in known:
            known[servers] = over_replications(try_(servers), level)
        return known[servers]

    servers = _first(lambda count: (at(count).high or math.inf) <= bound, start, most)
    if servers is None:
        return Least(None, None, at(most), alone, work / most)
    fewest = _first(lambda count: at(count).value <= bound, start, servers)
    return Least(servers, fewest, at(servers), alone, work / servers)


def _first(holds: Callable[[int], bool], start: int, most: int) -> int | None:
    """The least count from `start` to `most` that holds, where all above one that holds do, too."""
    below, step = start - 1, 1
    while not holds(min(below + step, most)):
        below, step = below + step, 2 * step
        if below >= most:
            return None
    above = min(below + step, most)
    while above - below > 1:
        middle = (above + below) // 2
        below, above = (below, middle) if holds(middle) else (middle, above)
    return above
