"""A gate for each task, as a person uses it: the command line on a study file, a twin that must pass and a worse model that must not.

Of predicted numbers, several labels a row, vectors and boxes; what is wrong is said in words, on the terminal and in the page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_study import seatrial

WIDTH, BOXES = 12, 2
STUDY = """\
schema: 1
name: gate
models:
  approved: &model
    forms: {{onnx: {{path: approved.onnx}}}}
    task: {task}
    inputs: {{x: {{columns: x}}}}
    outputs: {outputs}
  twin: {{<<: *model, forms: {{onnx: {{path: twin.onnx}}}}}}
  worse: {{<<: *model, forms: {{onnx: {{path: worse.onnx}}}}}}
data: {{evaluation: {{from: {{npz: {{path: rows.npz}}}}, label: label, roles: confirm}}}}
candidates:
  - {{model: [approved, twin, worse], runtime: onnxruntime, batch: 8}}
reference: {{model: approved, runtime: onnxruntime, batch: 8}}
measure: {{loads: [], meters: [size], rounds: 1, metrics: [{metrics}]}}
require: [{require}]
reports: [html]
"""


class Case(NamedTuple):
    """What a study says of a task, the metric that its gate reads, and how many rows judge."""

    outputs: str
    metrics: str
    require: str
    what: str
    rows: int


CASES = {
    "regression": Case("{y: {means: values}}", "mae, rmse", "{drop_at_most: {what: mae, margin: 0.05}}", "mae", 1200),
    "multi_label": Case(
        "{y: {means: logits, classes: [cat, dog, tree]}}",
        "f1, hamming_loss, jaccard",
        "{drop_at_most: {what: jaccard, margin: 3 pp}}",
        "jaccard",
        1200,
    ),
    "embedding": Case(
        "{y: {means: vectors}}",
        "{retrieval_recall: {k: [1]}}, cosine_drift",
        "{drop_at_most: {what: retrieval_recall, at: {k: 1}, margin: 5 pp}}",
        "retrieval_recall",
        600,
    ),
    "detection": Case(
        "{boxes: {means: boxes, boxes: {format: xyxy}}, scores: {means: scores, threshold: 0.05, classes: [cat, dog]}}",
        "map, average_recall",
        '{drop_at_most: {what: map, at: {overlap: ".50:.95"}, margin: 8 pp}}',
        "map",
        240,
    ),
}


def model(folder: Path, name: str, weights: np.ndarray, bias: np.ndarray, boxes: bool) -> None:
    """A product and a sum; for boxes they are split into corners and scores."""
    held = {"w": weights.astype(np.float32), "b": bias.astype(np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Add", ["z", "b"], ["y"])]
    ends = {"y": ["rows", weights.shape[1]]}
    if boxes:
        held |= {"shape": np.array([0, BOXES, 6]), "split": np.array([4, 2])}
        nodes += [
            helper.make_node("Reshape", ["y", "shape"], ["each"]),
            helper.make_node("Split", ["each", "split"], ["boxes", "raw"], axis=2),
            helper.make_node("Sigmoid", ["raw"], ["scores"]),
        ]
        ends = {"boxes": ["rows", BOXES, 4], "scores": ["rows", BOXES, 2]}
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", WIDTH])],
        [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in ends.items()],
        [numpy_helper.from_array(value, key) for key, value in held.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / f"{name}.onnx"
    )


def rows(task: str, count: int, weights: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and labels that the weights mostly get right."""
    x = draw.normal(size=(count, WIDTH)).astype(np.float32)
    noise = draw.normal(size=(count, weights.shape[1]))
    if task == "regression":
        return x, (x @ weights + noise)[:, 0]
    if task == "multi_label":
        return x, (x @ weights + noise > 0).astype(np.int64)
    if task == "embedding":
        item = draw.integers(0, 40, count)
        return (draw.normal(size=(40, WIDTH))[item] + 0.8 * x).astype(np.float32), item
    kind = draw.integers(0, 2, (count, BOXES))
    corner, size = draw.uniform(20, 100, (count, BOXES, 2)), draw.uniform(40, 90, (count, BOXES, 2))
    right = np.concatenate([corner, corner + size], axis=2)
    seen = np.concatenate([right + draw.normal(scale=2, size=right.shape), 5 * np.eye(2)[kind] - 2.5], axis=2)
    return seen.reshape(count, -1).astype(np.float32), np.concatenate([right, kind[..., None]], axis=2)


def written(folder: Path, task: str) -> Case:
    """Models, rows and the study."""
    case, draw = CASES[task], np.random.default_rng(3)
    boxes = task == "detection"
    wide = {"regression": 1, "multi_label": 3, "embedding": 8}.get(task, WIDTH)
    weights = np.eye(WIDTH) if boxes else draw.normal(size=(WIDTH, wide))
    bias = np.zeros(wide)
    x, label = rows(task, case.rows, weights, draw)
    np.savez(folder / "rows.npz", x=x, label=label)
    off = np.tile([12.0, 12.0, 12.0, 12.0, 0, 0], BOXES) if boxes else bias
    bent = weights if boxes else weights + draw.normal(scale=0.8, size=weights.shape)
    if task == "embedding":
        bent = weights * (np.arange(wide) < 2)  # two numbers of eight are left: many things lie close together
    for name, kernel, moved in (("approved", weights, bias), ("twin", weights, bias), ("worse", bent, off)):
        model(folder, name, kernel, moved, boxes)
    text = STUDY.format(task=task, outputs=case.outputs, metrics=case.metrics, require=case.require)
    (folder / "study.yaml").write_text(text)
    return case


def dossier_in(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "dossier.json").read_text())


@pytest.mark.parametrize("task", CASES)
def test_a_twin_passes_and_a_worse_model_fails_in_words(tmp_path: Path, task: str) -> None:
    case = written(tmp_path, task)
    passed = seatrial("gate", "study.yaml", "--only", "*twin*", "--quiet", folder=tmp_path)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    failed = seatrial("gate", "study.yaml", "--only", "*worse*", folder=tmp_path)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert f"{case.what} {'rise' if task == 'regression' else 'drop'}" in failed.stdout
    runs = map(dossier_in, tmp_path.glob(".seatrial/runs/*"))
    dossier = next(one for one in runs if any("worse" in entry["id"] for entry in one["candidates"]))
    drop = next(
        one for one in dossier["findings"] if one["what"] == f"{case.what}.drop" and "worse" in one["candidate"]
    )
    assert drop["against"].startswith("approved/")
    assert drop["low"] > 0, "paired, on the same rows: more than chance"
    page = (tmp_path / ".seatrial" / "runs" / dossier["run"]["id"] / "report.html").read_text()
    assert f"{case.what} {'rise' if task == 'regression' else 'drop'}" in page
