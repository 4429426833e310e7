"""Whole studies of models that predict numbers, or several labels a row: metrics, slices, reference, search, bad inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.metrics import f1_score, mean_absolute_error, r2_score

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.verdict import Outcome
from seatrial.errors import DataError
from seatrial.flow import study as flow

ROWS = 3000
STUDY = """\
schema: 1
name: numbers
models:
  approved: &model
    forms: {onnx: {path: approved.onnx}}
    task: TASK
    inputs: {x: {columns: x}}
    outputs: {y: OUTPUT}
  candidate: {<<: *model, forms: {onnx: {path: candidate.onnx}}}
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates: [{runtime: onnxruntime, batch: 8}]
reference: {model: approved}
measure:
  loads: [offline]
  meters: [size]
  rounds: 1
  metrics: METRICS
  slices: [region]
  find: {columns: [region, size], depth: 1}
  robustness: {corruptions: [numeric_noise], severities: [3], rows: 40}
  explanations: {rows: 12, parts: 4}
require: REQUIRE
"""
TABLE = {
    "regression": ("{means: values}", "[mae, rmse, r2, mape, output_difference]"),
    "multi_label": ("{means: logits, classes: [cat, dog]}", "[f1, hamming_loss, auc_roc, output_difference]"),
}


def written(folder: Path, task: str, require: str, hurt: float = 0.0) -> tuple[Path, dict[str, np.ndarray]]:
    """A linear model and a candidate that is worse by `hurt` where x[0] is 1 (the region `south`)."""
    rng = np.random.default_rng(0)
    width = 1 if task == "regression" else 2
    weights = rng.normal(size=(4, width)).astype(np.float32)
    x = rng.normal(size=(ROWS, 4)).astype(np.float32)
    x[:, 0] = rng.random(ROWS) < 0.2
    noise = rng.normal(size=(ROWS, width))
    answers = x @ weights
    label = (answers + noise)[:, 0] + 100 if task == "regression" else (answers + noise > 0).astype(np.int8)
    worse = weights.copy()
    worse[0] -= hurt
    bias = np.full(width, 100 if task == "regression" else 0, np.float32)
    for name, kernel in (("approved", weights), ("candidate", worse)):
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Add", ["z", "b"], ["y"])],
            name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", width])],
            [numpy_helper.from_array(kernel, "w"), numpy_helper.from_array(bias, "b")],
        )
        onnx.save(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10),
            folder / f"{name}.onnx",
        )
    columns = {
        "x": x,
        "label": label,
        "region": np.where(x[:, 0] == 1, "south", "north"),
        "size": np.array(["small", "large"])[rng.integers(0, 2, ROWS)],
    }
    np.savez(folder / "rows.npz", **columns)
    output, metrics = TABLE[task]
    text = STUDY.replace("TASK", task).replace("OUTPUT", output).replace("METRICS", metrics).replace("REQUIRE", require)
    (folder / "study.yaml").write_text(text)
    return folder / "study.yaml", columns | {"worse": x @ worse + bias, "answers": answers + bias}


def of(dossier: Dossier, model: str, what: str, slice_of: str = "", **at: object) -> Finding:
    entry = next(one for one in dossier.candidates if one.candidate.model == model)
    found = [
        one
        for one in dossier.findings
        if one.candidate == entry.id
        and one.what == what
        and one.at == at
        and (one.slice[0].value if one.slice else "") == slice_of
    ]
    return found[0]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dossier, dict[str, np.ndarray]]:
    folder = tmp_path_factory.mktemp("numbers")
    require = "[{drop_at_most: {what: mae, margin: 0.05}}, {at_least: {what: r2, bound: 0.1}}]"
    file, columns = written(folder, "regression", require, hurt=1.0)
    return flow.run(file), columns


def test_a_regression_is_judged_in_all_rows_and_slices(numbers: tuple[Dossier, dict[str, np.ndarray]]) -> None:
    dossier, columns = numbers
    south = columns["region"] == "south"
    label, worse = columns["label"], columns["worse"][:, 0]
    assert of(dossier, "candidate", "r2").value == pytest.approx(r2_score(label, worse), abs=1e-5)
    assert of(dossier, "candidate", "mae", "south").value == pytest.approx(
        mean_absolute_error(label[south], worse[south]), rel=1e-5
    )
    drop = of(dossier, "candidate", "mae.drop", "south")
    errors = np.abs(label - worse) - np.abs(label - columns["answers"][:, 0])
    assert drop.value == pytest.approx(errors[south].mean(), rel=1e-3)
    assert drop.low < errors[south].mean() < drop.high
    assert drop.low > 0
    assert of(dossier, "candidate", "r2.drop").value > 0
    assert of(dossier, "candidate", "output_difference").value == pytest.approx(1.0, abs=1e-4)


def test_a_regression_that_lost_is_refused(numbers: tuple[Dossier, dict[str, np.ndarray]]) -> None:
    dossier, _ = numbers
    assert dossier.verdict is not None
    entry = next(one for one in dossier.candidates if one.candidate.model == "candidate")
    outcome = next(one for one in dossier.verdict.candidates if one.candidate == entry.id)
    assert outcome.outcome is Outcome.FAIL


def test_the_search_finds_where_errors_grew(numbers: tuple[Dossier, dict[str, np.ndarray]]) -> None:
    dossier, _ = numbers
    found = of(dossier, "candidate", "slice.hurt", "south")
    assert found.low is not None
    assert found.low > 0.1


def test_predicted_numbers_are_never_right_or_wrong_on_bad_inputs(
    numbers: tuple[Dossier, dict[str, np.ndarray]],
) -> None:
    dossier, _ = numbers
    told = of(dossier, "candidate", "corrupted.accuracy")
    assert told.state is State.UNSUPPORTED
    assert "predicted number" in told.note
    assert of(dossier, "candidate", "explanations.agreement").value > 0.5


def test_a_twin_in_another_batch_passes(tmp_path: Path) -> None:
    """No row changes; the margin is below what three rows that change by a whole unit would be."""
    require = "[{drop_at_most: {what: mae, margin: 0.0009}}]"
    file, _ = written(tmp_path, "regression", require)
    dossier = flow.run(file)
    entry = next(one for one in dossier.candidates if one.candidate.model == "candidate")
    assert dossier.verdict is not None
    assert next(one for one in dossier.verdict.candidates if one.candidate == entry.id).outcome is Outcome.PASS


def test_several_labels_a_row_are_judged(tmp_path: Path) -> None:
    file, columns = written(
        tmp_path, "multi_label", "[{drop_at_most: {what: f1, at: {average: macro}, margin: 1 pp}}]", 2.0
    )
    dossier = flow.run(file)
    south = columns["region"] == "south"
    chosen = columns["worse"] > 0
    assert of(dossier, "candidate", "f1", average="macro").value == pytest.approx(
        f1_score(columns["label"], chosen, average="macro"), abs=1e-6
    )
    theirs = f1_score(columns["label"][south], chosen[south], average=None)
    found = of(dossier, "candidate", "f1", "south", **{"class": "cat"})
    assert found.value == pytest.approx(theirs[0], abs=1e-6)
    assert of(dossier, "candidate", "hamming_loss.drop", "south").low > 0
    assert of(dossier, "candidate", "slice.hurt", "south").low > 0
    assert of(dossier, "candidate", "corrupted.accuracy", corruption="numeric_noise", severity=3).value is not None


def test_labels_may_stand_in_several_columns(tmp_path: Path) -> None:
    """One column for each label says the same as one column of all of them; a gap in either is told by its row."""
    file, columns = written(tmp_path, "multi_label", "[]")
    rows = dict(np.load(tmp_path / "rows.npz", allow_pickle=False))
    label = rows.pop("label")
    np.savez(tmp_path / "rows.npz", **rows, cat=label[:, 0], dog=label[:, 1])
    file.write_text(file.read_text().replace("label: label", "labels: [cat, dog]"))
    dossier = flow.run(file)
    expected = f1_score(columns["label"], columns["answers"] > 0, average="macro")
    assert of(dossier, "approved", "f1", average="macro").value == pytest.approx(expected, abs=1e-6)
    broken = label[:, 1].astype(float)
    broken[7] = np.nan
    np.savez(tmp_path / "rows.npz", **rows, cat=label[:, 0], dog=broken)
    with pytest.raises(DataError, match=f"1 of {ROWS} labels are missing .*first in row 7"):
        flow.run(file)
