"""Gaps between groups: coverage by simulation, small groups undecided, published values, the ends of the scale."""

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from seatrial.numerics.gaps import mean_gap, share_gap, share_ratio

RUNS = 2000


def covered(gap, truth: float) -> bool:
    return gap.low - 1e-12 <= truth <= gap.high + 1e-12


@pytest.mark.parametrize("shares", [(0.5, 0.45), (0.1, 0.02), (0.9, 0.9)])
def test_two_groups_are_covered(shares: tuple[float, float]):
    rng = np.random.default_rng(0)
    rows = np.array([300, 80])
    gaps = [share_gap(rng.binomial(rows, shares), rows) for _ in range(RUNS)]
    truth = abs(shares[0] - shares[1])
    assert sum(covered(gap, truth) for gap in gaps) / RUNS >= 0.93
    if truth == 0:
        assert sum(gap.low > 0 for gap in gaps) / RUNS <= 0.05 + 2.58 * math.sqrt(0.05 * 0.95 / RUNS)


@pytest.mark.parametrize("shares", [(0.3,) * 8, (0.5, 0.4, 0.4, 0.4, 0.3, 0.45), (0.05, 0.02, 0.03, 0.02)])
def test_many_groups_are_covered_at_once(shares: tuple[float, ...]):
    """The largest of many observed gaps is biased upward; the interval allows for it."""
    rng = np.random.default_rng(1)
    rows = np.linspace(60, 900, len(shares)).astype(int)
    gaps = [share_gap(rng.binomial(rows, shares), rows) for _ in range(RUNS // 4)]
    truth = max(shares) - min(shares)
    assert np.mean([gap.value for gap in gaps]) > truth
    assert sum(covered(gap, truth) for gap in gaps) / len(gaps) >= 0.93


@pytest.mark.parametrize("shares", [(0.5, 0.4), (0.2, 0.1, 0.15), (0.9, 0.9, 0.9)])
def test_ratios_are_covered(shares: tuple[float, ...]):
    rng = np.random.default_rng(2)
    rows = np.linspace(100, 500, len(shares)).astype(int)
    gaps = [share_ratio(rng.binomial(rows, shares), rows) for _ in range(RUNS // 2)]
    assert sum(covered(gap, min(shares) / max(shares)) for gap in gaps) / len(gaps) >= 0.93


def test_means_are_covered():
    rng = np.random.default_rng(3)
    rows, hits = np.array([40, 100, 400]), 0
    for _ in range(RUNS):
        draws = [rng.exponential(scale, n) - scale for n, scale in zip(rows, (1, 2, 1), strict=True)]
        gap = mean_gap([one.mean() for one in draws], [one.var(ddof=1) for one in draws], rows)
        hits += covered(gap, 0.0)
    assert hits / RUNS >= 0.93


def test_a_pair_is_newcombes():
    """statsmodels' Newcombe interval, from the same Wilson limits."""
    gap = share_gap([56, 48], [70, 80])
    low, high = confint_proportions_2indep(56, 70, 48, 80, method="newcomb")
    assert (gap.low, gap.high) == (pytest.approx(low), pytest.approx(high))
    assert (gap.highest, gap.lowest) == (0, 1)


def test_small_groups_are_undecided():
    gap = share_gap([0, 50, 60], [10, 100, 100])
    assert gap.undecided == (0,)
    assert gap.value == pytest.approx(0.1)
    alone = share_gap([0, 50], [10, 100])
    assert math.isnan(alone.value)
    assert "1 of the groups" in alone.method


def test_nobody_selected_has_no_ratio():
    assert math.isnan(share_ratio([0, 0], [100, 100]).value)
    one = share_ratio([0, 50], [100, 100])
    assert one.value == 0.0
    assert one.low == 0.0
    assert 0 < one.high < 0.2
    same = share_ratio([100, 100], [100, 100])
    assert (same.value, same.high) == (1.0, 1.0)
    assert 0.9 < same.low < 1.0


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="between 0 and rows"):
        share_gap([5], [3])
