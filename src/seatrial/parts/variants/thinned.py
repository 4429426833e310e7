"""Small weights of a torch module set to zero (magnitude pruning), and the others trained again while these stay zero.

Layers keep their sizes: files stay as large, and runtimes without sparse kernels get no faster; `narrowed` makes layers smaller. With rows of
the role `train` it is trained on their labels; without, the zeros are all that changes. Han et al. (2015).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.variants import _losses, _student
from seatrial.parts.variants._weights import smallest

NEEDS = ("torch", "safetensors", "onnxscript")
EXTRA = "torch"
ACCEPTS = {"format": ("torch",), "rows": ("train", "none")}
GIVES = {"format": ("torch", "onnx")}
CANNOT = {
    "onnx": ("never", "an ONNX file can't be trained; `pruned` sets its weights to zero"),
    "in steps": ("not yet ours", "all zeros are set at once, and not a few more after each pass"),
    "several outputs": (
        "not yet ours",
        "the labels are of one output; a model of several is refused, but where nothing is trained",
    ),
    "gpu": ("not yet ours", "it is trained on the processor"),
}
VERSION = 2


class Options(_student.LearningOptions):
    """How much becomes zero, and how the rest is trained."""

    share: float = Field(default=0.5, gt=0, lt=1, description="share of each layer's weights that becomes zero")


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The thinned model. Raises `Unsupported` where it has no code, or no weight with two axes."""
    import torch

    if making.train and making.train.labels is not None:
        _student.one_output("thinned", artefact)
    inputs = _student.tensors(artefact, making.train.inputs) if making.train else _inputs(artefact, making)
    code = _student.of_teacher(artefact)
    module = _student.with_weights(_student.built(code), artefact)
    held = {name: one for name, one in module.named_parameters() if one.ndim > 1 and one.is_floating_point()}
    if not held:
        raise Unsupported("thinned: the module has no weight with two axes or more")
    masks = {name: torch.from_numpy(smallest(one.detach().numpy(), options.share) != 0) for name, one in held.items()}
    if all(bool((masks[name] | (one == 0)).all()) for name, one in held.items()):
        raise Unsupported(
            f"thinned: a share of {options.share:g} leaves every weight as it is: it is less than one of any layer's, or those are zero already",
            next_step="take a larger `share`",
        )

    def settle() -> None:
        with torch.no_grad():
            for name, one in held.items():
                one.mul_(masks[name])

    settle()
    found: dict[str, Any] = {"weights": sum(one.numel() for one in held.values())}
    if making.train and making.train.labels is not None:
        lesson = _student.labelled(inputs, making.train.labels)
        begun, ended = _student.learn(
            module, lesson, _losses.label_loss(_losses.means_of(making)), options, making.seed, settle
        )
        found |= {"loss": [round(begun, 6), round(ended, 6)], "rows": len(inputs[0])}
    zeros = sum(int((one == 0).sum()) for one in held.values())
    found["zeros"] = round(zeros / found["weights"], 6)
    return _student.kept("thinned", module, code, artefact, making, options, found, inputs)


def _inputs(artefact: Artefact, making: Making) -> tuple[Any, ...]:
    """Inputs to export with, where that is wanted; nothing else is asked of them."""
    return _student.guessed(artefact) if making.wanted == "onnx" else ()
