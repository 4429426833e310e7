"""A PyTorch module: your function that builds it with safetensors weights, or an exported program that you trust by its hash.

Reading runs no code. Your function runs in the worker that measures, nowhere else; its file is part of the model's identity,
what it imports isn't. An exported program (`.pt2`) can run anything when it is loaded, so it is refused unless `trust` is
its SHA-256. Inputs and outputs can't be known from files alone: the study states them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.part import PartOptions
from seatrial.errors import ModelError
from seatrial.parts.subjects._files import found, sha256
from seatrial.parts.subjects._functions import source
from seatrial.parts.subjects._safetensors import whole

GIVES = {"format": ("torch",)}
CANNOT = {
    ".pt, .pth, .bin, .ckpt": (
        "never",
        "pickled weights can run code when they are loaded; where you trust the file, save them with "
        "`safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'weights.safetensors')` and name them in a study",
    ),
    "trusted pickles": (
        "never",
        "`trust` and `--trust` let an exported program through, no pickle: a converted state dict loads without running code",
    ),
    "signature": ("never", "a module doesn't say its inputs and outputs; the study states them"),
    "imported modules": (
        "not yet ours",
        "the file of the function is part of the model's identity, what it imports isn't",
    ),
}


class Options(PartOptions):
    """Either `module` with `weights`, or `export` with `trust`."""

    module: str | None = Field(
        default=None, description="the function that builds the module: `file.py:function` or `package.module:function`"
    )
    weights: str | None = Field(default=None, description="its weights, a .safetensors file")
    arguments: dict[str, Any] = Field(default={}, description="keyword arguments of the function")
    export: str | None = Field(default=None, description="a program saved by torch.export.save (.pt2)")
    trust: str | tuple[str, ...] | None = Field(
        default=None,
        description="the SHA-256 of the exported program, as a sign that you trust it; one of several if they are listed",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.module is None) == (self.export is None):
            raise ValueError("say either `module` (with `weights`) or `export` (with `trust`)")
        if self.module is not None and self.weights is None:
            raise ValueError("a `module` needs `weights`, a .safetensors file")
        if self.module is not None and (":" not in self.module or not self.module.rpartition(":")[2].isidentifier()):
            raise ValueError(f"`{self.module}` is no `file.py:function` or `package.module:function`")
        return self


def read(options: Options, folder: Path) -> Artefact:
    """Check the files and describe them. Raises `ModelError`. Imports and runs nothing of the user's."""
    if options.export is not None:
        return _program(found(folder, options.export), options.trust)
    assert options.module is not None
    assert options.weights is not None
    place, _, function = options.module.rpartition(":")
    code = found(folder, place) if place.endswith(".py") else source(place, folder)
    weights = whole(found(folder, options.weights))
    name = code.name if place.endswith(".py") else place
    arguments = f" {json.dumps(options.arguments, sort_keys=True)}" if options.arguments else ""
    return _artefact(
        {"code": code, "weights": weights}, f"{name}:{function}{arguments}", {"folder": str(folder.resolve())}
    )


def _artefact(files: dict[str, Path], entry: str, options: dict[str, Any]) -> Artefact:
    return Artefact(
        format="torch",
        files={role: str(file) for role, file in files.items()},
        hashes={role: sha256(file) for role, file in files.items()},
        signature=Signature(inputs=(), outputs=()),
        lineage=Lineage(recipe="given", options=options),
        entry=entry,
    )


def _program(path: Path, trust: str | tuple[str, ...] | None) -> Artefact:
    artefact = _artefact({"model": path}, "export", {})
    trusted = [trust] if isinstance(trust, str) else trust or ()
    actual = artefact.hashes["model"]
    if actual not in [one.lower().removeprefix("sha256:") for one in trusted]:
        why = "its hash isn't the trusted one" if trusted else "nobody has said that it is to be trusted"
        raise ModelError(
            f"{path}: loading an exported program can run any code, and {why}; its SHA-256 is {actual}",
            next_step=f"if you made this file or trust who did, and `sha256sum {path}` is what they say, write it as `trust:` "
            "in the study, or let this file through once: `seatrial run STUDY --trust SHA256`",
        )
    return artefact
