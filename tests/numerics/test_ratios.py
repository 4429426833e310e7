import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seatrial.numerics.ratios import paired_ratio, ratio_apart, rounds_to_settle

TIMES = st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)), min_size=2, max_size=20)


@settings(deadline=None)  # no test depends on the clock
@given(TIMES)
def test_against_scipy(pairs):
    above, below = np.array(pairs).T
    found, logs = paired_ratio(above, below), np.log(above / below)
    expected = stats.ttest_1samp(logs, 0.0).confidence_interval() if np.ptp(logs) > 0 else (logs[0], logs[0])
    assert found.value == pytest.approx(stats.gmean(above / below), rel=1e-9)
    assert np.log([found.low, found.high]) == pytest.approx(list(expected), rel=1e-6, abs=1e-6)


@settings(deadline=None)  # no test depends on the clock
@given(TIMES)
def test_turned_over_it_is_the_inverse(pairs):
    above, below = np.array(pairs).T
    one, other = paired_ratio(above, below), paired_ratio(below, above)
    assert one.low * other.high == pytest.approx(1.0)
    assert one.low <= one.value * (1 + 1e-12)
    assert one.value <= one.high * (1 + 1e-12)


def test_one_round_has_no_bounds():
    found = paired_ratio([2.0], [1.0])
    assert found[:3] == (2.0, None, None)
    assert "one round" in found.method
    assert rounds_to_settle(found, 3.0, 1) is None


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_coverage_with_few_noisy_rounds(rounds: int):
    """Spikes on one in ten rounds beside 2 % noise; 2,000 runs (standard error 0.0049). The logarithms' mean is the
    truth. Without spikes the t interval is exact, so 0.95 within three standard errors."""
    rng = np.random.default_rng(rounds)
    for spikes in (0.0, 0.03):
        noise = 0.02 * rng.standard_normal((2000, rounds)) + spikes * (rng.random((2000, rounds)) < 0.1)
        found = [paired_ratio(1.3 * np.exp(row), np.ones(rounds)) for row in noise]
        inside = np.mean([i.low <= 1.3 * math.exp(0.1 * spikes) <= i.high for i in found])
        assert inside >= 0.93
        assert inside <= (0.97 + 3 * 0.0049 if spikes else 0.95 + 3 * 0.0049)


def test_rounds_to_settle():
    ratio = paired_ratio([1.10, 1.20, 1.15], [1.0, 1.0, 1.0])
    assert rounds_to_settle(ratio, ratio.high, 3) == 3
    assert rounds_to_settle(ratio, ratio.low, 3) == 3
    assert 3 < rounds_to_settle(ratio, 1.2, 3) < 20
    assert rounds_to_settle(ratio, ratio.value, 3) is None
    assert rounds_to_settle(ratio, ratio.value * (1 + 1e-9), 3) is None
    assert rounds_to_settle(paired_ratio([1.1, 1.1], [1.0, 1.0]), 1.2, 2) == 2


@pytest.mark.parametrize(
    "pair", [([], []), ([1.0], [1.0, 2.0]), ([1.0], [0.0]), ([math.nan], [1.0]), ([[1.0]], [[1.0]])]
)
def test_what_has_no_ratio_is_refused(pair):
    with pytest.raises(ValueError, match="number"):
        paired_ratio(*pair)


def test_rounds_that_nothing_pairs_are_covered_too():
    """Welch's interval with the fewer degrees of freedom, for spreads that differ by three and samples of 4 and 9."""
    covered = []
    for seed in range(1500):
        random = np.random.default_rng(seed)
        one, other = random.lognormal(0.2, 0.03, 4), random.lognormal(0.0, 0.09, 9)
        interval = ratio_apart(one, other, 0.95)
        covered.append(interval.low <= np.exp(0.2) <= interval.high)
    assert np.mean(covered) >= 0.95, "on the safe side, as it says"


def test_a_single_round_apart_has_no_bounds():
    interval = ratio_apart([2.0], [1.0, 1.0])
    assert (interval.value, interval.low, interval.high) == (2.0, None, None)
    with pytest.raises(ValueError, match="above zero"):
        ratio_apart([1.0, 0.0], [1.0, 1.0])
    same = ratio_apart([2.0, 2.0], [1.0, 1.0, 1.0])
    assert same.low == same.high == pytest.approx(2.0)
