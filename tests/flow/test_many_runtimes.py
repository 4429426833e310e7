"""One torch module on torch, ONNX Runtime, JAX and LiteRT in one study, each through its conversions, and the same module broken on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.finding import State
from seatrial.flow import study as flow
from seatrial.flow.plan import make_plan
from seatrial.flow.read import read
from seatrial.testing import _litert, _models

STUDY = """\
schema: 1
name: runtimes
models:
  mlp:
    forms: {torch: {module: "sample_modules.py:Mlp", weights: Mlp.safetensors}}
    task: classification
    inputs: {features: {columns: features}}
    outputs: {logits: {means: logits}}
MORE
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates:
  - {runtime: [torch, onnxruntime, RUNTIMES], batch: 8}
reference: {runtime: torch}
measure: {loads: [{offline: {seconds: 0.05}}], rounds: 1, meters: [throughput], metrics: [accuracy, drop, flips]}
reports: [json]
"""
BAD = '''"""The house's conversion with a weight changed on the way."""
import hashlib, importlib
import safetensors.torch
from seatrial.contracts.part import PartOptions
NEEDS = ("jax", "torchax")
ACCEPTS = {"format": ("torch",)}
GIVES = {"format": ("jax",)}
class Options(PartOptions): pass
def convert(artefact, making, options):
    honest = importlib.import_module("seatrial.parts.conversions.torch_to_jax")
    made = honest.convert(artefact, making, honest.Options())
    file = making.folder / "weights.safetensors"
    weights = safetensors.torch.load_file(file)
    weights["0"][0] += 0.5
    safetensors.torch.save_file(weights, file)
    return made.model_copy(update={"hashes": {**made.hashes, "weights": hashlib.sha256(file.read_bytes()).hexdigest()}})
'''


def written(folder: Path, runtimes: str, more: str = "") -> Path:
    _models.samples("torch", folder)
    rows = _models.rows(300, 32)
    np.savez(folder / "rows.npz", features=rows, label=_models.mlp_answers(rows).argmax(1))
    (folder / "bad.py").write_text(BAD)
    file = folder / "study.yaml"
    file.write_text(STUDY.replace("RUNTIMES", runtimes).replace("MORE\n", more))
    return file


def test_the_plan_finds_ways_through_several_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = catalog.absent
    monkeypatch.setattr(catalog, "absent", lambda part: [] if part.name == "jax_to_litert" else honest(part))
    plan = make_plan(read(written(tmp_path, "jax, litert")))
    assert [one.route for one in plan.candidates] == [
        "torch",
        "torch by torch_to_onnx",
        "torch by torch_to_jax",
        "torch by torch_to_jax+jax_to_litert",
    ]
    stated = "    conversions: [{torch_to_jax: {platforms: [cpu]}}, jax_to_litert, torch_to_onnx]\n"
    plan = make_plan(read(written(tmp_path, "litert", stated)))
    last = plan.candidates[-1].conversion
    assert last is not None
    assert [(link.name, link.options) for link in last.links] == [
        ("torch_to_jax", {"platforms": ["cpu"]}),
        ("jax_to_litert", {}),
    ]


def test_a_way_that_lacks_a_package_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = catalog.absent
    lacking = ["litert_converter"]
    monkeypatch.setattr(catalog, "absent", lambda part: lacking if part.name == "jax_to_litert" else honest(part))
    plan = make_plan(read(written(tmp_path, "litert")))
    (dropped,) = plan.dropped
    assert "jax_to_litert needs litert_converter" in dropped.reason


EDGE = """\
schema: 1
name: edge
models:
  float: {forms: {litert: {path: mlp.tflite}}, task: classification, inputs: {features: {columns: features}}, outputs: {logits: {means: logits}}}
  int8: {forms: {litert: {path: mlp_int8.tflite}}, task: classification, inputs: {features: {columns: features}}, outputs: {logits: {means: logits}}}
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates:
  - {model: [float, int8], runtime: litert, batch: 8}
  - {model: int8, runtime: litert, precision: int8, batch: 8}
reference: {model: float}
measure: {loads: [{offline: {seconds: 0.05}}], rounds: 1, meters: [throughput], metrics: [accuracy, drop, flips]}
reports: [json]
"""


def test_an_int8_file_of_the_user_s_is_compared_with_the_float_one(tmp_path: Path) -> None:
    """Its inputs and outputs are stored as int8; the study states the numbers that they stand for."""
    for made in (_litert.mlp, _litert.mlp_int8):
        made(tmp_path)
    rows = _models.rows(300, 32)
    np.savez(tmp_path / "rows.npz", features=rows, label=_models.mlp_answers(rows).argmax(1))
    (tmp_path / "study.yaml").write_text(EDGE)
    dossier = flow.run(tmp_path / "study.yaml")
    ran = {one.candidate.split("/")[0]: one.value for one in dossier.findings if one.what == "executed.precision"}
    assert ran == {"float": "fp32", "int8": "int8"}
    (flips,) = [one for one in dossier.findings if one.what == "flips"]
    assert 0 <= flips.number < 0.15
    (dropped,) = dossier.dropped
    assert "a quantised file runs in int8 by itself" in dropped.reason


@pytest.mark.slow
def test_a_module_runs_everywhere_and_is_proved_the_same(tmp_path: Path) -> None:
    litert = not catalog.absent(catalog.find("conversions", "jax_to_litert"))
    dossier = flow.run(written(tmp_path, "jax, litert" if litert else "jax"))
    flips = {one.candidate.split("/")[2]: one.value for one in dossier.findings if one.what == "flips"}
    assert flips == dict.fromkeys(("onnxruntime", "jax", *(["litert"] if litert else [])), 0)
    proved = [one for one in dossier.findings if one.what == "forms.difference"]
    assert len(proved) == len(flips)
    assert all(one.state is State.OK and one.value < 1e-5 for one in proved)
    assert all(one.value == "fp32" for one in dossier.findings if one.what == "executed.precision")


@pytest.mark.slow
def test_a_module_that_was_broken_on_the_way_is_refused(tmp_path: Path) -> None:
    dossier = flow.run(written(tmp_path, "jax", "    conversions: [./bad.py, torch_to_onnx]\n"))
    (refused,) = [one for one in dossier.findings if one.what == "run" and one.candidate]
    assert refused.state is State.REFUSED
    assert "is not the same model" in refused.note
    assert "/jax/" in str(refused.candidate)


CHOOSY = """
import torch


class Choosy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one = torch.nn.Linear(32, 10)

    def forward(self, features):
        return self.one(features) if features[0, 0] > -1.5 else self.one(-features)
"""


@pytest.mark.slow
def test_a_branch_that_was_written_down_as_it_was_seen_is_found_out(tmp_path: Path) -> None:
    """The rows are sorted: whoever looks at the first, or at the last, sees one branch alone. The older exporter writes down that one."""
    import torch
    from safetensors.torch import save_file

    file = written(tmp_path, "onnxruntime", "    conversions: [{torch_to_onnx: {exporter: script}}]\n")
    file.write_text(file.read_text().replace("sample_modules.py:Mlp", "choosy.py:Choosy").replace("Mlp.safe", "choosy.safe"))  # fmt: skip
    (tmp_path / "choosy.py").write_text(CHOOSY)
    torch.manual_seed(0)
    save_file({f"one.{name}": one for name, one in torch.nn.Linear(32, 10).state_dict().items()}, tmp_path / "choosy.safetensors")  # fmt: skip
    rows = _models.rows(1_000, 32)
    rows = rows[np.argsort(-rows[:, 0])]
    np.savez(tmp_path / "rows.npz", features=rows, label=np.zeros(1_000, np.int64))
    dossier = flow.run(file)
    (refused,) = [one for one in dossier.findings if one.what == "run" and one.candidate]
    assert (refused.state, "/onnxruntime/" in str(refused.candidate)) == (State.REFUSED, True)
    assert "is not the same model" in refused.note
