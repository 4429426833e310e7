"""What subjects share about functions of the user: where their file is, and whether they are in it. Nothing is imported."""

from __future__ import annotations

import ast
import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.part import PartOptions
from seatrial.errors import ModelError
from seatrial.parts.subjects._files import found, sha256


class Function(PartOptions):
    """Which function, and what it is called with besides the inputs."""

    function: str = Field(description="the function: `file.py:function` or `package.module:function`")
    arguments: dict[str, Any] = Field(default={}, description="further keyword arguments, the same in every call")

    @model_validator(mode="after")
    def _a_function(self) -> Self:
        place, _, name = self.function.rpartition(":")
        if not place or not name.isidentifier():
            raise ValueError(f"`{self.function}` is no `file.py:function` or `package.module:function`")
        return self


def described(format: str, options: Function, folder: Path, others: dict[str, Path]) -> Artefact:
    """The function as an artefact, with the `others` of its files by role. Raises `ModelError`. Imports and runs nothing of the user's."""
    place, _, function = options.function.rpartition(":")
    code = found(folder, place) if place.endswith(".py") else source(place, folder)
    defined(code, function)
    files = {"code": code, **others}
    name = code.name if place.endswith(".py") else place
    arguments = f" {json.dumps(options.arguments, sort_keys=True)}" if options.arguments else ""
    return Artefact(
        format=format,
        files={role: str(file) for role, file in files.items()},
        hashes={role: sha256(file) for role, file in files.items()},
        signature=Signature(inputs=(), outputs=()),
        lineage=Lineage(recipe="given", options={"folder": str(folder.resolve())}),
        entry=f"{name}:{function}{arguments}",
    )


def source(module: str, folder: Path) -> Path:
    """The file of a module, found without importing it or the packages above it. Raises `ModelError`."""
    places = [str(folder), *sys.path]
    *packages, last = module.split(".")
    for package in packages:
        spec = PathFinder.find_spec(package, places)
        places = list(spec.submodule_search_locations or []) if spec else []
    spec = PathFinder.find_spec(last, places)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ModelError(
            f"there is no Python module `{module}`",
            next_step="install its package here, or name a file in the study's folder: `file.py:function`",
        )
    return Path(spec.origin).resolve()


def defined(file: Path, name: str) -> None:
    """Raises `ModelError` unless the file, read as text, defines, assigns or imports this name at its top level."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # zero bytes, nesting without end
        line = getattr(error, "lineno", None)
        where = f"{file}:{line}" if line else str(file)
        raise ModelError(
            f"this is no Python that can be read: {error}", where=where, next_step=f"try `python -m py_compile {file}`"
        ) from error
    names = _names(tree.body)
    if name not in names and "*" not in names:
        there = ", ".join(f"`{one}`" for one in sorted(names)[:10]) or "nothing"
        raise ModelError(f"there is no `{name}` in this file", where=str(file), next_step=f"it defines {there}")


def _names(body: list[ast.stmt]) -> set[str]:
    """Names bound by these statements, those within `if`, `try` and `with` too; `*` where everything is imported."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        else:
            inner = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
            inner += [handler.body for handler in getattr(node, "handlers", [])]
            found |= {name for one in inner for name in _names(one)}
    return found
