"""Replicate groups: coverage under clusters, weights and pairing, against textbook variances, and the ends of the scale."""

import numpy as np
import pytest

from seatrial.numerics.proportions import proportion
from seatrial.numerics.replicates import GROUPS, difference, spread, widened

RUNS = 2000


def without_each(counts: np.ndarray) -> np.ndarray:
    """Totals without each group; `counts` has the groups on its first axis."""
    return counts.sum(axis=0) - counts


def test_the_error_of_a_mean_is_the_textbooks():
    """Of equally large groups the jackknife of a mean is the standard error of the group means, exactly."""
    values = np.random.default_rng(0).normal(size=(GROUPS, 30))
    means = without_each(values.sum(axis=1)) / (30 * (GROUPS - 1))
    expected = values.mean(axis=1).std(ddof=1) / np.sqrt(GROUPS)
    assert spread(values.mean(), means) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("clusters", "size", "share"), [(200, 10, 0.8), (60, 30, 0.9), (400, 5, 0.05)])
def test_clustered_shares_are_covered(clusters: int, size: int, share: float):
    """Rows of a cluster that are right or wrong together: Wilson's interval as if they were independent covers far less."""
    rng = np.random.default_rng(1)
    covered = naive = 0
    strength = 2.0  # beta-binomial with correlation 1 / (1 + strength) within a cluster
    for _ in range(RUNS):
        right = rng.binomial(size, rng.beta(share * strength, (1 - share) * strength, clusters))
        groups = min(GROUPS, clusters)
        dealt = np.zeros(groups)
        np.add.at(dealt, rng.permutation(clusters) % groups, right)
        rows = np.zeros(groups)
        np.add.at(rows, np.arange(clusters) % groups, size)
        value = right.sum() / (clusters * size)
        own = proportion(int(right.sum()), clusters * size, 0.95)
        error = spread(value, without_each(dealt) / without_each(rows))
        low, high = widened(value, own.low, own.high, error, groups, 0.95)
        covered += bool(low <= share <= high)
        naive += own.low <= share <= own.high
    assert naive / RUNS < 0.85
    assert 0.93 <= covered / RUNS <= 0.975


def test_weighted_shares_are_covered():
    rng = np.random.default_rng(2)
    n, covered = 1500, 0
    weights = rng.lognormal(sigma=0.8, size=n)
    weights /= weights.mean()
    truth = 0.3
    for _ in range(RUNS):
        right = rng.random(n) < truth
        groups = rng.permutation(n) % GROUPS
        hit = np.bincount(groups, weights * right, GROUPS)
        all_ = np.bincount(groups, weights, GROUPS)
        value = hit.sum() / all_.sum()
        own = proportion(round(float(hit.sum())), n, 0.95)
        error = spread(value, without_each(hit) / without_each(all_))
        low, high = widened(value, own.low, own.high, error, GROUPS, 0.95)
        covered += bool(low <= truth <= high)
    assert 0.93 <= covered / RUNS <= 0.975


def f1(table: np.ndarray) -> np.ndarray:
    return 2 * table[..., 1, 1] / np.maximum(1, 2 * table[..., 1, 1] + table[..., 0, 1] + table[..., 1, 0])


def test_the_paired_difference_of_f1_is_covered():
    """Two classifiers that agree on most rows; the true difference comes from ten million rows."""
    rng = np.random.default_rng(3)

    def draw(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        label = rng.random(rows) < 0.1
        reference = np.where(rng.random(rows) < 0.08, ~label, label)
        candidate = np.where(rng.random(rows) < 0.03, ~reference, reference)
        return label.astype(int), reference.astype(int), candidate.astype(int)

    def tables(label: np.ndarray, predicted: np.ndarray, groups: np.ndarray) -> np.ndarray:
        return np.bincount(groups * 4 + label * 2 + predicted, minlength=4 * GROUPS).reshape(GROUPS, 2, 2)

    label, reference, candidate = draw(10_000_000)
    whole = np.zeros(len(label), int)
    truth = f1(tables(label, candidate, whole)[0]) - f1(tables(label, reference, whole)[0])
    rows, covered = 3000, 0
    for _ in range(RUNS):
        label, reference, candidate = draw(rows)
        groups = rng.permutation(rows) % GROUPS
        mine, theirs = tables(label, candidate, groups), tables(label, reference, groups)
        _, low, high = difference(
            f1(mine.sum(axis=0)), f1(theirs.sum(axis=0)), f1(without_each(mine)), f1(without_each(theirs)), rows, 0.95
        )
        covered += bool(low <= truth <= high)
    assert 0.93 <= covered / RUNS <= 0.97


def test_a_share_of_none_is_bounded_by_the_groups():
    low, high = widened(0.0, 0.0, 0.001, 0.0, 50, 0.95)
    assert (low, float(high)) == (0.0, pytest.approx(1 - 0.025 ** (1 / 50)))
    low, high = widened(1.0, 0.999, 1.0, 0.0, 50, 0.95)
    assert (float(low), high) == (pytest.approx(0.025 ** (1 / 50)), 1.0)


def test_bounds_never_get_narrower_and_stay_shares():
    low, high = widened([0.5, 0.02], [0.4, 0.01], [0.6, 0.05], [0.001, 0.2], 100, 0.95)
    assert (low[0], high[0]) == (pytest.approx(0.4), pytest.approx(0.6))
    assert low[1] == 0.0
    assert 0.05 < high[1] <= 1.0


def test_equal_statistics_still_have_a_width():
    value, low, high = difference(0.7, 0.7, np.full(100, 0.7), np.full(100, 0.7), 1000, 0.95)
    assert value == 0.0
    assert -low == high == pytest.approx(-np.log(0.025) / 1000)


def test_few_groups_give_no_bounds():
    value, low, high = difference(0.7, 0.6, np.full(5, 0.7), np.full(5, 0.6), 1000, 0.95)
    assert value == pytest.approx(0.1)
    assert np.isnan(low)
    assert np.isnan(high)
