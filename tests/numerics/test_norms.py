"""The geometry of attacks: what lies within a budget, and which way a function rises fastest."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial.numerics.norms import at_random, distance, rounded, steepest, within
from seatrial.numerics.percentiles import median_interval

NORMS = ("linf", "l2")


@pytest.mark.parametrize("norm", NORMS)
def test_within_is_a_projection(norm: str):
    rng = np.random.default_rng(0)
    change = rng.normal(size=(200, 3, 4)).astype(np.float32)
    budget = rng.uniform(0.01, 4, 200)
    made = within(change, budget, norm)
    assert (distance(made, norm) <= budget * (1 + 1e-6)).all()
    inside = distance(change, norm) <= budget
    assert np.array_equal(made[inside], change[inside])
    assert np.allclose(within(made, budget, norm), made, atol=1e-6)
    other = within(rng.normal(size=change.shape).astype(np.float32), budget, norm)
    nearer = ((change - made) ** 2).sum(axis=(1, 2)) <= ((change - other) ** 2).sum(axis=(1, 2)) + 1e-5
    assert nearer.all(), "nothing else within the budget is nearer"


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_of_norm_one_rises_faster_than_the_steepest(norm: str):
    rng = np.random.default_rng(1)
    gradient = rng.normal(size=(50, 7))
    best = (gradient * steepest(gradient, norm)).sum(axis=1)
    for _ in range(200):
        other = rng.normal(size=gradient.shape)
        other = other / distance(other, norm)[:, None]
        assert ((gradient * other).sum(axis=1) <= best + 1e-9).all()
    assert not steepest(np.zeros((2, 3)), norm).any()


@pytest.mark.parametrize("norm", NORMS)
def test_random_changes_keep_the_budget(norm: str):
    drawn = at_random((500, 2, 5), 0.3, norm, np.random.default_rng(2))
    assert drawn.dtype == np.float32
    assert distance(drawn, norm).max() <= 0.3 + 1e-6
    assert np.abs(drawn.mean()) < 0.02


def test_rounding_towards_the_clean_side_never_goes_farther():
    rng = np.random.default_rng(3)
    unit, zero = 0.1, -0.03
    own = zero + unit * rng.integers(0, 10, 1000)
    values = own + rng.uniform(-0.5, 0.5, 1000)
    nearest, towards = rounded(values, zero, unit, own)
    assert (np.abs(nearest - values) <= unit / 2 + 1e-9).all()
    assert (np.abs(towards - own) <= np.abs(values - own) + 1e-9).all()
    for made in (nearest, towards):
        assert np.allclose((made - zero) / unit, np.rint((made - zero) / unit))


def test_the_median_lies_in_its_bounds_as_often_as_said():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(1000):
        found = median_interval(rng.exponential(size=41))
        hits += found.low <= np.log(2) <= found.high
    assert 0.945 <= hits / 1000 <= 0.99
    far = median_interval([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, np.inf, np.inf, np.inf, np.inf, np.inf])
    assert far.value == 0.6
    assert far.low is not None
    assert far.high is None
    assert median_interval([1.0, 2.0]).low is None
