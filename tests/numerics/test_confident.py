"""Confident learning against cleanlab; the rate of errors covered by simulation; probabilities are those of other folds."""

import numpy as np
import pytest

from seatrial.numerics.confident import error_rate, joint, likely_errors, thresholds
from seatrial.numerics.held_out import out_of_sample, random_features, sums, weights


def made(seed: int, rows: int = 1500, classes: int = 4, noise: float = 0.1, apart: float = 3.0):
    """Classes of points, some of their labels wrong: points, labels given, which are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, rows)
    points = rng.normal(size=(rows, 6))
    points[np.arange(rows), true] += apart
    wrong = rng.random(rows) < noise
    return points, np.where(wrong, (true + rng.integers(1, classes, rows)) % classes, true), wrong


@pytest.mark.parametrize("seed", range(3))
def test_counts_and_ranking_are_cleanlabs(seed):
    count = pytest.importorskip("cleanlab.count")
    rank = pytest.importorskip("cleanlab.rank")
    points, labels, _ = made(seed)
    p = out_of_sample(np.c_[np.ones(len(points)), points], labels, 4)
    assert np.allclose(thresholds(labels, p), count.get_confident_thresholds(labels, p), atol=1e-6)
    assert np.allclose(
        joint(labels, p), count.estimate_joint(labels, p), atol=1 / len(labels)
    )  # it rounds to whole rows
    found = likely_errors(labels, p)
    theirs = count.num_label_issues(labels, p, estimation_method="off_diagonal")
    assert abs(found.suspected.sum() - theirs) <= 0.01 * len(labels)
    quality = rank.get_label_quality_scores(labels, p, method="self_confidence")
    assert np.all(np.diff(quality[found.ranked]) >= 0)


def test_what_is_suspected_is_mostly_wrong():
    points, labels, wrong = made(5, noise=0.08)
    found = likely_errors(labels, out_of_sample(np.c_[np.ones(len(points)), points], labels, 4))
    assert wrong[found.suspected].mean() > 0.6
    assert found.suspected[wrong].mean() > 0.6
    assert wrong[found.ranked[:50]].mean() > 0.9


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
def test_the_rate_is_covered(noise):
    hits = 0
    for seed in range(100):
        points, labels, _ = made(seed, noise=noise)
        rate = error_rate(labels, out_of_sample(np.c_[np.ones(len(points)), points], labels, 4))
        hits += rate.low <= noise <= rate.high
    assert hits >= 93


def test_rows_are_scored_without_their_own_fold():
    """With labels by chance and as many features as rows, a model that had seen the row would be right."""
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(400, 200)), rng.integers(0, 2, 400)
    p = out_of_sample(points, labels, 2)
    assert abs((p.argmax(axis=1) == labels).mean() - 0.5) < 0.1
    assert (points @ weights(sums(points, labels, 2), 1e-9)).argmax(axis=1).tolist() != p.argmax(axis=1).tolist()
    assert np.allclose(p.sum(axis=1), 1)


def test_sums_of_shards_add_up_and_features_are_the_same_for_a_seed():
    points, labels, _ = made(1)
    whole = sums(points, labels, 4)
    both = sums(points[:700], labels[:700], 4).add(sums(points[700:], labels[700:], 4))
    assert np.allclose(whole.features, both.features)
    assert np.allclose(
        both.less(sums(points[700:], labels[700:], 4)).classes, sums(points[:700], labels[:700], 4).classes
    )
    assert np.array_equal(random_features(points, 32, 3), random_features(points, 32, 3))
    assert random_features(points, 32, 3).shape == (len(points), 33)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="label a row"):
        likely_errors([0, 1], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="places"):
        thresholds([0, 2], [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="folds"):
        out_of_sample(np.ones((3, 2)), np.array([0, 1, 0]), 2)
