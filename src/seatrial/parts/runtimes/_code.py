"""What runtimes share that run a function of the user's: it is imported here, in the worker, and only as it was read."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from seatrial.contracts.artefact import Artefact
from seatrial.errors import ModelError

_ENTRY = re.compile(r"(?P<place>.+):(?P<function>\w+)(?: (?P<arguments>\{.*\}))?", re.DOTALL)


def called(artefact: Artefact) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The function that the artefact's entry names, and its keyword arguments. Runs the file, the study's folder importable.

    Raises `ModelError` where the file has changed since it was read, or has no such function.
    """
    found = _ENTRY.fullmatch(artefact.entry or "")
    if found is None:
        raise ModelError(f"`{artefact.entry}` is no reference like `package.module:function`")
    unchanged(artefact, "code")
    line = artefact.lineage
    folder = line.options.get("folder") or line.found.get("folder")
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    function = getattr(_imported(found["place"], artefact.files.get("code")), found["function"], None)
    if function is None:
        raise ModelError(f"{found['place']} has no `{found['function']}`")
    return function, json.loads(found["arguments"] or "{}")


def unchanged(artefact: Artefact, role: str) -> None:
    """Raises `ModelError` where a file that is about to run isn't the one that was read."""
    if role not in artefact.files:
        return
    with Path(artefact.files[role]).open("rb") as file:
        same(file, artefact, role)


def same(file: IO[bytes], artefact: Artefact, role: str) -> None:
    """The same of an open file, which is then at its beginning again."""
    if hashlib.file_digest(file, "sha256").hexdigest() != artefact.hashes[role]:
        raise ModelError(f"{artefact.files[role]} has changed since the study was read", next_step="run it again")
    file.seek(0)


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
