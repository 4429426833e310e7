"""What the variants with int8 activations share: their options, calibration rows as ONNX Runtime reads them, and the quantiser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.parts.variants import _entropy, _onnx
from seatrial.parts.variants._quantise import older

ROWS = 64
"""Most calibration rows in one query."""

_METHODS = {"minmax": "MinMax", "entropy": "MinMax", "percentile": "Percentile"}


class StaticOptions(PartOptions):
    """How ranges are found and numbers stored."""

    method: Literal["minmax", "entropy", "percentile"] = Field(
        default="minmax",
        description="how ranges are taken from the calibration rows: all that was seen, what changes the distribution least, or a share; percentile holds every activation in memory",
    )
    percentile: float = Field(
        default=99.999, gt=50, le=100, description="for `method: percentile`: share kept, in percent"
    )
    per_channel: bool = Field(default=True, description="one scale for each output channel of a weight")
    activation: Literal["uint8", "int8"] = Field(default="uint8", description="type of quantised activations")
    symmetric: bool = Field(default=False, description="activations symmetric about zero")
    float_outputs: bool = Field(
        default=True, description="outputs leave the model as they were computed, not rounded to 256 values"
    )


def calibrating(making: Making, recipe: str) -> Values:
    """The calibration rows. Raises `Unsupported` where there are none, and where some hold what is no number: no range can be taken from those."""
    if not making.calibration:
        raise Unsupported(
            f"{recipe} needs rows with the role `calibrate`, and the study has none",
            next_step="add a data set with `roles: calibrate`, or draw a share: `roles: {draw: {calibrate: 0.1, confirm: 0.9}}`",
        )
    for name, values in making.calibration.items():
        wrong = unreal(values)
        if wrong.any():
            raise Unsupported(
                f"{recipe}: {int(wrong.sum())} of {len(wrong)} calibration rows hold NaN or infinite numbers in `{name}`, the first is row "
                f"{int(wrong.argmax())}: no range of numbers can be taken from them",
                next_step="leave those rows out of the role `calibrate`, or fill them in as they are filled in before the model is asked",
            )
    return making.calibration


def unreal(values: Any) -> Any:
    """Which rows hold NaN or infinite numbers."""
    given = np.asarray(values)
    if given.dtype.kind != "f":
        return np.zeros(len(given), bool)
    return ~np.isfinite(given.reshape(len(given), -1)).all(axis=1)


def quantise(source: Path, target: Path, rows: Any, options: StaticOptions, large: bool, leave: Sequence[str] = (), only: Sequence[str] = (), ranges: Path | None = None) -> None:  # fmt: skip
    """Write the int8 form of a prepared file; `leave` names nodes that stay in float, `only` the only ones that don't.

    `rows` is a `reader`. Ranges are kept in the file `ranges`, and taken from there where it exists.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    if options.method == "entropy":
        ranges = ranges or source.parent / "ranges.json"
        if not ranges.exists():
            _entropy.ranges(source, list(iter(rows.get_next, None)), ranges, large)
    quantize_static(
        str(source),
        str(target),
        rows,
        quant_format=QuantFormat.QDQ,
        per_channel=options.per_channel,
        activation_type=QuantType.QUInt8 if options.activation == "uint8" else QuantType.QInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[_METHODS[options.method]],
        use_external_data_format=large,
        extra_options={"ActivationSymmetric": options.symmetric, "CalibPercentile": options.percentile},
        nodes_to_exclude=list(leave),
        nodes_to_quantize=list(only),
        calibration_cache_path=ranges,
    )
    if options.float_outputs:
        model = _onnx.load(target)
        if _unround(model.graph):
            for stale in target.parent.glob(f"{target.name}.data"):
                stale.unlink()
            _onnx.save(model, target, large)
    older(target)


def _unround(graph: Any) -> bool:
    """Let each output be what was computed before it was rounded, where nothing else reads either; whether any was changed."""
    made = {name: node for node in graph.node for name in node.output}
    read = [name for node in _onnx.walk(graph) for name in node.input]
    changed = False
    for output in graph.output:
        back = made.get(output.name)
        if back is None or back.op_type != "DequantizeLinear":
            continue
        to = made.get(back.input[0])
        if to is None or to.op_type != "QuantizeLinear" or read.count(back.input[0]) > 1:
            continue
        origin = made.get(to.input[0])
        if origin is None or output.name in read or read.count(to.input[0]) > 1:
            continue
        origin.output[list(origin.output).index(to.input[0])] = output.name
        graph.node.remove(to)
        graph.node.remove(back)
        changed = True
    return changed


def reader(calibration: Values, fixed: int | None, method: str) -> Any:
    """ONNX Runtime's reader over the calibration rows; with a fixed batch, a last incomplete one is left out."""
    from onnxruntime.quantization import CalibrationDataReader

    size = rows(len(next(iter(calibration.values()))), fixed, method)
    pieces = batches(calibration, size, whole=fixed is not None)

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, Any] | None:
            return next(pieces, None)

    return Reader()


def rows(count: int, fixed: int | None, method: str) -> int:
    """Rows a query: as many as the model takes; where histograms are kept, a divisor of all, for they want equal queries."""
    if fixed is not None and count < fixed:
        raise Unsupported(f"the model takes {fixed} rows a query, and there are only {count} calibration rows")
    if fixed is not None or method != "percentile":
        return fixed or ROWS
    return max(size for size in range(1, ROWS + 1) if count % size == 0)


def batches(calibration: Values, size: int, whole: bool) -> Iterator[dict[str, Any]]:
    """The rows, `size` at a time; only `whole` batches where that is asked for."""
    count = len(next(iter(calibration.values())))
    for first in range(0, count - size + 1 if whole else count, size):
        yield {name: np.ascontiguousarray(value[first : first + size]) for name, value in calibration.items()}
