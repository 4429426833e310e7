"""Finds a part by its file, and lists parts without importing them.

Parts lie in `parts/<kind>/<name>.py`, in modules that plug-ins name by the entry point `seatrial.parts`
(`metrics.my_metric = "my_package.my_metric"`), or in a local file that a study names by its path (`./my_metric.py`).
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from seatrial.contracts.part import KINDS, PartInfo, PartOptions
from seatrial.contracts.record import digest
from seatrial.errors import MissingPackage, PartError, UnknownPart

GROUP = "seatrial.parts"
_HOME = Path(__file__).parent / "parts"
_DECLARED = {
    "NEEDS",
    "EXTRA",
    "ACCEPTS",
    "GIVES",
    "USES",
    "CANNOT",
    "PAIRED",
    "COUNTS",
    "ACROSS",
    "WHOLE",
    "USUAL",
    "VERSION",
}


def kinds() -> list[str]:
    """The kinds of part that have a folder, in the order in which a study meets them."""
    return [kind for kind in KINDS if (_HOME / kind).is_dir()]


@cache
def parts(kind: str) -> dict[str, PartInfo]:
    """All parts of a kind by name, ours and those of plug-ins. Reads files, imports none. Raises `UnknownPart`."""
    if kind not in kinds():
        raise UnknownPart(
            f"there is no kind of part `{kind}`", next_step=_did_you_mean(kind, kinds(), "seatrial parts")
        )
    files = sorted((_HOME / kind).glob("[!_]*.py"))
    found = {file.stem: describe(kind, file.stem, file, f"seatrial.parts.{kind}.{file.stem}") for file in files}
    return found | _plugins(kind)


def find(kind: str, name: str, folder: Path | None = None) -> PartInfo:
    """One part by name, or by the path of a local file ending in `.py`. Raises `UnknownPart` with the nearest right name."""
    if name.endswith(".py"):
        file = ((folder or Path()) / name).resolve()
        if not file.is_file():
            raise UnknownPart(f"there is no file {file} for the {kind[:-1]} `{name}`")
        return describe(kind, file.stem, file, str(file), source="local file")
    known = parts(kind)
    if name not in known:
        raise UnknownPart(
            f"there is no {_one(kind)} `{name}`", next_step=_did_you_mean(name, list(known), f"seatrial parts {kind}")
        )
    return known[name]


def load(part: PartInfo) -> Any:
    """The part's module. Its own packages are not needed for this; `require` checks those."""
    if part.source != "local file":
        return importlib.import_module(part.module)
    name = f"seatrial_local_{part.name}_{digest(part.path)}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, part.path)
        if spec is None or spec.loader is None:
            raise PartError(f"{part.path} can't be imported as a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def code(part: PartInfo) -> str:
    """What tells a local part from its own earlier self, which has the same name and version: its file's SHA-256; nothing for others."""
    return hashlib.sha256(Path(part.path).read_bytes()).hexdigest() if part.source == "local file" else ""


def options(part: PartInfo, given: dict[str, Any] | None = None) -> Any:
    """The part's options, checked. Raises pydantic's `ValidationError`."""
    return options_type(load(part))(**(given or {}))


def options_type(module: ModuleType) -> type[PartOptions]:
    """The class of a part's options; a part that declares none takes none."""
    declared: type[PartOptions] = getattr(module, "Options", PartOptions)
    return declared


def absent(part: PartInfo) -> list[str]:
    """The packages that the part needs and that aren't installed. Imports none of them."""
    return [package for package in part.needs if not _installed(package)]


def require(part: PartInfo) -> None:
    """Raises `MissingPackage`, with the command that adds it, unless all that the part needs is installed."""
    if gone := absent(part):
        raise MissingPackage(
            f"the {_one(part.kind)} `{part.name}` needs {', '.join(gone)}, which isn't installed",
            next_step=part.install(),
        )


def describe(kind: str, name: str, file: Path, module: str, source: str = "seatrial") -> PartInfo:
    """What a part's file declares, read from its syntax tree. Raises `PartError` where a declaration is no literal."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    except (OSError, SyntaxError) as error:
        raise PartError(f"{file} is no readable part: {error}") from error
    declared: dict[str, Any] = {}
    for node in tree.body:
        target = (
            node.target
            if isinstance(node, ast.AnnAssign)
            else node.targets[0]
            if isinstance(node, ast.Assign)
            else None
        )
        if isinstance(target, ast.Name) and target.id in _DECLARED:
            declared[target.id.lower()] = _literal(node, file)
    text = (ast.get_docstring(tree) or "").strip().split("\n")[0]
    return PartInfo(kind=kind, name=name, path=str(file), module=module, description=text, source=source, **declared)


def nearest(word: str, known: list[str]) -> str | None:
    """The known word most like this one, if any is much like it."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.5)), None)


def _literal(node: ast.stmt, file: Path) -> Any:
    try:
        return ast.literal_eval(node.value)  # type: ignore[attr-defined]
    except ValueError as error:
        raise PartError(f"{file}:{node.lineno}: a part's declaration is a plain literal") from error


@cache
def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _plugins(kind: str) -> dict[str, PartInfo]:
    found = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        of, _, name = point.name.partition(".")
        if of == kind:
            found[name] = describe(
                kind, name, _file(point.value), point.value, point.dist.name if point.dist else "plug-in"
            )
    return found


def _file(module: str) -> Path:
    """The file of a module, found without importing its package."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise PartError(f"the plug-in module {module} isn't there")
    for folder in spec.submodule_search_locations or ():
        file = Path(folder).joinpath(*rest).with_suffix(".py")
        if file.is_file():
            return file
    if not rest and spec.origin:
        return Path(spec.origin)
    raise PartError(f"the plug-in module {module} isn't there")


def _one(kind: str) -> str:
    return kind[:-2] if kind.endswith("ches") else kind[:-1]


def _did_you_mean(word: str, known: list[str], command: str) -> str:
    near = nearest(word, known)
    return f"did you mean `{near}`? `{command}` lists them" if near else f"`{command}` lists them"
