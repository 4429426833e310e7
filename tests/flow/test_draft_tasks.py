"""`init` for labels that are no classes: numbers, several labels a row, boxes. What it writes can be run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

from seatrial.contracts.dossier import Dossier
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
    for start in ("require:", "  - drop_at_most"):  # the gate that it offers, uncommented
        assert f"# {start}" in text
        text = text.replace(f"# {start}", start)
    (folder / "study.yaml").write_text(text)
    return text


def gated(dossier: Dossier, what: str) -> None:
    """The gate found the figure that it is about, of every candidate that could be made but the reference, which isn't held against itself."""
    others = [one for one in dossier.verdict.candidates if one.candidate != dossier.reference().id]
    judged = [one for candidate in others for one in candidate.judgements if one.rule != "run"]
    assert judged
    for one in judged:
        assert one.requirement.startswith(what)
        assert "several settings" not in one.reason
        assert "was not measured" not in one.reason


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
    gated(dossier, "mae rise")


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
    gated(dossier, "jaccard drop")


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


def vectors(folder: Path, output: str = "embedding", role: bool = True) -> str:
    draw = np.random.default_rng(3)
    things = draw.standard_normal((12, 4))
    item = draw.integers(0, 12, ROWS)
    x = things[item] + draw.normal(0, 0.3, (ROWS, 4))
    table = pl.DataFrame({f"x{at}": x[:, at].astype(np.float32) for at in range(4)} | {"product": [f"thing {one}" for one in item]})  # fmt: skip
    if role:
        table = table.with_columns(role=pl.Series(np.where(np.arange(ROWS) % 3 == 0, "query", "gallery")))
    table.write_parquet(folder / "rows.parquet")
    return drafted(model(folder, "vectors", {output: (6,)}), folder / "rows.parquet", folder)


@pytest.mark.parametrize("role", [True, False])
def test_vectors_are_an_embedding_that_runs(tmp_path: Path, role: bool) -> None:
    text = vectors(tmp_path, role=role)
    assert "task: embedding" in text
    assert "embedding: {means: vectors}" in text
    assert ("labels: [product, role]" if role else "label: product") in text
    assert "FILL IN" not in text
    if not role:
        return  # one run will do
    dossier = flow.run(tmp_path / "study.yaml", quick=True, only=("onnxruntime",))
    found = {one.what: one for one in dossier.findings if one.value is not None}
    assert found["retrieval_recall"].number > 0.5
    assert "cosine_drift" in found
    gated(dossier, "retrieval_recall drop {k: 1}")


def test_queries_and_a_gallery_make_an_output_of_any_name_vectors(tmp_path: Path) -> None:
    text = vectors(tmp_path, "out")
    assert "out: {means: vectors}  # CHECK: vectors to be compared" in text


# --- COCO -----------------------------------------------------------------------------------------------------------------------

SIDE, MOST = 32, 2


def pictures(folder: Path, names: list[int], off: float = 0) -> Path:
    """Pictures with one bright square each on a dark ground, of two sizes of file, as COCO lays them out."""
    from PIL import Image

    draw = np.random.default_rng(5)
    (folder / "annotations").mkdir(parents=True)
    (folder / "val").mkdir()
    images, annotations = [], []
    for number in range(24):
        x, y = (int(one) for one in draw.integers(2, SIDE // 2, 2))
        wide = int(draw.integers(6, 12))
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        kind = number % 2
        pixels[y : y + wide, x : x + wide, kind] = 255
        Image.fromarray(pixels).save(folder / "val" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": SIDE, "width": SIDE})
        annotations.append({"id": number, "image_id": number, "category_id": names[kind], "bbox": [x + off, y + off, wide, wide], "area": wide**2, "iscrowd": 0})  # fmt: skip
    categories = [{"id": one, "name": f"kind {one}"} for one in names]
    file = folder / "annotations" / "instances_val.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return file


def detector(folder: Path, form: str, share: bool, classes: tuple[int, int]) -> Path:
    """Reads the bright square off a picture in NCHW, values 0 to 1: its edges by sums, its class by its colour."""
    one = onnx_graph()
    gray = one("ReduceMax", "picture", one.held(np.array([1])), keepdims=0)
    edges = []
    for axis in (2, 1):  # columns that hold light, then rows
        line = one("ReduceMax", gray, one.held(np.array([1 if axis == 2 else 2])), keepdims=0)
        lit = one("Cast", one("Greater", line, one.held(np.float32(0.5))), to=TensorProto.FLOAT)
        first = one("Cast", one("ArgMax", lit, axis=1, keepdims=1), to=TensorProto.FLOAT)
        edges.append((first, one("Add", first, one("ReduceSum", lit, one.held(np.array([1])), keepdims=1))))
    (x0, x1), (y0, y1) = edges
    half = one.held(np.float32(0.5))
    middles = [one("Mul", one("Add", low, high), half) for low, high in edges]
    sizes = [one("Sub", high, low) for low, high in edges]
    box = one(
        "Concat", *{"xyxy": (x0, y0, x1, y1), "yxyx": (y0, x0, y1, x1), "cxcywh": (*middles, *sizes)}[form], axis=1
    )
    box = one("Mul", box, one.held(np.float32(1 / SIDE if share else 1)))
    one("Reshape", box, one.held(np.array([-1, 1, 4])), out="boxes")
    green = one(
        "ReduceMax", one("Gather", "picture", one.held(np.array(1)), axis=1), one.held(np.array([1, 2])), keepdims=0
    )
    kind = one("Where", one("Greater", green, half), one.held(np.float32(classes[1])), one.held(np.float32(classes[0])))
    one("Reshape", kind, one.held(np.array([-1, 1])), out="classes")
    red = one(
        "ReduceMax", "picture", one.held(np.array([1, 2, 3])), keepdims=0
    )  # 1 where the scale is right, no score else
    sure = one("Cast", one("Equal", red, one.held(np.float32(1))), to=TensorProto.FLOAT)
    one("Reshape", sure, one.held(np.array([-1, 1])), out="scores")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", *shape]) for name, shape in (("boxes", (1, 4)), ("scores", (1,)), ("classes", (1,)))]  # fmt: skip
    taken = [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["rows", 3, SIDE, SIDE])]
    graph = helper.make_graph(one.nodes, "detector", taken, ends, one.constants)
    file = folder / "detector.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)
    return file


class onnx_graph:
    """Nodes and constants as they are named one after another."""

    def __init__(self) -> None:
        self.nodes, self.constants = [], []

    def __call__(self, kind: str, *inputs: str, out: str = "", **attributes: object) -> str:
        out = out or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def held(self, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"c{len(self.constants)}"))
        return self.constants[-1].name


@pytest.mark.parametrize(
    ("form", "share", "numbers", "stated"),
    [
        ("xyxy", False, (0, 1), "boxes: {labels: xywh}}"),
        ("cxcywh", True, (0, 1), "boxes: {format: cxcywh, share_of: [32, 32], labels: xywh}}"),
        ("yxyx", False, (18, 44), "boxes: {format: yxyx, labels: xywh}}"),
    ],
)
def test_a_detector_and_cocos_files_are_a_study_that_runs(
    tmp_path: Path, form: str, share: bool, numbers: tuple[int, int], stated: str
) -> None:
    """How boxes are written, which numbers classes go by and how bytes become inputs are found by letting it answer."""
    file = pictures(tmp_path / "coco", [18, 44])
    text = drafted(detector(tmp_path, form, share, numbers), file, tmp_path)
    assert "task: detection" in text
    assert f"boxes: {{means: boxes, {stated}" in text
    assert "met most labelled boxes (100%)" in text
    assert "annotations: coco/annotations/instances_val.json, images: coco/val" in text
    assert ("classes: id" in text) is (numbers == (18, 44))
    assert "scale: {divide: 255" in text
    assert "FILL IN" not in text
    dossier = flow.run(tmp_path / "study.yaml", quick=True)
    found = [
        one for one in dossier.findings if one.what == "map" and one.at.get("overlap") == "0.5" and "area" not in one.at
    ]
    assert found
    assert found[0].number == pytest.approx(1)
    gated(dossier, "map drop {overlap: .50:.95}")


def test_boxes_that_lie_elsewhere_are_not_believed(tmp_path: Path) -> None:
    file = pictures(tmp_path / "coco", [1, 2], off=14)
    text, _ = draft(detector(tmp_path, "xyxy", False, (0, 1)), file, tmp_path)
    assert "ways met labelled boxes on the first 24 rows" in text
    assert "boxes: {labels: xywh}" in text


def test_pictures_get_the_models_size_and_missing_ones_are_told(tmp_path: Path) -> None:
    from seatrial.errors import DataError

    file = pictures(tmp_path / "coco", [1, 2])
    told = json.loads(file.read_text())
    for one in told["images"]:
        one |= {"height": 2 * SIDE, "width": 2 * SIDE}
    file.write_text(json.dumps(told))
    text, _ = draft(detector(tmp_path, "xyxy", False, (0, 1)), file, tmp_path)
    assert f"size: [{SIDE}, {SIDE}]" in text
    (tmp_path / "coco" / "val").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"0\.png isn't there"):
        draft(detector(tmp_path, "xyxy", False, (0, 1)), file, tmp_path)
