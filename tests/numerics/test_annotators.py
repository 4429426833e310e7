"""Krippendorff's alpha against his own example and against brute force; its interval covers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seatrial.numerics.annotators import alpha, at_odds

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, example C: four observers, twelve units; nominal alpha 0.743.
EXAMPLE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def by_pairs(labels: np.ndarray) -> float:
    """Alpha as it is defined: over all pairs of labels within rows, and over all pairs of labels."""
    rows = [[one for one in row if one >= 0] for row in labels.tolist()]
    rows = [row for row in rows if len(row) > 1]
    every = [one for row in rows for one in row]
    n = len(every)
    observed = sum((one != other) / (len(row) - 1) for row in rows for one, other in itertools.permutations(row, 2)) / n
    expected = sum(one != other for one, other in itertools.permutations(every, 2)) / (n * (n - 1))
    return 1 - observed / expected


def test_the_published_example() -> None:
    assert alpha(np.array(EXAMPLE).T - 1, 5).value == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize("seed", range(10))
def test_it_is_that_of_brute_force(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(-1, 3, (20, 4))
    found = alpha(labels, 3)
    assert found.value == pytest.approx(by_pairs(labels))
    assert found.low < found.value < found.high
    divided, majority = at_odds(labels, 3)
    for row, share, most in zip(labels.tolist(), divided, majority, strict=True):
        given = [one for one in row if one >= 0]
        pairs = list(itertools.combinations(given, 2))
        assert share == pytest.approx(np.mean([one != other for one, other in pairs]) if pairs else 0.0)
        ours = [one for one in set(given) if given.count(one) * 2 > len(given) > 1]
        assert most == (ours[0] if ours else -1)


def test_its_interval_covers() -> None:
    rng = np.random.default_rng(0)

    def drawn(rows: int) -> np.ndarray:
        true = rng.integers(0, 3, (rows, 1))
        return np.where(rng.random((rows, 3)) < 0.2, rng.integers(0, 3, (rows, 3)), true)

    truth = alpha(drawn(200_000), 3).value
    found = [alpha(drawn(150), 3) for _ in range(400)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.92 <= covered <= 0.98


def test_labels_all_alike_agree_and_none_are_told() -> None:
    assert alpha([[1, 1], [1, 1], [1, 1], [1, -1]], 2)[:3] == (1.0, None, None)
    with pytest.raises(ValueError, match="two labels"):
        alpha([[1, -1]], 2)
