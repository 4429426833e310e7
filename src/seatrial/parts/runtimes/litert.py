"""LiteRT: runs .tflite files, as phones and boards do, on the processor's XNNPACK kernels or the built-in ones.

Floats that come for an input stored as integers are quantised by the scale in the file, and such outputs dequantised. What really ran is
read from the graph after it was prepared: the types of each heavy operator, and whether XNNPACK took any of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Setting
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes._batches import in_sizes
from seatrial.parts.runtimes._code import unchanged
from seatrial.parts.runtimes._facts import lowest, version
from seatrial.parts.runtimes._narrow import narrow

NEEDS = ("ai_edge_litert",)
EXTRA = "litert"
ACCEPTS = {"format": ("tflite",), "device": ("cpu",), "precision": ("fp32",)}
CANNOT = {
    "edge devices": (
        "not run here",
        "the same files and kernels as on phones and boards; only this processor was at hand",
    ),
    "gpu, npu": ("not yet ours", "LiteRT's compiled models, which take them, aren't used"),
    "bf16, fp16": ("never", "LiteRT runs a file in the types it holds"),
    "int8": ("never", "a quantised file runs in int8 by itself, which the report shows: leave `precision` out"),
    "which operators XNNPACK took": ("not yet theirs", "the interpreter tells that it took some, not which"),
}

_HEAVY = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "FULLY_CONNECTED", "BATCH_MATMUL"}
_HEAVY |= {"UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM", "STABLEHLO_DOT_GENERAL", "STABLEHLO_CONVOLUTION"}
_TYPES = {"float32": "fp32", "float16": "fp16", "float64": "fp64", "int8": "int8", "uint8": "int8", "int16": "int8"}


class Options(PartOptions):
    """Which kernels, and whether the number of rows may be changed."""

    xnnpack: bool = Field(default=True, description="XNNPACK's kernels; the built-in ones if false")
    resize: bool = Field(
        default=False,
        description="give a file with a fixed number of rows full batches; some files can't take them",
    )


def import_framework() -> None:
    """Import what `open` needs, so that importing and loading can be timed apart."""
    import ai_edge_litert.interpreter  # noqa: F401


def absent(device: str) -> str | None:
    """Why this device can't be used."""
    return None if device == "cpu" else f"LiteRT is used on the cpu here, not on `{device}`"


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session. Raises `Unsupported` where device or precision can't be had, `ModelError` for a bad file."""
    if reason := absent(setting.device):
        raise Unsupported(reason)
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(
            f"LiteRT runs a file in the types it holds and can't be asked for {setting.precision}",
            next_step="write `precision: fp32`",
        )
    return Session(artefact, setting, options)


class Session:
    """An interpreter, prepared for one number of rows at a time."""

    def __init__(self, artefact: Artefact, setting: Setting, options: Options) -> None:
        unchanged(artefact, "model")
        self._options = options
        self._interpreter = _loaded(artefact.files["model"], setting.threads, options)
        sides = _named(self._interpreter)
        self._inputs, self._outputs = (_wanted(sides[side], artefact, side) for side in ("inputs", "outputs"))
        self._rows: int | None = None
        fixed = artefact.signature.fixed_batch
        self._resizes = options.resize or fixed is None
        sizes = tuple(sorted({1, setting.batch})) if self._resizes else (fixed or 1,)
        self._call: Callable[[dict[str, Any]], dict[str, Any]] = in_sizes(self._run, sizes)

    def predict(self, values: Values) -> Values:
        """Answers by output name, in host memory. Raises `ModelError` naming what doesn't fit."""
        if set(values) != set(self._inputs):
            raise ModelError(f"the model takes the inputs {', '.join(self._inputs)}, not {', '.join(values) or 'none'}")
        return self._call(values if type(values) is dict else dict(values))

    def facts(self) -> Facts:
        """The types of each heavy operator of the prepared graph, and what XNNPACK took."""
        if self._interpreter is None or self._rows is None:
            raise ModelError("what really runs is known after the first answer")
        operators = self._interpreter._get_ops_details()  # the only way to see them; LiteRT's own tools use it
        types = {one["index"]: np.dtype(one["dtype"]).name for one in self._interpreter.get_tensor_details()}
        ran = [(one["op_name"], _ran_in(one, types)) for one in operators if one["op_name"] in _HEAVY]
        taken = any(one["op_name"] == "DELEGATE" for one in operators)
        said = "XNNPACK took none of the operators, the built-in kernels ran them" if self._options.xnnpack else ""
        precision = lowest(kind for _, kind in ran)
        details = {
            "version": version("ai-edge-litert"),
            "operators": dict(Counter(f"{name} {kind}" for name, kind in ran)),
            "xnnpack": taken,
        }
        integers = precision == "int8"
        if integers:
            details["precision"] = "the file is quantised"
        return Facts("cpu", precision, "" if taken else said, details)

    def close(self) -> None:
        """Give the interpreter back; a second time does nothing."""
        self._interpreter = None

    def _run(self, values: dict[str, Any]) -> dict[str, Any]:
        if self._interpreter is None:
            raise ModelError("the session is closed")
        try:
            self._prepare(len(next(iter(values.values()))))
            for name, value in values.items():
                self._interpreter.set_tensor(self._inputs[name]["index"], _stored(name, value, self._inputs[name]))
            self._interpreter.invoke()
            return {
                name: _dequantised(self._interpreter.get_tensor(one["index"]), one)
                for name, one in self._outputs.items()
            }
        except MemoryError:
            raise
        except (ValueError, RuntimeError, TypeError, IndexError) as error:
            self._rows = None
            raise ModelError(f"LiteRT: {_words(error)}", next_step=self._expected()) from error

    def _prepare(self, rows: int) -> None:
        """Make room for this many rows where the last query had others."""
        assert self._interpreter is not None
        if rows == self._rows:
            return
        if self._resizes:
            for one in self._inputs.values():
                shape = [rows, *(int(size) for size in one["shape"][1:])]
                self._interpreter.resize_tensor_input(one["index"], shape, strict=not self._options.resize)
        self._interpreter.allocate_tensors()
        self._rows = rows

    def _expected(self) -> str:
        wanted = ", ".join(f"{name}: {np.dtype(one['dtype']).name} {one['shape_signature'].tolist()}" for name, one in self._inputs.items())  # fmt: skip
        return f"the model takes {wanted}; compare `inputs` of the study"


def _loaded(file: str, threads: int, options: Options) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    resolver = OpResolverType.AUTO if options.xnnpack else plain
    try:
        return Interpreter(file, num_threads=threads, experimental_op_resolver_type=resolver)
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(f"LiteRT can't load {file}: {_words(error)}") from error


def _named(interpreter: Any) -> dict[str, dict[str, Any]]:
    """Details of inputs and outputs by the names of the first signature; by the tensors' own where there is none."""
    signatures = interpreter._get_full_signature_list()
    first = next(iter(signatures.values()), {"inputs": {}, "outputs": {}})
    sides = {"inputs": interpreter.get_input_details(), "outputs": interpreter.get_output_details()}
    found = {}
    for side, details in sides.items():
        names = {place: name for name, place in first[side].items()}
        found[side] = {names.get(one["index"], one["name"]): one for one in details}
    return found


def _wanted(found: dict[str, Any], artefact: Artefact, side: str) -> dict[str, Any]:
    """Those of the signature, in its order."""
    names = [spec.name for spec in getattr(artefact.signature, side)] or list(found)
    if lost := [name for name in names if name not in found]:
        raise ModelError(f"LiteRT's model has no {side[:-1]} {', '.join(lost)}, only {', '.join(found)}")
    return {name: found[name] for name in names}


def _stored(name: str, value: Any, one: dict[str, Any]) -> Any:
    """Floats as the integers that the tensor stores (real = scale x (stored - zero point)); others as they are, in 32 bits where it has those."""
    scale, zero = one["quantization"]
    kind = np.dtype(one["dtype"])
    if not scale or kind.kind not in "iu" or value.dtype.kind != "f":
        return narrow(name, value, "the model") if kind.itemsize == 4 else value
    if np.isnan(value).any():
        raise ModelError(f"`{name}` holds NaN, which an input stored as {kind.name} can't", next_step="fill it in")
    most = np.iinfo(kind)
    return np.clip(np.rint(value / np.float32(scale)) + zero, most.min, most.max).astype(kind)


def _dequantised(value: Any, one: dict[str, Any]) -> Any:
    scale, zero = one["quantization"]
    if not scale or value.dtype.kind not in "iu":
        return value
    return (value.astype(np.float32) - np.float32(zero)) * np.float32(scale)


def _ran_in(operator: dict[str, Any], types: dict[int, str]) -> str:
    """The precision of a heavy operator: of its input, or int8 where a float input meets integer weights (quantised as it runs)."""
    both = [_TYPES.get(types.get(int(at), ""), "unknown") for at in operator["inputs"][:2] if at >= 0]
    return "int8" if "int8" in both else both[0] if both else "unknown"


def _words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[-2:])[:300]
