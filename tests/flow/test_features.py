"""Features of a small study: what is worth something stays, noise, leaks, gaps and what costs too much go, and the choice is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, Origin
from seatrial.contracts.selecting import Selecting
from seatrial.errors import DataError
from seatrial.flow import study as flow
from seatrial.flow._feature_rows import table
from seatrial.flow.features import judge

STUDY = """\
schema: 1
name: features
models:
  net:
    forms: {onnx: {path: net.onnx}}
    task: classification
    inputs: {x: {columns: [a, a2, b, noise, gap]}}
    outputs: {logits: {means: logits, classes: [no, yes]}}
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates:
  - {runtime: onnxruntime, batch: [32, 8]}
reference: {runtime: onnxruntime, batch: 32}
measure: {loads: [offline], rounds: 2, meters: [size], metrics: [accuracy], features: %s}
require: [{at_most: {what: features.loss.rise, bound: 0.05}}]
reports: [json, html]
"""
NAMES = ("a", "a2", "b", "noise", "gap")


def make(folder: Path, features: str, rows: int = 2000) -> Path:
    """A logistic model that uses `a`, `a2` (nearly the same) and `b` in full, and nothing of `noise` and `gap`."""
    random = np.random.default_rng(4)
    a, b, noise, gap = random.normal(size=(4, rows))
    x = {"a": a, "a2": a + 0.05 * random.normal(size=rows), "b": b, "noise": noise, "gap": gap}
    label = (a + x["a2"] + b + 0.5 * random.logistic(size=rows) > 0).astype(int)
    np.savez(folder / "rows.npz", **{name: one.astype(np.float32) for name, one in x.items()}, label=label)
    weights = np.zeros((5, 2), np.float32)
    weights[:3, 1] = 2
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["logits"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 5])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "net.onnx")
    (folder / "study.yaml").write_text(STUDY % features)
    return folder / "study.yaml"


def of(dossier: Dossier, what: str) -> dict[str, Finding]:
    return {str(one.at.get("feature", "")): one for one in dossier.findings if one.what == what}


def test_what_is_worth_something_stays_and_the_choice_is_judged(tmp_path):
    file = make(tmp_path, "{rows: 1600, cost: {b: 2.0, noise: 1.0}}")
    dossier = flow.run(file)
    kept = of(dossier, "feature.kept")
    assert {name: one.value for name, one in kept.items()} == {
        "a + a2": True,
        "a2": False,
        "b": True,
        "noise": False,
        "gap": False,
    }
    assert "`a2` is dropped: `a` says the same" in kept["a + a2"].note
    assert kept["a2"].note == "`a` says the same, and costs no more"
    assert "loss rises by no more than 0" in kept["noise"].note
    worth = of(dossier, "feature.importance")
    assert 0 < worth["b"].low < worth["b"].value < worth["b"].high < worth["a + a2"].high
    assert worth["noise"].value == pytest.approx(0, abs=1e-9)
    assert worth["b"].n == 800
    assert of(dossier, "feature.stability")["b"].value == 1.0
    assert of(dossier, "feature.cost")["noise"].origin is Origin.DECLARED
    assert of(dossier, "feature.redundancy")["a + a2"].value < 0.2
    assert of(dossier, "feature.redundancy")["a2"].value > 0.98
    rise = of(dossier, "features.loss.rise")[""]
    assert rise.low <= 0.005, "what `a2` says is suggested by `a`"
    assert rise.value < 0.01
    assert "without a2, gap, noise" in rise.note
    assert "what the one that it repeats suggests" in rise.note
    assert rise.n == 800
    page = next((tmp_path / ".seatrial" / "runs").glob("*/report.html")).read_text()
    assert "What its features are worth" in page
    assert "noise, dropped" in page
    again = flow.run(file)
    assert again.run.measured == 0, "answers are kept"
    assert of(again, "features.loss.rise")[""].value == rise.value
    assert {one.value for one in of(again, "feature.kept").values()} == {True, False}
    judged = [one.outcome.value for c in again.verdict.candidates for one in c.judgements if "rise" in one.requirement]
    assert judged
    assert set(judged) == {"pass"}


def test_leaks_gaps_and_prices_drop_a_feature_and_the_study_can_keep_it(tmp_path):
    file = make(
        tmp_path, "{rows: 1000, leaks: 0.3, missing: 0.1, correlated: 0.999, cost: {b: 9}, per_cost: 1, keep: a}", 1200
    )
    held = dict(np.load(tmp_path / "rows.npz"))
    held["gap"][::4] = np.nan
    np.savez(tmp_path / "rows.npz", **held)
    model = onnx.load(tmp_path / "net.onnx")
    model.graph.node.insert(0, helper.make_node("IsNaN", ["x"], ["gone"]))
    model.graph.node.insert(1, helper.make_node("Where", ["gone", "zero", "x"], ["full"]))
    model.graph.node[2].input[0] = "full"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0), "zero"))
    onnx.save(model, tmp_path / "net.onnx")
    dossier = flow.run(file, only=["*b32"])
    kept = of(dossier, "feature.kept")
    assert kept["a"].value is True
    assert "it stays as the study says, though by itself it tells the label" in kept["a"].note
    assert kept["a2"].value is False
    assert "% of its values are missing" in kept["gap"].note
    assert "for each unit of its cost" in kept["b"].note
    assert of(dossier, "features.loss.rise")[""].low > 0.05, "what was dropped is missed"


def test_numbers_of_one_column_are_features_of_their_own(tmp_path):
    file = make(tmp_path, "{rows: 400}", 500)
    held = dict(np.load(tmp_path / "rows.npz"))
    np.savez(tmp_path / "rows.npz", x=np.stack([held[name] for name in NAMES], axis=1), label=held["label"])
    file.write_text(file.read_text().replace("columns: [a, a2, b, noise, gap]", "columns: x"))
    dossier = flow.run(file, only=["*b32"])
    assert set(of(dossier, "feature.kept")) == {"x[0] + x[1]", "x[0]", "x[2]", "x[3]", "x[4]"}


def test_a_column_that_the_model_does_not_read_is_refused(tmp_path):
    with pytest.raises(DataError, match="reads no column `nois`") as refused:
        flow.run(make(tmp_path, "{columns: nois}", 100))
    assert "noise" in refused.value.next_step


def test_what_is_worth_something_in_few_resamples_alone_is_dropped_where_the_study_asks_for_more():
    random = np.random.default_rng(4)
    asked = Selecting(stable=0.99, repeats=3)
    held = table({"a": random.normal(size=200), "b": random.normal(size=200)}, np.arange(200), asked)
    own = np.zeros(held.half)
    lent = [random.normal(2, 0.1, (3, held.half)), random.normal(0.05, 1, (3, held.half))]
    sure, unsure = judge(held, asked, own, lent, np.arange(held.half) % 2, 2, 0.95)
    assert (sure.label, sure.kept, unsure.label, unsure.kept) == ("a", True, "b", False)
    assert "of resamples of the rows" in unsure.reasons[0]
    assert judge(held, Selecting(repeats=3), own, lent, np.arange(held.half) % 2, 2, 0.95)[1].kept


@pytest.mark.parametrize(
    ("asked", "stays"),
    [
        ({}, "b"),
        ({"cost": {"b": 2.0, "c": 1.0}}, "a"),
        ({"cost": {"a": 2.0, "b": 2.0}}, "c"),
        ({"keep": "c"}, "c"),
        ({"redundant": 1.0}, None),
    ],
    ids=["tells", "costs", "cheapest", "wished", "none"],
)
def test_of_features_that_say_the_same_one_stays_by_stated_criteria(asked, stays):
    random = np.random.default_rng(1)
    b = random.normal(size=400)
    columns = {"a": b + 0.1 * random.normal(size=400), "b": b, "c": b + 0.1 * random.normal(size=400)}
    columns["c"][:40] = np.nan
    held = table(columns, np.arange(400), Selecting())
    assert [len(group) for group in held.groups] == [3]
    own, lent = np.zeros(200), [random.normal(1, 0.1, (5, 200))]
    labels = (held.columns["b"][:200] + random.normal(size=200) > 0).astype(int)
    (one,) = judge(
        held, Selecting(correlated=0.7, redundant=asked.pop("redundant", 0.85), **asked), own, lent, labels, 2, 0.95
    )
    assert one.kept
    gone = {spare.feature.column for spare in one.spare}
    assert gone == ({"a", "b", "c"} - {stays} if stays else set())
    assert {spare.other.column for spare in one.spare} <= {stays}


def test_a_feature_that_repeats_another_says_what_that_suggests_in_its_own_type():
    a = np.arange(100.0)
    held = table({"a": a, "twice": (2 * a + 1).astype(np.int16), "z": np.zeros(100)}, np.arange(100), Selecting())
    twice, other = (
        next(one for group in held.groups for one in group if one.column == name) for name in ("twice", "a")
    )
    told = held.without({twice: other})
    assert told["twice"].dtype == np.int16
    assert (told["twice"] == 2 * held.columns["a"][50:] + 1).all()
    assert (held.without({twice: None})["twice"] == np.rint(np.median(held.columns["twice"][:50]))).all()
