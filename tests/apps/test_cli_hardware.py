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


def test_one_device_with_its_sources(capsys):
    code, out, _ = called(capsys, "--on", "mi300x")
    assert code == 0
    for words in (
        "AMD Instinct MI300X",
        "bf16 1.3 PFLOP/s",
        "stas00/ml-engineering",
        "26 to 51 %",
        "a lead",
        "measured",
    ):
        assert words in out
    told = json.loads(called(capsys, "--on", "mi300x", "--json")[1])
    assert (told["name"], told["confidence"]) == ("AMD Instinct MI300X", "medium")


def test_runtimes_side_by_side_with_a_range_of_the_ratio(capsys, model, monkeypatch):
    """Each is off by up to 1.4, both in the same way: their ratio is known far better than either."""
    kinds = dict.fromkeys(roofline.KINDS, 0.5)
    off = {str(at): 0.3 * (-1) ** at for at in range(30)}

    def reach(runtime, precision, *_):
        slow = {"quick": 1.0, "alike": 1.05, "slow": 3.0}[runtime]
        starts = dict.fromkeys(roofline.KINDS, 1e-6 * slow)
        wrong = {name: value + (0.1 if name in "0123" else 0) * (slow > 1) for name, value in off.items()}
        return Reach(runtime=runtime, precision=precision, threads=1, peak=1e11 / slow, shares=kinds, flow={name: share / slow for name, share in kinds.items()}, start_s=starts, call_s=1e-5 * slow, factor=1.4, models=29, points=68, off=wrong, load_1m=4.0)  # fmt: skip

    monkeypatch.setattr(here, "able", lambda *_: None)
    monkeypatch.setattr(here, "reach", reach)
    code, out, _ = called(capsys, model, "--runtime", "slow", "--runtime", "alike", "--runtime", "quick")
    assert code == 0
    lines = out.splitlines()
    (alike,) = [line for line in lines if "as many rows a second as alike" in line]
    (slow,) = [line for line in lines if "as many rows a second as slow" in line]
    assert "quick would answer 1.1 times" in alike or "quick would answer 1 times" in alike
    assert "the order is open" in alike
    assert "quick would answer 3 times" in slow
    assert "open" not in slow
    assert sum("busy when it was calibrated" in line for line in lines) == 1
    told = json.loads(called(capsys, model, "--runtime", "slow", "--runtime", "quick", "--json")[1])
    assert [one["runtime"] for one in told["runtimes"]] == ["quick", "slow"]
    (ratio,) = told["fastest_over"]
    assert ratio["low"] == pytest.approx(3 / 2.718281828**0.1, rel=0.02)


def test_a_model_on_every_device_fastest_first(capsys, model):
    code, out, err = called(capsys, model, "--catalogue", "--batch", "16")
    assert code == 0
    assert "the order is open" in out
    assert "fits its memory" in out
    assert "Hailo-8" in err
    rows = json.loads(called(capsys, model, "--catalogue", "--json")[1])
    times = [row["latency"]["value"] for row in rows]
    assert times == sorted(times)
    assert len(times) >= 28


@pytest.mark.parametrize("words", [["--runtime", "opnvino"], ["--precision", "fp7"], ["--threads", "999"]])
def test_what_cant_be_had_here_is_told_before_anything_is_measured(capsys, model, words, monkeypatch):
    monkeypatch.setattr(here, "measured", lambda *_: pytest.fail("it measured"))
    code, _, err = called(capsys, model, *words)
    assert code == 2
    assert words[1] in err
    assert "next:" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "NVIDIA L5"], "NVIDIA L4"),
        (["--picture", "roof.svg"], "model.onnx --on"),
        (["MODEL", "--catalogue", "--picture", "roof.svg"], "name one"),
        (["MODEL", "--catalogue", "--on", "NVIDIA L4"], "leave one of them out"),
        (["MODEL", "--on", "NVIDIA L4", "--runtime", "openvino"], "about this machine"),
        (["MODEL", "--on", "NVIDIA L4", "--axis", "words=3"], "no free axis"),
        (["MODEL", "--on", "NVIDIA L4", "--batch", "0"], "--batch"),
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
