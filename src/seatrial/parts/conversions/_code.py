"""What conversions share that run a function of the user's: only as it was read, and errors of exporters in few words."""

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

_ENTRY = re.compile(r"(.+):(\w+)(?: (\{.*\}))?", re.DOTALL)


def called(artefact: Artefact, *roles: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The function that the artefact's entry names, and its keyword arguments. Runs the user's file, if it and the others are as they were."""
    found = _ENTRY.fullmatch(artefact.entry or "")
    if found is None:
        raise ModelError(f"`{artefact.entry}` is no reference like `package.module:function`")
    place, name, arguments = found.groups()
    for role in roles:
        with Path(artefact.files[role]).open("rb") as file:
            same(file, artefact, role)
    return getattr(_imported(place, artefact), name), json.loads(arguments or "{}")


def same(file: IO[bytes], artefact: Artefact, role: str) -> None:
    """Raises `ModelError` where an open file isn't the one that was checked; it is at its beginning again."""
    if hashlib.file_digest(file, "sha256").hexdigest() != artefact.hashes[role]:
        raise ModelError(f"{artefact.files[role]} has changed since it was checked; nothing was made of it")
    file.seek(0)


def words(error: Exception) -> str:
    """What a message says at its beginning, without the hints for developers that follow."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])[:300]}"


def _imported(place: str, artefact: Artefact) -> Any:
    """The user's module, the study's folder importable; a file under a name of its own, so that two of one name don't meet."""
    file, line = Path(artefact.files["code"]), artefact.lineage
    folder = line.options.get("folder") or line.found.get("folder") or str(file.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if not place.endswith(".py"):
        return importlib.import_module(place)
    spec = importlib.util.spec_from_file_location(f"converted_{artefact.hashes['code'][:16]}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # torch.export looks classes up there
    spec.loader.exec_module(module)
    return module
