import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from seatrial.numerics.proportions import clopper_pearson, proportion, proportions, wilson

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize("n", [1, 7, 30, 1000, 1_000_000])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_against_statsmodels(n: int, level: float):
    for successes in {0, 1, n // 3, n - 1, n}:
        for ours, method in ((wilson, "wilson"), (clopper_pearson, "beta")):
            expected = proportion_confint(successes, n, 1.0 - level, method)
            found = ours(successes, n, level)
            assert (found.low, found.high) == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_published_value():
    # Fagerland, Lydersen & Laake, Statistical Analysis of Contingency Tables: 13 of 16
    found = clopper_pearson(13, 16, 0.95)
    assert (round(found.value, 4), round(found.low, 4), round(found.high, 4)) == (0.8125, 0.5435, 0.9595)


def test_none_of_ten_bounds_the_rate_below_26_percent():
    assert clopper_pearson(0, 10, 0.90).high == pytest.approx(0.2589, abs=5e-5)


@settings(deadline=None)  # no test depends on the clock
@given(COUNTS, st.floats(0.5, 0.999))
def test_bounds_contain_the_value_and_widen_with_the_level(counts, level: float):
    for method in (wilson, clopper_pearson, proportion):
        narrow, wide = method(*counts, level), method(*counts, (1.0 + level) / 2.0)
        assert 0.0 <= wide.low <= narrow.low <= narrow.value <= narrow.high <= wide.high <= 1.0


@settings(deadline=None)  # no test depends on the clock
@given(COUNTS)
def test_success_and_failure_mirror_each_other(counts):
    successes, n = counts
    one, other = proportion(successes, n), proportion(n - successes, n)
    assert (one.low, one.high) == pytest.approx((1.0 - other.high, 1.0 - other.low), abs=1e-12)


@pytest.mark.parametrize("n", [5, 20, 36, 100, 102, 300, 1000])
def test_coverage_is_exact_arithmetic_here(n: int):
    """Not simulated: every outcome of every true share on a fine grid, and just beside every bound, where it is worst."""
    found = [proportion(s, n) for s in range(n + 1)]
    low, high = np.array([i.low for i in found]), np.array([i.high for i in found])
    exact = np.array(["exact" in i.method for i in found])
    shares = np.concatenate([low - 1e-9, low + 1e-9, high - 1e-9, high + 1e-9, np.linspace(0.001, 0.999, 400)])
    shares = shares[(shares > 0.0) & (shares < 1.0)]
    weights = stats.binom.pmf(np.arange(n + 1)[:, None], n, shares)
    covered = (low[:, None] <= shares) & (shares <= high[:, None])
    coverage = np.sum(weights * covered, axis=0)
    assert coverage.min() >= 0.93
    # above 0.97 only where the exact method has a say: single points of a discrete distribution may stick out by a
    # little (one outcome more or less inside), so the claim is about the mean over shares where Wilson alone decides
    wilson_alone = np.sum(weights * exact[:, None], axis=0) < 0.001
    if wilson_alone.any():
        assert coverage[wilson_alone].mean() <= 0.97


@pytest.mark.parametrize("method", [wilson, clopper_pearson, proportion])
@pytest.mark.parametrize("counts", [(0, 0), (1, -1), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(method, counts):
    with pytest.raises(ValueError, match="not"):
        method(*counts)


def test_a_level_is_a_fraction():
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, 95)


@settings(deadline=None, max_examples=50)  # no test depends on the clock
@given(st.lists(COUNTS, min_size=1, max_size=8), st.floats(0.5, 0.999))
def test_many_at_once_are_each_alone(counts, level: float):
    hits, rows = np.array(counts).T
    found = proportions(hits, rows, level)
    for at, one in enumerate(counts):
        alone = proportion(*one, level)
        assert (found.value[at], found.low[at], found.high[at]) == pytest.approx(alone[:3], abs=1e-12)
        assert alone.method.startswith(found.method[at])
    assert np.array_equal(proportions(hits, rows, None).value, found.value)


def test_no_rows_have_no_share():
    assert np.isnan(proportions([0, 0], [0, 0])[:3]).all()
    with pytest.raises(ValueError, match="successes"):
        proportions([3], [2])
