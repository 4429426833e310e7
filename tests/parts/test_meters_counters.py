"""Energy, utilisation and memory of a GPU: from counters that are planted; without one the figure is missing, with the reason."""

import ctypes
import json
import time

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.events import Events
from seatrial.contracts.finding import Origin, State
from seatrial.contracts.protocols import Probe, Round
from seatrial.parts.meters import _counters


def meter(name):
    return catalog.load(catalog.find("meters", name))


ENERGY, BUSY, HELD, START = (meter(name) for name in ("energy", "utilisation", "device_memory", "cold_start"))
EVENTS = Events(issued=np.arange(100, dtype=np.int64), done=np.arange(1, 101, dtype=np.int64), samples=4)
ZONES = {"intel-rapl:0": "package-0", "intel-rapl:1": "package-1", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram", "intel-rapl:2": "psys"}  # fmt: skip


@pytest.fixture
def powercap(tmp_path):
    """A tree of counters as the kernel shows them: two packages, the cores of one, its memory, and the platform."""

    class Tree:
        home = tmp_path

        def set(self, **joules):
            for zone, name in ZONES.items():
                folder = tmp_path / zone
                folder.mkdir(exist_ok=True)
                (folder / "name").write_text(name + "\n")
                (folder / "max_energy_range_uj").write_text("262143328850\n")
                (folder / "energy_uj").write_text(f"{int(joules.get(name.replace('-', '_'), 0) * 1e6)}\n")

    tree = Tree()
    tree.set()
    return tree


@pytest.fixture(autouse=True)
def rested(monkeypatch):
    monkeypatch.setattr(ENERGY, "_REST", {})


def probe(options, begun, device="cpu"):
    return Probe(EVENTS, {}, None, device, options, begun)


def measured(powercap, spent, rest_watts=None, monkeypatch=None):
    """A reading of a block in which counters went on by so much."""
    options = ENERGY.Options(powercap=str(powercap.home), rest=0)
    begun = ENERGY.begin("cpu", options)
    powercap.set(**spent)
    begun = begun._replace(at=time.perf_counter() - 10.0, rest=rest_watts)
    return ENERGY.read(probe(options, begun))


def stated(readings, part=ENERGY, load="offline"):
    rounds = [Round(at, one) for at, one in enumerate(readings)]
    return {one.what: one for one in part.findings(rounds, load, 0.95, part.Options())}


def test_packages_and_memory_count_and_nothing_twice(powercap):
    reading = measured(powercap, {"package_0": 5.0, "package_1": 2.0, "core": 3.0, "dram": 1.0, "psys": 11.0})
    assert reading["joules"] == pytest.approx(8.0)
    assert (reading["queries"], reading["rows"]) == (100, 400)
    json.dumps(reading)


def test_a_counter_that_begins_again_is_followed(powercap):
    powercap.set(package_0=262143.0)
    reading = measured(powercap, {"package_0": 2.0})
    assert reading["joules"] == pytest.approx(262143.328850 - 262143.0 + 2.0)
    gone = _counters.Counted({"gpu0": 5.0}, {"gpu0": 0.0})
    with pytest.raises(ValueError, match="ran backwards"):
        _counters.between(gone, _counters.Counted({"gpu0": 4.0}, {"gpu0": 0.0}))


def test_gross_net_and_power(powercap):
    readings = []
    for total in (50.0, 51.0, 49.0):
        powercap.set()
        readings.append(measured(powercap, {"package_0": total}, rest_watts=2.0))
    found = stated(readings)
    assert found["energy.query"].value == pytest.approx(0.5, rel=0.01)
    assert found["energy.query.net"].value == pytest.approx(0.3, rel=0.02), "2 W for 10 s are 20 of 50 J"
    assert found["energy.row"].value == pytest.approx(0.125, rel=0.01)
    assert found["energy.power"].value == pytest.approx(5.0, rel=0.01)
    assert found["energy.query"].low < 0.5 < found["energy.query"].high
    assert found["energy.query"].origin is Origin.MEASURED
    loud = stated([one | {"rest": 9.0} for one in readings])
    assert loud["energy.query.net"].origin is Origin.MISSING
    assert "at rest" in loud["energy.query.net"].note
    assert loud["energy.query"].value is not None
    still = stated([one | {"joules": 0.0} for one in readings])
    assert "stood still" in still["energy.query"].note


def test_the_machine_at_rest_is_measured_once(powercap, monkeypatch):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        powercap.set(package_0=3.0)

    monkeypatch.setattr(ENERGY.time, "sleep", sleep)
    clock = iter(np.arange(0.0, 100.0, 1.0))
    monkeypatch.setattr(ENERGY.time, "perf_counter", lambda: float(next(clock)))
    options = ENERGY.Options(powercap=str(powercap.home))
    first, again = ENERGY.begin("cpu", options), ENERGY.begin("cpu", options)
    assert first.rest == again.rest == pytest.approx(3.0)
    assert slept == [1.0]
    assert first.host.joules["intel-rapl:0"] == 3.0, "the block begins after the rest"


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (lambda home: None, "there is no"),
        (lambda home: home.mkdir(), "no zone of a package"),
        (lambda home: _zone(home, "many"), "can't be read"),
    ],
)
def test_without_a_counter_nothing_is_stated_but_the_reason(tmp_path, plant, words):
    home = tmp_path / "powercap"
    plant(home)
    options = ENERGY.Options(powercap=str(home))
    found = stated([ENERGY.read(probe(options, ENERGY.begin("cpu", options)))] * 3)
    assert set(found) == set(ENERGY.GIVES["finding"])
    assert all((one.value, one.origin, one.state) == (None, Origin.MISSING, State.NOT_HERE) for one in found.values())
    assert all(words in one.note for one in found.values())


def _zone(home, joules):
    zone = home / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0")
    (zone / "energy_uj").write_text(joules)
    (zone / "max_energy_range_uj").write_text("1")


def test_a_counter_for_the_administrator_alone_is_said(powercap, monkeypatch):
    def refused(self, *_, **__):
        if self.name == "energy_uj":
            raise PermissionError("planted")
        return "package-0"

    monkeypatch.setattr(_counters.Path, "read_text", refused)
    assert "administrator" in _counters.rapl(powercap.home)


class Nvml:
    """A library that answers as NVIDIA's does: 0 where all is well, handles and numbers written where it is told."""

    def __init__(self, millijoules=0, start=0, known=0, counts=0):
        self.millijoules, self._codes = millijoules, (start, known, counts)

    def nvmlInit_v2(self):
        return self._codes[0]

    def nvmlDeviceGetHandleByIndex_v2(self, number, handle):
        self.named = number
        return self._codes[1]

    def nvmlDeviceGetHandleByUUID(self, name, handle):
        self.named = name
        return self._codes[1]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, energy):
        ctypes.cast(energy, ctypes.POINTER(ctypes.c_ulonglong))[0] = self.millijoules
        return self._codes[2]


def test_the_counter_of_a_gpu_is_in_millijoules_and_its_errors_are_words():
    counted = _counters.nvml("cuda:1", Nvml(1500))
    assert counted.joules == {"gpu1": 1.5}
    assert "doesn't start (NVML error 9)" in _counters.nvml("cuda", Nvml(start=9))
    assert "knows no GPU 3" in _counters.nvml("cuda:3", Nvml(known=2))
    assert "no energy counter" in _counters.nvml("cuda", Nvml(counts=3))


@pytest.mark.parametrize(
    ("device", "visible", "asked"),
    [("cuda:1", "3,5", 5), ("cuda", "GPU-ab12,0", b"GPU-ab12"), ("tensorrt:1", None, 1), ("cuda", "2,-1,4", 2)],
)
def test_the_gpu_that_is_read_is_the_one_that_the_process_sees(monkeypatch, device, visible, asked):
    """A process counts the GPUs that it is shown from 0, NVML all of the machine's."""
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    library = Nvml(1500)
    assert list(_counters.nvml(device, library).joules.values()) == [1.5]
    assert library.named == asked


@pytest.mark.parametrize(("device", "visible"), [("cuda:2", "3,5"), ("cuda", ""), ("cuda:1", "2,-1,4")])
def test_a_gpu_that_the_process_does_not_see_has_no_energy(monkeypatch, device, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert "shows no GPU" in _counters.nvml(device, Nvml(1500))


def test_a_block_without_a_query_has_no_energy(powercap):
    reading = measured(powercap, {"package_0": 5.0}) | {"queries": 0, "rows": 0}
    assert {one.note for one in stated([reading, reading]).values()} == {"no query was answered in a block"}


def test_a_gpu_counts_with_the_processor(powercap, monkeypatch):
    library = Nvml(1000)
    monkeypatch.setattr(ENERGY, "nvml", lambda device: _counters.nvml(device, library))
    options = ENERGY.Options(powercap=str(powercap.home), rest=0)
    begun = ENERGY.begin("cuda", options)
    library.millijoules = 5000
    powercap.set(package_0=2.0)
    assert ENERGY.read(probe(options, begun, "cuda"))["joules"] == pytest.approx(6.0)
    library._codes = (0, 0, 3)
    assert "no energy counter" in ENERGY.read(probe(options, begun, "cuda"))["why"]


def test_a_gpu_is_counted_by_itself_where_nothing_counts_the_processor(tmp_path, monkeypatch):
    """As on most virtual machines: `energy` is missing there, `device_energy` isn't."""
    part, library = meter("device_energy"), Nvml(1000)
    monkeypatch.setattr(part, "nvml", lambda device: _counters.nvml(device, library))
    readings = []
    for _ in range(3):
        begun = part.begin("cuda", part.Options())
        library.millijoules += 8000
        begun = begun._replace(at=time.perf_counter() - 4.0)
        readings.append(part.read(probe(part.Options(), begun, "cuda")))
    found = stated(readings, part)
    assert found["energy.device"].value == pytest.approx(8 / 400), "joules over rows"
    assert found["energy.device.power"].value == pytest.approx(2.0, rel=0.01)
    assert found["energy.device"].low <= found["energy.device"].value
    together = part.together([readings[0], readings[1] | {"seconds": 9.0, "joules": 20.0}])
    assert (together["joules"], together["rows"]) == (20.0, 800), "the board's counter counts once, rows add up"
    library.millijoules = 0
    assert "ran backwards" in part.read(probe(part.Options(), begun, "cuda"))["why"]
    still = stated([one | {"joules": 0.0} for one in readings], part)
    assert "stood still" in still["energy.device"].note
    cpu = stated([part.read(probe(part.Options(), part.begin("cpu", part.Options())))] * 3, part)
    assert {(one.value, one.state) for one in cpu.values()} == {(None, State.NOT_HERE)}
    assert "runs on cpu" in cpu["energy.device"].note


# --- utilisation, memory of a GPU, cold start ---------------------------------------------------------------------------------


def test_processors_kept_busy_are_told(monkeypatch):
    monkeypatch.setattr(BUSY, "_busy", lambda: 30.0)
    monkeypatch.setattr(BUSY.time, "process_time", lambda: 4.0)
    monkeypatch.setattr(BUSY.time, "perf_counter", lambda: 10.0)
    read = BUSY.read(probe(None, BUSY.Begun(wall=8.0, own=1.0, machine=26.0)))
    assert read == {"own": 1.5, "foreign": 0.5}
    found = stated([read, read | {"own": 1.7}], BUSY)
    assert found["utilisation.processors"].value == pytest.approx(1.6)
    assert found["utilisation.processors"].low < 1.6 < found["utilisation.processors"].high
    assert stated([read], BUSY)["utilisation.processors"].high is None
    nothing = stated([BUSY.read(probe(None, None))], BUSY)
    assert nothing["utilisation.foreign"].origin is Origin.MISSING
    unsaid = stated([{"own": 1.0, "foreign": None}], BUSY)
    assert "doesn't say" in unsaid["utilisation.foreign"].note


def test_memory_of_a_gpu_is_missing_on_a_processor(monkeypatch):
    found = stated([HELD.read(probe(None, None))], HELD, "")["memory.device"]
    assert (found.value, found.state) == (None, State.NOT_HERE)
    assert "runs on cpu" in found.note
    assert "can't be asked" in HELD.read(probe(None, None, "cuda"))["why"]


def test_memory_of_a_gpu_is_what_the_driver_says_of_this_process(monkeypatch):
    import os

    class Said:
        stdout = f"77, 4000\n{os.getpid()}, 512\n{os.getpid()}, [N/A]\n"

    monkeypatch.setattr(HELD.subprocess, "run", lambda *_, **__: Said)
    monkeypatch.setitem(HELD.sys.modules, "torch", None)
    reading = HELD.read(probe(None, None, "cuda"))
    assert reading["bytes"] == 512 * 2**20
    assert stated([reading], HELD, "")["memory.device"].value == 512 * 2**20


def test_what_is_compiled_when_first_asked_is_told_apart():
    """A planted slow start: two seconds in the first answer that the second doesn't take."""
    opening = {"import": 0.5, "load": 0.25, "first_answer": 2.01, "second_answer": 0.01}
    reading = START.read(Probe(None, opening, None))
    found = {one.what: one.value for one in START.findings([Round(0, reading)], "", 0.95, START.Options())}
    assert found["cold_start.compile"] == pytest.approx(2.0)
    assert found["cold_start"] == pytest.approx(2.76), "it is a part of the first answer, and not added to it"
    hurried = START.read(Probe(None, opening | {"first_answer": 0.005}, None))
    assert hurried["compile"] == 0.0
