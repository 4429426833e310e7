"""Loads a torch artefact: the user's function with safetensors weights, or an exported program whose hash was trusted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from seatrial.contracts.artefact import Artefact
from seatrial.errors import ModelError
from seatrial.parts.runtimes._code import called
from seatrial.parts.runtimes._code import same as _same


def built(artefact: Artefact) -> tuple[Any, tuple[int, ...]]:
    """The module with its weights, and the numbers of rows it takes where it takes no others."""
    if artefact.entry == "export":
        return _exported(artefact)
    module = _made(artefact)
    _load_weights(module, artefact.files["weights"])
    return module.eval(), ()


def quantised(module: Any) -> bool:
    """Whether layers of a module, or operators of its graphs, compute with integers."""
    kinds = [type(one).__module__ for one in module.modules()]
    kinds += [str(node.target) for one in module.modules() if hasattr(one, "graph") for node in one.graph.nodes]
    return any("quantized" in kind for kind in kinds)


def _exported(artefact: Artefact) -> tuple[Any, tuple[int, ...]]:
    """An exported program, after its file was found to be the trusted one: loading it can run code."""
    import torch

    with Path(artefact.files["model"]).open("rb") as file:  # one opening: what is loaded is what was checked
        _same(file, artefact, "model")
        program = torch.export.load(file)
    inputs = set(program.graph_signature.user_inputs)
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in inputs and "val" in node.meta]
    fixed = {shape[0] for shape in shapes if shape and isinstance(shape[0], int)}
    return program.module(), tuple(fixed)


def _made(artefact: Artefact) -> Any:
    """What the user's function returns. Runs the user's code with the study's folder importable."""
    import torch

    function, arguments = called(artefact)
    module = function(**arguments)
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"`{artefact.entry}` returned a {type(module).__name__}, not a torch.nn.Module")
    return module


def _load_weights(module: Any, file: str) -> None:
    import safetensors.torch

    try:
        safetensors.torch.load_model(module, file, strict=True)
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(
            f"the weights in {Path(file).name} don't fit the module: {words(error)}",
            next_step="give the function the `arguments` with which the weights were trained",
        ) from error


def words(error: Exception) -> str:
    """The first lines of a message, or the cause that torch.compile wraps in hints for developers."""
    text = str(error)
    if cause := re.search(r"got \w+\((['\"])(.+?)\1\)", text):
        return cause[2]
    return " ".join(line.strip() for line in text.splitlines()[:4] if line.strip())
