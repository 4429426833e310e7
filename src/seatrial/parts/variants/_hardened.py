"""What training on changed inputs shares: who learns and how, and worst inputs near to clean ones, looked for in points (shares of each feature's range)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.attack import Norm, Space
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.variants import _losses, _student
from seatrial.parts.variants._student import first

Tensors = tuple[Any, ...]
LEAST = 1e-12
"""Below this length a gradient has no direction."""


Change = Callable[[Tensors, Mapping[str, Any]], Tensors]
Loss = Callable[[Any, Mapping[str, Any]], Any]


class Options(_student.LearningOptions):
    """How it learns, and from where it begins."""

    start: Literal["weights", "anew"] = Field(
        default="weights", description="whether it goes on from the model's weights, or begins with new ones"
    )


class Pupil(NamedTuple):
    """The module that learns, its inputs, what can be changed in them, and its answers as logits."""

    name: str
    artefact: Artefact
    making: Making
    code: Any
    module: Any
    inputs: Tensors
    points: Points
    logits: Callable[[Any], Any]

    def taught(self, options: Options, change: Change, loss: Loss, **more: Any) -> Artefact:
        """What comes of learning from changed batches; `more` is kept beside what is found of every such training."""
        assert self.making.train is not None
        lesson = _student.labelled(self.inputs, self.making.train.labels)
        begun, ended = _student.learn(self.module, lesson, loss, options, self.making.seed, change=change)
        found = {
            "parameters": _student.parameters(self.module),
            "loss": [round(begun, 6), round(ended, 6)],
            "rows": len(self.inputs[0]),
        } | more
        return _student.kept(self.name, self.module, self.code, self.artefact, self.making, options, found, self.inputs)


def pupil(name: str, artefact: Artefact, making: Making, options: Options) -> Pupil:
    """Who learns. Raises `Unsupported` without rows to train with, ranges, classes, or a module's code."""
    import torch

    train = _student.training(name, making)
    space = checked(name, artefact, making)
    inputs = _student.tensors(artefact, train.inputs)
    code = _student.of_teacher(artefact)
    torch.manual_seed(making.seed)
    module = _student.built(code)
    if options.start == "weights":
        module = _student.with_weights(module, artefact)
    return Pupil(name, artefact, making, code, module, inputs, Points(artefact, space, inputs), logits_of(making))


def checked(name: str, artefact: Artefact, making: Making) -> Space:
    """The room that budgets are counted in. Raises `Unsupported` where there is none, or no one class a row to be right about."""
    if making.space is None:
        raise Unsupported(
            f"{name} needs the ranges of the inputs, and was given none",
            next_step="run it in a study, or hand `Making` a `space`",
        )
    if len(artefact.signature.outputs) > 1:
        raise Unsupported(f"{name}: a model with several outputs can't be trained so yet")
    labels = making.train.labels if making.train else None
    if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise Unsupported(f"{name} needs rows with the role `train` that have one class each", next_step="name the column of classes: `label`")  # fmt: skip
    return making.space


def logits_of(making: Making) -> Callable[[Any], Any]:
    """A function that makes logits of a module's answer, by what the answer means."""
    means = _losses.means_of(making)
    return lambda answer: _losses.as_logits(answer, means)


class Points:
    """Changes of a batch's inputs, all that can change laid end to end: rows x features."""

    def __init__(self, artefact: Artefact, space: Space, inputs: Tensors) -> None:
        import torch

        names = [spec.name for spec in artefact.signature.inputs]
        self._places = [at for at, name in enumerate(names) if name in space.low]
        if not self._places:
            raise Unsupported("no input is of fractions (float32), so there is nothing that can be changed a little")
        self._shapes = [inputs[at].shape[1:] for at in self._places]
        self._sizes = [int(shape.numel()) for shape in self._shapes]

        def flat(of: Mapping[str, Any]) -> Any:
            parts = [
                torch.as_tensor(of[names[at]], dtype=torch.float32).expand(shape).reshape(-1)
                for at, shape in zip(self._places, self._shapes, strict=True)
            ]
            return torch.cat(parts)

        self._low, self.span = flat(space.low), flat(space.span)
        self.free = flat(space.free) * (self.span > 0)

    def of(self, inputs: Tensors) -> Any:
        """The batch as points."""
        raw = self._laid(inputs)
        return (raw - self._low) / self.span.where(self.span > 0, self.span.new_ones(()))

    def moved(self, inputs: Tensors, change: Any) -> Tensors:
        """The batch changed by so many points; of numbers that don't change, the very ones that there were."""
        made = list(inputs)
        parts = (change * self.free * self.span).split(self._sizes, dim=1)
        for at, part in zip(self._places, parts, strict=True):
            made[at] = inputs[at] + part.reshape(inputs[at].shape).to(inputs[at].dtype)
        return tuple(made)

    def _laid(self, inputs: Tensors) -> Any:
        import torch

        return torch.cat([inputs[at].float().flatten(1) for at in self._places], dim=1)


class Worst:
    """Looks for the inputs within a budget at which a loss is highest, by steps along its gradient (projected gradient descent).

    Steps are `reach` budgets over their number, as in `parts/attacks/pgd.py`; the module stands in `eval` meanwhile.
    """

    def __init__(self, module: Any, points: Points, norm: Norm, budget: float, steps: int, precision: Callable[[], AbstractContextManager[Any]]) -> None:  # fmt: skip
        self._module, self._points, self._norm, self._budget = module, points, norm, budget
        self._steps, self._precision = steps, precision

    def near(self, inputs: Tensors, loss: Callable[[Any], Any], begun: Any, reach: float = 2.5) -> Tensors:
        """The changed inputs. `loss` makes of answers a number a row; `begun` is the change that it begins with."""
        import torch

        clean = self._points.of(inputs)
        was = self._module.training
        self._module.eval()
        change = self._held(begun, clean)
        for _ in range(self._steps):
            change = change.detach().requires_grad_()
            with self._precision():
                answer = first(self._module(*self._points.moved(inputs, change)))
            (gradient,) = torch.autograd.grad(loss(answer).sum(), change)
            step = reach * self._budget / self._steps * self._steepest(gradient)
            change = self._held(change.detach() + step, clean)
        self._module.train(was)
        return self._points.moved(inputs, change.detach())

    def drawn(self, inputs: Tensors) -> Any:
        """A change within the budget by chance: evenly in the cube of `linf`, of a random length and direction in `l2`."""
        import torch

        shape = (len(inputs[0]), len(self._points.span))
        if self._norm == "linf":
            return (2 * torch.rand(shape) - 1) * self._budget
        return self._steepest(torch.randn(shape)) * self._budget * torch.rand(shape[0], 1)

    def _held(self, change: Any, clean: Any) -> Any:
        """Within the budget, and within each feature's range (or as far out as the clean row is)."""
        change = change * self._points.free
        if self._norm == "linf":
            change = change.clamp(-self._budget, self._budget)
        else:
            length = change.norm(dim=1, keepdim=True)
            change = change * (self._budget / length.clamp_min(LEAST)).clamp_max(1.0)
        return (clean + change).clamp(clean.clamp_max(0), clean.clamp_min(1)) - clean

    def _steepest(self, gradient: Any) -> Any:
        gradient = gradient * self._points.free
        if self._norm == "linf":
            return gradient.sign()
        return gradient / gradient.norm(dim=1, keepdim=True).clamp_min(LEAST)
