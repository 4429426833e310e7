"""Odd models for the tests of subjects, runtimes and variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper, numpy_helper, save_model

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.testing import _models

TABLE = np.random.default_rng(3).standard_normal((11, 6)).astype(np.float32)
MIX = np.random.default_rng(4).standard_normal((6, 3)).astype(np.float32)


def several(file: Path) -> Artefact:
    """Two inputs, int64 `tokens` [rows, 4] and float16 `dense` [rows, 3]; two outputs, `scores` [rows, 3] and int64 `longest` [rows]."""
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["found"]),
        helper.make_node("ReduceMean", ["found"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "mix"], ["mixed"]),
        helper.make_node("Cast", ["dense"], ["wide"], to=1),
        helper.make_node("Add", ["mixed", "wide"], ["scores"]),
        helper.make_node("ReduceMax", ["tokens"], ["longest"], axes=[1], keepdims=0),
    ]
    inputs = {"tokens": ("int64", ("rows", 4)), "dense": ("float16", ("rows", 3))}
    outputs = {"scores": ("float32", ("rows", 3)), "longest": ("int64", ("rows",))}
    return _models.onnx_file(file, nodes, inputs, outputs, {"table": TABLE, "mix": MIX})


def several_values(rows: int = 5) -> dict[str, Any]:
    draw = np.random.default_rng(5)
    return {"tokens": draw.integers(0, 11, (rows, 4)), "dense": draw.standard_normal((rows, 3)).astype(np.float16)}


def several_answers(values: dict[str, Any]) -> dict[str, Any]:
    scores = TABLE[values["tokens"]].mean(axis=1) @ MIX + values["dense"].astype(np.float32)
    return {"scores": scores, "longest": values["tokens"].max(axis=1)}


def half(file: Path) -> Artefact:
    """The perceptron in float16 throughout."""
    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"], transB=1),
    ]
    weights = {name: value.astype(np.float16) for name, value in _models.mlp_weights().items()}
    inputs, outputs = {"features": ("float16", ("rows", 32))}, {"logits": ("float16", ("rows", 10))}
    return _models.onnx_file(file, nodes, inputs, outputs, weights)


def nothing_heavy(file: Path) -> Artefact:
    """No matrix product and no convolution."""
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    return _models.onnx_file(file, nodes, {"x": ("float32", ("rows", 4))}, {"y": ("float32", ("rows", 4))}, {})


def external(file: Path, location: str = "weights.bin") -> Path:
    """The perceptron with its weights in a file of their own; gives the path of that file."""
    import onnx

    _models.mlp_file(file)
    save_model(onnx.load(file), file, save_as_external_data=True, location=location, size_threshold=0)
    return file.parent / location


def pointing(file: Path, location: str) -> None:
    """A model whose one tensor says that its 16 bytes lie at `location`."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    value = [helper.make_tensor_value_info(name, 1, ["rows", 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", value[:1], value[1:], [tensor])
    file.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def torch_artefact(folder: Path, code: str, function: str, weights: dict[str, Any], inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = (), arguments: str = "") -> Artefact:  # fmt: skip
    """A torch artefact of this code and these weights, as `subjects/torch` gives it with names filled in."""
    from safetensors.numpy import save_file

    file, tensors = folder / "net.py", folder / "net.safetensors"
    file.write_text(code)
    save_file(weights, tensors)
    files = {"code": file, "weights": tensors}
    return Artefact(
        format="torch",
        files={role: str(path) for role, path in files.items()},
        hashes={role: _models.sha256(path) for role, path in files.items()},
        signature=Signature(inputs=_specs(inputs), outputs=_specs(outputs)),
        lineage=Lineage(recipe="given", options={"folder": str(folder)}),
        entry=f"net.py:{function}{arguments}",
    )


def _specs(names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name=name) for name in names)
