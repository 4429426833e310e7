"""ONNX Runtime: runs ONNX files on the CPU or an NVIDIA GPU, in the precision that the file holds.

What really ran is read from a profile of one query: each operator with its types and the provider that ran it. On a GPU,
operators that would go to the CPU unasked are refused (`cpu_fallback` allows them), and TF32 is off.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Setting
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes._batches import in_sizes
from seatrial.parts.runtimes._facts import fell_back, lowest, no_cuda, quantised, version

NEEDS = ("onnxruntime",)
ACCEPTS = {"format": ("onnx",), "device": ("cpu", "cuda"), "precision": ("fp32",)}
CANNOT = {
    "cuda": ("not run here", "written by its documentation; no NVIDIA GPU was at hand"),
    "bf16": ("not yet ours", "ONNX Runtime runs a file in the types it holds; a converting variant is to come"),
    "tf32": ("not yet ours", "TF32 is switched off on GPUs, so that fp32 means fp32"),
}

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_HEAVY = {"Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum", "LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention"}
_HEAVY |= {"FusedConv", "FusedMatMul", "FusedGemm", "NhwcFusedConv", "GroupQueryAttention", "MatMulNBits"}
_INTEGER = {"QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger", "QGemm", "DynamicQuantizeMatMul"}
_INTEGER |= {"MatMulIntegerToFloat", "DynamicQuantizeLSTM", "QAttention", "QOrderedMatMul", "NhwcQLinearConv"}
_TYPES = {"float": "fp32", "double": "fp64", "float16": "fp16", "bfloat16": "bf16", "int8": "int8", "uint8": "int8"}
_LEVELS = {"none": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED", "all": "ORT_ENABLE_ALL"}  # fmt: skip


class Options(PartOptions):
    """How ONNX Runtime prepares the graph."""

    optimise: Literal["none", "basic", "extended", "all"] = Field(
        default="all", description="how far the graph is optimised before it runs"
    )
    cpu_fallback: bool = Field(
        default=False, description="on another device, let operators that it lacks run on the CPU instead of refusing"
    )


def import_framework() -> None:
    """Import what `open` needs, so that importing and loading can be timed apart. Its telemetry is off: nothing is sent."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it counts only before the import
    import onnxruntime  # noqa: F401


def absent(device: str) -> str | None:
    """Why this device can't be used here, without loading ONNX Runtime."""
    if device == "cpu":
        return None
    if device != "cuda":
        return f"ONNX Runtime is used on cpu and cuda here, not on `{device}`"
    if reason := no_cuda():
        return reason
    if version("onnxruntime-gpu") == "unknown":
        return "the GPU build isn't installed: pip uninstall -y onnxruntime && pip install onnxruntime-gpu"
    return None


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session on `setting.device`. Raises `Unsupported` where device or precision can't be had, `ModelError` for a bad file."""
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(
            f"ONNX Runtime runs a file in the types it holds and can't be asked for {setting.precision}",
            next_step="write `precision: fp32`, or take the runtime openvino or torch",
        )
    if reason := absent(setting.device):
        raise Unsupported(reason)
    return Session(artefact, setting, options)


class Session:
    """A loaded ONNX model."""

    def __init__(self, artefact: Artefact, setting: Setting, options: Options) -> None:
        self._setting, self._options = setting, options
        self._file = artefact.files["model"]
        self._session = _load(self._file, setting, options)
        _check_device(self._session, setting)
        self._names = [output.name for output in self._session.get_outputs()]
        fixed = artefact.signature.fixed_batch
        self._call: Callable[[dict[str, Any]], dict[str, Any]] = in_sizes(self._run, (fixed,)) if fixed else self._run
        self._last: dict[str, Any] = {}

    def predict(self, values: Values) -> Values:
        """Answers by output name, in host memory. Raises `ModelError` naming what doesn't fit."""
        return self._call(values if type(values) is dict else dict(values))

    def facts(self) -> Facts:
        """Operators, their types and providers, from a profile of the last query in a second session."""
        ran = _profile(self._file, self._setting, self._options, self._names, self._last)
        precision = lowest(found for operator, types, _ in ran if (found := _precision(operator, types)))
        said = fell_back(self._setting.precision, precision, quantised(self._file), "ONNX Runtime")
        elsewhere = _elsewhere(ran, PROVIDERS[self._setting.device])
        counts = Counter(f"{operator} {'/'.join(types)}" for operator, types, _ in ran)
        details = {
            "version": version("onnxruntime", "onnxruntime-gpu"),
            "providers": dict(Counter(provider for *_, provider in ran)),
            "operators": dict(counts),
        }
        return Facts(self._setting.device, precision, said or elsewhere, details)

    def close(self) -> None:
        """Give the session back; a second time does nothing."""
        self._session = None
        self._last = {}

    def _run(self, values: dict[str, Any]) -> dict[str, Any]:
        if self._session is None:
            raise ModelError("the session is closed")
        self._last = values
        try:
            return dict(zip(self._names, self._session.run(self._names, values), strict=True))
        except MemoryError:
            raise
        except Exception as error:
            raise ModelError(f"ONNX Runtime: {_words(error)}", next_step=self._expected()) from error

    def _expected(self) -> str:
        wanted = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in self._session.get_inputs())
        return f"the model takes {wanted}; compare `inputs` of the study"


def _load(file: str, setting: Setting, options: Options, profile: Path | None = None) -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # errors; warnings about constant folding help nobody
    session_options = onnxruntime.SessionOptions()
    session_options.log_severity_level = 3
    session_options.intra_op_num_threads = setting.threads
    session_options.inter_op_num_threads = 1
    session_options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, _LEVELS[options.optimise])
    session_options.add_session_config_entry("session.force_spinning_stop", "1")  # idle threads disturb other workers
    if profile is not None:
        session_options.enable_profiling = True
        session_options.profile_file_prefix = str(profile / "profile")
    providers: list[Any] = [PROVIDERS[setting.device]]
    if setting.device == "cuda":
        providers = [(PROVIDERS["cuda"], {"use_tf32": "0"})]
        if options.cpu_fallback:
            providers.append(PROVIDERS["cpu"])
        else:
            session_options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        return onnxruntime.InferenceSession(file, session_options, providers=providers)
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(f"ONNX Runtime can't load {Path(file).name}: {_words(error)}") from error


def _check_device(session: Any, setting: Setting) -> None:
    """ONNX Runtime takes the CPU with no more than a warning where a provider can't be loaded."""
    wanted, got = PROVIDERS[setting.device], session.get_providers()
    if not got or got[0] != wanted:
        raise Unsupported(
            f"{wanted} was asked for, but ONNX Runtime opened {', '.join(got) or 'nothing'}",
            next_step="`seatrial doctor` shows which libraries are missing",
        )


def _profile(file: str, setting: Setting, options: Options, names: list[str], values: dict[str, Any]) -> list[tuple[str, tuple[str, ...], str]]:  # fmt: skip
    """(operator, input types, provider) of each operator that ran in one query."""
    if not values:
        raise ModelError("what really runs is known after the first answer")
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        session = _load(file, setting, options, Path(folder))
        session.run(names, values)
        events = json.loads(Path(session.end_profiling()).read_text())
    return [
        (event["args"]["op_name"], _types(event["args"]), event["args"].get("provider", ""))
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    ]


def _types(args: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for entry in args.get("input_type_shape", ()) for name in entry))


def _precision(operator: str, types: tuple[str, ...]) -> str | None:
    """The precision in which a heavy operator ran, by its first input; None for the others."""
    if operator in _INTEGER:
        return "int8"
    return _TYPES.get(types[0] if types else "", "unknown") if operator in _HEAVY else None


def _elsewhere(ran: list[tuple[str, tuple[str, ...], str]], provider: str) -> str:
    others = Counter(operator for operator, _, by in ran if by and by != provider)
    return (
        f"{sum(others.values())} of {len(ran)} operators ran on another provider: {', '.join(others)}" if others else ""
    )


def _words(error: Exception) -> str:
    """The message without ONNX Runtime's own source positions."""
    text = str(error).split("] : ")[-1]
    return text.strip().split("\n")[0]
