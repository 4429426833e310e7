"""OpenVINO: runs ONNX files on Intel-compatible CPUs, integrated GPUs and NPUs, in fp32 or bf16.

Without a hint OpenVINO takes bf16 silently where the processor has it, so the hint is always set, and what really ran is
read from the compiled graph: the precision and kernel of each operator.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Setting
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes import _known_wrong
from seatrial.parts.runtimes._batches import in_sizes
from seatrial.parts.runtimes._facts import fell_back, lowest, quantised, version

NEEDS = ("openvino",)
EXTRA = "openvino"
ACCEPTS = {"format": ("onnx",), "device": ("cpu", "gpu", "npu"), "precision": ("fp32", "bf16", "fp16")}
CANNOT = {
    "gpu": ("not run here", "written by its documentation; no Intel GPU was at hand"),
    "npu": ("not run here", "written by its documentation; no NPU was at hand"),
    "int8": ("never", "a quantised file runs in int8 by itself, which the report shows: leave `precision` out"),
    "some operators": (
        "not yet theirs",
        "OpenVINO 2026.4 answers ONNX's own tests of them wrongly, so that a model that holds one is refused: LSTM, GRU and RNN with rows first, "
        "LSTM with peepholes, Attention within a window, BitShift of signed numbers, DFT of one side, Tile with computed repeats, "
        "some ways of Resize, SpaceToDepth and RoiAlign",
    ),
    "ties, infinity, 64 bits": (
        "not yet theirs",
        "TopK of equal numbers doesn't give the first, infinite numbers and doubles beyond float32 become the largest finite ones, and halves are rounded otherwise in "
        "DynamicQuantizeLinear; a comparison with the reference shows it",
    ),
    "align_corners": (
        "not yet theirs",
        "Resize by scales that give no whole sizes differs from ONNX's newest tests, in ONNX Runtime alike",
    ),
}

_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_EXECUTED = {"f32": "fp32", "bf16": "bf16", "f16": "fp16", "f64": "fp64", "u8": "int8", "i8": "int8", "u4": "int8", "i4": "int8"}  # fmt: skip
_HEAVY = {"Convolution", "Deconvolution", "FullyConnected", "MatMul", "RNNSeq", "RNNCell"}
_HEAVY |= {
    "ScaledDotProductAttention",
    "PagedAttention",
    "LLMMLP",
    "QKVProjection",
    "GatherMatmul",
    "BinaryConvolution",
}
_NODES = {"gpu": ("/dev/dri", "renderD*"), "npu": ("/dev/accel", "accel*")}


class Options(PartOptions):
    """How OpenVINO compiles the model."""

    properties: dict[str, str | int | bool] = Field(
        default={}, description="further properties of the device, by OpenVINO's names (for example a cache folder)"
    )


def import_framework() -> None:
    """Import what `open` needs, so that importing and loading can be timed apart.

    Its telemetry is kept out: it would start a process that sends, and write into the user's home folder.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # noqa: F401


def absent(device: str) -> str | None:
    """Why this device can't be used here, without loading OpenVINO."""
    if device == "cpu":
        return None
    if device not in _NODES:
        return f"OpenVINO is used on cpu, gpu and npu here, not on `{device}`"
    folder, pattern = _NODES[device]
    if not any(Path(folder).glob(pattern)):
        return f"no Intel {device.upper()} here ({folder}/{pattern} isn't there): install its driver, or give the container the device"
    return None


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session on `setting.device`. Raises `Unsupported` where the device can't be had, `ModelError` for a bad file."""
    if setting.precision not in _HINTS:
        raise Unsupported(f"OpenVINO runs {', '.join(_HINTS)}, not {setting.precision}")
    if reason := absent(setting.device):
        raise Unsupported(reason)
    compiled = _compile(artefact.files["model"], setting, _properties(setting) | options.properties)
    return Session(artefact, setting, compiled)


class Session:
    """A compiled model with one request."""

    def __init__(self, artefact: Artefact, setting: Setting, compiled: Any) -> None:
        self._file, self._setting, self._compiled = artefact.files["model"], setting, compiled
        self._request = compiled.create_infer_request()
        self._inputs = _inputs(compiled, [spec.name for spec in artefact.signature.inputs])
        self._outputs = _outputs(compiled, [output.name for output in artefact.signature.outputs])
        fixed = artefact.signature.fixed_batch
        self._call: Callable[[dict[str, Any]], dict[str, Any]] = in_sizes(self._run, (fixed,)) if fixed else self._run

    def predict(self, values: Values) -> Values:
        """Answers by output name, in host memory. Raises `ModelError` naming what doesn't fit."""
        return self._call(values if type(values) is dict else dict(values))

    def facts(self) -> Facts:
        """Precision and kernel of each operator, from the compiled graph."""
        if self._compiled is None:
            raise ModelError("the session is closed")
        ran = executed(self._compiled)
        precision = lowest(_precisions(ran, self._compiled, self._file))
        devices = [str(device).lower() for device in self._compiled.get_property("EXECUTION_DEVICES")]
        said = fell_back(self._setting.precision, precision, quantised(self._file), "OpenVINO")
        said = _known_wrong.openvino(self._file) or said
        if not devices[0].startswith(self._setting.device):
            said = f"{self._setting.device} was asked for, but OpenVINO ran on {', '.join(devices)}"
        counts = Counter(f"{one.kind} {one.dtype} {one.kernel}" for one in ran)
        details = {"version": version("openvino"), "devices": devices, "operators": dict(counts)}
        return Facts(devices[0].split(".")[0], precision, said, details)

    def close(self) -> None:
        """Give the request and the compiled model back; a second time does nothing."""
        self._request = self._compiled = None
        self._outputs = {}

    def _run(self, values: dict[str, Any]) -> dict[str, Any]:
        if self._request is None:
            raise ModelError("the session is closed")
        self._check(values)
        try:
            answers = self._request.infer(values, share_inputs=True)
        except MemoryError:
            raise
        except Exception as error:
            raise ModelError(f"OpenVINO: {_words(error)}", next_step=self._expected()) from error
        return {name: answers[port] for name, port in self._outputs.items()}

    def _check(self, values: dict[str, Any]) -> None:
        """OpenVINO goes on with old values for an input that isn't given, and converts types without a word."""
        for name, dtype in self._inputs:
            if name not in values:
                raise ModelError(f"the input `{name}` isn't given", next_step=self._expected())
            if values[name].dtype != dtype:
                raise ModelError(f"the input `{name}` is {values[name].dtype}, not {dtype}", next_step=self._expected())

    def _expected(self) -> str:
        wanted = ", ".join(f"{one.any_name}: {one.element_type.to_string()} {one.partial_shape}" for one in self._compiled.inputs)  # fmt: skip
        return f"the model takes {wanted}; compare `inputs` of the study"


class Operator(NamedTuple):
    """One operator of a compiled model in OpenVINO's words, and the operators of the file that went into it."""

    kind: str
    dtype: str
    kernel: str
    origins: tuple[str, ...]


def executed(compiled: Any) -> list[Operator]:
    """The operators of a compiled model."""
    operators = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        told = {key: str(value.value) for key, value in node.get_rt_info().items()}
        names = tuple(told.get("originalLayersNames", "").split(","))
        one = Operator(
            told.get("layerType", ""), told.get("runtimePrecision", ""), told.get("primitiveType", ""), names
        )
        if one.kind not in ("", "Input", "Output", "Const", "Parameter", "Result"):
            operators.append(one)
    return operators


def _precisions(ran: list[Operator], compiled: Any, file: str) -> Iterator[str]:
    """Precisions of heavy operators. A fused subgraph only tells the type of its ends, and computes inside in the hint's."""
    inside = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
    heavy = _heavy_names(file)
    for one in ran:
        fused = one.kind == "Subgraph" and heavy.intersection(one.origins)
        if fused and _EXECUTED.get(one.dtype) != "int8":
            yield _EXECUTED.get(inside, "unknown")
        elif fused or one.kind in _HEAVY:
            yield _EXECUTED.get(one.dtype, "unknown")


def _heavy_names(file: str) -> set[str]:
    """Names of the matrix products and convolutions in the file."""
    import openvino

    kinds = {"MatMul", "Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData"}
    operators = openvino.Core().read_model(file).get_ordered_ops()
    return {operator.get_friendly_name() for operator in operators if operator.get_type_name() in kinds}


def _properties(setting: Setting) -> dict[str, str | int | bool]:
    shared: dict[str, str | int | bool] = {
        "INFERENCE_PRECISION_HINT": _HINTS[setting.precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    if setting.device != "cpu":
        return shared
    return shared | {"INFERENCE_NUM_THREADS": setting.threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}


def _compile(file: str, setting: Setting, properties: dict[str, str | int | bool]) -> Any:
    import openvino

    core = openvino.Core()
    device = setting.device.upper()
    if not any(one.split(".")[0] == device for one in core.available_devices):
        raise Unsupported(f"OpenVINO finds no {device} here, only {', '.join(core.available_devices)}")
    try:
        return core.compile_model(core.read_model(file), device, properties)
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(f"OpenVINO can't compile {Path(file).name}: {_words(error)}") from error


def _inputs(compiled: Any, names: list[str]) -> list[tuple[str, Any]]:
    """Input names, as the artefact gives them, with their NumPy types: a port can have several names."""
    known = [next((name for name in names if name in port.get_names()), port.any_name) for port in compiled.inputs]
    return [(name, port.element_type.to_dtype()) for name, port in zip(known, compiled.inputs, strict=True)]


def _outputs(compiled: Any, names: list[str]) -> dict[str, Any]:
    """Output ports by the names that the artefact gives them: a port can have several names."""
    ports = {name: port for port in compiled.outputs for name in port.get_names()}
    wanted = names or [port.any_name for port in compiled.outputs]
    if lost := [name for name in wanted if name not in ports]:
        raise ModelError(f"OpenVINO's model has no output {', '.join(lost)}, only {', '.join(ports)}")
    return {name: ports[name] for name in wanted}


def _words(error: Exception) -> str:
    """The lines of the message that are no source positions."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [
        line for line in lines if line and not line.startswith(("Exception from", "Check '")) and ".cpp:" not in line
    ]
    return " ".join(told[:3]) or str(error).strip()
