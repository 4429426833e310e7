"""Weights and activations in int8 with ranges fixed beforehand from calibration rows (QDQ, ONNX Runtime's quantiser).

The fastest int8 on processors with integer matrix units; what it costs in quality depends on the calibration rows, which are
never rows that judge. Defaults suit processors of the x86 kind: unsigned activations, signed weights, a scale a channel.
"""

from __future__ import annotations

from pathlib import Path

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.parts.variants import _static
from seatrial.parts.variants._quantise import quantised

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",), "rows": ("calibrate",)}
GIVES = {"format": ("onnx",)}
VERSION = 2
USUAL = True


class Options(_static.StaticOptions):
    """How ranges are found and numbers stored."""


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The quantised model. Raises `Unsupported` where there are no calibration rows, or nothing to quantise."""
    calibration = _static.calibrating(making, "int8_static")

    def quantise(source: Path, target: Path, large: bool) -> None:
        rows = _static.reader(calibration, artefact.signature.fixed_batch, options.method)
        _static.quantise(source, target, rows, options, large)

    return quantised(artefact, making, "int8_static", options, quantise, making.rows_hash)
