"""What trainers share about the user's code: where it is, found without running it, and its import in the worker that trains."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from seatrial.errors import ModelError


def check_name(reference: str) -> str:
    """The reference, if it reads `file.py:function`. Raises `ValueError`."""
    place, _, name = reference.rpartition(":")
    if not place.endswith(".py") or not name.isidentifier():
        raise ValueError(f"`{reference}` is no `file.py:function`")
    return reference


def file_of(reference: str, folder: Path) -> dict[str, str]:
    """The file of `file.py:function` with its SHA-256. Reads it as text. Raises `ModelError` where it has no such function."""
    place, _, name = reference.rpartition(":")
    file = (folder / place).resolve()
    try:
        content = file.read_bytes()
        tree = ast.parse(content, str(file))
    except OSError as error:
        raise ModelError(
            f"{file} can't be read: {error.strerror}", next_step="paths start from the study's folder"
        ) from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ModelError(f"{file} is no Python that can be read: {error}") from error
    known = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if name not in known:
        there = ", ".join(f"`{one}`" for one in known) or "none"
        raise ModelError(f"there is no function `{name}` in {file}", next_step=f"its functions are: {there}")
    return {str(file): hashlib.sha256(content).hexdigest()}


def imported(reference: str, folder: Path) -> Any:
    """The function. Runs the file, with its folder importable; only called in a worker."""
    place, _, name = reference.rpartition(":")
    file = (folder / place).resolve()
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"{file} can't be imported as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return getattr(module, name)
