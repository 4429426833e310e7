"""The torch module trained on the worst inputs near to its training rows, so that small changes on purpose fool it less.

`madry` learns the worst inputs alone: min E[max L(x + d, y)] over ||d|| <= budget (Madry et al. 2018, "Towards deep learning models
resistant to adversarial attacks"). `trades` learns clean rows and that answers nearby are the same: min E[CE(f(x), y) + beta max
KL(f(x) || f(x + d))] (Zhang et al. 2019, "Theoretically principled trade-off between robustness and accuracy"). Budgets are shares of
each feature's range, the same that `measure.security` counts by. It costs accuracy on clean rows and training time; answering takes as long
as before. How much it helps, attacks on the very candidate say.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.attack import Norm
from seatrial.contracts.protocols import Making
from seatrial.parts.variants import _hardened, _student

NEEDS = ("torch", "safetensors", "onnxscript")
EXTRA = "torch"
ACCEPTS = {"format": ("torch",), "rows": ("train",), "ranges": ("study",)}
GIVES = {"format": ("torch", "onnx")}
CANNOT = {
    "onnx": ("not yet ours", "a torch module's code is trained; give the model's torch form"),
    "ranges that nobody stated": (
        "not yet ours",
        "a column's range is then that among the training rows, while attacks go by the evaluation rows; pictures run from black to white in both",
    ),
    "whole numbers": ("not yet ours", "whole numbers and groups of 0 and 1 are changed by fractions while it learns"),
    "other tasks": ("not yet ours", "one class a row; no regression, several labels or text"),
    "gpu": ("not yet ours", "it is trained on the processor"),
}
VERSION = 1
NUDGE = 1e-3
"""Standard deviation of the change that `trades` begins with, in points, as in the authors' code."""


class Options(_hardened.Options):
    """How far inputs are changed, by what it learns, and how."""

    linf: float | None = Field(
        default=None, gt=0, le=1, description="how far every feature is changed; 0.03 unless `l2` is said"
    )
    l2: float | None = Field(default=None, gt=0, description="how far all features together are changed, instead")
    steps: int = Field(
        default=7, ge=1, description="steps to the worst input, of each batch, each a pass there and back"
    )
    loss: Literal["madry", "trades"] = Field(
        default="madry", description="the worst inputs alone, or clean rows and that nothing changes nearby"
    )
    beta: float = Field(default=6.0, gt=0, description="of `trades`: weight of staying the same nearby")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.linf is not None and self.l2 is not None:
            raise ValueError("say `linf` or `l2`, not both")
        return self

    @property
    def norm(self) -> Norm:
        """By which norm changes are bounded."""
        return "linf" if self.l2 is None else "l2"

    @property
    def budget(self) -> float:
        """How far."""
        return self.l2 if self.l2 is not None else 0.03 if self.linf is None else self.linf


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The trained model. Raises `Unsupported` without rows to train with, ranges, classes, or a module's code."""
    pupil = _hardened.pupil("adversarially_trained", artefact, making, options)
    worst = _hardened.Worst(
        pupil.module, pupil.points, options.norm, options.budget, options.steps, _precision(options)
    )
    lesson = _trades if options.loss == "trades" else _madry
    change, loss = lesson(pupil.module, worst, pupil.logits, options)
    return pupil.taught(options, change, loss, norm=options.norm, budget=options.budget)


Lessons = tuple[_hardened.Change, _hardened.Loss]


def _madry(module: Any, worst: _hardened.Worst, logits: Callable[[Any], Any], options: Options) -> Lessons:
    """Worst inputs by the cross entropy, and the cross entropy there."""
    from torch.nn import functional

    def change(inputs: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[Any, ...]:
        def each(answer: Any) -> Any:
            return functional.cross_entropy(logits(answer), given["labels"], reduction="none")

        return worst.near(inputs, each, worst.drawn(inputs))

    return change, lambda answer, given: functional.cross_entropy(logits(answer), given["labels"])


def _trades(module: Any, worst: _hardened.Worst, logits: Callable[[Any], Any], options: Options) -> Lessons:
    """The batch and, after it, the inputs nearby whose answers differ most; what is lost on the one and between the two."""
    import torch
    from torch.nn import functional

    def apart(clean: Any, near: Any) -> Any:
        """KL(clean || near) of each row."""
        log_clean, log_near = functional.log_softmax(clean, dim=1), functional.log_softmax(near, dim=1)
        return (log_clean.exp() * (log_clean - log_near)).sum(dim=1)

    def change(inputs: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[Any, ...]:
        was = module.training
        with torch.no_grad():
            clean = logits(_student.first(module.eval()(*inputs)))
        module.train(was)
        begun = NUDGE * torch.randn_like(worst.drawn(inputs))
        near = worst.near(inputs, lambda answer: apart(clean, logits(answer)), begun)
        return tuple(torch.cat([one, other]) for one, other in zip(inputs, near, strict=True))

    def loss(answer: Any, given: Mapping[str, Any]) -> Any:
        clean, near = logits(answer).chunk(2)
        return functional.cross_entropy(clean, given["labels"]) + options.beta * apart(clean, near).mean()

    return change, loss


def _precision(options: Options) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """The precision in which the worst inputs are looked for: the one that it learns in."""
    import torch

    return lambda: torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16")
