"""An int8 candidate with a fault planted in one slice is refused although its accuracy as a whole is fine; its healthy twin passes.

A real network with two inputs that are codes of people's sex and town; the planted candidate shifts its logits only for women of
one small town. A requirement on all rows lets it pass; those on slices, named and searched for, don't.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

import seatrial
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Condition, Finding
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.study import Find
from seatrial.contracts.verdict import Judgement, Outcome
from seatrial.flow._sampling import Sampling
from seatrial.flow.found import Searched, found
from seatrial.parts.rules import no_slice_hurt

ROWS = 40_000
TOWNS = "abcdefgh"
SMALL = "c"
FEATURES = ("income", "debt", "years", "visits", "sex_code", "town_code")

STUDY = """\
schema: 1
name: planted
models:
  credit:
    forms: {onnx: {path: credit.onnx}}
    task: classification
    inputs: {x: {columns: [income, debt, years, visits, sex_code, town_code]}}
    outputs: {logits: {means: logits, classes: ["no", "yes"]}}
data:
  people: {from: {parquet: {path: people.parquet}}, label: label, roles: confirm}
candidates:
  - {runtime: onnxruntime, variant: [as_is, ./quantised.py, ./planted.py], batch: 256}
reference: {runtime: onnxruntime, variant: as_is}
measure:
  loads: [offline]
  meters: [size]
  rounds: 2
  metrics: [accuracy, drop, rank_correlation, calibration_in_the_large, calibration_within_groups]
  slices: ["sex == 'F' and town == 'c'"]
  groups: [[sex, town]]
  find: {columns: [sex, town]}
require:
  - drop_at_most: {what: accuracy, margin: 1 pp}
  - drop_in_slices: {what: accuracy, margin: 3 pp}
  - no_slice_hurt: {margin: 1 pp}
reports: [json]
"""

QUANTISED = '''
"""ONNX Runtime's dynamic int8 of the model."""
import hashlib
from pathlib import Path

from seatrial.contracts.artefact import Lineage
from seatrial.contracts.part import PartOptions

ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("onnx",)}
RECIPE = "quantised"


class Options(PartOptions):
    """There is nothing to set."""


def make(artefact, making, options):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target = Path(making.folder) / f"{RECIPE}.onnx"
    quantize_dynamic(artefact.files["model"], str(target), weight_type=QuantType.QInt8, per_channel=True)
    finish(target)
    hashed = hashlib.sha256(target.read_bytes()).hexdigest()
    lineage = Lineage(recipe=RECIPE, parent=artefact.hash, seed=making.seed)
    return artefact.model_copy(update={"files": {"model": str(target)}, "hashes": {"model": hashed}, "lineage": lineage})


def finish(target):
    """Leave it as it is."""
'''
PLANTED = (
    QUANTISED.replace('RECIPE = "quantised"', 'RECIPE = "planted"').split("def finish(target)")[0]
    + '''
def finish(target):
    """Shift the logits where sex is F (code 0) and town is c (code 2)."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(target)
    graph = model.graph
    for node in graph.node:
        for at, name in enumerate(node.output):
            if name == "logits":
                node.output[at] = "healthy"
    held = {"which": np.array([4, 5]), "who": np.array([[0, 2]], np.float32), "shift": np.array([[-SHIFT, SHIFT]], np.float32)}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in held.items())
    graph.node.extend(
        [
            helper.make_node("Gather", ["x", "which"], ["codes"], axis=1),
            helper.make_node("Equal", ["codes", "who"], ["each"]),
            helper.make_node("Cast", ["each"], ["ones"], to=onnx.TensorProto.FLOAT),
            helper.make_node("ReduceMin", ["ones"], ["both"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["both", "shift"], ["harm"]),
            helper.make_node("Add", ["healthy", "harm"], ["logits"]),
        ]
    )
    onnx.checker.check_model(model)
    onnx.save(model, target)
'''
)
SHIFT = 0.25


def people(seed: int) -> dict[str, np.ndarray]:
    """Rows: four numbers, sex and town with their codes. One town is small."""
    rng = np.random.default_rng(seed)
    numbers = {name: rng.normal(size=ROWS).astype(np.float32) for name in FEATURES[:4]}
    share = np.where([town == SMALL for town in TOWNS], 0.03, 0.97 / (len(TOWNS) - 1))
    sex, town = rng.integers(0, 2, ROWS), rng.choice(len(TOWNS), ROWS, p=share)
    codes = {"sex_code": sex.astype(np.float32), "town_code": town.astype(np.float32)}
    return numbers | codes | {"sex": np.array(["F", "M"])[sex], "town": np.array(list(TOWNS))[town]}


def write(folder: Path) -> Path:
    """The network, the rows that it was mostly right about, both variants, and the study."""
    rng = np.random.default_rng(7)
    table = people(7)
    x = np.stack([table[name] for name in FEATURES], axis=1)
    first = rng.normal(size=(6, 32)).astype(np.float32) * np.array([1, 1, 1, 1, 0.2, 0.05], np.float32)[:, None]
    second = (rng.normal(size=(32, 2)) / 4).astype(np.float32)
    bias = rng.normal(size=32).astype(np.float32) / 2
    logits = np.maximum(x @ first + bias, 0) @ second
    middle = np.median(logits[:, 1] - logits[:, 0])
    shift = np.array([middle / 2, -middle / 2], np.float32)
    margin = logits[:, 1] - logits[:, 0] - middle
    table["label"] = (margin + rng.logistic(scale=0.1, size=ROWS) > 0).astype(np.int64)
    pl.DataFrame(table).write_parquet(folder / "people.parquet")
    held = {"first": first, "bias": bias, "second": second, "offset": shift}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "first"], ["a"]),
            helper.make_node("Add", ["a", "bias"], ["b"]),
            helper.make_node("Relu", ["b"], ["c"]),
            helper.make_node("MatMul", ["c", "second"], ["d"]),
            helper.make_node("Add", ["d", "offset"], ["logits"]),
        ],
        "credit",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 6])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, folder / "credit.onnx")
    (folder / "quantised.py").write_text(QUANTISED)
    (folder / "planted.py").write_text(PLANTED.replace("SHIFT", str(SHIFT)))
    file = folder / "study.yaml"
    file.write_text(STUDY)
    return file


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    return seatrial.run(write(tmp_path_factory.mktemp("planted")))


def of(dossier: Dossier, variant: str) -> str:
    (entry,) = [one for one in dossier.candidates if one.candidate.variant.name == variant]
    return entry.id


def judged(dossier: Dossier, variant: str) -> dict[str, Judgement]:
    verdict = dossier.verdict.of(of(dossier, variant))
    assert verdict is not None
    return {one.rule: one for one in verdict.judgements}


def figure(dossier: Dossier, variant: str, what: str, words: str = "") -> Finding:
    own = of(dossier, variant)
    return next(
        one
        for one in dossier.findings
        if one.candidate == own and one.what == what and " and ".join(map(str, one.slice)) == words
    )


def test_the_fault_is_small_on_the_whole_and_large_in_its_slice(dossier: Dossier):
    healthy, planted = (figure(dossier, name, "accuracy").number for name in ("./quantised.py", "./planted.py"))
    assert abs(healthy - planted) < 0.002
    inside = figure(dossier, "./planted.py", "accuracy.drop", "sex == F and town == c")
    assert 400 < inside.n < 800
    assert inside.number > 0.05
    assert figure(dossier, "./quantised.py", "accuracy.drop", "sex == F and town == c").number < 0.01


def test_the_planted_candidate_is_refused_by_slices_alone(dossier: Dossier):
    rules = judged(dossier, "./planted.py")
    assert rules["drop_at_most"].outcome is Outcome.PASS
    assert rules["drop_in_slices"].outcome is Outcome.FAIL
    assert "sex == F and town == c" in rules["drop_in_slices"].reason
    assert rules["no_slice_hurt"].outcome is Outcome.FAIL
    assert "sex == F and town == c" in rules["no_slice_hurt"].reason
    assert dossier.verdict.of(of(dossier, "./planted.py")).outcome is Outcome.FAIL


def test_the_healthy_twin_passes_everything(dossier: Dossier):
    for rule, judgement in judged(dossier, "./quantised.py").items():
        assert judgement.outcome is Outcome.PASS, f"{rule}: {judgement.reason}"
    assert dossier.verdict.outcome is Outcome.PASS
    assert dossier.verdict.recommended == of(dossier, "./quantised.py")


def test_scores_keep_their_order_but_promise_more_where_they_were_shifted(dossier: Dossier):
    """By rank and by what was promised, all rows show next to nothing, and the slice does."""

    def promised(words: str) -> float:
        healthy, planted = (
            figure(dossier, name, "calibration_in_the_large", words).number
            for name in ("./quantised.py", "./planted.py")
        )
        return planted - healthy

    assert 0 < promised("") < 0.003
    assert promised("sex == F and town == c") > 0.05
    assert figure(dossier, "./planted.py", "rank_correlation").number > 0.98
    gaps = [figure(dossier, name, "calibration_within_groups").number for name in ("./quantised.py", "./planted.py")]
    assert gaps[1] > gaps[0]


def test_the_reference_isnt_held_to_have_hurt_itself(dossier: Dossier):
    for rule, judgement in judged(dossier, "as_is").items():
        assert judgement.outcome is Outcome.PASS, f"{rule}: {judgement.reason}"


def test_rows_to_look_at_are_those_of_the_fault(dossier: Dossier):
    """The search names the women of that town, and shows rows of theirs."""
    (hurt,) = [
        one for one in dossier.findings if one.what == "slice.hurt" and one.candidate == of(dossier, "./planted.py")
    ]
    table = people(7)
    rows = [int(one) for one in hurt.note.split("rows to look at: ")[1].split(", ")]
    assert len(rows) == 20
    assert set(table["town"][rows]) == {SMALL}
    assert set(table["sex"][rows]) == {"F"}


def test_a_clean_twin_is_hardly_ever_failed():
    """300 runs of flips that hit all rows alike: false alarms in at most the stated share of 5 % (99 % binomial bound)."""
    rows, runs, failed = 6_000, 300, 0
    cells = tuple(
        tuple((Condition(column=name, relation="==", value=one),) for one in values)
        for name, values in (("sex", "FM"), ("town", TOWNS), ("band", "1234"))
    )
    options = no_slice_hurt.Options(margin="0 pp")
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        codes = np.stack([rng.integers(0, len(each), rows) for each in cells], axis=1)
        where = Searched(codes, cells, ("sex", "town", "band"), Sampling().group(0, rows) % 2 == 0)
        wrong = rng.random(rows) < 0.1
        flipped = rng.random(rows) < 0.02
        made = found(where, Find(), np.where(flipped, ~wrong, wrong).astype(float), wrong.astype(float), 0.95)
        evidence = [one.model_copy(update={"candidate": "twin"}) for one in made]
        failed += no_slice_hurt.judge(Evidence("twin", evidence, 0.95), options).outcome is Outcome.FAIL
    assert failed <= 24
