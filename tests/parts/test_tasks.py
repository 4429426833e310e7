"""Tasks: the exam for each, and what classification makes of outputs and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.study import Output
from seatrial.errors import DataError
from seatrial.testing.tasks import exam

classification: Any = catalog.load(catalog.find("tasks", "classification"))


def outputs(means: str = "logits", *classes: Any) -> dict[str, Output]:
    return {"y": Output(means=means, classes=classes)}  # type: ignore[arg-type]


@pytest.mark.parametrize("part", catalog.parts("tasks").values(), ids=lambda part: part.name)
def test_sits_its_exam(part: PartInfo) -> None:
    exam(part)


def test_the_exam_fails_a_task_that_looks_at_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = classification.answers
    monkeypatch.setattr(
        classification, "answers", lambda raw, stated: {k: v - v.mean() for k, v in whole(raw, stated).items()}
    )
    with pytest.raises(AssertionError, match="neighbours"):
        exam(catalog.find("tasks", "classification"))


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=9))
def test_logits_become_probabilities_as_scipy_has_them(rows: list[list[float]]) -> None:
    logits = np.array(rows, np.float32)
    answers = classification.answers({"y": logits}, outputs())
    assert np.allclose(answers["probabilities"], softmax(logits.astype(np.float64), axis=1), atol=1e-12)
    assert np.array_equal(answers["scores"], logits)


def test_one_column_speaks_of_the_second_class() -> None:
    logits = np.array([[-800.0], [0.0], [3.0]], np.float32)
    answers = classification.answers({"y": logits}, outputs("logits", "no", "yes"))
    assert np.allclose(answers["probabilities"][:, 1], expit(logits[:, 0].astype(float)))
    assert np.array_equal(answers["scores"][:, 1], logits[:, 0])
    shares = classification.answers({"y": np.array([0.25, 1.0])}, outputs("probabilities"))
    assert shares["probabilities"].tolist() == [[0.75, 0.25], [0.0, 1.0]]


def test_axes_of_length_one_go() -> None:
    answers = classification.answers({"y": np.ones((2, 3, 1, 1), np.float16)}, outputs())
    assert answers["scores"].shape == (2, 3)
    with pytest.raises(DataError, match="one axis of classes"):
        classification.answers({"y": np.ones((2, 3, 4))}, outputs())


def test_mere_scores_are_no_probabilities() -> None:
    assert set(classification.answers({"y": np.array([[3.0, 9.0]])}, outputs("scores"))) == {"scores"}


def test_probabilities_are_checked() -> None:
    good = np.array([[0.5, 0.5004], [1, 0]], np.float32)
    made = classification.answers({"y": good}, outputs("probabilities"))["probabilities"]
    assert np.allclose(made.sum(axis=1), 1, atol=1e-15)
    for bad in ([[2.0, -1.0], [0.5, 0.5]], [[0.5, 0.4], [0.5, 0.5]], [[7.0, 1.0], [0.5, 0.5]]):
        with pytest.raises(DataError, match=r"1 of 2 rows .* these look like logits") as caught:
            classification.answers({"y": np.array(bad)}, outputs("probabilities"))
        assert "means: logits" in caught.value.next_step


def test_numbers_that_are_none_are_counted() -> None:
    bad = np.ones((5, 3))
    bad[[1, 3], 2] = np.nan
    with pytest.raises(DataError, match="2 of 5 rows are NaN"):
        classification.answers({"y": bad}, outputs())
    with pytest.raises(DataError, match="1 of 2 rows are infinite"):
        classification.answers({"y": np.array([[1.0, np.inf], [0, 0]])}, outputs())


def test_widths_must_agree() -> None:
    with pytest.raises(DataError, match="gives 3 classes, the study names 2"):
        classification.answers({"y": np.ones((1, 3))}, outputs("logits", "a", "b"))


@pytest.mark.parametrize(
    ("column", "classes", "expected"),
    [
        (np.array(["no", "coat"], object), ("coat", "no"), [1, 0]),
        (np.array([1, 0]), ("coat", "no"), [1, 0]),
        (np.array([1, 3]), (1, 2, 3), [0, 2]),
        (np.array([1.0, 3.0]), ("1", "2", "3"), [0, 2]),
        (np.array(["3", "1"], object), (1, 2, 3), [2, 0]),
        (np.array([True, False]), ("no", "yes"), [1, 0]),
        (np.array([True, False]), (False, True), [1, 0]),
        (np.array([[2], [0]], np.uint8), (), [2, 0]),
    ],
)
def test_labels_are_classes_or_their_indices(column: Any, classes: tuple[Any, ...], expected: list[int]) -> None:
    made = classification.labels(column, outputs("logits", *classes))
    assert made.dtype == np.int64
    assert made.tolist() == expected


@pytest.mark.parametrize(
    ("column", "classes", "words"),
    [
        (np.array(["caot", "no"], object), ("coat", "no"), "1 labels are no class: `caot`"),
        (np.array([0, 1, 2]), (1, 2, 3), "`0`"),
        (np.array([0, 3]), ("a", "b", "c"), "`3`"),
        (np.array([-1]), (), "`-1`"),
        (np.array([1.5]), ("a", "b"), "`1.5`"),
        (np.array([1.0, np.nan]), ("a", "b"), "1 labels are missing"),
        (np.array(list("uvwxyz"), object), ("a",), r"6 labels .*`y`, \.\.\."),
        (np.array(["a", None], object), ("a",), "1 labels are missing"),
        (np.ones((2, 2)), ("a",), "one value a row"),
    ],
)
def test_unknown_labels_are_named(column: Any, classes: tuple[Any, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        classification.labels(column, outputs("logits", *classes))


def test_the_nearest_class_is_offered() -> None:
    with pytest.raises(DataError) as caught:
        classification.labels(np.array(["caot"], object), outputs("logits", "coat", "no"))
    assert caught.value.next_step == "did you mean `coat`?"
