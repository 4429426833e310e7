"""Attacks on the demo's network in float, bf16 and int8 by three lines of its study; and on models whose standing is known."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from test_siege import told

import seatrial
from seatrial.contracts.dossier import Dossier

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "fashion"
LINES = """\
  security:
    linf: [0.02, 0.1]
    rows: 20
    examples: 2
    attacks: [fgsm, {apgd: {steps: 8}}, {transferred: {steps: 8}}, {square: {queries: 12}}, {rays: {queries: 12}}]
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    """The example's own study with fewer rows, candidates and measurements, and what its reader would add."""
    folder = tmp_path_factory.mktemp("demo")
    for name in ("cnn.onnx", "cnn.safetensors", "model.py"):
        shutil.copy(EXAMPLE / name, folder)
    for name, rows in (("evaluation", 60), ("calibration", 40)):
        pl.read_parquet(EXAMPLE / f"{name}.parquet")[:rows].write_parquet(folder / f"{name}.parquet")
    text = (EXAMPLE / "study.yaml").read_text()
    head, rest = text[: text.index("candidates:")], text[text.index("reference:") : text.index("measure:")]
    ways = """\
candidates:
  - {runtime: onnxruntime, variant: [as_is, int8_dynamic, int8_static], batch: 32}
  - {runtime: torch, precision: bf16, batch: 32}
"""
    file = folder / "study.yaml"
    file.write_text(f"{head}{ways}{rest}measure:\n  loads: []\n  meters: []\n  rounds: 1\n{LINES}reports: [json]\n")
    return seatrial.run(file)


def test_float_bf16_and_int8_are_attacked_alike(demo: Dossier):
    stood = {budget: told(demo, "attack.accuracy", attack="all", epsilon=budget) for budget in (0.02, 0.1)}
    assert set(stood[0.02]) == {one.label for one in demo.candidates}
    assert any("bf16" in name for name in stood[0.02])
    for name, one in stood[0.02].items():
        assert one.n == 20
        assert one.value is not None, f"{name}: {one.note}"
        assert stood[0.1][name].value <= 0.2, "a tenth of the range fools nearly every picture, in any precision"
        assert one.value >= stood[0.1][name].value
    drops = told(demo, "attack.accuracy.drop", attack="all", epsilon=0.02)
    assert len(drops) == len(stood[0.02]) - 1


def test_slopes_are_masked_in_int8_and_not_in_float(demo: Dossier):
    for name, flag in told(demo, "attack.flag", flag="masked_gradient").items():
        if "bf16" not in name:  # eight bits of a fraction are too few to tell: either may be seen
            assert flag.value is ("int8" in name), f"{name}: {flag.note}"
    beside = told(demo, "attack.flag", flag="depends_on_others")
    assert {name for name, flag in beside.items() if flag.value} <= {name for name in beside if "dynamic" in name}
    assert any(flag.value for flag in beside.values()), "dynamic int8 finds its scale anew for each batch"


def test_pictures_of_what_fooled_it_are_shown_as_it_was_asked_for(demo: Dossier):
    """Before and after are pictures of the stated size, and no pixel is farther away than the change that is stated."""
    shown = [one for one in demo.findings if one.what == "attack.example"]
    assert {one.candidate for one in shown} == {one.id for one in demo.candidates}
    for one in shown:
        pictures = []
        for name in ("before", "after"):
            head, _, code = one.artefacts[name].partition(",")
            assert head == "data:image/png;base64"
            pictures.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(code)))).astype(float) / 255)
        assert pictures[0].shape == (28, 28)
        far = float(str(one.value).split(" away")[0].split(", ")[-1])
        assert 0 < np.abs(pictures[0] - pictures[1]).max() <= far + 1.01 / 255
        assert "was taken for" in str(one.value)


# --- models whose standing is known -----------------------------------------------------------------------------------------

NAMES = ("constant", "perfect", "rounding", "plain")
STUDY = """\
schema: 1
name: known
models:
{models}data:
  evaluation: {{from: {{parquet: {{path: rows.parquet}}}}, label: label, roles: confirm}}
candidates: [{{runtime: onnxruntime, batch: 64}}]
reference: {{runtime: onnxruntime, model: plain}}
measure:
  loads: []
  meters: []
  rounds: 1
  metrics: [accuracy]
  security: {{linf: [0.05, 0.28], rows: 100, attacks: [fgsm, {{pgd: {{steps: 8, restarts: 1}}}}, {{square: {{queries: 60}}}}, {{rays: {{queries: 60}}}}]}}
reports: [json]
"""
MODEL = "  {name}:\n    forms: {{onnx: {{path: {name}.onnx}}}}\n    task: classification\n    inputs: {{x: {{columns: [a, b]}}}}\n    outputs: {{logits: {{means: logits, classes: [no, yes]}}}}\n"  # fmt: skip


def saved(folder: Path, name: str, nodes: list[Any], **constants: np.ndarray) -> None:
    values = [numpy_helper.from_array(value.astype(np.float32), key) for key, value in constants.items()]
    ends = [helper.make_tensor_value_info(key, TensorProto.FLOAT, ["rows", 2]) for key in ("x", "logits")]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / f"{name}.onnx")  # fmt: skip


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    """Rows whose first feature is 0.3 or more from 0.5, on the side that their label says.

    `constant` says always the same; `perfect` looks at the first feature alone, so that no change below 0.3 fools it; `plain` leans on
    the second too, steeply; `rounding` is `plain` behind a rounding of its inputs to sixty-fourths, a broken defence that hides slopes.
    """
    folder = tmp_path_factory.mktemp("known")
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 150)
    a = np.where(label == 1, rng.uniform(0.8, 1, 150), rng.uniform(0, 0.2, 150))
    a[:2], label[:2] = (0, 1), (0, 1)
    b = np.where(label == 1, rng.uniform(0, 0.4, 150), rng.uniform(0.6, 1, 150))
    pl.DataFrame({"a": a.astype(np.float32), "b": b.astype(np.float32), "label": label}).write_parquet(folder / "rows.parquet")  # fmt: skip
    linear = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "c"], ["logits"])]
    leaning = {"w": np.array([[-1.0, 1], [3, -3]]), "c": np.array([-1.0, 1])}
    saved(folder, "constant", linear, w=np.zeros((2, 2)), c=np.array([0.0, 1]))
    saved(folder, "perfect", linear, w=np.array([[-1.0, 1], [0, 0]]), c=np.array([0.5, -0.5]))
    saved(folder, "plain", linear, **leaning)
    rounded = [
        helper.make_node("Mul", ["x", "k"], ["much"]),
        helper.make_node("Round", ["much"], ["whole"]),
        helper.make_node("Div", ["whole", "k"], ["again"]),
        helper.make_node("MatMul", ["again", "w"], ["m"]),
        linear[1],
    ]
    saved(folder, "rounding", rounded, k=np.array([64.0]), **leaning)
    (folder / "study.yaml").write_text(STUDY.format(models="".join(MODEL.format(name=name) for name in NAMES)))
    return seatrial.run(folder / "study.yaml")


def of(dossier: Dossier, model: str, what: str, **at: Any) -> Any:
    (found,) = [one for one in dossier.findings if one.what == what and one.candidate.startswith(f"{model}/") and one.at.items() >= at.items()]  # fmt: skip
    return found


def test_a_perfect_classifier_stands_and_a_constant_one_stands_where_it_was_right(known: Dossier):
    for budget in (0.05, 0.28):
        assert of(known, "perfect", "attack.accuracy", attack="all", epsilon=budget).value == 1
        constant = of(known, "constant", "attack.accuracy", attack="all", epsilon=budget)
        assert 0.35 < constant.value < 0.65, "half the rows have the class that it always says"
    assert of(known, "constant", "attack.flag", flag="unlimited_fails").value is True
    assert of(known, "perfect", "attack.flag", flag="unlimited_fails").value is False
    assert of(known, "perfect", "attack.flag", flag="masked_gradient").value is False


def test_a_defence_that_hides_slopes_is_exposed_and_falls_all_the_same(known: Dossier):
    assert of(known, "rounding", "attack.flag", flag="masked_gradient").value is True
    assert of(known, "plain", "attack.flag", flag="masked_gradient").value is False
    for budget in (0.05, 0.28):
        plain, hidden = (of(known, name, "attack.accuracy", attack="all", epsilon=budget).value for name in ("plain", "rounding"))  # fmt: skip
        assert abs(hidden - plain) <= 0.08, "it protects from nobody"
    assert of(known, "rounding", "attack.accuracy", attack="all", epsilon=0.28).value < 0.8
