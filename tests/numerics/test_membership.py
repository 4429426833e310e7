"""Membership: formulas against scipy and brute force, intervals by simulation of what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from seatrial.numerics.membership import (
    confidence,
    likelihood_ratio,
    log_probabilities,
    of_label,
    outsiders_needed,
    picked_out,
    picked_out_change,
    relative_ratio,
    told_apart,
    told_apart_change,
)

RNG = np.random.default_rng(2)
SHADOWS, ROWS = 8, 40
INSIDE = np.stack([half for _ in range(SHADOWS // 2) for half in (lambda m: (m, ~m))(RNG.permutation(ROWS) < ROWS // 2)])  # fmt: skip
SEEN, COMPARED = RNG.normal(1, 2, ROWS), RNG.normal(1, 2, (SHADOWS, ROWS)) + INSIDE


def test_confidence_is_the_logit_of_the_labels_probability_even_where_it_rounds_to_one():
    scores, labels = RNG.normal(0, 3, (5, 20, 4)), RNG.integers(0, 4, 20)
    p = special.softmax(scores, axis=2)[:, np.arange(20), labels]
    assert np.allclose(confidence(scores, labels), special.logit(p))
    assert np.allclose(log_probabilities(scores), special.log_softmax(scores, axis=2))
    assert np.allclose(log_probabilities(np.log(special.softmax(scores, axis=2))), special.log_softmax(scores, axis=2))
    assert np.allclose(of_label(scores, labels), scores[:, np.arange(20), labels])
    sure = np.array([[60.0, 0.0, 0.0]])
    assert confidence(sure, [0])[0] == pytest.approx(60 - math.log(2))


@pytest.mark.parametrize("pooled", [True, False])
def test_lira_is_the_ratio_of_two_normal_likelihoods(pooled: bool):
    sides = {}
    for name, where in (("in", INSIDE), ("out", ~INSIDE)):
        columns = [COMPARED[where[:, row], row] for row in range(ROWS)]
        spread = np.array([np.std(one, ddof=1) for one in columns])
        if pooled:
            spread = np.full(ROWS, math.sqrt(sum(((one - one.mean()) ** 2).sum() for one in columns) / sum(len(one) - 1 for one in columns)))  # fmt: skip
        sides[name] = stats.norm(np.array([one.mean() for one in columns]), spread)
    online = likelihood_ratio(SEEN, COMPARED, INSIDE, True, pooled)
    assert np.allclose(online, sides["in"].logpdf(SEEN) - sides["out"].logpdf(SEEN))
    offline = likelihood_ratio(SEEN, COMPARED, INSIDE, False, pooled)
    assert np.allclose(stats.norm.logcdf(offline), sides["out"].logcdf(SEEN))
    with pytest.raises(ValueError, match="shadows"):
        likelihood_ratio(SEEN, COMPARED, np.zeros_like(INSIDE), True, pooled)


def test_rmia_counts_the_rows_that_are_left_behind():
    seen, compared = special.expit(SEEN), special.expit(COMPARED)
    for online, gamma in ((True, 1.0), (True, 2.0), (False, 1.5)):
        out = np.array([compared[~INSIDE[:, row], row].mean() for row in range(ROWS)])
        mean = np.array([compared[INSIDE[:, row], row].mean() for row in range(ROWS)]) / 2 + out / 2
        ratio = seen / (mean if online else (1.3 * out + 0.7) / 2)
        counted = np.array([np.mean(one / ratio >= gamma) for one in ratio])
        assert np.allclose(relative_ratio(seen, compared, INSIDE, online, 0.3, gamma), counted)


def test_the_rate_is_that_above_the_threshold_which_few_outsiders_exceed():
    outsiders, members = np.arange(1000.0), np.array([1e4] * 30 + [989.5] * 20 + [-1.0] * 50)
    found = picked_out(members, outsiders, 0.01)
    assert found.threshold == 989
    assert found.outsiders.value == 0.01
    assert found.members.value == 0.5
    exact = stats.binomtest(10, 1000).proportion_ci(0.95, "exact")
    assert (found.outsiders.low, found.outsiders.high) == pytest.approx((exact.low, exact.high))
    low = stats.binomtest(30, 100).proportion_ci(0.975, "exact").low
    assert found.members.low == pytest.approx(low), "at the stricter threshold 30 members stay"
    high = stats.binomtest(50, 100).proportion_ci(0.975, "exact").high
    assert found.members.high == pytest.approx(high)
    tied = picked_out(np.ones(50), np.ones(1000), 0.01)
    assert tied.members.value == tied.outsiders.value == 0, "what can't be told apart isn't named"


def test_too_few_outsiders_resolve_nothing_and_it_is_said_how_many_would():
    needed = outsiders_needed(0.01)
    assert 0.99**needed <= 0.0125 < 0.99 ** (needed - 1)
    few = picked_out(np.arange(50.0), np.arange(needed - 1.0), 0.01)
    assert few.needed == needed
    assert few.members.low is None
    assert picked_out(np.arange(50.0), np.arange(float(needed)), 0.01).needed is None


@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_the_interval_holds_the_true_rate_at_the_true_threshold(shift: float):
    """A thousand draws of a world with a known curve; with no shift members are outsiders, and the rate is that of false names."""
    rng, rate = np.random.default_rng(5), 0.02
    truth = stats.norm.sf(stats.norm.isf(rate) - shift)
    held = above = 0
    for _ in range(1000):
        found = picked_out(rng.normal(shift, 1, 300), rng.normal(0, 1, 600), rate).members
        held += found.low <= truth <= found.high
        above += found.low > truth
    assert held >= 950, "at least at its level"
    assert above <= 25


def test_the_auc_and_its_change_hold_what_they_promise():
    rng, shift = np.random.default_rng(6), 0.5
    truth = stats.norm.cdf(shift / math.sqrt(2))
    held = changed = 0
    for _ in range(400):
        members, outsiders = rng.normal(shift, 1, 60), rng.normal(0, 1, 80)
        found = told_apart(members, outsiders)
        held += found.low <= truth <= found.high
        noisy = (members + rng.normal(0, 1, 60), outsiders + rng.normal(0, 1, 80))
        change = told_apart_change(noisy, (members, outsiders))
        changed += change.low <= stats.norm.cdf(shift / 2) - truth <= change.high
    assert held >= 365
    assert changed >= 365
    assert told_apart(np.ones(30) * 2, np.ones(40)).low == pytest.approx(stats.binomtest(30, 30).proportion_ci(0.95, "exact").low)  # fmt: skip


def test_the_change_of_the_rate_holds_the_truth():
    rng, rate, held = np.random.default_rng(7), 0.05, 0
    truth = stats.norm.sf((stats.norm.isf(rate) * math.sqrt(2) - 1.5) / math.sqrt(2)) - stats.norm.sf(stats.norm.isf(rate) - 1.5)  # fmt: skip
    for seed in range(150):
        members, outsiders = rng.normal(1.5, 1, 300), rng.normal(0, 1, 400)
        noisy = (members + rng.normal(0, 1, 300), outsiders + rng.normal(0, 1, 400))
        found = picked_out_change(noisy, (members, outsiders), rate, 0.95, seed, 100)
        held += found.low <= truth <= found.high
    assert held >= 136
    same = picked_out_change((members, outsiders), (members, outsiders), rate)
    assert same.value == 0
    assert same.low < 0 < same.high
