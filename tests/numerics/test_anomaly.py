"""Values that lie far below the rest, against SciPy's median absolute deviation and what is known of normal values."""

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from seatrial.numerics.anomaly import low_anomaly, standing_out


def test_it_is_the_distance_below_the_median_in_deviations():
    values = np.random.default_rng(0).normal(10, 2, 31)
    expected = (np.median(values) - values) / median_abs_deviation(values, scale="normal")
    assert low_anomaly(values) == pytest.approx(np.maximum(expected, 0), rel=1e-4)


def test_equal_values_and_values_above_are_no_anomaly():
    assert not low_anomaly([3.0] * 6).any()
    assert not standing_out([3.0] * 6, 2.0).any()
    assert not standing_out([5, 5.1, 5.2, 5.3, 50], 2.0).any()


def test_ten_values_that_are_nearly_alike_give_no_alarm_though_their_index_does():
    drawn = np.random.default_rng(1).normal(70, 12, (400, 10))
    assert np.mean([low_anomaly(one).max() > 2 for one in drawn]) > 0.2, "the index alone raises false alarms"
    assert np.mean([standing_out(one, 2.0).any() for one in drawn]) < 0.02
    planted = np.concatenate([drawn[:, :9], np.full((400, 1), 8.0)], axis=1)
    assert np.mean([standing_out(one, 2.0)[9] for one in planted]) > 0.95
