"""`init` for labels that are no classes: numbers, several labels a row, boxes. What it writes can be run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

from seatrial.flow import study as flow
from seatrial.flow.draft import draft

ROWS = 120


def model(folder: Path, name: str, outputs: dict[str, tuple[int, ...]]) -> Path:
    """A matrix product for each output, its numbers brought into the output's shape."""
    draw, nodes, held, ends = np.random.default_rng(0), [], [], []
    for place, (output, shape) in enumerate(outputs.items()):
        wide = int(np.prod(shape))
        held += [
            numpy_helper.from_array((draw.standard_normal((4, wide)) / 2).astype(np.float32), f"w{place}"),
            numpy_helper.from_array(np.array([-1, *shape]), f"s{place}"),
        ]
        nodes += [
            helper.make_node("MatMul", ["x", f"w{place}"], [f"p{place}"]),
            helper.make_node("Reshape", [f"p{place}", f"s{place}"], [output]),
        ]
        ends.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", *shape]))
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])], ends, held
    )
    file = folder / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


def drafted(file: Path, data: Path, folder: Path) -> str:
    text, _ = draft(file, data, folder)
    (folder / "study.yaml").write_text(text)
    return text


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((ROWS, 4)).astype(np.float32)


def test_fractions_are_a_regression_that_runs(tmp_path: Path, x: np.ndarray) -> None:
    table = pl.DataFrame({f"x{at}": x[:, at] for at in range(4)}).with_columns(price=pl.Series(x.sum(1) + 0.25))
    table.write_parquet(tmp_path / "rows.parquet")
    text = drafted(model(tmp_path, "prices", {"y": (1,)}), tmp_path / "rows.parquet", tmp_path)
    assert "task: regression" in text
    assert "{means: values}" in text
    assert "label: price" in text
    assert "what: accuracy" not in text
    dossier = flow.run(tmp_path / "study.yaml", quick=True, only=("onnxruntime",))
    found = {one.what: one for one in dossier.findings if one.value is not None}
    assert found["mae"].value is not None
    assert found["rmse"].value >= found["mae"].value


def test_several_labels_a_row_run_with_their_names(tmp_path: Path, x: np.ndarray) -> None:
    names = np.array(["cat", "dog", "tree"])
    tags = ["|".join(names[row > 0]) or "-" for row in x[:, :3]]
    table = pl.DataFrame({f"x{at}": x[:, at] for at in range(4)}).with_columns(tags=pl.Series(tags))
    table.write_parquet(tmp_path / "rows.parquet")
    text = drafted(model(tmp_path, "tags", {"logits": (3,)}), tmp_path / "rows.parquet", tmp_path)
    assert "task: multi_label" in text
    assert "classes: [cat, dog, tree]" in text
    dossier = flow.run(tmp_path / "study.yaml", quick=True, only=("onnxruntime",))
    found = {one.what for one in dossier.findings if one.value is not None}
    assert {"hamming_loss", "jaccard"} <= found


def test_zeros_and_ones_ask_for_the_names_of_the_labels(tmp_path: Path, x: np.ndarray) -> None:
    np.savez(tmp_path / "rows.npz", x=x, labels=(x[:, :3] > 0).astype(np.int64))
    text, left = draft(model(tmp_path, "tags", {"logits": (3,)}), tmp_path / "rows.npz", tmp_path)
    assert "task: multi_label" in text
    assert any("3 labels in the order of the column `labels`" in one for one in left)


def test_boxes_are_a_detection(tmp_path: Path, x: np.ndarray) -> None:
    np.savez(tmp_path / "rows.npz", x=x, boxes=np.abs(np.random.default_rng(2).standard_normal((ROWS, 2, 5))))
    file = model(tmp_path, "boxes", {"where": (3, 4), "scores": (3, 2)})
    text, left = draft(file, tmp_path / "rows.npz", tmp_path)
    assert not left
    assert "task: detection" in text
    assert "where: {means: boxes}" in text
    assert "scores: {means: scores}" in text
    assert "CHECK: how boxes are written" in text
