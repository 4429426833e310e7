"""A Python function of yours that takes named arrays and returns answers.

`forms: {python: {function: "score.py:predict"}}`. The function is called with the inputs as keywords, each an array whose first
axis is rows, and returns an array, or a dict of arrays by the name of the output:

    def predict(features):
        return {"logits": features @ weights}

The arrays can't be written to, because the same rows are sent again and again: copy what you want to change. What stands at the
top of the file runs once, when the model is opened: load your model there. It all runs in the worker that measures and nowhere
else; reading a study looks only whether the file is there and defines that name. Files that the function loads are named under
`files`: they then belong to the identity of the model and to its size.
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

GIVES = {"format": ("python",)}
CANNOT = {
    "signature": ("never", "a function doesn't say its inputs and outputs; the study states them"),
    "imported modules": (
        "not yet ours",
        "the file of the function and those under `files` are the model's identity, what it imports isn't",
    ),
}


class Options(PartOptions):
    """Which function, and which files it loads."""

    function: str = Field(description="the function: `file.py:function` or `package.module:function`")
    arguments: dict[str, Any] = Field(default={}, description="further keyword arguments, the same in every call")
    files: tuple[str, ...] = Field(default=(), description="files that it loads, from the study file's folder")

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
    files = {"code": code} | {f"file:{name}": found(folder, name) for name in options.files}
    name = code.name if place.endswith(".py") else place
    arguments = f" {json.dumps(options.arguments, sort_keys=True)}" if options.arguments else ""
    return Artefact(
        format="python",
        files={role: str(file) for role, file in files.items()},
        hashes={role: sha256(file) for role, file in files.items()},
        signature=Signature(inputs=(), outputs=()),
        lineage=Lineage(recipe="given", options={"folder": str(folder.resolve())}),
        entry=f"{name}:{function}{arguments}",
    )
