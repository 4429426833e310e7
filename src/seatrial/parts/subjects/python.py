"""A Python function of yours that takes named arrays and returns answers.

`forms: {python: {function: "score.py:predict"}}`. The function is called with the inputs as keywords, each an array whose first
axis is rows, and returns an array, or a dict of arrays by the name of the output:

    def predict(features):
        return {"logits": features @ weights}

The arrays can't be written to, because the same rows are sent again and again: copy what you want to change. What stands at the
top of the file runs once, when the model is opened: load your model there. It all runs in the worker that measures and nowhere
else; reading a study looks only whether the file is there and defines that name. Files that the function loads are named under
`files`: they then belong to the identity of the model and to its size. A worker runs in a folder of its own, so the function finds
them by `Path(__file__).parent`, not by where `seatrial` was started.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.parts.subjects._files import found
from seatrial.parts.subjects._functions import Function, described

GIVES = {"format": ("python",)}
CANNOT = {
    "signature": ("never", "a function doesn't say its inputs and outputs; the study states them"),
    "imported modules": (
        "not yet ours",
        "the file of the function and those under `files` are the model's identity, what it imports isn't",
    ),
}


class Options(Function):
    """Which function, and which files it loads."""

    files: tuple[str, ...] = Field(default=(), description="files that it loads, from the study file's folder")


def read(options: Options, folder: Path) -> Artefact:
    """Find the files and describe them. Raises `ModelError`. Imports and runs nothing of the user's."""
    return described("python", options, folder, {f"file:{name}": found(folder, name) for name in options.files})
