"""PyTorch: runs a module eagerly or compiled, on the CPU or an NVIDIA GPU, in fp32 or under autocast to bf16 or fp16.

bf16 is autocast, as most people use it: matrix products and convolutions in bf16, what needs range in fp32, answers given as
float32. What really ran is read from a profile of one query: the types of each heavy kernel.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Loss, Setting, Slope
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes._batches import in_sizes
from seatrial.parts.runtimes._facts import fell_back, lowest, no_cuda, version
from seatrial.parts.runtimes._torch_gradient import losses
from seatrial.parts.runtimes._torch_module import built, words

NEEDS = ("torch", "safetensors")
EXTRA = "torch"
ACCEPTS = {"format": ("torch",), "device": ("cpu", "cuda"), "precision": ("fp32", "bf16", "fp16")}
GIVES = {"gradient": ("yes",)}
CANNOT = {
    "cuda": ("not run here", "written by its documentation; no NVIDIA GPU was at hand"),
    "tf32": ("not yet ours", "TF32 is switched off on GPUs, so that fp32 means fp32"),
    "dynamic shapes": (
        "not yet ours",
        "a compiled module is compiled for one row and for full batches; others are filled up",
    ),
}

_HEAVY = re.compile(
    r"aten::(_convolution|mm|addmm|bmm|baddbmm|addbmm|mv|addmv|_addmm_activation|_int_mm|_scaled_mm|mkldnn_linear|"
    r"mkldnn_rnn_layer|_cudnn_rnn|_scaled_dot_product_\w+_attention\w*)|mkldnn::\w+|quantized::(conv|linear)\w*|onednn::q\w+"
)
_TYPES = {"float": "fp32", "double": "fp64", "c10::BFloat16": "bf16", "c10::Half": "fp16", "c10::quint8": "int8", "c10::qint8": "int8", "signed char": "int8", "unsigned char": "int8"}  # fmt: skip


_EXTRA = "\0of each row"
"""The name under which labels, cotangents and losses travel beside inputs and outputs."""


class Options(PartOptions):
    """How PyTorch runs the module."""

    compiled: bool = Field(default=False, description="compile with torch.compile, for one row and for full batches")
    backend: str = Field(default="inductor", description="the backend of torch.compile")
    channels_last: bool = Field(
        default=False, description="keep images as NHWC in memory, which bf16 convolutions like"
    )
    device_time: bool = Field(
        default=False,
        description="on a GPU, time the model by events for the meter `device_time`; costs a little of each query",
    )


def import_framework() -> None:
    """Import what `open` needs, so that importing and loading can be timed apart."""
    import safetensors.torch  # noqa: F401
    import torch  # noqa: F401


def absent(device: str) -> str | None:
    """Why this device can't be used here, without loading PyTorch."""
    if device == "cpu":
        return None
    if device != "cuda":
        return f"PyTorch is used on cpu and cuda here, not on `{device}`"
    if reason := no_cuda():
        return reason
    if version("torch").endswith("+cpu"):
        return "this PyTorch was built without CUDA: pip install --force-reinstall torch (the build with CUDA)"
    return None


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session on `setting.device`. Runs the user's code. Raises `Unsupported` or `ModelError`."""
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(f"PyTorch is used in {', '.join(ACCEPTS['precision'])} here, not in {setting.precision}")
    if reason := absent(setting.device):
        raise Unsupported(reason)
    if options.compiled and options.backend == "inductor" and setting.device == "cpu":
        _need_compiler()
    return Session(artefact, setting, options)


class Session:
    """A module ready to answer."""

    def __init__(self, artefact: Artefact, setting: Setting, options: Options) -> None:
        import torch

        self._setting, self._options = setting, options
        self._device = torch.device(setting.device)
        program, sizes = built(artefact)
        fixed = artefact.signature.fixed_batch
        sizes = sizes or ((fixed,) if fixed else ())
        _settle(setting)
        self._module = _placed(program, self._device, options)
        self._pass = _passing(self._module, artefact)
        self._names = [output.name for output in artefact.signature.outputs]
        self._forward = _compile(self._module, options) if options.compiled else self._module
        self._graphs = _graphs()["graphs"] if options.compiled else 0
        if options.compiled:
            sizes = sizes or tuple(sorted({1, setting.batch}))
        self._sizes = sizes if not options.compiled else ((fixed,) if fixed else ())
        self._call: Callable[[dict[str, Any]], dict[str, Any]] = in_sizes(self._run, sizes) if sizes else self._run
        self._last: dict[str, Any] = {}
        timed = options.device_time and self._device.type == "cuda"
        self._clock = DeviceClock(lambda: torch.cuda.Event(enable_timing=True)) if timed else None

    def predict(self, values: Values) -> Values:
        """Answers by output name, in host memory. Raises `ModelError` naming what doesn't fit."""
        return self._call(values if type(values) is dict else dict(values))

    def facts(self) -> Facts:
        """The types of each heavy kernel, from a profile of the last query; for a compiled module, how many graphs."""
        if not self._last:
            raise ModelError("what really runs is known after the first answer")
        kernels, device = _profile(lambda: self._answers(self._last))
        precision = lowest(_TYPES.get(dtype, "unknown") for _, dtype in kernels)
        said = fell_back(self._setting.precision, precision, False, "PyTorch")
        details: dict[str, Any] = {"version": version("torch"), "operators": dict(Counter(map(" ".join, kernels)))}
        if self._options.compiled:
            details |= _graphs()
            details["graphs"] -= self._graphs
            if not details["graphs"]:
                said = "torch.compile found nothing to compile, so the module ran eagerly"
        return Facts(device or self._setting.device, precision, said, details)

    def gradient(self, values: Values, loss: Loss) -> Slope:
        """The gradient of the loss by each float input. A compiled module's is taken eagerly: the same sums."""
        if self._module is None:
            raise ModelError("the session is closed")
        extra = loss.cotangent if loss.kind == "cotangent" else loss.labels
        if extra is None:
            raise ModelError(f"`{loss.kind}` needs {'a cotangent' if loss.kind == 'cotangent' else 'labels'}")

        def sloped(given: dict[str, Any]) -> dict[str, Any]:
            return self._slope(given, loss)

        made = (in_sizes(sloped, self._sizes) if self._sizes else sloped)({**values, _EXTRA: np.asarray(extra)})
        parts: dict[str, dict[str, Any]] = {"gradient": {}, "answers": {}}
        for name, value in made.items():
            if name != _EXTRA:
                part, _, own = name.partition(" ")
                parts[part][own] = value
        return Slope(parts["gradient"], made[_EXTRA], parts["answers"])

    def _slope(self, given: dict[str, Any], loss: Loss) -> dict[str, Any]:
        """Loss, gradients and answers under one roof of names, so that rows can be filled up as those of a query."""
        import torch

        tensors = {name: self._tensor(value) for name, value in given.items()}
        extra = tensors.pop(_EXTRA)
        wanted = {name: one.requires_grad_() for name, one in tensors.items() if one.is_floating_point()}
        if not wanted:
            raise Unsupported("no input is a float, so there is no gradient by the inputs")
        try:
            with torch.enable_grad(), _precision(self._setting):
                positional, named = self._pass(dict(tensors))
                answers = named_outputs(self._module(*positional, **named), self._names)
            if loss.output not in answers:
                raise ModelError(f"there is no output `{loss.output}`, only {', '.join(answers)}")
            each = losses(answers[loss.output], loss, extra)
            slopes = torch.autograd.grad(each.sum(), list(wanted.values()), allow_unused=True)
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
            raise ModelError(f"PyTorch: {words(error)}", next_step="compare `inputs` of the study") from error
        found = {
            f"gradient {name}": _host(torch.zeros_like(one) if slope is None else slope)
            for (name, one), slope in zip(wanted.items(), slopes, strict=True)
        }
        found |= {f"answers {name}": _host(answer.detach()) for name, answer in answers.items()}
        return found | {_EXTRA: _host(each.detach())}

    def spent(self) -> dict[str, float]:
        """Mean seconds that the GPU worked for a query since this was last asked; nothing where that isn't timed."""
        return self._clock.spent() if self._clock else {}

    def close(self) -> None:
        """Give the module back; a second time does nothing."""
        if self._options.compiled and self._forward is not None:
            import torch

            torch.compiler.reset()
        self._module = self._forward = None
        self._last = {}

    def _run(self, values: dict[str, Any]) -> dict[str, Any]:
        if self._forward is None:
            raise ModelError("the session is closed")
        self._last = values
        answers = {name: _host(answer) for name, answer in self._answers(values).items()}
        if self._clock:
            self._clock.note()  # the answers are here, so that the events have passed
        return answers

    def _answers(self, values: dict[str, Any]) -> dict[str, Any]:
        import torch

        with torch.inference_mode(), _precision(self._setting):
            try:
                positional, named = self._pass({name: self._tensor(value) for name, value in values.items()})
                with self._clock or contextlib.nullcontext():
                    answer = self._forward(*positional, **named)
            except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
                raise ModelError(f"PyTorch: {words(error)}", next_step="compare `inputs` of the study") from error
        return named_outputs(answer, self._names)

    def _tensor(self, value: Any) -> Any:
        import torch

        tensor = torch.from_numpy(value if value.flags.writeable else value.copy()).to(self._device)
        if self._options.channels_last and tensor.ndim == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor


class DeviceClock:
    """What a GPU works for each query: the time between two events in its stream. `event` makes one."""

    def __init__(self, event: Callable[[], Any]) -> None:
        self._first, self._last = event(), event()
        self._seconds, self._queries = 0.0, 0

    def __enter__(self) -> None:
        self._first.record()

    def __exit__(self, *error: object) -> None:
        self._last.record()

    def note(self) -> None:
        """Count the query that has just been answered."""
        self._seconds += self._first.elapsed_time(self._last) / 1e3
        self._queries += 1

    def spent(self) -> dict[str, float]:
        """Mean seconds a query since this was last asked."""
        seconds, queries = self._seconds, self._queries
        self._seconds, self._queries = 0.0, 0
        return {"device": seconds / queries} if queries else {}


def named_outputs(answer: Any, names: list[str]) -> dict[str, Any]:
    """What a module returned by name: the stated names in order, a dictionary's own, or `output`, `output_0`, `output_1`, ...

    Raises `ModelError` where the stated names don't fit.
    """
    if isinstance(answer, Mapping):
        found = dict(answer)
        if lost := [name for name in names if name not in found]:
            raise ModelError(f"the module gives {', '.join(map(str, found))}, not {', '.join(lost)}")
        return {name: found[name] for name in names or found}
    answers = list(answer) if isinstance(answer, tuple | list) else [answer]
    if not names:
        names = ["output"] if len(answers) == 1 else [f"output_{index}" for index in range(len(answers))]
    if len(names) > len(answers):
        raise ModelError(f"the module gives {len(answers)} outputs, not {len(names)} ({', '.join(names)})")
    return dict(zip(names, answers, strict=False))


def _settle(setting: Setting) -> None:
    """Threads and the meaning of fp32, after the user's code ran, which may have set them."""
    import torch

    torch.set_num_threads(setting.threads)
    with contextlib.suppress(RuntimeError):  # it can be set once in a process, before the first use
        torch.set_num_interop_threads(1)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # a pool of compilers would disturb other workers
    warnings.filterwarnings("ignore", module=r"torch\._(inductor|dynamo)")


def _placed(module: Any, device: Any, options: Options) -> Any:
    import torch

    module = module.to(device)
    return module.to(memory_format=torch.channels_last) if options.channels_last else module


def _passing(module: Any, artefact: Artefact) -> Callable[[dict[str, Any]], tuple[list[Any], dict[str, Any]]]:
    """How inputs reach `forward`: by name where its parameters have all the names, else in the order of the signature."""
    order = [spec.name for spec in artefact.signature.inputs]
    parameters = list(inspect.signature(module.forward).parameters)

    def passed(values: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        if order and set(values) != set(order):
            raise ModelError(f"the model takes the inputs {', '.join(order)}, not {', '.join(values)}")
        known = [name for name in parameters if name in values]
        if len(known) < len(values):
            return [values[name] for name in order or values], {}
        if known == parameters[: len(known)]:
            return [values[name] for name in known], {}
        return [], values

    return passed


def _compile(module: Any, options: Options) -> Any:
    """One graph for each number of rows: two at most, because other numbers are filled up."""
    import torch
    import torch._dynamo

    torch._dynamo.config.fail_on_recompile_limit_hit = True  # rather than going on eagerly without a word
    try:
        return torch.compile(module, backend=options.backend, dynamic=False)
    except Exception as error:
        raise Unsupported(f"torch.compile: {words(error)}") from error


def _need_compiler() -> None:
    names = [os.environ["CXX"]] if "CXX" in os.environ else ["g++", "clang++", "c++"]
    if not any(map(shutil.which, names)):
        raise Unsupported(
            "torch.compile on a CPU needs a C++ compiler, and there is none here",
            next_step="install g++ (apt-get install g++), or leave `compiled` out",
        )


def _precision(setting: Setting) -> Any:
    import torch

    if setting.precision == "fp32":
        return contextlib.nullcontext()
    dtype = torch.bfloat16 if setting.precision == "bf16" else torch.float16
    return torch.autocast(setting.device, dtype)


def _host(tensor: Any) -> Any:
    """A NumPy array in host memory (waits for the device); reduced floats become float32."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise ModelError(f"the module gives a {type(tensor).__name__} where a tensor is wanted")
    reduced = tensor.dtype in (torch.bfloat16, torch.float16)
    return np.asarray((tensor.float() if reduced else tensor).cpu())


def _profile(query: Callable[[], Any]) -> tuple[list[tuple[str, str]], str]:
    """(kernel, type of its first input) of each heavy kernel of one query, and the device of the answer."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        answers = query()
    events = seen.profiler.kineto_results.events()
    kernels = [
        (event.name(), event.dtypes()[0]) for event in events if event.dtypes() and _HEAVY.fullmatch(event.name())
    ]
    return kernels, next((answer.device.type for answer in answers.values()), "")


def _graphs() -> dict[str, Any]:
    """How many graphs torch.compile made in this process, and where it broke off."""
    from torch._dynamo.utils import counters

    return {"graphs": counters["stats"]["unique_graphs"], "graph_breaks": dict(counters["graph_break"])}
