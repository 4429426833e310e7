"""Drafting a study: what can be seen of model and data is filled in and runs unedited; the rest is marked and told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_study import make

from seatrial import catalog
from seatrial.contracts.study import Layout
from seatrial.errors import DataError, ModelError, StudyError
from seatrial.flow.draft import draft
from seatrial.flow.plan import make_plan
from seatrial.flow.read import Source, read
from seatrial.flow.rows import ModelRows, check_fit, prepare

KINDS = ("setosa", "versicolor", "virginica")


def linear(
    file: Path,
    inputs: dict[str, Sequence[Any]],
    weights: np.ndarray[Any, Any],
    last: str = "Softmax",
    output: str = "out",
) -> Path:
    """An ONNX file: inputs (row shapes) are flattened and joined, multiplied by weights, and, where asked, made probabilities."""
    nodes = [helper.make_node("Flatten", [name], [f"{name}_flat"]) for name in inputs]
    nodes.append(helper.make_node("Concat", [f"{name}_flat" for name in inputs], ["all"], axis=1))
    end = [helper.make_node("MatMul", ["all", "w"], ["product"]), helper.make_node(last, ["product"], [output])]
    graph = helper.make_graph(
        nodes + end,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape]) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", weights.shape[1]])],
        [numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return file


def flowers(n: int = 60, **more: Any) -> pl.DataFrame:
    random = np.random.default_rng(0)
    numbers = {
        name: random.normal(size=n).round(3) for name in ("sepal_length", "sepal_width", "petal_length", "petal_width")
    }
    return pl.DataFrame(numbers | {"species": [KINDS[row % 3] for row in range(n)]} | more)


def weights(rows: int, columns: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).normal(size=(rows, columns))


def back(folder: Path, text: str) -> tuple[Source, ModelRows]:
    """The drafted study, read, planned and its rows prepared, as a run would."""
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    source = read(folder / "study.yaml")
    plan = make_plan(source)
    assert plan.reference.candidate.batch >= 1
    (name,) = source.study.models
    rows = prepare(source.study, folder, name, folder / "cache")
    subject = catalog.find("subjects", "onnx")
    given = catalog.options(subject, source.study.models[name].forms["onnx"])
    check_fit(rows.evaluation, catalog.load(subject).read(given, folder).signature)
    return source, rows


def test_a_table(tmp_path: Path) -> None:
    model = linear(tmp_path / "iris-net.onnx", {"X": [4]}, weights(4, 3))
    flowers().write_parquet(tmp_path / "iris.parquet")
    text, missing = draft(model, tmp_path / "iris.parquet", tmp_path)
    assert missing == []
    assert text.startswith("# yaml-language-server: $schema=.seatrial/study.schema.json\n")
    source, rows = back(tmp_path, text)
    net = source.study.models["iris_net"]
    assert net.inputs["X"].columns == ("sepal_length", "sepal_width", "petal_length", "petal_width")
    assert net.outputs["out"].means == "probabilities", "seen by letting it answer, whatever its name"
    assert net.outputs["out"].classes == KINDS
    assert source.study.data["evaluation"].label == "species"
    assert rows.evaluation.labels is not None
    assert rows.evaluation.labels.tolist()[:4] == [0, 1, 2, 0]
    assert {metric.name for metric in source.study.measure.metrics} >= {"accuracy", "drop"}
    assert draft(model, tmp_path / "iris.parquet", tmp_path) == (text, missing), "the same files give the same draft"


def test_the_usual_is_asked_for_and_the_rest_is_named(tmp_path: Path) -> None:
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3))
    flowers().write_parquet(tmp_path / "iris.parquet")
    text, _ = draft(model, tmp_path / "iris.parquet", tmp_path)
    source, _ = back(tmp_path, text)
    asked = {metric.name for metric in source.study.measure.metrics}
    known = {one.name: one for one in catalog.parts("metrics").values() if one.takes("task", "classification")}
    assert asked == {name for name, one in known.items() if one.usual}
    (line,) = (line for line in text.splitlines() if "metrics:" in line)
    named = set(line.partition("# more: ")[2].partition(" (")[0].split(", "))
    assert named.isdisjoint(asked)
    waiting = {name for name in known if name not in named | asked}
    assert {name for name, one in known.items() if one.across} <= waiting, "without groups there is nothing to compare"
    variants = {name for one in source.study.candidates for name in [ref.name for ref in one.variant]}
    assert variants == {"as_is", "int8_dynamic"}, "what needs no rows to calibrate with, of what is usual"
    assert "pruned" in text.partition("# more: ")[2].splitlines()[0]


def test_the_requirements_it_offers_are_right_once_uncommented(tmp_path: Path) -> None:
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3))
    flowers().write_parquet(tmp_path / "iris.parquet")
    text, _ = draft(model, tmp_path / "iris.parquet", tmp_path)
    for start in ("require:", "  - ", "prefer:"):
        text = text.replace(f"# {start}", start)
    source, _ = back(tmp_path, text)
    assert len(source.study.require) == 4
    assert source.study.prefer is not None


def test_one_input_a_column_as_exporters_of_tables_write_them(tmp_path: Path) -> None:
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    model = linear(tmp_path / "net.onnx", {name: [1] for name in names}, weights(4, 3), output="probabilities")
    flowers().write_parquet(tmp_path / "iris.parquet")
    text, missing = draft(model, tmp_path / "iris.parquet", tmp_path)
    assert missing == []
    source, rows = back(tmp_path, text)
    assert [one.columns for one in source.study.models["net"].inputs.values()] == [(name,) for name in names]
    assert rows.evaluation.inputs["petal_width"].shape == (60, 1)


def test_numbers_of_rows_are_no_features_and_whole_numbers_may_be_labels(tmp_path: Path) -> None:
    frame = flowers().drop("species").with_columns(pl.int_range(60).alias("id"), target=pl.Series([0, 1, 2] * 20))
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3), last="Identity")
    frame.write_parquet(tmp_path / "rows.parquet")
    text, missing = draft(model, tmp_path / "rows.parquet", tmp_path)
    assert missing == []
    source, _ = back(tmp_path, text)
    assert "id" not in source.study.models["net"].inputs["X"].columns
    assert source.study.models["net"].outputs["out"].means == "logits"
    assert source.study.models["net"].outputs["out"].classes == (0, 1, 2)
    frame.rename({"target": "kind"}).drop("id").write_parquet(tmp_path / "rows.parquet")
    text, missing = draft(model, tmp_path / "rows.parquet", tmp_path)
    assert (missing, back(tmp_path, text)[0].study.data["evaluation"].label) == ([], "kind")


@pytest.mark.parametrize(
    ("stored", "asked", "layout"),
    [((4, 6), (1, 4, 6), ("HW", "CHW")), ((4, 6, 3), (3, 4, 6), ("HWC", "CHW")), ((3, 4, 6), (3, 4, 6), None), ((72,), (3, 4, 6), None)],
)  # fmt: skip
def test_images_in_archives(tmp_path: Path, stored: Any, asked: Any, layout: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, *stored), dtype=np.uint8)
    np.savez(tmp_path / "rows.npz", pixels=images, y=np.arange(40) % 2)
    model = linear(tmp_path / "net.onnx", {"image": asked}, weights(int(np.prod(asked)), 2), last="Identity")
    text, missing = draft(model, tmp_path / "rows.npz", tmp_path)
    assert missing == []
    source, rows = back(tmp_path, text)
    wanted = source.study.models["net"].inputs["image"]
    assert wanted.layout == (Layout(stored=layout[0], model=layout[1]) if layout else None)
    assert rows.evaluation.inputs["image"].shape == (40, *asked)


@pytest.mark.parametrize(("divide", "mean", "std"), [(1, 0.0, 1.0), (255, 0.5, 0.5)])
def test_the_scale_is_the_one_that_gives_right_classes(tmp_path: Path, divide: int, mean: float, std: float) -> None:
    """A classifier of bright and dark images, whose threshold is right for one scale alone."""
    images = np.random.default_rng(0).integers(0, 256, (200, 2, 2), dtype=np.uint8)
    bright = images.reshape(200, -1).mean(axis=1)
    threshold = 100.0
    labels = (bright > threshold).astype(int)
    np.savez(tmp_path / "rows.npz", image=images, label=labels)
    cut = (threshold / divide - mean) / std
    steep = np.vstack([np.array([[-0.25, 0.25]] * 4), [[cut, -cut]]])
    model = tmp_path / "net.onnx"
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["out"]),
        ],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 2, 2])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(steep[:4].astype(np.float32), "w"),
            numpy_helper.from_array(steep[4].astype(np.float32), "b"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(model))
    text, missing = draft(model, tmp_path / "rows.npz", tmp_path)
    assert missing == []
    assert "# CHECK: scale as in training" in text
    scale = back(tmp_path, text)[0].study.models["net"].inputs["image"].scale
    assert (scale.divide if scale else 1) == divide
    assert "(100%)" in text


def test_many_rows_lend_some_to_calibrate_with(tmp_path: Path) -> None:
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3))
    flowers(1500).write_parquet(tmp_path / "iris.parquet")
    text, missing = draft(model, tmp_path / "iris.parquet", tmp_path)
    assert missing == []
    _, rows = back(tmp_path, text)
    assert rows.calibration is not None
    assert rows.calibration.n + rows.evaluation.n == 1500


def test_a_batch_that_the_file_fixes(tmp_path: Path) -> None:
    model = onnx.load(str(linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3))))
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    onnx.save(model, str(tmp_path / "net.onnx"))
    flowers().write_parquet(tmp_path / "iris.parquet")
    text, missing = draft(tmp_path / "net.onnx", tmp_path / "iris.parquet", tmp_path)
    assert missing == []
    assert back(tmp_path, text)[0].study.candidates[0].batch == (4,)


# --- what can't be known -----------------------------------------------------------------------------------------------------


def test_columns_that_do_not_fit_are_left_to_fill_in(tmp_path: Path) -> None:
    model = linear(tmp_path / "net.onnx", {"X": [5]}, weights(5, 3))
    flowers().write_parquet(tmp_path / "iris.parquet")
    text, missing = draft(model, tmp_path / "iris.parquet", tmp_path)
    assert len(missing) == 1
    assert missing[0].startswith("the columns of the input `X` (float32, a row is 5); the data has: sepal_length")
    assert text.count("# FILL IN: ") == 1
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(StudyError, match="`FILL_IN` stands where something is missing") as error:
        read(tmp_path / "study.yaml")
    (line,) = [number for number, one in enumerate(text.splitlines(), 1) if "FILL IN: " in one]
    assert f"study.yaml:{line}:" in str(error.value)


def test_classes_that_do_not_match_the_outputs(tmp_path: Path) -> None:
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 5))
    flowers().write_parquet(tmp_path / "iris.parquet")
    _, missing = draft(model, tmp_path / "iris.parquet", tmp_path)
    assert missing == ["the 5 classes in their order; the data has 3 labels"]


def test_without_data(tmp_path: Path) -> None:
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3), output="probability")
    text, missing = draft(model, folder=tmp_path)
    assert len(missing) == 2
    assert "{means: probabilities}  # CHECK: probabilities by the name alone" in text
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(StudyError) as error:
        read(tmp_path / "study.yaml")
    lines = {int(problem.split("study.yaml:")[1].split(":")[0]) for problem in error.value.problems}
    assert lines == {number for number, one in enumerate(text.splitlines(), 1) if "FILL IN: " in one}


def test_limits_of_the_data_are_kept_in_the_study(tmp_path: Path) -> None:
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3))
    flowers().write_parquet(tmp_path / "iris.parquet")
    data = tmp_path / "iris.parquet"
    text, _ = draft(model, data, tmp_path, {"group": "16 GiB"})
    (tmp_path / "study.yaml").write_text(text)
    (one,) = read(tmp_path / "study.yaml").study.data.values()
    assert one.source.options == {"path": "iris.parquet", "limits": {"group": "16 GiB"}}
    with pytest.raises(DataError, match="a block would unpack") as refused:
        draft(model, data, tmp_path, {"block": "10 B"})
    assert "limits: {" in refused.value.next_step
    with pytest.raises(StudyError, match="there is no limit `groop`"):
        draft(model, data, tmp_path, {"groop": "1 GiB"})
    with pytest.raises(StudyError, match="no data was named"):
        draft(model, None, tmp_path, {"group": "1 GiB"})


def test_no_label(tmp_path: Path) -> None:
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3))
    flowers().drop("species").write_parquet(tmp_path / "iris.parquet")
    _, missing = draft(model, tmp_path / "iris.parquet", tmp_path)
    assert missing == ["the label column, one of: sepal_length, sepal_width, petal_length, petal_width"]


def test_odd_names_are_quoted(tmp_path: Path) -> None:
    frame = flowers().drop("species").with_columns(label=pl.Series(["no", "yes: maybe", "#3"] * 20))
    frame = frame.rename({"sepal_width": "sepal, width", "sepal_length": "yes"})
    model = linear(tmp_path / "my net (2).onnx", {"X:0": [4]}, weights(4, 3))
    frame.write_parquet(tmp_path / "a b: c.parquet")
    text, missing = draft(model, tmp_path / "a b: c.parquet", tmp_path)
    assert missing == []
    source, _ = back(tmp_path, text)
    assert source.study.models["my_net_2"].inputs["X:0"].columns[:2] == ("yes", "sepal, width")
    assert source.study.models["my_net_2"].outputs["out"].classes == ("#3", "no", "yes: maybe")


def test_files_that_nothing_reads(tmp_path: Path) -> None:
    (tmp_path / "net.unknown").write_bytes(b"")
    with pytest.raises(ModelError, match="no part reads"):
        draft(tmp_path / "net.unknown", None, tmp_path)
    model = linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3))
    (tmp_path / "rows.xls").write_bytes(b"")
    with pytest.raises(DataError, match="no part reads"):
        draft(model, tmp_path / "rows.xls", tmp_path)


def test_paths_start_from_the_folder_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "models").mkdir()
    model = linear(tmp_path / "models" / "net.onnx", {"X": [4]}, weights(4, 3))
    flowers().write_parquet(tmp_path / "here" / "iris.parquet")
    text, _ = draft(model, tmp_path / "here" / "iris.parquet", tmp_path / "here")
    assert "path: ../models/net.onnx" in text or 'path: "../models/net.onnx"' in text
    back(tmp_path / "here", text)
    with pytest.raises(StudyError):
        read(tmp_path / "study.yaml")


def test_classes_that_are_words_take_the_order_of_the_outputs_that_choose_them(tmp_path):
    make(tmp_path)  # its outputs stand for red, green, blue; sorted they would be blue, green, red
    rows = dict(np.load(tmp_path / "rows.npz"))
    names = np.array(["red", "green", "blue"])[rows["label"]]
    np.savez(tmp_path / "named.npz", x=rows["x"], label=names)
    text, _ = draft(tmp_path / "linear.onnx", tmp_path / "named.npz", tmp_path)
    assert "classes: [red, green, blue]" in text
    assert "CHECK: classes in the order of the outputs, as the model's answers" in text


def test_maps_and_boxes_are_no_scores_of_classes(tmp_path: Path) -> None:
    model = onnx.load(str(linear(tmp_path / "net.onnx", {"X": [4]}, weights(4, 3))))
    shape = model.graph.output[0].type.tensor_type.shape
    shape.dim[1].dim_value = 1
    shape.dim.add().dim_value = 3
    model.graph.node[-1].output[0] = "flat"
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 1, 3]), "to"))
    model.graph.node.append(helper.make_node("Reshape", ["flat", "to"], ["out"]))
    onnx.save(model, str(tmp_path / "net.onnx"))
    assert "out: {means: logits}" in draft(tmp_path / "net.onnx", folder=tmp_path)[0]
    shape.dim[1].dim_value = 2
    onnx.save(model, str(tmp_path / "net.onnx"))
    text, missing = draft(tmp_path / "net.onnx", folder=tmp_path)
    assert "out: {means: logits}" not in text
    assert "which output holds a number for each class; there are: out" in missing


def test_an_input_of_text_is_left_to_fill_in_as_text(tmp_path: Path) -> None:
    model = onnx.load(str(linear(tmp_path / "net.onnx", {"X": [4], "port": [1]}, weights(5, 3))))
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.STRING
    text, weight = model.graph.node[1], onnx.AttributeProto(name="default_float", type=1, f=0.5)
    coded = helper.make_node(
        "LabelEncoder", ["port"], ["coded"], domain="ai.onnx.ml", keys_strings=["a"], values_floats=[1.0]
    )
    coded.attribute.append(weight)
    text.input[0] = "coded"
    model.graph.node.insert(0, coded)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 4))
    onnx.save(model, str(tmp_path / "net.onnx"))
    flowers(harbour=["a"] * 60).write_parquet(tmp_path / "rows.parquet")
    text, missing = draft(tmp_path / "net.onnx", tmp_path / "rows.parquet", tmp_path)
    assert "port: {columns: FILL_IN, kind: text}" in text
    assert any(line.startswith("the columns of the input `port` (string, a row is 1)") for line in missing)
