"""Operators that a runtime answers otherwise than ONNX says, as ONNX's own operator tests show: a model that holds one is refused on it.

Found with ONNX 1.23, OpenVINO 2026.4 and ONNX Runtime 1.32 by `benchmarks/operators.py`; a newer one that answers rightly is told by that script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Node(NamedTuple):
    """One operator of a model: what it is set to, which inputs and outputs it has, which of those are constants, and the operators' version."""

    kind: str
    settings: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: frozenset[str]
    version: int

    def given(self, at: int) -> bool:
        """Whether it has this input."""
        return at < len(self.inputs) and bool(self.inputs[at])

    def set_to(self, name: str, *values: Any) -> bool:
        """Whether it is set to one of these."""
        return self.settings.get(name) in values


Rule = tuple[tuple[str, ...], str, Callable[[Node], bool]]
_RECURRENT = ("LSTM", "GRU", "RNN")
_WINDOWS = ("left_window_size", "right_window_size")
_OPENVINO: tuple[Rule, ...] = (
    (_RECURRENT, "with rows first (`layout` 1)", lambda node: node.set_to("layout", 1)),
    (("LSTM",), "with peepholes", lambda node: node.given(7)),
    (("Attention",), "within a window", lambda node: any(node.settings.get(name, -1) >= 0 for name in _WINDOWS)),
    (
        ("Attention",),
        "that is causal, with a mask and a past",
        lambda node: node.set_to("is_causal", 1) and node.given(3) and node.given(4),
    ),
    (("BitShift",), "of signed numbers", lambda node: node.version >= 28),
    (("DFT",), "of one side", lambda node: node.set_to("onesided", 1)),
    (("DFT",), "along a computed axis", lambda node: node.given(2) and node.version >= 20),
    (
        ("MaxPool", "AveragePool"),
        "with windows that lie apart, rounded up",
        lambda node: node.set_to("ceil_mode", 1) and _apart(node.settings),
    ),
    (("SpaceToDepth",), "in the order CRD", lambda node: node.set_to("mode", b"CRD")),
    (("RoiAlign",), "with the largest number", lambda node: node.set_to("mode", b"max")),
    (("Tile",), "with computed repeats", lambda node: node.inputs[1] not in node.constants),
    (("Resize",), "with antialiasing", lambda node: node.set_to("antialias", 1)),
    (("Resize",), "that leaves out what lies outside", lambda node: node.set_to("exclude_outside", 1)),
    (
        ("Resize",),
        "that keeps the aspect ratio",
        lambda node: node.set_to("keep_aspect_ratio_policy", b"not_larger", b"not_smaller"),
    ),
)
_ONNXRUNTIME: tuple[Rule, ...] = (
    (("MaxUnpool",), "with a given size", lambda node: node.given(2)),
    (
        ("Attention",),
        "that hands out its scores, with a mask and a past",
        lambda node: len(node.outputs) > 3 and node.given(3) and node.given(4),
    ),
)


def _apart(settings: dict[str, Any]) -> bool:
    kernel = settings.get("kernel_shape", [])
    return any(step > size for step, size in zip(settings.get("strides", []), kernel, strict=False))


def openvino(file: str) -> str:
    """One sentence naming what OpenVINO answers otherwise in this ONNX file; empty where nothing of it is known."""
    return _sentence("OpenVINO", _OPENVINO, file)


def onnxruntime(file: str) -> str:
    """The same of ONNX Runtime."""
    return _sentence("ONNX Runtime", _ONNXRUNTIME, file)


def _sentence(who: str, rules: tuple[Rule, ...], file: str) -> str:
    import onnx

    model = onnx.load(file, load_external_data=False)
    version = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 1)
    nodes = [node for graph in (model.graph, *model.functions) for node in _nodes(graph, version)]
    found = [f"{node.kind} {words}" for node in nodes for kinds, words, holds in rules if node.kind in kinds and holds(node)]  # fmt: skip
    named = ", ".join(dict.fromkeys(found))
    return f"{who} answers ONNX's own tests of {named} wrongly" if named else ""


def _nodes(graph: Any, version: int) -> Iterator[Node]:
    """The operators of a graph, of the graphs in them, too."""
    import onnx

    constants = {one.name for one in getattr(graph, "initializer", ())}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    for node in graph.node:
        settings = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        if node.domain in ("", "ai.onnx"):
            yield Node(node.op_type, settings, tuple(node.input), tuple(node.output), frozenset(constants), version)
        for value in settings.values():
            if isinstance(value, onnx.GraphProto):
                yield from _nodes(value, version)
