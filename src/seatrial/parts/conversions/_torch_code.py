"""An ONNX graph as Python: a torch module that can be read, with the operators that it uses below it in the same file."""

from __future__ import annotations

import ast
import inspect
import keyword
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from seatrial.errors import Unsupported

_HOME = Path(__file__).parent
_LIBRARIES = ("base", "math", "reduce", "shapes", "layers", "resize", "recurrent", "attention", "integers", "microsoft")
_DOMAINS = {"": _LIBRARIES[:-1], "ai.onnx": _LIBRARIES[:-1], "com.microsoft": _LIBRARIES}
_AT_SIZES = {
    "Reshape": (1,),
    "Expand": (1,),
    "Tile": (1,),
    "Slice": (1, 2, 3, 4),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
    "Split": (1,),
    "Pad": (1, 3),
    "TopK": (1,),
    "Trilu": (1,),
    "ConstantOfShape": (0,),
    "Resize": (3,),
    "Range": (0, 1, 2),
} | {f"Reduce{kind}": (1,) for kind in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp")}  # fmt: skip
"""Inputs that are sizes or axes, and stay Python numbers."""
_AT_NUMBERS = {"Pad": (2,), "Resize": (2,), "Upsample": (1,), "OneHot": (1,)}
"""Inputs that are fractions, or may be, and stay Python numbers where they are constants: a compiler has to see them."""
_OF_SIZES = {"Gather", "Slice", "Concat", "Squeeze", "Unsqueeze", "Cast", "Add", "Sub", "Mul", "Div", "Mod", "Equal", "Where", "Identity", "Reshape"}  # fmt: skip
"""Operators that make sizes of sizes."""
_TAKES_SIZES = _OF_SIZES | {"Shape", "Size", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Sum", "Mean", "Pow", "Expand"}  # fmt: skip
"""Operators that take sizes where they stand for a tensor; others are given a tensor of them."""
MOST_SIZES = 64
"""Whole numbers in a constant that may be sizes."""


class Code(NamedTuple):
    """The text of the module and its weights by name."""

    text: str
    weights: dict[str, Any]


def operators() -> dict[str, Any]:
    """Every operator that is known, by its name, with the function."""
    return {
        name: value
        for library in _modules()
        for name, value in vars(library).items()
        if inspect.isfunction(value) and name[0].isupper() and value.__module__ == library.__name__
    }


def written(model: Any, origin: str) -> Code:
    """The code of an ONNX model. Raises `Unsupported` naming each operator, attribute or type that isn't known."""
    graph = _Graph(model)
    lines = graph.lines()
    head = HEAD.format(origin=origin, weights=graph.declared(), inputs=", ".join(graph.inputs), body="\n".join(lines))
    used = {node.op_type for node in graph.nodes}
    return Code(f"{head}\n\n{_library(used)}", graph.weights)


HEAD = '''"""The ONNX model {origin} as a torch module. Written by Seatrial; it needs torch alone.

Quantised numbers are carried as whole numbers in floats, and rounding passes gradients straight through.
"""
# fmt: off

from __future__ import annotations

import functools
import math
import operator

import torch
from torch.nn import functional


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
{weights}

    def forward(self, {inputs}):
{body}
'''


class _Graph:
    """One graph on its way to Python: names, constants, and which values are sizes."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 1)
        self.constants = dict(_constants(model.graph))
        self.nodes = [node for node in model.graph.node if node.op_type != "Constant"]
        self.types = _types(model)
        _refuse_types(model.graph)
        _refuse_unknown(self.nodes, self.constants)
        self.sizes = self._found_sizes()
        self.weights: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._taken = set(_pieces()) | set(keyword.kwlist) | {"self", "torch", "functional", "functools", "math", "operator"}  # fmt: skip
        initial = {tensor.name for tensor in model.graph.initializer}
        self.inputs = [self._name(value.name) for value in model.graph.input if value.name not in initial]

    def lines(self) -> list[str]:
        """The body of `forward`: a line for each node; values are let go after their last use."""
        last = {name: place for place, node in enumerate(self.nodes) for name in node.input}
        kept = {value.name for value in self.graph.output}
        lines = []
        for place, node in enumerate(self.nodes):
            lines.append(f"        {self._call(node)}")
            gone = [name for name in dict.fromkeys([*node.input, *node.output]) if last.get(name, place) == place]
            gone = [self._names[name] for name in gone if name in self._names and name not in kept]
            if gone and place < len(self.nodes) - 1:
                lines.append(f"        del {', '.join(gone)}")
        return [*lines, f"        return {{{', '.join(self._answer(value) for value in self.graph.output)}}}"]

    def declared(self) -> str:
        """A line for each weight."""
        lines = [f"        {_declared(name, value)}" for name, value in self.weights.items()]
        return "\n".join(lines) or "        # there are no weights"

    def _call(self, node: Any) -> str:
        function = operators()[node.op_type]
        known = inspect.signature(function).parameters
        given = [self._given(node, at, name) for at, name in enumerate(node.input)]
        while given and given[-1] == "None":
            given.pop()
        outputs = [name for name in node.output if name]
        named = {one.name: _attribute(one) for one in node.attribute}
        named = {name: self._held(node, value) if isinstance(value, np.ndarray) else repr(value) for name, value in named.items()}  # fmt: skip
        if "opset" in known:
            named["opset"] = repr(self.opset)
        if "kind" in known:
            named["kind"] = repr(self._kind(node))
        if "outputs" in known:
            named["outputs"] = repr(len(node.output))
        elif len(outputs) > 1 and "outputs" not in known:
            raise Unsupported(f"{node.op_type} with {len(outputs)} outputs isn't known here")
        texts = [*given, *(f"{name}={text}" for name, text in named.items())]
        targets = [self._name(name) if name else "_" for name in node.output]
        return f"{', '.join(targets)} = {node.op_type}({', '.join(texts)})"

    def _given(self, node: Any, at: int, name: str) -> str:
        """An input as it stands in the code: a name, sizes, or a weight."""
        if not name:
            return "None"
        if name not in self.constants:
            plain = name not in self.sizes or at in _AT_SIZES.get(node.op_type, ()) or node.op_type in _TAKES_SIZES
            return self._name(name) if plain else f"tensor({self._name(name)})"
        value = self.constants[name]
        if _may_be_sizes(value) and (at in _AT_SIZES.get(node.op_type, ()) or self._makes_sizes(node)):
            return repr(value.tolist())
        if _few(value) and (at in _AT_NUMBERS.get(node.op_type, ()) or (node.op_type in _AXIS and at == 1)):
            return _literal(value.tolist())
        return f"self.{self._weight(name, value)}"

    def _makes_sizes(self, node: Any) -> bool:
        return any(name in self.sizes for name in node.output) and any(name in self.sizes for name in node.input)

    def _held(self, node: Any, value: Any) -> str:
        return f"self.{self._weight(f'{node.output[0]}_value', value)}"

    def _weight(self, name: str, value: Any) -> str:
        known = f"w_{re.sub(r'[^0-9A-Za-z_]', '_', name)}"
        while known in self.weights and self.weights[known] is not value:
            known += "_"
        self.weights[known] = value
        return known

    def _name(self, name: str) -> str:
        if name not in self._names:
            known = re.sub(r"[^0-9A-Za-z_]", "_", name)
            known = known if known[:1].isalpha() else f"v_{known}"
            while known in self._taken:
                known += "_"
            self._taken.add(known)
            self._names[name] = known
        return self._names[name]

    def _kind(self, node: Any) -> str:
        """The type of a quantised result: of its zero point, else as inferred, else unsigned bytes."""
        names = list(inspect.signature(operators()[node.op_type]).parameters)
        at = next(names.index(name) for name in ("y_zero", "zero") if name in names)
        zero = node.input[at] if at < len(node.input) else ""
        return self.types.get(zero) or self.types.get(node.output[0]) or "uint8"

    def _answer(self, value: Any) -> str:
        """An output under its own name and in its own type."""
        name = value.name
        text = f"self.{self._weight(name, self.constants[name])}" if name in self.constants else self._name(name)
        return f"{name!r}: answered({text}, {value.type.tensor_type.elem_type})"

    def _found_sizes(self) -> set[str]:
        """Values that are sizes: what Shape and Size give, and what is made of sizes alone."""
        found: set[str] = set()
        for node in self.nodes:
            inputs = [name for name in node.input if name]
            constant = [name in self.constants and _may_be_sizes(self.constants[name]) for name in inputs]
            whole = all(name in found or fixed for name, fixed in zip(inputs, constant, strict=True))
            to = next((one.i for one in node.attribute if one.name == "to"), 7)
            made = node.op_type in _OF_SIZES and whole and any(name in found for name in inputs) and to in (6, 7)
            if node.op_type in ("Shape", "Size") or made:
                found.update(node.output)
        return found


# --- what is known --------------------------------------------------------------------------------------------------------


def _refuse_unknown(nodes: Iterable[Any], constants: dict[str, Any]) -> None:
    """Raises `Unsupported` with every operator and attribute that has no counterpart here."""
    known, missing = operators(), {}
    for node in nodes:
        library = _DOMAINS.get(node.domain)
        function = known.get(node.op_type)
        own = library is not None and function is not None and function.__module__.rpartition("_op_")[2] in library
        if not own:
            missing[f"{node.domain}::{node.op_type}" if node.domain else node.op_type] = None
            continue
        names = set(inspect.signature(function).parameters)
        for attribute in node.attribute:
            if attribute.name not in names:
                missing[f"{node.op_type} with `{attribute.name}`"] = None
    if missing:
        raise Unsupported(
            f"no counterpart in torch is known here for {', '.join(missing)}",
            next_step="run the model on onnxruntime or openvino, or export it from torch and name that form beside this one",
        )


def _refuse_types(graph: Any) -> None:
    """Raises `Unsupported` for inputs, outputs and casts of types that torch doesn't have, such as text."""
    import onnx

    from seatrial.parts.conversions._op_base import DTYPES

    asked = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    asked |= {node.output[0]: one.i for node in graph.node if node.op_type == "Cast" for one in node.attribute if one.name == "to"}  # fmt: skip
    for name, number in asked.items():
        if number not in DTYPES:
            kind = onnx.TensorProto.DataType.Name(number).lower() if number else "no tensor"
            raise Unsupported(f"`{name}` is {kind}, which isn't known here")


def _attribute(attribute: Any) -> Any:
    import onnx
    from onnx import numpy_helper

    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, int | float):
        return value
    return [one.decode() if isinstance(one, bytes) else one for one in value]


def _constants(graph: Any) -> Iterator[tuple[str, Any]]:
    """Initialisers and what Constant nodes hold, as arrays."""
    from onnx import numpy_helper

    if graph.sparse_initializer:
        raise Unsupported("sparse weights aren't known here", next_step="save the model with dense ones")
    for tensor in graph.initializer:
        yield tensor.name, numpy_helper.to_array(tensor)
    for node in graph.node:
        if node.op_type == "Constant":
            value = _attribute(node.attribute[0])
            if node.attribute[0].name in ("value_string", "value_strings", "sparse_value"):
                raise Unsupported(f"a constant with `{node.attribute[0].name}` isn't known here")
            dtype = {
                "value_float": np.float32,
                "value_floats": np.float32,
                "value_int": np.int64,
                "value_ints": np.int64,
            }
            yield node.output[0], np.asarray(value, dtype=dtype.get(node.attribute[0].name))


def _types(model: Any) -> dict[str, str]:
    """The type of each value in words, as far as ONNX can infer it."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except ValueError:  # larger than the format can hold: what is stated has to do
        graph = model.graph
    values = [*graph.value_info, *graph.input, *graph.output]
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    found |= {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    return {name: onnx.TensorProto.DataType.Name(number).lower() for name, number in found.items() if number}


def _may_be_sizes(value: Any) -> bool:
    return bool(value.dtype == np.int64 and value.ndim <= 1 and value.size <= MOST_SIZES)


_AXIS = ("CumSum", "CumProd")
"""Operators whose second input is an axis, of 32 or 64 bits."""


def _few(value: Any) -> bool:
    return bool(value.dtype.kind in "iuf" and value.ndim <= 1 and value.size <= MOST_SIZES)


def _literal(value: Any) -> str:
    """Numbers as Python reads them; infinity and NaN have no literal."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value) if math.isfinite(value) else f"math.{value}" if value >= 0 or value != value else "-math.inf"


def _declared(name: str, value: Any) -> str:
    """Floats can be trained, all else is a buffer."""
    shape = ", ".join(map(str, value.shape)) + ("," if value.ndim == 1 else "")
    dtype = torch_type(value)
    if dtype in ("float32", "float16", "bfloat16", "float64") and value.ndim:
        return f"self.{name} = torch.nn.Parameter(torch.zeros(({shape}), dtype=torch.{dtype}))"
    return f'self.register_buffer("{name}", torch.zeros(({shape}), dtype=torch.{dtype}))'


def torch_type(value: Any) -> str:
    """The type in which torch holds an array. Raises `Unsupported` for text and types that torch doesn't have."""
    known = {"int4": "int8", "uint4": "uint8"}.get(value.dtype.name, value.dtype.name)
    if known in ("float32", "float16", "bfloat16", "float64", "bool", "uint8", "int8", "uint16", "int16", "int32", "int64", "uint32", "uint64"):  # fmt: skip
        return known
    raise Unsupported(f"constants of the type {known} aren't known here")


# --- the library ----------------------------------------------------------------------------------------------------------


@cache
def _modules() -> tuple[ModuleType, ...]:
    import importlib

    return tuple(importlib.import_module(f"seatrial.parts.conversions._op_{name}") for name in _LIBRARIES)


@cache
def _pieces() -> dict[str, tuple[str, frozenset[str]]]:
    """Each function and constant of the library: its text and the names that occur in it."""
    found = {}
    for name in _LIBRARIES:
        text = (_HOME / f"_op_{name}.py").read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                key = node.name
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                key = node.targets[0].id
            else:
                continue
            names = frozenset(one.id for one in ast.walk(node) if isinstance(one, ast.Name)) - {key}
            found[key] = (ast.get_source_segment(text, node) or "", names)
    return found


def _library(used: Iterable[str]) -> str:
    """The text of these operators and of all that they use, constants first."""
    pieces = _pieces()
    wanted, waiting = set(), [*used, "answered"]
    while waiting:
        name = waiting.pop()
        if name in pieces and name not in wanted:
            wanted.add(name)
            waiting.extend(pieces[name][1])
    order = sorted(wanted, key=lambda name: (pieces[name][0].startswith("def "), list(pieces).index(name)))
    return "\n\n\n".join(pieces[name][0] for name in order) + "\n"
