"""Raked weights have the stated shares; with one column they are post-stratification; with several those of brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.numerics.raking import rake


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_shares_are_met_and_odds_ratios_kept(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 50, (3, 4)).astype(float)
    targets = [rng.dirichlet(np.full(size, 3.0)) for size in table.shape]
    cells = np.array([(row, column) for row in range(3) for column in range(4)])
    weights = rake(cells, table.ravel(), targets)
    fitted = (weights * table.ravel()).reshape(3, 4)
    assert fitted.sum() == pytest.approx(table.sum())
    assert fitted.sum(axis=1) / fitted.sum() == pytest.approx(targets[0], abs=1e-6)
    assert fitted.sum(axis=0) / fitted.sum() == pytest.approx(targets[1], abs=1e-6)
    factors = weights.reshape(
        3, 4
    )  # a product of a row's and a column's factor: nothing else about the rows is changed
    assert factors * factors[0, 0] == pytest.approx(np.outer(factors[:, 0], factors[0]), rel=1e-5)


def test_one_column_is_post_stratification() -> None:
    weights = rake([[0], [1], [-1]], [60, 30, 10], [[0.5, 0.5]])
    assert weights == pytest.approx([45 / 60, 45 / 30, 1.0])


def test_levels_without_rows_are_left_out_and_impossible_shares_are_told() -> None:
    assert rake([[0], [1]], [50, 50], [[0.25, 0.25, 0.5]]) == pytest.approx([1.0, 1.0])
    with pytest.raises(ValueError, match="at once"):
        rake([[0, 0], [1, 1]], [10, 10], [[0.5, 0.5], [0.9, 0.1]])
