"""A whole study of a detection model: mAP against the labels, and how much of it a lower precision loses on the same images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.verdict import Outcome
from seatrial.flow import study as flow

ROWS, MOST = 150, 3
STUDY = """\
schema: 1
name: detections
models:
  approved: &model
    forms: {onnx: {path: approved.onnx}}
    task: detection
    inputs: {x: {columns: x}}
    outputs:
      boxes: {means: boxes, boxes: {format: cxcywh, share_of: [320, 320], labels: xywh}}
      scores: {means: scores, threshold: 0.05, classes: [cat, dog]}
  shifted: {<<: *model, forms: {onnx: {path: shifted.onnx}}}
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: boxes, roles: confirm}
candidates:
  - {model: approved, runtime: [onnxruntime], variant: [as_is, int8_dynamic], batch: 10}
  - {model: approved, runtime: openvino, precision: bf16, batch: 10}
  - {model: shifted, runtime: onnxruntime, batch: 10}
reference: {model: approved, runtime: onnxruntime, variant: as_is}
measure: {loads: [offline], meters: [size], rounds: 1, metrics: [map, average_recall]}
require: [{drop_at_most: {what: map, at: {overlap: ".50:.95"}, margin: 10 pp}}]
"""


def model(folder: Path, name: str, shift: float) -> None:
    """A box is read off the input by a matrix, and so are the scores of both classes; `shift` moves all boxes."""
    put = np.zeros((MOST * 6, MOST * 6), np.float32)
    put[np.arange(MOST * 6), np.arange(MOST * 6)] = 1
    fixed = np.tile([shift, 0, 0, 0, 0, 0], MOST).astype(np.float32)
    constants = {
        "put": put,
        "fixed": fixed,
        "shape": np.array([0, MOST, 6]),
        "split": np.array([4, 2]),
    }
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "put"], ["a"]),
            helper.make_node("Add", ["a", "fixed"], ["b"]),
            helper.make_node("Reshape", ["b", "shape"], ["c"]),
            helper.make_node("Split", ["c", "split"], ["boxes", "raw"], axis=2),
            helper.make_node("Sigmoid", ["raw"], ["scores"]),
        ],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", MOST * 6])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["rows", MOST, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", MOST, 2]),
        ],
        [numpy_helper.from_array(one, word) for word, one in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(made, folder / f"{name}.onnx")


@pytest.fixture(scope="module")
def detections(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    folder = tmp_path_factory.mktemp("detections")
    model(folder, "approved", 0.0)
    model(folder, "shifted", 0.06)
    rng = np.random.default_rng(0)
    kind = np.where(rng.random((ROWS, MOST)) < 0.75, rng.integers(0, 2, (ROWS, MOST)), -1)
    size, middle = rng.uniform(0.1, 0.4, (ROWS, MOST, 2)), rng.uniform(0.3, 0.7, (ROWS, MOST, 2))
    corner = (middle - size / 2) * 320
    labels = np.concatenate([corner, size * 320, kind[..., None]], axis=2)
    labels[kind < 0] = -1
    seen = np.concatenate([middle, size], axis=2) + rng.normal(scale=0.012, size=(ROWS, MOST, 4))
    logits = rng.normal(scale=1.5, size=(ROWS, MOST, 2)) + 5 * np.eye(3)[kind][..., :2] - 3
    x = np.concatenate([seen, logits], axis=2).reshape(ROWS, -1).astype(np.float32)
    np.savez(folder / "rows.npz", x=x, boxes=labels.astype(np.float32))
    (folder / "study.yaml").write_text(STUDY)
    return flow.run(folder / "study.yaml")


def of(dossier: Dossier, what: str, model: str = "approved", label: str = "", **at: object) -> Finding:
    ids = [one.id for one in dossier.candidates if one.candidate.model == model and label in one.label]
    return next(one for one in dossier.findings if one.candidate in ids and one.what == what and dict(one.at) == at)


def test_boxes_are_judged_and_each_figure_has_bounds(detections: Dossier) -> None:
    whole = of(detections, "map", label="onnxruntime", overlap=".50:.95")
    half = of(detections, "map", label="onnxruntime", overlap="0.5")
    assert 0.3 < whole.number < half.number <= 1
    assert whole.low is not None
    assert whole.high is not None
    assert whole.low < whole.number < whole.high
    assert whole.n == ROWS
    assert of(detections, "average_recall", label="onnxruntime", overlap="0.5").number >= half.number
    small = of(detections, "map", label="onnxruntime", overlap=".50:.95", area="small")
    assert small.value is not None or small.state is State.TOO_FEW


def test_a_model_whose_boxes_are_off_loses_more_than_a_lower_precision(detections: Dossier) -> None:
    bf16 = of(detections, "map.drop", label="bf16", overlap=".50:.95")
    shifted = of(detections, "map.drop", model="shifted", overlap=".50:.95")
    assert abs(bf16.number) < 0.05 < shifted.number
    assert shifted.low is not None
    assert shifted.low > 0
    assert shifted.against is not None


def test_the_verdict_tells_them_apart(detections: Dossier) -> None:
    outcomes = {one.candidate: one.outcome for one in detections.verdict.candidates}
    named = {one.label: outcomes.get(one.id) for one in detections.candidates}
    assert next(outcome for label, outcome in named.items() if "shifted" in label) is Outcome.FAIL
    assert next(outcome for label, outcome in named.items() if "bf16" in label) is Outcome.PASS


CLEANED = """\
schema: 1
name: detections in doubt
models:
  approved:
    forms: {onnx: {path: approved.onnx}}
    task: detection
    inputs: {x: {columns: x}}
    outputs:
      boxes: {means: boxes, boxes: {format: cxcywh, share_of: [320, 320], labels: xywh}}
      scores: {means: scores, threshold: 0.05, classes: [cat, dog]}
data: {evaluation: {from: {npz: {path: rows.npz}}, label: boxes, roles: confirm}}
candidates: [{runtime: onnxruntime, batch: 10}]
reference: {runtime: onnxruntime, batch: 10, eligible: true}
measure: {loads: [], meters: [], rounds: 1, metrics: [map]}
audit: {audits: [duplicates], population: {light: {day: 0.5, night: 0.5}}}
require: [{at_least: {what: map, at: {overlap: ".50:.95"}, bound: 0.1}}]
"""


def test_average_precision_without_copies_and_like_the_population_is_that_of_such_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    kind = rng.integers(0, 2, (60, MOST))
    size, middle = rng.uniform(0.1, 0.4, (60, MOST, 2)), rng.uniform(0.3, 0.7, (60, MOST, 2))
    labels = np.concatenate([(middle - size / 2) * 320, size * 320, kind[..., None]], axis=2).astype(np.float32)
    seen = np.concatenate([middle, size], axis=2) + rng.normal(scale=0.02, size=(60, MOST, 4))
    scores = rng.normal(scale=1.5, size=(60, MOST, 2)) + 3 * np.eye(2)[kind]
    x = np.concatenate([seen, scores], axis=2).reshape(60, -1).astype(np.float32)
    light = np.array(["day"] * 40 + ["night"] * 20)  # of the population it is half: nights count twice

    def average(name: str, rows: np.ndarray, study: str = CLEANED) -> Dossier:
        folder = tmp_path / name
        folder.mkdir()
        model(folder, "approved", 0.0)
        np.savez(folder / "rows.npz", x=x[rows], boxes=labels[rows], light=light[rows])
        (folder / "study.yaml").write_text(study)
        return flow.run(folder / "study.yaml")

    def of(dossier: Dossier, what: str) -> Finding:
        (one,) = {one.key: one for one in dossier.findings if one.what == what and one.at.get("overlap") == ".50:.95" and "class" not in one.at and "area" not in one.at}.values()  # fmt: skip
        return one

    plain = CLEANED.replace("audit: {audits: [duplicates], population: {light: {day: 0.5, night: 0.5}}}\n", "")
    once, twice = np.arange(60), np.concatenate([np.arange(60), np.arange(40, 60)])
    copied = average(
        "copied",
        np.concatenate([once, np.arange(15)]),
        CLEANED.replace(", population: {light: {day: 0.5, night: 0.5}}", ""),
    )
    clean = average("clean", once)
    assert of(copied, "cleaned.map").number == pytest.approx(of(clean, "map").number, abs=1e-9)
    assert of(copied, "map").number != pytest.approx(of(clean, "map").number, abs=1e-4)
    assert of(copied, "cleaned.map").n == 60
    alike = of(average("nights twice", twice, plain), "map").number
    assert of(clean, "reweighted.map").number == pytest.approx(alike, abs=1e-6)
    assert alike != pytest.approx(of(clean, "map").number, abs=1e-4)
