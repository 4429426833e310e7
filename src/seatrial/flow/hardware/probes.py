"""Small models of known work that are measured to calibrate a runtime: each kind of operator in at least two of them.

They are written as ONNX with random weights of a size that keeps activations near one, so that no number overflows or becomes
denormal. They are made for calibration alone: no benchmark judges predictions by them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ROWS = "rows"
OPSET = 17


class Net:
    """An ONNX graph in the making: `last` is the tensor that the next operator takes."""

    def __init__(self, name: str, *shape: int, words: int = 0) -> None:
        from onnx import TensorProto, helper

        self.name, self.nodes, self.constants, self.last = name, [], [], "input"  # type: ignore[var-annotated]
        self._random = np.random.default_rng(len(name))
        self.words, self.shape = words, shape
        number = TensorProto.INT64 if words else TensorProto.FLOAT
        self.inputs = [helper.make_tensor_value_info("input", number, [ROWS, *shape])]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """An operator on the last tensor, and on further ones."""
        from onnx import helper

        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [self.last, *inputs], [output], **attributes))
        self.last = output
        return output

    def constant(self, values: Array) -> str:
        """A constant of the model."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weights(self, *shape: int, fan: int) -> str:
        """Random weights; `fan` is how many are added up for one number."""
        return self.constant(self._random.normal(0, (2 / fan) ** 0.5, shape).astype(np.float32))

    def convolution(self, inner: int, outer: int, size: int, stride: int = 1, groups: int = 1) -> None:
        """A convolution that keeps height and width (but for the stride), and a ReLU."""
        fan = inner // groups * size * size
        weights = self.weights(outer, inner // groups, size, size, fan=fan)
        pad = size // 2
        self.add("Conv", weights, group=groups, kernel_shape=[size, size], pads=[pad] * 4, strides=[stride] * 2)
        self.add("Relu")

    def dense(self, inner: int, outer: int, relu: bool = True) -> None:
        """A matrix product with constant weights, a bias, and a ReLU."""
        self.add("MatMul", self.weights(inner, outer, fan=inner))
        self.add("Add", self.weights(outer, fan=outer))
        if relu:
            self.add("Relu")

    def normalise(self, width: int) -> None:
        """A layer normalisation over the last axis."""
        ones, zeros = self.constant(np.ones(width, np.float32)), self.constant(np.zeros(width, np.float32))
        self.add("LayerNormalization", ones, zeros, axis=-1)

    def attend(self, length: int, width: int, heads: int) -> None:
        """Self-attention with its projections."""
        given, parts = self.last, []
        split = self.constant(np.array([0, length, heads, width // heads]))
        for order in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)):
            self.last = given
            self.dense(width, width, relu=False)
            self.add("Reshape", split)
            parts.append(self.add("Transpose", perm=list(order)))
        self.last = parts[0]
        self.add("MatMul", parts[1])
        self.add("Mul", self.constant(np.array((width // heads) ** -0.5, np.float32)))
        self.add("Softmax", axis=-1)
        self.add("MatMul", parts[2])
        self.add("Transpose", perm=[0, 2, 1, 3])
        self.add("Reshape", self.constant(np.array([0, length, width])))
        self.dense(width, width, relu=False)
        self.add("Add", given)

    def save(self, folder: Path) -> Path:
        """The file, with rows as its free first axis."""
        from onnx import TensorProto, helper, save, shape_inference

        output = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, self.name, self.inputs, [output], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        file = folder / f"{self.name}.onnx"
        save(shape_inference.infer_shapes(model), str(file))
        return file

    def feed(self, batch: int) -> dict[str, Array]:
        """Input for that many rows."""
        draw = np.random.default_rng(batch)
        if self.words:
            return {"input": draw.integers(0, self.words, (batch, *self.shape), dtype=np.int64)}
        return {"input": draw.normal(size=(batch, *self.shape)).astype(np.float32)}


def convolutions(name: str, side: int, channels: Sequence[int], size: int, stride: int = 1) -> Net:
    """Convolutions of one kernel size, one after the other."""
    net = Net(name, channels[0], side, side)
    for inner, outer in itertools.pairwise(channels):
        net.convolution(inner, outer, size, stride)
    return net


def pooled(name: str, side: int, widths: Sequence[int]) -> Net:
    """A small picture network: convolutions, pooling, a dense layer at its end."""
    net = Net(name, 3, side, side)
    for inner, outer in zip((3, *widths), widths, strict=False):
        net.convolution(inner, outer, 3)
        net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.dense(widths[-1], 10, relu=False)
    return net


def separable(name: str, side: int, channels: int, depth: int, size: int = 3, widen: int = 1) -> Net:
    """Depthwise convolutions, each followed by one that mixes channels."""
    net = Net(name, channels, side, side)
    for _ in range(depth):
        net.convolution(channels, channels * widen, 1)
        net.convolution(channels * widen, channels * widen, size, groups=channels * widen)
        net.convolution(channels * widen, channels, 1)
    return net


def filters(name: str, side: int, channels: int, depth: int, size: int) -> Net:
    """Depthwise convolutions alone."""
    net = Net(name, channels, side, side)
    for _ in range(depth):
        net.convolution(channels, channels, size, groups=channels)
    return net


def layers(name: str, widths: Sequence[int], length: int = 0) -> Net:
    """Dense layers one after the other, on one vector a row or on `length` of them."""
    net = Net(name, *((length,) if length else ()), widths[0])
    for inner, outer in itertools.pairwise(widths):
        net.dense(inner, outer)
    return net


def attention(name: str, length: int, width: int, heads: int, depth: int) -> Net:
    """Blocks of attention and two dense layers, as transformers have them."""
    net = Net(name, length, width)
    for _ in range(depth):
        net.normalise(width)
        net.attend(length, width, heads)
        given = net.last
        net.normalise(width)
        net.dense(width, 2 * width)
        net.dense(2 * width, width, relu=False)
        net.add("Add", given)
    return net


def lookups(name: str, words: int, width: int, length: int, dense: int) -> Net:
    """A table of vectors, looked up, averaged, and a dense layer."""
    net = Net(name, length, words=words)
    table, net.last = net.last, net.weights(words, width, fan=2)
    net.add("Gather", table)
    net.add("ReduceMean", axes=[1], keepdims=0)
    net.dense(width, dense)
    return net


def normalisations(name: str, length: int, width: int, depth: int) -> Net:
    """Layer normalisations and softmaxes in turn, with a transposition between."""
    net = Net(name, length, width)
    for place in range(depth):
        net.normalise((length, width)[(place + 1) % 2])
        net.add("Softmax", axis=-1)
        net.add("Transpose", perm=[0, 2, 1])
    return net


def recurrent(name: str, length: int, width: int, hidden: int, depth: int) -> Net:
    """LSTM layers, one after the other."""
    net = Net(name, length, width)
    net.add("Transpose", perm=[1, 0, 2])
    for inner in (width, *(hidden,) * (depth - 1)):
        weights = net.weights(1, 4 * hidden, inner, fan=inner + hidden)
        net.add("LSTM", weights, net.weights(1, 4 * hidden, hidden, fan=inner + hidden), hidden_size=hidden)
        net.add("Squeeze", net.constant(np.array([1])))
    net.add("Transpose", perm=[1, 0, 2])
    return net


def steps(name: str, width: int, depth: int) -> Net:
    """Simple steps on each element that can't all be one: each result is used twice."""
    net = Net(name, width)
    for _ in range(depth):
        before = net.last
        net.add("Tanh")
        net.add("Concat", before, axis=-1)
        net.add("Slice", *(net.constant(np.array([one])) for one in (width // 2, width // 2 + width, 1)))
    return net


def pools(name: str, side: int, channels: int, depth: int) -> Net:
    """Pooling that keeps height and width."""
    net = Net(name, channels, side, side)
    for place in range(depth):
        how = ("MaxPool", "AveragePool")[place % 2]
        net.add(how, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    return net


PROBES: tuple[tuple[Callable[[], Net], tuple[int, ...]], ...] = (
    (lambda: layers("dense_large", (1024, 1024, 1024, 1024)), (1, 16, 384)),
    (lambda: layers("dense_wide", (2048, 4096, 512)), (1, 8, 64)),
    (lambda: layers("dense_middle", (768, 768, 768, 768, 768)), (1, 4, 48)),
    (lambda: layers("dense_deep", (1536, 1536, 1536, 1536, 1536, 1536, 1536)), (1, 4)),
    (lambda: layers("dense_small", (64, 96, 64, 96, 64, 10)), (1, 32, 512)),
    (lambda: layers("dense_long", (192, 384, 192), length=48), (1, 8, 32)),
    (lambda: convolutions("kernels_3", 28, (48, 64, 96, 64), 3), (1, 8)),
    (lambda: convolutions("kernels_5", 14, (64, 128, 64), 5), (1, 8)),
    (lambda: convolutions("kernels_1", 20, (96, 192, 96, 192), 1), (1, 8)),
    (lambda: convolutions("kernels_small", 8, (16, 24, 32, 24, 16), 3), (1, 4, 32)),
    (lambda: convolutions("strided", 48, (24, 48, 96), 3, 2), (1, 16)),
    (lambda: pooled("pictures", 40, (24, 48, 96)), (1, 8, 32)),
    (lambda: pooled("pictures_wide", 24, (64, 128)), (1, 16)),
    (lambda: separable("separable", 20, 64, 3), (1, 8)),
    (lambda: separable("separable_wide", 12, 32, 4, widen=4), (1, 16)),
    (lambda: filters("filters_3", 24, 96, 4, 3), (1, 8)),
    (lambda: filters("filters_5", 16, 128, 3, 5), (1, 8)),
    (lambda: attention("attention", 48, 128, 4, 2), (1, 4, 16)),
    (lambda: attention("attention_long", 160, 96, 3, 1), (1, 8)),
    (lambda: attention("attention_wide", 24, 320, 5, 2), (1, 8)),
    (lambda: lookups("lookups", 20000, 64, 40, 128), (1, 16, 128)),
    (lambda: lookups("lookups_long", 150000, 96, 24, 64), (1, 32, 256)),
    (lambda: lookups("lookups_wide", 5000, 256, 12, 256), (1, 64)),
    (lambda: normalisations("normalisations", 64, 96, 4), (1, 16)),
    (lambda: normalisations("normalisations_wide", 128, 192, 2), (1, 8)),
    (lambda: recurrent("recurrent", 24, 96, 128, 2), (1, 8)),
    (lambda: recurrent("recurrent_long", 60, 48, 64, 1), (1, 16)),
    (lambda: recurrent("recurrent_wide", 12, 256, 320, 1), (1, 4)),
    (lambda: steps("steps", 4096, 4), (1, 64)),
    (lambda: steps("steps_small", 128, 6), (1, 64)),
    (lambda: pools("pools", 24, 48, 3), (1, 8)),
    (lambda: pools("pools_small", 10, 32, 4), (1, 16)),
)
"""What is measured: small enough for a minute in all, different enough to tell arithmetic, data and waiting apart."""

ARCHETYPES: dict[str, Callable[[], Net]] = {
    "convolutional network": lambda: convolutions("cnn", 28, (128, 128, 128, 128), 3),
    "depthwise convolutional network": lambda: separable("depthwise_cnn", 28, 64, 2, widen=4),
    "transformer": lambda: attention("transformer", 128, 512, 8, 1),
    "dense layers": lambda: layers("mlp", (1024, 1024, 1024)),
    "embedding table": lambda: lookups("embedding", 20000, 64, 32, 64),
}
"""What kinds of model look like to hardware, for saying which suit a device: their operations a byte are counted, nothing is run."""


def quantised(width: int = 1024, depth: int = 3) -> Net:
    """Dense layers whose inputs and weights are int8, marked as the format marks them (`QuantizeLinear`, `DequantizeLinear`)."""
    net = Net("quantised", width)
    scale, zero = net.constant(np.array(0.05, np.float32)), net.constant(np.array(128, np.uint8))
    fine, nought = net.constant(np.array(0.01, np.float32)), net.constant(np.array(0, np.int8))
    for _ in range(depth):
        net.add("QuantizeLinear", scale, zero)
        activations = net.add("DequantizeLinear", scale, zero)
        net.last = net.constant(np.random.default_rng(0).integers(-8, 8, (width, width), dtype=np.int8))
        weights = net.add("DequantizeLinear", fine, nought)
        net.last = activations
        net.add("MatMul", weights)
    return net
