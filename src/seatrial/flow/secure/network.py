"""Reads the network of an ONNX file: public layers, and the weights that stay with the model's owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seatrial.errors import ModelError
from seatrial.numerics import fixed_point
from seatrial.numerics.fixed_point import Floats

KNOWN = "Gemm, MatMul and Add of constants, Conv, Relu, MaxPool, AveragePool, GlobalAveragePool, Flatten, Reshape, a last Softmax"
_NOTHING = ("Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze")
"""What changes no number: rows are flat in the protocol, channels first."""
_STEP = "secure evaluation takes linear models, MLPs and small CNNs: " + KNOWN


class Step(NamedTuple):
    """A layer with what is known of it before sizes are worked out; `weights` are inputs x outputs of one window."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weights: Floats | None = None
    bias: Floats | None = None
    window: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def places(self) -> Any:
        """Where each window's members stand in a flat row: places x channels x members."""
        shape = (self.inputs[0], self.inputs[1], self.inputs[2])
        return fixed_point.windows(shape, self.window, self.stride, self.pads)


class Network(NamedTuple):
    """The shape of a row, and the steps from it to one score a class."""

    inputs: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def outputs(self) -> int:
        """How many scores there are."""
        return int(np.prod(self.steps[-1].outputs))


@dataclass
class _Reading:
    """How far the graph was followed."""

    constants: dict[str, Any]
    shape: tuple[int, ...]
    steps: list[Step] = field(default_factory=list)
    over: bool = False


def read(file: Path) -> Network:
    """The network of this file, one chain from its input to its scores. Raises `ModelError` for what isn't known."""
    import onnx
    from onnx import numpy_helper

    try:
        model = onnx.load(str(file))
    except Exception as error:
        raise ModelError(f"{file} can't be read as ONNX: {str(error)[:200]}") from error
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    given = [one for one in model.graph.input if one.name not in constants]
    if len(given) != 1 or not given[0].type.tensor_type.shape.dim[1:]:
        raise ModelError(f"{file} has {len(given)} inputs, or one without columns", next_step=_STEP)
    shape = tuple(axis.dim_value for axis in given[0].type.tensor_type.shape.dim[1:])
    if not all(size > 0 for size in shape):
        raise ModelError(
            f"{file}: the shape of a row isn't fixed", next_step="export it with fixed columns, height and width"
        )
    reading, current = _Reading(constants, shape), given[0].name
    for node in model.graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            continue
        if current not in node.input or reading.over:
            raise ModelError(
                f"{file}: `{node.op_type}` doesn't follow the step before it: it is no single chain", next_step=_STEP
            )
        _take(node, current, reading, file)
        current = node.output[0]
    if not any(step.weights is not None for step in reading.steps):
        raise ModelError(f"{file} holds no weights", next_step=_STEP)
    return Network(shape, tuple(reading.steps))


def _take(node: Any, current: str, reading: _Reading, file: Path) -> None:
    from onnx import helper

    if node.op_type in _NOTHING:
        reading.shape = _reshaped(node, reading)
        return
    if node.op_type in ("Softmax", "LogSoftmax"):
        reading.over = True  # it changes no order
        return
    take = _TAKERS.get(node.op_type)
    if take is None:
        raise ModelError(f"{file}: `{node.op_type}` isn't known to secure evaluation", next_step=_STEP)
    options = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    others = [reading.constants.get(name) for name in node.input if name and name != current]
    if any(one is None for one in others):
        raise ModelError(f"{file}: `{node.op_type}` joins two values that depend on the row", next_step=_STEP)
    try:
        step = take(reading, options, [np.asarray(one, np.float64) for one in others])
    except (ValueError, IndexError) as error:
        raise ModelError(f"{file}: `{node.op_type}`: {error}", next_step=_STEP) from error
    if step is not None:
        reading.steps.append(step)
        reading.shape = step.outputs


def _reshaped(node: Any, reading: _Reading) -> tuple[int, ...]:
    size = int(np.prod(reading.shape))
    if node.op_type == "Flatten":
        return (size,)
    if node.op_type == "Reshape" and (target := reading.constants.get(node.input[1])) is not None:
        wanted = [int(one) for one in np.ravel(target)][1:]
        known = int(np.prod([one for one in wanted if one > 0]))
        return tuple(one if one > 0 else size // known for one in wanted) or (size,)
    return reading.shape


Options = Mapping[str, Any]


def _gemm(reading: _Reading, options: Options, others: list[Floats]) -> Step:
    if options.get("transA"):
        raise ValueError("the transpose of a row is no row")
    weights = others[0].T if options.get("transB") else others[0]
    bias = others[1] * options.get("beta", 1.0) if len(others) > 1 else np.zeros(1)
    return _linear(reading, weights * options.get("alpha", 1.0), bias)


def _matmul(reading: _Reading, options: Options, others: list[Floats]) -> Step:
    return _linear(reading, others[0], np.zeros(1))


def _linear(reading: _Reading, weights: Floats, bias: Floats) -> Step:
    if weights.ndim != 2 or weights.shape[0] != np.prod(reading.shape) or len(reading.shape) != 1:
        raise ValueError(f"weights of shape {weights.shape} don't fit a row of shape {reading.shape}")
    wide = (weights.shape[1],)
    return Step("linear", reading.shape, wide, weights, np.broadcast_to(bias.reshape(-1), wide).copy())


def _add(reading: _Reading, options: Options, others: list[Floats]) -> None:
    last = reading.steps[-1] if reading.steps else None
    if last is None or last.weights is None or last.bias is None:
        raise ValueError("a constant is added elsewhere than behind weights")
    bias = last.bias + np.broadcast_to(others[0], (1, *last.outputs)).reshape(last.outputs[0], -1)[:, 0]
    if len(last.outputs) > 1 and np.ptp(np.broadcast_to(others[0], (1, *last.outputs)), axis=(2, 3)).any():
        raise ValueError("what is added differs within a channel")
    reading.steps[-1] = last._replace(bias=bias)


def _relu(reading: _Reading, options: Options, others: list[Floats]) -> Step:
    return Step("relu", reading.shape, reading.shape)


def _conv(reading: _Reading, options: Options, others: list[Floats]) -> Step:
    weights = others[0]
    if weights.ndim != 4 or options.get("group", 1) != 1 or set(options.get("dilations", [1])) != {1}:
        raise ValueError("only plain two-dimensional convolutions are known: no groups, no dilation")
    if weights.shape[1] != reading.shape[0]:
        raise ValueError(f"weights of shape {weights.shape} don't fit a row of shape {reading.shape}")
    bias = others[1] if len(others) > 1 else np.zeros(len(weights))
    step = _windowed("convolution", reading, options, weights.shape[2:], len(weights))
    return step._replace(weights=weights.reshape(len(weights), -1).T.copy(), bias=bias)


def _pool(kind: str) -> Callable[[_Reading, Options, list[Floats]], Step]:
    def take(reading: _Reading, options: Options, others: list[Floats]) -> Step:
        step = _windowed(kind, reading, options, options["kernel_shape"], reading.shape[0])
        if any(step.pads):
            raise ValueError("pooling with padding isn't known")
        return step

    return take


def _everywhere(reading: _Reading, options: Options, others: list[Floats]) -> Step:
    return _windowed("average_pool", reading, {}, reading.shape[1:], reading.shape[0])


def _windowed(kind: str, reading: _Reading, options: Options, window: Any, channels: int) -> Step:
    if (
        len(reading.shape) != 3
        or options.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
        or options.get("ceil_mode")
    ):
        raise ValueError("it wants rows of channels x height x width, padding in numbers, and no ceil_mode")
    tall, wide = (int(one) for one in window)
    down, across = (int(one) for one in options.get("strides", (1, 1)))
    top, left, bottom, right = (int(one) for one in options.get("pads", (0, 0, 0, 0)))
    height = (reading.shape[1] + top + bottom - tall) // down + 1
    width = (reading.shape[2] + left + right - wide) // across + 1
    if min(height, width, down, across) < 1 or min(top, left, bottom, right) < 0:
        raise ValueError("its window doesn't fit the row")
    pads = (top, left, bottom, right)
    return Step(kind, reading.shape, (channels, height, width), None, None, (tall, wide), (down, across), pads)


_TAKERS: dict[str, Callable[[_Reading, Options, list[Floats]], Step | None]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Relu": _relu,
    "Conv": _conv,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("average_pool"),
    "GlobalAveragePool": _everywhere,
}
