"""Device time stands beside wall time: of a processor by its threads' clock, of a GPU by events in its stream."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from small_study import STUDY, make

from seatrial import catalog
from seatrial.contracts.events import Events
from seatrial.contracts.finding import Origin, State
from seatrial.contracts.protocols import Probe, Round
from seatrial.flow import study as flow
from seatrial.parts.runtimes.torch import DeviceClock

METER = catalog.load(catalog.find("meters", "device_time"))
TIMES = np.arange(10, dtype=np.int64) * 10_000_000


def probe(device="cpu", begun=None, spent=None):
    return Probe(Events(issued=TIMES, done=TIMES + 8_000_000), {}, None, device, begun=begun, spent=spent or {})


def stated(*readings):
    rounds = [Round(at, reading) for at, reading in enumerate(readings)]
    return {one.what: one for one in METER.findings(rounds, "single_stream", 0.95, METER.Options())}


def test_sleeping_takes_wall_time_and_no_device_time():
    begun = METER.begin("cpu", METER.Options())
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    time.sleep(0.2)
    reading = METER.read(probe(begun=begun))
    assert 0.005 <= reading["device"] < reading["wall"] - 0.015
    found = stated(reading, reading)
    assert found["device_time.query"].value == pytest.approx(reading["device"])
    assert "processor time of all threads" in found["device_time.query"].method


def test_a_gpu_is_timed_by_events_and_without_them_it_is_missing():
    begun = METER.begin("cuda", METER.Options())
    found = stated(METER.read(probe("cuda:0", begun, {"device": 0.002})))
    assert found["device_time.share"].value == pytest.approx(0.002 / 0.008)
    assert "events" in found["device_time.share"].method
    lacking = stated(METER.read(probe("cuda:0", begun)))["device_time.query"]
    assert (lacking.origin, lacking.state) == (Origin.MISSING, State.NOT_HERE)
    assert "device_time: true" in lacking.note
    assert stated(METER.read(probe()))["device_time.query"].value is None


def test_events_are_taken_around_the_model_and_their_mean_is_told_once():
    moments = iter([10.0, 12.0, 20.0, 26.0])

    def event():
        one = SimpleNamespace(at=0.0)
        one.record = lambda: setattr(one, "at", next(moments))
        one.elapsed_time = lambda other: other.at - one.at
        return one

    clock = DeviceClock(event)
    for _ in range(2):
        with clock:
            pass
        clock.note()
    assert clock.spent() == {"device": pytest.approx(0.004)}
    assert clock.spent() == {}


def test_in_a_study_it_stands_beside_latency(tmp_path):
    text = STUDY.replace("loads: [offline]", "loads: [{offline: {seconds: 0.05}}]")
    dossier = flow.run(
        make(tmp_path, text.replace("[throughput, size]", "[throughput, device_time, network]")), only=["b1"]
    )
    found = {one.what: one for one in dossier.findings if one.candidate and one.candidate.endswith("b1")}
    assert 0 < found["device_time.query"].value < 0.1
    assert found["throughput"].value > 0
    assert "nothing is known of a network" in found["network.time"].note
