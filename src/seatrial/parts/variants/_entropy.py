"""Ranges of activations that change their distribution least, kept as ONNX Runtime's quantiser reads them.

Its own entropy method searches among as many bins as there are levels, which leaves the range of all that was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.numerics.entropy_range import cut_off, histogram
from seatrial.parts.variants import _onnx


def ranges(source: Path, batches: Sequence[dict[str, Any]], file: Path, large: bool) -> None:
    """Write the ranges of a prepared model's activations on these batches to a file."""
    from onnxruntime.quantization.calibrate import TensorData, TensorsData
    from onnxruntime.quantization.quantize import CalibrationMethod, save_tensors_data

    seen = _seen(source, batches, file, large)
    tops = {name: max(abs(low), abs(high)) for name, (low, high) in seen.items()}
    searched = {name for name, top in tops.items() if 0 < top < np.inf}
    counts: dict[str, Any] = dict.fromkeys(searched, 0)
    for values in _onnx.shown(_onnx.load(source), batches, file.with_name("shown.onnx"), large):
        for name in searched & values.keys():
            counts[name] = counts[name] + histogram(values[name], tops[name])
    found = {}
    for name, (low, high) in seen.items():
        edge = cut_off(counts[name], tops[name], 128 if low < 0 < high else 256) if name in searched else tops[name]
        ends = np.clip(np.array([low, high], np.float32), -np.float32(edge), np.float32(edge))
        found[name] = TensorData(lowest=ends[0], highest=ends[1])
    save_tensors_data(TensorsData(CalibrationMethod.MinMax, found), file)


def _seen(source: Path, batches: Sequence[dict[str, Any]], work: Path, large: bool) -> dict[str, tuple[float, float]]:
    """The least and the largest number of each activation that the quantiser asks for."""
    from onnxruntime.quantization.calibrate import CalibrationDataReader, CalibrationMethod, create_calibrator
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    class Reader(CalibrationDataReader):
        left = iter(batches)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.left, None)

    calibrator = create_calibrator(
        source,
        sorted({*QLinearOpsRegistry, *QDQRegistry}),
        augmented_model_path=str(work.with_name("augmented.onnx")),
        calibrate_method=CalibrationMethod.MinMax,
        use_external_data_format=large,
    )
    calibrator.collect_data(Reader())
    return {
        name: (float(np.min(one.lowest)), float(np.max(one.highest))) for name, one in calibrator.compute_data().items()
    }
