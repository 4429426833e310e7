"""An OpenVINO model (.xml with .bin): layers, weights, inputs and outputs from the XML, read without entities and piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

from seatrial.contracts.inspection import Beside, Bounds, Danger, Look, Tensor
from seatrial.parts.formats._reading import beside, cut, numbers, reading, refused, short, tally

GIVES = {"suffix": (".xml",)}
OPSETS = tuple(f"opset{number}" for number in range(1, 33))
TYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "f64": "float64", "boolean": "bool", "string": "text"}
TYPES |= {
    f"{kind}{bits}": f"{'int' if kind == 'i' else 'uint'}{bits}"
    for kind in "iu"
    for bits in (1, 2, 3, 4, 6, 8, 16, 32, 64)
}
PIECE = 2**16


def recognises(path: Path, start: bytes) -> bool:
    """XML whose first element is `net`."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text.startswith((b"<?xml", b"<net", b"<!")) and b"<net" in start


def look(path: Path, bounds: Bounds) -> Look:
    """Layers by type, constants, parameters and results, and the .bin file beside it."""
    with reading(path, "an OpenVINO model"):
        found = _Layers(path, bounds)
        found.read()
    weights = beside(path.parent, path.with_suffix(".bin").name, bounds)
    precision = tally(found.constants)
    return Look(
        summary=short(f"IR version {found.net.get('version', '?')}", bounds),
        parameters=sum(precision.values()),
        precision=precision,
        operators=tally(found.kinds),
        inputs=tuple(found.inputs),
        outputs=tuple(found.outputs),
        opset={name: count for name, count in tally((one, 1) for one in found.sets).items() if name in OPSETS},
        metadata=cut({"name": found.net.get("name", "")} | found.said, bounds),
        beside=(weights,) if found.end or not weights.problem else (),
        dangers=_dangers(found, weights, bounds),
        notes=(*_short_of(found.end, weights), "under `opset`: how many layers are of each set of operators"),
    )


def _dangers(found: _Layers, weights: Beside, bounds: Bounds) -> tuple[Danger, ...]:
    odd = tally((short(f"{set_}.{kind}", bounds), 1) for set_, kind in found.foreign)
    made = []
    if odd:
        detail = ", ".join(f"{name} ({count})" for name, count in list(odd.items())[:8])
        made.append(Danger(what="custom operators", where="layers", executes="with code from elsewhere", detail=detail))
    if weights.problem and weights.problem != "it isn't there" and found.end:
        made.append(Danger(what="external data", where=weights.name, executes="perhaps", detail=weights.problem))
    return tuple(made)


def _short_of(end: int, weights: Beside) -> tuple[str, ...]:
    if end and weights.problem == "it isn't there":
        return (f"its weights {weights.name} aren't beside it",)
    if weights.bytes is not None and end > weights.bytes:
        return (f"{weights.name} has {weights.bytes} bytes, the model reads {end}: it is cut off, or another model's",)
    return ()


class _Layers:
    """What is noted of each element while it passes. Entities are refused where they are declared, before any is expanded."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        self.path, self.bounds = path, bounds
        self.net: Mapping[str, str] = {}
        self.kinds: list[tuple[str, int]] = []
        self.sets: list[str] = []
        self.foreign: list[tuple[str, str]] = []
        self.constants: list[tuple[str, int]] = []
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.said: dict[str, str] = {}
        self.end = 0
        self._open: list[str] = []
        self._layer: Mapping[str, str] = {}
        self._data: Mapping[str, str] = {}
        self._shape: list[int | str] = []
        self._text = ""

    def read(self) -> None:
        """The file, piece by piece."""
        parser: Any = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._stop
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = self._refuse
        left = self.bounds.header
        with self.path.open("rb") as file:
            while piece := file.read(PIECE):
                left -= len(piece)
                if left < 0:
                    raise refused(self.path, f"it holds more than {self.bounds.header} bytes of XML", "header")
                parser.Parse(piece, False)
        parser.Parse(b"", True)
        if not self.net:
            raise ValueError("it has no `net`")

    def _refuse(self, *_: object) -> None:
        raise refused(self.path, "it declares a document type or entities, as bombs do; models don't")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if len(self._open) > self.bounds.depth:
            raise refused(self.path, "its elements nest too deeply", "depth")
        self._text = ""
        if name == "net" and len(self._open) == 1:
            self.net = attributes
        elif name == "layer":
            self._layer, self._data, self._shape = attributes, {}, []
        elif name == "data" and self._open[-2:-1] == ["layer"]:
            self._data = attributes
        elif name == "port":
            self._shape = []
        elif "rt_info" in self._open and "value" in attributes and len(self._open) <= 6:
            self.said[name] = attributes["value"]

    def _characters(self, text: str) -> None:
        if len(self._text) < 64:
            self._text += text

    def _stop(self, name: str) -> None:
        if name == "dim":
            length = self._text.strip()
            self._shape.append("?" if length.startswith("-") else int(length))
        elif name == "layer":
            self._layer_ends()
        self._open.pop()

    def _layer_ends(self) -> None:
        kind, set_, data = self._layer.get("type", "?"), self._layer.get("version", ""), self._data
        self.kinds.append((short(kind, self.bounds), 1))
        self.sets.append(set_)
        if set_ not in OPSETS:
            self.foreign.append((set_, kind))
        dtype = TYPES.get(data.get("element_type", ""), data.get("element_type", ""))
        if kind == "Const":
            count = numbers(
                self.path, [int(one) for one in data.get("shape", "").split(",") if one.strip()], self.bounds
            )
            self.constants.append((dtype, count))
            self.end = max(self.end, int(data.get("offset", 0)) + int(data.get("size", 0)))
        name = short(self._layer.get("name", ""), self.bounds)
        if kind == "Parameter":
            axes = [one.strip() for one in data.get("shape", "").split(",") if one.strip()]
            shape = tuple(int(one) if one.isdigit() else "?" for one in axes)
            self.inputs.append(Tensor(name=name, dtype=dtype, shape=shape))
        elif kind == "Result":
            self.outputs.append(Tensor(name=name, shape=tuple(self._shape)))
