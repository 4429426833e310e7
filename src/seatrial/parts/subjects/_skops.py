"""A skops file read by hand: a zip archive with a tree of nodes (`schema.json`) and arrays. Nothing of it is built or run.

Each node names its type and the loader that would build it. Both must be on the list in `contracts/trusted.py`.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.trusted import BIT_GENERATORS, SKOPS_TYPES
from seatrial.errors import ModelError

Node = dict[str, Any]

MOST_SCHEMA = 256 * 2**20
MOST_BYTES = 16 * 2**30
"""Bytes once unpacked: of the tree of nodes, and of the whole file."""

AGAIN = "where the model was made, write it again: `skops.io.dump(model, 'model.skops')`"
_LISTED = (
    "where the model was made, export it to ONNX with the converter of its own library, "
    "or build it of the estimators that `seatrial explain sklearn` lists"
)


class Archive:
    """An open skops file whose nodes are all on the list."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, bytes] = {}
        try:
            self._zip = zipfile.ZipFile(path)
            self._check_members()
            self.root: Node = json.loads(self._zip.read("schema.json"))
        except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, RuntimeError, OSError, zlib.error) as error:
            raise ModelError(f"{path} can't be read as a skops file: {_words(error)}", next_step=AGAIN) from error
        try:
            self.nodes = list(_walk(self.root))
            self._check_nodes()
        except RecursionError as error:
            raise ModelError(f"{path} nests too deeply for a model", next_step=AGAIN) from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    def array(self, node: Node) -> Any:
        """The array of a node that is stored as one. Raises `ModelError` where it isn't a plain one."""
        try:
            with self._zip.open(node["file"]) as file:
                return np.load(io.BytesIO(file.read()), allow_pickle=False)
        except (KeyError, ValueError, OSError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ModelError(f"{self.path}: an array can't be read: {_words(error)}", next_step=AGAIN) from error

    def value(self, node: Node) -> Any:
        """Plain values, lists and dicts of them; an estimator stays a node."""
        loader, content = node.get("__loader__"), node.get("content")
        if loader == "JsonNode":
            return json.loads(content or "null")
        if loader == "NdArrayNode" and node.get("type") == "numpy":
            return self.array(node).tolist()
        if loader in ("ListNode", "TupleNode", "NdArrayNode") and isinstance(content, list):
            return [self.value(one) for one in content]
        if loader == "DictNode" and isinstance(content, dict):
            return {name: self.value(one) for name, one in content.items()}
        return node

    def _check_members(self) -> None:
        members = self._zip.infolist()
        names = [member.filename for member in members]
        if len(set(names)) < len(names):
            raise ValueError("names of its members repeat")
        if (
            self._zip.getinfo("schema.json").file_size > MOST_SCHEMA
            or sum(one.file_size for one in members) > MOST_BYTES
        ):
            raise ValueError("it is larger, once unpacked, than any model that is read here")

    def _check_nodes(self) -> None:
        """Raises `ModelError` for a node that isn't on the list, and for two that claim to be the same one and aren't."""
        by_id: dict[str, bytes] = {}
        refused: dict[str, None] = {}
        for node in self.nodes:
            loader, type_ = node.get("__loader__"), f"{node.get('__module__')}.{node.get('__class__')}"
            if not isinstance(loader, str) or type_ not in SKOPS_TYPES.get(loader, ()) or not self._sound(node):
                refused[f"`{type_[:200]}` (by {str(loader)[:40]})"] = None
        if refused:
            shown = ", ".join(list(refused)[:5]) + (", ..." if len(refused) > 5 else "")
            raise ModelError(
                f"{self.path} holds what isn't on the list of types that are known to run no code: {shown}; nothing of it was loaded",
                next_step=_LISTED,
            )
        self._digest(self.root, by_id)

    def _digest(self, value: Any, by_id: dict[str, bytes]) -> bytes:
        """The hash of what a node holds, whatever its arrays' files are called. Raises `ModelError` for two nodes with one
        `__id__` that differ: skops would take the first for both."""
        if isinstance(value, list):
            return _hashed([self._digest(one, by_id) for one in value])
        if not isinstance(value, dict):
            return _hashed([repr(value).encode()])
        held = {name: one for name, one in sorted(value.items()) if name not in ("__id__", "file")}
        pieces = [piece for name, one in held.items() for piece in (name.encode(), self._digest(one, by_id))]
        if "__loader__" in value and isinstance(value.get("file"), str):
            pieces.append(self._member(value["file"]))
        digest = _hashed(pieces)
        if "__loader__" in value and by_id.setdefault(str(value.get("__id__", id(value))), digest) != digest:
            raise ModelError(f"{self.path}: two parts of it claim to be the same object", next_step=AGAIN)
        return digest

    def _member(self, name: str) -> bytes:
        if name not in self._members:
            try:
                with self._zip.open(name) as file:
                    self._members[name] = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
            except (KeyError, ValueError, OSError, zipfile.BadZipFile, zlib.error) as error:
                raise ModelError(f"{self.path}: an array can't be read: {_words(error)}", next_step=AGAIN) from error
        return self._members[name]

    def _sound(self, node: Node) -> bool:
        """What a loader does with names and numbers inside its node, beyond the type."""
        content = node.get("content")
        if node["__loader__"] == "RandomGeneratorNode":
            state = self.value(content["bit_generator"]) if isinstance(content, dict) else None
            return isinstance(state, dict) and state.get("bit_generator") in BIT_GENERATORS
        if node["__loader__"] == "SliceNode":
            return isinstance(content, dict) and all(one is None or type(one) is int for one in content.values())
        return True


def attributes(node: Node) -> dict[str, Node]:
    """The attributes of an estimator's node."""
    content = node.get("content")
    inner = content.get("content") if isinstance(content, dict) else None
    return inner if isinstance(inner, dict) else {}


def _walk(value: Any) -> Iterator[Node]:
    """Every dict that names a loader, a type or a module, wherever it stands."""
    if isinstance(value, dict):
        if value.keys() & {"__loader__", "__class__", "__module__"}:
            yield value
        for one in value.values():
            yield from _walk(one)
    elif isinstance(value, list):
        for one in value:
            yield from _walk(one)


def _hashed(pieces: list[bytes]) -> bytes:
    return hashlib.sha256(b"".join(len(piece).to_bytes(8, "little") + piece for piece in pieces)).digest()


def _words(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0][:200]
