"""Predictions in a study: on every way out (dossier, terminal, page), never deciding anything, and told where there are none."""

import textwrap

import pytest
from small_study import STUDY, make
from small_study import seatrial as seatrial_command

import seatrial
from seatrial.contracts.finding import Finding, Origin, State
from seatrial.contracts.verdict import Outcome
from seatrial.errors import StudyError
from seatrial.flow.read import read
from seatrial.parts.reports import terminal

REQUIRED = """\
require:
  - at_most: {what: predicted.latency, at: {device: NVIDIA L4, variant: as_is, batch: 8}, bound: 1000 s}
  - at_most: {what: predicted.latency, at: {device: NVIDIA L4, variant: as_is, batch: 8}, bound: 1 us}
"""
FORETOLD = STUDY.replace("measure: {", "measure: {predict: [NVIDIA L4, h100-sxm, Google Coral Edge TPU], ").replace(
    "require:\n", REQUIRED
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foretold")
    return seatrial.run(make(folder, FORETOLD), quick=True), folder


def found(dossier, what):
    return [one for one in dossier.findings if one.what == what]


def test_every_model_is_predicted_on_every_device(run):
    dossier, _ = run
    took = found(dossier, "predicted.latency")
    settings = {(one.at["variant"], one.at["device"], one.at["precision"], one.at["batch"]) for one in took}
    fp = [("NVIDIA L4", "bf16"), ("NVIDIA H100 SXM", "bf16"), ("Google Coral Edge TPU", "int8")]
    assert settings == {("as_is", *one, batch) for one in fp for batch in (1, 8)} | {("int8_dynamic", *one, 8) for one in fp}  # fmt: skip
    assert all(one.origin is Origin.PREDICTED and one.candidate is None for one in took)
    assert all(one.low < one.value < one.high for one in took)
    by = {(one.at["device"], one.at["variant"], one.at["batch"]): one for one in found(dossier, "predicted.throughput")}
    for one in took:
        rate = by[one.at["device"], one.at["variant"], one.at["batch"]]
        assert rate.value == pytest.approx(one.at["batch"] / one.value)


def test_what_it_would_buy_rests_on_what_was_measured(run):
    dossier, _ = run
    measured = dossier.find("throughput", dossier.reference().id, load="offline")
    rates = {one.key: one for one in found(dossier, "predicted.throughput")}
    buys = found(dossier, "predicted.speedup")
    assert len(buys) == len(rates)
    for one in buys:
        (rate, of) = one.inputs
        assert of == measured.key
        assert one.value == pytest.approx(rates[rate].value / measured.value)
        assert one.low < rates[rate].low / measured.value < one.value < rates[rate].high / measured.value < one.high
        assert one.origin is Origin.PREDICTED


def test_no_requirement_passes_or_fails_on_it(run):
    dossier, _ = run
    judged = [one for each in dossier.verdict.candidates for one in each.judgements if one.rule == "at_most"]
    assert len(judged) == 2 * len(dossier.candidates)
    assert {one.outcome for one in judged} == {Outcome.OPEN}
    assert all("predicted" in one.reason for one in judged)
    assert dossier.verdict.outcome is Outcome.OPEN


def test_advice_comes_in_words_with_the_roofline(run):
    dossier, _ = run
    limits = found(dossier, "predicted.limit")
    assert {bool(one.artefacts.get("roofline")) for one in limits if one.at["batch"] == 8} == {True}
    assert not any("roofline" in one.artefacts for one in limits if one.at["batch"] == 1)
    for one in limits:
        lines = one.artefacts["advice"].split("\n")
        assert lines[0].startswith("It is held up by")
        assert any(line.startswith("Would help:") for line in lines)
        assert "embedding table at most" in lines[-1]
        assert "{" not in one.artefacts["advice"]


def test_the_page_and_the_terminal_tell_it(run):
    dossier, folder = run
    page = next(folder.glob(".seatrial/runs/*/report.html")).read_text()
    assert 'id="predicted"' in page
    assert "NVIDIA H100 SXM" in page
    assert 'src="data:image/svg+xml;base64,' in page
    assert "Would help:" in page
    text = terminal.render(dossier, terminal.Options())
    assert "What devices that aren't here would do" in text
    assert "as_is: NVIDIA L4, bf16, 8 rows a call" in text
    assert "held up by" in text


def test_the_plan_says_what_will_be_predicted(tmp_path):
    told = seatrial_command("plan", make(tmp_path, FORETOLD), folder=tmp_path)
    assert "predicted, not measured, on NVIDIA L4, h100-sxm, Google Coral Edge TPU" in told.stdout + told.stderr


# --- what is refused, and what is missing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said", "step"),
    [
        ("[NVIDIA L5]", "no `NVIDIA L5` in the catalogue", "NVIDIA L4"),
        ("[H100]", "may be", "NVIDIA H100"),
        ("[Hailo-8]", "no memory bandwidth", "--catalogue"),
        ("{devices: [NVIDIA T4], precision: bf16}", "no bf16 peak", "fp16"),
        ("{devices: []}", "at least 1", ""),
    ],
)
def test_a_device_that_cant_be_predicted_is_told_with_its_line(tmp_path, asked, said, step):
    file = make(tmp_path, STUDY.replace("measure: {", f"measure: {{predict: {asked}, "))
    with pytest.raises(StudyError, match=said) as refused:
        read(file)
    assert "study.yaml:16" in (refused.value.where or "")
    assert step in (refused.value.next_step or "")


TORCH = """\
schema: 1
name: torch
models:
  net:
    forms: {torch: {module: net.py:build, weights: weights.safetensors}}
    task: classification
    inputs: {x: {columns: x}}
    outputs: {logits: {means: logits, classes: [red, green, blue]}}
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates:
  - {runtime: torch, batch: 8}
reference: {runtime: torch}
measure: {loads: [offline], rounds: 1, meters: [throughput], predict: {devices: NVIDIA L4, precision: fp32}}
reports: []
"""
NET = """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
"""


def test_a_torch_module_is_counted_in_the_file_that_is_made_of_it(tmp_path):
    from safetensors.torch import save_file
    from torch import nn

    make(tmp_path)
    (tmp_path / "net.py").write_text(textwrap.dedent(NET))
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    save_file(net.state_dict(), tmp_path / "weights.safetensors")
    file = tmp_path / "torch.yaml"
    file.write_text(TORCH)
    dossier = seatrial.run(file, quick=True)
    (took,) = found(dossier, "predicted.latency")
    assert (took.at["device"], took.at["precision"], took.at["batch"]) == ("NVIDIA L4", "fp32", 8)
    assert took.value > 0
    assert "torch_to_onnx" in took.note
    (needs,) = found(dossier, "predicted.memory")
    assert needs.value >= 4 * (4 * 16 + 16 + 16 * 3 + 3)
    assert found(dossier, "predicted.speedup")


def test_answers_made_elsewhere_have_no_work_to_count(tmp_path):
    from types import SimpleNamespace

    from seatrial.contracts.measuring import Measure
    from seatrial.flow import foretold

    study = SimpleNamespace(measure=Measure(predict="NVIDIA L4"))
    voyage = SimpleNamespace(plan=SimpleNamespace(study=study))
    trial = SimpleNamespace(imported=True, planned=SimpleNamespace(candidate=SimpleNamespace(model="m")))
    (one,) = foretold.foretell(voyage, [trial], {})
    assert (one.value, one.at) == (None, {"model": "m"})
    assert "made elsewhere" in one.note


def test_what_cant_be_counted_is_missing_with_the_reason():
    from seatrial.flow import foretold
    from seatrial.flow.hardware.catalogue import find
    from seatrial.flow.hardware.device import of_catalogue

    def refuses(batch, width):
        raise StudyError("it takes 4 rows a call, not 8", next_step="`--batch 4`")

    subject = foretold._Subject({"model": "m", "variant": "as_is"}, refuses, (8,), "")
    (one,) = foretold._on(of_catalogue(find("NVIDIA L4"), None), subject, 8)
    assert isinstance(one, Finding)
    assert (one.value, one.state) == (None, State.UNSUPPORTED)
    assert "4 rows" in one.note
