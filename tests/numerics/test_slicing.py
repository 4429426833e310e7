import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seatrial.numerics.distributions import binomial_cdf
from seatrial.numerics.multiple import holm
from seatrial.numerics.slicing import rows_of, search
from seatrial.numerics.slicing_candidates import plan
from seatrial.numerics.slicing_confirm import (
    binary_above,
    binary_difference,
    clustered_above,
    mean_above,
    mean_difference,
    signed_above,
    signed_difference,
)
from seatrial.numerics.slicing_counts import count, cover
from seatrial.numerics.slicing_shrinkage import fit, posterior

LEVELS = [20, 15, 12, 10, 8, 6, 5, 5, 4, 3]


def _codes(rng: np.random.Generator, n: int, levels: list[int]) -> np.ndarray:
    return np.asfortranarray(np.stack([rng.integers(0, size, n) for size in levels], axis=1))


def _table(seed: int, n: int = 20_000, levels: list[int] = LEVELS):
    rng = np.random.default_rng(seed)
    return rng, _codes(rng, n, levels), rng.random(n) < 0.5


def _false_alarms_allowed(runs: int, share: float = 0.05) -> int:
    """The largest number of alarms that is no surprise at the 1 % level if each run has at most this chance of one."""
    return next(k for k in range(runs) if binomial_cdf(k, runs, share) >= 0.99)


# --- counting ---------------------------------------------------------------------------------------------------------


@st.composite
def tables(draw):
    """A small table with unused levels and a loss of one of the three kinds."""
    levels = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    n = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    codes = _codes(rng, n, [draw(st.integers(1, size)) for size in levels])
    kind = draw(st.sampled_from(["binary", "signed", "real", "none", "all"]))
    loss = {
        "binary": rng.integers(0, 2, n),
        "signed": rng.integers(-1, 2, n),
        "real": rng.normal(1000.0, 1.0, n),
        "none": np.zeros(n),
        "all": np.ones(n),
    }[kind]
    return levels, codes, loss.astype(float), rng.random(n) < 0.7


def _brute(levels: list[int], codes: np.ndarray, depth: int):
    """Every slice of at most so many conditions, one by one, with the rows that meet it."""
    for length in range(1, depth + 1):
        for columns in combinations(range(len(levels)), length):
            for cell in product(*(range(levels[column]) for column in columns)):
                conditions = tuple(zip(columns, cell, strict=True))
                met = np.logical_and.reduce([codes[:, column] == level for column, level in conditions])
                yield conditions, met


@settings(deadline=None, max_examples=60)
@given(tables(), st.integers(1, 3), st.sampled_from([1, 8, 40, 10_000]))
def test_counts_equal_brute_force(table, depth: int, most_cells: int):
    levels, codes, loss, _ = table
    wanted = list(combinations(range(len(levels)), min(depth, len(levels))))
    assert all(any(set(one) <= set(block) for block in cover(wanted, levels, most_cells)) for one in wanted)
    hit, quiet = np.flatnonzero(loss), np.flatnonzero(loss == 0)
    weights = None if set(loss) <= {0.0, 1.0} else loss[hit]
    columns = [codes[:, at].astype(np.uint8) for at in range(len(levels))]
    found = count(columns, levels, quiet, hit, weights, wanted)
    for conditions, met in _brute(levels, codes, len(wanted[0])):
        one, cell = tuple(column for column, _ in conditions), tuple(level for _, level in conditions)
        assert found[one].n[cell] == met.sum()
        assert found[one].total[cell] == pytest.approx(loss[met].sum(), abs=1e-9)
        assert found[one].squares[cell] == pytest.approx((loss[met] ** 2).sum(), rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(tables(), st.integers(1, 3), st.integers(1, 6))
def test_a_search_looks_at_every_slice_with_enough_rows(table, depth: int, least: int):
    levels, codes, loss, first = table
    found = search(codes, levels, loss, first, depth, least_rows=least, most=1000)
    constant = {column for column in range(len(levels)) if len(set(codes[first, column])) <= 1}
    enough = {
        conditions: met
        for conditions, met in _brute(levels, codes, depth)
        if least <= (met & first).sum() <= first.sum() - least and not constant & {column for column, _ in conditions}
    }
    assert found.searched == len(enough)
    assert {one.column for one in found.left_out if one.why.startswith("all rows")} == constant
    for one in found.slices:
        met = enough[one.conditions]
        assert (one.rows_discover, one.rows_confirm) == ((met & first).sum(), (met & ~first).sum())
        assert 0 < one.score <= one.shrunk
        assert all(other in enough for other in one.merged)
        if one.rows_confirm and (~met & ~first).any():
            assert one.inside == pytest.approx(loss[met & ~first].mean())
            assert one.outside == pytest.approx(loss[~met & ~first].mean())
            assert one.effect.value == pytest.approx(one.inside - one.outside)
    if np.ptp(loss[first]) == 0 if first.any() else True:
        assert not found.slices


def test_ten_columns_need_few_passes():
    wanted = list(combinations(range(10), 3))
    assert len(wanted) == 120
    assert len(cover(wanted, [8] * 10, 4096)) <= 40  # 30 is the least for blocks of four
    assert cover([(0,), (3,)], [9, 9, 9, 9], 100) == [(0, 3)]


@pytest.mark.parametrize("levels", [300, 70_000])
def test_more_levels_than_a_byte_or_two_hold(levels: int):
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, 40, 40_000) * (levels // 40), rng.integers(0, 3, 40_000)], axis=1)
    bad = (codes[:, 0] == 39 * (levels // 40)) & (codes[:, 1] == 2)
    loss = rng.random(40_000) < np.where(bad, 0.6, 0.1)
    found = search(codes, [levels, 3], loss, rng.random(40_000) < 0.5)
    assert [one.conditions for one in found.slices if one.confirmed] == [((0, 39 * (levels // 40)), (1, 2))]


def test_what_does_not_fit_the_budget_is_named():
    rng, codes, first = _table(3, 20_000, [150, 30, 4, 1])
    codes[:40, 2] = 4
    loss = rng.random(20_000) < 0.1
    found = search(codes, [150, 30, 5, 1], loss, first, most_cells=700, least_rows=30)
    assert found.cells <= 700
    assert [(one.column, one.depth) for one in found.left_out] == [(2, 1), (3, 1), (0, 2)]
    assert "fewer than 30 rows" in found.left_out[0].why
    assert "700" in found.left_out[-1].why
    whole, nothing = plan({0: np.arange(150), 1: np.arange(30), 2: np.arange(4)}, [150, 30, 4], 3, 10**6)
    assert not nothing
    assert [len(sets) for sets in whole] == [3, 3, 1]


# --- bad and bare input -----------------------------------------------------------------------------------------------


def test_bad_input_is_refused_in_words():
    codes, loss, first = np.zeros((4, 2), int), np.zeros(4), np.array([True, True, False, False])
    bad = np.array([0.0, 1.0, np.nan, np.inf])
    with pytest.raises(ValueError, match="2 losses are not finite, the first in row 2"):
        search(codes, [1, 1], bad, first)
    with pytest.raises(ValueError, match="column 1 must lie between 0 and 0"):
        search(codes + np.array([0, 1]), [1, 1], loss, first)
    with pytest.raises(ValueError, match="column 0"):
        search(codes - 1, [1, 1], loss, first)
    with pytest.raises(ValueError, match="3 columns"):
        search(codes, [1, 1, 1], loss, first)
    with pytest.raises(ValueError, match="whole numbers"):
        search(codes.astype(float), [1, 1], loss, first)
    with pytest.raises(ValueError, match="flag"):
        search(codes, [1, 1], loss, first.astype(int))
    with pytest.raises(ValueError, match="flag"):
        search(codes, [1, 1], loss[:3], first)
    with pytest.raises(ValueError, match="one to three"):
        search(codes, [1, 1], loss, first, 4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.5])


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("half", [True, False])
def test_hardly_any_rows(rows: int, half: bool):
    found = search(np.zeros((rows, 2), np.uint8), [2, 3], np.ones(rows), np.full(rows, half), least_rows=1)
    assert found.slices == ()


def test_without_rows_to_confirm_on_nothing_is_confirmed():
    rng = np.random.default_rng(1)
    codes = _codes(rng, 4000, [4, 3])
    loss = rng.random(4000) < np.where(codes[:, 0] == 1, 0.5, 0.1)
    found = search(codes, [4, 3], loss, np.ones(4000, bool))
    assert [(one.conditions, one.p, one.confirmed) for one in found.slices] == [(((0, 1),), 1.0, False)]
    assert math.isnan(found.mean_confirm)


def test_rows_of():
    codes = np.array([[0, 1], [1, 1], [1, 0], [1, 1]])
    assert rows_of(((0, 1), (1, 1)), codes).tolist() == [1, 3]
    assert rows_of(((0, 1),), codes, most=2).tolist() == [1, 2]
    assert rows_of(((1, 7),), codes).tolist() == []


# --- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_planted_slice_is_found_and_stands_for_its_kin(depth: int):
    rng, codes, first = _table(21, 60_000)
    conditions = ((5, 2), (8, 1), (9, 0))[:depth]
    bad = np.logical_and.reduce([codes[:, column] == level for column, level in conditions])
    found = search(codes, LEVELS, rng.random(60_000) < np.where(bad, 0.35, 0.1), first)
    assert found.slices[0].conditions == conditions
    assert [one.conditions for one in found.slices if one.confirmed] == [conditions]
    assert found.slices[0].effect.low < 0.25 < found.slices[0].effect.high
    assert set(rows_of(conditions, codes, 10**6)) == set(np.flatnonzero(bad))


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_a_planted_slice_of_real_losses_is_found(scale: float):
    rng, codes, first = _table(6, 60_000)
    bad = (codes[:, 4] == 3) & (codes[:, 7] == 1)
    loss = scale * (10.0 + rng.exponential(np.where(bad, 1.4, 1.0)))
    found = search(codes, LEVELS, loss, first)
    assert [one.conditions for one in found.slices if one.confirmed] == [((4, 3), (7, 1))]
    assert found.slices[0].effect.low < 0.4 * scale < found.slices[0].effect.high


def test_several_planted_slices_are_all_found():
    rng, codes, first = _table(7, 100_000)
    planted = {((0, 3),): 0.1, ((5, 2), (8, 1)): 0.2, ((6, 0), (7, 1), (9, 1)): 0.3}
    rate = np.full(100_000, 0.1)
    for conditions, more in planted.items():
        rate[rows_of(conditions, codes, 10**6)] += more
    found = search(codes, LEVELS, rng.random(100_000) < rate, first)
    assert set(planted) <= {one.conditions for one in found.slices if one.confirmed}


def test_two_columns_that_say_the_same_make_one_slice():
    rng, codes, first = _table(8, 40_000, [6, 5, 4])
    twice = np.column_stack([codes, (codes[:, 0] == 2).astype(int)])
    loss = rng.random(40_000) < np.where(codes[:, 0] == 2, 0.3, 0.1)
    found = search(twice, [6, 5, 4, 2], loss, first)
    (one,) = [one for one in found.slices if one.confirmed]
    assert one.conditions in (((0, 2),), ((3, 1),))
    assert {((0, 2),), ((3, 1),)} - {one.conditions} <= set(one.merged)


def test_a_column_that_goes_along_with_a_bad_one_is_explained_by_it():
    rng, codes, first = _table(9, 100_000, [6, 5, 4])
    codes[:, 1] = np.where(rng.random(100_000) < 0.3, codes[:, 0] % 5, codes[:, 1])
    loss = rng.random(100_000) < np.where(codes[:, 0] == 2, 0.3, 0.1)
    found = search(codes, [6, 5, 4], loss, first)
    assert loss[codes[:, 1] == 2].mean() > 0.14  # it looks bad
    assert [one.conditions for one in found.slices if one.confirmed] == [((0, 2),)]
    assert ((1, 2),) in found.slices[0].merged


def _paired(rng: np.random.Generator, fault: np.ndarray, lost_in_fault: float) -> np.ndarray:
    """Candidate's error minus reference's: 2 % of rows flip at random, either way, and some more are lost in the fault."""
    flips = rng.random(fault.size)
    loss = np.where(flips < 0.01, 1.0, np.where(flips < 0.02, -1.0, 0.0))
    loss[fault & (rng.random(fault.size) < lost_in_fault)] = 1.0
    return loss


def test_the_slice_that_a_change_has_hurt_is_found_and_its_healthy_twin_is_quiet():
    rng, codes, first = _table(10, 100_000)
    fault = (codes[:, 5] == 2) & (codes[:, 8] == 1)
    hurt, healthy = _paired(rng, fault, 0.04), _paired(rng, fault, 0.0)
    assert hurt.mean() < 0.004  # the whole hardly shows it
    found = search(codes, LEVELS, hurt, first)
    assert [one.conditions for one in found.slices if one.confirmed] == [((5, 2), (8, 1))]
    assert not any(one.confirmed for one in search(codes, LEVELS, healthy, first).slices)


# --- false alarms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "depth"), [("binary", 2), ("signed", 1), ("real", 1)])
def test_null_data_raise_few_alarms(kind: str, depth: int):
    """200 runs of 3,000 rows with 200 levels in 20 columns and a loss that knows nothing of them."""
    levels, alarms = [10] * 20, 0
    for run in range(200):
        rng, codes, first = _table(run, 3000, levels)
        loss = {
            "binary": lambda rng: rng.random(3000) < 0.1,
            "signed": lambda rng: _paired(rng, np.zeros(3000, bool), 0.0),
            "real": lambda rng: rng.lognormal(0.0, 1.0, 3000),
        }[kind](rng)
        alarms += any(one.confirmed for one in search(codes, levels, loss, first, depth, least_rows=20).slices)
    assert alarms <= _false_alarms_allowed(200)


@pytest.mark.parametrize("rate", [0.002, 0.02, 0.2])
def test_two_hundred_null_slices_tested_at_once_keep_the_family_wise_level(rate: float):
    """Every null slice goes to the test, none screened out: slices of 20 to 2,000 of 40,000 rows."""
    rng, alarms = np.random.default_rng(11), 0
    sizes = np.geomspace(20, 2000, 200).astype(int)
    for _ in range(200):
        errors = rng.binomial(sizes, rate)
        outside = rng.binomial(40_000 - sizes, rate)
        p = [
            binary_above(int(k), int(n), int(o), 40_000 - int(n))
            for k, n, o in zip(errors, sizes, outside, strict=True)
        ]
        alarms += holm(p).min() <= 0.05
    assert alarms <= _false_alarms_allowed(200)


@pytest.mark.parametrize(("lost", "gained"), [(0.01, 0.01), (0.002, 0.002), (0.01, 0.03), (0.03, 0.01), (0.0, 0.02)])
def test_null_slices_of_paired_losses_keep_the_level_far_out(lost: float, gained: float):
    """Single tests at level 0.05 and 0.005, slices of 50 to 2,000 rows, the slice flipping as others do or thrice as often."""
    rng, runs = np.random.default_rng(12), 4000
    for more in (1.0, 3.0):
        extra = (more - 1.0) * min(lost, gained) if min(lost, gained) else 0.0
        for n in (50, 300, 2000):
            here = rng.multinomial(n, [lost + extra, gained + extra, 1 - lost - gained - 2 * extra], runs)
            there = rng.multinomial(40_000, [lost, gained, 1 - lost - gained], runs)
            p = np.array(
                [
                    signed_above((a, b, n), (c, d, 40_000))
                    for (a, b, _), (c, d, _) in zip(here.tolist(), there.tolist(), strict=True)
                ]
            )
            for level in (0.05, 0.005):
                assert (p <= level).sum() <= _false_alarms_allowed(runs, level), (n, more, level)


@pytest.mark.parametrize("law", ["lognormal", "negative lognormal", "rare loss", "rare gain"])
def test_null_slices_of_real_losses_keep_the_level(law: str):
    rng, runs = np.random.default_rng(13), 1000
    draw = {
        "lognormal": lambda size: rng.lognormal(0.0, 1.0, size),
        "negative lognormal": lambda size: -rng.lognormal(0.0, 1.0, size),
        "rare loss": lambda size: (rng.random(size) < 0.02) * rng.exponential(1.0, size),
        "rare gain": lambda size: (rng.random(size) < 0.02) * -rng.exponential(1.0, size),
    }[law]
    for n in (50, 1000):
        p = np.array([mean_above(draw(n), draw(10_000)) for _ in range(runs if n > 200 else 400)])
        for level in (0.05, 0.005):
            assert (p <= level).sum() <= _false_alarms_allowed(p.size, level), (n, level)


def _clustered(rng: np.random.Generator, clusters: int, rows: int, spread: float = 1.5):
    """Rows in clusters of one size that share a level and an error rate."""
    of = np.repeat(np.arange(clusters), rows)
    rate = 1.0 / (1.0 + np.exp(2.0 - spread * rng.standard_normal(clusters)))
    codes = _codes(rng, clusters, [4, 3])[of]
    return of, codes, rng.random(of.size) < rate[of], (rng.random(clusters) < 0.5)[of]


def test_rows_in_clusters_raise_few_alarms_where_the_clusters_are_told():
    told, untold = 0, 0
    for run in range(200):
        of, codes, loss, first = _clustered(np.random.default_rng(run), 120, 100)
        told += any(one.confirmed for one in search(codes, [4, 3], loss, first, clusters=of).slices)
        untold += any(one.confirmed for one in search(codes, [4, 3], loss, first).slices)
    assert told <= _false_alarms_allowed(200)
    assert untold > 100  # which is why they have to be told


@pytest.mark.parametrize("touched", [10, 40])
def test_intervals_over_clusters_cover(touched: int):
    """2,000 runs at nominal 0.95: a slice of whole clusters of 20 rows among 200 clusters, the slice's mean the higher."""
    rng, inside, runs = np.random.default_rng(18), 0, 2000
    of = np.repeat(np.arange(200), 20)
    here = of < touched
    for _ in range(runs):
        loss = rng.normal(0.0, 1.0, 200)[of] + rng.normal(0.5 * here, 1.0)
        _, found = clustered_above(loss[here], loss[~here], of[here], of[~here], 0.95)
        inside += found.low <= 0.5 <= found.high
    assert 0.93 <= inside / runs <= 0.97 + 3 * math.sqrt(0.03 * 0.97 / runs)


def test_clusters_of_one_row_are_independent_rows():
    rng, codes, first = _table(19, 40_000)
    loss = rng.exponential(np.where(codes[:, 5] == 2, 1.2, 1.0))
    plain, told = (search(codes, LEVELS, loss, first, 1, clusters=of) for of in (None, np.arange(40_000)))
    one, other = plain.slices[0], told.slices[0]
    assert (one.conditions, one.inside, other.confirmed) == (other.conditions, other.inside, True)
    assert other.effect.low == pytest.approx(one.effect.low, abs=0.01)
    assert other.effect.high == pytest.approx(one.effect.high, abs=0.01)
    assert "clusters" in told.method


def test_clusters_must_lie_in_one_half():
    codes, loss, first = np.zeros((4, 1), int), np.zeros(4), np.array([True, True, False, False])
    with pytest.raises(ValueError, match="1 clusters lie in both halves, the first b"):
        search(codes, [1], loss, first, clusters=["a", "b", "b", "c"])
    with pytest.raises(ValueError, match="one cluster a row"):
        search(codes, [1], loss, first, clusters=[1, 2])
    one = np.array([1.0, 2.0])
    assert clustered_above(one, one, np.array([0, 0]), np.array([1, 2]), 0.95)[0] == 1.0


# --- tests and intervals against oracles --------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 3000), st.integers(1, 3000))
def test_the_exact_test_is_scipys(errors: int, n: int, outside: int, n_outside: int):
    errors, outside = min(errors, n), min(outside, n_outside)
    oracle = stats.fisher_exact([[errors, n - errors], [outside, n_outside - outside]], alternative="greater").pvalue
    assert binary_above(errors, n, outside, n_outside) == pytest.approx(oracle, rel=1e-6, abs=1e-12)


def test_the_exact_test_with_many_rows():
    found = binary_above(900, 8250, 42_000, 491_750)
    assert found == pytest.approx(stats.hypergeom.sf(899, 500_000, 42_900, 8250), rel=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_by_its_definition(p: list[float]):
    """Walk up the sorted p values; each is multiplied by how many are left, and none falls below the one before."""
    found, so_far = holm(p).tolist(), 0.0
    for left, value in zip(range(len(p), 0, -1), sorted(p), strict=True):
        so_far = max(so_far, min(1.0, left * value))
        assert found[p.index(value)] == pytest.approx(so_far)


def test_published_adjustment():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # R: p.adjust(..., "holm")
    assert holm([]).tolist() == []


def test_symmetric_losses_are_tested_as_welch_does():
    rng = np.random.default_rng(14)
    inside, outside = rng.normal(0.1, 2.0, 500), rng.normal(0.0, 1.0, 20_000)
    inside, outside = np.r_[inside, 0.2 - inside], np.r_[outside, -outside]
    oracle = stats.ttest_ind(inside, outside, equal_var=False, alternative="greater").pvalue
    assert mean_above(inside, outside) == pytest.approx(oracle, rel=1e-6)


@pytest.mark.parametrize("kind", ["binary", "signed", "real"])
def test_intervals_cover(kind: str):
    """2,000 runs at nominal 0.95, a slice of 200 among 5,000 rows."""
    rng, runs, n, m = np.random.default_rng(15), 2000, 200, 5000
    inside = 0
    for _ in range(runs):
        if kind == "binary":
            truth = 0.1
            found = binary_difference(rng.binomial(n, 0.2), n, rng.binomial(m, 0.1), m, 0.95)
        elif kind == "signed":
            truth = 0.05
            one, other = rng.multinomial(n, [0.1, 0.05, 0.85]), rng.multinomial(m, [0.02, 0.02, 0.96])
            found = signed_difference((one[0], one[1], n), (other[0], other[1], m), 0.95)
        else:
            truth = 1.0
            found = mean_difference(rng.exponential(2.0, n), rng.exponential(1.0, m), 0.95)
        inside += found.low <= truth <= found.high
    assert 0.93 <= inside / runs <= 0.97 + 3 * math.sqrt(0.03 * 0.97 / runs)


# --- shrinkage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "gain"), [(0.001, 20.0), (0.2, 2.0), (1.0, 1.3)])
def test_shrinkage_comes_closer_to_the_truth(share: float, gain: float):
    """Few large effects among nulls, or all of them real: the mean squared error falls, the large ones stay."""
    rng = np.random.default_rng(16)
    truth = np.where(rng.random(20_000) < share, rng.normal(0.0, 0.1, 20_000), 0.0)
    v = rng.uniform(0.02, 0.1, truth.size) ** 2
    x = truth + rng.normal(0.0, np.sqrt(v))
    mean, variance = posterior(x, v, fit(x, v))
    assert gain * np.mean((mean - truth) ** 2) < np.mean((x - truth) ** 2)
    assert np.all(np.abs(mean) <= np.abs(x))
    assert np.all((variance >= 0.0) & (variance <= v + x * x / 4.0))  # no weights between 0 and 1 make more


def test_one_large_effect_among_thousands_of_nulls_stays():
    rng = np.random.default_rng(17)
    x, v = rng.normal(0.0, 0.01, 70_000), np.full(70_000, 1e-4)
    x[4321], v[4321] = 0.2, 1e-5
    mean, variance = posterior(x, v, fit(x, v))
    assert mean[4321] == pytest.approx(0.2, abs=0.003)
    assert variance[4321] < 1.1e-5
    assert np.abs(np.delete(mean, 4321)).max() < 0.6 * np.abs(np.delete(x, 4321)).max()
    assert np.mean(np.abs(np.delete(mean, 4321))) < 1e-4
