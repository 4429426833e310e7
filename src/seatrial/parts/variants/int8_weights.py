"""Stored weights in int8, arithmetic in float: files a quarter of the size, answers nearly the same; no calibration rows.

Each weight is turned back into float by a `DequantizeLinear` when the model runs. That saves disk and transfer; whether it saves
time or costs some depends on the runtime: measure. Weights of matrix products, convolutions and recurrent layers are stored so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.parts.variants import _onnx
from seatrial.parts.variants._quantise import quantised
from seatrial.parts.variants._weights import Weight, symmetric, weights

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("onnx",)}
VERSION = 1


class Options(PartOptions):
    """How weights are stored."""

    per_channel: bool = Field(default=True, description="one scale for each output channel instead of one a tensor")


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The model with stored int8 weights. Raises `Unsupported` where it has no float32 weights of that kind."""

    def quantise(source: Path, target: Path, large: bool) -> None:
        model = _onnx.load(source)
        for weight in list(weights(model.graph)):
            _store(model.graph, weight, options.per_channel)
        _onnx.save(model, target, large)

    return quantised(artefact, making, "int8_weights", options, quantise, rows_hash=None)


def _store(graph: Any, weight: Weight, per_channel: bool) -> None:
    """Let the node read a `DequantizeLinear` of the rounded weight; nodes that share a weight share that too."""
    from onnx import helper, numpy_helper

    axis = weight.axis if per_channel else None
    name = f"{weight.name}_int8_{'all' if axis is None else axis}"
    weight.node.input[weight.place] = name
    if any(name in node.output for node in graph.node):
        return
    rounded, scale = symmetric(weight.values, axis)
    for suffix, array in (("_stored", rounded), ("_scale", scale)):
        graph.initializer.append(numpy_helper.from_array(array, name + suffix))
    along: dict[str, Any] = {} if axis is None else {"axis": axis}
    back = helper.make_node("DequantizeLinear", [f"{name}_stored", f"{name}_scale"], [name], name=name, **along)
    graph.node.insert(0, back)
