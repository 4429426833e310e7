"""ONNX as torch: ONNX's own operator test data, quantised models, gradients against finite differences, refusals by name."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from onnx.backend.test import loader

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Loss, Making, Setting
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.conversions import _torch_code, onnx_to_torch
from seatrial.testing import _models

KNOWN_GAPS = re.compile(
    r"float8|FLOAT8|FLOAT4|e4m3|e5m2|e8m0|E8M0|float4|u?int2(_|$)|INT2|u?int4|INT4|string|STRING|uint16|uint32|uint64|bitwise_not_3d|training|"
    r"identity_(sequence|opt)|argmax_2d|reduce_(max|min)_empty_set|antialias|tf_crop_and_resize"
)
"""What the part says it can't: types that torch lacks, training, text, empty reductions, some ways to resize."""


ROUNDED = {torch.bfloat16: 2e-2, torch.float16: 2e-3}
"""How near is right in so few bits, in which each step rounds."""


def _cases() -> dict[str, list[Any]]:
    """ONNX's tests of one operator, by operator, of those that are claimed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [case for case in loader.load_model_tests(kind="node") if case.model is not None]
    known, found = set(_torch_code.operators()), {}
    for case in cases:
        kinds = {node.op_type for node in case.model.graph.node}
        if len(kinds) == 1 and kinds <= known and not KNOWN_GAPS.search(case.name):
            found.setdefault(next(iter(kinds)), []).append(case)
    return found


CASES = _cases()


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _module(model: Any) -> Any:
    code = _torch_code.written(model, "test")
    names: dict[str, Any] = {"__name__": "made"}
    exec(compile(code.text, "model.py", "exec"), names)
    module = names["Model"]()
    module.load_state_dict({name: onnx_to_torch._tensor(value) for name, value in code.weights.items()})
    return module.eval()


@pytest.mark.parametrize("operator", sorted(CASES))
def test_onnx_own_test_data(operator: str) -> None:
    for case in CASES[operator]:
        module = _module(case.model)
        for inputs, outputs in case.data_sets:
            with torch.no_grad():
                got = module(*[onnx_to_torch._tensor(_array(value)) for value in inputs])
            for mine, wanted in zip(got.values(), map(_array, outputs), strict=True):
                assert tuple(mine.shape) == wanted.shape, case.name
                assert mine.dtype == onnx_to_torch._tensor(wanted).dtype, case.name
                near = ROUNDED.get(mine.dtype, 0.0)
                np.testing.assert_allclose(
                    mine.double().numpy(), wanted.astype(np.float64), max(case.rtol, 1e-3, near), max(case.atol, 1e-6, near), err_msg=case.name
                )  # fmt: skip


def test_the_test_data_covers_most_of_what_is_claimed() -> None:
    assert len(CASES) > 120
    assert sum(map(len, CASES.values())) > 800


@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
def test_sequences_that_end_before_the_steps_are_refused_and_whole_ones_are_not(operator: str) -> None:
    """All of one length that is less than the steps, too: the states after it would be others."""
    gates, draw = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator], np.random.default_rng(0)
    ends = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in (("x", 1, [3, 2, 4]), ("lengths", 6, [2]), ("y", 1, None))]  # fmt: skip
    held = {"w": (1, 5 * gates, 4), "r": (1, 5 * gates, 5)}
    weights = [numpy_helper.from_array(draw.standard_normal(size).astype(np.float32), name) for name, size in held.items()]  # fmt: skip
    node = helper.make_node(operator, ["x", "w", "r", "", "lengths"], ["y"], hidden_size=5)
    model = helper.make_model(helper.make_graph([node], "g", ends[:2], ends[2:], weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=10)  # fmt: skip
    module, x = _module(model), torch.ones(3, 2, 4)
    assert module(x, torch.tensor([3, 3], dtype=torch.int32))["y"].shape == (3, 1, 2, 5)
    for lengths in ([2, 2], [3, 2]):
        with pytest.raises(ValueError, match="shorter than the steps"):
            module(x, torch.tensor(lengths, dtype=torch.int32))


# --- whole models -----------------------------------------------------------------------------------------------------------


def convert(artefact: Artefact, folder: Path) -> Artefact:
    part = catalog.find("conversions", "onnx_to_torch")
    return catalog.load(part).convert(artefact, Making(folder, 0), catalog.options(part))


def session(artefact: Artefact, runtime: str = "torch", precision: str = "fp32", **options: Any) -> Any:
    part = catalog.find("runtimes", runtime)
    return catalog.load(part).open(artefact, Setting(precision=precision, batch=4), catalog.options(part, options))


def quantised(how: str, folder: Path) -> Artefact:
    """The convolution in int8, as ONNX Runtime's tools write it."""
    from onnxruntime import quantization as tool

    folder.mkdir(exist_ok=True)
    plain, made = _models.conv_file(folder / "plain.onnx"), folder / "int8.onnx"
    if how == "dynamic":
        tool.quantize_dynamic(plain.files["model"], made)
    else:
        rows = iter([{"image": _models.rows(32, 3, 8, 8, seed=1)}])

        class Rows(tool.CalibrationDataReader):
            def get_next(self) -> Any:
                return next(rows, None)

        kind = tool.QuantFormat.QDQ if how == "qdq" else tool.QuantFormat.QOperator
        tool.quantize_static(plain.files["model"], made, Rows(), quant_format=kind, per_channel=how == "qdq")
    return plain.model_copy(update={"files": {"model": str(made)}, "hashes": {"model": _models.sha256(made)}})


@pytest.mark.parametrize("how", ["qdq", "operators", "dynamic"])
def test_int8_models_answer_alike_and_have_gradients(tmp_path: Path, how: str) -> None:
    artefact, values = quantised(how, tmp_path / "given"), {"image": _models.rows(6, 3, 8, 8)}
    one, other = session(artefact, "onnxruntime"), session(convert(artefact, tmp_path / "made"))
    right, got = one.predict(values)["logits"], other.predict(values)["logits"]
    assert np.abs(got - right).max() <= 0.02 * np.abs(right).max()
    labels = right.argmax(1)
    slope = other.gradient(values, Loss("logits", labels=labels))
    true = session(convert(_models.conv_file(tmp_path / "p.onnx"), tmp_path / "float")).gradient(
        values, Loss("logits", labels=labels)
    )
    ours, theirs = (one.gradient["image"].ravel() for one in (slope, true))
    assert ours @ theirs > 0.95 * np.linalg.norm(ours) * np.linalg.norm(theirs)


@pytest.mark.parametrize("kind", ["cross_entropy", "margin", "dlr", "targeted_dlr", "cotangent"])
@pytest.mark.parametrize("batch", ["rows", 2])
def test_gradients_are_those_of_finite_differences(tmp_path: Path, kind: str, batch: Any) -> None:
    opened = session(convert(_models.mlp_file(tmp_path / "m.onnx", batch), tmp_path / "made"))
    values, labels = _models.rows(5, 32), np.array([0, 1, 2, 3, 4])
    if kind == "targeted_dlr":
        labels = np.stack([labels, labels + 3], axis=1)
    loss = Loss("logits", kind, labels, _models.rows(5, 10, seed=3))
    slope = opened.gradient({"features": values}, loss)
    assert slope.gradient["features"].shape == values.shape
    assert slope.answers["logits"] == pytest.approx(_models.mlp_answers(values), abs=1e-5)
    along = _models.rows(5, 32, seed=9)
    step = np.float32(2e-3)
    ends = [opened.gradient({"features": values + sign * step * along}, loss).loss for sign in (1, -1)]
    assert (slope.gradient["features"] * along).sum(1) == pytest.approx(
        (ends[0] - ends[1]) / (2 * step), rel=0.02, abs=2e-3
    )


def test_labels_and_outputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    opened = session(convert(_models.mlp_file(tmp_path / "m.onnx"), tmp_path / "made"))
    values = {"features": _models.rows(2, 32)}
    for wrong in (Loss("logits"), Loss("none", labels=np.array([0, 1])), Loss("logits", labels=np.array([0, 10]))):
        with pytest.raises(ModelError):
            opened.gradient(values, wrong)


@pytest.mark.parametrize(("precision", "options"), [("bf16", {}), ("fp32", {"compiled": True, "backend": "aot_eager"})])
def test_what_comes_out_runs_in_bf16_and_compiled(tmp_path: Path, precision: str, options: dict[str, Any]) -> None:
    opened = session(convert(_models.conv_file(tmp_path / "m.onnx"), tmp_path / "made"), "torch", precision, **options)
    values = _models.rows(5, 3, 8, 8)
    right = _models.conv_answers(values)
    assert np.abs(opened.predict({"image": values})["logits"] - right).max() < 0.03 * np.abs(right).max()
    assert opened.facts().precision == precision
    opened.close()


def test_the_fashion_network_is_the_same(tmp_path: Path) -> None:
    file = next(Path("examples/fashion").glob("*.onnx"))
    part = catalog.find("subjects", "onnx")
    artefact = catalog.load(part).read(catalog.options(part, {"path": file.name}), file.parent)
    spec = artefact.signature.inputs[0]
    values = {spec.name: _models.rows(8, *[size or 1 for size in spec.shape])}
    right = session(artefact, "onnxruntime").predict(values)
    got = session(convert(artefact, tmp_path)).predict(values)
    for name, wanted in right.items():
        assert np.abs(got[name] - wanted).max() <= 1e-5 * max(np.abs(wanted).max(), 1)


def test_shapes_that_depend_on_rows_stay_numbers(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["rows"], axis=0),
        helper.make_node("Concat", ["rows", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["y"]),
    ]
    constants = {"first": np.array([0]), "rest": np.array([2, -1])}
    ends = {"x": ("float32", ("rows", 6))}, {"y": ("float32", ("rows", 2, 3))}
    made = convert(_models.onnx_file(tmp_path / "m.onnx", nodes, *ends, constants), tmp_path / "made")
    opened = session(made, compiled=True, backend="eager")
    values = _models.rows(5, 6)
    assert np.array_equal(opened.predict({"x": values})["y"], values.reshape(5, 2, 3))
    assert opened.facts().details["graph_breaks"] == {}
    opened.close()


def test_what_is_unknown_is_refused_by_name(tmp_path: Path) -> None:
    nodes = [helper.make_node("Unique", ["x"], ["u"], axis=0), helper.make_node("HannWindow", ["u"], ["y"])]
    ends = {"x": ("float32", ("rows", 4, 4))}, {"y": ("float32", ("rows",))}
    artefact = _models.onnx_file(tmp_path / "m.onnx", nodes, *ends, {})
    with pytest.raises(Unsupported, match="Unique, HannWindow") as refused:
        convert(artefact, tmp_path / "made")
    assert refused.value.next_step
    Path(artefact.files["model"]).write_bytes(b"other")
    with pytest.raises(ModelError, match="has changed"):
        convert(artefact, tmp_path / "made")
