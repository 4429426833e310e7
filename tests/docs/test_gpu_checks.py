"""The script that waits for a GPU: without one it says what it would do, its studies can be read, and predictions are compared as they were written."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from recipes import ROOT

from seatrial.flow.plan import make_plan
from seatrial.flow.read import read

sys.path.insert(0, str(ROOT / "benchmarks"))
import _gpu_studies
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
