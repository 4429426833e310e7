"""Leaks that are planted are found, each by its name; tables without leaks are quiet."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.audit import Auditing, Ground
from seatrial.contracts.finding import Severity
from seatrial.numerics.row_hash import row_hashes
from seatrial.parts.audits import leakage
from seatrial.testing import _faulty
from seatrial.testing.audits import table

PART = catalog.find("audits", "leakage")


def people(rows: int, seed: int, first: int = 0) -> dict:
    return _faulty.clean(rows, seed) | {"person": np.arange(rows) // 2 + first, "day": np.arange(rows) + first}


def alarms(train: dict, judge: dict, more: tuple = (), **stated) -> dict[str, object]:
    named = {"label": "y", "group": "person", "order": "day"}
    tables = [table(train, "train", "train", **named), table(judge, "evaluation", "evaluation", **named), *more]
    ground = Ground(
        {one.name: one for one in tables}, hash_rows=lambda pieces: row_hashes(pieces, _faulty.KEY), **stated
    )
    found = list(leakage.look(ground, leakage.Options()))
    assert len({(one.key) for one in found}) == len(found)
    return {
        one.what.removeprefix("audit.leakage."): one
        for one in found
        if one.severity not in (None, Severity.FINE) and not one.what.endswith(".share")
    }


def joined(one: dict, other: dict, rows: int) -> dict:
    """The first rows of `other` before those of `one`."""
    return {name: np.concatenate([other[name][:rows], one[name][rows:]]) for name in one}


def with_column(columns: dict, values) -> dict:
    return columns | {"new": values}


@pytest.mark.parametrize("seed", range(10))
def test_clean_tables_are_quiet(seed):
    assert not alarms(people(1500, seed), people(700, seed + 100, 10_000))


def test_rows_in_both_are_counted():
    train, judge = people(1500, 1), people(700, 2, 10_000)
    found = alarms(train, joined(judge, train, 30))
    assert found["exact_rows"].value == 30
    assert {"exact_rows", "groups", "time_order"} == set(found)
    assert found["groups"].value == 15


def test_rows_in_both_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    one, other = ({"a": rng.integers(0, 9, 300), "b": rng.integers(0, 9, 300)} for _ in range(2))
    known = set(zip(one["a"].tolist(), one["b"].tolist(), strict=True))
    rows = list(zip(other["a"].tolist(), other["b"].tolist(), strict=True))
    tables = {"t": table(one, "t", "train"), "e": table(other, "e", "evaluation")}
    ground = Ground(tables, hash_rows=lambda pieces: row_hashes(pieces, _faulty.KEY))
    found = {finding.what: finding.value for finding in leakage.look(ground, leakage.Options())}
    assert found["audit.leakage.exact_rows"] == sum(row in known for row in rows)
    assert found["audit.leakage.exact_rows.different"] == len(known & set(rows))


def test_an_order_that_is_broken_is_told_alone():
    judge = people(700, 2, 10_000)
    judge["day"] = judge["day"] - 9_500
    assert set(alarms(people(1500, 1), judge)) == {"time_order"}


def test_rows_to_calibrate_on_that_judge_and_a_file_under_another_name():
    train, judge = people(1500, 1), people(700, 2, 10_000)
    fitted = {name: values[:40] for name, values in judge.items()}
    assert set(alarms(train, judge, (table(fitted, "fitted", "calibrate"),))) == {"calibration_rows"}
    shuffled = {name: values[::-1] for name, values in train.items()}
    assert set(alarms(train, judge, (table(shuffled, "copy", "rows"),))) == {"duplicated_file"}


@pytest.mark.parametrize("encode", [lambda y: y * 3 - 1, lambda y: y + 0.0, lambda y: np.where(y, "ja", "nei")])
def test_a_column_that_is_the_label_is_named(encode):
    one, other = people(1500, 1), people(700, 2, 10_000)
    made = [with_column(each, np.asarray(encode(each["y"]), dtype=None)) for each in (one, other)]
    if made[0]["new"].dtype.kind == "U":
        made = [each | {"new": each["new"].astype(object)} for each in made]
    found = alarms(*made)
    assert found["label_in_feature"].note == "new"
    assert set(found) <= {"label_in_feature", "source_marker"}


def test_a_marker_of_one_class_is_named_though_it_says_nothing_of_others():
    def marked(columns, first):
        label = np.arange(len(columns["y"])) * 7919 % 5
        paths = [f"/{'clinic' if y == 3 else 'ward' + str(i % 3)}/{first + i}.png" for i, y in enumerate(label)]
        return columns | {"y": label, "new": np.array(paths, object)}

    found = alarms(marked(people(1500, 1), 0), marked(people(700, 2, 10_000), 10**6))
    assert "source_marker" in found
    assert set(found) <= {
        "source_marker",
        "identifier",
    }  # the first letters of a path, which differs in each row, tell it, too
    assert found["source_marker"].note == "new"


def test_identifiers_and_orders_of_rows_that_tell_the_label():
    def sorted_by_label(columns):
        order = np.argsort(columns["y"], kind="stable")
        return {name: values[order] for name, values in columns.items()} | {"day": columns["day"]}

    train, judge = people(1500, 1), people(700, 2, 10_000)
    assert set(alarms(sorted_by_label(train) | {"person": train["person"]}, judge)) == {"row_order"}
    numbered = np.empty(1500, np.int64)
    numbered[np.argsort(train["y"], kind="stable")] = np.arange(1500)
    harmless = np.random.default_rng(0).permutation(700)
    assert "identifier" in alarms(with_column(train, numbered), with_column(judge, harmless))
    assert not alarms(with_column(train, np.random.default_rng(1).permutation(1500)), with_column(judge, harmless))


def test_a_time_later_than_the_row_is_told():
    days = np.datetime64("2024-01-01") + np.arange(1500).astype("timedelta64[D]")
    known, paid = days - np.timedelta64(3, "D"), days.copy()
    paid[70:90] += np.timedelta64(9, "D")

    def told(new):
        train, judge = people(1500, 1), people(700, 2, 10_000)
        judge = {**judge, "day": days[:700] + np.timedelta64(4000, "D")}
        return alarms({**train, "day": days, "new": new}, {**judge, "new": judge["day"]})

    assert told(paid)["future_dates"].note == "new"
    assert not told(known)


@pytest.mark.parametrize("everywhere", [True, False])
def test_means_of_the_label_over_all_rows_are_told_and_those_of_training_are_not(everywhere):
    train, judge = people(1500, 1), people(700, 2, 10_000)
    towns = np.concatenate([train["town"], judge["town"]]) if everywhere else train["town"]
    labels = np.concatenate([train["y"], judge["y"]]) if everywhere else train["y"]
    means = {town: labels[towns == town].mean() for town in set(towns)}
    made = [with_column(one, np.array([means[town] for town in one["town"]])) for one in (train, judge)]
    assert set(alarms(*made)) == ({"target_statistics"} if everywhere else set())


def test_figures_fitted_on_all_rows_are_told():
    train, judge = people(1500, 1), people(700, 2, 10_000)
    both = np.concatenate([train["height"], judge["height"]])
    leaked = alarms(train, judge, statistics={"height": {"mean": float(both.mean()), "std": float(both.std())}})
    assert leaked["preprocessing"].note == "height"
    right = {"mean": round(float(train["height"].mean()), 4), "std": round(float(train["height"].std()), 4)}
    assert not alarms(train, judge, statistics={"height": right})


def test_it_can_be_named_in_a_study():
    assert Auditing.model_validate({"audits": ["leakage"]}).audits[0].name == PART.name
