"""Simulated queues against formulas: M/M/1, M/D/1, M/G/1, M/M/c; against a loop in plain Python; and what must always hold."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.numerics.queueing import (
    Batching,
    block_length,
    in_batches,
    least_servers,
    over_replications,
    percentiles,
    poisson,
    resampled,
    responses,
)

REPLICATIONS, QUERIES, WARM_UP = 60, 15_000, 3_000


def simulated(rate, servers, service, seed=0):
    """Responses in the steady state, shape (replications, queries)."""
    random = np.random.default_rng(seed)
    arrivals = poisson(rate, QUERIES, REPLICATIONS, random)
    return responses(arrivals, service(random, (REPLICATIONS, QUERIES)), servers)[:, WARM_UP:]


def near(values, expected, sigmas=4.0):
    """Within so many standard errors, replications being independent."""
    return abs(values.mean() - expected) < sigmas * values.std(ddof=1) / math.sqrt(len(values))


def exponential(random, shape):
    return random.exponential(1.0, shape)


def erlang_c(servers, load):
    """Probability of waiting (Erlang 1917), by the recursion for Erlang B."""
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


@pytest.mark.parametrize("load", [0.3, 0.7, 0.85])
def test_mm1(load):
    took = simulated(load, 1, exponential)
    assert near(took.mean(axis=1), 1 / (1 - load))
    for p in (0.5, 0.99):  # the response is exponential with rate mu - lambda
        assert near((took <= -math.log(1 - p) / (1 - load)).mean(axis=1), p)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_md1_and_mg1(load):
    fixed = simulated(load, 1, lambda random, shape: np.ones(shape))
    assert near(fixed.mean(axis=1), 1 + load / (2 * (1 - load)))
    uneven = simulated(load, 1, lambda random, shape: random.choice([0.5, 3.0], shape, p=[0.8, 0.2]))
    second = 0.8 * 0.25 + 0.2 * 9
    assert near(uneven.mean(axis=1), 1 + load * second / (2 * (1 - load)))  # Pollaczek and Khinchine


@pytest.mark.parametrize(("servers", "load"), [(2, 1.4), (4, 3.2), (10, 8.0)])
def test_mmc(servers, load):
    random = np.random.default_rng(3)
    service = exponential(random, (REPLICATIONS, QUERIES))
    took = responses(poisson(load, QUERIES, REPLICATIONS, random), service, servers)
    waits = (took - service)[:, WARM_UP:]
    chance = erlang_c(servers, load)
    assert near((waits > 1e-9).mean(axis=1), chance)
    assert near(waits.mean(axis=1), chance / (servers - load))
    assert near((waits > 0.5).mean(axis=1), chance * math.exp(-(servers - load) * 0.5))


def by_hand(arrivals, relative, servers, most, wait, seconds):
    """One replication in plain Python: batches in the words of the docstring."""
    free, took, at, step = [-math.inf] * servers, [], 0, 0
    while at < len(arrivals):
        server = free.index(min(free))
        full = arrivals[at + most - 1] if at + most <= len(arrivals) else math.inf
        begin = max(free[server], min(arrivals[at] + wait, full), arrivals[at])
        size = sum(moment <= begin for moment in arrivals[at : at + most])
        free[server] = begin + seconds[size - 1] * relative[step]
        took += [free[server] - moment for moment in arrivals[at : at + size]]
        at, step = at + size, step + 1
    return took


many = st.lists(st.floats(0.001, 3), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(many, st.integers(1, 4), st.integers(2, 5), st.floats(0, 2), st.integers(0, 9))
def test_batches_are_those_of_the_loop(gaps, servers, most, wait, seed):
    arrivals = np.cumsum(gaps)
    relative = np.random.default_rng(seed).uniform(0.5, 1.5, len(gaps))
    seconds = tuple(1 + 0.3 * count for count in range(most))
    took, busy = in_batches(arrivals[None], relative[None], servers, Batching(most, wait, seconds))
    assert took[0] == pytest.approx(by_hand(list(arrivals), relative, servers, most, wait, seconds))
    assert (busy >= 0).all()
    assert took.min() > 0


@settings(max_examples=60, deadline=None)
@given(many, st.integers(1, 4), st.integers(0, 9))
def test_no_query_is_faster_than_its_service_and_more_servers_are_never_slower(gaps, servers, seed):
    arrivals = np.cumsum(gaps)[None]
    service = np.random.default_rng(seed).exponential(1.0, arrivals.shape)
    fewer, more = (responses(arrivals, service, count) for count in (servers, servers + 1))
    assert (fewer >= service - 1e-9).all()
    assert (more <= fewer + 1e-9).all()
    one = in_batches(arrivals, service, servers, Batching(1, 0.0, (1.0,)))[0]
    assert one == pytest.approx(fewer), "batches of one are no batches"


def test_one_server_without_a_loop_is_that_of_the_loop():
    random = np.random.default_rng(1)
    arrivals, service = poisson(0.9, 300, 5, random), exponential(random, (5, 300))
    idle = responses(np.vstack([arrivals]), service, 1)
    for row in range(5):
        free, took = 0.0, []
        for moment, seconds in zip(arrivals[row], service[row], strict=True):
            free = max(free, moment) + seconds
            took.append(free - moment)
        assert idle[row] == pytest.approx(took)


def test_resampling_keeps_what_follows_itself_and_what_differs_between_rounds():
    random = np.random.default_rng(2)
    slow = np.zeros(4000)
    for place in range(1, 4000):  # autocorrelation 0.8
        slow[place] = 0.8 * slow[place - 1] + random.normal()
    drawn = resampled([10 + slow], 3000, 20, random)
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    along = (centred[:, 1:] * centred[:, :-1]).sum() / (centred**2).sum()
    assert along == pytest.approx(0.8, abs=0.05)
    slower = np.zeros(4000)
    for place in range(1, 4000):
        slower[place] = 0.99 * slower[place - 1] + random.normal()
    assert block_length(slower) > 2 * block_length(random.normal(size=4000)), "white noise: the square root"
    assert block_length(np.ones(100)) == 10
    assert block_length([1.0]) == 1
    apart = resampled([np.full(50, 1.0), np.full(50, 2.0), np.full(50, 3.0)], 600, 400, random).mean(axis=1)
    assert apart.std() == pytest.approx(math.sqrt(2 / 3 / 3), rel=0.25), "as the mean of three drawn rounds"
    assert set(np.unique(drawn)) <= set(10 + slow)
    with pytest.raises(ValueError, match="at least one"):
        resampled([np.ones(3), np.array([])], 5, 1, random)


def test_the_range_holds_what_fresh_arrivals_give():
    """Of 200 fresh runs of an M/M/1 queue, measured and simulated from rounds of its own service times."""
    random = np.random.default_rng(4)
    inside = 0
    for _ in range(200):
        rounds = [random.exponential(1.0, 1000) for _ in range(5)]
        arrivals = poisson(0.6, 1500, 200, random)
        range_ = over_replications(percentiles(responses(arrivals, resampled(rounds, 1500, 200, random), 1), 0.99))
        fresh = responses(poisson(0.6, 1500, 1, random), random.exponential(1.0, (1, 1500)), 1)
        inside += range_.low <= percentiles(fresh, 0.99)[0] <= range_.high  # nominal 0.95
    assert inside >= 180


def test_least_servers():
    random = np.random.default_rng(5)
    rate, bound = 7.0, 6.0
    arrivals, service = poisson(rate, QUERIES, 20, random), exponential(random, (20, QUERIES))

    def ninety(servers):
        return percentiles(responses(arrivals, service, servers), 0.9, WARM_UP)

    alone = over_replications(percentiles(service, 0.9))
    found = least_servers(ninety, 7, bound, alone, rate)
    assert over_replications(ninety(found.servers)).high <= bound
    assert over_replications(ninety(found.servers - 1)).high > bound or found.servers == 7
    assert 7 < found.fewest <= found.servers
    assert found.busy == pytest.approx(7 / found.servers)
    hopeless = least_servers(ninety, 7, 1.0, alone, rate)
    assert hopeless.servers is None
    assert hopeless.alone.value == pytest.approx(math.log(10), rel=0.05)
    assert least_servers(ninety, 7, bound, alone, rate, most=7).servers is None
