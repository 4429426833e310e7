"""Weights of matrix products in 4 bits, in blocks with a scale and a zero each; the rest stays as it is; no calibration rows.

An eighth of the size, for models that are mostly matrix products (transformers, perceptrons); convolutions stay in float. Written
as ONNX Runtime's operator `MatMulNBits`, which OpenVINO reads too. Small models lose more than large ones: measure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.parts.variants import _onnx
from seatrial.parts.variants._onnx import attribute
from seatrial.parts.variants._quantise import quantised
from seatrial.parts.variants._weights import Weight, blocks, weights

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("onnx",)}
CANNOT = {
    "conv": ("never", "the operator for 4 bits is a matrix product; convolutions stay in float"),
    "int8_arithmetic": (
        "not yet ours",
        "ONNX Runtime can round activations to int8 inside this operator, and no profile tells that it did",
    ),
}
VERSION = 1

CONTRIB = "com.microsoft"


class Options(PartOptions):
    """How weights are stored."""

    block: Literal[16, 32, 64, 128] = Field(
        default=32, description="numbers that share a scale; smaller is truer, larger is smaller"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The model with 4-bit weights. Raises `Unsupported` where it has no matrix product with a constant float32 matrix."""

    def quantise(source: Path, target: Path, large: bool) -> None:
        model = _onnx.load(source)
        fitting = [weight for weight in weights(model.graph) if _fits(weight)]
        for weight in fitting:
            _store(model.graph, weight, options.block)
        if fitting and not any(one.domain == CONTRIB for one in model.opset_import):
            one = model.opset_import.add()
            one.domain, one.version = CONTRIB, 1
        _onnx.save(model, target, large)

    return quantised(artefact, making, "int4_weights", options, quantise, rows_hash=None)


def _fits(weight: Weight) -> bool:
    """A product with a matrix: `MatMul`, or a `Gemm` that scales and turns nothing but its matrix."""
    node = weight.node
    if node.op_type == "MatMul":
        return weight.values.ndim == 2
    plain = attribute(node, "alpha", 1.0) == 1 and attribute(node, "beta", 1.0) == 1
    return node.op_type == "Gemm" and plain and not attribute(node, "transA", 0)


def _store(graph: Any, weight: Weight, size: int) -> None:
    """Put a `MatMulNBits`, and an `Add` for the bias of a `Gemm`, in the node's place."""
    from onnx import helper, numpy_helper

    node = weight.node
    matrix = weight.values if weight.axis == 1 else weight.values.T
    made, name = blocks(matrix, size), f"{weight.name}_int4_{weight.axis}"
    parts: dict[str, Any] = {"_stored": made.stored, "_scales": made.scales, "_zeros": made.zeros}
    if not any(tensor.name == f"{name}_stored" for tensor in graph.initializer):
        graph.initializer.extend(numpy_helper.from_array(array, name + suffix) for suffix, array in parts.items())
    biased = len(node.input) > 2 and node.input[2]
    output = f"{node.output[0]}_unbiased" if biased else node.output[0]
    sizes = {"K": matrix.shape[0], "N": matrix.shape[1], "bits": 4, "block_size": size, "accuracy_level": 1}
    inputs = [node.input[0], *(name + suffix for suffix in parts)]
    product = helper.make_node("MatMulNBits", inputs, [output], name=node.name, domain=CONTRIB, **sizes)
    place = list(graph.node).index(node)
    graph.node.remove(node)
    graph.node.insert(place, product)
    if biased:
        add = helper.make_node("Add", [output, node.input[2]], [node.output[0]], name=f"{node.name}_bias")
        graph.node.insert(place + 1, add)
