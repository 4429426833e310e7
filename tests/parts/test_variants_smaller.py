"""Variants that store less or leave something in float: rounding within half a scale, refused in words, bounds that hold on other rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import models
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import seatrial
from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making, Setting
from seatrial.errors import Unsupported
from seatrial.numerics import means, paired
from seatrial.parts.variants import _onnx, _weights, fp16
from seatrial.parts.variants._lost import Judge
from seatrial.testing import _models

SMALLER = ["fp16", "int8_weights", "int4_weights"]
ROWS = _models.rows(70, 32, seed=9)
NEAR = {"fp16": 0.002, "int8_weights": 0.02, "int4_weights": 0.2}
"""Largest difference over largest answer. OpenVINO rounds activations to int8 beside such weights, and says so."""


def make(name: str, artefact: Artefact, folder: Path, values: Any = None, answer: Any = None, labels: Any = None, **options: Any) -> Artefact:  # fmt: skip
    part = catalog.find("variants", name)
    making = Making(folder, 0, values, "rows" if values else None, answer=answer, labels=labels)
    return catalog.load(part).make(artefact, making, catalog.options(part, options))


def session(artefact: Artefact, runtime: str = "onnxruntime", **options: Any) -> Any:
    part = catalog.find("runtimes", runtime)
    return catalog.load(part).open(artefact, Setting(), catalog.options(part, options))


def answers(artefact: Artefact, values: Any, runtime: str = "onnxruntime", **options: Any) -> Any:
    return session(artefact, runtime, **options).predict(values)


def constants(artefact: Artefact) -> dict[str, Any]:
    return {one.name: numpy_helper.to_array(one) for one in onnx.load(artefact.files["model"]).graph.initializer}


def operators(artefact: Artefact) -> list[str]:
    return [node.op_type for node in onnx.load(artefact.files["model"]).graph.node]


SQUARE = np.random.default_rng(8).standard_normal((256, 256)).astype(np.float32)


def square(file: Path) -> Artefact:
    """One product with a matrix of 256 x 256."""
    ends = {"x": ("float32", ("rows", 256))}, {"y": ("float32", ("rows", 256))}
    return _models.onnx_file(file, [helper.make_node("MatMul", ["x", "w"], ["y"])], *ends, {"w": SQUARE})


def off(got: Any, right: Any) -> float:
    return float(np.abs(got - right).max() / np.abs(right).max())


@pytest.mark.parametrize("name", SMALLER)
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_answers_stay_near_on_two_runtimes(tmp_path: Path, name: str, runtime: str) -> None:
    made = make(name, _models.mlp_file(tmp_path / "m.onnx"), tmp_path / "made")
    if name != "int4_weights":  # whose operator is none of the standard's
        onnx.checker.check_model(made.files["model"], full_check=True)
    assert 0 < off(answers(made, {"features": ROWS}, runtime)["logits"], _models.mlp_answers(ROWS)) < NEAR[name]


@pytest.mark.parametrize("name", SMALLER)
@pytest.mark.parametrize("opset", [11, 13, 17, 20, 21])
def test_convolutions_and_opsets(tmp_path: Path, name: str, opset: int) -> None:
    image = _models.rows(20, 3, 8, 8)
    made = make(name, _models.conv_file(tmp_path / "m.onnx", opset=opset), tmp_path / "made")
    assert off(answers(made, {"image": image})["logits"], _models.conv_answers(image)) < NEAR[name]


@pytest.mark.parametrize("name", SMALLER)
def test_several_inputs_and_a_fixed_batch(tmp_path: Path, name: str) -> None:
    values = models.several_values(40)
    made = make(name, models.several(tmp_path / "s.onnx"), tmp_path / "several")
    got, right = answers(made, values), models.several_answers(values)
    assert off(got["scores"], right["scores"]) < NEAR[name]
    assert np.array_equal(got["longest"], right["longest"])
    made = make(name, _models.mlp_file(tmp_path / "m.onnx", batch=4), tmp_path / "fixed")
    assert off(answers(made, {"features": ROWS[:6]})["logits"], _models.mlp_answers(ROWS[:6])) < NEAR[name]


@pytest.mark.parametrize("name", SMALLER)
def test_large_models_keep_their_tensors_in_a_file_of_their_own(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(_onnx, "LARGE", 0)
    parent = square(tmp_path / "m.onnx")
    made = make(name, parent, tmp_path / "made")
    assert any(role.startswith("data:") for role in made.files)
    assert Path(made.files["model"]).stat().st_size < 10_000
    x = _models.rows(20, 256)
    assert off(answers(made, {"x": x})["y"], x @ SQUARE) < NEAR[name]


@pytest.mark.parametrize("name", SMALLER)
def test_what_can_not_be_made_smaller_is_refused_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=r"nothing to (quantise|convert).*1 Relu"):
        make(name, models.nothing_heavy(tmp_path / "m.onnx"), tmp_path / "none")
    with pytest.raises(Unsupported, match=r"nothing (in this model can be quantised|to convert).* weights in float16"):
        make(name, models.half(tmp_path / "h.onnx"), tmp_path / "half")


@pytest.mark.parametrize("name", ["int8_weights", "int4_weights", "int8_static"])
def test_what_is_quantised_is_not_quantised_again(tmp_path: Path, name: str) -> None:
    for first in ("int8_weights", "int4_weights"):
        once = make(first, _models.mlp_file(tmp_path / "m.onnx"), tmp_path / "once")
        with pytest.raises(Unsupported, match=r"quantised already: it holds \w+"):
            make(name, once, tmp_path / "twice", {"features": ROWS})


# --- weights only: half a scale ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_channel", [True, False])
def test_int8_weights_are_off_by_half_a_scale_at_most(tmp_path: Path, per_channel: bool) -> None:
    made = make("int8_weights", _models.conv_file(tmp_path / "m.onnx"), tmp_path / "made", per_channel=per_channel)
    found, axis = constants(made), "0" if per_channel else "all"
    for name, weight in (("kernel", _models.conv_weights()["kernel"]), ("w", _models.conv_weights()["w"])):
        stored, scale = found[f"{name}_int8_{axis}_stored"], found[f"{name}_int8_{axis}_scale"]
        assert stored.dtype == np.int8
        assert scale.shape == ((len(weight),) if per_channel else ())
        scale = scale.reshape(-1, *[1] * (weight.ndim - 1)) if per_channel else scale
        assert np.all(np.abs(stored * scale - weight) <= scale / 2 * (1 + 1e-5))
        assert name not in found


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 70),
    columns=st.integers(1, 5),
    size=st.sampled_from([16, 32, 64]),
    seed=st.integers(0, 99),
    power=st.integers(-3, 3),
)
def test_int4_blocks_are_off_by_half_a_scale_at_most(rows: int, columns: int, size: int, seed: int, power: int) -> None:
    matrix = (np.random.default_rng(seed).normal(0.3, 1, (rows, columns)) * 10.0**power).astype(np.float32)
    made = _weights.blocks(matrix, size)
    count = -(-rows // size)
    numbers = np.stack([made.stored & 15, made.stored >> 4], axis=-1).reshape(columns, count, size).astype(float)
    zeros = np.stack([made.zeros & 15, made.zeros >> 4], axis=-1).reshape(columns, -1)[:, :count].astype(float)
    back = ((numbers - zeros[..., None]) * made.scales[..., None]).reshape(columns, -1)[:, :rows].T
    scales = np.repeat(made.scales, size, axis=1)[:, :rows].T
    assert np.all(np.abs(back - matrix) <= scales / 2 * (1 + 1e-4))


@pytest.mark.parametrize("block", [16, 128])
def test_onnxruntime_reads_the_blocks_as_numpy_does(tmp_path: Path, block: int) -> None:
    """Rows that are a unit matrix give the weights back as they were stored."""
    weight = np.random.default_rng(8).standard_normal((50, 7)).astype(np.float32)
    ends = {"x": ("float32", ("rows", 50))}, {"y": ("float32", ("rows", 7))}
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    made = make("int4_weights", _models.onnx_file(tmp_path / "m.onnx", [product], *ends, {"w": weight}), tmp_path / "made", block=block)  # fmt: skip
    got = answers(made, {"x": np.eye(50, dtype=np.float32)})["y"]
    scales = np.repeat(constants(made)["w_int4_1_scales"], block, axis=1)[:, :50].T
    assert np.all(np.abs(got - weight) <= scales / 2 * (1 + 1e-4))
    assert not np.array_equal(got, weight)


def test_a_weight_that_two_layers_share_is_stored_once(tmp_path: Path) -> None:
    weight = np.random.default_rng(8).standard_normal((6, 6)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "w"], ["y"])]
    ends = {"x": ("float32", ("rows", 6))}, {"y": ("float32", ("rows", 6))}
    for name in ("int8_weights", "int4_weights"):
        made = make(name, _models.onnx_file(tmp_path / "m.onnx", nodes, *ends, {"w": weight}), tmp_path / name)
        assert sum(one.endswith("_stored") for one in constants(made)) == 1
        x = ROWS[:, :6].copy()
        assert off(answers(made, {"x": x})["y"], x @ weight @ weight) < 0.3


def test_files_are_a_quarter_and_an_eighth_of_the_size(tmp_path: Path) -> None:
    parent = square(tmp_path / "m.onnx")
    size = {name: Path(make(name, parent, tmp_path / name).files["model"]).stat().st_size for name in SMALLER}
    whole = Path(parent.files["model"]).stat().st_size
    assert whole / size["fp16"] > 1.95
    assert whole / size["int8_weights"] > 3.8
    assert whole / size["int4_weights"] > 6


def test_int4_leaves_a_product_that_is_scaled_in_float(tmp_path: Path) -> None:
    node = helper.make_node("Gemm", ["x", "w"], ["y"], alpha=2.0)
    ends = {"x": ("float32", ("rows", 6))}, {"y": ("float32", ("rows", 3))}
    parent = _models.onnx_file(tmp_path / "m.onnx", [node], *ends, {"w": np.ones((6, 3), np.float32)})
    with pytest.raises(Unsupported, match="nothing in this model can be quantised"):
        make("int4_weights", parent, tmp_path / "made")


# --- float16 ----------------------------------------------------------------------------------------------------------------


def test_float16_inside_float32_at_the_ends(tmp_path: Path) -> None:
    made = make("fp16", _models.mlp_file(tmp_path / "m.onnx"), tmp_path / "made")
    assert {value.dtype for value in constants(made).values()} == {np.dtype(np.float16)}
    graph = onnx.load(made.files["model"]).graph
    assert [one.type.tensor_type.elem_type for one in (*graph.input, *graph.output)] == [1, 1]


def overflowing(file: Path, factor: float) -> Artefact:
    """The perceptron, its hidden numbers `factor` times as large and the last weights that much smaller: the same answers."""
    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["hidden"], transB=1, name="first"),
        helper.make_node("Relu", ["hidden"], ["active"], name="middle"),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"], transB=1, name="last"),
    ]
    weights = {name: value * np.float32({"w1": factor, "b1": factor, "w2": 1 / factor, "b2": 1}[name]) for name, value in _models.mlp_weights().items()}  # fmt: skip
    ends = {"features": ("float32", ("rows", 32))}, {"logits": ("float32", ("rows", 10))}
    return _models.onnx_file(file, nodes, *ends, weights)


def evaluated(artefact: Artefact) -> Any:
    """Logits by ONNX's own evaluator, which computes in NumPy in the very types of the file."""
    return ReferenceEvaluator(artefact.files["model"]).run(None, {"features": ROWS})[0].astype(np.float64)


def test_what_overflows_on_calibration_rows_stays_in_float(tmp_path: Path) -> None:
    parent = overflowing(tmp_path / "m.onnx", 50_000.0)
    right = _models.mlp_answers(ROWS)
    blind = make("fp16", parent, tmp_path / "blind")
    seeing = make("fp16", parent, tmp_path / "seeing", {"features": ROWS})
    assert blind.lineage.found == {"left_in_float": []}
    with np.errstate(all="ignore"):  # float16 as it is written, which processors' runtimes go round
        assert not off(evaluated(blind), right) < 1
        assert off(evaluated(seeing), right) < NEAR["fp16"]
    assert seeing.lineage.found == {"left_in_float": ["first", "last", "middle"]}
    assert seeing.lineage.rows_hash == "rows"
    for optimise in ("none", "all"):
        assert off(answers(seeing, {"features": ROWS}, optimise=optimise)["logits"], right) < NEAR["fp16"]


def test_weights_beyond_float16_stay_in_float_without_rows_too(tmp_path: Path) -> None:
    made = make("fp16", overflowing(tmp_path / "m.onnx", 1e6), tmp_path / "made")
    assert made.lineage.found == {"left_in_float": ["first"]}
    assert np.abs(constants(made)["w1"]).max() > fp16.LIMIT
    assert made.lineage.rows_hash is None


def test_onnxruntime_says_in_what_it_ran_float16(tmp_path: Path) -> None:
    """The file holds float16; what was computed is read from the profile, not from the file."""
    opened = session(make("fp16", _models.mlp_file(tmp_path / "m.onnx"), tmp_path / "made"))
    opened.predict({"features": ROWS})
    facts = opened.facts()
    kinds = [name for name in facts.details["operators"] if name.startswith(("Gemm", "FusedGemm", "MatMul"))]
    assert kinds
    assert facts.precision == ("fp16" if all("float16" in kind for kind in kinds) else "fp32")


# --- rounding of outputs ----------------------------------------------------------------------------------------------------


def test_outputs_are_not_rounded_unless_asked(tmp_path: Path) -> None:
    parent = _models.mlp_file(tmp_path / "m.onnx")
    plain = make("int8_static", parent, tmp_path / "plain", {"features": ROWS})
    rounded = make("int8_static", parent, tmp_path / "rounded", {"features": ROWS}, float_outputs=False)
    assert (operators(plain)[-1], operators(rounded)[-1]) == ("Gemm", "DequantizeLinear")
    assert len(np.unique(answers(rounded, {"features": ROWS})["logits"])) <= 256
    assert len(np.unique(answers(plain, {"features": ROWS})["logits"])) > 256
    right = _models.mlp_answers(ROWS)
    wrong = [np.square(answers(one, {"features": ROWS})["logits"] - right).mean() for one in (plain, rounded)]
    assert wrong[0] < wrong[1]
    opened = session(plain)
    opened.predict({"features": ROWS})
    assert opened.facts().precision == "int8"


# --- accuracy-aware ---------------------------------------------------------------------------------------------------------

WIDE = 2000.0


def lopsided(file: Path) -> Artefact:
    """Four layers; after the second, three of 48 channels are 2000 times as large, and the third reads them that much smaller.

    Float arithmetic doesn't mind. In int8 all channels share one scale, which leaves nothing of the other 45.
    """
    draw = np.random.default_rng(6)
    shapes = {"a": (16, 48), "b": (48, 48), "c": (48, 48), "d": (48, 6)}
    weights = {name: (draw.standard_normal(shape) * 1.4 / np.sqrt(shape[0])).astype(np.float32) for name, shape in shapes.items()}  # fmt: skip
    weights["b"][:, :3] *= WIDE
    weights["c"][:3] /= WIDE
    nodes, read = [], "x"
    for name in shapes:
        last = name == "d"
        nodes.append(helper.make_node("MatMul", [read, name], ["y" if last else f"{name}_out"], name=f"layer_{name}"))
        if not last:
            nodes.append(helper.make_node("Relu", [f"{name}_out"], [f"{name}_on"], name=f"relu_{name}"))
        read = f"{name}_on"
    ends = {"x": ("float32", ("rows", 16))}, {"y": ("float32", ("rows", 6))}
    return _models.onnx_file(file, nodes, *ends, weights)


def lopsided_rows(artefact: Artefact, count: int, seed: int) -> tuple[Any, Any]:
    """Rows, and labels that the float model mostly gets right: its first class, where the first two aren't too near."""
    x = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    scores = answers(artefact, {"x": x})["y"]
    noise = np.random.default_rng(seed + 1).standard_normal(scores.shape) * 0.1 * scores.std()
    return x, (scores + noise).argmax(axis=1)


def accuracy(artefact: Artefact, x: Any, labels: Any) -> float:
    return float(np.mean(answers(artefact, {"x": x})["y"].argmax(axis=1) == labels))


def test_aware_leaves_what_hurts_and_no_more(tmp_path: Path) -> None:
    parent = lopsided(tmp_path / "m.onnx")
    x, labels = lopsided_rows(parent, 3000, 1)
    held, truth = lopsided_rows(parent, 4000, 11)
    made = {
        name: make(name, parent, tmp_path / name, {"x": x}, lambda one: {"scores": answers(one, {"x": x})["y"]}, labels)
        for name in ("int8_static", "int8_aware")
    }
    whole = accuracy(parent, held, truth)
    assert whole - accuracy(made["int8_static"], held, truth) > 0.05
    assert whole - accuracy(made["int8_aware"], held, truth) < 0.005
    found = made["int8_aware"].lineage.found
    assert {"layer_b", "layer_c"} <= set(found["left_in_float"]) < set(found["sensitivity"])
    assert found["lost"] < found["lost_at_most"] <= 0.005 < found["lost_with_all_in_int8"]
    assert list(found["sensitivity"].values()) == sorted(found["sensitivity"].values(), reverse=True)
    opened = session(made["int8_aware"])
    opened.predict({"x": x})
    assert opened.facts().precision == "int8"


def test_aware_is_plain_static_where_nothing_hurts_and_needs_no_labels(tmp_path: Path) -> None:
    parent = _models.mlp_file(tmp_path / "m.onnx")
    values = {"features": _models.rows(600, 32, seed=9)}
    made = make("int8_aware", parent, tmp_path / "aware", values, lambda one: {"scores": answers(one, values)["logits"]}, drop=0.05)  # fmt: skip
    assert made.lineage.found["left_in_float"] == []
    assert made.lineage.found["right"] == "the float model's answers"
    plain = make("int8_static", parent, tmp_path / "static", values)
    rows = {"features": ROWS}
    assert np.array_equal(answers(made, rows)["logits"], answers(plain, rows)["logits"])


def test_aware_is_refused_in_words(tmp_path: Path) -> None:
    parent = _models.mlp_file(tmp_path / "m.onnx")
    values = {"features": ROWS}
    with pytest.raises(Unsupported, match="role `calibrate`"):
        make("int8_aware", parent, tmp_path / "made")
    with pytest.raises(Unsupported, match="needs a runtime to answer"):
        make("int8_aware", parent, tmp_path / "made", values)
    with pytest.raises(Unsupported, match="needs scores of classes, or numbers; this task gives vectors"):
        make("int8_aware", parent, tmp_path / "made", values, lambda one: {"vectors": ROWS})
    few = r"70 calibration rows can't show that at most 0\.50% of the accuracy is lost, even where no answer changes: it takes 539"
    with pytest.raises(Unsupported, match=few) as refused:
        make("int8_aware", parent, tmp_path / "made", values, lambda one: {"scores": answers(one, values)["logits"]})
    assert "confidence: null" in refused.value.next_step
    turn = iter(range(1000))
    fickle = lambda one: {"scores": np.eye(10)[np.full(70, min(next(turn), 1))]}  # noqa: E731
    with pytest.raises(
        Unsupported, match=r"no layer can be in int8 with at most 5\.00% of the accuracy lost: on 70 rows"
    ):
        make("int8_aware", parent, tmp_path / "made", values, fickle, drop=0.05)


# --- what is lost, and the most that it may be ---------------------------------------------------------------------------------


def test_of_classes_the_drop_of_accuracy_is_bounded_as_a_study_bounds_it() -> None:
    labels = np.zeros(1000, int)
    before, after = np.tile([1.0, 0.0], (1000, 1)), np.tile([1.0, 0.0], (1000, 1))
    before[990:], after[:30] = [0.0, 1.0], [0.0, 1.0]  # ten were wrong and are right now, thirty the other way round
    judge = Judge("x", {"scores": before}, labels, 0.95)
    bound = paired.tango(30, 10, 1000, 0.9)
    assert judge.lost({"scores": after}) == pytest.approx((0.02, bound.high))
    assert Judge("x", {"scores": before}, labels, None).lost({"scores": after}) == (0.02, 0.02)
    fewest = judge.fewest(0.005)
    assert paired.tango(0, 0, fewest, 0.9).high <= 0.005 < paired.tango(0, 0, fewest - 1, 0.9).high


def test_of_labels_chosen_one_by_one_each_counts() -> None:
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    before = {"scores": labels * 2.0 - 1, "chosen": labels.astype(bool)}
    after = {"scores": labels * 2.0 - 1, "chosen": np.array([[1, 1], [0, 0], [0, 0], [0, 1]], bool)}
    for known in (labels, None):
        assert Judge("x", before, known, None).lost(after).share == 3 / 8
    assert Judge("x", before, labels, None).lost(before).share == 0
    assert Judge("x", before, labels, 0.9).lost(after).most == pytest.approx(means.mean([0.5, 1, 0, 0], 0.8).high)


def test_of_numbers_what_r2_loses_is_counted_and_bounded() -> None:
    draw = np.random.default_rng(3)
    labels = draw.standard_normal((4000, 2)) * [1, 100]
    before = labels + draw.standard_normal((4000, 2)) * [0.1, 10]
    after = before + draw.standard_normal((4000, 2)) * [0.05, 5]
    judge = Judge("x", {"values": before}, labels, 0.95)
    share, most = judge.lost({"values": after})
    r2 = [1 - ((one - labels) ** 2).mean(axis=0) / labels.var(axis=0) for one in (before, after)]
    assert share == pytest.approx((r2[0] - r2[1]).mean())
    assert share < most < 1.3 * share
    assert (judge.of, judge.fewest(0.005)) == ("the explained variance", 2)


@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_aware_leaves_what_hurts_of_other_tasks_too(tmp_path: Path, task: str) -> None:
    parent = lopsided(tmp_path / "m.onnx")
    x, _ = lopsided_rows(parent, 3000, 1)

    def answer(one: Artefact) -> dict[str, Any]:
        scores = answers(one, {"x": x})["y"]
        return {"values": scores} if task == "regression" else {"scores": scores, "chosen": scores > 0}

    given = answer(parent)["values" if task == "regression" else "chosen"]
    made = make("int8_aware", parent, tmp_path / task, {"x": x}, answer, given, drop=0.02)
    found = made.lineage.found
    assert {"layer_b", "layer_c"} <= set(found["left_in_float"]) < set(found["sensitivity"])
    assert found["lost_at_most"] <= 0.02 < found["lost_with_all_in_int8"]


STUDY = """\
schema: 1
name: lopsided
models:
  net:
    forms: {onnx: {path: m.onnx}}
    task: classification
    inputs: {x: {columns: x}}
    outputs: {y: {means: logits, classes: [a, b, c, d, e, f]}}
data:
  fitting: {from: {npz: {path: fit.npz}}, label: label, roles: calibrate}
  judging: {from: {npz: {path: judge.npz}}, label: label, roles: confirm}
candidates:
  - {runtime: onnxruntime, variant: [as_is, int8_static, int8_aware], batch: 64}
reference: {variant: as_is}
measure: {loads: [{offline: {seconds: 0.05}}], rounds: 1, meters: [size], metrics: [accuracy, drop, {most_changed: {rows: 4}}]}
require:
  - drop_at_most: {what: accuracy, margin: 0.5 pp}
reports: [json, html]
"""


def test_a_study_tells_sensitivity_and_lets_only_the_careful_pass(tmp_path: Path) -> None:
    parent = lopsided(tmp_path / "m.onnx")
    for name, count, seed in (("fit", 3000, 1), ("judge", 20_000, 11)):
        x, label = lopsided_rows(parent, count, seed)
        np.savez(tmp_path / f"{name}.npz", x=x, label=label)
    (tmp_path / "study.yaml").write_text(STUDY)
    dossier = seatrial.run(tmp_path / "study.yaml")
    outcome = {one.candidate.split("/")[1]: one.outcome.value for one in dossier.verdict.candidates}
    assert outcome["int8_static"] == "fail"
    assert outcome["int8_aware"] == "pass"
    told = {finding.key: finding for finding in dossier.findings if finding.candidate and "/int8_aware/" in finding.candidate}  # fmt: skip
    assert told["sensitivity{layer=layer_c}"].number > 10 * told["sensitivity{layer=layer_a}"].number
    assert "layer_b" in str(told["left_in_float"].value)
    assert told["left_in_float"].n == 3000
    artefacts = [one for one in dossier.artefacts.values() if one.lineage.recipe == "int8_aware"]
    assert artefacts[0].lineage.seconds
    assert artefacts[0].lineage.rows_hash
    page = next(tmp_path.glob(".seatrial/runs/*/report.html")).read_text()
    assert f"Leave in float: <strong>{told['left_in_float'].value}</strong>" in page
    assert 'id="sensitivity"' in page
    assert "Single rows that changed most" in page
    assert re.search(r"made by int8_aware.{0,600}in [\d.]+ s; found: layers 4, lost -?[\d.e-]+, lost at most", page)
    shown = catalog.find("reports", "terminal")
    text = " ".join(catalog.load(shown).render(dossier, catalog.options(shown)).split())
    assert "What to leave in float" in text
    assert (
        "int8_aware fp32: Leave layer_c, layer_b in float; int8 will do for the others. Most sensitive is layer_c."
        in text
    )


# --- pruning ----------------------------------------------------------------------------------------------------------------


def test_the_smallest_weights_of_each_layer_become_zero(tmp_path: Path) -> None:
    made = make("pruned", _models.mlp_file(tmp_path / "m.onnx"), tmp_path / "made", share=0.5)
    for name in ("w1", "w2"):
        before, after = _models.mlp_weights()[name], constants(made)[name]
        assert (after == 0).sum() == before.size // 2
        assert np.array_equal(after[after != 0], before[after != 0])
        assert np.abs(before[after == 0]).max() <= np.abs(after[after != 0]).min()
    assert np.array_equal(constants(made)["b1"], _models.mlp_weights()["b1"])
    assert made.lineage.found == {"zeros": 0.5, "weights": 48 * 32 + 48 * 10}


def test_whole_channels_become_zero_but_none_of_the_last_layer(tmp_path: Path) -> None:
    made = make("pruned", _models.conv_file(tmp_path / "m.onnx"), tmp_path / "made", share=0.25, of="channels")
    norms = np.square(_models.conv_weights()["kernel"]).sum(axis=(1, 2, 3))
    gone = np.square(constants(made)["kernel"]).sum(axis=(1, 2, 3)) == 0
    assert gone.sum() == 4
    assert norms[gone].max() < norms[~gone].min()
    assert np.array_equal(constants(made)["w"], _models.conv_weights()["w"])


def test_pruning_saves_no_bytes_and_says_so_where_there_is_nothing_to_prune(tmp_path: Path) -> None:
    parent = _models.mlp_file(tmp_path / "m.onnx")
    made = make("pruned", parent, tmp_path / "made", share=0.9)
    sizes = [Path(one.files["model"]).stat().st_size for one in (parent, made)]
    assert sizes[1] > 0.95 * sizes[0]
    with pytest.raises(Unsupported, match=r"nothing to prune.*1 Relu"):
        make("pruned", models.nothing_heavy(tmp_path / "n.onnx"), tmp_path / "none")
    with pytest.raises(Unsupported, match="nothing to prune"):
        make("pruned", square(tmp_path / "s.onnx"), tmp_path / "one", of="channels")
