"""A LiteRT or TensorFlow Lite file (.tflite): a flat buffer whose operators, tensors and custom operators are listed; nothing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seatrial.contracts.inspection import Bounds, Danger, Look, Tensor
from seatrial.numerics import flat_buffer
from seatrial.parts.formats._reading import cut, numbers, reading, refused, short, tally

GIVES = {"suffix": (".tflite",)}
CANNOT = {
    "weights outside the buffer": (
        "not yet ours",
        "files above 2 GiB keep weights behind the flat buffer; they are counted by shape",
    )
}
MAGIC = b"TFL3"
TYPES = (
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "text",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
    "complex128",
    "uint64",
)
TYPES += ("resource", "variant", "uint32", "uint16", "int4", "bfloat16", "int2")
OPERATORS = {
    0: "ADD",
    1: "AVERAGE_POOL_2D",
    2: "CONCATENATION",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
}
OPERATORS |= {
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    18: "MUL",
    19: "RELU",
    21: "RELU6",
    22: "RESHAPE",
    25: "SOFTMAX",
    28: "TANH",
    34: "PAD",
}
OPERATORS |= {
    36: "GATHER",
    39: "TRANSPOSE",
    40: "MEAN",
    41: "SUB",
    42: "DIV",
    43: "SQUEEZE",
    45: "STRIDED_SLICE",
    49: "SPLIT",
    74: "SUM",
}
OPERATORS |= {
    76: "RSQRT",
    83: "PACK",
    98: "LEAKY_RELU",
    99: "SQUARED_DIFFERENCE",
    114: "QUANTIZE",
    117: "HARD_SWISH",
    126: "BATCH_MATMUL",
}
OPERATORS |= {150: "GELU"}
CUSTOM, OLD_MOST = 32, 127
MOST_BYTES = 2**31 - 1


def recognises(path: Path, start: bytes) -> bool:
    """Four bytes of offset, then the format's mark."""
    return start[4:8] == MAGIC


def look(path: Path, bounds: Bounds) -> Look:
    """Operators, stored tensors, inputs and outputs of the first graph, custom operators."""
    if path.stat().st_size > MOST_BYTES:
        raise refused(path, f"it is larger than a flat buffer can be ({MOST_BYTES} bytes)")
    with reading(path, "a LiteRT file"):
        model = flat_buffer.root(path.read_bytes())
        names = [_operator(code, bounds) for code in model.tables(1)]
        filled = [buffer.length(0) > 0 or buffer.number(1, "<Q") > 1 for buffer in model.tables(4)]
        graphs = list(model.tables(2))
        tensors = [list(graph.tables(0)) for graph in graphs]
        stored = [one for of in tensors for one in of if _at(filled, one.number(2, "<I"))]
        precision = tally((_dtype(one), numbers(path, one.numbers(0), bounds)) for one in stored)
        used = tally((_at(names, op.number(0, "<I")), 1) for graph in graphs for op in graph.tables(3))
        first = tensors[0] if graphs else []
        return Look(
            summary=short(model.text(3), bounds),
            parameters=sum(precision.values()),
            precision=precision,
            operators=used,
            inputs=tuple(_tensor(_at(first, at), bounds) for at in (graphs[0].numbers(1) if graphs else [])),
            outputs=tuple(_tensor(_at(first, at), bounds) for at in (graphs[0].numbers(2) if graphs else [])),
            opset={"tflite": model.number(0, "<I")},
            metadata=cut(
                {"graphs": len(graphs), "metadata": ", ".join(one.text(0) for one in model.tables(6))}, bounds
            ),
            dangers=_custom(names),
        )


def _at(found: list[Any], place: int) -> Any:
    if not 0 <= place < len(found):
        raise ValueError(f"something names entry {place} of {len(found)}")
    return found[place]


def _operator(code: flat_buffer.Table, bounds: Bounds) -> str:
    """An operator's name. Old files number operators in a byte, newer ones in four."""
    number = max(code.number(0, "<b"), code.number(3, "<i"))
    if number == CUSTOM:
        return f"custom: {short(code.text(1), bounds)}"
    return OPERATORS.get(number, f"operator {number}")


def _custom(names: list[str]) -> tuple[Danger, ...]:
    custom = [name for name in names if name.startswith("custom: ")]
    detail = ", ".join(name.removeprefix("custom: ") for name in custom[:8])
    where = "with code from elsewhere"
    return (Danger(what="custom operators", where="operator codes", executes=where, detail=detail),) if custom else ()


def _dtype(tensor: flat_buffer.Table) -> str:
    number = tensor.number(1, "<b")
    return TYPES[number] if 0 <= number < len(TYPES) else f"type {number}"


def _tensor(tensor: flat_buffer.Table, bounds: Bounds) -> Tensor:
    signature = tensor.numbers(7) or tensor.numbers(0)
    shape = tuple("?" if one < 0 else one for one in signature)
    return Tensor(name=short(tensor.text(3), bounds), dtype=_dtype(tensor), shape=shape)
