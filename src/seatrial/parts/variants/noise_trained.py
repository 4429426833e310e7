"""The torch module trained on its training rows with normal noise, so that it answers rightly among noise: what `smoothed` needs before it.

Each batch gets fresh noise of standard deviation `sigma`, in shares of each feature's range, the same that `smoothed` adds when it answers:
`noise_trained+smoothed`. On its own it makes a model steadier on noisy inputs and is no defence against somebody who looks for the worst ones.
Cohen, Rosenfeld & Kolter (2019), "Certified adversarial robustness via randomized smoothing", section 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.parts.variants import _hardened

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


class Options(_hardened.Options):
    """How much noise, and how it learns."""

    sigma: float = Field(default=0.1, gt=0, description="standard deviation of the noise, as a share of each feature's range")  # fmt: skip


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The trained model. Raises `Unsupported` without rows to train with, ranges, classes, or a module's code."""
    import torch
    from torch.nn import functional

    pupil = _hardened.pupil("noise_trained", artefact, making, options)
    points, logits = pupil.points, pupil.logits

    def noisy(batch: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[Any, ...]:
        return points.moved(batch, options.sigma * torch.randn(len(batch[0]), len(points.span)))

    def loss(answer: Any, given: Mapping[str, Any]) -> Any:
        return functional.cross_entropy(logits(answer), given["labels"])

    return pupil.taught(options, noisy, loss, sigma=options.sigma)
