"""The torch module trained on its training rows with normal noise, so that it answers rightly among noise: what `smoothed` needs before it.

Each batch gets fresh noise of standard deviation `sigma`, in shares of each feature's range, the same that `smoothed` adds when it answers:
`noise_trained+smoothed`. On its own it makes a model steadier on noisy inputs and is no defence against somebody who looks for the worst ones.
Cohen, Rosenfeld & Kolter (2019), "Certified adversarial robustness via randomized smoothing", section 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.parts.variants import _hardened, _student

NEEDS = ("torch", "safetensors", "onnxscript")
EXTRA = "torch"
ACCEPTS = {"format": ("torch",), "rows": ("train",), "ranges": ("study",)}
GIVES = {"format": ("torch", "onnx")}
CANNOT = {
    "onnx": ("not yet ours", "a torch module's code is trained; give the model's torch form"),
    "other tasks": ("not yet ours", "one class a row; no regression, several labels or text"),
    "gpu": ("not yet ours", "it is trained on the processor"),
}
VERSION = 1


class Options(_student.LearningOptions):
    """How much noise, and how it learns."""

    sigma: float = Field(default=0.1, gt=0, description="standard deviation of the noise, as a share of each feature's range")  # fmt: skip
    start: Literal["weights", "anew"] = Field(
        default="weights", description="whether it goes on from the model's weights, or begins with new ones"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The trained model. Raises `Unsupported` without rows to train with, ranges, classes, or a module's code."""
    import torch
    from torch.nn import functional

    train = _student.training("noise_trained", making)
    space = _hardened.checked("noise_trained", artefact, making)
    inputs = _student.tensors(artefact, train.inputs)
    code = _student.of_teacher(artefact)
    torch.manual_seed(making.seed)
    module = _student.built(code)
    if options.start == "weights":
        module = _student.with_weights(module, artefact)
    points, logits = _hardened.Points(artefact, space, inputs), _hardened.logits_of(making)

    def noisy(batch: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[Any, ...]:
        return points.moved(batch, options.sigma * torch.randn(len(batch[0]), len(points.span)))

    def loss(answer: Any, given: Mapping[str, Any]) -> Any:
        return functional.cross_entropy(logits(answer), given["labels"])

    lesson = _student.labelled(inputs, train.labels)
    begun, ended = _student.learn(module, lesson, loss, options, making.seed, change=noisy)
    found = {
        "parameters": _student.parameters(module),
        "loss": [round(begun, 6), round(ended, 6)],
        "rows": len(inputs[0]),
        "sigma": options.sigma,
    }
    return _student.kept("noise_trained", module, code, artefact, making, options, found, inputs)
