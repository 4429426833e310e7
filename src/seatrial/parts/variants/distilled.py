"""A smaller student that learns from the model's own answers to the rows with the role `train` (knowledge distillation).

The student is a module of yours, or derived: the model's torch module without a share of its channels, starting with the weights of those
that stay. Classifiers learn the teacher's probabilities softened by a temperature, and the labels; models of numbers learn
the teacher's numbers. Judged against the teacher on other rows, like any candidate. Hinton, Vinyals and Dean (2015).
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.variants import _channels, _losses, _student
from seatrial.parts.variants._student import Code

NEEDS = ("torch", "safetensors", "onnxscript")
EXTRA = "torch"
ACCEPTS = {"format": ("torch", "onnx"), "rows": ("train",)}
GIVES = {"format": ("torch", "onnx")}
USES = ("runtimes", "tasks")
CANNOT = {
    "augmentation": ("not yet ours", "rows are learnt as they are, without shifted or mirrored copies"),
    "gpu": ("not yet ours", "the student is trained on the processor"),
    "hidden layers": ("not yet ours", "only answers are learnt, not what the teacher's layers hold"),
    "several outputs": ("not yet ours", "the first output is learnt; a model of several is refused"),
}
VERSION = 2


class Options(_student.LearningOptions):
    """Who the student is, and how it learns."""

    student: str | None = Field(
        default=None, description="the function that builds the student: `student.py:small`; derived if left out"
    )
    arguments: dict[str, Any] = Field(default={}, description="keyword arguments of that function")
    keep: float = Field(
        default=0.5, gt=0, lt=1, description="of a derived student: share of each layer's channels that stays"
    )
    temperature: float = Field(default=2.0, ge=1, description="what the logits are divided by before they are compared")
    labels: float = Field(default=0.3, ge=0, le=1, description="weight of the labels; the teacher has the rest")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.student is not None and (
            ".py:" not in self.student or not self.student.rpartition(":")[2].isidentifier()
        ):
            raise ValueError(f"`{self.student}` is no `file.py:function`")
        if self.arguments and self.student is None:
            raise ValueError("`arguments` are for a `student` of yours")
        return self


def files(options: Options, folder: Path) -> dict[str, str]:
    """The student's file with its SHA-256: another content is another student. Raises `ModelError`. Runs nothing."""
    if options.student is None:
        return {}
    file = folder / options.student.rpartition(":")[0]
    if not file.is_file():
        raise ModelError(f"there is no file {file}", next_step="`student` is relative to the study's folder")
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest()}


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The trained student. Raises `Unsupported` where there are no rows to train with, or no student can be derived."""
    train = _student.training("distilled", making)
    if making.run is None:
        raise Unsupported(
            "distilled needs a runtime to ask the teacher, and was given none",
            next_step="run it in a study, or hand `Making` a `run`",
        )
    _student.one_output("distilled", artefact)
    taught = next(iter(making.run(artefact, train.inputs).values()))
    inputs = _student.tensors(artefact, train.inputs)
    with tempfile.TemporaryDirectory() as name:
        code, module, weights = _pupil(artefact, making, options, tuple(one[:2] for one in inputs), Path(name))
        means, told = _losses.means_of(making), np.asarray(taught)
        loss, targets = _losses.taught_loss(means, told, train.labels, options.labels, options.temperature)
        lesson = _student.Lesson(inputs, targets)
        begun, ended = _student.learn(module, lesson, loss, options, making.seed)
        found = {
            "parameters": _student.parameters(module),
            "loss": [round(begun, 6), round(ended, 6)],
            "rows": len(inputs[0]),
        }
        found |= {"parameters_of_teacher": weights} if weights else {}
        return _student.kept("distilled", module, code, artefact, making, options, found, inputs)


def _pupil(
    artefact: Artefact, making: Making, options: Options, examples: tuple[Any, ...], folder: Path
) -> tuple[Code, Any, int | None]:
    """The code that builds the student, the student, and how many parameters the teacher has where that is known."""
    import torch

    torch.manual_seed(making.seed)
    if options.student is not None:
        place, _, function = options.student.rpartition(":")
        base = (making.base or Path()).resolve()
        code = Code(base / place, function, options.arguments, str(base))
        return code, _student.built(code), None
    teacher_code = _student.of_teacher(artefact)
    teacher = _student.with_weights(_student.built(teacher_code), artefact)
    cut = _channels.cut(teacher, examples, 1 - options.keep)
    code = _student.smaller(teacher_code, cut, folder / "smaller.py")
    module = _student.built(code)
    module.load_state_dict(cut.weights)
    return code, module, _student.parameters(teacher)
