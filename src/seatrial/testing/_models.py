"""Small models for the exams, each with rows and the answers that NumPy gives: nothing of a runtime is used to make them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.errors import SeatrialError

ROWS = 5
OPSET = 17


class Sample(NamedTuple):
    """A model as a file, rows for it, and the right answers in double precision rounded to float32."""

    name: str
    artefact: Artefact
    values: dict[str, Any]
    answers: dict[str, Any]


def samples(format_: str, folder: Path) -> list[Sample]:
    """Samples in this format (`onnx`, `torch`), their files written into `folder`; none for formats unknown here."""
    makers = {"onnx": (_onnx_mlp, _onnx_conv), "torch": (_torch_mlp, _torch_conv)}
    folder.mkdir(parents=True, exist_ok=True)
    return [make(folder) for make in makers.get(format_, ())]


def rows(count: int = ROWS, *shape: int, seed: int = 7) -> Any:
    """Standard normal rows, float32, the same everywhere."""
    return np.random.default_rng(seed).standard_normal((count, *shape)).astype(np.float32)


def refusal(kind: type[SeatrialError], act: Callable[[], Any]) -> SeatrialError | None:
    """The error of this kind with which `act` is refused, or None where it isn't."""
    try:
        act()
    except kind as error:
        return error
    return None


def sha256(file: Path | str) -> str:
    """SHA-256 of a small file."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def onnx_file(file: Path, nodes: Sequence[Any], inputs: Mapping[str, tuple[str, Sequence[Any]]], outputs: Mapping[str, tuple[str, Sequence[Any]]], constants: Mapping[str, Any], opset: int = OPSET) -> Artefact:  # fmt: skip
    """Write an ONNX file; inputs and outputs are `{name: (dtype, shape with the row axis first)}`."""
    import onnx
    from onnx import helper, numpy_helper

    def described(named: Mapping[str, tuple[str, Sequence[Any]]]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
            for name, (dtype, shape) in named.items()
        ]

    graph = helper.make_graph(
        list(nodes),
        "sample",
        described(inputs),
        described(outputs),
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString(deterministic=True))
    counts = {shape[0] for _, shape in inputs.values() if shape and isinstance(shape[0], int)}
    return Artefact(
        format="onnx",
        files={"model": str(file)},
        hashes={"model": sha256(file)},
        signature=Signature(inputs=_specs(inputs), outputs=_specs(outputs), fixed_batch=next(iter(counts), None)),
        lineage=Lineage(recipe="given"),
    )


def mlp_file(file: Path, batch: int | str = "rows", opset: int = OPSET) -> Artefact:
    """A perceptron: `features` [rows, 32] float32 to `logits` [rows, 10], weights from a fixed seed."""
    from onnx import helper

    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"], transB=1),
    ]
    ends = {"features": ("float32", (batch, 32))}, {"logits": ("float32", (batch, 10))}
    return onnx_file(file, nodes, *ends, mlp_weights(), opset)


def roundabout(folder: Path) -> Sample:
    """The perceptron with a constant that is worked out each time and changes nothing: what graph optimisation is to find."""
    from onnx import helper

    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Mul", ["half", "two"], ["one"]),
        helper.make_node("Mul", ["active", "one"], ["again"]),
        helper.make_node("Gemm", ["again", "w2", "b2"], ["logits"], transB=1),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    ends = {"features": ("float32", ("rows", 32))}, {"logits": ("float32", ("rows", 10))}
    constants = mlp_weights() | {"half": np.array([0.5], np.float32), "two": np.array([2.0], np.float32)}
    values = rows(ROWS, 32)
    artefact = onnx_file(folder / "roundabout.onnx", nodes, *ends, constants)
    return Sample("roundabout", artefact, {"features": values}, {"logits": mlp_answers(values)})


def conv_file(file: Path, opset: int = OPSET) -> Artefact:
    """A convolution: `image` [rows, 3, 8, 8] float32 to `logits` [rows, 10]: conv, relu, mean over the image, product."""
    from onnx import helper

    nodes = [
        helper.make_node("Conv", ["image", "kernel", "shift"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1),
    ]
    ends = {"image": ("float32", ("rows", 3, 8, 8))}, {"logits": ("float32", ("rows", 10))}
    return onnx_file(file, nodes, *ends, conv_weights(), opset)


def mlp_weights() -> dict[str, Any]:
    """Weights and biases of the perceptron."""
    draw = np.random.default_rng(1)
    shapes = {"w1": (48, 32), "b1": (48,), "w2": (10, 48), "b2": (10,)}
    return {name: (draw.standard_normal(shape) / 6).astype(np.float32) for name, shape in shapes.items()}


def conv_weights() -> dict[str, Any]:
    """Weights and biases of the convolution."""
    draw = np.random.default_rng(2)
    shapes = {"kernel": (16, 3, 3, 3), "shift": (16,), "w": (10, 16), "b": (10,)}
    return {name: (draw.standard_normal(shape) / 3).astype(np.float32) for name, shape in shapes.items()}


def mlp_answers(features: Any) -> Any:
    """The perceptron's logits in double precision."""
    weights = {name: value.astype(np.float64) for name, value in mlp_weights().items()}
    active = np.maximum(features.astype(np.float64) @ weights["w1"].T + weights["b1"], 0)
    return (active @ weights["w2"].T + weights["b2"]).astype(np.float32)


def conv_answers(image: Any) -> Any:
    """The convolution's logits in double precision."""
    weights = {name: value.astype(np.float64) for name, value in conv_weights().items()}
    padded = np.pad(image.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    maps = np.einsum("nchwij,ocij->nohw", windows, weights["kernel"]) + weights["shift"][:, None, None]
    return (np.maximum(maps, 0).mean(axis=(2, 3)) @ weights["w"].T + weights["b"]).astype(np.float32)


TORCH_CODE = '''"""Two small modules with the weights' names of the ONNX samples."""

import torch
from torch.nn import functional


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w1, self.b1 = torch.nn.Parameter(torch.zeros(48, 32)), torch.nn.Parameter(torch.zeros(48))
        self.w2, self.b2 = torch.nn.Parameter(torch.zeros(10, 48)), torch.nn.Parameter(torch.zeros(10))

    def forward(self, features):
        hidden = functional.relu(functional.linear(features, self.w1, self.b1))
        return functional.linear(hidden, self.w2, self.b2)


class Conv(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel, self.shift = torch.nn.Parameter(torch.zeros(16, 3, 3, 3)), torch.nn.Parameter(torch.zeros(16))
        self.w, self.b = torch.nn.Parameter(torch.zeros(10, 16)), torch.nn.Parameter(torch.zeros(10))

    def forward(self, image):
        maps = functional.relu(functional.conv2d(image, self.kernel, self.shift, padding=1))
        return functional.linear(maps.mean(dim=(2, 3)), self.w, self.b)
'''


def _onnx_mlp(folder: Path) -> Sample:
    values = rows(ROWS, 32)
    return Sample("mlp", mlp_file(folder / "mlp.onnx"), {"features": values}, {"logits": mlp_answers(values)})


def _onnx_conv(folder: Path) -> Sample:
    values = rows(ROWS, 3, 8, 8)
    return Sample("conv", conv_file(folder / "conv.onnx"), {"image": values}, {"logits": conv_answers(values)})


def _torch_mlp(folder: Path) -> Sample:
    values = rows(ROWS, 32)
    artefact = _torch(folder, "Mlp", mlp_weights(), {"features": ("float32", (None, 32))})
    return Sample("mlp", artefact, {"features": values}, {"logits": mlp_answers(values)})


def _torch_conv(folder: Path) -> Sample:
    values = rows(ROWS, 3, 8, 8)
    artefact = _torch(folder, "Conv", conv_weights(), {"image": ("float32", (None, 3, 8, 8))})
    return Sample("conv", artefact, {"image": values}, {"logits": conv_answers(values)})


def _torch(
    folder: Path, name: str, weights: dict[str, Any], inputs: Mapping[str, tuple[str, Sequence[Any]]]
) -> Artefact:
    from safetensors.numpy import save_file

    code, file = folder / "sample_modules.py", folder / f"{name}.safetensors"
    code.write_text(TORCH_CODE, encoding="utf-8")
    save_file(weights, file)
    files = {"code": code, "weights": file}
    return Artefact(
        format="torch",
        files={role: str(path) for role, path in files.items()},
        hashes={role: sha256(path) for role, path in files.items()},
        signature=Signature(inputs=_specs(inputs), outputs=(TensorSpec(name="logits", shape=(10,)),)),
        lineage=Lineage(recipe="given", options={"folder": str(folder)}),
        entry=f"{code.name}:{name}",
    )


def _specs(named: Mapping[str, tuple[str, Sequence[Any]]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name=name, dtype=dtype, shape=tuple(size if isinstance(size, int) else None for size in shape[1:]))
        for name, (dtype, shape) in named.items()
    )
