"""A skops file of scikit-learn: an archive with a tree of nodes, each of which names its type; types off the list are told as dangers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.contracts.inspection import Bounds, Danger, Look, Tensor
from seatrial.contracts.trusted import SKOPS_TYPES
from seatrial.parts.formats import _arrays, _zips
from seatrial.parts.formats._reading import refused, short, tally

GIVES = {"suffix": (".skops",)}


def recognises(path: Path, start: bytes) -> bool:
    """An archive with a member `schema.json`."""
    return _zips.kind(path, start) == "skops"


def look(path: Path, bounds: Bounds) -> Look:
    """The estimators in it, its arrays, and every type that isn't known to run no code."""
    with _zips.opened(path, bounds, "a skops file") as archive:
        root = json.loads(_zips.content(path, archive, "schema.json", bounds))
        nodes = list(_nodes(root, path, bounds.depth))
        arrays = [_arrays.member(path, archive, name, bounds) for name in archive.namelist() if name.endswith(".npy")]
        dangers = [*_odd(nodes, bounds), *_zips.pickles(path, archive, bounds)]
        members, unpacked = len(archive.namelist()), sum(one.file_size for one in archive.infolist())
    precision = tally((one.dtype, _arrays.count(one)) for one in arrays)
    dangers += [_arrays.objects(one) for one in arrays if one.dtype == "object"]
    version = root.get("_skops_version") if isinstance(root, dict) else None
    types = tally((_type(node), 1) for node in nodes if node.get("__loader__") == "ObjectNode")
    return Look(
        summary=f"skops {short(version, bounds)}" if version else "",
        operators={short(name, bounds): count for name, count in types.items()},
        parameters=sum(precision.values()),
        precision=precision,
        arrays=tuple(Tensor(name=one.name, dtype=one.dtype, shape=one.shape) for one in arrays),
        members=members,
        unpacked=unpacked,
        dangers=tuple(dangers),
    )


def _odd(nodes: list[dict[str, Any]], bounds: Bounds) -> Iterator[Danger]:
    """Nodes that their loader would build by importing and calling what isn't on the list."""
    seen: dict[str, None] = {}
    for node in nodes:
        loader = str(node.get("__loader__"))
        if _type(node) not in SKOPS_TYPES.get(loader, ()):
            seen[f"{short(_type(node), bounds)} (by {short(loader, bounds)})"] = None
    if seen:
        told = ", ".join(list(seen)[:8]) + (", ..." if len(seen) > 8 else "")
        yield Danger(what="types off the list", where="schema.json", executes="when loaded", detail=told)


def _type(node: dict[str, Any]) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _nodes(value: Any, path: Path, depth: int) -> Iterator[dict[str, Any]]:
    if depth == 0:
        raise refused(path, "its nodes nest too deeply for a model", "depth")
    if isinstance(value, dict):
        if value.keys() & {"__loader__", "__class__", "__module__"}:
            yield value
        for one in value.values():
            yield from _nodes(one, path, depth - 1)
    elif isinstance(value, list):
        for one in value:
            yield from _nodes(one, path, depth - 1)
