"""Throttling, a slow start, other work: what happens around a measurement is told, and marks what rests on it."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_study import STUDY, make
from test_measure import LINEAR

from seatrial.contracts.finding import Finding, State
from seatrial.flow import quiet, rounds, surroundings
from seatrial.flow import study as flow

BUSY = "begin = time.perf_counter()\n        while time.perf_counter() - begin < {}: pass"
SLOW = BUSY.format("(0.004 if self.calls < 14 else 0.0004)")
LOADS = "loads: [{single_stream: {seconds: 0.01, queries: 30}}], rounds: 6, meters: [latency]"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A candidate that gets a tenth slower with each round, one that starts slowly, and a healthy one as slow as that.

    Other work on the machine must not decide what is tested here: no block counts as disturbed, and the times of a query
    that are looked at over the rounds are the planted ones, 1 % apart.
    """
    ask, random = rounds._ask, np.random.default_rng(0)

    def planted(voyage, trial, load, cores, number=0, short=False):
        answer = ask(voyage, trial, load, cores, number, short)
        answer["disturbance"] = answer["disturbance"] | {"reason": ""}
        heat = 1.1**number if "hot" in trial.id else 1.0
        return answer | {"pace": 0.001 * heat * random.normal(1.0, 0.01)}

    folder = tmp_path_factory.mktemp("planted")
    for name, fault in {"hot": "pass", "slow": SLOW, "healthy": BUSY.format(0.0004)}.items():
        (folder / f"{name}.py").write_text(LINEAR.replace("FAULT", fault))
    head, tail = STUDY[: STUDY.index("candidates:")], STUDY[STUDY.index("reference:") :]
    tail = tail.replace("loads: [offline], rounds: 2, meters: [throughput, size]", LOADS)
    tail = tail.replace("prefer: {what: speedup, at: {load: offline}}\n", "")
    grid = "candidates:\n  - {runtime: onnxruntime}\n  - {runtime: [./hot.py, ./slow.py, ./healthy.py]}\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "_ask", planted)
        return flow.run(make(folder, head + grid + tail))


def of(dossier, runtime, what):
    return [
        one for one in dossier.findings if one.what == what and one.candidate and f"/./{runtime}.py/" in one.candidate
    ]


def test_what_gets_slower_and_slower_is_marked(ran):
    (p50,) = of(ran, "hot", "latency.p50")
    assert p50.state is not State.OK
    assert "slower from the first to the last of 6 rounds" in p50.note


def test_a_healthy_one_is_not_marked(ran):
    (p50,) = of(ran, "healthy", "latency.p50")
    assert "from the first to the last" not in p50.note


def test_a_slow_start_is_told_and_in_no_figure(ran):
    (told,) = of(ran, "slow", "slow_start")
    assert told.value > 3
    assert "Warm it up" in told.note
    assert of(ran, "slow", "latency.p50")[0].value < 0.002
    (other,) = of(ran, "healthy", "slow_start")
    assert other.value < told.value / 2


def test_the_machine_is_told_for_all_blocks(ran):
    said = {one.what: one for one in ran.findings if one.what.startswith("machine.")}
    assert {"machine.foreign", "machine.clock", "machine.temperature"} <= set(said)
    assert said["machine.foreign"].n == 4 * 6
    assert all(one.value is not None or one.note for one in said.values())


def moods(random, rounds, alike, spread=0.1):
    """Paces of rounds that resemble their neighbours, as a machine's do: a stationary autoregression on logarithms."""
    logs = [random.normal(0, spread)]
    while len(logs) < rounds:
        logs.append(alike * logs[-1] + random.normal(0, spread * np.sqrt(1 - alike**2)))
    return np.exp(logs).tolist()


@pytest.mark.parametrize(("alike", "most"), [(0.0, 0.01), (0.3, 0.01), (0.6, 0.013), (0.8, 0.03)])
@pytest.mark.parametrize("rounds", [5, 8])
def test_moods_of_a_machine_are_not_called_wandering(rounds, alike, most):
    """1 % is stated up to an autocorrelation of 0.6; 2,000 series each (standard error 0.002)."""
    random = np.random.default_rng(rounds)
    called = [surroundings.wander(moods(random, rounds, alike)) is not None for _ in range(2000)]
    assert np.mean(called) <= most + 3 * 0.002


def test_what_wanders_clearly_is_called_so():
    """40 % slower over eight rounds, among noise of 3 % in which neighbours are somewhat alike."""
    random, ramp = np.random.default_rng(1), 1.4 ** (np.arange(8) / 7)
    called = [surroundings.wander((moods(random, 8, 0.3, 0.03) * ramp).tolist()) for _ in range(300)]
    assert np.mean([one is not None for one in called]) > 0.85
    assert all(one.slower > 0 for one in called if one)


def test_little_change_or_few_rounds_say_nothing():
    assert surroundings.wander([1.0, 1.01, 1.02, 1.03, 1.04, 1.05]) is None, "too little"
    assert surroundings.wander([1.0, 1.2, 1.4, 1.6]) is None, "too few"
    faster = surroundings.wander([2.0, 1.8, 1.6, 1.4, 1.2, 1.0])
    assert "faster" in faster.note


def test_a_ratio_is_marked_only_where_the_ratio_wandered():
    away = surroundings.Wander(0.4, 6)
    alone = Finding(what="latency.p50", value=1.0)
    paired = Finding(what="speedup", value=1.0, against="reference")
    assert surroundings.wandered(alone, away, None).state is State.UNSTABLE
    assert surroundings.wandered(paired, away, None) is paired, "both became slower: the machine"
    assert surroundings.wandered(paired, None, away).state is State.UNSTABLE


def test_disturbed_rounds_count_only_where_there_are_no_others():
    def bodies(paces, reason):
        blocks = [{"pace": pace, "disturbance": {"reason": reason}} for pace in paces]
        return {f"{reason}{at}": {"loads": {"offline": block}} for at, block in enumerate(blocks)}

    rising = bodies(np.linspace(1, 2, 6), "hot")
    assert surroundings.of_rounds(rising, {}, "offline")[0].rounds == 6
    assert surroundings.of_rounds(bodies([1.0] * 5, "") | rising, {}, "offline") == (None, None)
    assert surroundings.of_rounds({"0": {"loads": {"offline": {}}}}, {}, "offline") == (None, None), (
        "kept by an earlier version"
    )


def test_several_threads_on_a_loaded_machine_are_disturbed(monkeypatch):
    ticks = iter([100, 100 + 4 * 25, 0, 0])
    monkeypatch.setattr(quiet, "_busy", lambda: {0: next(ticks)})
    monkeypatch.setattr(quiet.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(quiet, "_run_delay", lambda: None)
    with quiet.Watcher(2, "cpu") as watcher:
        end = quiet.time.perf_counter() + 0.25
        while quiet.time.perf_counter() < end:
            pass
    assert "beside its 2 threads" in watcher.seen()["reason"]
    with quiet.Watcher(2, "cpu") as watcher:
        end = quiet.time.perf_counter() + 0.25
        while quiet.time.perf_counter() < end:
            pass
    assert not watcher.seen()["reason"]


def test_a_figure_without_a_bound_says_too_that_the_machine_was_busy():
    """It would be open anyway; but who measures more of it is to know on what it was measured."""
    trial = SimpleNamespace(id="c", rounds={"0": {"at": "now", "steady": {}}})
    found = Finding(what="latency.p99", value=1.0, state=State.TOO_FEW, note="no upper bound")
    busy = rounds._signed(found, "latency", 1, trial, None, [], True, "server", ["LoadGen-style, unverified"])
    assert busy.state is State.TOO_FEW
    assert "the machine did other things" in busy.note
    assert "no upper bound" in busy.note
    assert busy.method == "LoadGen-style, unverified"
