"""The operators of an ONNX file with their work: shapes are inferred for one batch size, then each operator is counted.

Constants are told from activations, what depends on constants and shapes alone is free (runtimes compute it once), and a simple
step on each element that follows another operator is taken as fused with it: the tensor between them never reaches memory.
Embedding tables are read where they are looked up and not as a whole. What stands between `QuantizeLinear` and `DequantizeLinear`
is one byte wide, and a product of two such tensors computes in int8.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.contracts.hardware import Operator, Work
from seatrial.errors import ModelError, StudyError
from seatrial.flow.hardware.shapes import SMALL, inferred, known
from seatrial.numerics import work

CONTROL = ("If", "Loop", "Scan")
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


def read(file: Path, batch: int = 1, dimensions: Mapping[str, int] | None = None, width: int = 4) -> Work:
    """Operators of this ONNX file for `batch` rows a call, floating-point numbers being `width` bytes wide.

    `dimensions` binds further free axes by their name. Raises `ModelError` for a file that can't be counted, `StudyError` for an
    axis that is left free or a batch that the file doesn't allow.
    """
    model = _loaded(file)
    _bind(model.graph, batch, dimensions or {}, file)
    model = inferred(model, file)
    graph = _graph(model.graph, width)
    operators, uncounted = [], []
    for index, node in enumerate(model.graph.node):
        try:
            one = _operator(node, index, graph)
        except ValueError as error:
            uncounted.append(f"{node.name or node.op_type}: {error}")
            continue
        operators.append(one)
        for name in node.output:
            graph.producer[name] = one.name
    operators += _transfers(model.graph, graph)
    operators = _fused(operators, model.graph, graph)
    if not sum(one.flops + one.moved for one in operators if one.kind != "transfer"):
        raise ModelError(
            f"nothing could be counted in {file}: {'; '.join(uncounted[:3]) or 'it holds no operators'}",
            next_step="measure it: `seatrial init` and `seatrial run`",
        )
    return Work(model=file.name, batch=batch, width=width, operators=tuple(operators), uncounted=tuple(uncounted))


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
    if control := [node for node in model.graph.node if node.op_type in CONTROL]:
        raise ModelError(
            f"{file} decides while it runs (`{control[0].op_type}`): how often its branches run can't be seen in the file",
            next_step="measure it: `seatrial init` and `seatrial run`",
        )
    return model


def _inputs(graph: Any) -> list[Any]:
    constants = {one.name for one in graph.initializer}
    return [one for one in graph.input if one.name not in constants]


def _bind(graph: Any, batch: int, dimensions: Mapping[str, int], file: Path) -> None:
    """Free axes get their lengths: the first of each input is rows, others by name."""
    lengths = dict(dimensions)
    for one in _inputs(graph):
        axes = one.type.tensor_type.shape.dim
        if len(axes) and axes[0].HasField("dim_param") and axes[0].dim_param:
            lengths.setdefault(axes[0].dim_param, batch)
    for one in _inputs(graph):
        for place, axis in enumerate(one.type.tensor_type.shape.dim):
            _bind_axis(axis, place, lengths, batch, one.name, file)
    del graph.value_info[:]  # what the exporter wrote there is in terms of free axes
    for one in graph.output:
        one.type.tensor_type.ClearField("shape")


def _bind_axis(axis: Any, place: int, lengths: Mapping[str, int], batch: int, name: str, file: Path) -> None:
    if axis.HasField("dim_value") and axis.dim_value > 0:
        if place == 0 and axis.dim_value != batch and axis.dim_value > 1:
            raise StudyError(
                f"{file} takes {axis.dim_value} rows a call, not {batch}", next_step=f"`--batch {axis.dim_value}`"
            )
        if place == 0 and batch != axis.dim_value:
            raise StudyError(
                f"{file} takes one row a call, not {batch}",
                next_step="`--batch 1`, or export the model with a free first axis",
            )
        return
    length = lengths.get(axis.dim_param, batch if place == 0 else None)
    if length is None:
        free = axis.dim_param or f"{name}.{place}"
        raise StudyError(
            f"axis {place} of the input `{name}` has no length in {file}", next_step=f"say one: `--axis {free}=128`"
        )
    axis.dim_value = length


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


def _operator(node: Any, index: int, graph: _Graph) -> Operator:
    """One operator counted. Raises `ValueError` where it can't be."""
    from onnx import helper

    name = node.name or f"{node.op_type}_{index}"
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
    kind = work.kind(node.op_type, inputs, attributes)
    if kind is None:
        raise ValueError(f"`{node.op_type}` isn't among the operators that can be counted")
    if kind == "free":
        graph.one_byte.update(node.output if given and given[0] in graph.one_byte else ())
        return free
    if outputs[0] is None:
        raise ValueError("how large its result is isn't known before it runs")
    flops = work.flops(node.op_type, inputs, outputs, attributes)
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
        quantised=node.op_type in QUANTISED or _both_quantised(kind, given, graph),
    )


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


def _fused(operators: list[Operator], graph: Any, known: _Graph) -> list[Operator]:
    """Simple steps joined to what comes before; the bytes between them are saved on both sides."""
    found = {one.name: one for one in operators}
    source = _sources(graph, known, found)
    for index, node in enumerate(graph.node):
        name = node.name or f"{node.op_type}_{index}"
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
