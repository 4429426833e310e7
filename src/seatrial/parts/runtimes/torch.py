"""PyTorch: runs a module eagerly or compiled, on the CPU or an NVIDIA GPU, in fp32 or under autocast to bf16 or fp16.

bf16 is autocast, as most people use it: matrix products and convolutions in bf16, what needs range in fp32, answers given as
float32. What really ran is read from a profile of one query: the types of each heavy kernel.
"""

from __future__ import annotations

import contextlib
import inspect
import os
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
from seatrial.parts.runtimes._slopes import BESIDE, sloped, wanted
from seatrial.parts.runtimes._torch_cuda import Accelerator, Graphed
from seatrial.parts.runtimes._torch_gradient import losses
from seatrial.parts.runtimes._torch_module import built, quantised, words
from seatrial.parts.runtimes._torch_profile import DeviceClock, graphs, profiled

NEEDS = ("torch", "safetensors")
EXTRA = "torch"
ACCEPTS = {"format": ("torch",), "device": ("cpu", "cuda"), "precision": ("fp32", "tf32", "bf16", "fp16")}
GIVES = {"gradient": ("yes",)}
CANNOT = {
    "cuda": ("not run here", "written by its documentation; no NVIDIA GPU was at hand"),
    "tf32": ("not run here", "on GPUs alone; fp32 means fp32, TF32 is switched off for it"),
    "cuda_graphs": ("not run here", "captured and replayed as PyTorch documents it; tried on a stand-in for a GPU"),
    "dynamic shapes": (
        "not yet ours",
        "a compiled module is compiled for one row and for full batches; others are filled up",
    ),
}
VERSION = 2


class Options(PartOptions):
    """How PyTorch runs the module."""

    compiled: bool = Field(default=False, description="compile with torch.compile, for one row and for full batches")
    backend: str = Field(default="inductor", description="the backend of torch.compile")
    channels_last: bool = Field(
        default=False, description="keep images as NHWC in memory, which bf16 convolutions like"
    )
    cuda_graphs: bool = Field(
        default=False, description="on a GPU, record the kernels of one row and of full batches once, and replay them"
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
    if device.partition(":")[0] != "cuda":
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
    if setting.device == "cpu":
        _fits_a_processor(setting, options)
    return Session(artefact, setting, options)


class Session:
    """A module ready to answer."""

    def __init__(self, artefact: Artefact, setting: Setting, options: Options) -> None:
        self._setting, self._options = setting, options
        self._accelerator = accelerator()
        self._device = self._accelerator.device(setting.device)
        program, sizes = built(artefact)
        fixed = artefact.signature.fixed_batch
        sizes = sizes or ((fixed,) if fixed else ())
        _settle(setting)
        self._module = _placed(program, self._device, options)
        self._pass = _passing(self._module, artefact)
        self._names = [output.name for output in artefact.signature.outputs]
        self._forward = self._prepared()
        self._graphs = graphs()["graphs"] if options.compiled else 0
        if options.compiled or options.cuda_graphs:
            sizes = sizes or tuple(sorted({1, setting.batch}))
        self._sizes = sizes if not options.compiled else ((fixed,) if fixed else ())
        self._call: Callable[[dict[str, Any]], dict[str, Any]] = in_sizes(self._run, sizes) if sizes else self._run
        self._last: dict[str, Any] = {}
        timed = options.device_time and setting.device != "cpu"
        self._clock = DeviceClock(self._accelerator.event) if timed else None

    def _prepared(self) -> Any:
        """What answers: the module itself, compiled, or recorded as a CUDA graph."""
        if self._options.compiled:
            return _compile(self._module, self._options)
        return Graphed(self._module, self._accelerator) if self._options.cuda_graphs else self._module

    def predict(self, values: Values) -> Values:
        """Answers by output name, in host memory. Raises `ModelError` naming what doesn't fit."""
        return self._call(values if type(values) is dict else dict(values))

    def facts(self) -> Facts:
        """The types of each heavy kernel, from a profile of the last query; for a compiled module, how many graphs."""
        if not self._last:
            raise ModelError("what really runs is known after the first answer")
        graphed = isinstance(
            self._forward, Graphed
        )  # a replay shows no operators: those that were recorded are the module's
        shown = self._module if graphed else None
        kernels, device = profiled(lambda: self._answers(self._last, shown), self._device.type == "cuda")
        precision = lowest(kind for _, kind in kernels)
        said = fell_back(self._setting.precision, precision, quantised(self._module), "PyTorch")
        details: dict[str, Any] = {"version": version("torch"), "operators": dict(Counter(map(" ".join, kernels)))}
        if self._options.compiled:
            details |= graphs()
            details["graphs"] -= self._graphs
            if not details["graphs"]:
                said = "torch.compile found nothing to compile, so the module ran eagerly"
        return Facts(device or self._setting.device, precision, said, details)

    def gradient(self, values: Values, loss: Loss) -> Slope:
        """The gradient of the loss by each float input. A compiled module's is taken eagerly: the same sums."""
        if self._module is None:
            raise ModelError("the session is closed")
        return sloped(values, loss, lambda given: self._slope(given, loss), self._sizes)

    def _slope(self, given: dict[str, Any], loss: Loss) -> dict[str, Any]:
        """Loss, gradients and answers under one roof of names, so that rows can be filled up as those of a query."""
        import torch

        tensors = {name: self._tensor(value) for name, value in given.items()}
        extra = tensors.pop(BESIDE)
        floats = {name: one.requires_grad_() for name, one in tensors.items() if one.is_floating_point()}
        if not floats:
            raise Unsupported("no input is a float, so there is no gradient by the inputs")
        try:
            with torch.enable_grad(), _precision(self._setting, self._options, self._device.type):
                positional, named = self._pass(dict(tensors))
                answers = named_outputs(self._module(*positional, **named), self._names)
            each = losses(wanted(loss, answers), loss, extra)
            slopes = torch.autograd.grad(each.sum(), list(floats.values()), allow_unused=True)
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
            raise ModelError(f"PyTorch: {words(error)}", next_step="compare `inputs` of the study") from error
        found = {
            f"gradient {name}": _host(torch.zeros_like(one) if slope is None else slope)
            for (name, one), slope in zip(floats.items(), slopes, strict=True)
        }
        found |= {f"answers {name}": _host(answer.detach()) for name, answer in answers.items()}
        return found | {BESIDE: _host(each.detach())}

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

    def _answers(self, values: dict[str, Any], forward: Any = None) -> dict[str, Any]:
        import torch

        with torch.inference_mode(), _precision(self._setting, self._options, self._device.type):
            try:
                positional, named = self._pass({name: self._tensor(value) for name, value in values.items()})
                with self._clock or contextlib.nullcontext():
                    answer = (forward or self._forward)(*positional, **named)
            except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
                raise ModelError(f"PyTorch: {words(error)}", next_step="compare `inputs` of the study") from error
        return named_outputs(answer, self._names)

    def _tensor(self, value: Any) -> Any:
        import torch

        tensor = torch.from_numpy(value if value.flags.writeable else value.copy()).to(self._device)
        if self._options.channels_last and tensor.ndim == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor


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


def accelerator() -> Accelerator:
    """What stands between a session and a GPU."""
    return Accelerator()


def _settle(setting: Setting) -> None:
    """Threads and the meaning of fp32, after the user's code ran, which may have set them."""
    import torch

    torch.set_num_threads(setting.threads)
    with contextlib.suppress(RuntimeError):  # it can be set once in a process, before the first use
        torch.set_num_interop_threads(1)
    tf32 = setting.precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
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
        mode = "reduce-overhead" if options.cuda_graphs else None  # inductor's own CUDA graphs
        return torch.compile(module, backend=options.backend, dynamic=False, mode=mode)
    except Exception as error:
        raise Unsupported(f"torch.compile: {words(error)}") from error


def _fits_a_processor(setting: Setting, options: Options) -> None:
    """Raises `Unsupported` for what needs a GPU, or a compiler that isn't there."""
    if setting.precision == "tf32":
        raise Unsupported("TF32 is arithmetic of NVIDIA GPUs, and this candidate runs on a processor")
    if options.cuda_graphs:
        raise Unsupported("CUDA graphs are recorded on a GPU, and this candidate runs on a processor")
    if not options.compiled or options.backend != "inductor":
        return
    names = [os.environ["CXX"]] if "CXX" in os.environ else ["g++", "clang++", "c++"]
    if not any(map(shutil.which, names)):
        raise Unsupported(
            "torch.compile on a CPU needs a C++ compiler, and there is none here",
            next_step="install g++ (apt-get install g++), or leave `compiled` out",
        )


def _precision(setting: Setting, options: Options, device: str) -> Any:
    import torch

    if setting.precision in ("fp32", "tf32"):
        return contextlib.nullcontext()
    dtype = torch.bfloat16 if setting.precision == "bf16" else torch.float16
    cached = not options.cuda_graphs  # a recorded graph must cast weights by itself, each time
    return torch.autocast(device, dtype, cache_enabled=cached)


def _host(tensor: Any) -> Any:
    """A NumPy array in host memory (waits for the device); reduced floats become float32."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise ModelError(f"the module gives a {type(tensor).__name__} where a tensor is wanted")
    reduced = tensor.dtype in (torch.bfloat16, torch.float16)
    return np.asarray((tensor.float() if reduced else tensor).detach().cpu())  # an answer may be a weight itself
