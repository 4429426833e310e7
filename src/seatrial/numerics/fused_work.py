"""How much work the operators are that ONNX Runtime fuses and quantises (domain `com.microsoft`): the shapes they give, and operations.

The ONNX standard knows neither, so that shape inference ends where one of them stands. Names and the order of inputs are those of ONNX
Runtime's list of contributed operators (docs/ContribOperators.md in its sources); operations are counted as in `numerics.work`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from seatrial.numerics.work import Attributes, Shape, Shapes, known, size

DOMAIN = "com.microsoft"
BY_SHAPE = 5
"""As many of the first inputs decide about shapes: if they are given, they must be known."""
WITHOUT_DOMAIN = ("SimplifiedLayerNormalization",)
"""What ONNX Runtime's tools write into the standard's own domain, which doesn't know it."""
ADDED = ("activation", "activation_params", "activation_alpha", "activation_beta", "activation_gamma")
"""Attributes that a fused operator has beside those of the standard's."""
PLAIN = {"FusedConv": ("Conv", 3), "FusedGemm": ("Gemm", 3)}
"""Operators that are the standard's with a step on each element after them: by name, and how many inputs the standard's takes."""


class Fused(NamedTuple):
    """One operator: its kind (`numerics.work`; empty where its work can't be counted), the shapes it gives, its operations.

    `like` is the input whose type of number the first output has; None: 32-bit floats.
    """

    kind: str
    gives: Callable[[Shapes, Attributes], list[Shape | None]]
    flops: Callable[[Shapes, Shapes, Attributes], float] = lambda inputs, outputs, attributes: 0.0
    quantised: bool = False
    like: int | None = 0


def find(domain: str, operator: str) -> Fused | None:
    """What is known of an operator; None for those of the standard, and of anybody else."""
    return OPERATORS.get(operator) if domain == DOMAIN or operator in WITHOUT_DOMAIN else None


# --- element by element ---------------------------------------------------------------------------------------------------


def _same(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    return [known(inputs[0])]


def _summed(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    """A normalisation after a sum, which is its fourth output."""
    return [known(inputs[0]), None, None, known(inputs[0])]


def _both(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    return [tuple(np.broadcast_shapes(known(inputs[0]), known(inputs[3])))]


def _steps(count: int) -> Callable[[Shapes, Shapes, Attributes], float]:
    return lambda inputs, outputs, attributes: float(size(outputs[0]) * count)


def _pooled(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    given = known(inputs[0])
    ones = (1,) * (len(given) - 2)
    return [(given[0], *ones, given[-1]) if attributes.get("channels_last") else (*given[:2], *ones)]


def _joined(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    parts = [known(one) for one in inputs[2::3]]
    axis = int(attributes["axis"]) % len(parts[0])
    return [(*parts[0][:axis], sum(one[axis] for one in parts), *parts[0][axis + 1 :])]


def _embedded(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    words, table = known(inputs[0]), known(inputs[2])
    return [(*words, table[-1]), words[:1], (*words, table[-1])]


# --- products -------------------------------------------------------------------------------------------------------------


def _turned(shape: Shape, turn: object) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2]) if turn else shape


def _factors(inputs: Shapes, attributes: Attributes, second: int = 1) -> tuple[Shape, Shape]:
    """Both factors as they are multiplied. Raises `ValueError` for vectors and for batches that stand elsewhere."""
    if attributes.get("transBatchA") or attributes.get("transBatchB"):
        raise ValueError("a product with transposed batches isn't counted")
    one = _turned(known(inputs[0]), attributes.get("transA"))
    other = _turned(known(inputs[second]), attributes.get("transB"))
    if min(len(one), len(other)) < 2:
        raise ValueError("a fused product of vectors isn't counted")
    return one, other


def _product(second: int) -> Callable[[Shapes, Attributes], list[Shape | None]]:
    def gives(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
        one, other = _factors(inputs, attributes, second)
        return [(*np.broadcast_shapes(one[:-2], other[:-2]), one[-2], other[-1])]

    return gives


def _multiplied(second: int) -> Callable[[Shapes, Shapes, Attributes], float]:
    return lambda inputs, outputs, attributes: 2.0 * size(outputs[0]) * _factors(inputs, attributes, second)[0][-1]


def _few_bits(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    return [(*known(inputs[0])[:-1], int(attributes["N"]))]


def _few_bits_work(inputs: Shapes, outputs: Shapes, attributes: Attributes) -> float:
    return 2.0 * size(outputs[0]) * int(attributes["K"])


def _recurrent(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    steps, rows, _ = known(inputs[0])
    directions, hidden, _ = known(inputs[2])
    return [(steps, directions, rows, hidden), (directions, rows, hidden), (directions, rows, hidden)]


def _recurrent_work(inputs: Shapes, outputs: Shapes, attributes: Attributes) -> float:
    steps, rows, _ = known(inputs[0])
    return 2.0 * steps * rows * (size(inputs[1]) + size(inputs[2]))


# --- attention ------------------------------------------------------------------------------------------------------------


def _widths(inputs: Shapes, attributes: Attributes) -> tuple[int, int]:
    """Numbers of a query and of a value, all heads together, where one product makes queries, keys and values."""
    third = known(inputs[1])[-1] // 3
    query, _, value = attributes.get("qkv_hidden_sizes") or (third,) * 3
    return int(query), int(value)


def _attended(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    return [(*known(inputs[0])[:-1], _widths(inputs, attributes)[1])]


def _attention(past: int) -> Callable[[Shapes, Shapes, Attributes], float]:
    """The projections, queries times keys, and weights times values; `past` is the input that holds earlier steps."""

    def flops(inputs: Shapes, outputs: Shapes, attributes: Attributes) -> float:
        rows, steps, _ = known(inputs[0])
        query, value = _widths(inputs, attributes)
        projections = 2.0 * rows * steps * size(inputs[1])
        return projections + 2.0 * rows * steps * (steps + _earlier(inputs, past, 3)) * (query + value)

    return flops


def _earlier(inputs: Shapes, place: int, axis: int) -> int:
    """How many earlier steps an input holds; none where it isn't given."""
    return known(inputs[place])[axis] if len(inputs) > place and inputs[place] is not None else 0


def _split(inputs: Shapes) -> tuple[Shape, Shape, Shape]:
    """Queries, keys and values of three axes. Raises `ValueError` where they are packed into one, or heads lie in an axis."""
    found = tuple(known(one) for one in (*inputs, None, None, None)[:3])
    if any(len(one) != 3 for one in found):
        raise ValueError("attention over packed inputs isn't counted")
    return found[0], found[1], found[2]


def _heads(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    query, _, value = _split(inputs)
    return [(*query[:2], value[-1])]


def _heads_work(inputs: Shapes, outputs: Shapes, attributes: Attributes) -> float:
    query, key, value = _split(inputs)
    return 2.0 * query[0] * query[1] * (key[1] + _earlier(inputs, 6, 2)) * (query[-1] + value[-1])


def _grouped(inputs: Shapes, attributes: Attributes) -> list[Shape | None]:
    """Several queries share a key; without a second input, queries, keys and values lie side by side in the first."""
    query, heads = known(inputs[0]), int(attributes["num_heads"])
    packed = len(inputs) < 2 or inputs[1] is None
    wide = query[-1] * heads // (heads + 2 * int(attributes["kv_num_heads"])) if packed else query[-1]
    return [(*query[:2], wide)]


def _grouped_work(inputs: Shapes, outputs: Shapes, attributes: Attributes) -> float:
    rows, steps, wide = known(outputs[0])
    return 4.0 * rows * steps * (steps + _earlier(inputs, 3, 2)) * wide


OPERATORS: dict[str, Fused] = {
    "Gelu": Fused("elementwise", _same, _steps(6)),
    "FastGelu": Fused("elementwise", _same, _steps(7)),
    "BiasGelu": Fused("elementwise", _same, _steps(7)),
    "QuickGelu": Fused("elementwise", _same, _steps(5)),
    "RotaryEmbedding": Fused("elementwise", _same, _steps(3)),
    "LayerNormalization": Fused("normalisation", _same, _steps(8)),
    "SimplifiedLayerNormalization": Fused("normalisation", _same, _steps(5)),
    "SkipLayerNormalization": Fused("normalisation", _summed, _steps(9)),
    "SkipSimplifiedLayerNormalization": Fused("normalisation", _summed, _steps(6)),
    "EmbedLayerNormalization": Fused("", _embedded, like=2),
    "QLinearAdd": Fused("elementwise", _both, _steps(1)),
    "QLinearMul": Fused("elementwise", _both, _steps(1)),
    "QLinearSigmoid": Fused("elementwise", _same, _steps(3)),
    "QLinearLeakyRelu": Fused("elementwise", _same, _steps(1)),
    "QLinearSoftmax": Fused("normalisation", _same, _steps(5)),
    "QLinearGlobalAveragePool": Fused("pooling", _pooled, lambda inputs, outputs, attributes: float(size(inputs[0]))),
    "QLinearConcat": Fused("movement", _joined, like=2),
    "FusedMatMul": Fused("matmul", _product(1), _multiplied(1)),
    "MatMulNBits": Fused("matmul", _few_bits, _few_bits_work),
    "DynamicQuantizeMatMul": Fused("matmul", _product(1), _multiplied(1), quantised=True),
    "MatMulIntegerToFloat": Fused("matmul", _product(1), _multiplied(1), quantised=True, like=None),
    "QGemm": Fused("matmul", _product(3), _multiplied(3), quantised=True),
    "DynamicQuantizeLSTM": Fused("recurrent", _recurrent, _recurrent_work, quantised=True),
    "Attention": Fused("matmul", _attended, _attention(4)),
    "QAttention": Fused("matmul", _attended, _attention(8), quantised=True, like=None),
    "MultiHeadAttention": Fused("matmul", _heads, _heads_work),
    "GroupQueryAttention": Fused("matmul", _grouped, _grouped_work),
}
"""What is known of them. Others are named as not counted."""
