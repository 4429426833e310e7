"""JAX: runs a JAX function, or a torch model carried over to it, compiled by XLA for a processor, an NVIDIA GPU or a TPU.

One code for all of them. A program is compiled for one row and for full batches; other numbers of rows are filled up. fp32 means
fp32: without being asked, TPUs multiply in bf16 and GPUs in TF32, so the highest precision is asked for. bf16 means weights and
inputs in bf16, answers as float32. What really ran is read from the compiled program: the types of each matrix product and convolution.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Loss, Setting, Slope
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, SeatrialError, Unsupported
from seatrial.parts.runtimes._batches import in_sizes
from seatrial.parts.runtimes._code import called, same, unchanged
from seatrial.parts.runtimes._facts import fell_back, lowest, no_cuda, version
from seatrial.parts.runtimes._hlo import heavy
from seatrial.parts.runtimes._jax_gradient import parted, sloping
from seatrial.parts.runtimes._narrow import narrow
from seatrial.parts.runtimes._slopes import BESIDE, fits, sloped, wanted

NEEDS = ("jax", "safetensors")
EXTRA = "jax"
ACCEPTS = {"format": ("jax",), "device": ("cpu", "cuda", "tpu"), "precision": ("fp32", "bf16")}
GIVES = {"gradient": ("yes",)}
CANNOT = {
    "cuda": ("not run here", "written by its documentation; no NVIDIA GPU was at hand"),
    "tpu": ("not run here", "written by its documentation; no TPU was at hand"),
    "tf32": ("not yet ours", "TF32 is switched off on GPUs, so that fp32 means fp32"),
    "fp16": ("not yet ours", "XLA's own low precision is bf16"),
    "threads": ("not yet theirs", "XLA takes the number of threads once in a process, when it is first used"),
}

_NODES = ("/dev/accel0", "/dev/vfio/0")
_PLUGINS = ("jax-cuda13-plugin", "jax-cuda12-plugin")


class Options(PartOptions):
    """There is nothing to set."""


def import_framework() -> None:
    """Import what `open` needs, so that importing and loading can be timed apart."""
    import jax  # noqa: F401
    import safetensors.flax  # noqa: F401


def absent(device: str) -> str | None:
    """Why this device can't be used here, without loading JAX."""
    if device == "cpu":
        return None
    if device == "tpu":
        if not any(map(os.path.exists, _NODES)):
            return f"no TPU here (neither {_NODES[0]} nor {_NODES[1]} is there)"
        return None if version("libtpu") != "unknown" else "JAX has no TPU library here: pip install 'jax[tpu]'"
    if device != "cuda":
        return f"JAX is used on cpu, cuda and tpu here, not on `{device}`"
    if reason := no_cuda():
        return reason
    return None if version(*_PLUGINS) != "unknown" else "JAX has no CUDA plug-in here: pip install 'jax[cuda13]'"


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session on `setting.device`. Runs the user's code where the model is a function. Raises `Unsupported` or `ModelError`."""
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(f"JAX is used in {', '.join(ACCEPTS['precision'])} here, not in {setting.precision}")
    if reason := absent(setting.device):
        raise Unsupported(reason)
    return Session(artefact, setting)


class Session:
    """A function and its weights on a device, and the programs that were compiled of it by the shapes of their inputs."""

    def __init__(self, artefact: Artefact, setting: Setting) -> None:
        self._setting = setting
        self._device = _device(setting)
        self._signature = artefact.signature
        self._function, weights = _exported(artefact, setting) if artefact.entry == "export" else _given(artefact)
        self._weights: Any = self._placed(weights)
        self._compiled: dict[Any, Any] = {}
        self._sloping: dict[Any, Any] = {}
        self._shape: dict[Any, tuple[int, ...]] = {}
        self._last: Any = None
        fixed = artefact.signature.fixed_batch
        sizes = (fixed,) if fixed else tuple(sorted({1, setting.batch}))
        self._sizes = sizes
        self._call: Callable[[dict[str, Any]], dict[str, Any]] = in_sizes(self._run, sizes)

    def predict(self, values: Values) -> Values:
        """Answers by output name, in host memory. Raises `ModelError` naming what doesn't fit."""
        return self._call(self._asked(values))

    def gradient(self, values: Values, loss: Loss) -> Slope:
        """The gradient of the loss by each float input, in the precision that answers, given as float32."""
        if self._function is None:
            raise ModelError("the session is closed")
        return sloped(self._asked(values), loss, lambda given: self._slope(given, loss), self._sizes)

    def facts(self) -> Facts:
        """The types of each matrix product and convolution, from the program that XLA compiled for the last query."""
        if self._last is None:
            raise ModelError("what really runs is known after the first answer")
        program, platform = self._last
        ran = heavy(program.as_text())
        precision = lowest(kind for _, kind in ran)
        said = fell_back(self._setting.precision, precision, False, "XLA")
        device = {"gpu": "cuda"}.get(platform, platform)
        if device != self._setting.device:
            said = f"{self._setting.device} was asked for, but JAX ran on {platform}"
        details = {
            "version": version("jax"),
            "operators": dict(Counter(f"{kind} {name}" for name, kind in ran)),
            "programs": len(self._compiled),
            "device": str(self._device),
        }
        return Facts(device, precision, said, details)

    def close(self) -> None:
        """Give the programs and the weights back; a second time does nothing."""
        self._function = self._weights = self._last = None
        self._compiled, self._sloping = {}, {}

    def _asked(self, values: Values) -> dict[str, Any]:
        names = [spec.name for spec in self._signature.inputs]
        if names and set(values) != set(names):
            raise ModelError(f"the model takes the inputs {', '.join(names)}, not {', '.join(values) or 'none'}")
        return {name: values[name] for name in names or values}

    def _run(self, values: dict[str, Any]) -> dict[str, Any]:
        if self._function is None:
            raise ModelError("the session is closed")
        with _told():
            inputs = self._placed({name: narrow(name, value, "JAX") for name, value in values.items()})
            key = _shapes(inputs)
            if key not in self._compiled:
                self._compiled[key] = self._compile(self._named, self._weights, inputs)
            answers = self._compiled[key](self._weights, inputs)
        first = next(iter(answers.values()))
        self._last = (self._compiled[key], next(iter(first.devices())).platform)
        return {name: np.asarray(answers[name]) for name in self._order(answers)}

    def _order(self, answers: dict[str, Any]) -> list[str]:
        return [spec.name for spec in self._signature.outputs] or list(answers)  # XLA sorts them by name

    def _slope(self, values: dict[str, Any], loss: Loss) -> dict[str, Any]:
        """Loss, gradients and answers under one roof of names, so that rows can be filled up as those of a query."""
        import jax

        given = {name: narrow(name, value, "JAX") for name, value in values.items()}
        extra = given.pop(BESIDE)
        with _told():
            floats, rest = parted(self._placed(given))
            key = (loss.output, loss.kind, loss.means, _shapes({**floats, **rest}))
            if key not in self._shape:
                answers = jax.eval_shape(self._named, self._weights, {**floats, **rest})
                self._shape[key] = wanted(loss, answers).shape
            fits(self._shape[key], loss, extra)
            if key not in self._sloping:
                self._sloping[key] = self._compile(sloping(self._named, loss), self._weights, floats, rest, extra)
            gradient, each, answers = self._sloping[key](self._weights, floats, rest, extra)
        found = {f"gradient {name}": np.asarray(one.astype("float32")) for name, one in gradient.items()}
        found |= {f"answers {name}": np.asarray(answers[name]) for name in self._order(answers)}
        return found | {BESIDE: np.asarray(each)}

    def _named(self, weights: Any, given: Any) -> dict[str, Any]:
        names = [spec.name for spec in self._signature.outputs]
        return {name: _full(value) for name, value in _by_name(self._function(weights, given), names).items()}

    def _compile(self, function: Callable[..., Any], *given: Any) -> Any:
        """The program for these shapes: traced and compiled before it is run, so that it can be looked at."""
        import jax

        precision = "highest" if self._setting.precision == "fp32" else "default"
        with jax.default_matmul_precision(precision):
            return jax.jit(function).lower(*given).compile()

    def _placed(self, arrays: Any) -> Any:
        """Arrays on the device, floats in the precision that was asked for."""
        import jax
        import jax.numpy as jnp

        wanted = jnp.bfloat16 if self._setting.precision == "bf16" else None

        def put(one: Any) -> Any:
            floats = jnp.issubdtype(one.dtype, jnp.floating)
            return jax.device_put(one.astype(wanted) if floats and wanted is not None else one, self._device)

        return jax.tree.map(put, arrays)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What JAX or the user's function raises, as a `ModelError`; a program that can't be differentiated as `Unsupported`."""
    try:
        yield
    except (MemoryError, SeatrialError):
        raise
    except Exception as error:
        if "No VJP is available" in str(error):
            raise Unsupported("this program was written without its gradient", next_step="convert it anew") from error
        raise ModelError(f"JAX: {_words(error)}", next_step="compare `inputs` of the study") from error


def _shapes(inputs: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((name, value.shape, str(value.dtype)) for name, value in inputs.items())


def _device(setting: Setting) -> Any:
    """The device, with as many threads as asked for where the processor is used for the first time in this process."""
    os.environ["NPROC"] = str(setting.threads)  # what XLA takes for the number of processors
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else it takes most of a GPU's memory at once
    import jax

    platform = "gpu" if setting.device == "cuda" else setting.device
    try:
        return jax.devices(platform)[0]
    except RuntimeError as error:
        raise Unsupported(f"JAX finds no {setting.device} here: {_words(error)}") from error


def _given(artefact: Artefact) -> tuple[Callable[[Any, Any], Any], Any]:
    """The user's function as one of weights and inputs, and the weights. Runs the user's file."""
    import safetensors.flax

    for role in artefact.files:
        unchanged(artefact, role)
    function, arguments = called(artefact)
    if not callable(function):
        raise ModelError(f"`{artefact.entry}` is a {type(function).__name__}, not a function")
    if "weights" not in artefact.files:
        return lambda _, given: function(**given, **arguments), {}
    weights = safetensors.flax.load_file(artefact.files["weights"])
    return lambda held, given: function(held, **given, **arguments), weights


def _exported(artefact: Artefact, setting: Setting) -> tuple[Callable[[Any, Any], Any], Any]:
    """An exported program in the precision that was asked for, as a function of weights and inputs, and the weights."""
    import jax
    import safetensors.flax

    role = "model" if setting.precision == "fp32" else setting.precision
    if role not in artefact.files:
        why = artefact.lineage.found.get(role, "it wasn't written")
        raise Unsupported(f"this model has no program in {setting.precision}: {why}")
    unchanged(artefact, "weights")
    with Path(artefact.files[role]).open("rb") as file:
        same(file, artefact, role)
        program = jax.export.deserialize(bytearray(file.read()))
    platform = setting.device
    if platform not in program.platforms:
        raise Unsupported(f"the program was written for {', '.join(program.platforms)}, not for {platform}")
    held = safetensors.flax.load_file(artefact.files["weights"])
    weights = [held[str(place)] for place in range(len(held))]
    names = [spec.name for spec in artefact.signature.inputs]
    return lambda kept, given: program.call(kept, tuple(given[name] for name in names)), weights


def _by_name(answer: Any, names: list[str]) -> dict[str, Any]:
    """What the function gave by output name: a dict's own, or in the order of the signature."""
    if isinstance(answer, dict):
        if lost := [name for name in names if name not in answer]:
            raise ModelError(f"the function gives {', '.join(map(str, answer))}, not {', '.join(lost)}")
        return {name: answer[name] for name in names or answer}
    answers = list(answer) if isinstance(answer, tuple | list) else [answer]
    names = names or (["output"] if len(answers) == 1 else [f"output_{place}" for place in range(len(answers))])
    if len(names) > len(answers):
        raise ModelError(f"the function gives {len(answers)} outputs, not {len(names)} ({', '.join(names)})")
    return dict(zip(names, answers, strict=False))


def _full(value: Any) -> Any:
    import jax.numpy as jnp

    reduced = value.dtype in (jnp.bfloat16, jnp.float16)
    return value.astype(jnp.float32) if reduced else value


def _words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])[:300]}"
