"""Metrics of several labels a row: against scikit-learn, per label and averaged, and which models they are for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from seatrial import catalog
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.quality import Batch
from seatrial.errors import Unsupported
from seatrial.flow.measures import findings_of
from seatrial.numerics.counting import tally
from seatrial.testing._tasks_batches import LABELS, sets
from seatrial.testing.metrics import random_batch

AVERAGES = ("macro", "weighted", "micro")


def measure(name: str, batch: Batch, **given: Any) -> dict[Any, Finding]:
    """Findings by (what, setting, ...)."""
    part = catalog.find("metrics", name)
    counts, module, options = tally(batch, (), part.counts), catalog.load(part), catalog.options(part, given)
    found = [one for each in module.measures(counts, 0.95, options) for one in findings_of(each, counts.cells)]
    return {(one.what, *one.at.values()): one for one in found}


@pytest.fixture(scope="module")
def batch() -> Batch:
    return sets(3000, seed=2)


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_labels_and_averages_are_scikit_learns(batch: Batch, name: str) -> None:
    score = getattr(oracle, f"{name}_score")
    found = measure(name, batch, of=("class", *AVERAGES))
    each = score(batch.labels, batch.answers["chosen"], average=None)
    assert [found[name, label].value for label in LABELS] == pytest.approx(each.tolist())
    for average in AVERAGES:
        one = found[name, average]
        assert one.value == pytest.approx(score(batch.labels, batch.answers["chosen"], average=average))
        assert one.low < one.value < one.high
        assert one.n == 3000


@pytest.mark.parametrize("name", ["auc_roc", "auc_pr"])
def test_curves_of_each_label_are_scikit_learns(batch: Batch, name: str) -> None:
    score = {"auc_roc": oracle.roc_auc_score, "auc_pr": oracle.average_precision_score}[name]
    found = measure(name, batch)
    for place, label in enumerate(LABELS):
        expected = score(batch.labels[:, place], batch.answers["scores"][:, place])
        assert found[name, label].value == pytest.approx(expected, abs=2e-3)
    two = Batch(
        answers={key: values[:, :2] for key, values in batch.answers.items()},
        labels=batch.labels[:, :2],
        classes=LABELS[:2],
    )
    assert measure(name, two)[name, "coat"].value == pytest.approx(found[name, "coat"].value, abs=1e-9)


def test_rows_as_a_whole_are_scikit_learns(batch: Batch) -> None:
    truth, chosen = batch.labels, batch.answers["chosen"].astype(np.int8)
    assert measure("hamming_loss", batch)["hamming_loss",].value == pytest.approx(oracle.hamming_loss(truth, chosen))
    subset = measure("subset_accuracy", batch)["subset_accuracy",]
    assert subset.value == pytest.approx(oracle.accuracy_score(truth, chosen))
    expected = oracle.jaccard_score(truth, chosen, average="samples", zero_division=1)
    assert measure("jaccard", batch)["jaccard",].value == pytest.approx(expected)


def test_a_label_that_nobody_has_is_said() -> None:
    empty = Batch(
        answers={"scores": np.zeros((10, 2)), "chosen": np.tile([True, False], (10, 1))},
        labels=np.tile([1, 0], (10, 1)),
        classes=("a", "b"),
    )
    found = measure("recall", empty)
    assert found["recall", "b"].value is None
    assert found["recall", "b"].state is State.TOO_FEW
    assert found["recall", "macro"].value == 1
    assert "1 of 2 labels" in found["recall", "macro"].method


def test_micro_of_single_classes_is_accuracy() -> None:
    batch = random_batch(500)
    accuracy = measure("accuracy", batch)["accuracy",].value
    for name in ("precision", "recall", "f1"):
        assert measure(name, batch, of=("micro",))[name, "micro"].value == accuracy


@pytest.mark.parametrize("name", ["hamming_loss", "subset_accuracy", "jaccard"])
def test_one_class_a_row_is_refused(name: str) -> None:
    with pytest.raises(Unsupported, match="any number of labels"):
        measure(name, random_batch(20))


def test_differences_of_scores_are_told(batch: Batch) -> None:
    apart = np.abs(batch.answers["scores"] - batch.reference["scores"])
    assert measure("output_difference", batch)["output_difference",].value == pytest.approx(apart.max())
