"""Weights in int8, activations quantised as they come (ONNX Runtime's dynamic quantisation); needs no calibration rows.

The range of activations is taken from each batch, so answers can depend a little on which rows share a batch. Good for
matrix products (transformers, recurrent nets); for convolutions it is often slower than the float model: measure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.parts.variants._quantise import quantised

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("onnx",)}
USUAL = True


class Options(PartOptions):
    """How weights are quantised."""

    weights: Literal["int8", "uint8"] = Field(default="int8", description="type of the stored weights")
    per_channel: bool = Field(default=False, description="one scale for each output channel instead of one a tensor")


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The quantised model. Raises `Unsupported` where there is nothing to quantise."""

    def quantise(source: Path, target: Path, large: bool) -> None:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            str(source),
            str(target),
            per_channel=options.per_channel,
            weight_type=QuantType.QInt8 if options.weights == "int8" else QuantType.QUInt8,
            use_external_data_format=large,
        )

    return quantised(artefact, making, "int8_dynamic", options, quantise, rows_hash=None)
