"""Static int8 that leaves the layers that hurt in float, as few as needed until a bound on what is lost holds.

Each layer is tried alone in int8: how much it changes the answers is its sensitivity. Starting with the most sensitive, layers go back to float
until surely at most `drop` of the accuracy is lost, or of the explained variance where the answers are numbers. Surely means an upper bound on
the calibration rows, at `confidence`, as the study's own `accuracy.drop` has; several files are tried on the same rows, and a candidate is
judged on others, so leave some room. Without labels, the float model's answers count as right.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.parts.variants import _onnx, _static
from seatrial.parts.variants._lost import Judge, Lost
from seatrial.parts.variants._quantise import QUANTISED, quantised

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",), "rows": ("calibrate",)}
GIVES = {"format": ("onnx",)}
USES = ("runtimes", "tasks")
CANNOT = {
    "embedding": (
        "not yet ours",
        "answers are classes, labels or numbers here; how far vectors turn is not yet bounded",
    ),
    "detection": ("not yet ours", "boxes are found or missed by the set; a bound on that is not yet here"),
}
VERSION = 2


class Options(_static.StaticOptions):
    """How much may be lost, and how ranges are found."""

    drop: float = Field(
        default=0.005,
        ge=0,
        lt=1,
        description="how much of the accuracy may be lost at most (0.005: half a percentage point), or of the explained variance",
    )
    confidence: float | None = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="how sure it is that no more than that is lost; null: as counted on the calibration rows, without an allowance for chance",
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
    """Tries files with some layers in float on the calibration rows."""

    def __init__(self, artefact: Artefact, making: Making, rows: Values, options: Options, source: Path, large: bool) -> None:  # fmt: skip
        assert making.answer is not None
        self._artefact, self._options, self._large, self._rows = artefact, options, large, rows
        self._answer: Callable[[Artefact], Mapping[str, Any]] = making.answer
        self._work = source.parent
        self._named, self._ranges = self._work / "named.onnx", self._work / "ranges.json"
        model = _onnx.load(source)
        _onnx.save(model, self._named, large)
        self._layers = _layers(model.graph)
        self._float = self._answer(artefact)
        self._judge = Judge("int8_aware", self._float, making.labels, options.confidence)

    def run(self, target: Path) -> dict[str, Any]:
        """Write the file with the fewest layers in float that keeps to the bound, and say what was found."""
        judge, drop = self._judge, self._options.drop
        if judge.rows < (fewest := judge.fewest(drop)) or not fewest:
            raise Unsupported(
                f"int8_aware: {judge.rows} calibration rows can't show that at most {drop:.2%} of {judge.of} is lost, even where no answer changes"
                + (f": it takes {fewest:,}" if fewest else ", nor can any number of them"),
                next_step="give more rows the role `calibrate`, allow a larger `drop`, or say `confidence: null` to go by these rows alone",
            )
        plain = judge.lost(self._answers_of())
        change = {layer: judge.change(self._answers_of(only=[layer])) for layer in self._layers}
        order = sorted((layer for layer in change if change[layer]), key=lambda layer: (-change[layer], layer))
        count, lost = self._fewest(order, plain)
        self._write(target, leave=order[:count])
        return {
            "sensitivity": {layer: round(change[layer], 6) for layer in order},
            "left_in_float": order[:count],
            "layers": len(order),
            "lost": lost.share,
            "lost_at_most": lost.most,
            "lost_with_all_in_int8": plain.share,
            "confidence": self._options.confidence,
            "of": judge.of,
            "rows": judge.rows,
            "right": "labels" if judge.labelled else "the float model's answers",
        }

    def _fewest(self, order: Sequence[str], plain: Lost) -> tuple[int, Lost]:
        """How many of the most sensitive stay in float: doubled until the bound holds, then halved back; and what is lost then."""
        drop = self._options.drop
        if plain.most <= drop:
            return 0, plain
        below, count = 0, 1
        found = self._judge.lost(self._answers_of(leave=order[:count]))
        while found.most > drop and count < len(order):
            below, count = count, min(2 * count, len(order))
            found = self._judge.lost(self._answers_of(leave=order[:count]))
        while count - below > 1:
            middle = (below + count) // 2
            lost = self._judge.lost(self._answers_of(leave=order[:middle]))
            below, count, found = (below, middle, lost) if lost.most <= drop else (middle, count, found)
        if found.most > drop or count == len(order):
            raise Unsupported(
                f"int8_aware: no layer can be in int8 with at most {drop:.2%} of {self._judge.of} lost: on {self._judge.rows} rows "
                f"{plain.share:.2%} is lost with all of them, {plain.most:.2%} at most; the most sensitive are {', '.join(order[:3])}",
                next_step="allow a larger `drop`, give more rows the role `calibrate`, or take `int8_weights` or `fp16`",
            )
        return count, found

    def _answers_of(self, leave: Sequence[str] = (), only: Sequence[str] = ()) -> Mapping[str, Any]:
        """The answers of a file with these layers left, or these only in int8; those of the float model where nothing is."""
        folder = self._work / "try"
        folder.mkdir()
        try:
            file = folder / "try.onnx"
            self._write(file, leave, only)
            if not QUANTISED & set(_onnx.operators(file)):
                return self._float
            changed = {"files": {"model": str(file)}, "hashes": {"model": _onnx.sha256(file)}}
            return self._answer(self._artefact.model_copy(update=changed))
        finally:
            shutil.rmtree(folder)

    def _write(self, target: Path, leave: Sequence[str] = (), only: Sequence[str] = ()) -> None:
        rows = _static.reader(self._rows, self._artefact.signature.fixed_batch, self._options.method)
        _static.quantise(self._named, target, rows, self._options, self._large, leave, only, self._ranges)


def _layers(graph: Any) -> list[str]:
    """Names of the nodes that ONNX Runtime's quantiser knows."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return [node.name for node in graph.node if node.op_type in QDQRegistry or node.op_type in QLinearOpsRegistry]
