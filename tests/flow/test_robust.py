"""Corrupted inputs, hidden parts and steps after the model, in real runs: what is planted is found, and nothing is measured twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

import seatrial
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.errors import DataError
from seatrial.flow import arrays
from seatrial.flow.changed import HIDDEN, changes, drawn
from seatrial.flow.read import read

ROWS = 1500
STUDY = """\
schema: 1
name: changed
models:
  linear:
    forms: {{onnx: {{path: linear.onnx}}}}
    task: classification
    inputs: {{x: {{columns: [a, b, c, d]}}}}
    outputs: {{logits: {{means: logits, classes: [no, yes]}}}}
data:
  evaluation: {{from: {{parquet: {{path: rows.parquet}}}}, label: label, roles: {{draw: {{calibrate: 0.4, confirm: 0.6}}}}}}
candidates:
  - {{runtime: onnxruntime, variant: {variants}, batch: 32}}
reference: {{runtime: onnxruntime, variant: as_is}}
measure: {{loads: [], meters: [], rounds: 1, {measure}}}
reports: [json]
"""
FRAGILE = '''
"""The same model with the sign of its inputs forgotten wherever they are large: equal on clean rows, lost on noisy ones."""
import onnx
from onnx import helper, numpy_helper
import numpy as np
from pathlib import Path
import hashlib

ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("onnx",)}

def make(artefact, making, options):
    model = onnx.load(artefact.files["model"])
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array(LEAST, np.float32), "least"))
    graph.initializer.append(numpy_helper.from_array(np.array(MOST, np.float32), "most"))
    graph.node.insert(0, helper.make_node("Clip", ["x", "least", "most"], ["clipped"]))
    graph.node[1].input[0] = "clipped"
    file = Path(making.folder) / "model.onnx"
    onnx.save(model, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return artefact.model_copy(update={"files": {"model": str(file)}, "hashes": {"model": digest}})
'''


def study(folder: Path, measure: str, variants: str = "[as_is]", temperature: float = 1.0) -> Path:
    """A linear model of two classes whose logits are `temperature` times too large, and rows whose labels are drawn from it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 4)).astype(np.float32)
    weights = np.array([[-1.2, 1.2], [0.7, -0.7], [0.2, -0.2], [0.0, 0.0]], np.float32)
    logit = (x @ weights)[:, 1] - (x @ weights)[:, 0]
    group = rng.choice(["F", "M"], ROWS)
    label = rng.random(ROWS) < 1 / (1 + np.exp(-(logit - 1.0 * (group == "F"))))
    columns = {name: x[:, at] for at, name in enumerate("abcd")}
    pl.DataFrame(columns | {"label": label.astype(np.int64), "sex": group}).write_parquet(folder / "rows.parquet")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["logits"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(weights * np.float32(temperature), "w")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "linear.onnx"
    )
    file = folder / "changed.yaml"
    file.write_text(STUDY.format(measure=measure, variants=variants))
    return file


def of(dossier: Dossier, what: str, reference: bool, **at: object) -> Finding:
    ids = {one.id for one in dossier.candidates if one.reference is reference}
    (found,) = [
        one
        for one in dossier.findings
        if one.what == what
        and one.candidate in ids
        and not one.slice
        and one.at.items() >= at.items()
        and one.level in (None, 0.95)
    ]
    return found


def test_a_candidate_that_falls_faster_is_found(tmp_path: Path):
    (tmp_path / "fragile.py").write_text(FRAGILE.replace("LEAST", "-3.2").replace("MOST", "3.2"))
    measure = (
        "metrics: [accuracy], robustness: {corruptions: [shifted_scale, numeric_noise], severities: [1, 5], rows: 600}"
    )
    file = study(tmp_path, measure, "[as_is, ./fragile.py]")
    dossier = seatrial.run(file)
    clean = of(dossier, "corrupted.accuracy", True, corruption="clean")
    noisy = of(dossier, "corrupted.accuracy", True, corruption="numeric_noise", severity=5)
    assert noisy.high < clean.value
    assert noisy.n == 600
    drop = of(dossier, "corrupted.accuracy.drop", False, corruption="shifted_scale", severity=5)
    extra = of(dossier, "corrupted.extra_drop", False, corruption="shifted_scale")
    same = of(dossier, "corrupted.extra_drop", False, corruption="numeric_noise")
    assert extra.against == dossier.reference().id
    assert same.low <= extra.high
    assert drop.value is not None
    again = seatrial.run(file)
    assert again.run.measured == 0
    assert of(again, "corrupted.extra_drop", False, corruption="shifted_scale").value == extra.value


def test_what_became_of_changed_rows_knows_weights_and_clusters(tmp_path: Path):
    """On clean rows it is the accuracy of all rows, with bounds that allow for clusters of rows as that has."""
    (tmp_path / "fragile.py").write_text(FRAGILE.replace("LEAST", "-1").replace("MOST", "1"))
    measure = f"metrics: [accuracy], robustness: {{corruptions: [numeric_noise], severities: [1], rows: {ROWS}}}, explanations: {{rows: 100}}"
    file = study(tmp_path, measure, "[as_is, ./fragile.py]")
    narrow = seatrial.run(file)
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    rng = np.random.default_rng(3)
    rows = rows.sort("label").with_columns(
        place=pl.Series(np.arange(ROWS) // 20), heavy=pl.Series(rng.lognormal(size=ROWS))
    )
    rows.write_parquet(tmp_path / "rows.parquet")
    file.write_text(file.read_text().replace("label: label,", "label: label, group: place, weight: heavy,"))
    wide = seatrial.run(file)
    for reference in (True, False):
        accuracy, clean = of(wide, "accuracy", reference), of(wide, "corrupted.accuracy", reference, corruption="clean")
        assert clean.value == pytest.approx(accuracy.value)
        assert clean.high - clean.low == pytest.approx(accuracy.high - accuracy.low, rel=0.1)
        assert "jackknife" in clean.method
    for what, at in (("corrupted.accuracy.drop", {"severity": 1}), ("corrupted.extra_drop", {})):
        one, other = of(wide, what, False, **at), of(narrow, what, False, **at)
        assert one.low < one.value < one.high
        assert one.high - one.low > other.high - other.low
    assert "jackknife" in of(wide, "explanations.agreement", False).method


def test_explanations_agree_with_a_twin_and_not_with_another_model(tmp_path: Path):
    other = (
        FRAGILE.replace("LEAST", "-9")
        .replace("MOST", "9")
        .replace(
            '    graph.node[1].input[0] = "clipped"\n',
            '    graph.node[1].input[0] = "clipped"\n'
            "    w = numpy_helper.to_array(graph.initializer[0])[::-1].copy()\n"
            '    graph.initializer[0].CopyFrom(numpy_helper.from_array(w, "w"))\n',
        )
    )
    (tmp_path / "twin.py").write_text(FRAGILE.replace("LEAST", "-99").replace("MOST", "99"))
    (tmp_path / "other.py").write_text(other)
    dossier = seatrial.run(
        study(tmp_path, "metrics: [accuracy], explanations: {rows: 40}", "[as_is, ./twin.py, ./other.py]")
    )
    found = {
        one.candidate: one for one in dossier.findings if one.what == "explanations.agreement" and one.value is not None
    }
    values = sorted(one.value for one in found.values())
    assert len(values) == 2
    assert values[1] == pytest.approx(1.0)
    assert values[0] < 0.6


def test_hidden_parts_hide_what_they_say(tmp_path: Path):
    source = read(study(tmp_path, "metrics: [accuracy], explanations: {rows: 20}"))
    x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    pictures = np.random.default_rng(1).normal(size=(100, 1, 12, 12)).astype(np.float32)
    for array, parts in ((x, 4), (pictures, 49)):
        ref = arrays.save(tmp_path / "cache", array)
        (change,) = changes(source.study, tmp_path, "linear", {"x": ref}, tmp_path / "cache")
        assert change.at == {HIDDEN: parts}
        made = arrays.load(change.values["x"]).reshape(20, parts + 1, *array.shape[1:])
        assert np.array_equal(made[:, 0], array[change.rows])
        differs = made[:, 1:] != made[:, :1]
        assert differs.any(axis=tuple(range(2, differs.ndim))).all()
        assert np.allclose(differs.sum(axis=1), 1), "each number is hidden once"


def test_rows_are_drawn_by_chance_and_the_same_again():
    assert drawn(10, 20, 0).tolist() == list(range(10))
    one = drawn(1000, 50, 3)
    assert np.array_equal(one, drawn(1000, 50, 3))
    assert len(set(one.tolist())) == 50
    assert not np.array_equal(one, drawn(1000, 50, 4))


def test_a_corruption_that_does_not_fit_is_said(tmp_path: Path):
    source = read(study(tmp_path, "metrics: [accuracy], robustness: {corruptions: [gaussian_noise]}"))
    ref = arrays.save(tmp_path / "cache", np.zeros((ROWS, 4), np.float32))
    with pytest.raises(DataError) as error:
        changes(source.study, tmp_path, "linear", {"x": ref}, tmp_path / "cache")
    assert "gaussian_noise" in str(error.value)


def test_recalibration_helps_on_rows_it_was_not_fitted_to(tmp_path: Path):
    measure = "metrics: [accuracy, log_loss, calibration_error, calibration_line]"
    dossier = seatrial.run(study(tmp_path, measure, "[as_is, recalibrated]", temperature=6.0))
    assert of(dossier, "calibration.slope", True).high < 0.5
    assert of(dossier, "log_loss", False).value < of(dossier, "log_loss", True).value
    assert of(dossier, "accuracy", False).value == of(dossier, "accuracy", True).value
    recalibrated = next(one for one in dossier.candidates if not one.reference)
    (step,) = dossier.artefacts[recalibrated.artefact].after
    assert 2 < step.options["temperature"] < 20
    again = seatrial.run(tmp_path / "changed.yaml")
    assert again.run.measured == 0
    assert of(again, "log_loss", False).value == of(dossier, "log_loss", False).value


def test_thresholds_by_group_close_the_gap(tmp_path: Path):
    measure = "metrics: [accuracy, equal_opportunity, demographic_parity], groups: [sex]"
    variants = "[as_is, {group_thresholds: {group: sex, equal: opportunity}}]"
    dossier = seatrial.run(study(tmp_path, measure, variants))
    before = of(dossier, "equal_opportunity", True, groups="sex")
    after = of(dossier, "equal_opportunity", False, groups="sex")
    assert after.value < 0.15
    assert of(dossier, "equal_opportunity.drop", False, groups="sex").value == pytest.approx(after.value - before.value)


def test_a_step_that_cannot_be_fitted_ends_only_its_candidate(tmp_path: Path):
    file = study(tmp_path, "metrics: [accuracy]", "[as_is, {group_thresholds: {group: town}}]")
    with pytest.raises(DataError, match="there is no column `town`"):
        seatrial.run(file)
    file.write_text(file.read_text().replace("{group_thresholds: {group: town}}", "{recalibrated: {method: platt}}"))
    text = file.read_text().replace("classes: [no, yes]", "classes: [no, yes]")
    file.write_text(text.replace("draw: {calibrate: 0.4, confirm: 0.6}", "draw: {calibrate: 0.004, confirm: 0.996}"))
    dossier = seatrial.run(file)
    ended = [one for one in dossier.findings if one.what == "run"]
    fitted = [one for one in dossier.findings if one.what == "accuracy" and one.value is not None]
    assert fitted
    assert all(one.state in (State.UNSUPPORTED, State.FAILED) for one in ended)
