"""Ranges by entropy: held against the same search in plain loops, and against what outliers and rounding demand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.numerics.entropy_range import BINS, cut_off, divergence, histogram


def by_hand(counts: list[float], size: int, levels: int) -> float:
    """Migacz's slides, one bin after the other."""
    reference = list(counts[:size])
    if any(reference):
        reference[max(one for one in range(size) if counts[one] > 0)] += sum(counts[size:])
    rounded = [0.0] * size
    for level in range(levels):
        bins = range(level * size // levels, (level + 1) * size // levels)
        full = [one for one in bins if counts[one] > 0]
        for one in full:
            rounded[one] = sum(counts[other] for other in bins) / len(full)
    p, q = sum(reference), sum(rounded)
    if not q:
        return math.inf
    return sum(one / p * math.log(one / p / (other / q)) for one, other in zip(reference, rounded, strict=True) if one)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(10, 40))
def test_divergence_is_that_of_plain_loops(seed: int, levels: int, bins: int) -> None:
    counts = np.random.default_rng(seed).poisson(1.5, bins).astype(float)
    for size in range(levels, bins + 1):
        ours, theirs = divergence(counts, size, levels), by_hand(list(counts), size, levels)
        assert ours == pytest.approx(theirs, abs=1e-12) or ours == theirs


def test_a_lone_outlier_is_cut_off_and_an_even_spread_is_kept() -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal(100_000)
    values[7] = 100
    assert 2 < cut_off(histogram(values, 100), 100, 128) < 8, "6.25 is the least that 128 of 2048 bins allow"
    even = random.uniform(-1, 1, 100_000)
    assert cut_off(histogram(even, 1.0), 1.0, 128) > 0.97


def test_nothing_counted_or_no_more_bins_than_levels_keeps_all() -> None:
    assert cut_off(np.zeros(BINS), 3.0, 128) == 3.0
    assert cut_off(np.ones(100), 3.0, 128) == 3.0
    assert cut_off(histogram(np.zeros(10), 3.0), 3.0, 128) == 3.0, "zeros tell nothing"
    assert histogram([0.0, -1.0, 1.0, 3.0], 3.0).sum() == 3


@given(st.integers(1, 60), st.integers(0, 99))
def test_values_on_the_levels_themselves_lose_nothing(levels: int, seed: int) -> None:
    counts = np.zeros(4 * levels)
    counts[::4] = np.random.default_rng(seed).integers(1, 50, levels)
    assert divergence(counts, counts.size, levels) == pytest.approx(0, abs=1e-12)
