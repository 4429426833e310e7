"""Metrics of predicted numbers: against scikit-learn, what is left out or can't be said, and which models they are for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from seatrial import catalog
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.quality import Batch
from seatrial.errors import DataError, Unsupported
from seatrial.flow.measures import findings_of
from seatrial.numerics.counting import tally
from seatrial.testing._tasks_batches import QUANTILES, TARGETS, numbers
from seatrial.testing.metrics import exam, random_batch

NAMES = ("mae", "rmse", "r2", "mape", "quantile_loss", "interval_coverage")


def measure(name: str, batch: Batch, level: float = 0.95) -> dict[Any, Finding]:
    """Findings by (what, setting, ...)."""
    part = catalog.find("metrics", name)
    counts, module, options = tally(batch, (), part.counts), catalog.load(part), catalog.options(part, {})
    found = [one for each in module.measures(counts, level, options) for one in findings_of(each, counts.cells)]
    return {(one.what, *one.at.values()): one for one in found}


def single(truth: np.ndarray, values: np.ndarray) -> Batch:
    return Batch(answers={"values": values[:, None]}, labels=truth)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return numbers(2000, seed=4)


def test_they_are_for_regression_alone() -> None:
    for name in NAMES:
        assert catalog.find("metrics", name).accepts["task"] == ("regression",)


@pytest.mark.parametrize("target", range(len(TARGETS)))
def test_values_are_those_of_scikit_learn(batch: Batch, target: int) -> None:
    truth, values, name = batch.labels[:, target], batch.answers["values"][:, target], TARGETS[target]
    for what, score in {
        "mae": oracle.mean_absolute_error,
        "rmse": oracle.root_mean_squared_error,
        "r2": oracle.r2_score,
        "mape": oracle.mean_absolute_percentage_error,
    }.items():
        found = measure(what, batch)[what, name]
        assert found.value == pytest.approx(score(truth, values))
        assert found.n == 2000
        assert found.low < found.value < found.high
    for place, quantile in enumerate(QUANTILES):
        found = measure("quantile_loss", batch)["quantile_loss", quantile, name]
        expected = oracle.mean_pinball_loss(truth, batch.answers["quantiles"][:, target, place], alpha=quantile)
        assert found.value == pytest.approx(expected)


def test_coverage_and_width_of_predicted_intervals(batch: Batch) -> None:
    found, low, high = measure("interval_coverage", batch), *np.moveaxis(batch.answers["quantiles"][:, 0], 1, 0)[[0, 2]]
    inside = (low <= batch.labels[:, 0]) & (batch.labels[:, 0] <= high)
    covered, width = found["interval_coverage", 0.8, "price"], found["interval_coverage.width", 0.8, "price"]
    assert covered.value == pytest.approx(inside.mean())
    assert covered.better == "higher"
    assert width.value == pytest.approx(2.6)
    assert width.better == "lower"
    turned = replace(batch, answers=batch.answers | {"quantiles": batch.answers["quantiles"][:, :, ::-1]})
    assert measure("interval_coverage", turned)["interval_coverage", 0.8, "price"].value == 0


def test_one_target_needs_no_name() -> None:
    rng = np.random.default_rng(0)
    found = measure("mae", single(rng.normal(size=30), rng.normal(size=30)))
    assert list(found) == [("mae",)]


def test_rows_whose_label_is_0_are_left_out_and_counted() -> None:
    truth, values = np.array([0.0, 2.0, -4.0, 0.0]), np.array([1.0, 1.0, -5.0, 0.0])
    found = measure("mape", single(truth, values))["mape",]
    assert found.value == pytest.approx((0.5 + 0.25) / 2)
    assert found.n == 2
    assert found.note == "2 rows whose label is 0 are left out"
    none = measure("mape", single(np.zeros(4), values))["mape",]
    assert none.value is None
    assert none.state is State.TOO_FEW
    assert "isn't 0" in none.note


def test_r_squared_of_labels_that_are_all_alike_is_missing() -> None:
    found = measure("r2", single(np.full(20, 3.3), np.arange(20.0)))["r2",]
    assert found.value is None
    assert found.note == "there are no two different labels"


def test_a_perfect_model_has_values_and_no_bounds() -> None:
    truth = np.arange(20.0)
    for name, value in {"mae": 0.0, "rmse": 0.0, "r2": 1.0}.items():
        found = measure(name, single(truth, truth))[name,]
        assert (found.value, found.low, found.high, found.state) == (value, None, None, State.TOO_FEW)
        assert found.note


@pytest.mark.parametrize(
    ("name", "answers", "labels", "error", "said"),
    [
        ("mae", {"quantiles": np.zeros((5, 1, 2))}, np.zeros(5), Unsupported, "one predicted number"),
        ("quantile_loss", {"values": np.zeros((5, 1))}, np.zeros(5), Unsupported, "quantiles"),
        ("interval_coverage", {"quantiles": np.zeros((5, 1, 1))}, np.zeros(5), Unsupported, "two predicted quantiles"),
        ("mae", {"values": np.zeros((5, 2))}, np.zeros(5), DataError, "1 labels, the model predicts 2"),
        ("mae", {"values": np.zeros((5, 1))}, None, DataError, "needs labels"),
        ("mae", {"scores": np.zeros((5, 2))}, np.zeros(5, np.int64), Unsupported, "predict numbers"),
        ("accuracy", {"values": np.zeros((5, 1))}, np.zeros(5), Unsupported, "not for predicted numbers"),
    ],
)
def test_what_cannot_be_counted_says_why(name: str, answers: Any, labels: Any, error: Any, said: str) -> None:
    levels = (0.1,) if np.shape(answers.get("quantiles"))[-1:] == (1,) else (0.1, 0.9)
    batch = Batch(answers=answers, labels=labels, about={"quantiles": levels} if "quantiles" in answers else {})
    with pytest.raises(error, match=said):
        measure(name, batch)


def test_differences_of_values_are_told(batch: Batch) -> None:
    found = measure("output_difference", batch)
    apart = np.abs(batch.answers["values"] - batch.reference["values"])
    assert found["output_difference",].value == pytest.approx(apart.max())
    assert found["output_difference.mean",].value == pytest.approx(apart.mean())


def test_tallies_of_another_centre_are_not_merged(batch: Batch) -> None:
    other = replace(batch, about=batch.about | {"centre": (0.0, 0.0)})
    with pytest.raises(ValueError, match="can't be merged"):
        tally(batch, (), ("variation",)).merge(tally(other, (), ("variation",)))


def test_the_exam_fails_a_metric_that_forgets_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    part = catalog.find("metrics", "mae")
    module = catalog.load(part)
    whole = module.measures

    def careless(tally: Any, level: Any, options: Any) -> Any:
        for one in whole(tally, level, options):
            yield replace(one, value=one.value * np.sqrt(tally.sums["rows"]))

    exam(part)
    monkeypatch.setattr(module, "measures", careless)
    with pytest.raises(AssertionError):
        exam(part)


def test_classes_are_counted_as_before() -> None:
    assert measure("accuracy", random_batch(100))["accuracy",].n == 100
