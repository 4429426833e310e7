"""Variants of models not in this repository: four kinds, opsets 11 to 21, a fixed number of rows, weights beside the file and in float16, odd ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import elsewhere_models as elsewhere
import models
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making, Setting
from seatrial.errors import SeatrialError, Unsupported
from seatrial.testing import _models

WAYS: dict[str, tuple[dict[str, Any], float]] = {
    "fp16": ({}, 0.002),
    "int8_static": ({}, 0.06),
    "int8_dynamic": ({}, 0.06),
    "int8_weights": ({}, 0.05),
    "int4_weights": ({}, 0.5),
    "int8_aware": ({"drop": 0.2}, 0.06),
    "optimised": ({"level": "extended"}, 1e-5),
    "pruned": ({"share": 0.1}, 0.4),
}
"""Each way, its options, and how far answers may be off, as a share of the largest: small models without training lose much."""
ROWS = 60


def read(options: dict[str, Any], folder: Path) -> Artefact:
    part = catalog.find("subjects", "onnx")
    return catalog.load(part).read(catalog.options(part, options), folder)  # type: ignore[no-any-return]


def answers(artefact: Artefact, rows: dict[str, Any]) -> dict[str, Any]:
    part = catalog.find("runtimes", "onnxruntime")
    session = catalog.load(part).open(artefact, Setting(batch=4), catalog.options(part))
    try:
        return dict(session.predict(rows))
    finally:
        session.close()


def make(name: str, artefact: Artefact, folder: Path, rows: dict[str, Any], **options: Any) -> Artefact:
    def answer(one: Artefact) -> dict[str, Any]:
        found = np.asarray(next(iter(answers(one, rows).values())), np.float64)
        return {"scores": found.reshape(len(found), -1)}

    part = catalog.find("variants", name)
    return catalog.load(part).make(
        artefact, Making(folder, 0, rows, "rows", answer=answer), catalog.options(part, options)
    )  # type: ignore[no-any-return]


def right(model: Any, rows: dict[str, Any]) -> dict[str, Any]:
    names = [one.name for one in model.graph.output]
    return dict(zip(names, ReferenceEvaluator(model).run(None, rows), strict=True))


def check(name: str, artefact: Artefact, oracle: Any, kind: str, folder: Path) -> None:
    options, near = WAYS.get(name, ({}, 0.1))
    made = make(name, artefact, folder / name, elsewhere.values(kind, ROWS), **options)
    assert made.lineage.parent == artefact.hash
    rows = elsewhere.values(kind)
    got = answers(made, rows)
    for output, wanted in right(oracle, rows).items():
        off = np.abs(got[output] - wanted).max() / np.abs(wanted).max()
        assert off < near, (name, output, off)


@pytest.mark.parametrize("opset", [11, 13, 17, 21])
@pytest.mark.parametrize("kind", elsewhere.KINDS)
def test_every_variant_of_every_version_of_the_operators(tmp_path: Path, kind: str, opset: int) -> None:
    model, oracle = elsewhere.KINDS[kind](opset), elsewhere.KINDS[kind](17)
    artefact = read(elsewhere.saved(model, tmp_path), tmp_path)
    for name in WAYS:
        check(name, artefact, oracle, kind, tmp_path)
    if opset == 21:  # where ONNX Runtime stumbles over signed activations, unless they are called by opset 20
        check("int8_nncf", artefact, oracle, kind, tmp_path)
        rows = elsewhere.values(kind, ROWS)
        signed = make("int8_static", artefact, tmp_path / "signed", rows, activation="int8", symmetric=True)
        for output, wanted in right(oracle, rows).items():
            assert np.abs(answers(signed, rows)[output] - wanted).max() < 0.15 * np.abs(wanted).max()


@pytest.mark.parametrize("how", ["a fixed number of rows", "weights beside the file", "weights in float16"])
@pytest.mark.parametrize("kind", elsewhere.KINDS)
def test_every_variant_of_a_file_that_was_kept_otherwise(tmp_path: Path, kind: str, how: str) -> None:
    oracle = elsewhere.KINDS[kind](17)
    model = elsewhere.KINDS[kind](17, rows=3) if "fixed" in how else elsewhere.KINDS[kind](17)
    oracle = elsewhere.half_weights(oracle) if "float16" in how else oracle
    model = elsewhere.half_weights(model) if "float16" in how else model
    artefact = read(elsewhere.saved(model, tmp_path, beside="beside" in how), tmp_path)
    assert ("data:weights.bin" in artefact.files) == ("beside" in how)
    for name in WAYS:
        check(name, artefact, oracle, kind, tmp_path)


# --- odd rows, odd models ---------------------------------------------------------------------------------------------------

FITTED = ["int8_static", "int8_nncf", "int8_aware"]
FEATURES = _models.rows(ROWS, 32, seed=9)


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_rows_that_hold_no_number_are_refused(tmp_path: Path, name: str, wrong: float) -> None:
    rows = FEATURES.copy()
    rows[[3, 7], 5] = wrong
    with pytest.raises(
        Unsupported, match=r"2 of 60 calibration rows hold NaN or infinite numbers in `features`, the first is row 3"
    ):
        make(name, _models.mlp_file(tmp_path / "m.onnx"), tmp_path / "made", {"features": rows})
    assert not (tmp_path / "made").exists() or not list((tmp_path / "made").iterdir())


@pytest.mark.parametrize("options", [{}, {"method": "entropy"}])
def test_numbers_that_overflow_on_the_way_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """Rows are numbers, but e to the power of what comes inside isn't."""
    nodes = [
        helper.make_node("MatMul", ["x", "one"], ["a"]),
        helper.make_node("Exp", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "two"], ["y"]),
    ]
    ends = {"x": ("float32", ("rows", 2))}, {"y": ("float32", ("rows", 2))}
    weights = {"one": 100 * np.eye(2, dtype=np.float32), "two": np.eye(2, dtype=np.float32)}
    rows = {"x": np.array([[0.1, 0.2], [5, 0.1]], np.float32)}
    with pytest.raises(SeatrialError, match=r"NaN or infinity|not finite"):
        make(
            "int8_static",
            _models.onnx_file(tmp_path / "m.onnx", nodes, *ends, weights),
            tmp_path / "made",
            rows,
            **options,
        )


@pytest.mark.parametrize("name", ["int8_static", "int8_dynamic", "int8_weights", "int4_weights", "int8_nncf", "fp16"])
@pytest.mark.parametrize("odd", ["one row", "all rows alike", "weights zero", "one weight"])
def test_odd_rows_and_weights_give_a_right_model(tmp_path: Path, name: str, odd: str) -> None:
    shape = (1, 1) if odd == "one weight" else (4, 3)
    weight = np.zeros(shape, np.float32) if odd == "weights zero" else np.full(shape, 1.7, np.float32)
    ends = {"x": ("float32", ("rows", shape[0]))}, {"y": ("float32", ("rows", shape[1]))}
    shift = np.arange(1, shape[1] + 1, dtype=np.float32)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"])
    artefact = _models.onnx_file(tmp_path / "m.onnx", [node], *ends, {"w": weight, "b": shift})
    count = 1 if odd == "one row" else 40
    rows = np.ones((count, shape[0]), np.float32) if "alike" in odd else _models.rows(count, shape[0])
    got = answers(make(name, artefact, tmp_path / "made", {"x": rows}), {"x": rows})["y"]
    wanted = rows @ weight + shift
    assert np.abs(got - wanted).max() <= 0.02 * np.abs(wanted).max()


def test_what_changes_nothing_is_no_optimisation(tmp_path: Path) -> None:
    plain = _models.mlp_file(tmp_path / "m.onnx")
    with pytest.raises(
        Unsupported, match=r"nothing to fold or fuse at the level `basic`: 3 operators before, 3 after"
    ) as refused:
        make("optimised", plain, tmp_path / "o", {})
    assert "extended" in refused.value.next_step
    assert make("optimised", plain, tmp_path / "e", {}, level="extended").lineage.found == {
        "operators": 2,
        "operators_before": 3,
    }
    with pytest.raises(
        Unsupported, match="nothing to fold"
    ):  # ONNX Runtime puts casts around what a processor has no float16 for
        make("optimised", models.half(tmp_path / "h.onnx"), tmp_path / "h", {})
    lone = _models.onnx_file(tmp_path / "l.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": ("float32", ("rows", 2))}, {"y": ("float32", ("rows", 2))}, {"w": np.eye(2, dtype=np.float32)})  # fmt: skip
    for share in (0.2, 0.5):  # less than one weight; zeros that are zero already
        with pytest.raises(Unsupported, match="leaves every weight as it is"):
            make("pruned", lone, tmp_path / "p", {}, share=share)
    assert make("pruned", lone, tmp_path / "p", {}, share=0.75).lineage.found == {"zeros": 0.75, "weights": 4}


def test_a_recurrent_layer_alone_can_be_stored_in_int8(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    weights = {
        "w": draw.standard_normal((1, 9, 4)).astype(np.float32),
        "r": draw.standard_normal((1, 9, 3)).astype(np.float32),
    }
    ends = {"x": ("float32", ("steps", 2, 4))}, {"y": ("float32", ("steps", 1, 2, 3))}
    artefact = _models.onnx_file(
        tmp_path / "m.onnx", [helper.make_node("GRU", ["x", "w", "r"], ["y"], hidden_size=3)], *ends, weights
    )
    made = onnx.load(make("int8_weights", artefact, tmp_path / "made", {}).files["model"])
    assert sorted(node.op_type for node in made.graph.node) == ["DequantizeLinear", "DequantizeLinear", "GRU"]
    x = draw.standard_normal((6, 2, 4)).astype(np.float32)
    got = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})[0]
    assert np.abs(got - right(onnx.load(artefact.files["model"]), {"x": x})["y"]).max() < 0.02
    with pytest.raises(Unsupported, match="nothing in this model can be quantised"):
        make("int8_static", artefact, tmp_path / "static", {"x": x})


def test_nncf_takes_a_way_past_a_layer_and_says_what_it_does_not_take(tmp_path: Path) -> None:
    values = models.several_values(40)
    got = answers(make("int8_nncf", models.several(tmp_path / "s.onnx"), tmp_path / "made", values), values)
    wanted = models.several_answers(values)
    assert np.abs(got["scores"] - wanted["scores"]).max() < 0.1 * np.abs(wanted["scores"]).max()
    assert np.array_equal(got["longest"], wanted["longest"])
    with pytest.raises(Unsupported, match="NNCF doesn't take this model") as refused:
        make(
            "int8_nncf", models.half(tmp_path / "h.onnx"), tmp_path / "half", {"features": FEATURES.astype(np.float16)}
        )
    assert "int8_static" in refused.value.next_step
