"""The script that waits for a GPU: without one it says what it would do; on a stand-in it goes through all of it, up to the page of the docs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stand_in_gpu
from recipes import ROOT

from seatrial.contracts.glossary import term
from seatrial.flow.plan import make_plan
from seatrial.flow.read import read

sys.path.insert(0, str(ROOT / "benchmarks"))
import _gpu_page
import _gpu_studies
import _optimise_data
import gpu


def test_without_a_gpu_it_says_what_it_would_do_and_ends_well() -> None:
    here = os.environ | {"PATH": "/nonexistent"}
    done = subprocess.run([sys.executable, "benchmarks/gpu.py"], cwd=ROOT, env=here, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith("skipped: no NVIDIA GPU here")
    for word in ("fashion", "employment", "cnn", "transformer", "cuda_graphs", "tf32", "tensorrt", "jax", "energy"):
        assert word in done.stdout


def test_its_study_of_the_demo_is_planned_with_a_reason_for_all_that_is_not_here(tmp_path: object) -> None:
    folder = ROOT / "examples" / "fashion"
    text = _gpu_studies.study("fashion")
    file = tmp_path / "study.yaml"  # type: ignore[operator]
    file.write_text(text.replace("path: ", f"path: {folder}/").replace("model.py", f"{folder}/model.py").replace("weights: cnn", f"weights: {folder}/cnn"))  # fmt: skip
    plan = make_plan(read(file))
    asked = {tuple(one.id.split("/")[2:5]) for one in plan.dropped}
    assert ("torch", "cuda", "tf32") in asked
    assert ("onnxruntime", "tensorrt", "fp32") in asked
    assert ("jax", "cuda", "bf16") in asked
    assert all(one.reason for one in plan.dropped)


def test_predictions_are_ordered_and_cover_every_precision() -> None:
    told = json.loads((ROOT / "benchmarks" / "gpu_predictions.json").read_text())
    assert told["device"] == gpu.DEVICE
    for name in ("fashion", "cnn", "transformer"):
        for precision in gpu.PRECISIONS:
            one = told["models"][name][precision]
            assert 0 < one["low"] < one["value"] < one["high"]
        assert told["models"][name]["bf16"]["value"] > told["models"][name]["fp32"]["value"]


@pytest.mark.parametrize(("measured", "within"), [(150.0, True), (400.0, False)])
def test_what_was_measured_is_held_against_what_was_said(measured: float, within: bool) -> None:
    told = {"bf16": {"value": 100.0, "low": 50.0, "high": 200.0}}
    findings = [
        {
            "what": "throughput",
            "value": measured,
            "at": {"load": "offline"},
            "candidate": "cnn/as_is/torch/cuda/bf16/t1/b8",
        },
        {"what": "throughput", "value": 9.0, "at": {}, "candidate": "cnn/as_is/onnxruntime/cpu/fp32/t1/b8"},
        {"what": "accuracy", "value": 0.9, "at": {}, "candidate": "cnn/as_is/torch/cuda/bf16/t1/b8"},
    ]
    (row,) = gpu.compared(findings, told, "NVIDIA H200, 580.1")
    assert (row["within"], row["ratio"]) == (within, measured / 100)
    assert "note" not in row
    (row,) = gpu.compared(findings, told, "NVIDIA L4, 580.1")
    assert "another GPU" in row["note"]


def test_predictions_are_those_of_the_code_until_they_are_held_against_a_measurement() -> None:
    if _gpu_page.RESULTS.exists():
        pytest.skip("it was measured: what was said before stays")
    told = json.loads(_gpu_page.PREDICTIONS.read_text())["models"]["fashion"]
    now = gpu.predicted(ROOT / "examples" / "fashion" / "cnn.onnx", _gpu_studies.BATCH["fashion"])
    for precision in gpu.PRECISIONS:
        assert [now[precision][one] for one in ("value", "low", "high")] == pytest.approx([told[precision][one] for one in ("value", "low", "high")], rel=1e-6), "gpu.py --predict"  # fmt: skip


def test_the_page_is_what_was_recorded() -> None:
    assert _gpu_page.PAGE.read_text() == _gpu_page.written(), "run benchmarks/_gpu_page.py"


def test_what_is_kept_of_a_study_has_a_name_that_findings_have() -> None:
    for what in gpu.SHOWN:
        assert what == "run" or term(what.removesuffix(".drop")), what


# --- on a stand-in ----------------------------------------------------------------------------------------------------------

NET = """\
import torch


def tiny():
    return torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
"""


def prepared(folder: Path, only: str | None = None) -> None:
    """A tiny network with its rows, where the script looks for a larger one."""
    import torch
    from safetensors.torch import save_file

    place = folder / "tiny"
    place.mkdir(parents=True, exist_ok=True)
    (place / "nets.py").write_text(NET)
    names: dict[str, Any] = {}
    exec(NET, names)
    torch.manual_seed(0)
    module = names["tiny"]().eval()
    x = torch.randn(600, 6)
    save_file(module.state_dict(), place / "tiny.safetensors")
    np.savez(place / "confirm.npz", x=x.numpy(), label=module(x).argmax(1).numpy())
    torch.onnx.export(module, (x[:2],), str(place / "tiny.onnx"), dynamo=True, dynamic_shapes=({0: torch.export.Dim("rows")},), input_names=["x"], output_names=["logits"], external_data=False, verbose=False)  # fmt: skip


@pytest.fixture
def on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in stand_in_gpu.plant(tmp_path / "gpu").items():
        monkeypatch.setenv(name, value)
    short = _gpu_studies.GRIDS.replace("loads: [single_stream, offline]", "loads: [{{single_stream: {{seconds: 0.02, queries: 20}}}}, {{offline: {{seconds: 0.02}}}}]")  # fmt: skip
    short = short.replace("rounds: 5", "rounds: 2").replace("[fp32, tf32, bf16, fp16]", "[tf32, bf16]")
    monkeypatch.setattr(_gpu_studies, "GRIDS", short)
    monkeypatch.setattr(_gpu_studies, "BATCH", {"tiny": 8})
    monkeypatch.setattr(_gpu_studies, "SCALE", {"tiny": ""})
    monkeypatch.setattr(_optimise_data, "prepare", prepared)
    said = {"value": 1e6, "low": 1.0, "high": 1e12, "limit": "waiting"}
    told = {"device": gpu.DEVICE, "date": "2026-01-01", "batch": {"tiny": 8}, "models": {"tiny": {"tf32": said, "bf16": said | {"high": 2.0}}}}  # fmt: skip
    for name, text in (("PREDICTIONS", json.dumps(told)), ("RESULTS", ""), ("PAGE", "")):
        file = tmp_path / name.lower()
        if text:
            file.write_text(text)
        monkeypatch.setattr(_gpu_page, name, file)
    return tmp_path


def test_on_a_stand_in_for_a_gpu_it_goes_through_all_of_it(on_a_gpu: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """Three ways of PyTorch in two precisions, what can't be had with its reason, energy, quality, predictions, and the page."""
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--keep", str(on_a_gpu / "kept")])
    gpu.main()
    found = json.loads(_gpu_page.RESULTS.read_text())["models"]["tiny"]
    assert found["device"] == f"{stand_in_gpu.NAME}, {stand_in_gpu.DRIVER}"
    assert found["environment"]["gpus"] == [f"{stand_in_gpu.NAME}, 1024 MiB, driver {stand_in_gpu.DRIVER}"]
    assert found["environment"]["packages"]["torch"]
    ways = {row["candidate"]: row for row in found["against_predictions"]}
    assert len(ways) == len(found["against_predictions"]) == 6, "each once"
    assert {row["within"] for way, row in ways.items() if "/tf32/" in way} == {True}
    assert {row["within"] for way, row in ways.items() if "/bf16/" in way} == {False}
    assert all("another GPU" in row["note"] for row in ways.values())
    for way in ways:
        mine = {one["what"]: one for one in found["findings"] if one["candidate"] == way}
        assert mine["accuracy.drop"]["value"] is not None
        assert 10 < mine["energy.device.power"]["value"] < 10 * stand_in_gpu.WATTS
        assert mine["energy.device"]["value"] > 0
        assert mine["memory.device"]["value"] == 7 * 2**20
        assert mine["executed.precision"]["value"] == ("tf32" if "/tf32/" in way else "bf16")
    left = {one["id"]: one["reason"] for one in found["left_out"]}
    assert any("/onnxruntime/tensorrt/" in one for one in left)
    assert any("/jax/cuda/" in one for one in left)
    assert all(left.values())
    page = _gpu_page.PAGE.read_text()
    for word in (stand_in_gpu.NAME, stand_in_gpu.DRIVER, found["date"], "torch ", "µJ", "tensorrt", "before anything was measured"):  # fmt: skip
        assert word in page
    assert page.count("| tf32 |") == 3 + 1, "a line for each way, and the prediction"
    assert "3 of 6 throughputs lie in the predicted range" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--predict"])
    with pytest.raises(SystemExit, match="isn't changed after it"):
        gpu.main()


def test_a_model_that_is_not_known_is_refused(on_a_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--only", "cnm"])
    with pytest.raises(SystemExit, match="`cnm` is none of tiny"):
        gpu.main()
