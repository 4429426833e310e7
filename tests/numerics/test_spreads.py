"""Variances of many candidates in few rounds: held against scipy, and bounds made of them against simulated truth."""

import math

import numpy as np
import pytest
from scipy import special, stats

from seatrial.numerics.ratios import paired_ratio
from seatrial.numerics.spreads import digamma, ratio_beside, spreads, trigamma, trigamma_inverse


@pytest.mark.parametrize("x", [0.01, 0.5, 1.0, 1.5, 3.7, 7.99, 8.0, 40.0, 1e6])
def test_functions_against_scipy(x):
    assert digamma(x) == pytest.approx(special.digamma(x), rel=1e-9, abs=1e-12)
    assert trigamma(x) == pytest.approx(special.polygamma(1, x), rel=1e-9)
    assert trigamma_inverse(trigamma(x)) == pytest.approx(x, rel=1e-6)


def drawn(rng, candidates, rounds, noise):
    """Logarithms: what each candidate is, what each round does to all, and noise."""
    return rng.normal(0, 1, (candidates, 1)) + rng.normal(0, 0.5, rounds) + noise((candidates, rounds))


def test_what_all_of_a_round_share_is_no_noise():
    rng = np.random.default_rng(1)
    found = spreads(drawn(rng, 400, 4, lambda shape: rng.normal(0, 0.05, shape)))
    assert np.median(found.variances) == pytest.approx(0.05**2, rel=0.05)
    assert found.freedom.min() > 20, "equal noise is learned from all"


def test_two_kinds_of_noise_are_drawn_together_only_a_little():
    rng = np.random.default_rng(2)
    sigma = np.where(np.arange(60) % 2, 0.01, 0.2)[:, None]
    found = spreads(drawn(rng, 60, 8, lambda shape: sigma * rng.normal(size=shape)))
    assert np.median(found.variances[1::2]) < 0.03**2
    assert np.median(found.variances[::2]) > 0.15**2
    assert np.median(found.freedom) < 12


def test_the_variance_that_all_are_drawn_towards_is_the_one_that_was_planted():
    """Variances from a scaled inverse chi-square with 10 degrees of freedom, as the method assumes."""
    rng = np.random.default_rng(3)
    sigma = np.sqrt(0.04 * 10 / stats.chi2(10).rvs(2000, random_state=rng))[:, None]
    found = spreads(drawn(rng, 2000, 4, lambda shape: sigma * rng.normal(size=shape)))
    assert found.freedom[0] == pytest.approx(13, rel=0.2)
    z = rng.normal(0, sigma[:, 0]) / np.sqrt(
        found.variances
    )  # Student's t by this many degrees, if all is as it should be
    assert stats.kstest(z, stats.t(found.freedom[0]).cdf).pvalue > 0.01


def test_rounds_that_gave_nothing_and_who_has_none():
    rng = np.random.default_rng(4)
    table = drawn(rng, 200, 6, lambda shape: rng.normal(0, 0.05, shape))
    table[rng.random(table.shape) < 0.3] = np.nan
    table[:2], table[2, 1:] = np.nan, np.nan
    table[:, 5] = np.nan
    found = spreads(table)
    assert np.mean(found.variances) == pytest.approx(0.05**2, rel=0.15)
    assert np.isfinite(found.variances).all()
    assert found.variances[0] == pytest.approx(0.05**2, rel=0.3), (
        "who has no round of its own is expected to be as the others"
    )
    assert spreads(table[:2]) is None
    assert spreads(np.zeros((5, 3))).variances.max() == 0.0, "figures that never vary"
    with pytest.raises(ValueError, match="finite"):
        spreads([[1.0, math.inf]])


@pytest.mark.parametrize("kind", ["even", "uneven", "spikes"])
@pytest.mark.parametrize("rounds", [3, 10])
def test_upper_bounds_of_ratios_hold_in_their_tails(kind, rounds):
    """12 candidates, all the same; one-sided 0.95 and 0.999, as a search uses it; 400 tables of six pairs (standard errors 0.0045, 0.0006)."""
    rng = np.random.default_rng(rounds)
    misses = []
    for _ in range(400):
        sigma = np.exp(rng.normal(math.log(0.05), 0.7, (12, 1))) if kind == "uneven" else 0.05
        noise = sigma * rng.normal(size=(12, rounds))
        if kind == "spikes":
            noise -= (rng.random((12, rounds)) < 0.1) * rng.random((12, rounds)) / 2
        found = spreads(noise + rng.normal(0, 0.3, rounds))
        error = np.sqrt((found.variances[::2] + found.variances[1::2]) / rounds)
        below = (noise[::2] - noise[1::2]).mean(axis=1) / error
        misses.append(stats.t.cdf(below, np.minimum(found.freedom[::2], found.freedom[1::2])))
    assert np.mean(np.array(misses) < 0.05) <= 0.05 + 3 * 0.0045
    assert np.mean(np.array(misses) < 0.001) <= 0.001 + 3 * 0.0006


def test_the_bound_is_the_t_interval_with_these_variances():
    one, other = np.array([1.1, 1.3, 1.2]), np.array([1.0, 1.1, 0.9])
    found = ratio_beside(one, other, (0.01, 0.02), 7.0, 0.9)
    middle, half = np.log(one / other).mean(), stats.t(7).ppf(0.95) * math.sqrt(0.03 / 3)
    assert np.log(found[:3]) == pytest.approx([middle, middle - half, middle + half], rel=1e-6)
    with pytest.raises(ValueError, match="above zero"):
        ratio_beside([1.0], [0.0], (0.01, 0.02), 7.0, 0.9)


def test_three_rounds_tell_more_with_nineteen_others_beside():
    rng = np.random.default_rng(5)
    wide, narrow = [], []
    for _ in range(200):
        table = drawn(rng, 20, 3, lambda shape: rng.normal(0, 0.05, shape))
        found, (one, other) = spreads(table), np.exp(table[:2])
        narrow.append(
            math.log(ratio_beside(one, other, tuple(found.variances[:2]), min(found.freedom[:2]), 0.999).high)
        )
        wide.append(math.log(paired_ratio(one, other, 0.999).high))
        narrow[-1] -= math.log(paired_ratio(one, other).value)
        wide[-1] -= math.log(paired_ratio(one, other).value)
    assert np.median(narrow) < 0.25 * np.median(wide)
