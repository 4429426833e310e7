"""Three parties for tests: models, rows, keys and terms, and what the processes of all three come to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx.helper as helper
from onnx import numpy_helper

from seatrial.contracts.parties import ROLES, Card, Terms
from seatrial.errors import SeatrialError
from seatrial.flow.secure import keys, network, party
from seatrial.flow.secure import terms as written
from seatrial.flow.secure.order import Order

Node = tuple[str, list[Any], dict[str, Any]]
HERE = "127.0.0.1"


def save(file: Path, shape: Sequence[int], nodes: Sequence[Node], outputs: int = 3) -> Path:
    """An ONNX file of one chain: each node takes the one before it and its arrays."""
    made, constants, last = [], [], "x"
    for place, (kind, arrays, options) in enumerate(nodes):
        names = [f"c{place}_{index}" for index in range(len(arrays))]
        constants += [numpy_helper.from_array(np.asarray(one), name) for one, name in zip(arrays, names, strict=True)]
        made.append(helper.make_node(kind, [last, *names], [f"v{place}"], **options))
        last = f"v{place}"
    rows = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", *shape])
    scores = helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, ["n", outputs])
    graph = helper.make_graph(made, "chain", [rows], [scores], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(file))
    return file


def weights(seed: int, *shape: int) -> Any:
    return (np.random.default_rng(seed).normal(size=shape) * 0.5).astype(np.float32)


LINEAR: list[Node] = [("Gemm", [weights(1, 4, 3), weights(2, 3)], {})]
MLP: list[Node] = [
    ("MatMul", [weights(3, 4, 5)], {}),
    ("Add", [weights(4, 5)], {}),
    ("Relu", [], {}),
    ("Gemm", [weights(5, 3, 5), weights(6, 3)], {"transB": 1}),
    ("Softmax", [], {"axis": 1}),
]
CNN: list[Node] = [
    ("Conv", [weights(7, 2, 1, 3, 3), weights(8, 2)], {"pads": [1, 1, 1, 1]}),
    ("Relu", [], {}),
    ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", [], {"kernel_shape": [2, 1], "strides": [1, 1]}),
    ("Flatten", [], {}),
    ("Gemm", [weights(9, 4, 3), weights(10, 3)], {}),
]


class Table(NamedTuple):
    """Everything that three parties need, in one folder each; `folder` holds the files."""

    folder: Path
    terms: Terms
    model: Path
    rows: Path


def ports(count: int) -> list[int]:
    held = [socket.create_server((HERE, 0)) for _ in range(count)]
    found = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return found


def cards(folder: Path, hosts: Sequence[str] = ("", HERE, HERE)) -> tuple[Card, ...]:
    made = []
    for role, host, port in zip(ROLES, hosts, (0, *ports(2)), strict=True):
        if not (folder / role).exists():
            keys.make(folder / role, role)
        text = (folder / role / keys.CERTIFICATE).read_text()
        made.append(Card(role=role, name=role, certificate=text, host=host, port=port))
    return tuple(made)


def table(folder: Path, nodes: Sequence[Node], shape: Sequence[int] = (4,), rows: int = 8, **said: Any) -> Table:
    """Keys, a model, rows, and the terms for them."""
    model = save(folder / "model.onnx", shape, nodes)
    draw = np.random.default_rng(0)
    np.savez(folder / "rows.npz", x=draw.random((rows, *shape), np.float32), y=draw.integers(0, 3, rows))
    given = {"parties": cards(folder), "rows": rows, "low": 0.0, "high": 1.0, "classes": ("a", "b", "c"), "counts": "confusion", "fraction": 12, "patience": 20.0}  # fmt: skip
    made = written.write(network.read(model), folder / "terms.json", given | said)
    return Table(folder, made, model, folder / "rows.npz")


def order(at: Table, role: str, **said: Any) -> Order:
    brings = {"model": str(at.model), "data": str(at.rows)}.get(role, "")
    given = {"role": role, "terms": at.terms, "keys": str(at.folder / role), "brings": brings, "wait": 30.0}
    return Order.model_validate(given | said)


def play(at: Table, changed: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """All three at once: by role what came of it, or the error."""
    orders = [order(at, role, **(changed or {}).get(role, {})) for role in ROLES]
    with ThreadPoolExecutor(3) as pool:
        return dict(zip(ROLES, pool.map(_one, orders), strict=True))


def _one(order: Order) -> Any:
    try:
        return party.take_part(order)
    except SeatrialError as error:
        return error


def start(order: Order, program: str = "from seatrial.flow.secure.worker import main; main()") -> Any:
    """A party's process alone, for tests that do it harm: its answer is a line of JSON on stdout."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    process.stdin.write(order.model_dump_json(by_alias=True) + "\n")
    process.stdin.flush()
    return process


def plain(at: Table, classes: int = 3) -> Any:
    """Scores of the rows by ONNX Runtime, and the counts (predicted x label) that they make."""
    import onnxruntime

    kept = np.load(at.rows)
    scores = onnxruntime.InferenceSession(str(at.model), providers=["CPUExecutionProvider"]).run(None, {"x": kept["x"]})
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (scores[0].argmax(axis=1), kept["y"]), 1)
    return scores[0], counts
