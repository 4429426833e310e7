import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from seatrial.numerics.percentiles import (
    discards,
    lag1,
    least_n,
    loadgen_discards,
    percentile,
    percentile_bound,
    percentile_over_rounds,
)

SAMPLES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=300)
FRACTION = st.sampled_from([0.5, 0.9, 0.95, 0.99])


@settings(deadline=None)  # no test depends on the clock
@given(SAMPLES, FRACTION)
def test_the_definition_is_loadgens(samples, p):
    assert percentile(samples, p) == sorted(samples)[min(int(len(samples) * p), len(samples) - 1)]


@pytest.mark.parametrize(("p", "exact", "loadgen"), [(0.9, 44, 64), (0.99, 459, 662), (0.999, 4603, 6636)])
def test_least_queries(p, exact, loadgen):
    assert least_n(p) == exact
    assert discards(exact, p) == 0
    assert discards(exact - 1, p) is None
    assert loadgen_discards(loadgen, p) == 0
    assert loadgen_discards(loadgen - 1, p) is None


@pytest.mark.parametrize(("n", "p", "t"), [(2000, 0.9, 167), (2000, 0.99, 8), (10_000, 0.99, 76)])
def test_loadgen_discards_one_less(n, p, t):
    assert loadgen_discards(n, p) == t
    assert discards(n, p) == t + 1


@settings(deadline=None)  # no test depends on the clock
@given(st.integers(1, 100_000), FRACTION, st.sampled_from([0.9, 0.99]))
def test_discards_are_the_most_the_binomial_allows(n, p, confidence):
    t = discards(n, p, confidence)
    allowed = 1.0 - confidence + 1e-12
    assert stats.binom.cdf(0 if t is None else t + 1, n, 1.0 - p) > allowed - 2e-12
    assert t is None or stats.binom.cdf(t, n, 1.0 - p) <= allowed


@settings(deadline=None)  # no test depends on the clock
@given(SAMPLES, FRACTION)
def test_bound_is_a_sample_above_the_percentile(samples, p):
    bound = percentile_bound(samples, p)
    assert (bound is None) == (len(samples) < least_n(p))
    assert bound is None or bound >= percentile(samples, p)


def test_bound_of_independent_queries_covers_what_it_says():
    """4,000 runs; a binomial standard error of 0.0016 at 0.99."""
    samples = np.random.default_rng(1).standard_exponential((4000, 500))
    found = np.array([percentile_bound(one, 0.9) for one in samples])
    assert np.mean(found >= -math.log(0.1)) >= 0.99 - 3 * 0.0016


def test_few_runs_are_hypergeometric():
    """Every arrangement of 4 exceedances among 12, against counting them."""
    rng = np.random.default_rng(2)
    arrangements = np.array([rng.permutation(np.arange(12.0)) for _ in range(4000)])
    p_values = np.array([lag1(one, 0.6).p_value for one in arrangements])
    assert p_values.mean() == pytest.approx(0.5, abs=0.02)  # mid-p has mean one half under independence
    clumped = np.concatenate([np.zeros(9), np.arange(1.0, 4.0)])
    assert lag1(clumped, 0.7).p_value == pytest.approx(0.5 * 10 / math.comb(12, 3))


def test_dependence_is_found_and_independence_left_alone():
    rng = np.random.default_rng(3)
    white = rng.standard_normal((1000, 700))
    assert np.mean([lag1(np.exp(one)).p_value < 0.01 for one in white]) <= 0.02
    slow = signal.lfilter([1.0], [1.0, -0.5], white[:200])
    assert np.mean([lag1(np.exp(one)).p_value < 0.01 for one in slow]) >= 0.95
    assert lag1(np.ones(50)) == (0.0, 1.0)
    assert lag1(np.arange(10_000.0), 0.5).p_value < 1e-9
    assert lag1(np.arange(10_000.0) % 2, 0.5 - 1e-9).p_value > 0.99


def _rounds(rng, runs, rounds, n, between=0.0, rho=0.0, within=0.5, slow=0.0):
    """Log latencies: autocorrelated normals, the slowest share five times slower, and a level per round."""
    noise = rng.standard_normal((runs, rounds, n))
    noise[..., 1:] *= math.sqrt(1.0 - rho * rho)
    noise = signal.lfilter([1.0], [1.0, -rho], noise)
    late = math.log(5.0) * (noise > stats.norm.ppf(1.0 - slow)) if slow else 0.0
    return np.exp(within * noise + late + between * rng.standard_normal((runs, rounds, 1)))


def _truth(p, between=0.0, within=0.5, slow=0.0, **_):
    """The percentile of the mixture over rounds, from four million independent queries in as many rounds."""
    if not slow:
        return math.exp(stats.norm.ppf(p) * math.hypot(between, within))
    return float(np.quantile(_rounds(np.random.default_rng(0), 1, 4_000_000, 1, between, 0.0, within, slow), p))


SCENES = {
    "independent": {},
    "rounds differ by 2 %": {"between": 0.02},
    "autocorrelation 0.5": {"between": 0.02, "rho": 0.5},
    "autocorrelation 0.9": {"between": 0.02, "rho": 0.9},
    "2 % slow queries": {"between": 0.02, "within": 0.3, "slow": 0.02},
}


@pytest.mark.parametrize("scene", SCENES)
def test_bound_over_rounds_covers(scene):
    """2,000 runs of 5 rounds of 700; two standard errors of a binomial share of 0.99 are 0.0045."""
    rng, inside = np.random.default_rng(4), {0.9: [], 0.99: []}
    truths = {p: _truth(p, **SCENES[scene]) for p in inside}
    for _ in range(8):
        for run in _rounds(rng, 250, 5, 700, **SCENES[scene]):
            for p, hits in inside.items():
                hits.append(percentile_over_rounds(list(run), p).high >= truths[p])
    assert min(np.mean(hits) for hits in inside.values()) >= 0.99 - 0.0045


def test_plain_bound_would_not():
    """Why it isn't used: five rounds of 400 that differ by as much as their queries (2 %) leave it 63 % or less."""
    runs = _rounds(np.random.default_rng(5), 500, 5, 400, between=0.02, within=0.02)
    covered = [percentile_bound(run.ravel(), 0.9) >= _truth(0.9, between=0.02, within=0.02) for run in runs]
    assert np.mean(covered) <= 0.65


@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_one_round_covers_for_itself(rho, n):
    """2,000 runs: two standard errors are 0.0045. A bound withheld is no error, a bound too low is."""
    runs = _rounds(np.random.default_rng(6), 2000, 1, n, rho=rho)
    for p in (0.9, 0.99):
        found = [percentile_over_rounds(list(run), p) for run in runs]
        wrong = np.mean([i.high is not None and i.high < _truth(p) for i in found])
        assert wrong <= 0.01 + 0.0045
        assert all(i.high is None or "that round alone" in i.method for i in found)


def test_too_few_queries_have_no_bound_and_are_told_how_many_would_do():
    shuffled = np.random.default_rng(7).permutation(np.linspace(1.0, 2.0, 250))
    found = percentile_over_rounds(np.split(shuffled, 5), 0.99)
    assert (found.low, found.high) == (None, None)
    assert "250" in found.method
    assert "459" in found.method
    dependent = percentile_over_rounds(np.split(np.linspace(1.0, 2.0, 500), 5), 0.99)
    assert dependent.high is None  # 500 would do if they did not climb


def test_rounds_may_differ_in_length():
    rng = np.random.default_rng(8)
    found = percentile_over_rounds([np.exp(rng.standard_normal(n)) for n in (300, 500, 1000)], 0.9)
    assert found.high > found.value
    assert found.level == pytest.approx(0.98)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: percentile([], 0.9),
        lambda: percentile([1.0, math.nan], 0.9),
        lambda: percentile([[1.0]], 0.9),
        lambda: percentile([1.0], 90),
        lambda: percentile_over_rounds([], 0.9),
        lambda: percentile_over_rounds([[1.0, 0.0]], 0.9),
        lambda: discards(5, 0.9, 1.0),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"round|needed|zero|fractions"):
        wrong()
