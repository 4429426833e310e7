"""Weights and activations in int8 by OpenVINO's NNCF, which also corrects the shift that rounding leaves in each layer.

Ranges come from calibration rows, symmetric for weights and, where that does no harm, for activations; the means of each layer's
outputs are then moved back to where they were (bias correction). The file is ONNX with QuantizeLinear and DequantizeLinear: OpenVINO
takes it onto integer matrix units, ONNX Runtime runs it too. Attention and normalisation are left in float with `kind: transformer`.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.variants import _onnx, _static
from seatrial.parts.variants._quantise import older, quantised

NEEDS = ("nncf", "onnx", "onnxruntime")
EXTRA = "nncf"
ACCEPTS = {"format": ("onnx",), "rows": ("calibrate",)}
GIVES = {"format": ("onnx",)}
CANNOT = {
    "accuracy control": ("not yet ours", "NNCF can leave layers in float by a metric; `int8_aware` does that here"),
    "float16": ("not yet theirs", "its passes stumble over a model that is in float16 throughout"),
    "openvino files": ("not yet ours", "what is made is ONNX; OpenVINO reads it, and other runtimes do too"),
}
VERSION = 2


class Options(PartOptions):
    """How ranges are found and which layers take part."""

    preset: Literal["performance", "mixed"] = Field(
        default="mixed", description="performance: all symmetric; mixed: activations unsymmetric where they are"
    )
    kind: Literal["auto", "transformer", "other"] = Field(
        default="auto",
        description="transformer: its attention is treated with care; auto looks for a softmax in the model",
    )
    rows: int = Field(default=300, ge=1, description="calibration rows that are looked at, at most")
    bias_correction: Literal["fast", "thorough"] = Field(
        default="fast", description="thorough takes each layer's inputs as quantised already; slower, sometimes nearer"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The quantised model. Raises `Unsupported` where there are no calibration rows, or nothing to quantise."""
    calibration = _static.calibrating(making, "int8_nncf")

    def quantise(source: Path, target: Path, large: bool) -> None:
        with _hushed():
            _onnx.save(_quantised(source, calibration, artefact.signature.fixed_batch, options), target, large)
        older(target)

    made = quantised(artefact, making, "int8_nncf", options, quantise, making.rows_hash)
    version = importlib.import_module("nncf").__version__
    line = made.lineage.model_copy(update={"made_with": made.lineage.made_with | {"nncf": version}})
    return made.model_copy(update={"lineage": line})


def _quantised(source: Path, calibration: Any, fixed: int | None, options: Options) -> Any:
    import nncf

    rows = {name: value[: max(options.rows, fixed or 0)] for name, value in calibration.items()}
    size = _static.rows(len(next(iter(rows.values()))), fixed, "minmax")
    queries = list(_static.batches(rows, size, whole=fixed is not None))
    model = _onnx.load(source)
    transformer = options.kind == "transformer" or (
        options.kind == "auto" and any(node.op_type in ("Softmax", "Attention") for node in _onnx.walk(model.graph))
    )
    _part_sums(model.graph)
    try:
        made = nncf.quantize(
            model,
            nncf.Dataset(queries, lambda query: {name: np.ascontiguousarray(value) for name, value in query.items()}),
            preset=nncf.QuantizationPreset(options.preset),
            subset_size=len(queries),
            fast_bias_correction=options.bias_correction == "fast",
            model_type=nncf.ModelType.TRANSFORMER if transformer else None,
        )
    except Exception as error:
        raise Unsupported(
            f"int8_nncf: NNCF doesn't take this model: {type(error).__name__}: {error}",
            next_step="take `int8_static` or `int8_aware`, which ONNX Runtime's quantiser makes",
        ) from error
    del made.metadata_props[:]
    return made


def _part_sums(graph: Any) -> None:
    """Let a product that adds what isn't constant (a way past a layer) be a product and a sum: NNCF takes the third input for a constant."""
    from onnx import helper

    constants = {tensor.name for tensor in graph.initializer}
    for node in list(graph.node):
        added = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else ""
        if not added or added in constants or _onnx.attribute(node, "beta", 1.0) != 1:
            continue
        name = node.output[0]
        del node.input[2:]
        node.output[0] = f"{name}_before"
        both = helper.make_node("Add", [node.output[0], added], [name], name=f"{node.name}_sum")
        graph.node.insert(list(graph.node).index(node) + 1, both)


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Without NNCF's progress bars and its telemetry, which would start a process that sends."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    logging.getLogger("nncf").setLevel(logging.ERROR)
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
