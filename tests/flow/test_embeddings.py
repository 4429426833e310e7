"""A whole study of an embedding model: recall of search, neighbours, drift, against the reference; int8 and bf16 beside fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.verdict import Outcome
from seatrial.flow import study as flow

ROWS, ITEMS, WIDTH = 480, 40, 24
STUDY = """\
schema: 1
name: embeddings
models:
  small:
    forms: {onnx: {path: model.onnx}}
    task: embedding
    inputs: {x: {columns: x}}
    outputs: {vector: {means: vectors}}
data:
  evaluation: {from: {parquet: {path: rows.parquet}}, LABELS, roles: confirm}
candidates:
  - {runtime: onnxruntime, variant: [as_is, int8_dynamic], batch: 16}
  - {runtime: openvino, precision: bf16, batch: 16}
reference: {runtime: onnxruntime, variant: as_is}
measure:
  loads: [offline]
  meters: [size]
  rounds: 1
  metrics: [{retrieval_recall: {k: [1, 5]}}, mean_average_precision, ndcg, cosine_drift, neighbour_overlap]
  slices: [region]
require: [{drop_at_most: {what: retrieval_recall, at: {k: 1}, margin: 8 pp}}, {at_most: {what: cosine_drift, bound: 0.05}}]
"""


def written(folder: Path, labels: str = "label: item") -> Path:
    """A layer with a bend and a projection; rows of forty things, queries and gallery."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(WIDTH, 64)), "v": rng.normal(size=(64, 16))}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("Tanh", ["a"], ["b"]),
            helper.make_node("MatMul", ["b", "v"], ["vector"]),
        ],
        "embedding",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", WIDTH])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["rows", 16])],
        [numpy_helper.from_array((one * 0.2).astype(np.float32), name) for name, one in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    item = rng.integers(0, ITEMS, ROWS)
    x = (rng.normal(size=(ITEMS, WIDTH))[item] + rng.normal(scale=0.9, size=(ROWS, WIDTH))).astype(np.float32)
    columns = {
        "x": x,
        "item": [f"thing {one}" for one in item],
        "role": np.where(np.arange(ROWS) % 3 == 0, "query", "gallery"),
        "region": np.where(rng.random(ROWS) < 0.3, "south", "north"),
    }
    pl.DataFrame(columns).write_parquet(folder / "rows.parquet")
    (folder / "study.yaml").write_text(STUDY.replace("LABELS", labels))
    return folder / "study.yaml"


def of(dossier: Dossier, label: str, what: str, **at: object) -> Finding:
    entry = next(one for one in dossier.candidates if label in one.label)
    return next(
        one
        for one in dossier.findings
        if one.candidate == entry.id and one.what == what and dict(one.at) == at and not one.slice
    )


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    return flow.run(written(tmp_path_factory.mktemp("embeddings")))


def test_recall_has_bounds_and_a_paired_drop(embeddings: Dossier) -> None:
    reference, lower = of(embeddings, "fp32", "retrieval_recall", k=1), of(embeddings, "int8", "retrieval_recall", k=1)
    assert 0.5 < reference.number < 1
    assert reference.low is not None
    assert reference.low < reference.number
    assert reference.n == ROWS
    drop = of(embeddings, "int8", "retrieval_recall.drop", k=1)
    assert drop.number == pytest.approx(reference.number - lower.number)
    assert drop.against is not None
    assert drop.high is not None
    assert drop.high - drop.number < 0.06, "the same rows: a difference is known better than either recall"
    for what in ("mean_average_precision.drop", "ndcg.drop"):
        at = {"k": 10} if what.startswith("ndcg") else {}
        assert of(embeddings, "bf16", what, **at).state is State.OK


def test_drift_and_neighbours_are_held_against_the_reference(embeddings: Dossier) -> None:
    int8, bf16 = (of(embeddings, one, "cosine_drift") for one in ("int8", "bf16"))
    assert 0 < bf16.number < int8.number < 0.05
    assert of(embeddings, "int8", "cosine_drift.most").number >= int8.number
    assert of(embeddings, "int8", "cosine_drift.beyond", drift=0.1).value == 0
    overlap = of(embeddings, "bf16", "neighbour_overlap", k=10)
    assert 0.8 < overlap.number <= 1
    assert overlap.against is not None


def test_slices_are_looked_at_apart(embeddings: Dossier) -> None:
    found = [one for one in embeddings.findings if one.what == "retrieval_recall" and one.slice and one.at["k"] == 5]
    assert {str(one.slice[0].value) for one in found} == {"north", "south"}
    whole = of(embeddings, "fp32", "retrieval_recall", k=5)
    own = [one for one in found if one.candidate == whole.candidate]
    assert sum(one.number * (one.n or 0) for one in own) == pytest.approx(whole.number * ROWS)


def test_the_verdict_rests_on_what_search_finds(embeddings: Dossier) -> None:
    judged = {one.candidate: one for one in embeddings.verdict.candidates}
    bf16 = next(one.id for one in embeddings.candidates if "bf16" in one.label)
    assert judged[bf16].outcome is Outcome.PASS


def test_queries_and_rows_to_be_found_can_be_told_apart(tmp_path: Path) -> None:
    dossier = flow.run(written(tmp_path, "labels: [item, role]"))
    found = of(dossier, "fp32", "retrieval_recall", k=1)
    assert found.n == ROWS // 3
    assert found.state is State.OK
