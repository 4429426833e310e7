"""`seatrial hardware`: this machine, the catalogue, a prediction, and what is refused with a next step."""

import json
import subprocess
import sys

import pytest

from seatrial.apps.cli import main
from seatrial.contracts.hardware import Level, Measured, Peak, Reach
from seatrial.flow.hardware import here, probes
from seatrial.numerics import roofline


@pytest.fixture
def model(tmp_path):
    return str(probes.attention("model", 16, 32, 2, 1).save(tmp_path))


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """This machine as it might have been measured; nothing is measured in these tests."""
    levels = (Level(size=1e5, bandwidth=5e10), Level(size=1e8, bandwidth=1e10))
    peaks = (Peak(precision="fp32", threads=1, flops=1e11, runtime="openvino"), Peak(precision="int8", threads=1, flops=4e11, runtime="openvino"))  # fmt: skip
    made = Measured(machine="A processor", key="k", measured_at="2026-01-02", seconds=1, peaks=peaks, levels={1: levels}, load_1m=3.0, failures=("openvino in fp16: it ran in fp32",))  # fmt: skip
    kinds = dict.fromkeys(roofline.KINDS, 0.5)
    reach = Reach(runtime="openvino", precision="fp32", threads=1, peak=1e11, shares=kinds, flow=kinds, start_s=dict.fromkeys(roofline.KINDS, 1e-6), call_s=1e-5, factor=1.4, models=29, points=68)  # fmt: skip
    monkeypatch.setattr(here, "measured", lambda fresh, tell: made)
    monkeypatch.setattr(here, "reach", lambda *_: reach)


def called(capsys, *words):
    code = main.main(["hardware", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_this_machine(capsys):
    code, out, err = called(capsys)
    assert code == 0
    assert "400 GOP/s" in out
    assert "50 GB/s" in out
    assert "it ran in fp32" in err
    assert "busy" in err
    told = json.loads(called(capsys, "--json")[1])
    assert {"machine", "devices", "measured"} == told.keys()


def test_the_catalogue_marks_leads(capsys):
    code, out, _ = called(capsys, "--catalogue")
    assert code == 0
    (lead,) = [line for line in out.splitlines() if line.startswith("NVIDIA L4 ")]
    (own,) = [line for line in out.splitlines() if line.startswith("Google TPU v5e")]
    assert ("*" in lead, "*" in own) == (True, False)
    assert len(json.loads(called(capsys, "--catalogue", "--json")[1])) >= 31


def test_looking_at_the_catalogue_loads_nothing_heavy():
    code = (
        "from seatrial.apps.cli.main import main; assert main(['hardware', '--catalogue']) == 0\n"
        "import sys; print('heavy:', {'numpy', 'onnx', 'torch', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: set()" in done.stdout


def test_a_prediction_says_that_it_is_one(capsys, model, tmp_path):
    picture = tmp_path / "new" / "roof.svg"
    code, out, err = called(capsys, model, "--on", "NVIDIA L4", "--batch", "8", "--picture", str(picture))
    assert code == 0
    for words in ("predicted, not measured", "would help", "would not help", "It is held up by", "stand idle", "Doubt:", "lead"):  # fmt: skip
        assert words in out
    assert picture.read_text().startswith("<svg")
    assert str(picture) in err.replace("\n", "")


def test_a_prediction_for_machines(capsys, model):
    told = json.loads(called(capsys, model, "--on", "Google TPU v5e", "--json")[1])
    assert told["forecast"]["precision"] == "bf16"
    assert {one["origin"] for one in told["findings"]} == {"predicted"}


def test_a_prediction_for_this_machine(capsys, model):
    code, out, _ = called(capsys, model)
    assert code == 0
    assert "this machine (A processor, openvino, 1 thread), fp32" in out
    assert "1.40" in out


def test_a_model_on_every_device_fastest_first(capsys, model):
    code, out, err = called(capsys, model, "--catalogue", "--batch", "16")
    assert code == 0
    assert "Where ranges overlap" in out
    assert "Hailo-8" in err
    rows = json.loads(called(capsys, model, "--catalogue", "--json")[1])
    times = [row["latency"]["value"] for row in rows]
    assert times == sorted(times)
    assert len(times) >= 28


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "NVIDIA L4"], "model.onnx --on"),
        (["MODEL", "--on", "NVIDIA L5"], "NVIDIA L4"),
        (["MODEL", "--on", "NVIDIA T4", "--precision", "bf16"], "fp16"),
        (["MODEL", "--on", "NVIDIA L4", "--axis", "words"], "--axis sequence=128"),
        (["missing.onnx", "--on", "NVIDIA L4"], "missing.onnx"),
    ],
)
def test_what_is_wrong_leads_on(capsys, model, words, said):
    code, _, err = called(capsys, *[model if word == "MODEL" else word for word in words])
    assert code == 2
    assert "next:" in err
    assert said in err
