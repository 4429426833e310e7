from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from seatrial.numerics import classes

TABLES = st.integers(2, 6).flatmap(lambda k: arrays(np.int64, (k, k), elements=st.integers(0, 60)))


@settings(deadline=None)  # no test depends on the clock
@given(TABLES.filter(lambda t: t.sum() > 0))
def test_values_are_sklearns(table):
    labels, predictions = (np.repeat(index.ravel(), table.ravel()) for index in np.indices(table.shape))
    ours = [classes.precision(table), classes.recall(table), classes.f1(table)]
    theirs = precision_recall_fscore_support(labels, predictions, labels=range(len(table)), zero_division=np.nan)
    assert classes.accuracy(table).value == pytest.approx(accuracy_score(labels, predictions))
    for found, expected in zip(ours[:2], theirs[:2], strict=True):
        assert [np.nan if i is None else i.value for i in found] == pytest.approx(list(expected), nan_ok=True)
    rows = table.sum(axis=0) + table.sum(axis=1)
    assert [i is None for i in ours[2]] == list(rows == 0)
    assert [i.value for i in ours[2] if i] == pytest.approx(list(2 * np.diag(table)[rows > 0] / rows[rows > 0]))


@settings(deadline=None)  # no test depends on the clock
@given(TABLES.filter(lambda t: t.sum() > 0))
def test_bounds_contain_the_value_and_widen_with_the_level(table):
    for measure in (classes.macro_recall, classes.macro_precision, classes.macro_f1):
        narrow, wide = measure(table, 0.9), measure(table, 0.99)
        assert 0.0 <= wide.low <= narrow.low + 1e-12 <= narrow.value + 2e-12
        assert narrow.value - 1e-12 <= narrow.high <= wide.high + 1e-12 <= 1.0 + 2e-12
    for part in classes.f1(table):
        assert part is None or part.low <= part.value <= part.high


@settings(deadline=None)  # no test depends on the clock
@given(TABLES.filter(lambda t: t.sum() > 0))
def test_precision_is_recall_turned_over(table):
    assert classes.precision(table) == classes.recall(table.T)


def test_averages_leave_out_classes_without_a_value():
    table = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])
    assert classes.recall(table)[2] is None
    assert classes.macro_recall(table).value == pytest.approx(0.85)
    assert "2 of 3" in classes.macro_f1(table).method


def test_perfect_tables_are_not_certain():
    table = 50 * np.eye(4, dtype=int)
    for measure in (classes.macro_recall, classes.macro_precision, classes.macro_f1):
        found = measure(table)
        assert found.value == found.high == 1.0
        assert 0.9 < found.low < 0.99


def _truths(shares):
    right, labels, predictions = np.diag(shares), shares.sum(axis=1), shares.sum(axis=0)
    return right / labels, right / predictions, 2 * right / (labels + predictions)


# rows of which 10, 15, 30, 30 and 100 among 1,000 are positive, three classes, ten classes with 10 rows wrong in all
SCENES = {
    "10 positives": ([[960, 30], [3, 7]], 1000),
    "15 positives": ([[975, 10], [3, 12]], 1000),
    "30 positives": ([[940, 30], [6, 24]], 1000),
    "30 positives, nearly all found": ([[968, 2], [1, 29]], 1000),
    "100 positives": ([[850, 50], [20, 80]], 1000),
    "three, one of 15": ([[900, 20, 5], [8, 30, 2], [3, 2, 10]], 1000),
    "ten, nearly perfect": (np.full((10, 10), 1.0) + 890.0 * np.eye(10), 1000),
}


@pytest.mark.parametrize("scene", SCENES)
def test_coverage(scene, monkeypatch):
    """2,000 tables each, standard error 0.005. At least 0.93, with no allowance. The upper limit of 0.97 is asserted
    where the expected cells are 14 or more (three standard errors allowed): in smaller ones the exact interval, or a
    macro average of such, is in play, and a proportion of 10 rows has 11 outcomes and no interval between 0.93 and 0.97.
    """
    monkeypatch.setattr(classes, "proportion", cache(classes.proportion))  # the same counts come up again and again
    shares, n = SCENES[scene]
    shares = np.asarray(shares, float) / np.sum(shares)
    size, runs = len(shares), 2000 if len(shares) < 4 else 500
    inside: dict[str, list[bool]] = {}
    truths = dict(zip(("recall", "precision", "f1"), _truths(shares), strict=True))
    for table in np.random.default_rng(11).multinomial(n, shares.ravel(), size=runs).reshape(runs, size, size):
        for name, truth in truths.items():
            macro = getattr(classes, f"macro_{name}")(table)
            inside.setdefault(f"macro {name}", []).append(macro.low <= truth.mean() <= macro.high)
            if size < 4:
                for k, part in enumerate(getattr(classes, name)(table)):
                    if part is not None:
                        inside.setdefault(f"{name} {k}", []).append(part.low <= truth[k] <= part.high)
    covered = {name: float(np.mean(hits)) for name, hits in inside.items()}
    assert min(covered.values()) >= 0.93, covered
    if n * shares.min() >= 14:
        assert max(covered.values()) <= 0.97 + 3 * 0.005, covered


@pytest.mark.parametrize("wrong", [[[1, 2]], [[1, -1], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], [1, 2], [[0, 0], [0, 0]]])
def test_what_is_no_table_is_refused(wrong):
    with pytest.raises(ValueError, match=r"counts|row|class"):
        classes.accuracy(wrong)


def test_an_empty_table_has_no_average():
    with pytest.raises(ValueError, match="no class"):
        classes.macro_f1(np.zeros((2, 2), int))
