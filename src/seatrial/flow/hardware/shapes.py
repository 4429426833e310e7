"""Shapes of every tensor of an ONNX graph, where the standard's own inference needs help.

Exporters compute the target of a reshape from the shape of another tensor. Once rows and free axes have a length, these small sums can be
done beforehand (with the reference implementation of the standard), and shapes that hang on them become known.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from seatrial.errors import ModelError
from seatrial.numerics import fused_work

ROUNDS = 40
"""Most times that newly known sums are put in; each may make the next ones known."""
SMALL = 64
"""Numbers in a tensor, at most, that is taken for a shape or a part of one."""
SUMS = {"Concat", "Gather", "Slice", "Mul", "Add", "Sub", "Div", "Mod", "Unsqueeze", "Squeeze", "Cast", "Reshape", "Identity", "Min", "Max", "Range", "ReduceProd", "ReduceSum", "ConstantOfShape", "Where", "Equal", "Expand", "Floor", "Ceil", "Constant"}  # fmt: skip
"""Operators that exporters build shapes with."""


def inferred(model: Any, file: Path) -> Any:
    """The model with the shapes of its tensors, as far as they can be known before it runs. Raises `ModelError`."""
    told: dict[str, Any] = {}
    for _ in range(ROUNDS):
        found = _inferred(model, file)
        fresh = _tell_fused(found.graph, told)
        if not _unknown(found.graph) or not fresh + _sums(found):
            break
        model = found
        del model.graph.value_info[:]
        model.graph.value_info.extend(told.values())
    return found


def known(value: Any) -> tuple[int, ...] | None:
    """The shape of a tensor's entry; None where it isn't all numbers."""
    kind = value.type.tensor_type
    if not kind.HasField("shape") or not all(axis.HasField("dim_value") for axis in kind.shape.dim):
        return None
    return tuple(axis.dim_value for axis in kind.shape.dim)


def _inferred(model: Any, file: Path) -> Any:
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:
        raise ModelError(f"the shapes in {file} don't fit together: {error}") from error


def _unknown(graph: Any) -> bool:
    shapes = {one.name for one in (*graph.value_info, *graph.output) if known(one) is not None}
    return any(name and name not in shapes for node in graph.node for name in node.output)


def _tell_fused(graph: Any, told: dict[str, Any]) -> int:
    """Says the shapes of what operators give that the standard doesn't know, in the graph and in `told`; how many there were."""
    from onnx import TensorProto, helper

    entries = {one.name: one for one in (*graph.input, *graph.value_info, *graph.output)}
    shapes = {name: known(one) for name, one in entries.items()} | {
        one.name: tuple(one.dims) for one in graph.initializer
    }
    types = {name: one.type.tensor_type.elem_type for name, one in entries.items()} | {
        one.name: one.data_type for one in graph.initializer
    }
    said = 0
    for node in graph.node:
        one = fused_work.find(node.domain, node.op_type)
        if one is None or any(name and shapes.get(name) is None for name in node.input[: fused_work.BY_SHAPE]):
            continue
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        try:
            given = one.gives([shapes.get(name) for name in node.input], attributes)
        except (ValueError, KeyError):  # it stays unknown, and is named as such
            continue
        type_ = TensorProto.FLOAT if one.like is None else types.get(node.input[one.like]) or TensorProto.FLOAT
        for name, shape in zip(node.output, given, strict=False):
            if name and shape is not None and shapes.get(name) is None:
                shapes[name], types[name] = shape, type_
                told[name] = helper.make_tensor_value_info(name, type_, shape)
                _place(graph, entries.get(name), told[name])
                said += 1
    return said


def _place(graph: Any, entry: Any, told: Any) -> None:
    """Writes a shape where the graph has an entry for that tensor, or adds one."""
    if entry is None:
        graph.value_info.append(told)
    else:
        entry.type.CopyFrom(told.type)


def _sums(model: Any) -> int:
    """Does the sums that can be done and makes constants of them; how many there were."""
    from onnx import TensorProto, numpy_helper

    graph, versions = model.graph, {one.domain: one.version for one in model.opset_import}
    shapes = {one.name: known(one) for one in (*graph.input, *graph.value_info, *graph.output)}
    values = {
        one.name: numpy_helper.to_array(one)
        for one in graph.initializer
        if math.prod(one.dims) <= SMALL and one.data_location != TensorProto.EXTERNAL
    }
    done = []
    for node in graph.node:
        found = _value(node, values, shapes, versions)
        if found is not None:
            values[node.output[0]] = found
            done.append(node)
    for node in done:
        graph.initializer.append(numpy_helper.from_array(values[node.output[0]], node.output[0]))
        graph.node.remove(node)
    return len(done)


def _value(node: Any, values: dict[str, Any], shapes: dict[str, Any], versions: dict[str, int]) -> Any:
    """What this operator gives, if that is small and all that it takes is known."""
    import numpy as np
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    if len(node.output) != 1:
        return None
    if node.op_type == "Shape":
        shape, ends = shapes.get(node.input[0]), {one.name: one.i for one in node.attribute}
        return None if shape is None else np.array(shape[ends.get("start", 0) : ends.get("end")], np.int64)
    if node.op_type not in SUMS or not all(name in values for name in node.input if name) or _large(node, values):
        return None
    given = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values[name].dtype), values[name].shape) for name in dict.fromkeys(node.input) if name]  # fmt: skip
    graph = helper.make_graph([node], "sum", given, [helper.make_empty_tensor_value_info(node.output[0])])
    try:
        (answer,) = ReferenceEvaluator(graph, opsets=versions).run(None, {one.name: values[one.name] for one in given})
    except (RuntimeError, ValueError, IndexError):  # it stays unknown, and is named as such
        return None
    return np.asarray(answer) if np.size(answer) <= SMALL else None


def _large(node: Any, values: dict[str, Any]) -> bool:
    """Whether the result of an operator that makes much of little would be more than a shape: it isn't computed then."""
    import numpy as np

    if node.op_type == "Range":
        start, limit, step = (float(values[name]) for name in node.input)
        return not step or not abs((limit - start) / step) <= SMALL
    if node.op_type in ("ConstantOfShape", "Expand"):
        return not 0 <= float(np.prod(values[node.input[-1]].astype(np.float64))) <= SMALL
    return False
