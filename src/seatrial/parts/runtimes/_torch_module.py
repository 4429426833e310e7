"""Loads a torch artefact: the user's function with safetensors weights, or an exported program whose hash was trusted."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import IO, Any

from seatrial.contracts.artefact import Artefact
from seatrial.errors import ModelError

_ENTRY = re.compile(r"(?P<place>.+):(?P<function>\w+)(?: (?P<arguments>\{.*\}))?", re.DOTALL)


def built(artefact: Artefact) -> tuple[Any, tuple[int, ...]]:
    """The module with its weights, and the numbers of rows it takes where it takes no others."""
    if artefact.entry == "export":
        return _exported(artefact)
    module = _made(artefact)
    _load_weights(module, artefact.files["weights"])
    return module.eval(), ()


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

    found = _ENTRY.fullmatch(artefact.entry or "")
    if found is None:
        raise ModelError(f"`{artefact.entry}` is no reference like `package.module:function`")
    _unchanged(artefact, "code")
    folder = artefact.lineage.options.get("folder")
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    function = getattr(_imported(found["place"], artefact.files.get("code")), found["function"], None)
    if function is None:
        raise ModelError(f"{found['place']} has no `{found['function']}`")
    module = function(**json.loads(found["arguments"] or "{}"))
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"`{artefact.entry}` returned a {type(module).__name__}, not a torch.nn.Module")
    return module


def _imported(place: str, file: str | None) -> Any:
    if not place.endswith(".py") or file is None:
        return importlib.import_module(place)
    if (folder := str(Path(file).parent)) not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)
    spec.loader.exec_module(module)
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


def _unchanged(artefact: Artefact, role: str) -> None:
    """Raises `ModelError` where a file that is about to run isn't the one that was read."""
    if role not in artefact.files:
        return
    with Path(artefact.files[role]).open("rb") as file:
        _same(file, artefact, role)


def _same(file: IO[bytes], artefact: Artefact, role: str) -> None:
    if hashlib.file_digest(file, "sha256").hexdigest() != artefact.hashes[role]:
        raise ModelError(f"{artefact.files[role]} has changed since the study was read", next_step="run it again")
    file.seek(0)


def words(error: Exception) -> str:
    """The first lines of a message, or the cause that torch.compile wraps in hints for developers."""
    text = str(error)
    if cause := re.search(r"got \w+\((['\"])(.+?)\1\)", text):
        return cause[2]
    return " ".join(line.strip() for line in text.splitlines()[:4] if line.strip())
