"""Forms of one model that differ where one might not look: beside large outputs, in small ones, far down, in other numbers of rows, at NaN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from seatrial.contracts.finding import Finding, State
from seatrial.errors import SeatrialError
from seatrial.flow import forms, making
from seatrial.flow import study as flow

ROWS = 2_000
MODEL = """\
  NAME:
    forms: {onnx: {path: NAME.onnx}, python: {function: "NAME.py:predict", files: [w.npy]}}
    task: classification
    inputs: {x: {columns: x}}
    outputs: {logits: {means: logits, classes: [red, green, blue]}, more: {means: vectors}}
"""
STUDY = """\
schema: 1
name: twins
models:
MODELS
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates:
  - {model: [NAMES], runtime: [onnxruntime, python], batch: 8}
reference: {model: honest, runtime: onnxruntime}
measure: {loads: [{offline: {seconds: 0.05}}], rounds: 1, meters: [throughput], metrics: [accuracy]}
reports: [json]
"""
CODE = """
from pathlib import Path
import numpy as np
W = np.load(Path(__file__).parent / "w.npy")

def predict(x):
    logits = x @ W
    with np.errstate(all="ignore"):
        more = MORE
    more, rows = more.astype(np.float32), len(x)
    FAULT
    return {"logits": logits, "more": more}
"""
TWINS: dict[str, tuple[str, list[Any], str]] = {
    # name: what the second output is in numpy, its ONNX nodes, and what is wrong with the Python form
    "honest": ("logits * 1e6", [("Mul", ("logits", "million"))], "pass"),
    "beside_large_ones": ("logits * 1e6", [("Mul", ("logits", "million"))], "logits[:, 0] += 0.5"),
    "small_ones": ("logits * 1e-5", [("Mul", ("logits", "hundred_thousandth"))], "more = more * np.float32(1.2)"),
    "far_down": ("logits", [("Identity", ("logits",))], "logits = np.where(x[:, :1] > LATE, logits + 1, logits)"),
    "seven_rows": ("logits", [("Identity", ("logits",))], "logits = logits + 1 if rows == 7 else logits"),
    "one_row": ("logits", [("Identity", ("logits",))], "logits = logits + 1 if rows == 1 else logits"),
    "honest_nan": ("np.sqrt(logits)", [("Sqrt", ("logits",))], "pass"),
    "honest_infinite": ("np.log(np.maximum(logits, 0))", [("Relu", ("logits",)), ("Log", ("v0",))], "pass"),
    "lost_nan": ("np.sqrt(logits)", [("Sqrt", ("logits",))], "more = np.nan_to_num(more)"),
    "lost_infinite": ("np.log(np.maximum(logits, 0))", [("Relu", ("logits",)), ("Log", ("v0",))], "more = np.maximum(more, -100)"),
}  # fmt: skip


def written(folder: Path) -> Path:
    """The study of all twins on rows that are sorted by their first number."""
    draw = np.random.default_rng(0)
    weights = draw.normal(size=(4, 3)).astype(np.float32)
    x = draw.normal(size=(ROWS, 4)).astype(np.float32)
    x = x[np.argsort(x[:, 0])]
    np.savez(folder / "rows.npz", x=x, label=(x @ weights).argmax(axis=1))
    np.save(folder / "w.npy", weights)
    late = f"{float(x[int(ROWS * 0.8), 0])}"
    for name, (more, nodes, fault) in TWINS.items():
        (folder / f"{name}.py").write_text(CODE.replace("MORE", more).replace("FAULT", fault).replace("LATE", late))
        _save(folder / f"{name}.onnx", nodes, weights)
    models = "".join(MODEL.replace("NAME", name) for name in TWINS)
    file = folder / "study.yaml"
    file.write_text(STUDY.replace("MODELS\n", models).replace("NAMES", ", ".join(TWINS)))
    return file


def _save(file: Path, nodes: list[Any], weights: Any) -> None:
    made = [helper.make_node("MatMul", ["x", "w"], ["logits"])]
    for at, (kind, inputs) in enumerate(nodes):
        made.append(helper.make_node(kind, list(inputs), ["more" if at == len(nodes) - 1 else f"v{at}"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size]) for name, size in (("x", 4), ("logits", 3), ("more", 3))]  # fmt: skip
    constants = {"w": weights, "million": np.float32(1e6), "hundred_thousandth": np.float32(1e-5)}
    used = {name for node in made for name in node.input}
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used]
    graph = helper.make_graph(made, "twin", ends[:1], ends[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), file)


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    dossier = flow.run(written(tmp_path_factory.mktemp("twins")))
    return {str(one.at["model"]): one for one in dossier.findings if one.what == forms.DIFFERENCE}


@pytest.mark.parametrize("name", TWINS)
def test_a_form_that_differs_anywhere_is_refused_and_its_honest_twin_is_not(proofs: dict[str, Finding], name: str) -> None:  # fmt: skip
    proof = proofs[name]
    honest = name.startswith("honest")
    assert proof.state is (State.OK if honest else State.REFUSED), proof.note
    if honest:
        assert proof.number < 1
        assert proof.n == forms.ROWS
    else:
        assert "is not the same model" in proof.note


def test_what_is_wrong_is_said_in_words(proofs: dict[str, Finding]) -> None:
    assert "where one gives nan in `more`, the other gives 0" in proofs["lost_nan"].note
    assert "where one gives -inf in `more`, the other gives -100" in proofs["lost_infinite"].note
    assert "outputs differ by 1" in proofs["far_down"].note
    assert "spread over" in proofs["honest"].method
    assert "7" in proofs["honest"].method


def test_rows_that_prove_are_spread_over_all() -> None:
    pieces = forms._pieces(10_000)
    assert sum(last - first for first, last, size in pieces if size == forms.BATCH) == forms.ROWS
    assert (pieces[0][0], max(last for _, last, _ in pieces)) == (0, 10_000)
    assert {size for *_, size in pieces} == {forms.BATCH, 7, 1}
    for count in (1, 2, 6, 7, 63, 64, 65, 255, 256, 257, 300):
        pieces = forms._pieces(count)
        assert all(0 <= first < last <= count for first, last, _ in pieces)
        seen = {row for first, last, _ in pieces for row in range(first, last)}
        assert len(seen) >= min(count, forms.ROWS) or count > forms.ROWS


def test_the_output_that_differs_most_for_its_size_is_told() -> None:
    one = {"large": np.array([[1e6]]), "small": np.array([[0.5]])}
    other = {"large": np.array([[1e6 + 1]]), "small": np.array([[0.4]])}
    assert making.differ(one, other) == pytest.approx((0.1, 0.5))
    assert making.differ({"a": np.zeros((2, 0))}, {"a": np.zeros((2, 0))}) == (0, 0)
    odd = np.array([[np.nan, np.inf, -np.inf, 1.0]])
    assert making.differ({"a": odd}, {"a": odd.copy()}) == (0, 1)
    for wrong in (0.0, np.inf, -np.inf):
        with pytest.raises(SeatrialError, match="where one gives nan"):
            making.differ({"a": np.array([[np.nan]])}, {"a": np.array([[wrong]])})
