from functools import cache, reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from sklearn.metrics import brier_score_loss, top_k_accuracy_score
from sklearn.metrics import log_loss as sklearn_log_loss

from seatrial.numerics.interval import at_most
from seatrial.numerics.losses import (
    FLOOR,
    Moments,
    brier,
    kl,
    log_loss,
    mean_interval,
    mean_intervals,
    softmax,
    top_k_hits,
)

RNG = np.random.default_rng(20262)
LOGITS, LABELS = 4.0 * RNG.standard_normal((500, 7)), RNG.integers(0, 7, 500)
PROBABILITIES = special.softmax(LOGITS, axis=1)
VALUES = st.lists(st.floats(-1e3, 1e3), max_size=50)


def test_softmax_against_scipy_and_without_overflow():
    assert softmax(LOGITS) == pytest.approx(PROBABILITIES, rel=1e-12)
    assert softmax([1e4, 0.0, -1e4]).tolist() == [1.0, 0.0, 0.0]
    assert softmax(LOGITS.astype(np.float32)).dtype == np.float64


def test_log_loss_against_sklearn():
    assert log_loss(PROBABILITIES, LABELS).mean() == pytest.approx(sklearn_log_loss(LABELS, PROBABILITIES))
    binary, truth = PROBABILITIES[:, 0], LABELS == 0
    assert log_loss(binary, truth).mean() == pytest.approx(sklearn_log_loss(truth, binary))
    assert log_loss([[1.0, 0.0]], [1]) == pytest.approx(-np.log(FLOOR))


def test_brier_against_sklearn_and_its_two_conventions():
    binary, truth = PROBABILITIES[:, 0], (LABELS == 0).astype(int)
    assert brier(binary, truth).mean() == pytest.approx(brier_score_loss(truth, binary))
    assert brier(np.stack([1 - binary, binary], axis=1), truth) == pytest.approx(2 * brier(binary, truth))
    hot = np.eye(7)[LABELS]
    assert brier(PROBABILITIES, LABELS) == pytest.approx(np.sum((PROBABILITIES - hot) ** 2, axis=1))


def test_kl_against_scipy():
    other = special.softmax(LOGITS + RNG.standard_normal(LOGITS.shape), axis=1)
    assert kl(PROBABILITIES, other) == pytest.approx(stats.entropy(PROBABILITIES, other, axis=1), rel=1e-9)
    assert kl(PROBABILITIES, PROBABILITIES).max() == 0.0
    assert kl([0.0, 1.0], [0.5, 0.5]) == pytest.approx(np.log(2.0))
    assert np.isfinite(kl([1.0, 0.0], [0.0, 1.0]))


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_against_sklearn(k):
    assert top_k_hits(LOGITS, LABELS, k).mean() == pytest.approx(top_k_accuracy_score(LABELS, LOGITS, k=k))


def test_ties_and_nan_count_against():
    assert not top_k_hits([[1.0, 1.0, 0.0]], [0], 1)[0]
    assert top_k_hits([[1.0, 1.0, 0.0]], [0], 2)[0]
    assert not top_k_hits([[np.nan, 1.0, 0.0]], [0], 2)[0]
    assert not top_k_hits([[1.0, np.nan, 0.0]], [0], 1)[0]


def test_binary_scores_hit_above_one_half():
    assert top_k_hits([0.7, 0.5, 0.2], [1, 1, 0], 1).tolist() == [True, False, True]


@settings(deadline=None)  # no test depends on the clock
@given(st.lists(VALUES, min_size=1, max_size=6))
def test_merged_moments_are_those_of_the_whole(parts):
    merged = reduce(Moments.merge, map(Moments.of, parts), Moments.of([]))
    values = np.concatenate([np.asarray(part, float) for part in parts])
    assert merged.n == values.size
    if values.size:
        scale = max(1e-300, np.abs(values).max())
        assert merged.mean == pytest.approx(values.mean(), abs=1e-13 * scale)
        assert merged.m2 == pytest.approx(values.size * stats.moment(values, 2), rel=1e-9, abs=1e-12 * scale**2)
        assert merged.m3 == pytest.approx(values.size * stats.moment(values, 3), rel=1e-9, abs=1e-12 * scale**3 * 50)


def test_moments_do_not_cancel_far_from_zero():
    values = RNG.exponential(size=10_000)
    near, far = Moments.of(values), reduce(Moments.merge, map(Moments.of, np.split(values + 1e8, 10)))
    assert (far.m2, far.m3) == pytest.approx((near.m2, near.m3), rel=1e-6)


@settings(deadline=None)  # no test depends on the clock
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=50).filter(lambda v: np.ptp(v) > 1e-3), st.floats(0.5, 0.99))
def test_bounds_widen_with_the_level(values, level):
    # Hall's interval shifts with the skewness: below two rows a side it need not contain the mean, so only nesting
    narrow, wide = mean_interval(Moments.of(values), level), mean_interval(Moments.of(values), level + 0.005)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_without_skewness_it_is_the_t_interval():
    values = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) + 10.0
    expected = stats.ttest_1samp(values, 0.0).confidence_interval()
    assert mean_interval(Moments.of(values))[1:3] == pytest.approx(list(expected))


def test_one_row_and_rows_without_spread():
    assert mean_interval(Moments.of([2.0]))[:3] == (2.0, None, None)
    assert mean_interval(Moments.of([0.0, 0.0]))[:3] == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="row"):
        mean_interval(Moments.of([]))


def _margins(centre, spread):
    return lambda rng, shape: centre + spread * rng.standard_normal(shape)


def _kl_of_noise(rng, shape):
    first, noise = _margins(4.0, 3.0)(rng, shape), 0.2 * rng.standard_normal(shape)
    p = special.expit(first)
    return p * (special.log_expit(first) - special.log_expit(first + noise)) + (1 - p) * (
        special.log_expit(-first) - special.log_expit(-first - noise)
    )


# margins of the true class, normal: accuracies of 69 %, 91 %, 98 % and 98.9 %; skewness of the losses 2 to 13
LOSSES = {
    "log-loss 0.69": lambda rng, shape: -special.log_expit(_margins(1.0, 2.0)(rng, shape)),
    "log-loss 0.91": lambda rng, shape: -special.log_expit(_margins(4.0, 3.0)(rng, shape)),
    "log-loss 0.98": lambda rng, shape: -special.log_expit(_margins(6.0, 3.0)(rng, shape)),
    "log-loss 0.989": lambda rng, shape: -special.log_expit(_margins(8.0, 3.5)(rng, shape)),
    "brier 0.989": lambda rng, shape: 2 * special.expit(-_margins(8.0, 3.5)(rng, shape)) ** 2,
    "kl of a quantised variant": _kl_of_noise,
}


@cache
def _truth(loss):
    return LOSSES[loss](np.random.default_rng(13), 5_000_000).mean()


@pytest.mark.parametrize(("n", "runs"), [(500, 2000), (4000, 2000)])
@pytest.mark.parametrize("loss", LOSSES)
def test_coverage_of_skewed_losses(loss, n, runs):
    """A standard error of 0.0049: none allowed below 0.93, two above 0.97."""
    rng, truth = np.random.default_rng(14), _truth(loss)
    found = [mean_interval(Moments.of(LOSSES[loss](rng, n))) for _ in range(runs)]
    inside = np.mean([i.low <= truth <= i.high for i in found])
    assert 0.93 <= inside <= 0.97 + 2 * 0.0049


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: log_loss([[0.5, 0.5]], [2]),
        lambda: log_loss([[0.5, 0.5]], [-1]),
        lambda: log_loss([[0.5, 0.5]], [0.5]),
        lambda: brier([[0.5, 0.5]], [0, 1]),
        lambda: top_k_hits([[0.5, 0.5]], [0], 0),
    ],
)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ValueError, match=r"labels|counts"):
        wrong()


@settings(deadline=None)  # no test depends on the clock
@given(
    st.lists(st.floats(0.0, 30.0), min_size=1, max_size=50).filter(lambda v: len(v) < 2 or np.std(v) > 1e-3),
    st.floats(0.5, 0.99),
)
def test_many_means_from_power_sums_are_each_alone(values, level):
    values = np.array(values)
    sums = np.array([[(values**power).sum() for power in (1, 2, 3)], [0.0, 0.0, 0.0]])
    found, alone = mean_intervals(sums, [len(values), 0], level, least=0.0), mean_interval(Moments.of(values), level)
    assert found.value[0] == pytest.approx(alone.value)
    if len(values) == 1:
        assert np.isnan([found.low[0], found.high[0]]).all()
    else:  # never inside the value, never below the least
        assert found.low[0] == pytest.approx(max(0.0, min(alone.low, alone.value)), rel=1e-4, abs=1e-6)
        assert found.high[0] == pytest.approx(max(alone.high, alone.value), rel=1e-4, abs=1e-6)
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()


@pytest.mark.parametrize("value", [0.0, 0.3, 0.6931471805599453])
def test_rows_that_are_all_alike_are_seen_through_rounding(value):
    sums = sum(np.array([(np.full(700, value) ** power).sum() for power in (1, 2, 3)]) for _ in range(30))
    found = mean_intervals([sums], [21_000], most=5.0, least=0.0)
    unseen = 1 - 0.025 ** (1 / 21_000)
    assert found.high[0] == pytest.approx(value + unseen * (5.0 - value))
    assert found.low[0] == pytest.approx(value * (1 - unseen))
    assert np.isnan(mean_intervals([sums], [21_000]).high[0])


def test_no_bound_lies_beyond_what_there_can_be():
    found = mean_intervals([[4.0, 8.0, 16.0], [0.5, 0.25, 0.125]], [3, 3], 0.95, least=0.0, most=2.0)
    assert found.high.max() <= 2.0
    assert found.low.min() >= 0.0


def test_a_stated_limit_is_rounded_up():
    assert [at_most(one) for one in (0.00245, 0.25, 0.002, 0.99, 1e-6, 0.0)] == [
        "0.003",
        "0.3",
        "0.002",
        "1",
        "1e-06",
        "0",
    ]
