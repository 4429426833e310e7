"""A program saved by torch.export.save (.pt2): an archive whose loading evaluates expressions and may unpickle; only its members are listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seatrial.contracts.inspection import Bounds, Danger, Look
from seatrial.parts.formats import _zips
from seatrial.parts.formats._reading import short, tally

GIVES = {"suffix": (".pt2",)}
CANNOT = {
    "a clean bill": (
        "never",
        "symbolic expressions in its graph are evaluated when it is loaded, and no list of opcodes shows that",
    ),
}
LOADS = Danger(
    what="exported program",
    where="the whole file",
    executes="when loaded",
    detail="loading evaluates its symbolic expressions; `trust` lets one file through by its hash",
)


def recognises(path: Path, start: bytes) -> bool:
    """An archive with a graph under `models/`, or in the older form."""
    return _zips.kind(path, start) == "exported_program"


def look(path: Path, bounds: Bounds) -> Look:
    """Members, operators as its graph names them, pickles and compiled code among its members."""
    with _zips.opened(path, bounds, "an exported program") as archive:
        members = archive.infolist()
        names = archive.namelist()
        dangers = [LOADS, *_zips.pickles(path, archive, bounds)]
        compiled = [name for name in names if name.endswith((".so", ".dll", ".dylib", ".cubin", ".ptx"))]
        if compiled:
            detail = ", ".join(short(name, bounds) for name in compiled[:5])
            dangers.append(Danger(what="compiled code", where="its members", executes="when loaded", detail=detail))
        graphs = [n for n in names if n.endswith(".json") and ("models/" in n or n.startswith("serialized_exported"))]
        parsed = [json.loads(_zips.content(path, archive, name, bounds)) for name in graphs[:16]]
    operators = tally((short(name, bounds), 1) for graph in parsed for name in _targets(graph, bounds.depth))
    return Look(
        summary="torch.export",
        members=len(members),
        unpacked=sum(one.file_size for one in members),
        operators=operators,
        dangers=tuple(dangers),
    )


def _targets(value: Any, depth: int) -> list[str]:
    """The operators that the nodes of a graph name, wherever they stand."""
    if depth == 0:
        return []
    if isinstance(value, dict):
        own = [str(value["target"])] if "target" in value and "inputs" in value else []
        return own + [one for inner in value.values() for one in _targets(inner, depth - 1)]
    return [one for inner in value for one in _targets(inner, depth - 1)] if isinstance(value, list) else []
