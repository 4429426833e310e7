"""Time to a target with trainings that never reach it: against statsmodels' product-limit estimate, and coverage in simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from seatrial.numerics.means import mean
from seatrial.numerics.reaching import bounds_alone, median_time

RUNS = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=25)


def product_limit(times: Any, reached: Any) -> float | None:
    """The first time at which statsmodels' product-limit estimate is one half or less."""
    theirs = SurvfuncRight(times, reached.astype(int))
    low = [time for time, left in zip(theirs.surv_times, theirs.surv_prob, strict=True) if left <= 0.5 + 1e-9]
    return low[0] if low else None


@given(RUNS)
def test_censored_at_one_limit_the_median_is_that_of_the_product_limit_estimate(runs: list[tuple[int, bool]]) -> None:
    times, reached = map(np.array, zip(*runs, strict=True))
    found = median_time(np.where(reached, times, 31), reached)
    assert (found.value if found else None) == product_limit(np.where(reached, times, 31), reached)


@given(RUNS)
def test_censored_at_limits_of_their_own_it_errs_upwards(runs: list[tuple[int, bool]]) -> None:
    times, reached = map(np.array, zip(*runs, strict=True))
    found, theirs = median_time(times, reached), product_limit(times, reached)
    assert found is None or (theirs is not None and found.value >= theirs)


@given(RUNS)
def test_bounds_lie_around_the_median(runs: list[tuple[int, bool]]) -> None:
    times, reached = map(np.array, zip(*runs, strict=True))
    found = median_time(times, reached)
    if found is not None and found.low is not None:
        assert found.low <= found.value
        assert found.high is None or found.value <= found.high


def test_by_hand() -> None:
    found = median_time([3.0, 1.0, 2.0, 5.0, 4.0, 9.0], [True] * 6)
    assert found is not None
    assert (found.value, found.low, found.high) == (3.0, 1.0, 9.0)
    assert found.level == pytest.approx(1 - 2 / 2**6)
    fewer = median_time([3.0, 1.0, 2.0], [True] * 3)
    assert fewer is not None
    assert fewer.level == pytest.approx(0.75)  # three trainings can promise no more, and it says so


def test_a_censored_largest_leaves_no_upper_bound() -> None:
    found = median_time([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [True] * 5 + [False])
    assert found is not None
    assert found.high is None
    assert "1 censored" in found.method


def test_where_most_are_censored_there_is_no_median_but_a_lower_bound() -> None:
    times, reached = [5.0] * 6 + [1.0, 2.0], [False] * 6 + [True, True]
    assert median_time(times, reached) is None
    low, high, level = bounds_alone(times, reached)
    assert (low, high) == (1.0, None)
    assert level >= 0.95


def test_one_training_has_no_bounds() -> None:
    found = median_time([2.0], [True])
    assert found is not None
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("wrong", [([], []), ([1.0, 2.0], [True]), ([np.nan], [True]), ([-1.0], [True])])
def test_what_are_no_times_is_refused(wrong: tuple[list[float], list[bool]]) -> None:
    with pytest.raises(ValueError, match=r"time"):
        median_time(*wrong)


@pytest.mark.parametrize("n", [6, 9, 15])
@pytest.mark.parametrize("limit", [np.inf, 1.6, 1.0], ids=["all reach it", "some don't", "about half don't"])
@pytest.mark.parametrize("early", [False, True], ids=["one limit", "limits of their own"])
def test_the_interval_covers_the_median_in_simulation(n: int, limit: float, early: bool) -> None:
    """Lognormal times with median 1, censored at a limit; 2,000 repeats, at least the stated level less what chance does."""
    random, repeats, inside, level = np.random.default_rng(n), 2_000, 0, 0.0
    true = random.lognormal(0.0, 0.6, (repeats, n))
    limits = np.full((repeats, n), limit) * (random.uniform(0.7, 1.0, (repeats, n)) if early else 1.0)
    for times, ends in zip(true, limits, strict=True):
        low, high, level = bounds_alone(np.minimum(times, ends), times <= ends)
        assert low is not None
        inside += low <= 1.0 and (high is None or high >= 1.0)
    assert level >= 0.95
    assert inside >= stats.binom.ppf(0.001, repeats, level)


def test_leaving_censored_ones_out_would_not_cover() -> None:
    """What the interval is for: the same simulation with only the trainings that reached it."""
    random, inside = np.random.default_rng(0), 0
    for _ in range(500):
        times = random.lognormal(0.0, 0.6, 15)
        kept = times[times <= 1.0]
        low, high, _ = bounds_alone(kept, np.ones(kept.size, bool)) if kept.size else (0.0, None, 0.0)
        inside += (low or 0.0) <= 1.0 and (high is None or high >= 1.0)
    assert inside < 0.5 * 500


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20).filter(lambda x: np.std(x) > 1e-6))
def test_the_mean_has_students_interval(values: list[float]) -> None:
    found = mean(values, 0.9)
    low, high = stats.t.interval(0.9, len(values) - 1, np.mean(values), stats.sem(values))
    assert found.value == pytest.approx(np.mean(values), abs=1e-9)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_the_mean_of_one_has_no_bounds() -> None:
    assert mean([2.0])[:3] == (2.0, None, None)
    with pytest.raises(ValueError, match="finite"):
        mean([1.0, np.inf])
