"""Static int8 that leaves the layers that hurt in float, as few as needed until a bound on lost answers holds.

Each layer is tried alone in int8: how much it changes the scores is its sensitivity. Starting with the most sensitive, layers go back
to float until at most `drop` of the right answers turn wrong (those that turn right are no excuse) on the rows it is tuned on. These are
the calibration rows; a candidate is judged on others, so leave some room. Without labels, the float model's answers count as right.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.parts.variants import _onnx, _static
from seatrial.parts.variants._quantise import QUANTISED, quantised

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",), "rows": ("calibrate",)}
GIVES = {"format": ("onnx",)}
USES = ("runtimes", "tasks")
CANNOT = {"regression": ("not yet ours", "answers are right or wrong here: classification only")}
VERSION = 1


class Options(_static.StaticOptions):
    """How much may be lost, and how ranges are found."""

    drop: float = Field(
        default=0.005, ge=0, lt=1, description="largest share of the tuning rows whose right answer may turn wrong"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The quantised model; which layers stayed in float, and each one's sensitivity, are found in its lineage.

    Raises `Unsupported` where there are no calibration rows, nothing answers them, or no int8 layer keeps to the bound.
    """
    calibration = _static.calibrating(making, "int8_aware")
    if making.answer is None:
        raise Unsupported(
            "int8_aware needs a runtime to answer the calibration rows, and was given none",
            next_step="run it in a study, or hand `Making` an `answer`",
        )

    def quantise(source: Path, target: Path, large: bool) -> dict[str, Any]:
        search = _Search(artefact, making, calibration, options, source, large)
        return search.run(target)

    return quantised(artefact, making, "int8_aware", options, quantise, making.rows_hash)


class _Search:
    """Tries files with some layers in float on the tuning rows."""

    def __init__(self, artefact: Artefact, making: Making, rows: Values, options: Options, source: Path, large: bool) -> None:  # fmt: skip
        assert making.answer is not None
        self._artefact, self._options, self._large, self._rows = artefact, options, large, rows
        self._answer: Callable[[Artefact], Mapping[str, Any]] = making.answer
        self._work = source.parent
        self._named, self._ranges = self._work / "named.onnx", self._work / "ranges.json"
        model = _onnx.load(source)
        _onnx.save(model, self._named, large)
        self._layers = _layers(model.graph)
        self._float = _scores(self._answer(artefact))
        self._labelled = making.labels is not None
        self._right = np.asarray(making.labels) if self._labelled else self._float.argmax(axis=1)

    def run(self, target: Path) -> dict[str, Any]:
        """Write the file with the fewest layers in float that keeps to the bound, and say what was found."""
        plain = self._lost(self._scores_of())
        change = {layer: self._change(self._scores_of(only=[layer])) for layer in self._layers}
        order = sorted((layer for layer in change if change[layer]), key=lambda layer: (-change[layer], layer))
        count, lost = self._fewest(order, plain)
        self._write(target, leave=order[:count])
        return {
            "sensitivity": {layer: round(change[layer], 6) for layer in order},
            "left_in_float": order[:count],
            "lost": lost,
            "lost_with_all_in_int8": plain,
            "rows": len(self._right),
            "right": "labels" if self._labelled else "the float model's answers",
        }

    def _fewest(self, order: Sequence[str], plain: float) -> tuple[int, float]:
        """How many of the most sensitive stay in float: doubled until the bound holds, then halved back; and what is lost then."""
        if plain <= self._options.drop:
            return 0, plain
        below, count = 0, 1
        found = self._lost(self._scores_of(leave=order[:count]))
        while found > self._options.drop and count < len(order):
            below, count = count, min(2 * count, len(order))
            found = self._lost(self._scores_of(leave=order[:count]))
        while count - below > 1:
            middle = (below + count) // 2
            lost = self._lost(self._scores_of(leave=order[:middle]))
            below, count, found = (below, middle, lost) if lost <= self._options.drop else (middle, count, found)
        if found > self._options.drop or count == len(order):
            raise Unsupported(
                f"int8_aware: no layer can be in int8 with at most {self._options.drop:.2%} of {len(self._right)} answers lost "
                f"({plain:.2%} with all of them); the most sensitive are {', '.join(order[:3])}",
                next_step="allow a larger `drop`, or take `int8_weights` or `fp16`",
            )
        return count, found

    def _scores_of(self, leave: Sequence[str] = (), only: Sequence[str] = ()) -> NDArray[np.float64]:
        """The scores of a file with these layers left, or these only in int8; those of the float model where nothing is."""
        folder = self._work / "try"
        folder.mkdir()
        try:
            file = folder / "try.onnx"
            self._write(file, leave, only)
            if not QUANTISED & set(_onnx.operators(file)):
                return self._float
            changed = {"files": {"model": str(file)}, "hashes": {"model": _onnx.sha256(file)}}
            return _scores(self._answer(self._artefact.model_copy(update=changed)))
        finally:
            shutil.rmtree(folder)

    def _write(self, target: Path, leave: Sequence[str] = (), only: Sequence[str] = ()) -> None:
        rows = _static.reader(self._rows, self._artefact.signature.fixed_batch, self._options.method)
        _static.quantise(self._named, target, rows, self._options, self._large, leave, only, self._ranges)

    def _lost(self, scores: NDArray[np.float64]) -> float:
        """Share of the rows whose answer was right and is wrong now."""
        was, now = self._float.argmax(axis=1) == self._right, scores.argmax(axis=1) == self._right
        return float(np.mean(was & ~now))

    def _change(self, scores: NDArray[np.float64]) -> float:
        """Root of the mean squared change of the scores, as a share of their standard deviation over rows and classes."""
        spread = float(self._float.std()) or 1.0
        return float(np.sqrt(np.mean((scores - self._float) ** 2))) / spread


def _layers(graph: Any) -> list[str]:
    """Names of the nodes that ONNX Runtime's quantiser knows."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return [node.name for node in graph.node if node.op_type in QDQRegistry or node.op_type in QLinearOpsRegistry]


def _scores(answers: Mapping[str, Any]) -> NDArray[np.float64]:
    """Scores, rows x classes. Raises `Unsupported` where the task gives none."""
    if "scores" not in answers or np.asarray(answers["scores"]).ndim != 2:
        raise Unsupported(f"int8_aware needs scores of classes; this task gives {', '.join(answers) or 'nothing'}")
    return np.asarray(answers["scores"], np.float64)
