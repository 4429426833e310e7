"""Replicas for a traffic, against the formulas of M/M/c; and money in numbers worked out by hand."""

import math

import numpy as np
import pytest

from seatrial.numerics.money import break_even, payback_months, per_million
from seatrial.numerics.queueing import Batching, least_replications
from seatrial.numerics.replicas import BRIEF, BUSIEST, FULL, Question, at_replicas, replicas

RANDOM = np.random.default_rng(0)
ROUNDS = [RANDOM.exponential(0.005, 2000) for _ in range(8)]
MEAN = float(np.mean(ROUNDS))


def waiting(servers, load):
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def p99(servers, rate):
    """Of the response in M/M/c: service and wait are independent; found by halving."""
    mu, chance = 1 / MEAN, waiting(servers, rate * MEAN)
    drain = servers * mu - rate

    def above(t):
        if abs(drain - mu) < 1e-9 * mu:
            return math.exp(-mu * t) * (1 + chance * mu * t)
        return (1 - chance) * math.exp(-mu * t) + chance * (mu * math.exp(-drain * t) - drain * math.exp(-mu * t)) / (
            mu - drain
        )

    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) > 0.01 else (low, middle)
    return high


@pytest.mark.parametrize(("servers", "rate"), [(1, 120.0), (3, 450.0), (8, 1300.0)])
def test_the_percentile_is_that_of_the_formula(servers, rate):
    found = at_replicas(ROUNDS, Question(rate, 1.0), servers)
    assert found.value == pytest.approx(p99(servers, rate), rel=0.06)
    assert found.low < p99(servers, rate) < found.high


@pytest.mark.parametrize("rate", [150.0, 700.0, 5000.0])
def test_replicas_are_about_those_of_the_formula(rate):
    bound = 0.035
    exact = next(count for count in range(math.ceil(rate * MEAN), 200) if p99(count, rate) <= bound)
    found = replicas(ROUNDS, Question(rate, bound))
    assert exact - 1 <= found.fewest <= found.servers <= exact + 2 + exact // 10
    assert found.busy <= BUSIEST
    assert found.value.high <= bound
    assert replicas(ROUNDS, Question(rate, bound), BRIEF).servers <= found.servers + 2


def test_many_replicas_are_worked_out_in_groups():
    few = replicas(ROUNDS, Question(20_000.0, 0.035), BRIEF).servers
    many = replicas(ROUNDS, Question(2_000_000.0, 0.035), BRIEF)
    assert 0.99 * 2_000_000 * MEAN / BUSIEST <= many.servers <= 1.03 * 100 * few
    assert many.busy <= BUSIEST
    assert at_replicas(ROUNDS, Question(2_000_000.0, 0.035), many.servers, BRIEF).high <= 0.04


def test_a_bound_below_the_service_time_is_never_kept():
    found = replicas(ROUNDS, Question(10.0, 0.01))
    assert found.servers is None
    assert found.alone.low > 0.01


def test_batches_bear_more_where_they_are_cheap_and_slower_replicas_less():
    cheap = Batching(8, 0.002, tuple(0.005 + 0.0003 * size for size in range(8)))
    steady = [np.full(500, 0.005)]
    effort = BRIEF._replace(queries=1500)
    alone = replicas(steady, Question(1500.0, 0.05), effort)
    together = replicas(steady, Question(1500.0, 0.05, batching=cheap), effort)
    slow = replicas(steady, Question(1500.0, 0.05, slower=2.0), effort)
    assert together.servers < alone.servers < slow.servers
    assert 0.2 < together.busy < 1


def test_a_trace_is_met_as_it_was():
    burst = np.concatenate([np.linspace(0, 0.1, 50), np.linspace(10, 20, 50)])
    spread = np.linspace(0, 20, 100)
    steady = [np.full(100, 0.01)]
    sizes = [replicas(steady, Question(5.0, 0.03, arrivals=one)).servers for one in (spread, burst)]
    assert sizes[0] == 1
    assert sizes[1] > 3, "50 queries in a tenth of a second"
    assert FULL.replications >= 100


def test_of_a_long_trace_the_busiest_stretch_is_met(monkeypatch):
    monkeypatch.setattr("seatrial.numerics.replicas.LONGEST", 50)
    calm = np.linspace(0, 100, 200)
    late = np.concatenate([calm, 100 + np.linspace(0.01, 0.1, 50), 101 + calm])
    steady = [np.full(100, 0.01)]
    assert replicas(steady, Question(4.0, 0.03, arrivals=calm)).servers == 1
    assert replicas(steady, Question(4.0, 0.03, arrivals=late)).servers > 3, "the burst comes after the first fifty"


def test_places_that_share_a_trace_meet_it_by_chance():
    """Each tenth query of a Poisson stream would come far too evenly: the wait in M/D/1 at .8 would nearly be gone."""
    random = np.random.default_rng(1)
    stream = np.cumsum(random.exponential(1 / 800, 50_000))
    steady = [np.full(100, 0.01)]
    shared = Question(80.0, 1.0, 0.5, arrivals=stream, share=10)
    found = at_replicas(steady, shared, 1)
    alone = at_replicas(steady, Question(80.0, 1.0, 0.5), 1)
    assert found.value == pytest.approx(alone.value, rel=0.15)
    assert found.value > 1.5 * at_replicas(steady, Question(80.0, 1.0, 0.5, arrivals=stream[::10]), 1).value
    assert replicas(steady, Question(0.01, 1.0, arrivals=stream[:5], share=1000)).servers == 1, (
        "fewer queries than places"
    )


def test_a_range_rests_on_as_many_simulations_as_its_level_takes_and_says_how_many():
    assert [least_replications(level) for level in (0.9, 0.95, 0.99)] == [19, 39, 199]
    trace = np.cumsum(np.full(90_000, 0.01))
    for level, least in ((0.95, 39), (0.99, 199)):
        found = replicas([np.full(100, 0.005)], Question(100.0, 0.05, level=level, arrivals=trace))
        assert found.replications == least
        assert f"{least} replications" in found.value.method
    many = replicas(ROUNDS, Question(20_000.0, 0.035, level=0.99), BRIEF)
    assert many.replications == 199
    usual = replicas(ROUNDS, Question(150.0, 0.035))
    assert usual.replications == FULL.replications


def test_money_by_hand():
    assert per_million(720.0, 36e6) == 20.0
    assert payback_months(1200.0, 300.0, 100.0) == 6.0
    assert payback_months(1200.0, 100.0, 100.0) is None


def test_break_even():
    def hired(volume):
        return 100.0 * math.ceil(volume / 1e6)

    def paid(volume):
        return 40e-6 * volume

    def owned(volume):
        return 350.0 + 20.0 * math.ceil(volume / 1e6)

    assert break_even(hired, paid, 1e3, 1e9) is None, "100 for a million is never below 40"
    assert break_even(owned, hired, 1e3, 1e9) == pytest.approx(4e6, rel=0.02), "350 + 20 x 5 < 500, 350 + 20 x 4 > 400"
    assert 17.7e6 < break_even(owned, paid, 1e3, 1e9) < 18.3e6, (
        "steps cross a line twice: at 17.75 and at 18.25 million"
    )
    assert break_even(lambda _: 1.0, lambda _: 2.0, 1e3, 1e9) == 1e3
