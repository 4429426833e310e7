"""What a search is said to see is found: nine times in ten or more, planted at just that size in a twentieth of the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seatrial.numerics import slicing
from seatrial.numerics.power import detectable_mean

RUNS = 60


@pytest.mark.parametrize(
    ("more", "rows", "flips", "depth"),
    [([], 20_000, 0.003, 2), ([4, 5, 6, 8], 20_000, 0.003, 2), ([9] * 4, 20_000, 0.003, 2), ([4, 5], 40_000, 0.01, 3)],
)
def test_what_is_said_to_be_seen_is_found(more: list[int], rows: int, flips: float, depth: int):
    """At least 48 of 60: fewer would happen once in a hundred if it were nine in ten."""
    rng, found, least = np.random.default_rng(0), 0, 0.0
    levels = [2, 10, *more]
    for _ in range(RUNS):
        codes = np.stack([rng.integers(0, one, rows) for one in levels], axis=1)
        loss = rng.choice([-1.0, 0.0, 1.0], rows, p=[flips, 1 - 2 * flips, flips])
        discover = rng.random(rows) < 0.5

        def search(codes=codes, loss=loss, discover=discover) -> slicing.Found:
            return slicing.search(codes, levels, loss, discover, depth, most=20)

        least = least or detectable_mean(2 * flips, 0.05 * rows / 2, search().searched, 20)
        loss[(codes[:, 0] == 0) & (codes[:, 1] == 0) & (rng.random(rows) < least)] = 1.0
        found += any(one.confirmed and (1, 0) in one.conditions for one in search().slices)
    assert found >= 48


def test_less_is_seen_with_fewer_rows_and_more_slices():
    assert detectable_mean(0.01, 1000, 100) < detectable_mean(0.01, 500, 100) < detectable_mean(0.01, 500, 10_000)
    assert detectable_mean(0.0, 500, 100) > 1 / 500
    assert math.isnan(detectable_mean(0.01, 0.5, 100))
