"""ONNX models as others make them: four kinds, in the operators of each version, written by hand from fixed seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


class Graph:
    """Nodes and constants, in the forms of one version of the operators."""

    def __init__(self, opset: int, seed: int = 0) -> None:
        self.opset, self.nodes, self.constants = opset, [], []
        self.draw = np.random.default_rng(seed)

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        out = out or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def const(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(self, *shape: int) -> str:
        return self.const((self.draw.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32))

    def mean(self, value: str, axis: int, keep: bool) -> str:
        """The axes of reductions were an attribute until version 18."""
        if self.opset < 18:
            return self.op("ReduceMean", value, axes=[axis], keepdims=int(keep))
        return self.op("ReduceMean", value, self.const(np.array([axis])), keepdims=int(keep))

    def squeezed(self, value: str, axis: int) -> str:
        """The axes of Squeeze were an attribute until version 13."""
        if self.opset < 13:
            return self.op("Squeeze", value, axes=[axis])
        return self.op("Squeeze", value, self.const(np.array([axis])))

    def normed(self, value: str, width: int) -> str:
        """One operator from version 17 on, its formula before."""
        scale, shift = self.const(np.ones(width, np.float32)), self.weight(width)
        if self.opset >= 17:
            return self.op("LayerNormalization", value, scale, shift)
        centred = self.op("Sub", value, self.mean(value, -1, True))
        spread = self.mean(self.op("Mul", centred, centred), -1, True)
        root = self.op("Sqrt", self.op("Add", spread, self.const(np.float32(1e-5))))
        return self.op("Add", self.op("Mul", self.op("Div", centred, root), scale), shift)

    def gelu(self, value: str) -> str:
        """One operator from version 20 on, its formula before."""
        if self.opset >= 20:
            return self.op("Gelu", value)
        inner = self.op("Erf", self.op("Mul", value, self.const(np.float32(np.sqrt(0.5)))))
        half = self.op("Mul", value, self.const(np.float32(0.5)))
        return self.op("Mul", half, self.op("Add", inner, self.const(np.float32(1))))

    def model(self, inputs: dict[str, tuple[int, tuple]], outputs: dict[str, tuple[int, tuple]]) -> Any:
        sides = [
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in side.items()]
            for side in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, "elsewhere", *sides, self.constants)
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10 if self.opset > 20 else 8
        )
        onnx.checker.check_model(made, full_check=True)
        return made


def cnn(opset: int, rows: Any = "rows") -> Any:
    one = Graph(opset)
    x = one.op("Conv", "image", one.weight(8, 3, 3, 3), pads=[1, 1, 1, 1])
    norm = [one.const(np.abs(one.draw.standard_normal(8)).astype(np.float32) + 0.5) for _ in range(4)]
    x = one.op("MaxPool", one.op("Relu", one.op("BatchNormalization", x, *norm)), kernel_shape=[2, 2], strides=[2, 2])
    x = one.op("Add", x, one.op("Relu", one.op("Conv", x, one.weight(8, 1, 3, 3), pads=[1, 1, 1, 1], group=8)))
    x = one.op("Flatten", one.op("GlobalAveragePool", x))
    one.op("Gemm", x, one.weight(8, 5), one.weight(5), out="logits")
    return one.model({"image": (FLOAT, (rows, 3, 8, 8))}, {"logits": (FLOAT, (rows, 5))})


def transformer(opset: int, rows: Any = "rows") -> Any:
    one, width, heads, places = Graph(opset), 16, 2, 6
    x = one.op("Add", one.op("Gather", one.weight(20, width), "ids"), one.weight(1, places, width))
    normed = one.normed(x, width)

    def split(turn: list[int]) -> str:
        shape = one.const(np.array([-1, places, heads, width // heads]))
        return one.op("Transpose", one.op("Reshape", one.op("MatMul", normed, one.weight(width, width)), shape), perm=turn)  # fmt: skip

    query, key, value = split([0, 2, 1, 3]), split([0, 2, 3, 1]), split([0, 2, 1, 3])
    scores = one.op("Mul", one.op("MatMul", query, key), one.const(np.float32(1 / np.sqrt(width // heads))))
    mixed = one.op("Transpose", one.op("MatMul", one.op("Softmax", scores, axis=3), value), perm=[0, 2, 1, 3])
    x = one.op("Add", x, one.op("Reshape", mixed, one.const(np.array([-1, places, width]))))
    inner = one.gelu(one.op("MatMul", one.normed(x, width), one.weight(width, 32)))
    x = one.op("Add", x, one.op("MatMul", inner, one.weight(32, width)))
    one.op("Gemm", one.mean(x, 1, False), one.weight(width, 4), one.weight(4), out="logits")
    return one.model({"ids": (INT, (rows, places))}, {"logits": (FLOAT, (rows, 4))})


def tabular(opset: int, rows: Any = "rows") -> Any:
    """Numbers and a category in, probabilities and a value out."""
    one = Graph(opset)
    x = one.op("Concat", "numbers", one.op("Gather", one.weight(7, 4), "kinds"), axis=1)
    hidden = one.op("Tanh", one.op("Gemm", x, one.weight(9, 12), one.weight(12)))
    one.op("Softmax", one.op("Gemm", hidden, one.weight(12, 3), one.weight(3)), axis=1, out="shares")
    one.op("Sigmoid", one.op("MatMul", hidden, one.weight(12, 1)), out="value")
    ends = {"numbers": (FLOAT, (rows, 5)), "kinds": (INT, (rows,))}
    return one.model(ends, {"shares": (FLOAT, (rows, 3)), "value": (FLOAT, (rows, 1))})


def audio(opset: int, rows: Any = "rows") -> Any:
    """A convolution along a wave, then a recurrent layer over what it finds."""
    one, hidden = Graph(opset), 6
    x = one.op("Relu", one.op("Conv", "wave", one.weight(4, 1, 8), strides=[8]))
    x = one.op("Transpose", x, perm=[2, 0, 1])
    last = f"v{len(one.nodes)}"
    one.nodes.append(helper.make_node("GRU", [x, one.weight(1, 3 * hidden, 4), one.weight(1, 3 * hidden, hidden)], ["", last], hidden_size=hidden, linear_before_reset=1))  # fmt: skip
    one.op("Gemm", one.squeezed(last, 0), one.weight(hidden, 3), one.weight(3), out="logits")
    return one.model({"wave": (FLOAT, (rows, 1, 40))}, {"logits": (FLOAT, (rows, 3))})


KINDS = {"cnn": cnn, "transformer": transformer, "tabular": tabular, "audio": audio}


def values(name: str, count: int = 5) -> dict[str, Any]:
    """Rows for a kind of model."""
    draw = np.random.default_rng(9)

    def floats(*shape: int) -> Any:
        return draw.standard_normal((count, *shape)).astype(np.float32)

    return {
        "cnn": lambda: {"image": floats(3, 8, 8)},
        "transformer": lambda: {"ids": draw.integers(0, 20, (count, 6))},
        "tabular": lambda: {"numbers": floats(5), "kinds": draw.integers(0, 7, count)},
        "audio": lambda: {"wave": floats(1, 40)},
    }[name]()


def half_weights(model: Any) -> Any:
    """The weights stored in float16, each turned back where it is used."""
    graph = model.graph
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16), f"{name}_half"))
            graph.node.insert(0, helper.make_node("Cast", [f"{name}_half"], [name], to=FLOAT))
    onnx.checker.check_model(model, full_check=True)
    return model


def saved(model: Any, folder: Path, beside: bool = False) -> dict[str, str]:
    """The options that read the file; `beside` keeps the weights in a file of their own."""
    more = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 100} if beside else {}
    onnx.save(model, folder / "model.onnx", **more)
    return {"path": "model.onnx"}
