"""The torch module without its weakest channels, cut out for good (structured pruning), and trained again where there are rows for it.

Unlike `pruned`, whose zeros stay in the file, layers become smaller, so that every runtime gets faster. With rows of the role `train` what
remains is trained on their labels; without, it is left as it is, which costs quality: measure. Li et al. (2017).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making
from seatrial.parts.variants import _channels, _losses, _student

NEEDS = ("torch", "safetensors", "onnxscript")
EXTRA = "torch"
ACCEPTS = {"format": ("torch",), "rows": ("train", "none")}
GIVES = {"format": ("torch", "onnx")}
CANNOT = {
    "onnx": ("not yet ours", "channels are followed through a torch module's code; give the model's torch form"),
    "transformers": (
        "not yet theirs",
        "torch.fx can't follow torch's own encoder layers; attention heads aren't cut out",
    ),
    "several outputs": (
        "not yet ours",
        "the labels are of one output; a model of several is refused, but where nothing is trained",
    ),
    "gpu": ("not yet ours", "what remains is trained on the processor"),
}
VERSION = 2


class Options(_student.LearningOptions):
    """How much goes, and how what remains is trained."""

    share: float = Field(default=0.3, gt=0, lt=1, description="share of each layer's channels that is cut out")


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The smaller model. Raises `Unsupported` where channels can't be followed, or none can be spared."""
    if making.train and making.train.labels is not None:
        _student.one_output("narrowed", artefact)
    inputs = _student.tensors(artefact, making.train.inputs) if making.train else _student.guessed(artefact)
    code = _student.of_teacher(artefact)
    whole = _student.with_weights(_student.built(code), artefact)
    cut = _channels.cut(whole, tuple(one[:2] for one in inputs), options.share)
    found: dict[str, Any] = {"parameters_of_teacher": _student.parameters(whole)}
    with tempfile.TemporaryDirectory() as name:
        code = _student.smaller(code, cut, Path(name) / "smaller.py")
        module = _student.built(code)
        module.load_state_dict(cut.weights)
        module.eval()
        if making.train and making.train.labels is not None:
            lesson = _student.labelled(inputs, making.train.labels)
            begun, ended = _student.learn(
                module, lesson, _losses.label_loss(_losses.means_of(making)), options, making.seed
            )
            found |= {"loss": [round(begun, 6), round(ended, 6)], "rows": len(inputs[0])}
        found["parameters"] = _student.parameters(module)
        return _student.kept("narrowed", module, code, artefact, making, options, found, inputs)
