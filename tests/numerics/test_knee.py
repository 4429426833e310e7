"""The knee of batches: where theory has it, and what can't be told from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.numerics.knee import knee


@given(st.integers(0, 6), st.floats(1e-6, 1.0))
def test_it_is_where_the_call_costs_as_much_as_its_rows(power: int, row: float) -> None:
    """A batch of b takes a + c b seconds; b / (a + c b) squared is largest at b = a / c."""
    sizes = 2.0 ** np.arange(8)
    rates = sizes / (2**power * row + row * sizes)
    assert knee(sizes, rates, rates, rates) == (2**power, 2**power, 2**power)


def test_bounds_widen_it() -> None:
    sizes = np.array([1, 2, 4, 8, 16])
    rates = sizes / (4 + sizes)
    wide = knee(sizes, rates, 0.9 * rates, 1.1 * rates)
    assert wide.batch == 4
    assert wide.least < 4 < wide.most
    assert knee(sizes, rates, 0.1 * rates, 10 * rates)[1:] == (1, 16)


def test_under_noise_the_range_holds_the_true_knee() -> None:
    """Five rounds a size, each with 10 % of noise: the range of sizes holds the true one in far more than 95 of 100 sweeps."""
    from seatrial.numerics.ratios import paired_ratio

    random, sizes, held, wide = np.random.default_rng(0), 2.0 ** np.arange(7), 0, 0
    for _ in range(300):
        true = sizes / (4 + sizes)
        seen = true[:, None] * np.exp(random.normal(scale=0.1, size=(7, 5)))
        found = [paired_ratio(one, np.ones(5), 0.95) for one in seen]
        at = knee(sizes, [one.value for one in found], [one.low for one in found], [one.high for one in found])
        held += at.least <= 4 <= at.most
        wide += at.most / at.least
    assert held >= 290
    assert 2 <= wide / 300 <= 16, "and isn't the whole sweep of 64"


def test_two_sizes_have_none() -> None:
    with pytest.raises(ValueError, match="three"):
        knee([1, 2], [1, 2], [1, 2], [1, 2])
    with pytest.raises(ValueError, match="different"):
        knee([1, 2, 2], [1, 2, 3], [1, 2, 3], [1, 2, 3])
