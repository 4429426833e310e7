"""A disturbed block is found out, a quiet one isn't accused."""

import os
import subprocess
import sys
import time

import pytest

from seatrial.flow import quiet

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
