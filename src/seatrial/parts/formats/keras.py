"""A Keras file (.keras): an archive with a configuration and weights in HDF5; Lambda layers and foreign classes in it are code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.contracts.inspection import Bounds, Danger, Look
from seatrial.parts.formats import _zips
from seatrial.parts.formats._reading import cut, refused, short, tally

GIVES = {"suffix": (".keras",)}
CANNOT = {"weights": ("not yet ours", "they are HDF5, which isn't read here")}
CODE = ("Lambda", "__lambda__", "function", "FunctionalLambda", "TorchModuleWrapper")
"""Classes whose configuration holds byte code, or names a function; a wrapped torch module is a pickle."""
MOST = 8


def recognises(path: Path, start: bytes) -> bool:
    """An archive with `config.json`, `metadata.json` and weights."""
    return _zips.kind(path, start) == "keras"


def look(path: Path, bounds: Bounds) -> Look:
    """Layers by class, and those that bring code along."""
    with _zips.opened(path, bounds, "a Keras file") as archive:
        config = json.loads(_zips.content(path, archive, "config.json", bounds))
        metadata = json.loads(_zips.content(path, archive, "metadata.json", bounds))
        members = archive.infolist()
    nodes = list(_classes(config, path, bounds.depth))
    code = tally((short(node["class_name"], bounds), 1) for node in nodes if node["class_name"] in CODE)
    modules = (str(node.get("module") or "keras") for node in nodes)
    foreign = tally((short(one, bounds), 1) for one in modules if one.split(".")[0] not in ("keras", "builtins"))
    dangers = []
    if code:
        dangers.append(Danger(what="code in a layer", where="config.json", executes="when loaded", detail=_told(code)))
    if foreign:
        dangers.append(
            Danger(
                what="classes of other modules",
                where="config.json",
                executes="with code from elsewhere",
                detail=_told(foreign),
            )
        )
    return Look(
        operators=tally((short(node["class_name"], bounds), 1) for node in nodes),
        members=len(members),
        unpacked=sum(one.file_size for one in members),
        metadata=cut(metadata if isinstance(metadata, dict) else {}, bounds),
        dangers=tuple(dangers),
    )


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in list(counts.items())[:MOST])


def _classes(value: Any, path: Path, depth: int) -> Iterator[dict[str, Any]]:
    if depth == 0:
        raise refused(path, "its configuration nests too deeply", "depth")
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            yield value
        for one in value.values():
            yield from _classes(one, path, depth - 1)
    elif isinstance(value, list):
        for one in value:
            yield from _classes(one, path, depth - 1)
