"""The torch module trained so that no single training row shows in it by more than a stated amount (differential privacy, DP-SGD).

Each row's gradient is cut to the length `clip`, normal noise is added to their sum, and each step draws its rows by chance; how much noise
`epsilon` needs at `delta` is worked out by Opacus' accountant and checked by a bound of our own. (epsilon, delta): whatever one row is, any
outcome is at most e^epsilon times as likely with it as without, but for a chance of delta. It costs accuracy, the more the fewer rows there are.
The guarantee holds for rows, not for people with several rows; it is lost where the noise becomes known. Abadi et al. (2016), "Deep
learning with differential privacy".
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.errors import PartError, Unsupported
from seatrial.numerics import privacy
from seatrial.parts.variants import _losses, _student

NEEDS = ("torch", "safetensors", "onnxscript", "opacus")
EXTRA = "private"
ACCEPTS = {"format": ("torch",), "rows": ("train",)}
GIVES = {"format": ("torch", "onnx"), "chance": ("secret",)}
CANNOT = {
    "onnx": ("not yet ours", "a torch module's code is trained; give the model's torch form"),
    "batch normalisation": ("never", "it mixes rows, so that a row's part can't be told; use group or layer normalisation"),
    "people": ("not yet ours", "the guarantee is for a row; of somebody with k rows it is k times epsilon, and more of delta"),
    "secret numbers": ("not yet ours", "noise comes from torch's generator, begun with 64 bits from the system; it isn't a cryptographic one"),
    "the number of rows": ("never", "how many rows there were is told, and taken as known"),
    "the choice of options": ("not yet ours", "trying several options on the same rows costs privacy that isn't counted"),
    "gpu": ("not yet ours", "it is trained on the processor"),
}  # fmt: skip
VERSION = 2
LEAST_ROWS = 20


class Options(_student.LearningOptions):
    """What is promised, and how it is trained."""

    epsilon: float = Field(default=8.0, gt=0, description="what is promised at most; smaller is more private")
    delta: float | None = Field(
        default=None, gt=0, lt=1, description="the chance that the promise fails; 1 over ten times the rows if left out"
    )
    clip: float = Field(default=1.0, gt=0, description="the length that each row's gradient is cut to")
    start: Literal["anew", "weights"] = Field(
        default="anew",
        description="new weights; or the model's, which is private only if they were never trained on these rows",
    )
    epochs: int = Field(default=30, ge=1, description="passes through the rows to train with, on average")
    learning_rate: float = Field(default=1e-2, gt=0, description="largest step of AdamW; it rises first and falls by a cosine")  # fmt: skip


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The trained model; what is promised stands in its lineage under `privacy`. Noise is secret, so that it can't be made twice.

    Raises `Unsupported` without rows or labels, or where layers mix rows; `PartError` where the two accountants don't agree.
    """
    import torch

    train = _student.training("private_training", making)
    if train.labels is None:
        raise Unsupported("private_training needs rows with the role `train` and labels", next_step="name the column: `label`")  # fmt: skip
    inputs = _student.tensors(artefact, train.inputs)
    rows = len(inputs[0])
    if rows < LEAST_ROWS:
        raise Unsupported(f"private_training: {rows} rows are too few to hide one of them", next_step="give more rows the role `train`")  # fmt: skip
    generator = torch.Generator().manual_seed(secrets.randbits(63))
    code = _student.of_teacher(artefact)
    torch.manual_seed(making.seed)
    module = _student.built(code)
    if options.start == "weights":
        module = _student.with_weights(module, artefact)
    promised = accounted(rows, options)
    lesson = _student.labelled(inputs, train.labels)
    learn(module, lesson, promised, options, generator, _losses.label_loss(_losses.means_of(making)))
    found = {
        "parameters": _student.parameters(module),
        "rows": rows,
        "privacy": promised,
    }
    return _student.kept("private_training", module, code, artefact, making, options, found, inputs)


def accounted(rows: int, options: Options) -> dict[str, Any]:
    """The noise that keeps the promise over all steps, what it comes to, and the second accountant's bound."""
    share = min(1.0, options.batch / rows)
    steps = max(1, round(options.epochs / share))
    delta = options.delta or 1 / (10 * rows)
    noise = privacy.noise(options.epsilon, share, steps, delta)
    told = _opacus(noise, share, steps, delta)
    closer = privacy.noise(options.epsilon**2 / told, share, steps, delta) if told > 0 else noise
    nearer = _opacus(closer, share, steps, delta)
    if told < nearer <= options.epsilon:  # the second bound is looser than Opacus', so that less noise will do
        noise, told = closer, nearer
    checked = privacy.epsilon(share, noise, steps, delta)
    if not 0 < told <= min(options.epsilon, checked) * 1.01:
        raise PartError(
            f"private_training: Opacus' accountant says epsilon {told:.4g}, asked are {options.epsilon:g}, and the bound by Renyi divergence is {checked:.4g}",
            next_step="take another `epsilon`, `batch` or `epochs`",
        )
    return {
        "epsilon": round(told, 6),
        "delta": delta,
        "noise": noise,
        "clip": options.clip,
        "share": share,
        "steps": steps,
        "checked": round(checked, 6),
        "start": options.start,
    }


def _opacus(noise: float, share: float, steps: int, delta: float) -> float:
    """Epsilon by Opacus' accountant of privacy loss random variables (Gopi, Lee & Wutschitz 2021)."""
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    accountant.history = [(noise, share, steps)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(accountant.get_epsilon(delta=delta))


def learn(
    module: Any,
    lesson: _student.Lesson,
    promised: Mapping[str, Any],
    options: Options,
    generator: Any,
    loss_of: _losses.Loss,
) -> None:
    """Train in place by private steps. Losses are told to nobody: they are of the rows themselves, without noise."""
    import torch
    from opacus import GradSampleModule
    from opacus.optimizers import DPOptimizer
    from opacus.validators import ModuleValidator

    if wrong := ModuleValidator.validate(module.train(), strict=False):
        raise Unsupported(f"private_training: {str(wrong[0]).splitlines()[0]}", next_step="use layers that keep rows apart, such as GroupNorm")  # fmt: skip
    torch.set_num_threads(options.threads)
    sampled = GradSampleModule(module)
    plain = torch.optim.AdamW(module.parameters(), options.learning_rate, weight_decay=options.weight_decay)
    rows, steps = len(lesson.inputs[0]), promised["steps"]
    private = DPOptimizer(
        plain,
        noise_multiplier=promised["noise"],
        max_grad_norm=promised["clip"],
        expected_batch_size=max(1, round(promised["share"] * rows)),
        generator=generator,
    )
    plan = torch.optim.lr_scheduler.LambdaLR(plain, lambda step: _student.height(step, steps))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(steps):
            private.zero_grad()
            chosen = torch.nonzero(torch.rand(rows, generator=generator) < promised["share"])[:, 0]
            if len(chosen):
                answer = _student.first(sampled(*(one[chosen] for one in lesson.inputs)))
                loss = loss_of(answer, {name: one[chosen] for name, one in lesson.targets.items()})
                loss.backward()
            else:  # nobody was drawn: the noise is added all the same
                for one in private.params:
                    one.grad_sample = torch.zeros(0, *one.shape)
            private.step()
            plan.step()
    sampled.to_standard_module()
    module.eval()
    if not all(bool(torch.isfinite(one).all()) for one in module.parameters()):
        raise PartError("the weights are no numbers any more", next_step="take a smaller `learning_rate`")
