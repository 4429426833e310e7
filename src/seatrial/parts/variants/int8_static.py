"""Weights and activations in int8 with ranges fixed beforehand from calibration rows (QDQ, ONNX Runtime's quantiser).

The fastest int8 on processors with integer matrix units; what it costs in quality depends on the calibration rows, which are
never rows that judge. Defaults suit processors of the x86 kind: unsigned activations, signed weights, a scale a channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.parts.variants._quantise import quantised

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",), "rows": ("calibrate",)}
GIVES = {"format": ("onnx",)}
CANNOT = {
    "entropy": (
        "not yet theirs",
        "ONNX Runtime's quantiser searches its entropy ranges among 128 bins for 128 levels, which leaves the ranges of minmax",
    )
}

ROWS = 64
"""Most calibration rows in one query."""

_METHODS = {"minmax": "MinMax", "percentile": "Percentile"}


class Options(PartOptions):
    """How ranges are found and numbers stored."""

    method: Literal["minmax", "percentile"] = Field(
        default="minmax",
        description="how ranges are taken from the calibration rows; percentile holds every activation in memory",
    )
    percentile: float = Field(
        default=99.999, gt=50, le=100, description="for `method: percentile`: share kept, in percent"
    )
    per_channel: bool = Field(default=True, description="one scale for each output channel of a weight")
    activation: Literal["uint8", "int8"] = Field(default="uint8", description="type of quantised activations")
    symmetric: bool = Field(default=False, description="activations symmetric about zero")


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The quantised model. Raises `Unsupported` where there are no calibration rows, or nothing to quantise."""
    calibration = making.calibration
    if not calibration:
        raise Unsupported(
            "int8_static needs rows with the role `calibrate`, and the study has none",
            next_step="add a data set with `roles: calibrate`, or draw a share: `roles: {draw: {calibrate: 0.1, confirm: 0.9}}`",
        )

    def quantise(source: Path, target: Path, large: bool) -> None:
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

        quantize_static(
            str(source),
            str(target),
            _reader(calibration, artefact.signature.fixed_batch, options.method),
            quant_format=QuantFormat.QDQ,
            per_channel=options.per_channel,
            activation_type=QuantType.QUInt8 if options.activation == "uint8" else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[_METHODS[options.method]],
            use_external_data_format=large,
            extra_options={"ActivationSymmetric": options.symmetric, "CalibPercentile": options.percentile},
        )

    return quantised(artefact, making, "int8_static", options, quantise, making.rows_hash)


def _reader(calibration: Values, fixed: int | None, method: str) -> Any:
    """ONNX Runtime's reader over the calibration rows; with a fixed batch, a last incomplete one is left out."""
    from onnxruntime.quantization import CalibrationDataReader

    rows = _rows(len(next(iter(calibration.values()))), fixed, method)
    batches = _batches(calibration, rows, whole=fixed is not None)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            return next(batches, None)

    return Reader()


def _rows(count: int, fixed: int | None, method: str) -> int:
    """Rows a query: as many as the model takes; where histograms are kept, a divisor of all, for they want equal queries."""
    if fixed is not None and count < fixed:
        raise Unsupported(f"the model takes {fixed} rows a query, and there are only {count} calibration rows")
    if fixed is not None or method == "minmax":
        return fixed or ROWS
    return max(rows for rows in range(1, ROWS + 1) if count % rows == 0)


def _batches(calibration: Values, rows: int, whole: bool) -> Iterator[dict[str, Any]]:
    count = len(next(iter(calibration.values())))
    for first in range(0, count - rows + 1 if whole else count, rows):
        yield {name: np.ascontiguousarray(value[first : first + rows]) for name, value in calibration.items()}
