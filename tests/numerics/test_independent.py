"""Differences and ratios of two independent numbers, from their intervals alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from seatrial.numerics.independent import difference, ratio
from seatrial.numerics.interval import Interval

NUMBERS = st.floats(0.01, 100.0)
INTERVALS = st.tuples(NUMBERS, st.floats(0, 0.9), st.floats(0, 9)).map(
    lambda t: Interval(t[0], t[0] * (1 - t[1]), t[0] * (1 + t[2]), 0.95, "made up")
)


def wilson(count: int, n: int) -> Interval:
    low, high = proportion_confint(count, n, method="wilson")
    return Interval(count / n, low, high, 0.95, "Wilson")


@pytest.mark.parametrize(("one", "n"), [(3, 40), (20, 40), (40, 40), (880, 1000)])
@pytest.mark.parametrize(("other", "m"), [(1, 50), (49, 50), (910, 1000)])
def test_of_two_wilson_intervals_it_is_newcombes(one: int, n: int, other: int, m: int) -> None:
    found = difference(wilson(one, n), wilson(other, m))
    low, high = confint_proportions_2indep(other, m, one, n, method="newcomb", compare="diff")
    assert found.value == pytest.approx(other / m - one / n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


@given(INTERVALS, INTERVALS)
def test_turned_round_it_is_the_opposite(first: Interval, second: Interval) -> None:
    there, back = difference(first, second), difference(second, first)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.low <= there.value <= there.high
    over, under = ratio(first, second), ratio(second, first)
    assert over.low * under.high == pytest.approx(1.0)
    assert over.low <= over.value * (1 + 1e-9)
    assert over.value <= over.high * (1 + 1e-9)


@given(INTERVALS, INTERVALS)
def test_it_is_no_narrower_than_either_and_no_wider_than_both(first: Interval, second: Interval) -> None:
    found = difference(first, second)
    widths = [one.high - one.low for one in (first, second)]
    assert max(widths) / 2 - 1e-9 <= found.high - found.low <= sum(widths) + 1e-9


def test_what_is_certain_adds_nothing() -> None:
    exact, loose = Interval(2.0, 2.0, 2.0, 0.95, ""), Interval(3.0, 2.5, 4.0, 0.95, "")
    assert difference(exact, loose)[:3] == (1.0, 0.5, 2.0)
    assert ratio(exact, loose)[:3] == pytest.approx((1.5, 1.25, 2.0))


def test_what_can_not_be_taken_together_is_refused() -> None:
    good = Interval(1.0, 0.5, 2.0, 0.95, "")
    with pytest.raises(ValueError, match="both bounds"):
        difference(good, good._replace(low=None))
    with pytest.raises(ValueError, match="at one level"):
        ratio(good, good._replace(level=0.99))
    with pytest.raises(ValueError, match="above zero"):
        ratio(good, good._replace(low=0.0))


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_coverage_of_the_ratio_of_two_runs(rounds: int) -> None:
    """20,000 pairs of runs with noise of 3 % and 6 %: the true ratio is inside at least as often as is said. Two t intervals
    together are careful, the more so with few rounds (standard error 0.0015)."""
    rng, times = np.random.default_rng(rounds), 20_000
    ends = []
    for spread in (0.03, 0.06):
        logs = spread * rng.standard_normal((times, rounds))
        half = stats.t.ppf(0.975, rounds - 1) * logs.std(axis=1, ddof=1) / math.sqrt(rounds)
        ends.append((logs.mean(axis=1), half))
    (one, one_half), (two, two_half) = ends
    for index in range(50):  # the simulation is of what the code does
        made = [
            Interval(math.exp(m), math.exp(m - h), math.exp(m + h), 0.95, "")
            for m, h in ((one[index], one_half[index]), (two[index], two_half[index]))
        ]
        reach = math.hypot(one_half[index], two_half[index])
        assert math.log(ratio(*made).high) == pytest.approx(two[index] - one[index] + reach)
    inside = np.mean(np.abs(two - one) <= np.hypot(one_half, two_half))
    assert 0.95 - 3 * 0.0015 <= inside <= 0.99


@pytest.mark.parametrize(("p", "q", "n"), [(0.9, 0.9, 1000), (0.98, 0.95, 500), (0.6, 0.62, 200)])
def test_coverage_of_the_difference_of_two_shares(p: float, q: float, n: int) -> None:
    """4,000 pairs of counts (standard error 0.0035)."""
    rng = np.random.default_rng(7)
    pairs = [(wilson(int(a), n), wilson(int(b), n)) for a, b in zip(rng.binomial(n, p, 4000), rng.binomial(n, q, 4000), strict=True)]  # fmt: skip
    inside = np.mean([found.low <= q - p <= found.high for found in (difference(*pair) for pair in pairs)])
    assert 0.95 - 3 * 0.0035 <= inside <= 0.97
