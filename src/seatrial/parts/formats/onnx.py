"""An ONNX file: its graph is parsed, no runtime sees it; operators of foreign domains, embedded programs and files that lead out are told.

Weights are counted by their shapes. Data beside the model is hashed where it is a plain file in the model's folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.contracts.inspection import Bounds, Danger, Look, Tensor
from seatrial.parts.formats._reading import beside, cut, numbers, reading, refused, short, tally

NEEDS = ("onnx",)
GIVES = {"suffix": (".onnx",)}
CANNOT = {
    "operators of other domains": (
        "never",
        "what a library of custom operators does can't be told from the model's file",
    ),
}
STANDARD = (
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview.training",
    "com.microsoft",
    "com.microsoft.nchwc",
)
"""Domains that ONNX Runtime itself brings; any other wants a library, which is code."""
RUNS = {
    "PyOp": "calls Python",
    "PythonOp": "calls Python",
    "PythonOpGrad": "calls Python",
    "ATen": "calls PyTorch",
    "TritonOp": "calls a Triton kernel",
    "EPContext": "holds a program compiled for one device",
}
MOST_BYTES = 2**31 - 1
"""The bound of the format underneath, protocol buffers."""
MOST_DEPTH = 50
STARTS = (b"\x08", b"\x0a", b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42")
"""Tags of the fields that a model begins with."""


def recognises(path: Path, start: bytes) -> bool:
    """Named .onnx, or beginning as exporters write models: the version, then a text or a graph."""
    if start[:4] == b"PK\x03\x04" or start[:1] == b"\x80":
        return False
    told = start[:1] == b"\x08" and start[1:2] < b"\x20" and start[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42")
    return told or (path.suffix.lower() == ".onnx" and start[:1] in STARTS)


def look(path: Path, bounds: Bounds) -> Look:
    """Operators, weights, inputs and outputs, versions, metadata, files beside it."""
    import onnx

    if path.stat().st_size > MOST_BYTES:
        raise refused(path, f"it is larger than an ONNX file can be ({MOST_BYTES} bytes)")
    with reading(path, "ONNX"):
        model = onnx.load(str(path), load_external_data=False)
        if not model.graph.output and not model.graph.node:
            raise ValueError("it holds no graph")
        nodes = list(_nodes([model.graph, *model.functions]))
        tensors = list(_tensors(model))
        own = {(function.domain, function.name) for function in model.functions}
        names = sorted({_location(one) for one in tensors if one.external_data})
        files = tuple(beside(path.parent, name, bounds) for name in names)
        stored = [(_dtype(one.data_type), numbers(path, one.dims, bounds)) for one in tensors]
        precision = tally([*stored, *_learned(nodes)])
        constants = {one.name for one in model.graph.initializer}
        return Look(
            summary=short(f"{model.producer_name} {model.producer_version}".strip(), bounds),
            parameters=sum(precision.values()),
            precision=precision,
            operators=tally((_called(node, bounds), 1) for node in nodes),
            inputs=tuple(_value(one, bounds) for one in model.graph.input if one.name not in constants),
            outputs=tuple(_value(one, bounds) for one in model.graph.output),
            opset={short(one.domain or "ai.onnx", bounds): one.version for one in model.opset_import},
            metadata=cut(_metadata(model), bounds),
            beside=files,
            dangers=(*_foreign(nodes, own, bounds), *_running(nodes, bounds), *_outside(files)),
            notes=_notes(model, files),
        )


def _nodes(graphs: Any, depth: int = 0) -> Iterator[Any]:
    """Every node, those of branches, loops and functions too."""
    if depth > MOST_DEPTH:
        raise ValueError(f"graphs stand in each other more than {MOST_DEPTH} deep")
    for graph in graphs:
        for node in graph.node:
            yield node
            inner = [one.g for one in node.attribute if one.HasField("g")]
            inner += [sub for one in node.attribute for sub in one.graphs]
            yield from _nodes(inner, depth + 1)


def _tensors(model: Any) -> Iterator[Any]:
    """Stored tensors: of graphs and branches, and in `Constant` nodes; of sparse ones what is stored."""
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        yield from graph.initializer
        yield from (one.values for one in graph.sparse_initializer)
        graphs += [
            sub
            for node in graph.node
            for one in node.attribute
            for sub in ([one.g] if one.HasField("g") else one.graphs)
        ]
    for node in _nodes([model.graph, *model.functions]):
        for one in node.attribute:
            yield from ([one.t] if one.HasField("t") else one.tensors)


def _learned(nodes: list[Any]) -> Iterator[tuple[str, int]]:
    """What trees, scalers and the like hold: operators of `ai.onnx.ml` keep it in their attributes."""
    for one in (one for node in nodes if node.domain == "ai.onnx.ml" for one in node.attribute):
        yield from ((kind, len(held)) for kind, held in (("float32", one.floats), ("int64", one.ints)) if len(held))


def _location(tensor: Any) -> str:
    return next((one.value for one in tensor.external_data if one.key == "location"), "")


def _called(node: Any, bounds: Bounds) -> str:
    domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
    return short(f"{domain}{node.op_type}", bounds)


def _foreign(nodes: list[Any], own: set[tuple[str, str]], bounds: Bounds) -> Iterator[Danger]:
    """Operators that are neither a runtime's own nor functions of the model."""
    odd = [node for node in nodes if node.domain not in STANDARD and (node.domain, node.op_type) not in own]
    for domain, count in tally((short(node.domain, bounds), 1) for node in odd).items():
        kinds = sorted({short(node.op_type, bounds) for node in odd if short(node.domain, bounds) == domain})
        detail = f"{count} of the domain `{domain}`: {', '.join(kinds[:8])}"
        yield Danger(what="custom operators", where=domain, executes="with code from elsewhere", detail=detail)


def _running(nodes: list[Any], bounds: Bounds) -> Iterator[Danger]:
    for name, count in tally((node.op_type, 1) for node in nodes if node.op_type in RUNS).items():
        yield Danger(what="embedded code", where=name, executes="when loaded", detail=f"{count} times; {RUNS[name]}")


def _outside(files: tuple[Any, ...]) -> Iterator[Danger]:
    for file in files:
        if file.problem and file.problem != "it isn't there":
            yield Danger(what="external data", where=file.name, executes="perhaps", detail=file.problem)


def _notes(model: Any, files: tuple[Any, ...]) -> tuple[str, ...]:
    absent = [file.name for file in files if file.problem == "it isn't there"]
    notes = [f"the data file {name} isn't beside it" for name in absent[:5]]
    if model.functions:
        notes.append(f"it brings {len(model.functions)} functions of its own, made of the operators above")
    if model.training_info:
        notes.append("it holds a training graph")
    return tuple(notes)


def _metadata(model: Any) -> dict[str, object]:
    said: dict[str, object] = {"ir_version": model.ir_version}
    said |= {name: getattr(model, name) for name in ("domain", "model_version", "doc_string") if getattr(model, name)}
    return said | {one.key: one.value for one in model.metadata_props}


def _value(value: Any, bounds: Bounds) -> Tensor:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return Tensor(name=short(value.name, bounds), dtype=str(kind or "untyped").removesuffix("_type"))
    tensor = value.type.tensor_type
    axes = tuple(
        one.dim_value if one.HasField("dim_value") else short(one.dim_param or "?", bounds) for one in tensor.shape.dim
    )
    shape = axes if tensor.HasField("shape") else None
    return Tensor(name=short(value.name, bounds), dtype=_dtype(tensor.elem_type), shape=shape)


def _dtype(number: int) -> str:
    import onnx

    if number not in onnx.TensorProto.DataType.values():
        return f"type {number}, which ONNX doesn't have"
    name = str(onnx.TensorProto.DataType.Name(number)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)
