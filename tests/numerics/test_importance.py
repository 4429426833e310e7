"""Permutation importance: its intervals cover, correlated columns go together, and a choice is as stable as it is said to be."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from seatrial.numerics.importance import association, correlations, importance, parts, permutations, stability, together

B = 1.5
"""y = B x + noise, answered by B x: with x of another row the squared error rises by 2 B^2 Var x."""


def simulated(rows: int, repeats: int, seed: int):
    random = np.random.default_rng(seed)
    x, noise = random.normal(size=rows), random.normal(size=rows)
    y = B * x + noise
    lenders = permutations(rows, repeats, seed)
    return (y - B * x) ** 2, (y - B * x[lenders]) ** 2, lenders


def test_nobody_lends_to_itself_and_no_pair_comes_twice():
    for rows, repeats in ((2, 5), (7, 3), (50, 49)):
        lenders = permutations(rows, repeats, 1)
        assert lenders.shape == (min(repeats, rows - 1), rows)
        assert not (lenders == np.arange(rows)).any()
        assert all(len(set(column)) == len(column) for column in lenders.T)
        assert all(sorted(one) == list(range(rows)) for one in lenders)
    with pytest.raises(ValueError, match="two rows"):
        permutations(1, 1, 0)


def test_the_mean_of_the_parts_is_the_importance():
    own, lent, lenders = simulated(40, 3, 0)
    assert parts(own, lent, lenders).mean() == pytest.approx(lent.mean() - own.mean())


@pytest.mark.parametrize("repeats", [1, 5])
def test_intervals_cover_what_is_true(repeats):
    true, tries = 2 * B**2, 1500
    hit = naive = 0
    for seed in range(tries):
        own, lent, lenders = simulated(150, repeats, seed)
        found = importance(own, lent, lenders, 0.95)
        hit += found.low <= true <= found.high
        rises = lent.mean(axis=0) - own
        half = 1.96 * rises.std(ddof=1) / np.sqrt(len(rises))
        naive += abs(rises.mean() - true) <= half
    assert hit / tries >= 0.93
    if repeats == 5:
        assert naive / tries < hit / tries - 0.02, "who counts a row only as the one that is answered is too sure"


def test_a_feature_that_is_not_used_is_worth_nothing():
    own = np.random.default_rng(0).normal(size=100) ** 2
    lenders = permutations(100, 5, 0)
    found = importance(own, np.tile(own, (5, 1)), lenders, 0.95)
    assert (found.value, abs(found.low) < 1e-12, abs(found.high) < 1e-12) == (pytest.approx(0), True, True)


def test_correlations_are_spearmans_and_group_what_goes_together():
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 200))
    columns = np.stack([a, b, np.exp(a) + 0.01 * b, -b, np.ones(200)], axis=1)
    found = correlations(columns)
    assert found[0, 1] == pytest.approx(abs(spearmanr(a, b).statistic))
    assert found[4].max() == 0
    assert together(found, 0.9) == [[0, 2], [1, 3], [4]]
    assert together([[1, 0.9, 0], [0.9, 1, 0.9], [0, 0.9, 1]], 0.8) == [[0, 1, 2]]
    columns[::3, 0] = np.nan
    assert np.isfinite(correlations(columns)).all()


def test_association_is_what_the_best_class_shows():
    random = np.random.default_rng(2)
    x, y = random.normal(size=300), random.integers(0, 2, 300)
    assert association(x, y, 2) == pytest.approx(abs(2 * roc_auc_score(y, x) - 1))
    assert association(y + 0.0, y, 2) == pytest.approx(1)
    assert association(x, 3 * x, 0) == pytest.approx(1)
    assert association(np.full(10, np.nan), np.arange(10), 0) == 0


def test_stability_is_the_share_of_resamples():
    random = np.random.default_rng(3)
    each = np.stack([random.normal(1, 1, 400), random.normal(0, 1, 400), random.normal(-1, 1, 400)], axis=1)
    found = stability(each, 0.0)
    assert (found[0], found[2]) == (1.0, 0.0)
    assert 0.02 < found[1] < 0.98
