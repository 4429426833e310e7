"""ONNX Runtime: runs ONNX files on the CPU or an NVIDIA GPU, in the precision that the file holds.

The devices are its providers: `cpu`, `cuda`, `tensorrt` (an NVIDIA GPU through TensorRT) and `openvino` (an Intel-compatible CPU through
OpenVINO). What really ran is read from a profile of one query: each operator with its types and the provider that ran it. Operators
that would go to the CPU unasked are refused (`cpu_fallback` allows them), and on GPUs TF32 is off unless asked for.
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
from seatrial.contracts.candidate import NVIDIA
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Setting
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes import _known_wrong
from seatrial.parts.runtimes._batches import in_sizes
from seatrial.parts.runtimes._facts import fell_back, lowest, no_cuda, quantised, version

NEEDS = ("onnxruntime",)
ACCEPTS = {"format": ("onnx",), "device": ("cpu", "cuda", "tensorrt", "openvino"), "precision": ("fp32", "tf32")}
CANNOT = {
    "cuda": ("not run here", "written by its documentation; no NVIDIA GPU was at hand"),
    "bf16": ("not yet ours", "ONNX Runtime runs a file in the types it holds; a converting variant is to come"),
    "int8": ("never", "a quantised file runs in int8 by itself, which the report shows: leave `precision` out"),
    "tensorrt": ("not run here", "written by its documentation; no NVIDIA GPU was at hand"),
    "tf32": ("not run here", "on cuda and tensorrt alone; fp32 means fp32, TF32 is switched off for it"),
    "MaxUnpool with a given size, scores of Attention": (
        "not yet theirs",
        "ONNX Runtime 1.32 answers ONNX's own tests of MaxUnpool with `output_shape`, and of Attention's scores beside a mask and a past, wrongly; "
        "a model that holds one is refused",
    ),
    "align_corners": (
        "not yet theirs",
        "Resize by scales that give no whole sizes differs from ONNX's newest tests, in OpenVINO alike",
    ),
    "what TensorRT and OpenVINO run inside": (
        "not yet theirs",
        "the profile shows one operator for all that the provider took; its precision is unknown then",
    ),
}

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_HIDING = ("tensorrt", "openvino")
"""Those that take many operators as one."""
_NO_FALLBACK = "fallback to CPU EP has been explicitly disabled"
"""In ONNX Runtime's words where operators would go to the CPU unasked."""
_GPU_BUILD = "the GPU build isn't installed: pip uninstall -y onnxruntime && pip install onnxruntime-gpu"
_OPENVINO_BUILD = (
    "the build with OpenVINO isn't installed: pip uninstall -y onnxruntime && pip install onnxruntime-openvino"
)
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
    kind = device.partition(":")[0]
    if kind == "openvino":
        return None if version("onnxruntime-openvino") != "unknown" else _OPENVINO_BUILD
    if kind not in NVIDIA:
        return f"ONNX Runtime is used on {', '.join(PROVIDERS)} here, not on `{device}`"
    if reason := no_cuda():
        return reason
    return _GPU_BUILD if version("onnxruntime-gpu") == "unknown" else None


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session on `setting.device`. Raises `Unsupported` where device or precision can't be had, `ModelError` for a bad file."""
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(
            f"ONNX Runtime runs a file in the types it holds and can't be asked for {setting.precision}",
            next_step="write `precision: fp32`, or take the runtime openvino or torch",
        )
    if setting.precision == "tf32" and not setting.device.startswith(NVIDIA):
        raise Unsupported(f"TF32 is arithmetic of NVIDIA GPUs, and this candidate runs on {setting.device}")
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
        import onnxruntime

        ran = _profile(self._file, self._setting, self._options, self._names, self._last)
        precision = lowest(found for operator, types, _ in ran if (found := _precision(operator, types)))
        if self._setting.precision == "tf32" and precision == "fp32":
            precision = "tf32"  # the file's types are fp32, and the provider was told that it may
        said = fell_back(self._setting.precision, precision, quantised(self._file), "ONNX Runtime")
        elsewhere = _elsewhere(ran, PROVIDERS[_kind(self._setting)])
        counts = Counter(f"{operator} {'/'.join(types)}" for operator, types, _ in ran)
        details = {
            "version": onnxruntime.__version__,
            "providers": dict(Counter(provider for *_, provider in ran)),
            "operators": dict(counts),
        }
        if elsewhere and self._options.cpu_fallback:  # as it was allowed to
            details["note"], elsewhere = elsewhere, ""
        if precision == "unknown" and _kind(self._setting) in _HIDING:
            asked = self._setting.precision
            details["precision"] = (
                f"{PROVIDERS[_kind(self._setting)]} was told {asked} and doesn't show what it runs in"
            )
        wrong = _known_wrong.onnxruntime(self._file)
        return Facts(self._setting.device, precision, wrong or said or elsewhere, details)

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
    providers = _providers(setting, options)
    if setting.device != "cpu" and not options.cpu_fallback:
        session_options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        return onnxruntime.InferenceSession(file, session_options, providers=providers)
    except MemoryError:
        raise
    except Exception as error:
        step = (
            "`cpu_fallback: true` lets them run there, and the report names them" if _NO_FALLBACK in str(error) else ""
        )
        raise ModelError(f"ONNX Runtime can't load {Path(file).name}: {_words(error)}", next_step=step) from error


def _kind(setting: Setting) -> str:
    return setting.device.partition(":")[0]


def _providers(setting: Setting, options: Options) -> list[Any]:
    """The provider that is asked for, with its settings, and the CPU where it may take what the other lacks."""
    kind, number = _kind(setting), setting.device.partition(":")[2] or "0"
    tf32 = setting.precision == "tf32"
    if kind == "tensorrt" and not tf32:
        os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # TensorRT itself has no such setting here
    settings: dict[str, dict[str, str]] = {
        "cuda": {"device_id": number, "use_tf32": str(int(tf32))},
        "tensorrt": {"device_id": number, "trt_fp16_enable": "0", "trt_int8_enable": "0"},
        "openvino": {
            "device_type": "CPU",
            "precision": "FP32",
            "num_of_threads": str(setting.threads),
            "num_streams": "1",
        },
    }
    asked: list[Any] = [(PROVIDERS[kind], settings[kind]) if kind in settings else PROVIDERS[kind]]
    return asked + ([PROVIDERS["cpu"]] if kind != "cpu" and options.cpu_fallback else [])


def _check_device(session: Any, setting: Setting) -> None:
    """ONNX Runtime takes the CPU with no more than a warning where a provider can't be loaded."""
    wanted, got = PROVIDERS[_kind(setting)], session.get_providers()
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
