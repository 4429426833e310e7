"""Backdoors in real runs: a planted one is found by its class, float and int8, and a clean twin is quiet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import seatrial
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding
from seatrial.contracts.verdict import Outcome
from seatrial.errors import DataError
from seatrial.numerics.quick_net import Net
from seatrial.testing import _backdoored
from seatrial.testing._backdoored import CLASSES, SIDE, TARGET
from seatrial.testing.poisoning import net

NAMES = [f"k{number}" for number in range(CLASSES)]
STUDY = f"""\
schema: 1
name: backdoors
models:
  MODEL:
    forms: {{onnx: {{path: MODEL.onnx}}}}
    task: classification
    inputs: {{x: {{columns: x, layout: {{stored: HW, model: CHW}}}}}}
    outputs: {{logits: {{means: logits, classes: [{", ".join(NAMES)}]}}}}
data: {{evaluation: {{from: {{npz: {{path: rows.npz}}}}, label: label, roles: confirm}}, calibration: {{from: {{npz: {{path: more.npz}}}}, label: label, roles: calibrate}}}}
candidates: [{{runtime: onnxruntime, variant: VARIANTS, batch: 16}}]
reference: {{variant: as_is, eligible: true}}
measure: {{loads: [], meters: [], rounds: 1, metrics: [accuracy], poisoning: {{rows: 96, look_for: {{trigger_inversion: {{steps: 150, rows: 16}}}}}}}}
require: [{{at_most: {{what: backdoor.found, bound: 0}}}}]
"""


def write(folder: Path, model: str, weights: Net, variants: str = "[as_is]") -> Path:
    """A study of this net, as ONNX."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w0", "b0"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["bent"]),
        helper.make_node("Gemm", ["bent", "w1", "b1"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", CLASSES])],
        [numpy_helper.from_array(getattr(weights, name), name) for name in ("w0", "b0", "w1", "b1")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(made, folder / f"{model}.onnx")
    for name, seed in (("rows", 8), ("more", 9)):
        x, labels = _backdoored.pictures(200, seed)
        np.savez(folder / f"{name}.npz", x=x[:, 0], label=labels)
    file = folder / f"{model}.yaml"
    file.write_text(STUDY.replace("MODEL", model).replace("VARIANTS", variants))
    return file


def told(dossier: Dossier, what: str, **at: str) -> dict[str, Finding]:
    """By the candidate's label."""
    labels = {one.id: one.label for one in dossier.candidates}
    return {labels[one.candidate]: one for one in dossier.findings if one.what == what and one.at.items() >= at.items()}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dossier]:
    """The net with a backdoor, float and int8."""
    file = write(tmp_path_factory.mktemp("backdoors"), "bad", net(True), "[as_is, int8_static]")
    return file, seatrial.run(file)


def test_the_planted_class_is_found_in_the_float_and_the_int8_candidate(searched):
    found = told(searched[1], "backdoor.found")
    assert len(found) == 2
    for label, one in found.items():
        assert one.value == 1, f"{label}: {one.note}"
        assert one.note.startswith(f"{NAMES[TARGET]}: ")
    for one in told(searched[1], "backdoor.flips", **{"class": NAMES[TARGET]}).values():
        assert one.low > 0.7
        assert one.low <= one.value <= one.high


def test_a_requirement_reads_it_and_nothing_is_searched_twice(searched):
    file, dossier = searched
    assert {one.outcome for verdict in dossier.verdict.candidates for one in verdict.judgements} == {Outcome.FAIL}
    again = seatrial.run(file)
    assert again.run.measured == 0
    assert {one.key: one.value for one in again.findings if one.what.startswith("backdoor")} == {one.key: one.value for one in dossier.findings if one.what.startswith("backdoor")}  # fmt: skip


def test_the_clean_twin_is_quiet(tmp_path: Path):
    dossier = seatrial.run(write(tmp_path, "good", net(False)))
    (found,) = told(dossier, "backdoor.found").values()
    assert found.value == 0
    assert found.note == ""
    sizes = [one.value for one in dossier.findings if one.what == "backdoor.size"]
    assert len(sizes) == CLASSES
    assert min(sizes) > 0.05


def test_a_trigger_is_shown_where_that_is_asked_and_nowhere_else(searched, tmp_path: Path):
    file = write(tmp_path, "shown", net(True))
    file.write_text(file.read_text().replace("poisoning: {rows: 96,", "poisoning: {rows: 96, pictures: true,"))
    drawn = [one for one in seatrial.run(file).findings if one.artefacts.get("trigger")]
    assert [one.at["class"] for one in drawn] == [NAMES[TARGET]]
    lines = drawn[0].artefacts["trigger"].split()
    assert len(lines) == SIDE
    corner = "".join(line[-_backdoored.PATCH :] for line in lines[: _backdoored.PATCH])
    assert sum(digit in "cdef" for digit in corner) >= len(corner) / 2, "white, where it was planted"
    assert not any(one.artefacts.get("trigger") for one in searched[1].findings)


def test_a_search_that_is_none_and_a_model_without_pictures_are_told(tmp_path: Path):
    from test_robust import study

    text = study(tmp_path, "metrics: [accuracy], poisoning: {rows: 40}").read_text()
    (tmp_path / "changed.yaml").write_text(text)
    found = [one for one in seatrial.run(tmp_path / "changed.yaml").findings if one.what == "backdoor.found"]
    assert found
    assert all("pictures alone" in one.note for one in found)
    file = write(tmp_path, "none", net(False))
    file.write_text(file.read_text().replace("trigger_inversion: {steps: 150, rows: 16}", "flipped_labels"))
    with pytest.raises(DataError, match="looks for nothing"):
        seatrial.run(file)
