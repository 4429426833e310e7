import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from seatrial.numerics.robustness import extra_drop, extra_drop_tally, mean_accuracy, right_tally

SIMULATIONS = 3000
RIGHT = arrays.arrays(bool, (12, 20))


@settings(deadline=None)  # no test depends on the clock
@given(RIGHT, st.integers(1, 5), st.integers(0, 20))
def test_tallies_are_the_means_they_stand_for_and_shards_add_up(right, severities, cut):
    clean, reference, hits, others = right[0], right[1], right[2 : 2 + severities], right[7 : 7 + severities]
    tally = extra_drop_tally(clean, hits, reference, others)
    drop = clean.mean() - hits.mean()
    assert extra_drop(tally).value == pytest.approx(drop - (reference.mean() - others.mean()), abs=1e-12)
    assert mean_accuracy(right_tally(hits)).value == pytest.approx(hits.mean(), abs=1e-12)
    pieces = [
        extra_drop_tally(clean[s], hits[:, s], reference[s], others[:, s]) for s in (slice(cut), slice(cut, None))
    ]
    assert np.array_equal(pieces[0] + pieces[1], tally)
    assert np.array_equal(right_tally(hits[:, :cut]) + right_tally(hits[:, cut:]), right_tally(hits))
    assert np.array_equal(extra_drop_tally(reference, others, clean, hits), tally[::-1])


def test_one_severity_needs_no_second_axis():
    clean, hits = np.array([True, True, False]), np.array([False, True, False])
    assert extra_drop_tally(clean, hits, clean, clean).tolist() == [0, 0, 2, 1, 0]
    assert right_tally(hits).tolist() == [2, 1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), min_size=5, max_size=5), st.floats(0.5, 0.99))
def test_bounds_contain_the_value_widen_with_the_level_and_mirror(counts, level):
    tally = np.array(counts) + np.array([0, 0, 1, 0, 0])
    narrow, wide, other = extra_drop(tally, level), extra_drop(tally, level + 0.005), extra_drop(tally[::-1], level)
    assert -2 <= wide.low <= narrow.low <= narrow.value <= narrow.high <= wide.high <= 2
    assert narrow.low == pytest.approx(-other.high, abs=1e-12)
    share = mean_accuracy(tally, level)
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_with_many_rows_it_is_the_paired_t_interval():
    rng = np.random.default_rng(4)
    values = rng.choice(np.arange(-2, 3), size=40_000, p=[0.02, 0.1, 0.7, 0.13, 0.05])
    found = extra_drop(np.bincount(values + 2, minlength=5))
    expected = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected, abs=2e-5)


def test_no_flips_are_no_certainty():
    found = extra_drop(np.array([0, 0, 100, 0, 0]))
    assert found.value == 0
    assert found.high == -found.low > stats.binom.ppf(0.9, 100, 0.02) / 100
    assert extra_drop(np.array([0, 0, 1, 0, 0])).high == 2


@pytest.mark.parametrize("at", [3, 4])
@pytest.mark.parametrize("n", [200, 1000, 5000])
def test_flips_to_one_side_are_covered_exactly_summed(n, at):
    """The hard case: a few rows, all of one value; coverage from the binomial distribution, whatever their share."""
    bounds = []
    for count in range(80):
        tally = np.zeros(5, int)
        tally[at], tally[2] = count, n - count
        bounds.append(extra_drop(tally)[1:3])
    low, high = np.array(bounds, float).T
    for expected in np.arange(0.1, 40, 0.1):
        mean = (at - 2) * expected / n
        inside = stats.binom.pmf(np.arange(80), n, expected / n)[(low <= mean) & (mean <= high)].sum()
        assert inside >= 0.93, (expected, inside)


def coverage(function, values, shares, n, seed):
    shares = np.asarray(shares) / np.sum(shares)
    tallies = np.random.default_rng(seed).multinomial(n, shares, size=SIMULATIONS)
    different, times = np.unique(tallies, axis=0, return_counts=True)
    bounds = np.array([function(tally)[1:3] for tally in different], float)
    mean = shares @ values
    return times[(bounds[:, 0] <= mean) & (mean <= bounds[:, 1])].sum() / SIMULATIONS


@pytest.mark.parametrize("n", [100, 500, 3000])
@pytest.mark.parametrize(
    "shares",
    [
        [0, 0.005, 0.99, 0.005, 0],
        [0.002, 0.01, 0.95, 0.03, 0.008],
        [0, 0, 0.97, 0.02, 0.01],
        [0.01, 0.1, 0.7, 0.15, 0.04],
        [0, 0.002, 0.998 - 0.04, 0.04, 0],
    ],
)
def test_the_extra_drop_is_covered(n, shares):
    assert coverage(extra_drop, np.arange(-2, 3), shares, n, 1) >= 0.93


@pytest.mark.parametrize("flips", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("n", [200, 2000])
def test_the_area_between_curves_is_covered(n, flips):
    values = np.arange(-10, 11) / 5
    shares = np.exp(-np.abs(values) * 5 / 3) * (1 + 0.8 * np.sign(values))
    shares[10] = 0
    shares *= flips / shares.sum()
    shares[10] = 1 - flips
    assert coverage(extra_drop, values, shares, n, 2) >= 0.93


@pytest.mark.parametrize("n", [20, 50, 200, 1000])
@pytest.mark.parametrize(
    "shares",
    [[0.9, 0.05, 0.02, 0.01, 0.01, 0.01], [0.2, 0.1, 0.1, 0.1, 0.2, 0.3], [0.02, 0, 0, 0, 0, 0.98], [1, 0, 0, 0, 0, 1]],
)
def test_the_area_under_a_curve_is_covered(n, shares):
    assert coverage(mean_accuracy, np.arange(6) / 5, shares, n, 3) >= 0.93


def test_a_model_that_falls_faster_is_told_from_its_twin():
    """2,000 rows at five severities: one model falls about 4 points more; its twin differs as often, both ways alike."""
    rng, studies = np.random.default_rng(6), 400
    fallen = false_alarms = 0
    for _ in range(studies):
        clean = rng.random(2000) < 0.9
        hits = (rng.random((5, 2000)) < 0.9) & clean
        one, other = (hits ^ (rng.random(hits.shape) < 0.02) for _ in range(2))
        worse = one & (rng.random(hits.shape) < 0.95)
        fallen += extra_drop(extra_drop_tally(clean, worse, clean, other)).low > 0
        false_alarms += extra_drop(extra_drop_tally(clean, one, clean, other)).low > 0
    assert fallen == studies
    assert false_alarms <= stats.binom.ppf(0.99, studies, 0.025)


@pytest.mark.parametrize("tally", [[], [3], [1, 2, 3], [0, 0, 0, 0, 0], [1, -1, 5, 0, 0]])
def test_nonsense_is_refused(tally):
    with pytest.raises(ValueError, match="tally"):
        extra_drop(np.array(tally, int))


def test_answers_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="same rows"):
        extra_drop_tally(np.ones(3, bool), np.ones((2, 3), bool), np.ones(3, bool), np.ones((1, 3), bool))
    with pytest.raises(ValueError, match="tally"):
        mean_accuracy(np.array([4]))
