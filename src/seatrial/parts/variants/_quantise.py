"""What the int8 and int4 variants share: refusing what is quantised already, and what holds nothing to quantise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.variants._onnx import Rewrite, operators, told, walk, written

QUANTISED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"}
QUANTISED |= {"QLinearConv", "QLinearMatMul", "DynamicQuantizeLSTM", "QAttention", "QGemm", "QEmbedLayerNormalization"}
QUANTISED |= {"GatherBlockQuantized", "MatMulNBits"}
HEAVY = {"Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM", "GRU", "RNN", "Attention", "EmbedLayerNormalization"}

NEWEST = 20
"""The opset up to which ONNX Runtime rewrites signed activations soundly."""
CHANGED_SINCE = {"GroupNormalization"}
"""Operators that mean something else in later opsets."""


def quantised(artefact: Artefact, making: Making, recipe: str, options: PartOptions, quantise: Rewrite, rows_hash: str | None) -> Artefact:  # fmt: skip
    """The artefact that `quantise` makes, under `making.folder/recipe.onnx`. Raises `Unsupported` where there is nothing to do."""
    source = Path(artefact.files["model"])
    check(source)

    def rewrite(prepared: Path, target: Path, large: bool) -> dict[str, Any] | None:
        found = quantise(prepared, target, large)
        if not QUANTISED & set(operators(target)):
            raise Unsupported(f"{recipe}: nothing in this model can be quantised; it holds {told(source)}")
        _sound(target, recipe)
        return found

    return written(artefact, making, recipe, options, rewrite, rows_hash)


def _sound(file: Path, recipe: str) -> None:
    """Raises `Unsupported` where a scale is no number above 0: what is computed there was NaN or infinite on some calibration row."""
    import onnx

    graph = onnx.load(str(file), load_external_data=False).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in walk(graph):
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[1] in constants:
            scale = onnx.numpy_helper.to_array(constants[node.input[1]], base_dir=str(file.parent)).astype(np.float64)
            if not np.all(np.isfinite(scale) & (scale > 0)):
                raise Unsupported(
                    f"{recipe}: `{node.input[0]}` has no range that int8 could cover: on some calibration row the model computes NaN or infinity there",
                    next_step="look at what the float model answers to the calibration rows, or take `int8_aware`, `int8_weights` or `fp16`",
                )


def older(file: Path) -> None:
    """Call signed activations of opset 21 or later by opset 20, where all operators are the same in that.

    ONNX Runtime makes unsigned numbers of them on processors of the x86 kind, and from opset 21 on then refuses what it made itself. What is
    newer than opset 20 stays as it is.
    """
    import onnx

    model = onnx.load(str(file), load_external_data=False)
    (standard,) = (one for one in model.opset_import if one.domain in ("", "ai.onnx"))
    signed = {tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    nodes = list(walk(model.graph))
    changed = any(node.op_type in CHANGED_SINCE for node in nodes)
    rounds = any(node.op_type == "QuantizeLinear" and signed & set(node.input[2:]) for node in nodes)
    if standard.version <= NEWEST or changed or not rounds:
        return
    for node in nodes:
        if node.op_type == "QuantizeLinear" and len(node.input) > 2:  # which says the type
            _without(node, "output_dtype")
    standard.version = NEWEST
    try:
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        onnx.checker.check_model(model, full_check=False)
    except Exception:  # noqa: BLE001 - it holds what is newer; whether it can be loaded is seen next
        return
    onnx.save(model, str(file))


def _without(node: Any, name: str) -> None:
    """Take an attribute away from a node."""
    for index, one in enumerate(node.attribute):
        if one.name == name:
            del node.attribute[index]
            return


def check(source: Path) -> None:
    """Raises `Unsupported` for a model that is quantised already, or has no matrix product, no convolution and no recurrent layer."""
    held = operators(source)
    if done := sorted(QUANTISED & set(held)):
        raise Unsupported(f"the model is quantised already: it holds {', '.join(done)}")
    if not HEAVY & set(held):
        raise Unsupported(
            f"there is nothing to quantise: no matrix product, convolution or recurrent layer among {told(source)}"
        )
