import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import spatial, stats

from seatrial.numerics.shift import (
    Moments,
    aligned,
    histogram,
    jensen_shannon,
    moments,
    population_stability,
    quantile_edges,
    standardised_difference,
)

SIMULATIONS = 2000
NUMBERS = arrays.arrays(float, st.integers(0, 60), elements=st.floats(-1e3, 1e3) | st.just(math.nan))


@settings(deadline=None)  # no test depends on the clock
@given(NUMBERS, NUMBERS, st.integers(2, 12))
def test_histograms_count_each_row_once_and_add_up(one, other, bins):
    edges = quantile_edges(one, bins)
    counts = histogram(one, edges)
    assert counts.sum() == len(one)
    assert counts[-1] == np.isnan(one).sum()
    assert np.all(np.diff(edges) > 0)
    assert np.array_equal(histogram(np.concatenate([one, other]), edges), counts + histogram(other, edges))
    for index, edge in enumerate(edges):
        assert counts[: index + 1].sum() == np.sum(one <= edge)


def test_bins_of_a_sample_are_about_equally_full():
    values = np.random.default_rng(0).normal(size=10_000)
    assert np.abs(histogram(values, quantile_edges(values))[:-1] - 1000).max() <= 1
    assert len(quantile_edges(np.ones(50))) == 0
    assert quantile_edges(np.array([0.0, 1.0] * 50)).tolist() == [0.0]
    assert histogram(np.array([-np.inf, np.inf, 3.0, np.nan]), np.array([3.0])).tolist() == [2, 1, 1]


def test_categories_of_both_are_counted():
    one, other = aligned({"b": 3, "a": 1}, {"c": 2, "b": 5})
    assert (one.tolist(), other.tolist()) == ([1, 3, 0], [0, 5, 2])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(20, 9999), st.integers(20, 9999)), min_size=2, max_size=9))
def test_distances_are_those_of_scipy_with_half_a_row_added(pairs):
    one, other = np.array(pairs).T
    n, m = one.sum(), other.sum()
    if min(n, m) * (one + other).min() / (n + m) < 5:
        return
    p, q = (one + 0.5) / (one + 0.5).sum(), (other + 0.5) / (other + 0.5).sum()
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    found = population_stability(one, other)
    assert found.value == pytest.approx(expected, rel=1e-9, abs=1e-14)
    assert found.chance == pytest.approx(stats.chi2.ppf(0.95, len(pairs) - 1) * (1 / n + 1 / m), rel=1e-9)
    assert found.p == pytest.approx(stats.chi2.sf(expected / (1 / n + 1 / m), len(pairs) - 1), rel=1e-6, abs=1e-300)
    assert found.above_chance == (found.p < 0.05)
    divergence = jensen_shannon(one, other)
    assert divergence.value == pytest.approx(spatial.distance.jensenshannon(p, q, base=2) ** 2, rel=1e-6, abs=1e-12)
    assert 0 <= divergence.value <= 1


@pytest.mark.parametrize("distance", [population_stability, jensen_shannon])
def test_distances_are_symmetric_and_zero_for_the_same(distance):
    one, other = np.array([50, 300, 20, 7]), np.array([10, 500, 90, 2])
    assert distance(one, other).value == pytest.approx(distance(other, one).value)
    assert distance(one, one).value == pytest.approx(0, abs=1e-12)
    assert distance(one, one).p == pytest.approx(1)
    assert not distance(one, 3 * one).above_chance
    assert distance(np.array([9]), np.array([4]))[:3] == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("distance", [population_stability, jensen_shannon])
@pytest.mark.parametrize(
    ("n", "m", "shares"),
    [
        (50, 50, np.ones(10)),
        (100, 1000, np.ones(10)),
        (1000, 1000, np.arange(1, 21) ** -1.5),
        (200, 200, np.arange(1, 51) ** -1.5),
        (5000, 500, np.ones(2)),
        (1_000_000, 1_000_000, np.ones(10)),
    ],
)
def test_chance_is_exceeded_as_often_as_said(distance, n, m, shares):
    rng = np.random.default_rng(8)
    shares = shares / shares.sum()
    pairs = zip(rng.multinomial(n, shares, SIMULATIONS), rng.multinomial(m, shares, SIMULATIONS), strict=True)
    alarms = sum(distance(one, other).above_chance for one, other in pairs)
    assert alarms <= stats.binom.ppf(0.99, SIMULATIONS, 0.05)
    assert alarms >= 0.2 * 0.05 * SIMULATIONS  # not by being deaf


def test_a_shift_too_small_to_matter_is_seen_and_is_small():
    """A million rows, a hundredth of a standard deviation: significant, and far below what custom calls little."""
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=1_000_000), rng.normal(0.01, 1, 1_000_000)
    edges = quantile_edges(one)
    found = population_stability(histogram(one, edges), histogram(other, edges))
    assert found.p < 1e-5
    assert found.value < 0.001
    far = population_stability(histogram(one, edges), histogram(other + 1, edges))
    assert far.value > 0.25


def test_rare_bins_are_put_together_and_a_new_one_is_seen():
    one, other = np.array([1000, 2, 0, 2, 2, 0]), np.array([1000, 0, 2, 2, 0, 2])
    assert "of 2 bins" in population_stability(one, other).method
    assert "of 1 bins" in population_stability(one[:2], other[:2]).method
    new = population_stability(np.array([1000, 0]), np.array([800, 200]))
    assert new.above_chance
    assert math.isfinite(new.value)


@pytest.mark.parametrize(("one", "other"), [([1, 2], [1, 2, 3]), ([0, 0], [1, 2]), ([1, -1], [3, 4]), ([], [])])
def test_counts_that_make_no_sense_are_refused(one, other):
    for distance in (population_stability, jensen_shannon):
        with pytest.raises(ValueError, match="counts"):
            distance(np.array(one), np.array(other))


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_moments_merge_to_those_of_the_whole(one, other):
    merged, whole = moments(one).merge(moments(other)), moments(np.concatenate([one, other]))
    assert merged.n == whole.n
    for power, (mine, theirs) in enumerate(zip(merged[1:], whole[1:], strict=True), 1):
        assert mine == pytest.approx(theirs, rel=1e-8, abs=1e-7 * 1e3**power / 1e2)


def test_moments_are_those_of_scipy():
    values = np.random.default_rng(1).exponential(size=5000)
    found = Moments()
    for shard in np.array_split(values, 7):
        found = found.merge(moments(shard))
    assert found.mean == pytest.approx(values.mean())
    for power, total in zip((2, 3, 4), found[2:], strict=True):
        assert total / found.n == pytest.approx(stats.moment(values, order=power))


@pytest.mark.parametrize("n", [(40, 40), (100, 400), (1000, 1000)])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (stats.norm(), stats.norm(0.5)),
        (stats.norm(), stats.norm(1, 3)),
        (stats.expon(), stats.expon(scale=2)),
        (stats.norm(), stats.norm()),
    ],
)
def test_the_standardised_difference_is_covered(one, other, n):
    rng = np.random.default_rng(3)
    truth = (other.mean() - one.mean()) / math.sqrt((one.var() + other.var()) / 2)
    mine, theirs = (each.rvs((SIMULATIONS, size), random_state=rng) for each, size in zip((one, other), n, strict=True))
    found = [standardised_difference(moments(a), moments(b)) for a, b in zip(mine, theirs, strict=True)]
    inside = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.93 <= inside <= 0.975


def test_the_standardised_difference_is_cohens_for_equal_sizes():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, 1, 60), rng.normal(0.4, 1.3, 60)
    found = standardised_difference(moments(a), moments(b))
    t = stats.ttest_ind(b, a).statistic
    assert found.value == pytest.approx(t * math.sqrt(2 / 60))


def test_nothing_to_compare_is_said():
    flat, one = moments(np.ones(9)), moments(np.array([1.0]))
    assert standardised_difference(flat, flat)[:3] == (0.0, None, None)
    assert standardised_difference(flat, moments(np.full(9, 2.0))).value == math.inf
    assert standardised_difference(one, moments(np.arange(9.0)))[1:3] == (None, None)
    assert moments(np.array([np.nan])) == Moments()
