"""Bounds of means that are known by replicate groups alone: skewed numbers are covered, and the ends of the scale."""

import numpy as np
import pytest

from seatrial.numerics.resampled import bounds, flattered

GROUPS, RUNS = 100, 1500


@pytest.mark.parametrize("rows", [60, 400])
@pytest.mark.parametrize("law", ["exponential", "log-normal", "squares of t3"])
def test_means_of_skewed_numbers_are_covered(law: str, rows: int):
    """Numbers from 0 up, a few of them large; the truth is that of the law. Squares of t3 have no variance: nobody covers them."""
    rng = np.random.default_rng(1)
    drawn = {
        "exponential": lambda: rng.exponential(size=(RUNS, rows)),
        "log-normal": lambda: rng.lognormal(sigma=1.5, size=(RUNS, rows)),
        "squares of t3": lambda: rng.standard_t(3, size=(RUNS, rows)) ** 2,
    }[law]()
    truth = {"exponential": 1.0, "log-normal": np.exp(1.125), "squares of t3": 3.0}[law]
    group = rng.integers(0, GROUPS, rows)
    mine = (group == np.arange(GROUPS)[:, None]).astype(float)
    total = drawn.sum(axis=1)
    without = (total - mine @ drawn.T) / (rows - mine.sum(axis=1))[:, None]
    filled = np.full(RUNS, len(np.unique(group)))
    found = bounds(total / rows, without, filled, np.full(RUNS, rows), 0.95, share=False)
    assert ((found.low <= truth) & (truth <= found.high)).mean() >= (0.87 if law == "squares of t3" else 0.93)
    assert (found.low >= 0).all()
    assert ((found.low <= found.value) & (found.value <= found.high)).all()
    assert "conservative" in str(found.method[0])


def test_numbers_that_are_all_alike_have_no_width_and_few_groups_no_bounds():
    alike = bounds([0.0, 2.0], np.tile([0.0, 2.0], (20, 1)), [20, 20], [50, 50], 0.95, share=False)
    np.testing.assert_array_equal(alike.low, [0.0, 2.0])
    np.testing.assert_array_equal(alike.high, [0.0, 2.0])
    few = bounds([0.5], np.full((20, 1), 0.5), [5], [50], 0.95, share=False)
    assert np.isnan([few.low[0], few.high[0]]).all()


def test_a_share_that_few_rows_make_too_high_is_covered_below():
    """The largest of two halves' shares stands for precision made falling: it lies too high, the more so the fewer rows there are."""
    rng, held = np.random.default_rng(2), np.zeros(2)
    rows, share, runs = 200, 0.3, 600
    for _ in range(runs):
        right, half, group = rng.random(rows) < share, np.arange(rows) % 2, rng.integers(0, GROUPS, rows)

        def largest(kept, right=right, half=half):
            return max(right[kept & (half == side)].mean() for side in (0, 1))

        value, without = largest(group >= 0), np.array([[largest(group != one)] for one in range(GROUPS)])
        filled = [len(np.unique(group))]
        for place, way in enumerate((bounds, flattered)):
            found = way([value], without, filled, [rows / 2], 0.95)
            held[place] += found.low[0] <= share <= found.high[0]
    assert held[0] <= held[1]
    assert held[1] / runs >= 0.93
