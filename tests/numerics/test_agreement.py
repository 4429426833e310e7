"""F-beta, MCC, kappa, costs: against scikit-learn, derivatives by differences, and simulated coverage."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from seatrial.numerics import agreement, costs
from seatrial.numerics.proportions import proportion

TABLES = st.integers(2, 5).flatmap(lambda k: arrays(np.int64, (k, k), elements=st.integers(0, 40)))
FULL = st.integers(2, 5).flatmap(lambda k: arrays(np.int64, (k, k), elements=st.integers(1, 40)))
PRICES = np.array([[0.0, 1.0], [20.0, 2.0]])


def rows(table):
    return tuple(np.repeat(index.ravel(), table.ravel()) for index in np.indices(table.shape))


@settings(deadline=None)  # no test depends on the clock
@given(FULL, st.sampled_from([0.5, 1.0, 2.0, 7.0]))
def test_values_are_sklearns(table, beta):
    truth, guess = rows(table)
    fbeta = sklearn.metrics.fbeta_score
    assert agreement.mcc(table).value == pytest.approx(sklearn.metrics.matthews_corrcoef(truth, guess))
    assert agreement.kappa(table).value == pytest.approx(sklearn.metrics.cohen_kappa_score(truth, guess))
    assert agreement.f_beta(table, beta).value == pytest.approx(fbeta(truth, guess, beta=beta, average=None))
    assert agreement.macro_f_beta(table, beta).value == pytest.approx(fbeta(truth, guess, beta=beta, average="macro"))
    for average, oracle in (
        (agreement.weighted_f_beta(table, beta), fbeta(truth, guess, beta=beta, average="weighted")),
        (agreement.weighted_f1(table), sklearn.metrics.f1_score(truth, guess, average="weighted")),
        (agreement.weighted_precision(table), sklearn.metrics.precision_score(truth, guess, average="weighted")),
        (agreement.weighted_recall(table), sklearn.metrics.recall_score(truth, guess, average="weighted")),
    ):
        assert average.value == pytest.approx(oracle)


@settings(deadline=None)  # no test depends on the clock
@given(TABLES)
def test_bounds_hold_the_value_and_widen_with_the_level(table):
    measures = [
        agreement.mcc,
        agreement.kappa,
        lambda t, level: agreement.f_beta(t, 2.0, level),
        lambda t, level: agreement.macro_f_beta(t, 2.0, level),
        agreement.weighted_precision,
        agreement.weighted_f1,
        lambda t, level: costs.mean_cost(t, 1.0 - 3.0 * np.eye(len(t)), level),
        lambda t, level: costs.saving(t, 1.0 - np.eye(len(t)), level),
    ]
    for measure in measures:
        narrow, wide = measure(table, 0.9), measure(table, 0.99)
        there = ~np.isnan(narrow.value)
        for inner, outer in ((narrow.value, narrow), (narrow.low, wide), (narrow.high, wide)):
            assert (outer.low <= inner + 1e-12)[there].all()
            assert (inner <= outer.high + 1e-12)[there].all()
        assert np.array_equal(np.isnan(narrow.low), ~there)
        assert np.array_equal(measure(table, None).value, narrow.value, equal_nan=True)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_derivatives_are_those_by_differences(size):
    table = np.random.default_rng(size).integers(2, 60, (size, size)).astype(float)
    figures = [agreement._graded_mcc, agreement._graded_kappa, agreement._graded_macro_f(2.0)]
    figures.append(lambda t: agreement._graded_weighted(t, 0.5))
    for graded in figures + ([agreement._graded_f(0.5)] if size == 2 else []):
        for at in np.ndindex(table.shape):
            step = np.zeros_like(table)
            step[at] = 1e-4
            slope = (graded(table + step)[0] - graded(table - step)[0]) / 2e-4
            assert graded(table)[1][at] == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_draws_are_gamma_variables():
    drawn = agreement._drawn(np.array([[0.0, 3.0, 40.0]]))[:, 0]
    for column, count in enumerate((0, 3, 40)):
        at = [0.025, 0.25, 0.5, 0.75, 0.975]
        expected = stats.gamma.ppf(at, count + 0.5)
        assert np.quantile(drawn[:, column], at) == pytest.approx(expected, rel=0.2, abs=0.02)


def test_a_table_s_bounds_do_not_depend_on_other_tables():
    several = np.random.default_rng(0).integers(0, 50, (300, 2, 2))
    whole, alone = agreement.mcc(several), agreement.mcc(several[217])
    assert (whole.low[217], whole.high[217]) == pytest.approx((float(alone.low), float(alone.high)), rel=1e-12)


def test_extremes():
    assert agreement.mcc([[5, 0], [5, 0]]).value == 0  # always the same class
    assert np.isnan(agreement.mcc([[5, 3], [0, 0]]).value)  # one class alone
    assert np.isnan(agreement.kappa([[8, 0], [0, 0]]).value)
    for perfect in (agreement.mcc([[50, 0], [0, 50]]), agreement.kappa(50 * np.eye(3))):
        assert perfect.value == perfect.high == 1
        assert 0.85 < perfect.low < 0.999
    assert np.isnan(agreement.f_beta([[9, 0], [0, 0]], 2.0).value[1])
    assert np.isnan(agreement.mcc(np.zeros((2, 2)))[:3]).all()


class TestCosts:
    def test_costs_of_one_are_the_error_rate(self):
        table = np.array([[900, 40], [10, 50]])
        found, rate = costs.mean_cost(table, 1.0 - np.eye(2)), proportion(50, 1000)
        assert found.value == pytest.approx(rate.value)
        assert (found.low, found.high) == pytest.approx((rate.low, rate.high), abs=2e-4)

    def test_by_hand(self):
        table = np.array([[900, 40], [10, 50]])
        assert costs.mean_cost(table, PRICES).value == pytest.approx((40 + 200 + 100) / 1000)
        # always the second class: 940 x 1 + 60 x 2 = 1060; always the first: 60 x 20 = 1200
        assert costs.saving(table, PRICES).value == pytest.approx((1060 - 340) / 1000)

    def test_a_fixed_decision_saves_nothing(self):
        assert costs.saving([[90, 0], [10, 0]], 1.0 - np.eye(2)).value == 0

    @pytest.mark.parametrize("prices", [np.zeros((3, 3)), [[0, np.nan], [1, 0]], [1, 2]])
    def test_a_matrix_that_does_not_fit_is_refused(self, prices):
        with pytest.raises(ValueError, match="costs"):
            costs.mean_cost([[1, 2], [3, 4]], prices)


SCENES = {
    "5 positives of 1,000": ([[990, 5], [2, 3]], 1000),
    "10 positives": ([[960, 30], [3, 7]], 1000),
    "30 positives": ([[940, 30], [6, 24]], 1000),
    "30 positives, nearly all found": ([[968, 2], [1, 29]], 1000),
    "100 positives": ([[850, 50], [20, 80]], 1000),
    "40 rows": ([[20, 5], [5, 10]], 40),
    "24 of 100,000": ([[99_000, 970], [6, 24]], 100_000),
    "large": ([[700, 120], [140, 400]], 5000),
    "three, one of 15": ([[900, 20, 5], [8, 30, 2], [3, 2, 10]], 1000),
    "three, 60 rows": ([[20, 5, 3], [4, 12, 2], [2, 3, 9]], 60),
    "ten": (np.full((10, 10), 1.0) + 40.0 * np.eye(10), 600),
}


def coverage(scene, runs=2000):
    """The share of simulated tables whose interval holds the truth, by figure."""
    shares, n = SCENES[scene]
    shares = np.asarray(shares, float) / np.sum(shares)
    size = len(shares)
    drawn = np.random.default_rng(3).multinomial(n, shares.ravel(), size=runs).reshape(-1, size, size)
    prices = 1.0 - np.eye(size)
    prices[-1] *= 20.0
    figures = {
        "mcc": agreement.mcc,
        "kappa": agreement.kappa,
        "macro F2": lambda t: agreement.macro_f_beta(t, 2.0),
        "weighted F1": agreement.weighted_f1,
        "weighted precision": agreement.weighted_precision,
        "cost": lambda t: costs.mean_cost(t, prices),
        "saving": lambda t: costs.saving(t, prices),
        "F2": lambda t: agreement.f_beta(t, 2.0),
        "F0.5": lambda t: agreement.f_beta(t, 0.5),
    }
    found = {}
    for name, figure in figures.items():
        truth, of = figure(shares * 1e9).value, figure(drawn)
        there = ~np.isnan(of.value)
        inside = ((of.low <= truth) & (truth <= of.high)) | ~there
        last = inside.reshape(runs, -1)[:, -1]  # the rare class, of figures that have one for each
        found[name] = float(last[there.reshape(runs, -1)[:, -1]].mean())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_coverage(scene):
    """2,000 tables, a standard error of 0.005, none allowed."""
    covered = coverage(scene)
    assert min(covered.values()) >= 0.93, covered
