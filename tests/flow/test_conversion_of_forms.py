"""Conversions on the way: found where no stated form is taken, made once, and proved equal before anything is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn_models
from small_study import seatrial

from seatrial import catalog
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import State
from seatrial.contracts.part import PartInfo
from seatrial.errors import StudyError
from seatrial.flow import study as flow
from seatrial.flow.plan import make_plan
from seatrial.flow.read import read

STUDY = """\
schema: 1
name: converted
models:
MODELS
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates:
CANDIDATES
reference: {REFERENCE}
measure: {loads: [offline], rounds: 1, meters: [throughput, size], metrics: [accuracy, drop]}
reports: [json]
"""
MODEL = """\
  NAME:
    forms: {sklearn: {path: FILE.skops}}
    task: classification
    inputs: {X: {columns: X}}
    outputs: {probabilities: {means: probabilities}}
"""
BAD = '''"""The conversion of the house with a weight changed on the way."""
import hashlib, importlib
import onnx
from seatrial.contracts.part import PartOptions
NEEDS = ("skl2onnx",)
ACCEPTS = {"format": ("skops",)}
GIVES = {"format": ("onnx",)}
class Options(PartOptions): pass
def convert(artefact, making, options):
    honest = importlib.import_module("seatrial.parts.conversions.sklearn_to_onnx")
    made = honest.convert(artefact, making, honest.Options())
    file = making.folder / "model.onnx"
    model = onnx.load(file)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("class_weights", "coefficients"): attribute.floats[0] += 0.5
    onnx.save(model, file)
    return made.model_copy(update={"hashes": {"model": hashlib.sha256(file.read_bytes()).hexdigest()}})
'''


def model(name: str, file: str, more: str = "") -> str:
    return MODEL.replace("NAME", name).replace("FILE", file) + more


def written(folder: Path, models: str, candidates: str, reference: str) -> Path:
    x, label = sklearn_models.table()
    np.savez(folder / "rows.npz", X=x, label=label)
    (folder / "bad.py").write_text(BAD)
    text = STUDY.replace("MODELS\n", models).replace("CANDIDATES", candidates).replace("REFERENCE", reference)
    (folder / "study.yaml").write_text(text)
    return folder / "study.yaml"


def found(dossier: Dossier, what: str, **fields: Any) -> list[Any]:
    return [
        one for one in dossier.findings if one.what == what and all(getattr(one, key) == fields[key] for key in fields)
    ]


# --- the plan -------------------------------------------------------------------------------------------------------------


def test_a_form_is_converted_where_the_runtime_does_not_take_it(tmp_path: Path) -> None:
    sklearn_models.saved("logistic", tmp_path)
    file = written(tmp_path, model("m", "logistic"), "  - {runtime: [sklearn, onnxruntime]}", "runtime: sklearn")
    plan = make_plan(read(file))
    assert [(one.form, str(one.conversion), one.route) for one in plan.candidates] == [
        ("sklearn", "None", "sklearn"),
        ("sklearn", "sklearn_to_onnx", "sklearn by sklearn_to_onnx"),
    ]
    assert "sklearn by sklearn_to_onnx" in seatrial("plan", file, folder=tmp_path, COLUMNS="200").stdout


def test_a_form_that_is_taken_as_it_is_needs_no_conversion(tmp_path: Path) -> None:
    sklearn_models.saved("logistic", tmp_path)
    both = model("m", "logistic").replace(
        "sklearn: {path: logistic.skops}", "sklearn: {path: logistic.skops}, onnx: {path: m.onnx}"
    )
    plan = make_plan(read(written(tmp_path, both, "  - {runtime: [onnxruntime, sklearn]}", "runtime: sklearn")))  # fmt: skip
    assert [one.route for one in plan.candidates] == ["onnx", "sklearn"]


def test_a_conversion_of_the_study_goes_before_those_of_the_house(tmp_path: Path) -> None:
    more = "    conversions: [./bad.py, {sklearn_to_onnx: {opset: 17}}]\n"
    plan = make_plan(read(written(tmp_path, model("m", "x", more), "  - {runtime: onnxruntime}", "model: m")))
    assert [one.route for one in plan.candidates] == ["sklearn by ./bad.py"]
    more = more.replace("./bad.py, ", "")
    plan = make_plan(read(written(tmp_path, model("m", "x", more), "  - {runtime: onnxruntime}", "model: m")))
    assert [one.route for one in plan.candidates] == ["sklearn by sklearn_to_onnx(opset=17)"]


def test_a_conversion_that_is_not_there_is_said_with_its_line(tmp_path: Path) -> None:
    file = written(
        tmp_path, model("m", "x", "    conversions: [sklearn_to_onx]\n"), "  - {runtime: onnxruntime}", "model: m"
    )
    with pytest.raises(StudyError, match=r"(?s)study.yaml:9.*did you mean `sklearn_to_onnx`"):
        read(file)  # fmt: skip


def test_without_its_package_the_reason_is_how_to_add_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = catalog.absent
    monkeypatch.setattr(catalog, "absent", lambda part: ["skl2onnx"] if part.kind == "conversions" else honest(part))
    file = written(tmp_path, model("m", "x"), "  - {runtime: [sklearn, onnxruntime]}", "runtime: sklearn")
    (dropped,) = make_plan(read(file)).dropped
    assert "onnxruntime doesn't take skops" in dropped.reason
    assert "pip install 'seatrial[sklearn]'" in dropped.reason


# --- runs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_conversions_are_proved_or_refused_and_the_others_go_on(tmp_path: Path) -> None:
    for name in ("boosting", "perceptron", "logistic"):
        sklearn_models.saved(name, tmp_path)
    models = model("trees", "boosting") + model("net", "perceptron")
    models += model("wrong", "logistic", "    conversions: [./bad.py]\n")
    candidates = "\n".join(
        [
            "  - {model: trees, runtime: [sklearn, onnxruntime]}",
            "  - {model: wrong, runtime: onnxruntime}",
            "  - {model: [net, trees], runtime: onnxruntime, variant: int8_dynamic}",
            "  - {model: net, runtime: onnxruntime}",
        ]
    )
    file = written(tmp_path, models, candidates, "model: trees, runtime: sklearn")
    dossier = flow.run(file)
    failures = {one.candidate.split("/cpu")[0]: one for one in found(dossier, "run")}
    assert failures["wrong/as_is/onnxruntime"].state is State.REFUSED
    assert "is not the same model" in failures["wrong/as_is/onnxruntime"].note
    assert failures["trees/int8_dynamic/onnxruntime"].state is State.UNSUPPORTED
    assert "nothing to quantise" in failures["trees/int8_dynamic/onnxruntime"].note
    assert len(failures) == 2
    proofs = {(one.at["model"], one.at["form"]): one for one in found(dossier, "forms.difference")}
    assert {key: one.state for key, one in proofs.items()} == {
        ("trees", "sklearn by sklearn_to_onnx"): State.OK,
        ("net", "sklearn by sklearn_to_onnx"): State.OK,
        ("wrong", "sklearn by ./bad.py"): State.REFUSED,
    }
    assert 0 <= proofs["trees", "sklearn by sklearn_to_onnx"].value < 1e-6
    assert proofs["wrong", "sklearn by ./bad.py"].value > 0.01
    right = {one.candidate.split("/cpu")[0]: one.value for one in found(dossier, "accuracy") if one.value is not None}
    assert right["trees/as_is/onnxruntime"] == right["trees/as_is/sklearn"] > 0.7
    assert right["net/int8_dynamic/onnxruntime"] == pytest.approx(right["net/as_is/onnxruntime"], abs=0.05)
    _check_lineage(dossier)
    again = flow.run(file)
    assert (again.run.measured, again.run.reused > 0) == (0, True)
    assert len(found(again, "run")) == 2


def _check_lineage(dossier: Dossier) -> None:
    made = {
        entry.id.split("/cpu")[0]: dossier.artefacts[entry.artefact] for entry in dossier.candidates if entry.artefact
    }
    native, converted = made["trees/as_is/sklearn"], made["trees/as_is/onnxruntime"]
    assert (native.format, converted.format) == ("skops", "onnx")
    assert (converted.lineage.recipe, converted.lineage.parent) == ("sklearn_to_onnx", native.hash)
    assert converted.lineage.made_with["skl2onnx"]
    assert converted.lineage.seconds is not None
    assert made["net/int8_dynamic/onnxruntime"].lineage.parent == made["net/as_is/onnxruntime"].hash
    assert dossier.environment["packages"]["skl2onnx"] == converted.lineage.made_with["skl2onnx"]
    assert dossier.environment["packages"]["sklearn"] == converted.lineage.made_with["scikit-learn"]


def test_what_nothing_here_can_prove_is_used_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = catalog.absent

    def absent(part: PartInfo) -> list[str]:
        return ["sklearn"] if part.kind == "runtimes" and part.takes("format", "skops") else honest(part)

    monkeypatch.setattr(catalog, "absent", absent)
    sklearn_models.saved("logistic", tmp_path)
    file = written(tmp_path, model("m", "logistic"), "  - {runtime: onnxruntime}", "runtime: onnxruntime")
    dossier = flow.run(file)
    (proof,) = found(dossier, "forms.difference")
    assert (proof.state, proof.value) == (State.NOT_INSTALLED, None)
    assert "used unproved" in proof.note
    assert "pip install 'seatrial[sklearn]'" in proof.note
    assert found(dossier, "accuracy")[0].value > 0.8


@pytest.mark.slow
def test_a_table_with_words_from_init_to_report(tmp_path: Path) -> None:
    sklearn_models.saved("people", tmp_path)
    sklearn_models.people().to_csv(tmp_path / "rows.csv", index=False)
    assert seatrial("init", "people.skops", "rows.csv", folder=tmp_path).returncode == 0
    text = (tmp_path / "study.yaml").read_text()
    assert "job: {columns: job, kind: text, shape: [1]}" in text
    assert "runtime: [sklearn, onnxruntime]" in text
    assert "FILL" not in text
    (tmp_path / "study.yaml").write_text(
        text.replace("  rounds: 5", "  rounds: 1\n  loads: [offline]")
        + "\nrequire:\n  - at_least: {what: accuracy, bound: 0.5}\n"
    )
    done = seatrial("run", "study.yaml", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    dossier = Dossier.model_validate(json.loads(done.stdout))
    (proof,) = found(dossier, "forms.difference")
    assert (proof.state, proof.value < 1e-5) == (State.OK, True)
    values = [one.value for one in found(dossier, "accuracy")]
    assert len(set(values)) == 1
    assert values[0] > 0.8
