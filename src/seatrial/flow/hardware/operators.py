"""The operators of an ONNX file with their work: shapes are inferred for one batch size, then each operator is counted.

Constants are told from activations, what depends on constants and shapes alone is free (runtimes compute it once), and a simple
step on each element that follows another operator is taken as fused with it: the tensor between them never reaches memory.
Embedding tables are read where they are looked up and not as a whole. What stands between `QuantizeLinear` and `DequantizeLinear`
is one byte wide, and a product of two such tensors computes in int8. Operators of ONNX Runtime's own domain are counted where they
are known (`numerics.fused_work`); those of anybody else are named, whatever they are called.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.contracts.hardware import Operator, Work
from seatrial.errors import ModelError
from seatrial.flow.hardware import axes
from seatrial.flow.hardware.shapes import SMALL, inferred, known
from seatrial.numerics import fused_work, work

CONTROL = ("If", "Loop", "Scan")
STANDARD = ("", "ai.onnx")
FUSABLE = ("matmul", "convolution", "depthwise", "elementwise", "normalisation", "pooling")
"""What a simple step an element may be fused with."""
DEQUANTISED, QUANTISED = "DequantizeLinear", ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")


@dataclass
class _Graph:
    """What is known of every tensor by name."""

    shapes: dict[str, tuple[int, ...]]
    itemsize: dict[str, int]
    constants: set[str]
    from_shapes: set[str] = field(default_factory=set)
    one_byte: set[str] = field(default_factory=set)
    consumers: Counter[str] = field(default_factory=Counter)
    producer: dict[str, str] = field(default_factory=dict)

    def shape(self, name: str) -> tuple[int, ...] | None:
        return self.shapes.get(name)

    def size(self, name: str) -> float:
        """Bytes of a tensor; 0 where its shape isn't known."""
        if name not in self.shapes:
            return 0.0
        return float(math.prod(self.shapes[name]) * (1 if name in self.one_byte else self.itemsize.get(name, 4)))


def read(
    file: Path,
    batch: int = 1,
    dimensions: Mapping[str, int] | None = None,
    width: int = 4,
    rows: Mapping[str, Sequence[int]] | None = None,
) -> Work:
    """Operators of this ONNX file for `batch` rows a call, floating-point numbers being `width` bytes wide.

    `dimensions` binds further free axes by their name (or `input.place`), `rows` by the shape of one row of an input. Raises
    `ModelError` for a file that can't be counted, `StudyError` for an axis that is left free, one that isn't there, or a batch that
    the file doesn't allow.
    """
    model = _loaded(file)
    axes.bind(_inputs(model.graph), batch, dimensions or {}, rows or {}, file)
    _forget_shapes(model.graph)
    model = inferred(model, file)
    graph, names = _graph(model.graph, width), _names(model.graph.node)
    operators, uncounted = [], []
    for node, name in zip(model.graph.node, names, strict=True):
        try:
            one = _operator(node, name, graph)
        except (ValueError, KeyError) as error:
            uncounted.append(f"{name}: {error}")
            continue
        operators.append(one)
        graph.producer.update(dict.fromkeys(node.output, name))
    operators += _transfers(model.graph, graph)
    operators = _fused(operators, names, model.graph, graph)
    if not sum(one.flops + one.moved for one in operators if one.kind != "transfer"):
        raise ModelError(
            f"nothing could be counted in {file}: {'; '.join(uncounted[:3]) or 'it holds no operators'}",
            next_step="measure it: `seatrial init` and `seatrial run`",
        )
    return Work(
        model=file.name,
        batch=batch,
        width=width,
        operators=tuple(operators),
        uncounted=tuple(uncounted),
        stored=_stored(operators, names, model.graph, graph),
    )


def _stored(operators: list[Operator], names: Sequence[str], graph: Any, known: _Graph) -> float:
    """Bytes of the constants that these operators read, each once."""
    counted = {one.name for one in operators if one.kind != "free"}
    nodes = (node for node, name in zip(graph.node, names, strict=True) if name in counted)
    return sum(map(known.size, {given for node in nodes for given in node.input} & known.constants))


def _loaded(file: Path) -> Any:
    import onnx

    try:
        model = onnx.load(str(file), load_external_data=False)
    except Exception as error:
        raise ModelError(
            f"{file} can't be read as ONNX: {error}", next_step="export the model to ONNX, and name that file"
        ) from error
    if not model.graph.node:
        raise ModelError(f"{file} holds no ONNX graph", next_step="export the model to ONNX, and name that file")
    for one in model.graph.initializer:  # shapes are wanted, not weights
        if math.prod(one.dims) > SMALL:
            for values in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                one.ClearField(values)
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    for node in model.graph.node:
        _plain(node)
    if control := [node for node in model.graph.node if node.op_type in CONTROL]:
        raise ModelError(
            f"{file} decides while it runs (`{control[0].op_type}`): how often its branches run can't be seen in the file",
            next_step="measure it: `seatrial init` and `seatrial run`",
        )
    return model


def _inputs(graph: Any) -> list[Any]:
    constants = {one.name for one in graph.initializer}
    return [one for one in graph.input if one.name not in constants]


def _plain(node: Any) -> None:
    """Writes a fused operator that is the standard's, with one more step on each element, as the standard's."""
    if node.domain != fused_work.DOMAIN or node.op_type not in fused_work.PLAIN:
        return
    node.op_type, inputs = fused_work.PLAIN[node.op_type]
    node.domain = ""
    kept = [one for one in node.attribute if one.name not in fused_work.ADDED]
    del node.attribute[:], node.input[inputs:]
    node.attribute.extend(kept)


def _forget_shapes(graph: Any) -> None:
    """What the exporter wrote of tensors inside and of outputs is in terms of free axes."""
    del graph.value_info[:]
    for one in graph.output:
        one.type.tensor_type.ClearField("shape")


def _names(nodes: Iterable[Any]) -> list[str]:
    """A name of its own for every node, and none of those that transfers have: the standard doesn't ask for that."""
    found: list[str] = []
    taken = {"inputs", "outputs"}
    for index, node in enumerate(nodes):
        name = node.name or f"{node.op_type}_{index}"
        while name in taken:
            name += f" ({index})"
        taken.add(name)
        found.append(name)
    return found


def _graph(graph: Any, width: int) -> _Graph:
    from onnx import helper

    made = _Graph({}, {}, {one.name for one in graph.initializer})
    for one in (*graph.input, *graph.value_info, *graph.output):
        if (shape := known(one)) is not None:
            made.shapes[one.name] = shape
        made.itemsize[one.name] = _width(one.type.tensor_type.elem_type, width)
    for one in graph.initializer:
        made.shapes[one.name], made.itemsize[one.name] = tuple(one.dims), _width(one.data_type, width)
    for node in graph.node:
        made.consumers.update(set(node.input))
        if node.op_type == "Constant":
            made.constants.update(node.output)
            value = next((helper.get_attribute_value(one) for one in node.attribute if one.name == "value"), None)
            if value is not None:
                made.shapes[node.output[0]] = tuple(value.dims)
    made.consumers.update(one.name for one in graph.output)
    quantised = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    made.one_byte.update(name for name in quantised if made.consumers[name] == 1)
    return made


def _width(type_: int, width: int) -> int:
    """Bytes of a number of this ONNX type; floats take the width that the model would run in, where that is less."""
    from onnx import TensorProto, helper

    try:
        own = int(helper.tensor_dtype_to_np_dtype(type_).itemsize)
    except (KeyError, TypeError):
        return 4
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    return min(own, width) if type_ in floats else own


def _operator(node: Any, name: str, graph: _Graph) -> Operator:
    """One operator counted. Raises `ValueError` where it can't be."""
    from onnx import helper

    given = [one for one in node.input if one]
    free = Operator(name=name, type=node.op_type, kind="free")
    if node.op_type == "Shape" or (given and all(one in graph.constants | graph.from_shapes for one in given)):
        _settled(node, given, graph)
        return free
    if node.op_type in (DEQUANTISED, "QuantizeLinear"):
        graph.one_byte.update(node.output if node.op_type == DEQUANTISED else ())
        return free
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    inputs, outputs = [graph.shape(one) for one in node.input], [graph.shape(one) for one in node.output]
    fused, kind = _kind(node, inputs, attributes)
    if kind == "free":
        graph.one_byte.update(node.output if given and given[0] in graph.one_byte else ())
        return free
    if outputs[0] is None:
        raise ValueError("how large its result is isn't known before it runs")
    if fused is None:
        flops = work.flops(node.op_type, inputs, outputs, attributes)
    else:
        flops = fused.flops(inputs, outputs, attributes)
    constants = [one for one in given if one in graph.constants]
    written = sum(map(graph.size, node.output))
    looked_up = kind == "lookup" and given[0] in graph.constants
    return Operator(
        name=name,
        type=node.op_type,
        kind=kind,
        flops=flops,
        weights=written if looked_up else sum(map(graph.size, constants)),
        table=graph.size(given[0]) if looked_up else 0.0,
        reads=_read(node.op_type, kind, given, graph, written),
        writes=written,
        quantised=fused.quantised if fused else node.op_type in QUANTISED or _both_quantised(kind, given, graph),
    )


def _kind(node: Any, inputs: work.Shapes, attributes: Mapping[str, Any]) -> tuple[fused_work.Fused | None, str]:
    """What is known of an operator of ONNX Runtime's, and its kind. Raises `ValueError` for one that can't be counted."""
    fused = fused_work.find(node.domain, node.op_type)
    kind = work.kind(node.op_type, inputs, attributes) if node.domain in STANDARD and fused is None else None
    kind = fused.kind if fused else kind
    if not kind:
        called = node.op_type if node.domain in STANDARD else f"{node.domain}.{node.op_type}"
        raise ValueError(f"`{called}` isn't among the operators that can be counted")
    return fused, kind


def _settled(node: Any, given: list[str], graph: _Graph) -> None:
    """What comes from constants is a constant; what comes from shapes is small and known before the model runs."""
    constant = node.op_type != "Shape" and all(one in graph.constants for one in given)
    (graph.constants if constant else graph.from_shapes).update(node.output)
    if node.op_type == DEQUANTISED:
        graph.one_byte.update(node.output)


def _read(operator: str, kind: str, given: list[str], graph: _Graph, written: float) -> float:
    """Bytes of activations that are read; of what is looked up or sliced only what is taken."""
    activations = [one for one in given if one not in graph.constants and one not in graph.from_shapes]
    if kind == "lookup" or operator == "Slice":
        taken = written if given[0] in activations else 0.0
        return taken + sum(graph.size(one) for one in activations if one != given[0])
    return sum(graph.size(one) for one in dict.fromkeys(activations))


def _both_quantised(kind: str, given: list[str], graph: _Graph) -> bool:
    return kind in ("matmul", "convolution", "depthwise") and len(given) > 1 and set(given[:2]) <= graph.one_byte


def _transfers(graph: Any, known: _Graph) -> Iterator[Operator]:
    """What goes in and out of the model, from the host and back: as wide as the file says, whatever it computes in."""
    inputs, outputs = (
        sum(math.prod(known.shapes.get(one.name, (0,))) * _width(one.type.tensor_type.elem_type, 8) for one in group)
        for group in (_inputs(graph), graph.output)
    )
    yield Operator(name="inputs", type="(inputs)", kind="transfer", reads=inputs)
    yield Operator(name="outputs", type="(outputs)", kind="transfer", writes=outputs)


def _fused(operators: list[Operator], names: Sequence[str], graph: Any, known: _Graph) -> list[Operator]:
    """Simple steps joined to what comes before; the bytes between them are saved on both sides."""
    found = {one.name: one for one in operators}
    source = _sources(graph, known, found)
    for node, name in zip(graph.node, names, strict=True):
        one = found.get(name)
        if one is None or one.kind != "elementwise":
            continue
        for tensor in node.input:
            before = found.get(source.get(tensor, ""))
            if before is None or before.kind not in FUSABLE or known.consumers[tensor] != 1:
                continue
            size = known.size(tensor)
            found[before.name] = before.model_copy(update={"saved": before.saved + size})
            one = one.model_copy(update={"saved": one.saved + size, "fused": True})
            found[name] = one
            break
    return [found[one.name] for one in operators]


def _sources(graph: Any, known: _Graph, found: Mapping[str, Operator]) -> dict[str, str]:
    """By tensor the operator that computed it, seen through what only renames it."""
    source: dict[str, str] = {}
    for node in graph.node:
        if not node.output:
            continue
        by = known.producer.get(node.output[0])
        one = found.get(by or "")
        origin = source.get(node.input[0], "") if one is not None and one.kind == "free" and node.input else by
        source.update(dict.fromkeys(node.output, origin or ""))
    return source
