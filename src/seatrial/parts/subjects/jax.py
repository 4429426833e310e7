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

import json
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.part import PartOptions
from seatrial.parts.subjects._files import found, sha256
from seatrial.parts.subjects._functions import defined, source
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


class Options(PartOptions):
    """Which function, and its weights."""

    function: str = Field(description="the function: `file.py:function` or `package.module:function`")
    weights: str | None = Field(
        default=None, description="its weights, a .safetensors file, given to it as a dict first"
    )
    arguments: dict[str, Any] = Field(default={}, description="further keyword arguments, the same in every call")

    @model_validator(mode="after")
    def _a_function(self) -> Self:
        place, _, name = self.function.rpartition(":")
        if not place or not name.isidentifier():
            raise ValueError(f"`{self.function}` is no `file.py:function` or `package.module:function`")
        return self


def read(options: Options, folder: Path) -> Artefact:
    """Find the files and describe them. Raises `ModelError`. Imports and runs nothing of the user's."""
    place, _, function = options.function.rpartition(":")
    code = found(folder, place) if place.endswith(".py") else source(place, folder)
    defined(code, function)
    files = {"code": code} | ({"weights": whole(found(folder, options.weights))} if options.weights else {})
    name = code.name if place.endswith(".py") else place
    arguments = f" {json.dumps(options.arguments, sort_keys=True)}" if options.arguments else ""
    return Artefact(
        format="jax",
        files={role: str(file) for role, file in files.items()},
        hashes={role: sha256(file) for role, file in files.items()},
        signature=Signature(inputs=(), outputs=()),
        lineage=Lineage(recipe="given", options={"folder": str(folder.resolve())}),
        entry=f"{name}:{function}{arguments}",
    )
