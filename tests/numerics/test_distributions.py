"""Against scipy, from everyday parameters to a hundred million rows and probabilities of 1e-9."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from seatrial.numerics import distributions as d
from seatrial.numerics.betas import beta_quantiles, student_quantiles

RNG = np.random.default_rng(20261)
PROBABILITY = st.floats(1e-9, 1.0 - 1e-9)
PARAMETER = st.floats(0.3, 1e8)


def _near_the_mean(a: float, b: float) -> float:
    logit = math.log(a / b) + 3.0 * RNG.standard_normal() * math.sqrt(1.0 / a + 1.0 / b)
    return 1.0 / (1.0 + math.exp(-logit))


def test_beta_cdf_has_nine_digits():
    for a, b in 10.0 ** RNG.uniform(-0.5, 8.0, (600, 2)):
        x = _near_the_mean(a, b)
        expected = special.betainc(a, b, x)
        if expected > 1e-200:
            assert d.beta_cdf(x, a, b) == pytest.approx(expected, rel=1e-9)


def test_beta_quantile_has_nine_digits():
    for a, b, p in zip(*10.0 ** RNG.uniform(-0.5, 8.0, (2, 400)), 10.0 ** RNG.uniform(-9.0, 0.0, 400), strict=True):
        expected = special.betaincinv(a, b, p)
        if expected > 1e-250:
            assert d.beta_quantile(p, a, b) == pytest.approx(expected, rel=1e-9)


def test_binomial_cdf_has_nine_digits():
    # the oracle is the beta form: scipy's own binom.cdf is off by 3e-9 at n = 9e7, p = 2e-7 (checked in 40 digits)
    for exponent, p in zip(RNG.uniform(0.0, 8.0, 500), 10.0 ** RNG.uniform(-9.0, 0.0, 500), strict=True):
        n = int(10.0**exponent)
        k = int(RNG.binomial(n, p) + RNG.integers(-2, 3))
        expected = special.betaincc(k + 1, n - k, p) if 0 <= k < n else float(k >= n)
        assert d.binomial_cdf(k, n, p) == pytest.approx(expected, rel=1e-9, abs=1e-250)


def test_binomial_cdf_at_the_edges():
    assert d.binomial_cdf(-1, 5, 0.5) == 0.0
    assert d.binomial_cdf(5, 5, 0.5) == 1.0
    assert d.binomial_cdf(0, 5, 0.0) == 1.0
    assert d.binomial_cdf(4, 5, 1.0) == 0.0
    assert d.binomial_cdf(0, 100_000_000, 1e-9) == pytest.approx(math.exp(-0.1), rel=1e-8)


def test_student_has_nine_digits():
    for df, t, p in zip(
        10.0 ** RNG.uniform(0.0, 8.0, 500), 5.0 * RNG.standard_normal(500), RNG.random(500), strict=True
    ):
        assert d.student_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-9)
        assert d.student_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9, abs=1e-12)
        assert d.student_quantile(p / 1e9, df) == pytest.approx(stats.t.ppf(p / 1e9, df), rel=1e-8)


def test_student_at_the_middle():
    assert d.student_cdf(0.0, 3.0) == 0.5
    assert d.student_quantile(0.5, 3.0) == 0.0


@pytest.mark.parametrize("df", [1, 2, 3, 10, 51, 200])
def test_chi2_has_nine_digits(df: int):
    for x in df * np.array([0.01, 0.5, 1.0, 2.0, 5.0]):
        assert d.chi2_sf(x, df) == pytest.approx(stats.chi2.sf(x, df), rel=1e-9)
    assert d.chi2_sf(0.0, df) == 1.0


def test_normal():
    for p in (1e-300, 1e-9, 0.025, 0.5, 0.975, 1.0 - 1e-9):
        assert d.normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-9, abs=1e-15)
    for z in (-30.0, -2.0, 0.0, 3.0):
        assert d.normal_cdf(z) == pytest.approx(stats.norm.cdf(z), rel=1e-12)


@settings(deadline=None)  # no test depends on the clock
@given(PARAMETER, PARAMETER, PROBABILITY)
def test_quantile_undoes_the_cdf(a: float, b: float, p: float):
    x = d.beta_quantile(p, a, b)
    # x is a float: its last digit moves the cdf by up to density times spacing
    slack = stats.beta.pdf(x, a, b) * np.spacing(x) * 4.0 if 0.0 < x < 1.0 else 1.0
    assert d.beta_cdf(x, a, b) == pytest.approx(p, rel=1e-8, abs=slack)


@settings(deadline=None)  # no test depends on the clock
@given(PARAMETER, PARAMETER, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_cdf_rises(a: float, b: float, x: float, y: float):
    assert d.beta_cdf(min(x, y), a, b) <= d.beta_cdf(max(x, y), a, b) + 1e-9


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: d.beta_cdf(0.5, 0.0, 1.0),
        lambda: d.beta_quantile(1.5, 1.0, 1.0),
        lambda: d.student_cdf(1.0, -1.0),
        lambda: d.student_quantile(0.0, 3.0),
        lambda: d.binomial_cdf(1, -1, 0.5),
        lambda: d.chi2_sf(1.0, 0),
        lambda: d.normal_quantile(1.0),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="not"):
        wrong()


@pytest.mark.parametrize("p", [1e-4, 0.025, 0.5, 0.975])
def test_many_quantiles_at_once_against_scipy(p):
    a, b = (grid.ravel() for grid in np.meshgrid([0.3, 1, 13.5, 400, 5e5], [0.5, 2, 30, 3e3, 1e6]))
    expected = stats.beta.ppf(p, a, b)
    there = (expected > 1e-250) & (expected < 1)
    assert beta_quantiles(p, a, b)[there] == pytest.approx(expected[there], rel=1e-9)


def test_many_student_quantiles_against_scipy():
    freedom = np.array([1.0, 2.5, 20, 1e3, 1e6])
    assert student_quantiles(0.025, freedom) == pytest.approx(stats.t.ppf(0.025, freedom), rel=1e-9)


@pytest.mark.parametrize(
    "wrong", [lambda: beta_quantiles(0.0, 1, 1), lambda: beta_quantiles(0.5, 0, 1), lambda: student_quantiles(0.6, 3)]
)
def test_impossible_parameters_of_many_are_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        wrong()
