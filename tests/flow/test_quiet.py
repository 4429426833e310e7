"""A disturbed block is found out, a quiet one isn't accused."""

import os
import subprocess
import sys
import time

import pytest
from small_study import STUDY, make

from seatrial.flow import environment, quiet
from seatrial.flow import study as flow

BURN = "import time, os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); e = time.time() + 20\nwhile time.time() < e: pass"


def burn(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_a_rival_on_the_same_processor_is_found():
    core = quiet.quietest(1)[0]
    before = os.sched_getaffinity(0)
    rival = subprocess.Popen([sys.executable, "-c", BURN, str(core)])
    try:
        time.sleep(0.3)
        quiet.pin([core])
        with quiet.Watcher(1, "cpu") as watcher:
            burn(0.5)
    finally:
        rival.kill()
        rival.wait()
        quiet.pin(sorted(before))
    seen = watcher.seen()
    assert seen["reason"]
    assert seen["cpu_share"] < 0.9
    assert seen["delay_share"] is None or seen["delay_share"] > 0.1


def test_the_quietest_processor_is_not_the_busy_one():
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("there is one processor only")
    rivals = [subprocess.Popen([sys.executable, "-c", BURN, str(core)]) for core in cores[1:]]
    try:
        time.sleep(0.5)
        choices = [quiet.quietest(1, 0.2)[0] for _ in range(5)]
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
    assert choices.count(cores[0]) >= 3
    assert quiet.quietest(len(cores)) == cores


def test_sleeping_on_one_thread_counts_as_disturbed_but_not_on_a_gpu():
    with quiet.Watcher(1, "cpu") as watcher:
        time.sleep(0.1)
    assert "on the processor only" in watcher.seen()["reason"]
    with quiet.Watcher(1, "cuda") as watcher:
        time.sleep(0.1)
    assert "on the processor only" not in watcher.seen()["reason"]


def test_a_processor_that_throttles_disturbs_the_block(tmp_path, monkeypatch):
    count = tmp_path / "cpu0" / "thermal_throttle" / "core_throttle_count"
    count.parent.mkdir(parents=True)
    count.write_text("4\n")
    look = quiet.throttles
    monkeypatch.setattr(quiet, "throttles", lambda: look(tmp_path))
    with quiet.Watcher(2, "cuda") as watcher:
        burn(0.01)
    assert "throttled" not in watcher.seen()["reason"]
    with quiet.Watcher(2, "cuda") as watcher:
        count.write_text("7\n")
    assert "throttled 3 times" in watcher.seen()["reason"]
    for cpu in ("cpu0", "cpu1"):
        package = tmp_path / cpu / "thermal_throttle" / "package_throttle_count"
        package.parent.mkdir(parents=True, exist_ok=True)
        package.write_text("5\n")
    assert look(tmp_path) == 7 + 5, "each processor shows the count of its package"
    assert look(tmp_path / "nowhere") == 0


def test_clock_and_temperature_are_read_or_not_said(tmp_path):
    for cpu, kilohertz in (("cpu0", "2000000"), ("cpu1", "3000000")):
        (tmp_path / cpu / "cpufreq").mkdir(parents=True)
        (tmp_path / cpu / "cpufreq" / "scaling_cur_freq").write_text(kilohertz)
    assert environment.clock_mhz(tmp_path) == 2500.0
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\ncpu MHz\t\t: 2600.5\n\nprocessor : 1\ncpu MHz\t\t: 2400.5\n")
    assert environment.clock_mhz(tmp_path / "none", info) == 2500.5
    assert environment.clock_mhz(tmp_path / "none", tmp_path / "none") is None
    zone = tmp_path / "thermal" / "thermal_zone0"
    zone.mkdir(parents=True)
    assert environment.temperature(tmp_path) is None
    (zone / "temp").write_text("61500\n")
    sensor = tmp_path / "hwmon" / "hwmon3"
    sensor.mkdir(parents=True)
    (sensor / "temp1_input").write_text("71000")
    (sensor / "temp2_input").write_text("broken")
    assert environment.temperature(tmp_path) == 71.0


def test_processes_on_a_gpu_are_counted_or_it_is_said_why_not(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.gpu_processes() == "no GPU driver here"
    tool.write_text("#!/bin/sh\necho 12\necho 13\n")
    tool.chmod(0o755)
    assert environment.gpu_processes() == 2
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert "doesn't answer" in environment.gpu_processes()


def test_gpus_and_their_driver_are_part_of_the_environment(tmp_path, monkeypatch):
    """A measurement on another GPU, or by another driver, doesn't stand; a machine without one is known as before."""
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    plain = environment.look([])
    assert plain["gpus"] == "none that a driver names"
    assert environment.fingerprint(plain) == environment.fingerprint({k: v for k, v in plain.items() if k != "gpus"})
    tool.write_text("#!/bin/sh\necho 'NVIDIA X1, 40960 MiB, 550.1'\n")
    tool.chmod(0o755)
    found = environment.look([])
    assert found["gpus"] == ["NVIDIA X1, 40960 MiB, driver 550.1"]
    tool.write_text("#!/bin/sh\necho 'NVIDIA X1, 40960 MiB, 560.2'\n")
    assert len({environment.fingerprint(one) for one in (plain, found, environment.look([]))}) == 3


def test_a_study_says_what_no_counter_tells(tmp_path):
    """Energy, memory of a GPU: missing with the reason; processors kept busy and compiling: figures."""
    counters = tmp_path / "powercap" / "intel-rapl:0"
    counters.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("energy_uj", "5"), ("max_energy_range_uj", "9")):
        (counters / name).write_text(text)
    meters = "[throughput, {energy: {powercap: %s, rest: 0.01}}, utilisation, device_memory, device_energy, cold_start]"
    text = STUDY.replace("meters: [throughput, size]", f"meters: {meters % (tmp_path / 'powercap')}")
    text = text.replace("loads: [offline]", "loads: [{offline: {seconds: 0.05}}]")
    (tmp_path / "one").mkdir()
    dossier = flow.run(make(tmp_path / "one", text), only=["b1"])
    found = {one.what: one for one in dossier.findings if one.candidate and one.candidate.endswith("b1")}
    assert found["energy.query"].value is None
    assert "stood still" in found["energy.query"].note, (
        "the planted counter doesn't move: the option reached the worker"
    )
    assert "runs on cpu" in found["memory.device"].note
    assert found["utilisation.processors"].value > 0.1
    assert found["cold_start.compile"].value >= 0
    said = {one.what: one.value for one in dossier.findings if one.what.startswith("environment.")}
    assert {"environment.clock_mhz", "environment.temperature_celsius", "environment.gpu_processes"} <= set(said)


def test_processors_lent_to_guests_count_once(monkeypatch):
    """The kernel has the time of guests in that of users already."""
    stat = "cpu  0 0 0 0\ncpu0 70 0 5 20 1 1 2 1 60 0\nintr 1\n"
    monkeypatch.setattr(quiet.Path, "read_text", lambda *_, **__: stat)
    assert quiet._busy() == {0: 70 + 5 + 1 + 2 + 1}
