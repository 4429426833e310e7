"""How much work an operator of a neural network is: arithmetic from shapes.

A multiply-add counts as two operations, as in torch's own counter and in vendors' peaks. Biases aren't counted (torch's counter
doesn't count them); one simple step an element is one operation. Names are those of the ONNX standard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Shape = tuple[int, ...]
Shapes = Sequence[Shape | None]
Attributes = Mapping[str, Any]
WIDTHS = {"fp64": 8, "fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "int8": 1}
"""Bytes of one number."""

WEIGHTS_AT = {"QLinearConv": 3, "QLinearMatMul": 3}
"""Where the second factor stands, if it isn't the second input."""
STEPS = {"Softmax": 5, "LogSoftmax": 6, "LayerNormalization": 8, "RMSNormalization": 5, "InstanceNormalization": 8, "GroupNormalization": 8, "LpNormalization": 3, "MeanVarianceNormalization": 6, "LRN": 6, "DynamicQuantizeLinear": 4, "BatchNormalization": 2, "Gelu": 6, "Sigmoid": 3, "HardSigmoid": 2, "HardSwish": 3, "Mish": 5, "Softplus": 3, "Swish": 4, "Elu": 3, "Selu": 3, "Celu": 3, "Resize": 4, "Upsample": 1, "GridSample": 8}  # fmt: skip
"""Operations an element of the output, where it isn't one: those of the textbook formula, an exponential counting one."""

NORMALISATION = {"Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization", "LpNormalization", "MeanVarianceNormalization", "LRN", "ArgMax", "ArgMin", "TopK", "CumSum", "DynamicQuantizeLinear"}  # fmt: skip
POOLING = {"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}
MOVEMENT = {"Transpose", "Concat", "Split", "Slice", "Pad", "Tile", "Expand", "Resize", "Upsample", "DepthToSpace", "SpaceToDepth", "ScatterND", "ScatterElements", "Cast", "Trilu", "OneHot", "GridSample", "Col2Im", "CastLike", "ReverseSequence"}  # fmt: skip
LOOKUP = {"Gather", "GatherElements", "GatherND"}
FREE = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Size", "Constant", "ConstantOfShape", "Range", "QuantizeLinear", "DequantizeLinear", "EyeLike"}  # fmt: skip
"""What moves nothing: the shape is changed in place, or the runtime folds it into its neighbours."""
ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Neg", "Abs", "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Sin", "Cos", "Tan", "Tanh", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "Gelu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Mish", "Softplus", "Softsign", "Clip", "Min", "Max", "Mean", "Sum", "Where", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Not", "Xor", "Sign", "Ceil", "Floor", "Round", "BatchNormalization", "IsNaN", "IsInf", "BitShift"}  # fmt: skip


def kind(operator: str, inputs: Shapes, attributes: Attributes) -> str | None:
    """What sort of work this operator is, as `contracts.hardware.Kind` says it; None for one that isn't known."""
    if operator in _HEAVY:
        base = _HEAVY[operator][0]
        return "depthwise" if base == "convolution" and _depthwise(operator, inputs, attributes) else base
    for name, operators in _KINDS.items():
        if operator in operators:
            return name
    return "normalisation" if operator.startswith("Reduce") else None


def flops(operator: str, inputs: Shapes, outputs: Shapes, attributes: Attributes) -> float:
    """Operations of one operator with these shapes (None: an input that is left out). 0 for what only moves or renames.

    Raises `ValueError` where a shape that is needed isn't known.
    """
    if operator in _HEAVY:
        return float(_HEAVY[operator][1](operator, inputs, outputs, attributes))
    if operator in FREE | LOOKUP or (operator in MOVEMENT and operator not in STEPS):
        return 0.0
    if operator.startswith(("Reduce", "Global")) or operator in ("ArgMax", "ArgMin", "TopK", "CumSum"):
        return float(size(inputs[0]))
    if operator in POOLING:
        return float(size(outputs[0]) * math.prod(attributes.get("kernel_shape", (1,))))
    return float(size(outputs[0]) * STEPS.get(operator, 1))


def _depthwise(operator: str, inputs: Shapes, attributes: Attributes) -> bool:
    """Few channels a group: each number is used by a handful of multiplications only."""
    weights = inputs[WEIGHTS_AT.get(operator, 1)]
    groups = int(attributes.get("group", 1))
    return groups > 1 and weights is not None and weights[1] <= 4


def _convolution(operator: str, inputs: Shapes, outputs: Shapes, attributes: Attributes) -> int:
    """Each output element is a sum over the kernel and the channels of its group: 2 x elements x (channels / groups) x kernel."""
    weights = known(inputs[WEIGHTS_AT.get(operator, 1)])
    return 2 * size(outputs[0]) * math.prod(weights[1:])


def _transposed(operator: str, inputs: Shapes, outputs: Shapes, attributes: Attributes) -> int:
    """Each input element is spread over the kernel and the output channels of its group."""
    return 2 * size(inputs[0]) * math.prod(known(inputs[1])[1:])


def _product(operator: str, inputs: Shapes, outputs: Shapes, attributes: Attributes) -> int:
    """Each output element is a sum over the inner axis; broadcast axes are in the output's shape."""
    return 2 * size(outputs[0]) * known(inputs[0])[-1]


def _gemm(operator: str, inputs: Shapes, outputs: Shapes, attributes: Attributes) -> int:
    first = known(inputs[0])
    return 2 * size(outputs[0]) * (first[0] if attributes.get("transA") else first[-1])


def _einsum(operator: str, inputs: Shapes, outputs: Shapes, attributes: Attributes) -> int:
    """Every combination of indices once for each factor after the first, multiplied and added."""
    equation = attributes["equation"]
    terms = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "").split("->")[0].split(",")
    if "." in equation if isinstance(equation, str) else b"." in equation:
        raise ValueError("an equation with an ellipsis isn't counted")
    sizes = {
        index: length
        for term, shape in zip(terms, inputs, strict=True)
        for index, length in zip(term, known(shape), strict=True)
    }
    return 2 * math.prod(sizes.values()) * max(1, len(terms) - 1) if len(terms) > 1 else math.prod(sizes.values())


def _recurrent(operator: str, inputs: Shapes, outputs: Shapes, attributes: Attributes) -> int:
    """At each step the input and the state are multiplied by their weights (all gates and directions lie in these)."""
    steps, rows, *_ = known(inputs[0])
    return 2 * steps * rows * (math.prod(known(inputs[1])) + math.prod(known(inputs[2])))


def _attention(operator: str, inputs: Shapes, outputs: Shapes, attributes: Attributes) -> int:
    """Queries times keys, and weights times values; heads lie in an axis of their own or in the last.

    Several queries may share a key and its value; earlier keys (`past_key`, the fifth input) are attended to as well.
    """
    query, key, value = (known(inputs[place]) for place in range(3))
    past = known(inputs[4])[-2] if len(inputs) > 4 and inputs[4] is not None else 0
    heads, shared = (query[1], 1) if len(query) == 4 else (1, _sharing(attributes))
    return 2 * query[0] * heads * query[-2] * (key[-2] + past) * (query[-1] + value[-1] * shared)


def _sharing(attributes: Attributes) -> int:
    """How many heads of queries share one of values, where heads lie side by side in the last axis."""
    groups = int(attributes.get("kv_num_heads", 0))
    return int(attributes["q_num_heads"]) // groups if groups else 1


def known(shape: Shape | None) -> Shape:
    """The shape. Raises `ValueError` where it isn't known."""
    if shape is None:
        raise ValueError("a shape isn't known")
    return shape


def size(shape: Shape | None) -> int:
    """How many numbers a tensor of this shape has. Raises `ValueError` where it isn't known."""
    return math.prod(known(shape))


_Count = Callable[[str, Shapes, Shapes, Attributes], int]
_HEAVY: dict[str, tuple[str, _Count]] = {
    **dict.fromkeys(("Conv", "QLinearConv", "ConvInteger"), ("convolution", _convolution)),
    "ConvTranspose": ("convolution", _transposed),
    **dict.fromkeys(("MatMul", "QLinearMatMul", "MatMulInteger"), ("matmul", _product)),
    "Gemm": ("matmul", _gemm),
    "Einsum": ("matmul", _einsum),
    "Attention": ("matmul", _attention),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), ("recurrent", _recurrent)),
}
_KINDS = {
    "elementwise": ELEMENTWISE,
    "normalisation": NORMALISATION,
    "pooling": POOLING,
    "movement": MOVEMENT,
    "lookup": LOOKUP,
    "free": FREE,
}
