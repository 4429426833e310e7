"""Several instances of a candidate: measured side by side, added up, and each on processors of its own."""

import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from small_study import STUDY, make
from test_measure import LINEAR, outcome

from seatrial import catalog
from seatrial.contracts.candidate import Candidate, PartRef
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.messages import Order
from seatrial.contracts.money import Money, Traffic
from seatrial.flow import quiet
from seatrial.flow import study as flow
from seatrial.flow.capacity import Desk
from seatrial.flow.copies import Copies
from seatrial.flow.plan import make_plan
from seatrial.flow.read import read
from seatrial.flow.service import service

SLEEPS = "time.sleep(0.003)"
DIES = "if len(x) == 2 and self.calls > 3: os._exit(9)"
TWO = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor only")
MEASURE = "loads: [{offline: {seconds: 0.05}}, {single_stream: {seconds: 0.05, queries: 10}}], rounds: 3, meters: [throughput, latency, memory, size, cold_start, utilisation, device_time]"


def study(folder, faults, grid, measure=MEASURE):
    for name, fault in faults.items():
        (folder / f"{name}.py").write_text(LINEAR.replace("FAULT", fault))
    head, tail = STUDY[: STUDY.index("candidates:")], STUDY[STUDY.index("reference:") :]
    tail = tail.replace("loads: [offline], rounds: 2, meters: [throughput, size]", measure)
    return make(folder, f"{head}candidates:\n  - {{runtime: onnxruntime}}\n  - {grid}\n{tail}")


@TWO
def test_two_side_by_side_answer_twice_as_many_rows_with_twice_the_memory(tmp_path):
    """Instances that sleep don't hinder each other, so that this holds on a busy machine, too."""
    dossier = flow.run(study(tmp_path, {"sleeps": SLEEPS}, "{runtime: ./sleeps.py, instances: [1, 2], batch: 4}"))
    found = {
        (one.candidate[-3:], one.what, one.at.get("load", "")): one
        for one in dossier.findings
        if one.candidate and "sleeps" in one.candidate
    }
    one, two = "/b4", "/i2"
    assert 1.5 < found[two, "throughput", "offline"].value / found[one, "throughput", "offline"].value < 2.5
    assert 1.5 < found[two, "speedup", "offline"].value / found[one, "speedup", "offline"].value < 2.5
    assert (
        0.6 < found[two, "latency.p50", "single_stream"].value / found[one, "latency.p50", "single_stream"].value < 1.6
    )
    assert 1.5 < found[two, "memory.peak", ""].value / found[one, "memory.peak", ""].value < 2.5
    assert found[two, "size", ""].value == found[one, "size", ""].value
    assert found[two, "accuracy", ""].value == found[one, "accuracy", ""].value


SERVED = "loads: [{server: {rate: 40, seconds: 0.3, queries: 12}}], rounds: 2, meters: [latency, real_time, network]"


@TWO
def test_arrivals_are_shared_and_a_rate_that_is_too_much_for_one_is_not_for_two(tmp_path):
    """One instance of 35 ms bears 28 queries a second, two bear 57."""
    made = study(tmp_path, {"sleeps": "time.sleep(0.035)"}, "{runtime: ./sleeps.py, instances: [1, 2]}", SERVED)
    found = {
        (one.candidate[-2:], one.what): one
        for one in flow.run(made, quick=True).findings
        if one.candidate and "sleeps" in one.candidate
    }
    assert "the queue outgrew the time" in found["b1", "latency.p50"].note
    assert "the queue outgrew the time" not in found["i2", "latency.p50"].note
    assert 0.035 <= found["i2", "latency.p50"].value < found["b1", "latency.p50"].value
    assert found["i2", "latency.p50"].n == found["b1", "latency.p50"].n, "each query counts once"
    assert found["i2", "network.time"].state is State.UNSUPPORTED


@TWO
def test_when_one_of_them_dies_it_is_a_finding_and_none_is_left(tmp_path):
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    dossier = flow.run(study(tmp_path, {"dies": DIES}, "{runtime: ./dies.py, instances: 2, batch: 2}"))
    assert outcome(dossier, "./dies.py").state is State.CRASHED
    assert [
        one
        for one in dossier.findings
        if one.what == "throughput" and one.candidate.endswith("onnxruntime/cpu/fp32/t1/b1")
    ]
    assert {one.pid for one in psutil.Process().children(recursive=True)} <= before


@TWO
def test_when_one_that_shares_arrivals_dies_the_others_are_not_waited_for(tmp_path):
    """The living one would look for the dead one's times until the limit, and a crash would look like a hang."""
    first = f"os.open({str(tmp_path / 'dead')!r}, os.O_CREAT | os.O_EXCL)"
    fault = f"if self.calls > 30 and not os.path.exists({str(tmp_path / 'dead')!r}): {first}; os._exit(9)"
    measure = SERVED.replace("rate: 40, seconds: 0.3, queries: 12", "rate: 200, seconds: 0.5, queries: 100")
    measure = measure.replace("rounds: 2", "rounds: 2, limits: {block: 45 s}")
    dossier = flow.run(study(tmp_path, {"dies": fault}, "{runtime: ./dies.py, instances: 2}", measure))
    assert outcome(dossier, "./dies.py").state is State.CRASHED, outcome(dossier, "./dies.py").note


@pytest.mark.parametrize(
    ("grid", "measure", "words"),
    [
        ("{runtime: onnxruntime, instances: 1000}", "loads: [offline], rounds: 2, meters: [throughput]", "this machine has"),
        ("{runtime: onnxruntime, instances: 2}", "loads: [offline], rounds: 2, meters: [validity]", "the meter `validity` reads one instance"),
    ],
)  # fmt: skip
def test_what_can_not_be_measured_side_by_side_is_refused_with_the_reason(tmp_path, grid, measure, words):
    made = make_plan(read(study(tmp_path, {}, grid, measure).resolve()))
    assert any(words in one.reason for one in made.dropped)


class Told:
    """A link that keeps its orders and answers like a worker."""

    def __init__(self, place):
        self.pid, self.orders, self.closed = place, [], False

    def ask(self, order, seconds):
        self.orders.append(order)
        seen = {"foreign": 0.5 - 0.1 * self.pid, "reason": "hot" if self.pid else ""}
        readings = {"throughput": {"throughput": 10.0 + self.pid}}
        return {
            "memory": 5,
            "stable": not self.pid,
            "slow_start": 1.0 + self.pid,
            "readings": readings,
            "disturbance": seen,
            "pace": 1.0 + self.pid,
        }

    def close(self):
        self.closed = True


def test_each_has_its_own_processors_and_all_begin_together(tmp_path):
    links = []
    copies = Copies(2, 2, lambda place: links.append(Told(place)) or links[-1])
    order = Order(order="block", folder=str(tmp_path), meters=("throughput",), settings={"cores": [4, 5, 6, 7]})
    said = copies.ask(order, 1.0)
    assert [one.orders[0].settings["cores"] for one in links] == [[4, 5], [6, 7]]
    assert {one.orders[0].settings["beside"] for one in links} == {2}
    assert len({one.orders[0].settings["at"] for one in links}) == 1
    assert said["readings"]["throughput"]["throughput"] == 21.0
    assert (said["disturbance"]["reason"], said["disturbance"]["foreign"], said["pace"]) == ("hot", 0.4, 1.5)
    assert copies.ask(Order(order="open"), 1.0)["memory"] == 10
    warm = copies.ask(Order(order="warm"), 1.0)
    assert (warm["stable"], warm["slow_start"]) == (False, 2.0)
    copies.ask(Order(order="predict"), 1.0)
    assert [len(one.orders) for one in links] == [4, 3], "rows are answered by the first alone"
    copies.close()
    assert all(one.closed for one in links)


def test_those_that_started_are_ended_when_one_does_not(tmp_path):
    links = []

    def start(place):
        if place == 2:
            raise ValueError("planted")
        links.append(Told(place))
        return links[-1]

    with pytest.raises(ValueError, match="planted"):
        Copies(3, 1, start)
    assert [one.closed for one in links] == [True, True]


@pytest.mark.parametrize(("beside", "foreign"), [(1, 0.0), (0, 1.0)])
def test_the_work_of_the_other_copies_is_no_other_work(monkeypatch, beside, foreign):
    """In a second two processors were busy: one with this process, the other with its copy, or with somebody else."""
    ticks, wall, cpu = (iter(two) for two in ([0, 2 * os.sysconf("SC_CLK_TCK")], [5.0, 6.0], [1.0, 2.0]))
    monkeypatch.setattr(quiet, "_busy", lambda: {0: next(ticks)})
    clocks = SimpleNamespace(perf_counter=lambda: next(wall), process_time=lambda: next(cpu))
    monkeypatch.setattr(quiet, "time", clocks)
    with quiet.Watcher(1, "cpu", beside) as watcher:
        pass
    assert watcher.seen()["foreign"] == pytest.approx(foreign)


def test_meters_make_one_reading_of_several_if_and_only_if_they_say_so():
    parts = [catalog.find("meters", name) for name in catalog.parts("meters")]
    able = {part.name for part in parts if "instances" in part.gives}
    assert able == {part.name for part in parts if hasattr(catalog.load(part), "together")}
    assert able >= {"throughput", "latency", "memory", "size", "cold_start"}


def test_as_many_replicas_share_a_machine_as_were_measured_side_by_side(tmp_path):
    """Latencies are each instance's own; rows a second are those of both, so that a batch takes each twice as long as these say."""
    two = Candidate(model="m", runtime=PartRef(name="r"), batch=4, instances=2)
    np.save(tmp_path / "times.npy", np.full(100, 0.010))
    given = {"candidate": two.id, "method": "planted"}
    single, offline = {"load": "single_stream"}, {"load": "offline"}
    found = [
        Finding(what="latency.mean", at=single, value=0.01, unit="s", artefacts={"0": "times.npy"}, **given),
        Finding(what="throughput", at=offline, value=400.0, unit="samples/s", **given),
    ]
    said = service(found, [two], two.id, tmp_path)
    assert said.batches == {1: pytest.approx(0.01), 4: pytest.approx(0.02)}
    desk = Desk(said, Money(traffic=Traffic(rate=10), within=0.05))
    assert (desk.hosts(4), desk.hosts(5)) == (2, 3)
    alone = Desk(replace(said, instances=1), desk.money)
    assert alone.hosts(4) == 4


def test_readings_together():
    def of(name):
        return catalog.load(catalog.find("meters", name))

    assert (
        of("latency").together([{"latencies": np.array([1.0, 3.0])}, {"latencies": np.array([5.0])}])["median_latency"]
        == 3.0
    )
    busy = of("utilisation").together([{"own": 1.0, "foreign": 1.2}, {"own": 1.0, "foreign": 1.1}])
    assert (busy["own"], busy["foreign"]) == (2.0, pytest.approx(0.2))
    start = of("cold_start").together(
        [
            {"import": 1, "load": 1, "first_answer": 1, "compile": 0},
            {"import": 1, "load": 3, "first_answer": 1, "compile": 0},
        ]
    )
    assert start["load"] == 3
    blocks = [{"joules": 5.0, "seconds": 1.0, "rest": 2.0, "queries": 10, "rows": 20, "shared": False}, {"joules": 6.0, "seconds": 1.2, "rest": 2.0, "queries": 12, "rows": 24, "shared": False}]  # fmt: skip
    whole = of("energy").together(blocks)
    assert (whole["joules"], whole["queries"], whole["rows"]) == (6.0, 22, 44), "the counters are the machine's"
    assert of("energy").together([one | {"shared": True} for one in blocks])["queries"] == 12
    assert of("energy").together([blocks[0], blocks[1] | {"why": "no counter"}])["why"] == "no counter"
    wire = [{"query": 2.0, "network": 1.0, "way": "header"}, {"query": 4.0, "network": 1.0, "way": "round trip"}]
    assert of("network").together(wire) == {"query": 3.0, "network": 1.0, "way": "round trip"}
    assert of("network").together([wire[0], {}]) == {}
    assert of("device_memory").together([{"bytes": 3, "by": "torch"}, {"bytes": 4, "by": "torch"}])["bytes"] == 7
    assert of("device_memory").together([{"bytes": 3, "by": "torch"}, {"why": "none"}]) == {"why": "none"}
    assert of("memory").together([{"peak": 2, "now": 1, "process": 7}, {"peak": 3, "now": 1, "process": 8}]) == {
        "peak": 5,
        "now": 2,
        "process": 7,
    }
