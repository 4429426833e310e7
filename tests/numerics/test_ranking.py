"""AUC and average precision: against scikit-learn, binned and exact, and simulated coverage."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seatrial.numerics import ranking
from seatrial.numerics.score_bins import BINS, probability_bins

ROWS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(has for _, has in rows) < len(rows)
)


def histogram(scores, has, bins=BINS):
    return np.stack([np.bincount(scores[~has], minlength=bins), np.bincount(scores[has], minlength=bins)])


def sample(rows, shift, spread=1.0, seed=0):
    """Calibrated probabilities, more or less, and labels that are rare where `shift` is low."""
    rng = np.random.default_rng(seed)
    has = rng.random(rows) < stats.logistic.cdf(shift)
    return stats.logistic.cdf(shift + rng.standard_normal(rows) * (1 + (spread - 1) * has) + 2.0 * has), has


@settings(deadline=None)  # no test depends on the clock
@given(ROWS)
def test_of_tied_scores_they_are_sklearns(rows):
    """Seven values, far apart in bins: ties are ties."""
    scores, has = (np.array(column) for column in zip(*rows, strict=True))
    found = histogram(scores * 3, has, 21)
    assert ranking.roc(found).value == pytest.approx(sklearn.metrics.roc_auc_score(has, scores))
    assert ranking.delong(scores, has).auc == pytest.approx([sklearn.metrics.roc_auc_score(has, scores)])
    assert ranking.average_precision(found).value == pytest.approx(sklearn.metrics.average_precision_score(has, scores))


@settings(deadline=None)  # no test depends on the clock
@given(ROWS)
def test_the_variance_of_bins_is_that_of_midranks(rows):
    scores, has = (np.array(column) for column in zip(*rows, strict=True))
    if min(has.sum(), (~has).sum()) > 1:
        binned, exact = ranking.roc(histogram(scores, has, 7)), ranking.delong(scores, has)
        assert binned.of_positives + binned.of_negatives == pytest.approx(exact.covariance[0, 0], abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, -3.0, -6.0, -9.0])
def test_bins_move_them_by_less_than_said_and_by_a_twentieth_of_a_standard_error(shift):
    """Rare positives with tiny probabilities among them: 30 of 200,000 at about 1e-4."""
    scores, has = sample(200_000, shift)
    found = histogram(probability_bins(scores), has)
    for figure, oracle in (
        (ranking.roc(found), sklearn.metrics.roc_auc_score(has, scores)),
        (ranking.average_precision(found), sklearn.metrics.average_precision_score(has, scores)),
    ):
        error = np.sqrt(figure.of_positives + figure.of_negatives)
        assert abs(figure.value - oracle) <= min(0.05 * error, figure.slack)


@pytest.mark.parametrize("scores", ["constant", "squeezed", "zero and one"])
def test_the_worst_that_bins_can_do_is_said(scores):
    rng = np.random.default_rng(1)
    has = rng.random(5000) < 0.3
    values = {
        "constant": np.full(5000, 0.2),
        "squeezed": 0.3 + 1e-5 * (rng.random(5000) + has),  # all in one bin, well told apart
        "zero and one": has.astype(float),
    }[scores]
    found = ranking.roc(histogram(probability_bins(values), has))
    assert abs(found.value - sklearn.metrics.roc_auc_score(has, values)) <= found.slack + 1e-12
    assert "move it by at most" in ranking.auc_roc(histogram(probability_bins(values), has)).method.item()
    precise = ranking.average_precision(histogram(probability_bins(values), has))
    assert abs(precise.value - sklearn.metrics.average_precision_score(has, values)) <= precise.slack + 1e-12


def test_covariance_of_two_models_is_that_of_a_bootstrap():
    scores, has = sample(1500, -1.0)
    both = np.stack([scores, scores + 0.3 * np.random.default_rng(1).standard_normal(1500)])
    found = ranking.delong(both, has)
    rng = np.random.default_rng(2)
    drawn = [ranking.delong(both[:, rows], has[rows]).auc for rows in rng.integers(0, 1500, (800, 1500))]
    assert found.covariance == pytest.approx(np.cov(np.array(drawn).T), rel=0.2)
    with pytest.raises(ValueError, match="of the class"):
        ranking.delong(scores, np.zeros(1500, bool))


@settings(deadline=None)  # no test depends on the clock
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_bounds_hold_the_value_and_widen_with_the_level(counts):
    found = np.array(counts).T[None]
    for measure in (ranking.auc_roc, ranking.auc_pr):
        narrow, wide = measure(found, 0.9), measure(found, 0.99)
        if np.isnan(narrow.value[0]):
            assert np.isnan(narrow.low[0])
            continue
        assert 0 <= wide.low[0] <= narrow.low[0] + 1e-12 <= narrow.value[0] + 2e-12
        assert narrow.value[0] - 1e-12 <= narrow.high[0] <= wide.high[0] + 1e-12 <= 1 + 2e-12
        assert measure(found, None).value[0] == narrow.value[0]


def scene(auc, spread, positives, negatives, runs):
    """Histograms of normal scores, whose truth is known from the shares of the bins, with the number of positives by chance."""
    middle = stats.norm.ppf(auc) * np.sqrt(1 + spread**2)
    edges = np.linspace(-5, max(5.0, middle + 5 * spread), 1023)
    shares = [np.diff(stats.norm.cdf(edges, *of), prepend=0, append=1) for of in ((0, 1), (middle, spread))]
    shares = [np.append(one[:-1], one[-1]) / one.sum() for one in shares]
    rng, n = np.random.default_rng(7), positives + negatives
    many = rng.binomial(n, positives / n, runs)
    drawn = np.stack([rng.multinomial(n - many, shares[0]), rng.multinomial(many, shares[1])], axis=1)
    return 1e9 * np.stack([shares[0] * negatives / n, shares[1] * positives / n]), drawn


SCENES = [
    (auc, spread, rows)
    for auc in (0.7, 0.9, 0.98)
    for spread in (1.0, 2.0, 0.5)
    for rows in ((8, 1000), (30, 1000), (120, 1000), (50, 50))
]


def coverage(auc, spread, rows, runs=2000):
    """The shares of simulated histograms whose intervals hold AUC-ROC, and average precision."""
    shares, drawn = scene(auc, spread, *rows, runs)
    found = {}
    for measure, truth in ((ranking.auc_roc, ranking.roc(shares)), (ranking.auc_pr, ranking.average_precision(shares))):
        of = measure(drawn)
        there = ~np.isnan(of.value)
        found[measure.__name__] = float(((of.low <= truth.value) & (truth.value <= of.high))[there].mean())
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("auc", "spread", "rows"), SCENES)
def test_coverage(auc, spread, rows):
    """At least .93 at a nominal .95; 2,000 histograms, a standard error of 0.005, none allowed."""
    covered = coverage(auc, spread, rows)
    assert min(covered.values()) >= 0.93, covered
