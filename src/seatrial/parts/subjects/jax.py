"""A JAX function of yours, with its weights as safetensors, that XLA compiles for processors, GPUs and TPUs.

`forms: {jax: {function: "model.py:apply", weights: weights.safetensors}}`. The function is called with the weights, a dict of
arrays by name, and the inputs as keywords, each with rows as its first axis; without `weights` it is called with the inputs alone:

    def apply(weights, features):
        hidden = jax.nn.relu(features @ weights["w1"] + weights["b1"])
        return {"logits": hidden @ weights["w2"] + weights["b2"]}

It is traced once for each number of rows, so what it decides may depend on shapes and not on numbers. Reading a study runs none of
it. Inputs and outputs can't be known from files alone: the study states them.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.parts.subjects._files import found
from seatrial.parts.subjects._functions import Function, described
from seatrial.parts.subjects._safetensors import whole

GIVES = {"format": ("jax",)}
CANNOT = {
    "signature": ("never", "a function doesn't say its inputs and outputs; the study states them"),
    "imported modules": (
        "not yet ours",
        "the file of the function and its weights are the model's identity, what it imports isn't",
    ),
    "orbax, msgpack": ("not yet ours", "weights come as safetensors: `safetensors.flax.save_file(dict, file)`"),
}


class Options(Function):
    """Which function, and its weights."""

    weights: str | None = Field(
        default=None, description="its weights, a .safetensors file, given to it as a dict first"
    )


def read(options: Options, folder: Path) -> Artefact:
    """Find the files and describe them. Raises `ModelError`. Imports and runs nothing of the user's."""
    weights = {"weights": whole(found(folder, options.weights))} if options.weights else {}
    return described("jax", options, folder, weights)
