"""Rank correlation from joint histograms: against scipy on binned scores exactly, on scores within what is said; coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import spearmanr

from seatrial.numerics.counting import PAIRED_BINS
from seatrial.numerics.joint_ranks import rank_correlations
from seatrial.numerics.score_bins import BINS, probability_bins, score_bins

COST = 0.01  # as `joint_ranks` says


def table(one, other, binned=probability_bins, bins=PAIRED_BINS):
    codes = [binned(side) // (BINS // bins) for side in (one, other)]
    return np.bincount(codes[0] * bins + codes[1], minlength=bins * bins).reshape(bins, bins)


def draw(kind, rows, rng):
    """Scores of two models: normal ones of a correlation, all alike but for a faulty share, or rare events."""
    name, share = kind.split()
    z, share = rng.normal(size=rows), float(share)
    if name == "normal":
        return expit(z), expit(share * z + math.sqrt(1 - share**2) * rng.normal(size=rows))
    if name == "rare":
        return expit(1.5 * z - 6), expit(1.5 * z - 6 + share * rng.normal(size=rows))
    faulty = rng.random(rows) < share
    return expit(z), expit(np.where(faulty, rng.normal(size=rows), z + 0.001 * rng.normal(size=rows)))


@settings(deadline=None)  # no test depends on the clock
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=40))
@example([(0, 1), (0, 1), (0, 1), (1, 0)])  # in perfect disorder
def test_of_tied_scores_it_is_scipys(pairs):
    one, other = np.array(pairs).T
    counts = np.zeros((7, 7), int)
    np.add.at(counts, (one, other), 1)
    found = rank_correlations(counts)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert math.isnan(found.value)
        return
    assert found.value == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)
    assert len(pairs) < 4 or found.low <= found.value <= found.high


@pytest.mark.parametrize(
    "kind",
    ["normal 0", "normal 0.5", "normal -0.9", "normal 0.9", "normal 0.99", "normal 0.999", "faulty 0.01", "rare 0.3"],
)
def test_bins_cost_less_than_said(kind):
    one, other = draw(kind, 100_000, np.random.default_rng(0))
    exact = spearmanr(one, other).statistic
    assert abs(rank_correlations(table(one, other), None).value - exact) < COST


def test_of_raw_scores_too():
    rng = np.random.default_rng(1)
    one = 3 * rng.normal(size=100_000)
    other = one + rng.normal(size=100_000)
    found = rank_correlations(table(one, other, score_bins), None).value
    assert abs(found - spearmanr(one, other).statistic) < COST
    uniform = rng.random(100_000)
    assert rank_correlations(table(uniform, 1 - uniform), None).value == pytest.approx(-1, abs=COST)


def test_perfect_agreement_is_not_certain_and_a_single_bin_is_no_order():
    one = np.random.default_rng(2).random(500)
    found = rank_correlations(table(one, one))
    assert found.value == found.high == 1.0
    assert 0.95 < found.low < 0.999
    assert math.isnan(rank_correlations(table(one, np.full(500, 0.3))).value)
    assert math.isnan(rank_correlations(np.zeros((4, 4))).value)
    three = rank_correlations(table(one[:3], one[2::-1]))
    assert np.isnan([three.low, three.high]).all()


@pytest.mark.parametrize("kind", ["normal 0", "normal 0.5", "normal 0.9", "faulty 0.01", "faulty 0.001", "rare 0.3"])
@pytest.mark.parametrize("rows", [50, 500])
def test_coverage(kind, rows):
    """At least .93 of 2,000; around moderate correlations not above .98. Near 1 what wasn't seen widens the lower bound."""
    rng = np.random.default_rng(3)
    truth = float(rank_correlations(table(*draw(kind, 1_000_000, rng)), None).value)
    runs = 2000
    found = rank_correlations(np.stack([table(*draw(kind, rows, rng)) for _ in range(runs)]))
    covered = ((found.low <= truth) & (truth <= found.high)).mean()
    assert covered >= 0.93
    if kind in ("normal 0", "normal 0.5"):
        assert covered <= 0.98
