"""Replicate groups: coverage under clusters, weights and pairing, against textbook variances, and the ends of the scale."""

import numpy as np
import pytest

from seatrial.numerics.proportions import proportion
from seatrial.numerics.replicates import (
    GROUPS,
    difference,
    difference_of_worst,
    mean_by_group,
    room_by_kind,
    spread,
    widened,
)

RUNS = 2000


def without_each(counts: np.ndarray) -> np.ndarray:
    """Totals without each group; `counts` has the groups on its first axis."""
    return counts.sum(axis=0) - counts


def test_the_error_of_a_mean_is_the_textbooks():
    """Of equally large groups the jackknife of a mean is the standard error of the group means, exactly."""
    values = np.random.default_rng(0).normal(size=(GROUPS, 30))
    means = without_each(values.sum(axis=1)) / (30 * (GROUPS - 1))
    expected = values.mean(axis=1).std(ddof=1) / np.sqrt(GROUPS)
    assert spread(values.mean(), means, GROUPS) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("clusters", "size", "share"), [(200, 10, 0.8), (60, 30, 0.9), (400, 5, 0.05)])
def test_clustered_shares_are_covered(clusters: int, size: int, share: float):
    """Rows of a cluster that are right or wrong together: Wilson's interval as if they were independent covers far less."""
    rng = np.random.default_rng(1)
    covered = naive = 0
    strength = 2.0  # beta-binomial with correlation 1 / (1 + strength) within a cluster
    for _ in range(RUNS):
        right = rng.binomial(size, rng.beta(share * strength, (1 - share) * strength, clusters))
        groups = min(GROUPS, clusters)
        dealt = np.zeros(groups)
        np.add.at(dealt, rng.permutation(clusters) % groups, right)
        rows = np.zeros(groups)
        np.add.at(rows, np.arange(clusters) % groups, size)
        value = right.sum() / (clusters * size)
        own = proportion(int(right.sum()), clusters * size, 0.95)
        without = without_each(dealt) / without_each(rows)
        low, high = widened(value, own.low, own.high, without, groups, clusters, 0.95)
        covered += bool(low <= share <= high)
        naive += own.low <= share <= own.high
    assert naive / RUNS < 0.85
    assert 0.93 <= covered / RUNS <= 0.975


def test_weighted_shares_are_covered():
    rng = np.random.default_rng(2)
    n, covered = 1500, 0
    weights = rng.lognormal(sigma=0.8, size=n)
    weights /= weights.mean()
    truth = 0.3
    for _ in range(RUNS):
        right = rng.random(n) < truth
        groups = rng.permutation(n) % GROUPS
        hit = np.bincount(groups, weights * right, GROUPS)
        all_ = np.bincount(groups, weights, GROUPS)
        value = hit.sum() / all_.sum()
        own = proportion(round(float(hit.sum())), n, 0.95)
        worth = 1 / np.mean(weights**2)
        low, high = widened(value, own.low, own.high, without_each(hit) / without_each(all_), GROUPS, n * worth, 0.95)
        covered += bool(low <= truth <= high)
    assert 0.93 <= covered / RUNS <= 0.975


def f1(table: np.ndarray) -> np.ndarray:
    return 2 * table[..., 1, 1] / np.maximum(1, 2 * table[..., 1, 1] + table[..., 0, 1] + table[..., 1, 0])


def paired_f1(mine: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tables of both by group; the figure rests on the rows that concern the class."""
    whole, other = mine.sum(axis=0), theirs.sum(axis=0)
    filled, units = (mine.sum(axis=(1, 2)) > 0).sum(), whole.sum() - whole[0, 0]
    return difference(f1(whole), f1(other), f1(without_each(mine)), f1(without_each(theirs)), filled, units, 0.95)


def test_the_paired_difference_of_f1_is_covered():
    """Two classifiers that agree on most rows; the true difference comes from ten million rows."""
    rng = np.random.default_rng(3)

    def draw(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        label = rng.random(rows) < 0.1
        reference = np.where(rng.random(rows) < 0.08, ~label, label)
        candidate = np.where(rng.random(rows) < 0.03, ~reference, reference)
        return label.astype(int), reference.astype(int), candidate.astype(int)

    def tables(label: np.ndarray, predicted: np.ndarray, groups: np.ndarray) -> np.ndarray:
        return np.bincount(groups * 4 + label * 2 + predicted, minlength=4 * GROUPS).reshape(GROUPS, 2, 2)

    label, reference, candidate = draw(10_000_000)
    whole = np.zeros(len(label), int)
    truth = f1(tables(label, candidate, whole)[0]) - f1(tables(label, reference, whole)[0])
    rows, covered = 3000, 0
    for _ in range(RUNS):
        label, reference, candidate = draw(rows)
        groups = rng.permutation(rows) % GROUPS
        mine, theirs = tables(label, candidate, groups), tables(label, reference, groups)
        _, low, high = paired_f1(mine, theirs)
        covered += bool(low <= truth <= high)
    assert 0.93 <= covered / RUNS <= 0.97


@pytest.mark.parametrize("changes", [0.5, 2.0, 5.0, 10.0])
def test_the_paired_difference_of_f1_of_a_rare_class_is_covered_by_few_changes(changes: float):
    """60 of 2,000 rows belong to the class; the candidate loses `changes` of its hits on average."""
    rng = np.random.default_rng(4)
    rows, covered = 2000, 0
    lost = changes / 48
    truth = 2 * 48 * (1 - lost) / (60 + 40 + 48 * (1 - lost)) - 2 * 48 / (60 + 40 + 48)
    for _ in range(RUNS):
        label = (rng.random(rows) < 0.03).astype(int)
        reference = np.where(label == 1, rng.random(rows) < 0.8, rng.random(rows) < 40 / 1940).astype(int)
        candidate = np.where((label == 1) & (rng.random(rows) < lost), 0, reference)
        groups = rng.integers(0, GROUPS, rows)
        tables = (np.bincount(groups * 4 + label * 2 + one, minlength=4 * GROUPS) for one in (candidate, reference))
        _, low, high = paired_f1(*(one.reshape(GROUPS, 2, 2) for one in tables))
        covered += bool(low <= truth <= high)
    assert covered / RUNS >= 0.93


@pytest.mark.parametrize(("rare", "lost", "others"), [(45, 1.5, 20.0), (45, 3.0, 0.5), (400, 1.5, 300.0)])
def test_the_mean_of_recalls_is_covered_where_few_rows_of_a_rare_class_change(rare: int, lost: float, others: float):
    """Balanced accuracy of 3,000 rows: a row of the rare class moves it far, and few of them change, however many others do."""
    rng = np.random.default_rng(7)
    sizes, chances = np.array([3000 - rare, rare]), np.array([others / (3000 - rare), lost / rare])
    truth, covered = chances.mean(), 0
    plain = 0
    for _ in range(RUNS // 2):
        group = [rng.integers(0, GROUPS, size) for size in sizes]
        rows = np.stack([np.bincount(one, minlength=GROUPS) for one in group], axis=1)
        wrong = np.stack([np.bincount(one[rng.random(len(one)) < at], minlength=GROUPS) for one, at in zip(group, chances, strict=True)], axis=1)  # fmt: skip
        value = (wrong.sum(axis=0) / sizes).mean()
        without = (without_each(wrong) / without_each(rows)).mean(axis=1)
        counts = [np.stack([rows - changed, changed], axis=-1) for changed in (wrong, np.zeros_like(wrong))]
        room = room_by_kind(0.5 / sizes, *counts, GROUPS, 0.95)
        for given in (room, None):
            _, low, high = difference(value, 0.0, without, np.zeros(GROUPS), GROUPS, 3000, 0.95, room=given)
            held = bool(low <= truth <= high)
            covered, plain = (covered + held, plain) if given is not None else (covered, plain + held)
    assert covered / (RUNS // 2) >= 0.93
    assert plain < covered


def test_the_difference_of_gaps_is_covered_where_it_is_doubtful_who_is_served_worse():
    """Two models that both give two groups nearly equal shares: seen, either group may be ahead. A plain jackknife covers far less."""
    rng = np.random.default_rng(8)
    rows, covered, plain = np.array([300, 700]), 0, 0
    share, more = np.array([0.4, 0.4]), np.array([0.0, 0.03])  # the candidate gives to some of the second group more
    for _ in range(RUNS // 4):
        tables = np.zeros((2, GROUPS, 2))
        sizes = np.zeros((GROUPS, 2))
        for place in range(2):
            group = rng.integers(0, GROUPS, rows[place])
            given = rng.random(rows[place]) < share[place]
            own = given | (rng.random(rows[place]) < more[place] / (1 - share[place]))
            sizes[:, place] = np.bincount(group, minlength=GROUPS)
            for side, each in enumerate((own, given)):
                tables[side, :, place] = np.bincount(group[each], minlength=GROUPS)
        both = [one.sum(axis=0) / rows for one in tables]
        again = [without_each(one) / without_each(sizes) for one in tables]
        signed = [np.stack([one[..., 0] - one[..., 1], one[..., 1] - one[..., 0]], axis=-1) for one in (*both, *again)]
        value, low, high = difference_of_worst(signed[0], signed[1], [True, True], *signed[2:], GROUPS, 1000, 0.95)
        covered += bool(low[0] <= 0.03 <= high[0])
        gaps = [np.abs(one[..., 0] - one[..., 1]) for one in (*both, *again)]
        naive = difference(*gaps, GROUPS, 1000, 0.95)
        assert value[0] == pytest.approx(naive[0])
        plain += bool(naive[1] <= 0.03 <= naive[2])
    assert plain / (RUNS // 4) < 0.93 <= covered / (RUNS // 4)


def test_a_worst_of_nothing_has_no_bounds():
    value, low, high = difference_of_worst([0.1], [0.2], [False], np.zeros((20, 1)), np.zeros((20, 1)), 20, 100, 0.95)
    assert np.isnan([value[0], low[0], high[0]]).all()


def shares(rng: np.random.Generator, units: int, worse: float, better: float, size: int = 1) -> tuple[float, ...]:
    """Bounds of a paired difference of shares: units of `size` rows, each worse or better as a whole, as often as stated."""
    drawn = rng.random(units)
    change = np.where(drawn < worse, size, np.where(drawn < worse + better, -size, 0))
    groups = rng.permutation(units) % min(units, GROUPS) if size > 1 else rng.integers(0, GROUPS, units)
    total, rows = np.bincount(groups, change, GROUPS), np.bincount(groups, np.full(units, size), GROUPS)
    with np.errstate(invalid="ignore"):
        without = without_each(total) / without_each(rows)
    _, low, high = difference(total.sum() / rows.sum(), 0, without, np.zeros(GROUPS), (rows > 0).sum(), units, 0.95)
    return float(low), float(high)


@pytest.mark.parametrize(("units", "size"), [(30, 1), (60, 1), (1000, 1), (10_000, 1), (50, 10), (1000, 10)])
@pytest.mark.parametrize("changes", [0.5, 2.0, 4.0, 8.0])
def test_few_changed_rows_or_clusters_are_covered(units: int, size: int, changes: float):
    """Among them a slice with rows in some of the groups alone, and changes that all go one way."""
    rng = np.random.default_rng(5)
    for worse, better in ((changes, 0.0), (changes / 2, changes / 2)):
        truth = (worse - better) / units
        found = [shares(rng, units, worse / units, better / units, size) for _ in range(RUNS // 2)]
        assert np.mean([low <= truth <= high for low, high in found]) >= 0.93


def test_the_mean_by_group_is_the_weighted_mean_and_covers():
    rng = np.random.default_rng(6)
    clusters, size, covered = 150, 8, 0
    for _ in range(RUNS):
        values = np.repeat(rng.normal(size=clusters), size) + rng.normal(size=clusters * size)
        weights = rng.lognormal(sigma=0.5, size=clusters * size)
        groups = np.repeat(rng.permutation(clusters) % GROUPS, size)
        found = mean_by_group(values, weights, groups, clusters, 0.95)
        covered += found.low <= 0.0 <= found.high
    assert found.value == pytest.approx(np.average(values, weights=weights))
    assert 0.93 <= covered / RUNS <= 0.97
    few = mean_by_group(values[:60], weights[:60], np.repeat(np.arange(6), 10), 6, 0.95)
    assert (few.low, few.high) == (None, None)
    assert "fewer than 10" in few.method


def test_a_share_of_none_is_bounded_by_its_independent_rows():
    none, every = np.zeros(GROUPS), np.ones(GROUPS)
    low, high = widened(0.0, 0.0, 0.001, none, GROUPS, 50, 0.95)
    assert (low, float(high)) == (0.0, pytest.approx(1 - 0.025 ** (1 / 50)))
    low, high = widened(1.0, 0.999, 1.0, every, GROUPS, 50, 0.95)
    assert (float(low), high) == (pytest.approx(0.025 ** (1 / 50)), 1.0)


def test_bounds_never_get_narrower_and_stay_shares():
    without = np.stack(
        [[0.5 + error, 0.02 + other] for error, other in zip([1e-5, -1e-5] * 50, [0.02, -0.02] * 50, strict=True)]
    )
    low, high = widened([0.5, 0.02], [0.4, 0.01], [0.6, 0.05], without, GROUPS, 1000, 0.95)
    assert (low[0], high[0]) == (pytest.approx(0.4), pytest.approx(0.6))
    assert low[1] == 0.0
    assert 0.05 < high[1] <= 1.0


def test_equal_statistics_still_have_a_width():
    value, low, high = difference(0.7, 0.7, np.full(100, 0.7), np.full(100, 0.7), 100, 1000, 0.95)
    assert value == 0.0
    assert -low == high == pytest.approx(-np.log(0.025) / 1000)


def test_few_groups_or_independent_rows_give_no_bounds():
    for filled, units in ((5, 1000), (100, 8)):
        value, low, high = difference(0.7, 0.6, np.full(100, 0.7), np.full(100, 0.6), filled, units, 0.95)
        assert value == pytest.approx(0.1)
        assert np.isnan(low)
        assert np.isnan(high)
    low, high = widened(0.7, 0.6, 0.8, np.full(100, 0.7), 5, 1000, 0.95)
    assert np.isnan(low)
    assert np.isnan(high)
