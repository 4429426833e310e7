import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seatrial.numerics.paired import mcnemar, rows_needed, rows_to_settle, tango, tangos

FLIPS = st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 100_000))


# examples of Fagerland, Lydersen & Laake (2014), Statistics in Medicine 33, 2850; R contingencytables prints the second
@pytest.mark.parametrize(
    ("lost", "gained", "n", "low", "high", "digits"),
    [(1, 7, 21, -0.517, -0.026, 3), (6, 16, 161, -0.1240, -0.0054, 4)],
)
def test_published_intervals(lost, gained, n, low, high, digits):
    found = tango(lost, gained, n)
    assert (round(found.low, digits), round(found.high, digits)) == (low, high)


def test_published_mid_p():
    assert mcnemar(6, 16) == pytest.approx(0.034690, abs=5e-7)
    assert mcnemar(1, 7) == pytest.approx(0.0391, abs=5e-5)  # Fagerland et al. 2013


@settings(deadline=None)  # no test depends on the clock
@given(FLIPS)
def test_bounds_are_where_the_score_test_turns(counts):
    """An oracle of its own: the constrained likelihood maximised on a grid-free route, through its quadratic."""
    lost, gained, agree = counts
    n = lost + gained + agree + 1
    found, z = tango(lost, gained, n), stats.norm.ppf(0.975)
    for bound in (found.low, found.high):
        if abs(bound) < 0.999:
            roots = np.roots(
                [2.0 * n, (2.0 * n - lost + gained) * bound - lost - gained, -gained * bound * (1 - bound)]
            )
            share = max(0.0, -bound, float(np.max(roots.real)))
            score = (lost - gained - n * bound) / math.sqrt(n * (2.0 * share + bound * (1.0 - bound)))
            assert abs(score) == pytest.approx(z, rel=1e-4)


@settings(deadline=None)  # no test depends on the clock
@given(FLIPS, st.floats(0.5, 0.99))
def test_bounds_contain_the_value_widen_with_the_level_and_mirror(counts, level: float):
    lost, gained, agree = counts
    n = lost + gained + agree + 1
    narrow, wide, other = tango(lost, gained, n, level), tango(lost, gained, n, level + 0.005), tango(gained, lost, n)
    assert -1.0 <= wide.low <= narrow.low <= narrow.value <= narrow.high <= wide.high <= 1.0
    assert tango(lost, gained, n).low == pytest.approx(-other.high, abs=1e-12)


def test_no_flips_at_all():
    z2 = stats.norm.ppf(0.975) ** 2
    found = tango(0, 0, 1000)
    assert found.value == 0.0
    assert found.high == pytest.approx(z2 / (1000 + z2), rel=1e-9)
    assert found.low == pytest.approx(-found.high, rel=1e-9)
    assert mcnemar(0, 0) == 1.0


def _counts(rng: np.random.Generator, n: int, drop: float, flips: float, runs: int) -> np.ndarray:
    shares = [(flips + drop) / 2.0, (flips - drop) / 2.0, 1.0 - flips]
    return rng.multinomial(n, shares, size=runs)


@pytest.mark.parametrize(
    ("n", "flips", "drop"),
    [(100, 0.1, 0.0), (200, 0.1, 0.05), (1000, 0.02, 0.003), (10_000, 0.02, 0.003), (1000, 0.2, 0.1)],
)
def test_coverage(n: int, flips: float, drop: float):
    """4,000 runs: a binomial standard error of 0.0035, three of which are allowed for above 0.97, none below 0.93."""
    interval = cache(tango)
    runs = _counts(np.random.default_rng(7), n, drop, flips, 4000)
    inside = [(i := interval(lost, gained, n)).low <= drop <= i.high for lost, gained, _ in runs.tolist()]
    assert 0.93 <= np.mean(inside) <= 0.97 + 3 * 0.0035


def test_gate_errs_one_time_in_twenty_and_has_the_power_it_promised():
    """A drop of exactly the margin passes 5 % of gates; with none, the rows asked for pass 80 %."""
    rng, margin, flips, interval = np.random.default_rng(8), 0.003, 0.02, cache(tango)
    n = rows_needed(flips, margin)
    passes = {}
    for drop in (margin, 0.0):
        runs = _counts(rng, n, drop, flips, 4000).tolist()
        passes[drop] = np.mean([interval(lost, gained, n, 0.90).high < margin for lost, gained, _ in runs])
    assert passes[margin] <= 0.05 + 3 * 0.0035
    assert passes[0.0] == pytest.approx(0.8, abs=0.02)


def test_mcnemar_keeps_its_size_and_has_the_power_of_pairing():
    rng = np.random.default_rng(9)
    p = cache(mcnemar)
    same = np.mean([p(lost, gained) < 0.05 for lost, gained, _ in _counts(rng, 300, 0.0, 0.05, 4000).tolist()])
    assert same <= 0.05 + 3 * 0.0035
    # a drop of 0.3 pp with 2 % flips among 10,000 rows: one-sided at 5 % found 69 times in 100
    worse = _counts(rng, 10_000, 0.003, 0.02, 4000).tolist()
    assert np.mean([p(lost, gained) < 0.10 and lost > gained for lost, gained, _ in worse]) == pytest.approx(
        0.69, abs=0.03
    )


def test_rows_needed():
    assert rows_needed(0.02, 0.003, 0.0) == pytest.approx(13_700, rel=0.005)
    assert rows_needed(0.02, 0.003, 0.003) is None
    assert rows_needed(0.02, 0.003, -0.003) < rows_needed(0.02, 0.003) < rows_needed(0.02, 0.003, 0.001)


def test_rows_to_settle():
    assert rows_to_settle(0.001, 0.005, 0.003, 100) == 400
    assert rows_to_settle(0.9, 0.88, 0.86, 1000) == 250  # settled already
    assert rows_to_settle(0.001, 0.005, 0.001, 100) is None
    assert rows_to_settle(0.004, 0.005, 0.003, 100) is None
    assert rows_to_settle(0.9, 0.88, 0.95, 1000) is None
    assert rows_to_settle(0.001, 0.001, 0.003, 100) == 100
    assert rows_to_settle(0.001, 0.001, 0.001, 100) is None


@pytest.mark.parametrize("counts", [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="not"):
        tango(*counts)


def test_negative_flips_are_refused():
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 0)
    with pytest.raises(ValueError, match="flip rate"):
        rows_needed(2.0, 0.003)


@settings(deadline=None, max_examples=50)  # no test depends on the clock
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 500)), min_size=1, max_size=6))
def test_many_drops_at_once_are_each_alone(counts):
    lost, gained, same = np.array(counts).T
    rows = lost + gained + same
    found = tangos(lost, gained, rows, 0.9)
    for at, (down, up, n) in enumerate(zip(lost.tolist(), gained.tolist(), rows.tolist(), strict=True)):
        alone = tango(down, up, n, 0.9)
        assert (found.value[at], found.low[at], found.high[at]) == pytest.approx(alone[:3], abs=1e-9)


def test_no_rows_have_no_drop():
    assert np.isnan(tangos([0], [0], [0])[:3]).all()
    with pytest.raises(ValueError, match="fit"):
        tangos([3], [2], [4])
