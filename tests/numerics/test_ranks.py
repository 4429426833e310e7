"""Rank correlation row by row, against scipy."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from seatrial.numerics.ranks import midranks, spearman


def test_ranks_and_correlations_are_scipys():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 6, (50, 12)).astype(float)
    other = one + rng.integers(0, 4, one.shape)
    assert midranks(one) == pytest.approx(np.stack([rankdata(row) for row in one]))
    expected = [spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]
    assert spearman(one, other) == pytest.approx(expected)


def test_the_ends():
    rising = np.arange(5.0)[None]
    assert spearman(rising, rising**3) == pytest.approx([1.0])
    assert spearman(rising, -rising) == pytest.approx([-1.0])
    assert np.isnan(spearman(rising, np.ones((1, 5)))).all()
