"""What predicted numbers and several labels a row are taken as, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit

from seatrial import catalog
from seatrial.contracts.study import Output
from seatrial.errors import DataError

regression: Any = catalog.load(catalog.find("tasks", "regression"))
multi_label: Any = catalog.load(catalog.find("tasks", "multi_label"))


def values(*classes: str, **more: Any) -> dict[str, Output]:
    return {"y": Output(means="values", classes=classes, **more)}


# --- predicted numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1)])
def test_one_number_a_row_is_one_target(shape: tuple[int, ...]) -> None:
    found = regression.answers({"y": np.arange(4, dtype=np.float32).reshape(shape)}, values())
    assert list(found) == ["values"]
    assert found["values"].tolist() == [[0.0], [1.0], [2.0], [3.0]]
    assert found["values"].dtype == np.float64


def test_no_rows_have_no_values() -> None:
    assert regression.answers({"y": np.zeros((0, 2))}, values())["values"].shape == (0, 2)
    assert regression.answers({"y": np.zeros((0,))}, values())["values"].shape == (0, 1)


def test_the_median_is_the_value_unless_an_output_gives_one() -> None:
    raw = {"y": np.array([[1.0, 2.0, 5.0]]), "mean": np.array([2.5])}
    alone = regression.answers(raw, values(quantiles=(0.1, 0.5, 0.9)))
    assert alone["values"].tolist() == [[2.0]]
    assert alone["quantiles"].tolist() == [[[1.0, 2.0, 5.0]]]
    both = regression.answers(raw, values(quantiles=(0.1, 0.5, 0.9)) | {"mean": Output(means="values")})
    assert both["values"].tolist() == [[2.5]]
    assert "values" not in regression.answers({"y": np.zeros((3, 2))}, values(quantiles=(0.1, 0.9)))


def test_quantiles_of_several_targets_have_three_axes() -> None:
    found = regression.answers({"y": np.zeros((5, 2, 3))}, values("a", "b", quantiles=(0.1, 0.5, 0.9)))
    assert found["quantiles"].shape == (5, 2, 3)
    assert found["values"].shape == (5, 2)


@pytest.mark.parametrize(
    ("raw", "outputs", "said"),
    [
        ({"y": np.array([1.0, np.nan, np.nan])}, values(), "2 of 3 rows are NaN"),
        ({"y": np.array([1.0, np.inf])}, values(), "1 of 2 rows are infinite"),
        ({"y": np.array([1.0, 1e31])}, values(), "too large"),
        ({"y": np.zeros((3, 2))}, values("price"), "2 numbers a row, the study names 1"),
        ({"y": np.zeros((3, 2))}, values(quantiles=(0.1, 0.5, 0.9)), "3 quantiles are 3 numbers"),
        ({"y": np.zeros((3, 2, 2))}, values(), "one axis of targets"),
        ({"y": np.array(["a", "b"])}, values(), "not numbers"),
        ({"z": np.zeros(3)}, values(), "no output `y`"),
        ({"y": np.zeros(3)}, {"y": Output(means="logits")}, "stated as values"),
        (
            {"y": np.zeros((3, 2)), "q": np.zeros((3, 3))},
            values() | {"q": Output(means="values", quantiles=(0.1, 0.5, 0.9))},
            "as many targets",
        ),
    ],
)
def test_outputs_that_make_no_sense_are_refused(raw: Any, outputs: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        regression.answers(raw, outputs)


def test_labels_are_numbers_one_a_row_or_one_a_target() -> None:
    assert regression.labels(np.array([1, 2]), values()).dtype == np.float64
    assert regression.labels(np.array([[1], [2]]), values()).shape == (2,)
    assert regression.labels(np.array([1, None], object)[:1], values()).tolist() == [1.0]
    assert regression.labels(np.zeros((2, 3)), values()).shape == (2, 3)
    for column, said in [
        (np.array(["cheap", "dear"], object), "labels are text: `cheap`, `dear`"),
        (np.array([1.0, np.nan]), "1 labels are missing"),
        (np.array([1.0, None], object), "1 labels are missing"),
        (np.array([1.0, 1e40]), "too large"),
        (np.zeros((2, 2, 2)), "one number a row"),
    ]:
        with pytest.raises(DataError, match=said):
            regression.labels(column, values())


@pytest.mark.parametrize("quantiles", [(0.5, 0.1), (0.1, 0.1), (0.0, 0.5), (0.5, 1.0)])
def test_quantiles_rise_between_0_and_1(quantiles: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        values(quantiles=quantiles)


def test_quantiles_and_thresholds_belong_to_their_outputs() -> None:
    with pytest.raises(ValidationError, match="say `means: values`"):
        Output(means="logits", quantiles=(0.1, 0.9))
    with pytest.raises(ValidationError, match="for logits, probabilities or scores"):
        values(threshold=0.5)


# --- several labels a row --------------------------------------------------------------------------------------------------


def labelled(means: str = "probabilities", **more: Any) -> dict[str, Output]:
    return {"y": Output(means=means, classes=("cat", "dog"), **more)}  # type: ignore[arg-type]


def test_labels_are_chosen_by_their_thresholds() -> None:
    given = np.array([[0.3, 0.5], [0.29, 0.9]])
    assert multi_label.answers({"y": given}, labelled())["chosen"].tolist() == [[False, True], [False, True]]
    own = multi_label.answers({"y": given}, labelled(threshold={"cat": 0.3, "dog": 0.6}))
    assert own["chosen"].tolist() == [[True, False], [False, True]]
    one = multi_label.answers({"y": given}, labelled(threshold=0.3))
    assert one["chosen"].tolist() == [[True, True], [False, True]]


def test_logits_become_probabilities_each_by_itself() -> None:
    logits = np.array([[-800.0, 0.0], [3.0, 800.0]], np.float32)
    found = multi_label.answers({"y": logits}, labelled("logits"))
    assert np.allclose(found["probabilities"], expit(logits.astype(float)), atol=1e-15)
    assert found["chosen"].tolist() == [[False, True], [True, True]]
    mere = multi_label.answers({"y": logits}, labelled("scores"))
    assert set(mere) == {"scores", "chosen"}
    assert mere["chosen"].tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize(
    ("given", "outputs", "said"),
    [
        (np.array([[0.3, 1.5]]), labelled(), "look like logits"),
        (np.array([[0.3, np.nan]]), labelled(), "1 of 1 rows are NaN"),
        (np.zeros((2, 3)), labelled(), "3 labels, the study names 2"),
        (np.zeros((2, 2)), labelled(threshold={"cow": 0.2}), "`cow` is no label"),
        (np.zeros((2, 2)), labelled(threshold=1.5), "a threshold is a probability"),
        (np.zeros((2, 2, 2)), labelled(), "one axis of labels"),
    ],
)
def test_answers_that_make_no_sense_are_refused(given: Any, outputs: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        multi_label.answers({"y": given}, outputs)


def test_a_label_is_a_0_or_1_for_each_or_their_names() -> None:
    for column in (np.array([[1, 0], [0, 0]]), np.array([[True, False], [False, False]]), np.array([[1.0, 0], [0, 0]])):
        assert multi_label.labels(column, labelled()).tolist() == [[1, 0], [0, 0]]
    words = np.array(["cat | dog", "dog", "-"], object)
    assert multi_label.labels(words, labelled()).tolist() == [[1, 1], [0, 1], [0, 0]]
    for wrong, said in [
        (np.array([[1, 2]]), "other numbers than 0 and 1"),
        (np.array([[1, 0, 0]]), "2 of them"),
        (np.array(["cat|dgo"], object), "`dgo` is no label"),
        (np.array(["cat", None], object), "1 labels are missing"),
        (np.array([[1.0, np.nan]]), "1 labels are missing"),
    ]:
        with pytest.raises(DataError, match=said):
            multi_label.labels(wrong, labelled())
