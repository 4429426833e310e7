"""Inverse roots modulo 2^89 - 1 against Python's own powers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.numerics.mersenne import PRIME, inverse_roots


@given(st.lists(st.integers(1, PRIME - 1), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_they_are_python_s_powers(roots: list[int]) -> None:
    squares = np.array([one * one % PRIME for one in roots], object)
    found = inverse_roots(squares)
    assert [one * one % PRIME * square % PRIME for one, square in zip(found, squares, strict=True)] == [1] * len(roots)
    assert found.tolist() == [pow(int(one), (3 * PRIME - 5) // 4, PRIME) for one in squares]


def test_edges_and_more_than_a_block() -> None:
    edges = [1, 4, 2**30 - 1, 2**30, 2**60 - 1, 2**60, 2**88, PRIME - 1, PRIME - 2, 2**89 - 2**60 - 1]
    squares = np.array([one * one % PRIME for one in edges * 500], object).reshape(50, 100)
    found = inverse_roots(squares)
    assert found.shape == (50, 100)
    assert (found * found % PRIME * squares % PRIME == 1).all()
    assert all(isinstance(one, int) for one in found.flat)


def test_the_largest_limbs_do_not_overflow() -> None:
    """Every limb full, before and after each step: the bound of five products stays below 2^64."""
    full = np.array([PRIME - 1, 2**89 - 2, (2**29 - 1) << 60 | (2**30 - 1) << 30 | (2**30 - 2)], object)
    assert inverse_roots(full).tolist() == [pow(int(one), 2**87 - 1, PRIME) for one in full]
