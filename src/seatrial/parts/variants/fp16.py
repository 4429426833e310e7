"""Weights and arithmetic in float16, inputs and outputs as they were: half the size; operators that would overflow stay in float.

Made for GPUs and NPUs. Processors mostly have no float16 arithmetic: ONNX Runtime then computes in float32 between casts, which can
be slower than the float model. Where there are calibration rows, operators that see numbers beyond half of float16's range stay
in float; so do, in any case, those with such weights. The file says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.parts.variants import _onnx, _static
from seatrial.parts.variants._onnx import attribute, told, written
from seatrial.parts.variants._quantise import QUANTISED

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",), "rows": ("calibrate", "none")}
GIVES = {"format": ("onnx",)}
VERSION = 1

INT8 = QUANTISED - {"MatMulNBits", "GatherBlockQuantized"}
"""Operators whose scales stay float32; those with 4-bit weights don't mind."""
LIMIT = 65504 / 2
"""Half of the largest float16: other rows than those seen may have larger numbers."""
MOST = 512
"""Calibration rows that are looked at."""


class Options(PartOptions):
    """What stays in float."""

    keep: tuple[str, ...] = Field(
        default=(), description="kinds of operator that stay in float as well, such as `Softmax`"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The model in float16. Raises `Unsupported` where there is no float32 weight, or where it is in int8."""
    fixed = artefact.signature.fixed_batch
    if done := sorted(INT8 & set(_onnx.operators(Path(artefact.files["model"])))):
        raise Unsupported(
            f"fp16: the model is in int8 already: it holds {', '.join(done)}, whose scales are float32",
            next_step="put `fp16` before it in the chain, or take one of both",
        )

    def convert(source: Path, target: Path, large: bool) -> dict[str, Any]:
        from onnxruntime.quantization.onnx_model import ONNXModel
        from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

        model = _onnx.load(source)
        if not any(tensor.data_type == 1 for tensor in model.graph.initializer):
            raise Unsupported(f"fp16: there is nothing to convert; the model holds {told(source)}")
        stay = sorted(
            _heavy_weights(model.graph) | _overflowing(model, target.parent.parent, making.calibration, fixed, large)
        )
        half = convert_float_to_float16(
            model,
            keep_io_types=True,
            op_block_list=[*DEFAULT_OP_BLOCK_LIST, *options.keep],
            node_block_list=stay,
        )
        _straighten(half.graph)
        ONNXModel(half).topological_sort()  # the converter puts its casts last
        _onnx.save(half, target, large)
        return {"left_in_float": stay}

    return written(artefact, making, "fp16", options, convert, making.rows_hash if making.calibration else None)


def _straighten(graph: Any) -> None:
    """Take out casts to float16 and straight back, which the converter leaves between two operators that stay in float."""
    from onnx import TensorProto

    def casts(to: int) -> list[Any]:
        return [node for node in graph.node if node.op_type == "Cast" and attribute(node, "to", 0) == to]

    down = {node.output[0]: node for node in casts(TensorProto.FLOAT16)}
    for back in casts(TensorProto.FLOAT):
        if back.input[0] in down:
            back.input[0] = down[back.input[0]].input[0]
    read = {name for node in _onnx.walk(graph) for name in node.input} | {output.name for output in graph.output}
    for name, node in down.items():
        if name not in read:
            graph.node.remove(node)


def _heavy_weights(graph: Any) -> set[str]:
    """Names of nodes that read a constant beyond the limit: converting would cut it off without a word."""
    from onnx import numpy_helper

    beyond = {tensor.name for tensor in graph.initializer if _largest(numpy_helper.to_array(tensor)) > LIMIT}
    return {node.name for node in _onnx.walk(graph) if beyond.intersection(node.input)}


def _overflowing(model: Any, work: Path, rows: Values | None, fixed: int | None, large: bool) -> set[str]:
    """Names of nodes that read or give numbers beyond the limit on some calibration rows."""
    if not rows:
        return set()
    beyond: set[str] = set()
    for values in _onnx.shown(model, _batches(rows, fixed), work / "shown.onnx", large):
        beyond |= {name for name, value in values.items() if _largest(np.asarray(value)) > LIMIT}
    return {node.name for node in model.graph.node if beyond.intersection([*node.input, *node.output])}


def _batches(rows: Values, fixed: int | None) -> Iterator[dict[str, Any]]:
    some = {name: value[:MOST] for name, value in rows.items()}
    size = _static.rows(len(next(iter(some.values()))), fixed, "minmax")
    return _static.batches(some, size, whole=fixed is not None)


def _largest(values: Any) -> float:
    """The largest finite absolute value of floats; 0 for anything else."""
    if values.dtype not in (np.float32, np.float64) or not values.size:
        return 0.0
    return float(np.abs(np.where(np.isfinite(values), values, 0)).max())
