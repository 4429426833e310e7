"""Measuring this machine: real tasks kept small, what is kept and for what, and what becomes of a process that dies."""

import json
import os

import numpy as np
import pytest

from seatrial.contracts.hardware import Level
from seatrial.errors import StudyError, Unsupported, WorkerCrashed
from seatrial.flow.hardware import calibrated, here, measured, operators, probes
from seatrial.numerics import roofline


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "seatrial" / "hardware"


@pytest.fixture
def brief(monkeypatch):
    """Measuring that takes tenths of a second."""
    for name, value in {"SIZES": (2**18, 2**22), "COPY_S": 0.005, "ROUNDS": 1, "PEAK_S": 0.01, "CALL_S": 0.005, "VISITS": 1, "PEAK_WIDTH": 128, "PEAK_ROWS": 32}.items():  # fmt: skip
        monkeypatch.setattr(measured, name, value)


def test_bandwidth_is_measured_at_every_working_set(brief):
    found = measured.carry_out({"task": "levels", "threads": [1, 2]})["levels"]
    assert [step["size"] for step in found[2]] == [2**18, 2**22]
    assert all(1e8 < step["bandwidth"] < 1e13 for steps in found.values() for step in steps)


def test_a_round_that_something_disturbed_doesnt_count(brief, monkeypatch):
    """Two of three sizes are disturbed in turn, one always: bandwidth never grows with the working set."""
    monkeypatch.setattr(measured, "SIZES", (10, 20, 30))
    monkeypatch.setattr(measured, "ROUNDS", 2)
    told = iter([9.0, 1.0, 3.0, 8.0, 2.0, 4.0])
    monkeypatch.setattr(measured, "_copied", lambda pool, threads, size: next(told))
    assert [one.bandwidth for one in measured.levels(1)] == [9.0, 4.0, 4.0]


def test_peaks_are_told_by_the_precision_that_ran(brief):
    found = measured.carry_out({"task": "peaks", "runtime": "onnxruntime", "precisions": ["fp32"], "threads": [1]})
    assert {one["precision"] for one in found["peaks"]} == {"fp32", "int8"}
    assert all(1e6 < one["flops"] < 1e15 for one in found["peaks"])
    assert not found["failures"]


def test_what_a_runtime_refuses_is_said(brief):
    found = measured.carry_out({"task": "peaks", "runtime": "onnxruntime", "precisions": ["bf16"], "threads": [1]})
    assert not found["peaks"]
    assert "bf16" in found["failures"][0]


def test_a_runtime_is_calibrated_on_what_it_really_runs(brief, monkeypatch):
    monkeypatch.setattr(probes, "PROBES", probes.PROBES[3:5] + probes.PROBES[8:10])
    steps = [{"size": 1e5, "bandwidth": 5e10}, {"size": 1e8, "bandwidth": 1e10}]
    task = {"task": "probes", "runtime": "onnxruntime", "precision": "fp32", "threads": 1, "levels": steps}
    reach = measured.carry_out(task)["reach"]
    assert (reach["models"], reach["precision"]) == (4, "fp32")
    assert reach["peak"] > 1e8
    assert reach["factor"] > 1


def test_calibration_finds_the_shares_that_made_the_times(tmp_path):
    """Times computed from a roof that is known: the calibrated one predicts a model that it never saw."""
    levels = [Level(size=1e5, bandwidth=5e10), Level(size=1e8, bandwidth=1e10)]
    rate = calibrated.bandwidth(levels)
    truth = roofline.prior(1e11)
    truth = roofline.Roof(1e11, np.clip(truth.shares * 1.2, 0, 1), truth.flow * 1.5, truth.start * 3, 2e-5)
    points = []
    for make, batches in probes.PROBES:
        net = make()
        file = net.save(tmp_path)
        for batch in batches:
            load = roofline.load([operators.read(file, batch).operators], rate)
            points.append({"model": net.name, "batch": batch, "seconds": float(roofline.seconds(load, truth)[0])})
    reach = calibrated.reach(points, levels, runtime="one", precision="fp32", threads=1)
    assert reach.factor < 1.3
    unseen = roofline.load([operators.read(probes.attention("unseen", 33, 160, 5, 3).save(tmp_path), 7).operators], rate)  # fmt: skip
    found = roofline.seconds(unseen, calibrated.roof(reach))[0] / roofline.seconds(unseen, truth)[0]
    assert found == pytest.approx(1, rel=0.1)


# --- what is kept ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch):
    """Stands in for the measuring process; returns the tasks that it was given."""
    tasks = []
    levels = [{"size": 1e5, "bandwidth": 5e10}, {"size": 1e8, "bandwidth": 1e10}]
    kinds = dict.fromkeys(roofline.KINDS, 0.5)
    made = {"runtime": "onnxruntime", "precision": "fp32", "threads": 1, "peak": 1e11, "shares": kinds, "flow": kinds, "start_s": kinds, "call_s": 1.0, "factor": 1.5, "models": 1, "points": 1}  # fmt: skip

    def answer(task):
        tasks.append(task)
        if task["task"] == "levels":
            return {"levels": {str(count): levels for count in task["threads"]}}
        if task["task"] == "peaks":
            if task["runtime"] != "onnxruntime":
                raise WorkerCrashed("it ended with signal 11")
            peaks = [{"precision": "fp32", "threads": 1, "flops": flops, "runtime": "x"} for flops in (1e11, 2e11)]
            return {"peaks": peaks, "failures": []}
        return {"reach": made} if task["precision"] == "fp32" else {"failure": "it ran in fp32"}

    monkeypatch.setattr(here, "_ask", answer)
    return tasks


def test_what_was_measured_is_kept_and_fresh_measures_again(answers, cache):
    first = here.measured()
    assert len(first.peaks) == 1
    assert first.peaks[0].flops == 2e11  # the higher of two
    count = len(answers)
    assert here.measured() == first
    assert len(answers) == count
    here.measured(fresh=True)
    assert len(answers) == 2 * count
    assert [one.stem for one in cache.iterdir()] == [first.key]


def test_what_was_kept_and_cant_be_read_is_measured_again(answers, cache):
    first = here.measured()
    (file,) = cache.iterdir()
    file.write_text(file.read_text()[:40])
    assert here.measured().peaks == first.peaks
    assert len(file.read_text()) > 100


def test_a_runtime_that_dies_is_named_and_the_others_go_on(answers):
    if len(here.runtimes()) < 2:
        pytest.skip("one runtime alone is installed")
    assert any("signal 11" in one for one in here.measured().failures)


def test_another_version_measures_anew(answers, monkeypatch):
    here.measured()
    count = len(answers)
    monkeypatch.setattr(here.environment, "version", lambda package: "another")
    here.measured()
    assert len(answers) == 2 * count


@pytest.mark.parametrize("aspect", ["cpu", "cpu_features", "cores", "kernel", "python"])
def test_another_machine_measures_anew(answers, monkeypatch, aspect):
    """Also where fewer processors may be used: what was kept for two threads says nothing of one."""
    found = here.environment.look([])
    here.measured()
    here.reach(None, "fp32")
    count = len(answers)
    monkeypatch.setattr(here.environment, "look", lambda packages: found | {aspect: "another"})
    here.measured()
    here.reach(None, "fp32")
    assert len(answers) == 2 * count


@pytest.mark.parametrize("aspect", ["load_1min", "clock_mhz", "gpu_processes"])
def test_what_passes_doesnt_measure_anew(answers, monkeypatch, aspect):
    found = here.environment.look([])
    here.measured()
    count = len(answers)
    monkeypatch.setattr(here.environment, "look", lambda packages: found | {aspect: "another"})
    here.measured()
    assert len(answers) == count


def test_a_calibration_is_kept(answers):
    found = here.reach(None, "fp32")
    count = len(answers)
    assert here.reach(None, "fp32") == found
    assert found.measured_at > "2026"
    assert len(answers) == count
    with pytest.raises(StudyError, match="threads, not with 1000"):
        here.reach(None, "fp32", 1000)
    with pytest.raises(StudyError, match="fp8"):
        here.reach(None, "fp8")
    if any(one.name == "openvino" for one in here.runtimes()):
        with pytest.raises(Unsupported, match="it ran in fp32"):
            here.reach("openvino", "bf16")


def test_a_folder_that_cant_be_written_is_no_error(answers, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert here.measured().peaks
    assert "can't be kept" in capsys.readouterr().err


def test_a_process_that_dies_is_said_with_its_last_words(monkeypatch):
    monkeypatch.setattr(here, "MODULE", "seatrial.no_such_module")
    with pytest.raises(WorkerCrashed, match="no_such_module"):
        here._ask({"task": "levels", "threads": [1]})


def test_measuring_happens_in_another_process(tmp_path):
    """The command line of the measuring process, with a task that is refused quickly."""
    task, result = tmp_path / "task.json", tmp_path / "result.json"
    answer = here._ask({"task": "probes", "runtime": "onnxruntime", "precision": "bf16", "threads": 1, "levels": []})
    assert "bf16" in answer["failure"]
    assert not task.exists()
    assert not result.exists()
    assert json.dumps(answer)


def test_devices_are_asked_of_the_driver(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA X1, 40960 MiB, 550.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert {"kind": "GPU", "name": "NVIDIA X1", "note": "40960 MiB, driver 550.1"} in here.accelerators()
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'; exit 9\n")
    assert not any(one["name"].startswith("NVIDIA") for one in here.accelerators())
