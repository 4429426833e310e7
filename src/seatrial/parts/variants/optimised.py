"""The same arithmetic in fewer operators: constants folded, normalisation taken into convolutions, operators fused; weights stay in float.

ONNX Runtime does the same each time it loads a model, so that for it this saves loading and little else; other runtimes have optimisers of their
own. `basic` stays within ONNX's own operators and runs everywhere; `extended` uses ONNX Runtime's fused ones. Answers differ in the last digits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.variants import _onnx

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("onnx",)}
CANNOT = {
    "layout": ("never", "orders of channels that one processor likes aren't stored: the file would suit no other"),
}
VERSION = 1

_LEVELS = {"basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"}


class Options(PartOptions):
    """How far it goes."""

    level: Literal["basic", "extended"] = Field(
        default="basic", description="basic: ONNX's own operators; extended: ONNX Runtime's fused ones, for it alone"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The optimised model; how many operators there were and are is found in its lineage.

    Raises `Unsupported` where that leaves no fewer operators: then nothing was optimised.
    """
    before = sum(_onnx.operators(Path(artefact.files["model"])).values())

    def optimise(source: Path, target: Path, large: bool) -> dict[str, Any]:
        _onnx.save(_optimised(source, options.level, large), target, large)
        after = sum(_onnx.operators(target).values())
        if after >= before:
            raise Unsupported(
                f"optimised: there is nothing to fold or fuse at the level `{options.level}`: {before} operators before, {after} after",
                next_step="the model is as good as it is"
                if options.level == "extended"
                else "take `level: extended`, or the model as it is",
            )
        return {"operators": after, "operators_before": before}

    return _onnx.written(artefact, making, "optimised", options, optimise, rows_hash=None)


def _optimised(source: Path, level: str, large: bool) -> Any:
    """What ONNX Runtime makes of a file at this level."""
    import onnxruntime

    made = source.with_name("optimised.onnx")
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, _LEVELS[level])
    settings.optimized_model_filepath = str(made)
    if large:
        settings.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", f"{made.name}.data"
        )
    onnxruntime.InferenceSession(str(source), settings, providers=["CPUExecutionProvider"])
    return _onnx.load(made)
