"""Bad model files for hostile.py: damaged ones, pickles under every name, messages that say impossible things."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _planted import SUFFIXES, damaged, pickled


def model(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """Write a bad model file into the folder; gives its name."""
    way = draw.choice((_damaged_model, _damaged_model, _odd_onnx, _odd_onnx, _pickle, _safetensors))
    return way(draw, home, folder, mark)


def _damaged_model(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    name = draw.choice(("model.onnx", "model.onnx", "model.onnx", "w.safetensors"))
    (folder / name).write_bytes(damaged(draw, (home / name).read_bytes()))
    return name


def _pickle(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    name = f"evil{draw.choice(SUFFIXES)}"
    (folder / name).write_bytes(pickled(mark, draw.choice(("0", "1", "2", "4", "5", "gzip", "zip", "pt2"))))
    return name


def _safetensors(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    tensor = {"dtype": draw.choice(("F32", "F32", "X9", 3)), "shape": draw.choice(([4, 4], [10**18], [-1], "a", [[]])), "data_offsets": draw.choice(([0, 64], [0, 2**63], [-64, 64], [64, 0], [0], "ab", None, [0.5, 64], ["a", "b"], [True, 64]))}  # fmt: skip
    header: Any = draw.choice(({"w": tensor}, {"w": tensor, "b": tensor}, {"w": 3}, [], [tensor], 3, None, {"__metadata__": 3}, {"w": tensor, "__metadata__": {"a": []}}, {}))  # fmt: skip
    text = draw.choice(
        (
            json.dumps(header),
            json.dumps(header),
            "[" * 100_000,
            '{"a":' * 5000,
            "9" * 5000,
            "\ud800",
            '{"w": 1, "w": 2}',
            "NaN",
        )
    )
    encoded = text.encode("utf-8", "surrogatepass")
    length = draw.choice((len(encoded), len(encoded), len(encoded), 2**63, 2**64 - 1, 0, 10**8, len(encoded) + 64))
    (folder / "w.safetensors").write_bytes(length.to_bytes(8, "little") + encoded + bytes(64))
    return "w.safetensors"


def _odd_onnx(draw: random.Random, home: Path, folder: Path, mark: Path) -> str:
    """Well-formed messages that say impossible things."""
    import onnx

    made = onnx.load(home / "model.onnx")
    graph = made.graph
    for _ in range(draw.choice((1, 1, 2, 3))):
        draw.choice(_ODD_GRAPHS)(draw, made, graph)
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    return "model.onnx"


def _dims(draw: random.Random, made: Any, graph: Any) -> None:
    draw.choice(graph.initializer).dims[:] = draw.choice(
        ([10**12], [2**62, 2**62], [-1], [], [0], [1] * 5000, [2**31, 2**31])
    )


def _type(draw: random.Random, made: Any, graph: Any) -> None:
    tensor = draw.choice([*graph.input, *graph.output]).type.tensor_type
    tensor.elem_type = draw.choice((0, 8, 16, 23, 99, 2**31 - 1, -1))


def _shape(draw: random.Random, made: Any, graph: Any) -> None:
    tensor = draw.choice([*graph.input, *graph.output]).type.tensor_type
    del tensor.shape.dim[:]
    for size in draw.choice(((), (10**18,), (-5, 32), (0, 0), (1,) * 3000, (2**62, 2**62, 2**62), (10**6, 10**6))):
        tensor.shape.dim.add().dim_value = size


def _kind(draw: random.Random, made: Any, graph: Any) -> None:
    value = draw.choice([*graph.input, *graph.output])
    value.ClearField("type")
    if draw.random() < 0.7:
        getattr(
            value.type, draw.choice(("sequence_type", "map_type", "optional_type", "sparse_tensor_type"))
        ).SetInParent()


def _data_type(draw: random.Random, made: Any, graph: Any) -> None:
    draw.choice(graph.initializer).data_type = draw.choice((0, 8, 99, -1, 2**31 - 1))


def _name(draw: random.Random, made: Any, graph: Any) -> None:
    one = draw.choice([*graph.input, *graph.output, *graph.node, *graph.initializer])
    one.name = draw.choice(("", "\x00", "\x1b[2J", "a" * 10**5, "é\u202e", "features", "{{ 7 }}", "%s"))


def _node(draw: random.Random, made: Any, graph: Any) -> None:
    node = draw.choice(graph.node)
    way = draw.choice(("op", "domain", "self", "none", "many"))
    if way == "op":
        node.op_type = draw.choice(("", "Loop", "Nothing", "PyOp", "Scan", "Constant"))
    elif way == "domain":
        node.domain = draw.choice(("com.microsoft", "evil", "\x00"))
    elif way == "self":
        node.input[:] = list(node.output)
    elif way == "none":
        node.input[:] = [] if draw.random() < 0.5 else ["nowhere"]
    else:
        graph.node.extend([node] * 200)


def _opset(draw: random.Random, made: Any, graph: Any) -> None:
    made.ir_version = draw.choice((0, -1, 3, 99, 2**62))
    if draw.random() < 0.5:
        del made.opset_import[:]
        made.opset_import.add().version = draw.choice((0, -1, 999, 2**62))


def _outside(draw: random.Random, made: Any, graph: Any) -> None:
    tensor = draw.choice(graph.initializer)
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    where = draw.choice(
        (
            "../rows.npz",
            "/etc/passwd",
            "",
            ".",
            "..",
            "\x00",
            "a" * 5000,
            "rows.npz",
            "/dev/zero",
            "model.onnx",
            "~",
            "a/../../x",
        )
    )
    for key, value in (("location", where), ("offset", draw.choice(("0", "-1", "x", "9" * 5000, "1e9"))), ("length", draw.choice(("4", "-4", "x", "99999999999999", "")))):  # fmt: skip
        if draw.random() < 0.8:
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value


def _nested(draw: random.Random, made: Any, graph: Any) -> None:
    attribute = draw.choice(graph.node).attribute.add()
    attribute.name, attribute.type = "then_branch", 5
    inner = attribute.g
    for _ in range(draw.choice((3, 25, 30))):
        deeper = inner.node.add()
        deeper.op_type = "If"
        one = deeper.attribute.add()
        one.name, one.type = "then_branch", 5
        inner = one.g


_ODD_GRAPHS: tuple[Callable[[random.Random, Any, Any], None], ...] = (_dims, _type, _shape, _kind, _data_type, _name, _node, _opset, _outside, _nested)  # fmt: skip
