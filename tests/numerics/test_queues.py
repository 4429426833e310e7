"""What is said of queues covers what it says, for queries that depend on each other and rounds that differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import binom, norm

from seatrial.numerics.proportions import clopper_pearson
from seatrial.numerics.queues import missed, percentile_in_queue


@pytest.mark.parametrize(("along", "between"), [(0.0, 0.0), (0.9, 0.0), (0.5, 0.3)])
def test_coverage(along, between):
    random, share, repeats, covered, rounds = np.random.default_rng(0), 0.05, 150, 0, 8
    deadline = np.exp(norm.ppf(1 - share) * np.hypot(1, between))
    for _ in range(repeats):
        shocks = random.standard_normal((rounds, 500)) * np.sqrt(1 - along**2)
        latent = lfilter([1], [1, -along], shocks, axis=1)[:, 100:] + between * random.standard_normal((rounds, 1))
        interval = missed(list(np.exp(latent)), float(deadline))
        covered += interval.low <= share <= interval.high
    assert covered >= binom.ppf(0.005, repeats, 0.94)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(31, 60))
def test_the_share_is_exact_and_inside_its_bounds(hits, n):
    rounds = [np.where(np.arange(n) < count, 2.0, 1.0) for count in hits]
    interval = missed(rounds, 1.5)
    assert interval.value == pytest.approx(sum(hits) / (n * len(hits)))
    assert interval.low <= interval.value <= interval.high


def test_no_miss_still_leaves_room_for_some_and_dependence_for_more():
    independent = np.random.default_rng(0).random((5, 200))
    none = missed(list(independent), 2.0)
    assert (none.value, none.low) == (0, 0)
    assert none.high >= clopper_pearson(0, 1000).high
    assert missed(list(np.sort(independent, axis=1)), 2.0).high > none.high


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="round"):
        missed([], 1.0)
    with pytest.raises(ValueError, match="round"):
        missed([[1.0], []], 1.0)


def queues(load, repeats, rounds, n, seed=0):
    """Times in M/M/1 queues of service rate 1 that begin in their steady state, by Lindley's recursion."""
    random, count = np.random.default_rng(seed), repeats * rounds
    gaps, service = random.exponential(1 / load, (n, count)), random.exponential(1.0, (n, count))
    wait = np.where(random.random(count) < load, random.exponential(1 / (1 - load), count), 0.0)
    found = np.empty((n, count))
    for at in range(n):
        found[at] = wait + service[at]
        wait = np.maximum(0.0, found[at] - gaps[at])
    return found.T.reshape(repeats, rounds, n)


@pytest.mark.parametrize(("load", "n"), [(0.3, 1500), (0.7, 2000), (0.9, 2000)])
def test_bounds_of_percentiles_in_a_queue_hold_or_are_withheld(load, n):
    truth = -np.log(0.01) / (1 - load)
    bounds = [percentile_in_queue(list(one), 0.99).high for one in queues(load, 60, 6, n)]
    given_ = [bound for bound in bounds if bound is not None]
    assert sum(bound < truth for bound in given_) <= binom.ppf(0.999, 60, 0.02)
    assert len(given_) >= 50 if load == 0.3 else len(given_) < 50, "the short queue alone has bounds most of the time"


def test_a_withheld_bound_says_how_many_queries_would_do():
    interval = percentile_in_queue(list(queues(0.9, 1, 6, 2000)[0]), 0.99)
    assert interval.high is None
    assert "12000 queries" in interval.method
    assert int(interval.method.split("about ")[1].split()[0]) > 12_000
