"""A LiteRT or TensorFlow Lite file (.tflite): its first signature, or its first graph where it has none.

Names, types and shapes of inputs and outputs are read from the file; nothing of it is run. Inputs and outputs that are stored as integers
with a scale are told as float32: the runtime quantises and dequantises them by the scale in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.part import PartOptions
from seatrial.errors import ModelError
from seatrial.numerics import flat_buffer
from seatrial.parts.subjects._files import found, looks_pickled, sha256

GIVES = {"format": ("tflite",)}
CANNOT = {
    "further signatures": ("not yet ours", "the first signature of a file is what is run"),
    "text, resources": ("not yet ours", "inputs and outputs are tensors of numbers"),
}

MAGIC = b"TFL3"
_TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8", 10: "float64", 12: "uint64", 15: "uint32", 16: "uint16"}  # fmt: skip
_QUANTISED = ("uint8", "int8", "int16")
_AGAIN = "copy or convert the file again, and compare sizes: it may be cut off"


class Options(PartOptions):
    """Which file."""

    path: str = Field(description="the .tflite file, from the study file's folder")


def read(options: Options, folder: Path) -> Artefact:
    """Check the file and describe it. Raises `ModelError` where it is no sound LiteRT file."""
    path = found(folder, options.path)
    with path.open("rb") as file:
        start = file.read(8)
    if looks_pickled(path) or start[4:8] != MAGIC:
        raise ModelError(f"{path} isn't a LiteRT file (.tflite)", next_step="name the model's file")
    return Artefact(
        format="tflite",
        files={"model": str(path)},
        hashes={"model": sha256(path)},
        signature=_signature(path),
        lineage=Lineage(recipe="given"),
    )


def _signature(path: Path) -> Signature:
    try:
        model = flat_buffer.root(path.read_bytes())
        graph, sides = _graph(model)
        tensors = list(graph.tables(0))
        specs = {side: [(name, tensors[at]) for name, at in named.items()] for side, named in sides.items()}
        rows = {_rows(tensor) for _, tensor in specs["inputs"]}
        made = {side: tuple(_spec(name, tensor) for name, tensor in named) for side, named in specs.items()}
    except (ValueError, IndexError, KeyError) as error:
        raise ModelError(f"{path} can't be read as LiteRT: {error}", next_step=_AGAIN) from error
    if not made["inputs"] or not made["outputs"]:
        raise ModelError(f"{path} holds no graph with inputs and outputs", next_step=_AGAIN)
    fixed = {one for one in rows if one is not None}
    if len(fixed) > 1:
        raise ModelError(f"{path}: inputs want different numbers of rows", next_step="convert with one batch axis")
    return Signature(**made, fixed_batch=next(iter(fixed), None))


def _graph(model: flat_buffer.Table) -> tuple[flat_buffer.Table, dict[str, dict[str, int]]]:
    """The graph that is run, and its inputs and outputs: the place of each tensor by name, in the graph's order."""
    graphs, signatures = list(model.tables(2)), list(model.tables(7))
    at = signatures[0].number(4, "<I") if signatures else 0
    if not 0 <= at < len(graphs):
        raise ValueError(f"there is no graph {at}")
    graph = graphs[at]
    tensors = list(graph.tables(0))
    sides: dict[str, dict[str, int]] = {}
    for place, side in enumerate(("inputs", "outputs")):
        order = graph.numbers(1 + place)
        named = {one.number(1, "<I"): one.text(0) for one in signatures[0].tables(place)} if signatures else {}
        names = [named.get(tensor) or tensors[tensor].text(3) for tensor in order]
        if min(order, default=0) < 0 or len(set(names)) < len(names):
            raise ValueError(f"its {side} can't be told apart")
        sides[side] = dict(zip(names, order, strict=True))
    return graph, sides


def _shape(tensor: flat_buffer.Table) -> list[int | None]:
    """Sizes along each axis, None where they vary."""
    return [one if one > 0 else None for one in tensor.numbers(7) or tensor.numbers(0)]


def _rows(tensor: flat_buffer.Table) -> int | None:
    shape = _shape(tensor)
    if not shape:
        raise ValueError(f"the input `{tensor.text(3)}` has no row axis")
    return shape[0]


def _spec(name: str, tensor: flat_buffer.Table) -> TensorSpec:
    kind = _TYPES[tensor.number(1, "<b")]
    return TensorSpec(
        name=name, dtype="float32" if kind in _QUANTISED and _scaled(tensor) else kind, shape=tuple(_shape(tensor)[1:])
    )


def _scaled(tensor: flat_buffer.Table) -> bool:
    """Whether the numbers stand for others by a scale (field 4 of a tensor, and of that field 2)."""
    details: Any = tensor.table(4)
    return bool(details and details.length(2))
