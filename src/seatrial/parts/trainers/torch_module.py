"""A PyTorch module trained on the study's rows: your function that builds it, a loss and an optimiser.

Each pass goes through the rows with the role `train` in an order drawn from the seed, the same for every way to train with the same
batch; rows that fill no whole batch are left out. After each pass it tells its quality on the rows that judge: `accuracy` and
`loss`, or `rmse` and `loss`. Weights are fp32 throughout; bf16 is autocast around the forward pass and the loss. With several workers
each takes its share of every batch and gradients are averaged (DistributedDataParallel, gloo; nccl on GPUs).
"""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from seatrial.contracts.part import PartOptions
from seatrial.contracts.training import ASIDE, Job, Several
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.trainers import _several
from seatrial.parts.trainers._code import check_name, file_of, imported

NEEDS = ("torch",)
EXTRA = "torch"
ACCEPTS = {"device": ("cpu", "cuda"), "precision": ("fp32", "bf16")}
GIVES = {"models": ("one", "several")}
CANNOT = {
    "cuda": ("not run here", "written by its documentation; no NVIDIA GPU was at hand"),
    "nccl": ("not run here", "several workers on GPUs meet by nccl; only gloo on processors was tried"),
    "fp16": ("not yet ours", "fp16 needs its loss scaled, which is not built; bf16 has the range of fp32"),
    "several machines": ("not yet ours", "workers meet through a file of this machine"),
    "ragged inputs": ("not yet ours", "rows have one shape; name the padding under `pad` and its waste is counted"),
    "batch normalisation over workers": ("not yet ours", "each worker normalises by its own share of the batch"),
}
EVALUATED = 1024
"""Rows in one call when quality is told."""


class Options(PartOptions):
    """What is trained, towards what, and how."""

    module: str = Field(description="the function that builds the module: `net.py:net`")
    arguments: dict[str, Any] = Field(default={}, description="keyword arguments of the function")
    loss: Literal["cross_entropy", "mse", "binary_cross_entropy"] = Field(
        default="cross_entropy", description="what is minimised; the module gives logits, or values for `mse`"
    )
    optimiser: Literal["sgd", "adam", "adamw"] = Field(default="sgd", description="what moves the weights")
    learning_rate: float = Field(default=0.01, gt=0, description="how far one step goes")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="of `sgd`")
    weight_decay: float = Field(default=0.0, ge=0, description="pull of weights towards 0")
    compiled: bool = Field(default=False, description="compile with torch.compile; the first step then costs seconds")
    backend: str = Field(default="inductor", description="the backend of torch.compile")
    channels_last: bool = Field(default=False, description="keep images as NHWC in memory")
    pad: int | None = Field(default=None, description="the number that fills up rows of tokens: counted as waste")

    _named = field_validator("module")(check_name)


def absent(device: str) -> str | None:
    """Why this device can't be used here, without loading PyTorch."""
    if device == "cpu" or Path("/dev/nvidiactl").exists():
        return None
    return "there is no NVIDIA GPU on this machine"


def files(options: Options, folder: Path) -> dict[str, str]:
    """The file of the module's function with its SHA-256. Raises `ModelError`. Runs nothing of the user's."""
    return file_of(options.module, folder)


def train(job: Job, options: Options) -> Iterator[Mapping[str, Any]]:
    """Step after step, and the quality after each pass. Raises `Unsupported`, or `ModelError` naming what doesn't fit."""
    import torch  # noqa: F401 - here, so that it is no part of the training's time

    return _steps(job, options)


def several(job: Job, options: Options, inside: Any) -> Several:
    """As many modules as `inside` (models x rows, bool) has lines, each trained on its own rows of the job, and their answers to all.

    Each begins with weights of its own seed. In fp32 on the processor. Raises as `train` does.
    """
    import torch

    torch.set_num_threads(job.threads)
    _share(job)
    modules = []
    for number in range(len(inside)):
        torch.manual_seed(job.seed + number)
        modules.append(_built(job, options))
    inputs = {name: torch.from_numpy(value.copy()) for name, value in job.inputs.items()}
    names = _parameters(modules[0], list(inputs))
    recipe = _several.Recipe(
        lambda parameters: _optimiser(parameters, options),
        lambda answers, labels: _lost(answers, labels, options),
        lambda module, given: _first(module(*given.values()) if names is None else module(**given)),
    )
    return _several.trained(modules, job, inside, inputs, _labels(job.labels, options), recipe)


def _steps(job: Job, options: Options) -> Iterator[Mapping[str, Any]]:
    trained = _Trained(job, options)
    yield {}
    for _ in range(job.epochs):
        for inputs, labels in job.waiting(trained.batches()):
            yield trained.step(inputs, labels)
        yield trained.quality()


class _Trained:
    """A module under training with its rows."""

    def __init__(self, job: Job, options: Options) -> None:
        import torch

        self._job, self._options = job, options
        if options.compiled and options.backend == "inductor" and job.device == "cpu":
            _need_compiler()
        torch.set_num_threads(job.threads)
        torch.set_float32_matmul_precision("highest")
        self._device = torch.device(_device(job))
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)
        self._share = _share(job)
        torch.manual_seed(job.seed)
        module = _built(job, options).to(self._device)
        if options.channels_last:
            module = module.to(memory_format=torch.channels_last)
        self._plain, self._names = module, _parameters(module, list(job.inputs))
        self._optimiser = _optimiser(list(module.parameters()), options)
        self._forward = _ready(module, job, options, self._device.index)
        self._order = torch.Generator().manual_seed(job.seed)
        torch.manual_seed(job.seed + job.rank)  # what drops out differs between workers, what was built doesn't
        self._inputs = {name: self._tensor(value) for name, value in job.inputs.items()}
        self._labels = _labels(job.labels, options)

    def batches(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """This worker's share of each whole batch of one pass, on the device."""
        import torch

        rows, (first, last) = len(self._labels), self._share
        order = torch.randperm(rows, generator=self._order)
        for start in range(0, rows - self._job.batch + 1, self._job.batch):
            chosen = order[start + first : start + last]
            yield (
                {name: self._placed(value[chosen]) for name, value in self._inputs.items()},
                self._labels[chosen].to(self._device),
            )

    def step(self, inputs: dict[str, Any], labels: Any) -> dict[str, Any]:
        """Forward, backward, one step of the optimiser; reading the loss waits for the device."""
        self._plain.train()
        self._optimiser.zero_grad(set_to_none=True)
        with self._precision():
            loss = self._loss(self._answer(self._forward, inputs), labels)
        loss.backward()
        self._optimiser.step()
        return {"loss": loss.item(), "rows": len(labels)} | self._padding(inputs)

    def quality(self) -> dict[str, float]:
        """Accuracy or root mean square error, and the loss, on the rows that judge and those aside; told by the first worker alone."""
        if self._job.rank:
            return {}
        aside = self._quality_on(self._job.aside_inputs, self._job.aside_labels)
        told = self._quality_on(self._job.judge_inputs, self._job.judge_labels)
        return told | {ASIDE + name: value for name, value in aside.items()}

    def _quality_on(self, values: Values, truth: Any) -> dict[str, float]:
        import torch

        labels = _labels(truth, self._options)
        if labels is None:
            return {}
        self._plain.eval()
        inputs = {name: self._tensor(value) for name, value in values.items()}
        with torch.no_grad(), self._precision():
            pieces = [
                self._answer(
                    self._plain,
                    {name: self._placed(value[start : start + EVALUATED]) for name, value in inputs.items()},
                )
                for start in range(0, len(labels), EVALUATED)
            ]
            answers = torch.cat([piece.float().cpu() for piece in pieces])
            loss = self._loss(answers, labels).item()
        return _told(answers, labels, self._options.loss) | {"loss": loss}

    def _answer(self, module: Any, inputs: dict[str, Any]) -> Any:
        return _first(module(*inputs.values()) if self._names is None else module(**inputs))

    def _loss(self, answers: Any, labels: Any) -> Any:
        return _lost(answers, labels, self._options)

    def _precision(self) -> Any:
        import torch

        if self._job.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def _padding(self, inputs: dict[str, Any]) -> dict[str, int]:
        if self._options.pad is None:
            return {}
        whole = [value for value in inputs.values() if not value.is_floating_point()]
        filled = sum(int((value == self._options.pad).sum()) for value in whole)
        padded = sum(value.numel() for value in whole)
        return {"tokens": padded - filled, "padded": padded}

    def _placed(self, tensor: Any) -> Any:
        import torch

        placed = tensor.to(self._device)
        if self._options.channels_last and placed.ndim == 4:
            return placed.contiguous(memory_format=torch.channels_last)
        return placed

    def _tensor(self, value: Any) -> Any:
        import torch

        return torch.from_numpy(value if value.flags.writeable else value.copy())


def _device(job: Job) -> str:
    """Where this worker trains: several on GPUs have one each, from the one that is named on. Raises `Unsupported`."""
    kind, _, named = job.device.partition(":")
    if kind != "cuda" or job.workers == 1:
        return job.device
    import torch

    first, there = int(named or 0), torch.cuda.device_count()
    if first + job.workers > there:
        raise Unsupported(
            f"{job.workers} workers want a GPU each, from number {first} on, and this machine has {there}",
            next_step="ask for fewer `workers`",
        )
    return f"cuda:{first + job.rank}"


def _built(job: Job, options: Options) -> Any:
    import torch

    built = imported(options.module, job.folder)(**options.arguments)
    if not isinstance(built, torch.nn.Module):
        raise ModelError(f"`{options.module}` returned a {type(built).__name__}, not a torch.nn.Module")
    return built


def _first(answer: Any) -> Any:
    """The first output of a module that may have several."""
    if isinstance(answer, Mapping):
        answer = next(iter(answer.values()))
    return answer[0] if isinstance(answer, tuple | list) else answer


def _lost(answers: Any, labels: Any, options: Options) -> Any:
    from torch.nn import functional

    if options.loss == "cross_entropy":
        return functional.cross_entropy(answers, labels)
    measured = functional.mse_loss if options.loss == "mse" else functional.binary_cross_entropy_with_logits
    return measured(answers.reshape(labels.shape), labels)


def _share(job: Job) -> tuple[int, int]:
    """From which to which row of every batch is this worker's. Raises where rows are lacking or can't be shared evenly."""
    if job.labels is None or not job.inputs:
        raise ModelError(
            "there are no rows to train with",
            next_step="name a `model` under `training`, and give a data set with labels `roles: train`, or draw some for it",
        )
    if job.batch % job.workers:
        raise Unsupported(f"{job.workers} workers can't share a batch of {job.batch} rows evenly")
    if len(job.labels) < job.batch:
        raise ModelError(f"there are {len(job.labels)} rows to train with, fewer than a batch of {job.batch}")
    own = job.batch // job.workers
    return own * job.rank, own * (job.rank + 1)


def _labels(labels: Any, options: Options) -> Any:
    import numpy as np
    import torch

    if labels is None:
        return None
    kind = np.int64 if options.loss == "cross_entropy" else np.float32
    return torch.from_numpy(np.array(labels, kind))


def _parameters(module: Any, names: list[str]) -> list[str] | None:
    """The inputs by name, where `forward` has parameters of all these names; None: in their order."""
    known = list(inspect.signature(module.forward).parameters)
    return names if len(names) > 1 and set(names) <= set(known) else None


def _optimiser(parameters: list[Any], options: Options) -> Any:
    import torch

    if options.optimiser == "sgd":
        return torch.optim.SGD(parameters, options.learning_rate, options.momentum, weight_decay=options.weight_decay)
    kind = torch.optim.Adam if options.optimiser == "adam" else torch.optim.AdamW
    return kind(parameters, options.learning_rate, weight_decay=options.weight_decay)


def _ready(module: Any, job: Job, options: Options, gpu: int | None = None) -> Any:
    """The module shared among workers and compiled, where that is asked for; `gpu` is the number of its own, if it has one."""
    import torch

    if job.workers > 1:
        _meet(job)
        module = torch.nn.parallel.DistributedDataParallel(module, device_ids=None if gpu is None else [gpu])
    if not options.compiled:
        return module
    import torch._dynamo

    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # a pool of compilers would disturb other workers
    warnings.filterwarnings("ignore", module=r"torch\._(inductor|dynamo)")
    return torch.compile(module, backend=options.backend, dynamic=False)


def _meet(job: Job) -> None:
    import torch.distributed as gang

    if not gang.is_available():
        raise Unsupported("this PyTorch was built without torch.distributed")
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the workers of one machine need no network
    backend = "gloo" if job.device == "cpu" else "nccl"
    gang.init_process_group(backend, init_method=job.meeting, rank=job.rank, world_size=job.workers)


def _need_compiler() -> None:
    names = [os.environ["CXX"]] if "CXX" in os.environ else ["g++", "clang++", "c++"]
    if not any(map(shutil.which, names)):
        raise Unsupported(
            "torch.compile on a CPU needs a C++ compiler, and there is none here",
            next_step="install g++ (apt-get install g++), or leave `compiled` out",
        )


def _told(answers: Any, labels: Any, loss: str) -> dict[str, float]:
    if loss == "cross_entropy":
        return {"accuracy": (answers.argmax(1) == labels).double().mean().item()}
    if loss == "mse":
        return {"rmse": (answers.reshape(labels.shape) - labels).square().mean().sqrt().item()}
    return {}
